//! What is sealed into our own Via: the same for a CANCEL and the ACK of a refusal as for their INVITE, and of use for its own request only.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use rig::text::{answer, header, status};
use rig::{Rig, sent, wire};
use siproxd::engine::Side;

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
