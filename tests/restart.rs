//! What is saved for a restart can be read again, and nothing else does harm.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use proptest::prelude::*;
use rig::{Output, Rig, open_settings, wire};
use siproxd::engine::io::RelayCmd;
use siproxd::engine::{RestoreError, Restored, Settings, Side};

const UNIX_NOW: u64 = 1_700_000_000;

/// A call with two sections, answered.
fn talking() -> Rig {
    let mut rig = Rig::new(&open_settings());
    let sdp = |ip: &str| {
        wire(&format!(
            "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\n"
        ))
    };
    let message = |start: &str, via: &str, to_tag: &str, body: &[u8]| {
        let head = format!(
            "{start}\nVia: {via}\nFrom: <sip:alice@a>;tag=1\nTo: <sip:bob@b>{to_tag}\nCall-ID: c\nCSeq: 1 INVITE\n\
             Contact: <sip:x@{}>\nContent-Type: application/sdp\nContent-Length: {}\n\n",
            if to_tag.is_empty() { "10.0.0.2" } else { "203.0.113.10" },
            body.len()
        );
        [wire(&head), body.to_vec()].concat()
    };
    let via = "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1;rport";
    let invite = message("INVITE sip:bob@203.0.113.10 SIP/2.0", via, "", &sdp("10.0.0.2"));
    let outputs = rig.datagram(Side::Lan, "10.0.0.2:5060".parse().unwrap(), &invite);
    let sent = rig::sent(&outputs);
    let answer = message("SIP/2.0 200 OK", rig::text::header(&sent[0], "Via"), ";tag=2", &sdp("203.0.113.10"));
    rig.datagram(Side::Wan, "203.0.113.10:5060".parse().unwrap(), &answer);
    assert_eq!(rig.engine.usage().relays, 2);
    rig
}

fn saved(rig: &Rig) -> String {
    let mut text = String::new();
    rig.engine.save(rig.now, UNIX_NOW, &mut text).unwrap();
    text
}

fn restore(rig: &mut Rig, line: &str, unix_now: u64) -> Result<Restored, RestoreError> {
    rig.engine.restore(line, rig.now, unix_now, &mut rig.recorder)
}

#[test]
fn a_call_is_saved_as_it_was_restored() {
    let text = saved(&talking());
    let mut rig = Rig::new(&open_settings());
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!(saved(&rig), text);
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (2, 2));
    let aimed = rig.recorder.outputs.iter().filter(|o| matches!(o, Output::Relay(RelayCmd::Retarget { .. }))).count();
    assert_eq!(aimed, 4);
}

#[test]
fn a_call_has_an_end_all_the_same() {
    let text = saved(&talking());
    let mut rig = Rig::new(&Settings { max_calls: 1, ..open_settings() });
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW + 121), Err(RestoreError::Expired));
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW + 120), Ok(Restored::Call));
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Err(RestoreError::Full));
}

#[test]
fn a_relay_whose_ports_are_taken_is_left_out() {
    let text = saved(&talking());
    let port: u16 = text.split("relay=1,").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let mut rig = Rig::new(&open_settings());
    rig.recorder.taken.push(port);
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (1, 1));
    // A second call that names the same ports.
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_line_does_no_harm(at in any::<proptest::sample::Index>(), with in "[ -~]{0,3}", cut in any::<bool>()) {
        let text = saved(&talking());
        let at = at.index(text.len());
        let rest = if cut { "" } else { text.get(at + 1..).unwrap_or("") };
        let mut rig = Rig::new(&open_settings());
        let _ = restore(&mut rig, &format!("{}{with}{rest}", &text[..at]), UNIX_NOW);
        prop_assert_eq!(rig.engine.usage().relays, rig.recorder.open);
    }
}
