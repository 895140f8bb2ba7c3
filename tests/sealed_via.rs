//! What is sealed into our own Via: the same for a CANCEL and the ACK of a refusal as for their INVITE, and of use for its own request only.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::time::Duration;
use rig::text::{answer, header, status};
use rig::{Rig, sent, wire};
use siproxd::engine::Side;
use siproxd::time::Instant;

const PHONE: &str = "10.0.0.2:5060";
const SERVER: &str = "203.0.113.10:5060";

fn request(method: &str, to_tag: &str) -> Vec<u8> {
    wire(&format!(
        "{method} sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK1;rport\nMax-Forwards: 70\n\
         From: <sip:alice@a>;tag=1\nTo: <sip:bob@b>{to_tag}\nCall-ID: c@10.0.0.2\nCSeq: 1 {method}\n\
         Contact: <sip:alice@{PHONE}>\nContent-Length: 0\n\n"
    ))
}

/// What the phone's request becomes.
fn forwarded(rig: &mut Rig, method: &str, to_tag: &str) -> String {
    let outputs = rig.datagram(Side::Lan, PHONE.parse().unwrap(), &request(method, to_tag));
    sent(&outputs).into_iter().find(|text| status(text).is_none()).unwrap()
}

/// The Via of a request, and those of its CANCEL and of the ACK of its refusal, are one text (RFC 3261 §9.1, §17.1.1.3).
#[test]
fn a_cancel_and_an_ack_have_the_via_of_their_invite() {
    let mut rig = Rig::new(&rig::open_settings());
    let invite = forwarded(&mut rig, "INVITE", "");
    rig.datagram(Side::Wan, SERVER.parse().unwrap(), answer(&invite, "180 Ringing", "b", "", "").as_bytes());
    let cancel = forwarded(&mut rig, "CANCEL", "");
    rig.datagram(Side::Wan, SERVER.parse().unwrap(), answer(&invite, "487 No", "b", "", "").as_bytes());
    let ack = forwarded(&mut rig, "ACK", ";tag=b");
    assert!(header(&invite, "Via").contains(";sx="));
    assert_eq!(header(&cancel, "Via"), header(&invite, "Via"));
    assert_eq!(header(&ack, "Via"), header(&invite, "Via"));
}

/// A retransmission has the Via that the first copy had.
#[test]
fn a_retransmission_has_the_same_via() {
    let mut rig = Rig::new(&rig::open_settings());
    let first = forwarded(&mut rig, "OPTIONS", "");
    assert_eq!(forwarded(&mut rig, "OPTIONS", ""), first);
}

/// No letter of a seal can be changed, left out or added.
#[test]
fn a_changed_seal_opens_nothing() {
    let mut rig = Rig::new(&rig::open_settings());
    let options = forwarded(&mut rig, "OPTIONS", "");
    let response = answer(&options, "200 OK", "b", "", "");
    let start = response.find(";sx=").unwrap() + 4;
    let end = start + response[start..].find('\r').unwrap();
    // Without its transaction, so that the seal is all there is.
    let from_server = |text: &str| {
        let mut rig = Rig::new(&rig::open_settings());
        sent(&rig.datagram(Side::Wan, SERVER.parse().unwrap(), text.as_bytes()))
    };
    assert_eq!(from_server(&response).len(), 1);
    for at in start..end {
        let mut changed = response.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(from_server(core::str::from_utf8(&changed).unwrap()), [""; 0], "letter {}", at - start);
        let cut = format!("{}{}", &response[..at], &response[end..]);
        assert_eq!(from_server(&cut), [""; 0], "cut at {}", at - start);
    }
    for other in
        [response.replace("c@", "d@"), response.replace("1 OPTIONS", "1 INFO"), response.replace("1 OPT", "2 OPT")]
    {
        assert_eq!(from_server(&other), [""; 0]);
    }
    assert_eq!(from_server(&response.replace(";sx=", ";sx=A")), [""; 0]);
}

const REGISTER: &str = "REGISTER sip:203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKr;rport\nMax-Forwards: 70\n\
    From: <sip:alice@203.0.113.10>;tag=r\nTo: <sip:alice@203.0.113.10>\nCall-ID: r@10.0.0.2\nCSeq: 1 REGISTER\n\
    Contact: <sip:alice@10.0.0.2:5060>\nExpires: 600\nContent-Length: 0\n\n";

/// A rig whose program started when the wall clock said `unix` seconds; its own clock counts from 1 second, as the daemon's does.
fn started_at(unix: u64) -> Rig {
    let mut rig = Rig::new(&rig::open_settings());
    rig.now = Instant::from_millis(1000);
    rig.engine.set_wall_clock(unix, rig.now);
    rig
}

/// Who has recorded a 2xx to REGISTER cannot bind anything by it later on, also not after a restart, when our own clock begins anew.
#[test]
fn an_old_2xx_binds_nothing() {
    const START: u64 = 1_700_000_000;
    let mut rig = started_at(START);
    let outputs = rig.datagram(Side::Lan, PHONE.parse().unwrap(), &wire(REGISTER));
    let register = sent(&outputs).remove(0);
    let contact = format!("Contact: {};expires=600\r\n", header(&register, "Contact"));
    let ok = answer(&register, "200 OK", "t", &contact, "");
    let bindings_at = |unix: u64| {
        let mut rig = started_at(unix);
        let passed = rig.datagram(Side::Wan, SERVER.parse().unwrap(), ok.as_bytes()).len();
        (rig.engine.usage().bindings, passed)
    };
    // As late as an answer comes that the phone still waits for, with a wall clock that was set back a little meanwhile, and later.
    assert_eq!(bindings_at(START + 32), (1, 1));
    assert_eq!(bindings_at(START - 5), (1, 1));
    for late in [64, 3600, 86_400, 16 << 16, 365 * 86_400] {
        assert_eq!(bindings_at(START + late), (0, 0), "{late} s");
    }
    assert_eq!(bindings_at(START - 3600), (0, 0));
}

/// Where the transaction is kept, what is sent again has the seal that went first, however late it is.
#[test]
fn a_cancel_after_minutes_has_the_via_of_its_invite() {
    let mut rig = Rig::new(&rig::open_settings());
    let invite = forwarded(&mut rig, "INVITE", "");
    rig.datagram(Side::Wan, SERVER.parse().unwrap(), answer(&invite, "180 Ringing", "b", "", "").as_bytes());
    rig.wait(Duration::from_secs(150));
    assert_eq!(header(&forwarded(&mut rig, "CANCEL", ""), "Via"), header(&invite, "Via"));
}
