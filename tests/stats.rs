//! The engine's statistics while calls run: who, since when, what came of each party, and what is wrong so far.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use rig::script::{Player, events};
use rig::{Output, Rig, wire};
use siproxd::engine::io::{LegCounters, RelayCmd};
use siproxd::engine::stats::CallStats;
use siproxd::engine::verdict::What;
use siproxd::engine::{Settings, Side};
use siproxd::limits::MAX_CALLS;
use siproxd::rtp::format::{Media, Terms};
use siproxd::time::{Duration, Instant};

/// INVITE, 180, 200, ACK, BYE, 200.
const CALL: &str = include_str!("golden/02_call/01_out.txt");

/// The call after so many of its messages.
fn after(messages: usize) -> Player {
    let mut player = Player::new(rig::open_settings());
    events(CALL.as_bytes()).iter().take(messages).for_each(|event| drop(player.happen(event).unwrap()));
    player
}

/// What the only call is like, `seconds` later, when each party has sent this.
fn stats(rig: &mut Rig, seconds: u64, sent: [LegCounters; 2]) -> CallStats<'_> {
    let now = rig.now.after(Duration::from_secs(seconds));
    rig.recorder.counters = sent.map(|leg| LegCounters { taken: now, ..leg });
    let Rig { engine, recorder, .. } = rig;
    let (call, next) = engine.call_stats(0, recorder).unwrap();
    assert!(engine.call_stats(next, recorder).is_none());
    call.log(now);
    call
}

/// One packet every 20 ms for so many seconds from now on.
fn sound(now: Instant, seconds: u64) -> LegCounters {
    let mut leg = LegCounters::default();
    for number in 0..seconds * 50 {
        let mut packet = [0x80; 172];
        packet[1..4].copy_from_slice(&[0, (number >> 8) as u8, number as u8]);
        packet[4..8].copy_from_slice(&(number as u32 * 160).to_be_bytes());
        leg.heard.rtp(&packet, &Terms::NOTHING, now.after(Duration::from_millis(20 * number)));
        leg.packets += 1;
        leg.bytes += 172;
    }
    leg
}

#[test]
fn a_call_from_its_invite_to_its_end() {
    let silent = || [LegCounters::default(); 2];
    let mut player = after(0);
    assert!(player.rig.engine.call_stats(0, &mut player.rig.recorder).is_none());

    player = after(2);
    let start = player.rig.now;
    let call = stats(&mut player.rig, 60, silent());
    assert_eq!(call.names, [&b"sip:alice@203.0.113.10"[..], b"sip:bob@203.0.113.10"]);
    assert_eq!((call.sides, call.started, call.answered), ([Side::Lan, Side::Wan], start, None));
    assert_eq!(call.parties.map(|party| party.to_string()), ["10.0.0.2", "203.0.113.10"]);
    let section = call.sections[0];
    assert_eq!(section.announced, [Some("10.0.0.2:4000".parse().unwrap()), None]);
    assert_eq!((section.number, section.media, section.ports), (0, [Media::Audio, Media::Unknown], [7076, 7082]));
    assert_eq!(call.fault, None, "it rings");

    player = after(4);
    let now = player.rig.now;
    let call = stats(&mut player.rig, 60, silent());
    assert_eq!((call.answered, call.sections.len()), (Some(now), 1));
    assert_eq!(call.sections[0].announced[1], Some("203.0.113.20:6000".parse().unwrap()));
    let fault = call.fault.unwrap();
    assert_eq!((fault.what, call.sections[0].fault), (What::NothingAtAll { reports: false }, Some(fault)));
    assert_eq!(stats(&mut player.rig, 1, silent()).fault, None, "it has only begun");
    let well = [sound(now, 60), sound(now, 60)];
    let call = stats(&mut player.rig, 60, well);
    assert_eq!((call.fault, call.sections[0].legs.map(|leg| (leg.packets, leg.bytes))), (None, [(3000, 516_000); 2]));
    let text = call.sections[0].to_string();
    assert_eq!(
        text,
        "media section 1: caller at 10.0.0.2:4000 to our port 7076: 3000 packets (516000 bytes) of G.711, lost 0.00 %, jitter 0.00 ms, \
         longest gap 20 ms, MOS 4.40; callee at 203.0.113.20:6000 to our port 7082: 3000 packets (516000 bytes) of G.711, lost 0.00 %, \
         jitter 0.00 ms, longest gap 20 ms, MOS 4.40; strangers 0"
    );
    let one_way = stats(&mut player.rig, 60, [sound(now, 60), sound(now, 12)]).fault.unwrap();
    assert_eq!(one_way.to_string(), "one way since second 11: nothing more came from the far end 203.0.113.20");

    player = after(6);
    assert!(player.rig.engine.call_stats(0, &mut player.rig.recorder).is_none());
}

