//! Every golden case with each limit at 0, 1, 2 and full.

use crate::answers::is_in_table;
use crate::rig::script::{Player, events, set};
use crate::rig::text::{header, status};
use crate::rig::{Output, Rig, open_settings, sent, wire};
use crate::{keep_log, logged};
use core::net::SocketAddr;
use siproxd::engine::io::{MediaReport, RelayCmd};
use siproxd::engine::{Input, Side};
use siproxd::time::Duration;
use std::collections::HashSet;
use std::path::Path;

/// Longer than any transaction lasts.
const ALL_OVER: Duration = Duration::from_secs(400);

/// What is limited.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Bindings(usize),
    Calls(usize),
    /// Pairs of RTP ports on each side.
    Ports(u16),
    /// Nothing but what the case itself sets.
    AsWritten,
}

const LIMITS: [Limit; 10] = [
    Limit::Bindings(0),
    Limit::Bindings(1),
    Limit::Bindings(2),
    Limit::Calls(0),
    Limit::Calls(1),
    Limit::Calls(2),
    Limit::Ports(0),
    Limit::Ports(1),
    Limit::Ports(2),
    Limit::AsWritten,
];

#[test]
fn no_limit_makes_a_request_vanish() {
    keep_log();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let areas = std::fs::read_dir(root).unwrap().map(|area| area.unwrap().path());
    let mut cases: Vec<_> =
        areas.flat_map(|area| std::fs::read_dir(area).unwrap()).map(|c| c.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no golden cases found");
    for case in &cases {
        let script = std::fs::read(case).unwrap();
        // What is left without an answer by the case itself: its far end answers for another.
        let usual = play(&script, Limit::AsWritten, case);
        for limit in LIMITS {
            let unanswered = play(&script, limit, case);
            // Where no phone could register, a server is a stranger.
            let may_be_stranger = matches!(limit, Limit::Bindings(_));
            let new = unanswered.difference(&usual).filter(|(by_phone, ..)| *by_phone || !may_be_stranger);
            let new: Vec<_> = new.collect();
            assert!(new.is_empty(), "{} with {limit:?}: INVITEs without a final answer: {new:?}", case.display());
        }
    }
}

/// An INVITE of a phone or a server: its side and source, Call-ID, CSeq and branch.
type Invite = (bool, SocketAddr, String, String, String);

/// Plays a case and gives the INVITEs that had no final answer when all was over.
fn play(script: &[u8], limit: Limit, case: &Path) -> HashSet<Invite> {
    let mut settings = open_settings();
    let mut events = events(script);
    events.retain(|event| !(event.kind() == "set" && set(&mut settings, &event.words[1..])));
    match limit {
        Limit::Bindings(n) => settings.max_bindings = n,
        Limit::Calls(n) => settings.max_calls = n,
        Limit::Ports(n) => settings.rtp_port_high = settings.rtp_port_low + 2 * n.saturating_sub(1),
        Limit::AsWritten => {}
    }
    let mut player = Player::new(settings);
    let mut open = HashSet::<Invite>::new();
    let mut seen = HashSet::new();
    for event in &events {
        if matches!(limit, Limit::Ports(0)) {
            player.rig.recorder.taken = vec![player.settings.rtp_port_low];
        }
        let datagram = player.datagram(event);
        logged();
        // A message over a connection that was never made does not come.
        let Some(outputs) = player.happen(event) else { continue };
        // With a silent nameserver a request waits, and the rig keeps the query for itself.
        let waits = player.rig.zone.as_ref().is_some_and(|zone| zone.silent);
        let is_new = seen.insert((event.words.clone(), datagram.clone()));
        let context = || format!("{} with {limit:?}:\n{}", case.display(), String::from_utf8_lossy(&datagram));
        if let Some((side, from)) = event.message() {
            note_invite(&datagram, side, from, &mut open);
            check_reaction(&datagram, side, from, is_new, waits, &outputs, &context);
        }
        note_answers(&outputs, &mut open);
        check_limits(&player, &context);
    }
    let outputs = player.rig.wait(ALL_OVER);
    note_answers(&outputs, &mut open);
    for relay in player.relays.clone() {
        player.rig.input(Input::Media(MediaReport::Idle(relay)));
    }
    player.rig.wait(ALL_OVER);
    check_all_is_back(&mut player, limit, case);
    open
}

fn is_request(datagram: &[u8]) -> bool {
    let line = datagram.split(|b| *b == b'\r').next().unwrap_or_default();
    line.ends_with(b" SIP/2.0") && !line.starts_with(b"ACK ")
}

fn note_invite(datagram: &[u8], side: Side, from: SocketAddr, open: &mut HashSet<Invite>) {
    let text = String::from_utf8_lossy(datagram);
    // What belongs to a call that was refused does not come from the WAN.
    let may_come = side == Side::Lan || !header(&text, "To").contains(";tag=");
    if text.starts_with("INVITE ") && !header(&text, "CSeq").is_empty() && may_come {
        open.insert(invite(&text, side, from));
    }
}

fn invite(text: &str, side: Side, peer: SocketAddr) -> Invite {
    (side == Side::Lan, peer, header(text, "Call-ID").into(), header(text, "CSeq").into(), branch(text))
}

fn branch(text: &str) -> String {
    let via = header(text, "Via");
    via.split_once(";branch=").map_or("", |(_, rest)| rest.split([';', ',']).next().unwrap_or_default()).into()
}

fn note_answers(outputs: &[Output], open: &mut HashSet<Invite>) {
    for output in outputs {
        let Output::Sent { via, to, bytes } = output else { continue };
        let text = String::from_utf8_lossy(bytes);
        if status(&text).is_some_and(|code| code >= 200) {
            open.remove(&invite(&text, via.local, *to));
        }
    }
}

/// A request is answered as the table says, goes on, waits for a name, or is named in the log.
fn check_reaction(
    datagram: &[u8],
    side: Side,
    from: SocketAddr,
    is_new: bool,
    waits: bool,
    outputs: &[Output],
    context: &dyn Fn() -> String,
) {
    if !is_request(datagram) {
        return;
    }
    let lines = logged();
    let goes_on = outputs.iter().any(|output| !matches!(output, Output::Relay(_)));
    assert!(goes_on || waits || !lines.is_empty() || !is_new, "nothing came of\n{}", context());
    for output in outputs {
        let Output::Sent { to, bytes, .. } = output else { continue };
        let text = String::from_utf8_lossy(bytes);
        // A retransmission gets the answer that the next hop gave.
        if *to == from && is_new && status(&text).is_some() {
            assert!(is_in_table(&text, side == Side::Lan), "not in docs/answers.md:\n{text}\nto\n{}", context());
        }
    }
    // A refused INVITE leaves nothing open.
    let refused = sent(outputs).iter().any(|text| status(text).is_some_and(|code| code >= 300));
    let opened = outputs.iter().filter(|o| matches!(o, Output::Relay(RelayCmd::Open { .. }))).count();
    let closed = outputs.iter().filter(|o| matches!(o, Output::Relay(RelayCmd::Close { .. }))).count();
    assert!(!refused || opened <= closed, "refused, and relays stay open:\n{}", context());
}

fn check_limits(player: &Player, context: &dyn Fn() -> String) {
    let usage = player.rig.engine.usage();
    let settings = &player.settings;
    assert!(usage.calls <= settings.max_calls, "{usage:?}: {}", context());
    assert!(usage.bindings <= settings.max_bindings, "{usage:?}: {}", context());
    assert_eq!(usage.relays, player.rig.recorder.open, "{}", context());
}

/// Nothing runs any more, and as many calls as ports and `max_calls` allow can be made again.
fn check_all_is_back(player: &mut Player, limit: Limit, case: &Path) {
    let usage = player.rig.engine.usage();
    assert_eq!((usage.transactions, usage.relays), (0, 0), "{} with {limit:?}: {usage:?}", case.display());
    let rig = &mut player.rig;
    // A hook might redirect the calls that follow, or decline their media.
    rig.engine.set_hooks(&siproxd::engine::HookSettings::new());
    rig.address(Side::Lan, Some("10.0.0.1"));
    rig.address(Side::Wan, Some("198.51.100.1"));
    if !matches!(limit, Limit::Ports(0)) {
        rig.recorder.taken.clear();
    }
    let settings = &player.settings;
    let may_call = settings.allow_domains.iter().any(|domain| domain.as_str() == "*");
    if !settings.rtp_proxy_enable || settings.outbound_proxy.is_some() || !may_call {
        return;
    }
    let pairs = usize::from((settings.rtp_port_high - settings.rtp_port_low) / 2 + 1);
    let pairs = if matches!(limit, Limit::Ports(0)) { 0 } else { pairs };
    let most = pairs.min(settings.max_calls);
    let opened = (0..=most).filter(|number| opens_a_relay(rig, *number)).count();
    assert_eq!(opened, most, "{} with {limit:?}: ports or calls were not given back", case.display());
}

fn opens_a_relay(rig: &mut Rig, number: usize) -> bool {
    let body = "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.2\nt=0 0\nm=audio 4000 RTP/AVP 0\n";
    let invite = format!(
        "INVITE sip:bob@203.0.113.99 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKlast{number};rport\n\
         From: <sip:alice@10.0.0.2>;tag=last{number}\nTo: <sip:bob@203.0.113.99>\nCall-ID: last{number}\n\
         CSeq: 1 INVITE\nContact: <sip:alice@10.0.0.2>\nContent-Type: application/sdp\n\
         Content-Length: {}\n\n{body}",
        wire(body).len()
    );
    let outputs = rig.datagram(Side::Lan, "10.0.0.2:5060".parse().unwrap(), &wire(&invite));
    outputs.iter().any(|output| matches!(output, Output::Relay(RelayCmd::Open { .. })))
}