#[test]
fn silence_counts_until_the_bye_that_is_not_refused() {
    // BYE has passed, and its answer takes long.
    let mut player = after(5);
    let now = player.rig.now;
    let silent = || [LegCounters::default(); 2];
    assert_eq!(stats(&mut player.rig, 30, silent()).fault, None);
    let refusal = "== wan 203.0.113.10:5060\nSIP/2.0 401 Unauthorized\nVia: {via}\nFrom: <sip:alice@203.0.113.10>;tag=a1\n\
                   To: <sip:bob@203.0.113.10>;tag=b1\nCall-ID: {call-id}\nCSeq: 2 BYE\nContent-Length: {length}\n\n";
    let passed = player.happen(&events(refusal.as_bytes())[0]).unwrap();
    assert!(passed.iter().any(|output| matches!(output, Output::Sent { .. })), "{passed:?}");
    let call = stats(&mut player.rig, 30, silent());
    assert_eq!(
        (call.answered, call.fault.map(|fault| fault.what)),
        (Some(now), Some(What::NothingAtAll { reports: false }))
    );
}

#[test]
fn each_call_is_met_once_and_each_relay_counted_once() {
    let mut rig = Rig::new(&Settings { rtp_port_low: 10_000, rtp_port_high: 60_000, ..rig::open_settings() });
    let calls = MAX_CALLS.min(30);
    for number in 0..calls {
        let body = wire(
            "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.2\nt=0 0\nm=audio 4000 RTP/AVP 0\n\
             m=video 0 RTP/AVP 31\nm=audio 4002 RTP/AVP 0\n",
        );
        let body = if number % 2 == 0 { &body[..] } else { &body[..body.len() - 28] };
        let head = format!(
            "INVITE sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{number}\nFrom: <sip:{number}@a>;tag=1\n\
             To: <sip:bob@b>\nCall-ID: c{number}\nCSeq: 1 INVITE\nContact: <sip:x@10.0.0.2>\nContent-Type: application/sdp\n\
             Content-Length: {}\n\n",
            body.len()
        );
        rig.datagram(Side::Lan, "10.0.0.2:5060".parse().unwrap(), &[&wire(&head), body].concat());
        rig.wait(Duration::from_secs(1));
    }
    let usage = rig.engine.usage();
    assert_eq!(usage.calls, calls);
    rig.recorder.outputs.clear();
    let (mut from, mut names, mut sections) = (0, Vec::new(), 0);
    while let Some((call, next)) = rig.engine.call_stats(from, &mut rig.recorder) {
        assert!(next > from && rig.recorder.outputs.len() - sections <= 2, "one call at a time");
        names.push(String::from_utf8(call.names[0].to_vec()).unwrap());
        sections += call.sections.len();
        from = next;
    }
    let counted = rig.recorder.outputs.iter().filter(|o| matches!(o, Output::Relay(RelayCmd::Count { .. }))).count();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), sections, counted), (usage.calls, usage.relays, usage.relays));
}

/// What the hooks have counted that are on, by their names.
fn counted(rig: &Rig) -> Vec<(&'static str, u32)> {
    rig.engine.hook_counts().map(|(name, counts)| (name, counts.hits)).collect()
}

#[test]
fn a_call_that_waits_for_a_name_is_counted_once() {
    let invite = "== lan 10.0.0.2:5060\nINVITE sip:1@provider.example SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1\n\
                  Max-Forwards: 70\nFrom: <sip:alice@provider.example>;tag=a1\nTo: <sip:1@provider.example>\nCall-ID: c1\n\
                  CSeq: 1 INVITE\nContact: <sip:alice@10.0.0.2:5060>\nContent-Length: 0\n\n";
    let hooks = "== hook load_plugin plugin_logcall\n== hook load_plugin plugin_demo\n== hook load_plugin plugin_prefix\n\
                 == hook plugin_prefix_akey 0\n";
    let mut player = Player::new(rig::open_settings());
    let mut play = |text: &str| {
        let outputs = events(text.as_bytes()).iter().flat_map(|event| player.happen(event).unwrap()).count();
        (outputs, counted(&player.rig))
    };
    let once = vec![("plugin_logcall", 1), ("plugin_demo", 1), ("plugin_prefix", 1)];
    assert_eq!(play(&format!("{hooks}{invite}")).1, once);
    let copied = vec![("plugin_logcall", 1), ("plugin_demo", 1), ("plugin_prefix", 2)];
    assert_eq!(play(invite), (0, copied.clone()), "a copy while it waits");
    let (outputs, counts) = play("== dns 203.0.113.10\n");
    assert!(outputs > 0 && counts == copied, "it goes on: {counts:?}");
    assert_eq!(play(invite).1[..2], copied[..2], "a copy of what is under way");
}
