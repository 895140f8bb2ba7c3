//! What is kept to be sent again has a ceiling, and what finds no place is sent once.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use rig::{Output, Rig, wire};
use siproxd::engine::Side;
use siproxd::limits::{MAX_KEPT, MAX_KEPT_BYTES};
use siproxd::time::Duration;

const SERVER: &str = "203.0.113.10:5060";

fn request(method: &str, transport: &str, number: usize, padding: usize) -> Vec<u8> {
    wire(&format!(
        "{method} sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/{transport} 10.0.0.2:5060;branch=z9hG4bK{method}{number}\n\
         Max-Forwards: 70\nFrom: <sip:alice@a>;tag=1\nTo: <sip:bob@b>\nCall-ID: {transport}{number}\nCSeq: 1 {method}\n\
         X: {}\nContent-Length: 0\n\n",
        "x".repeat(padding)
    ))
}

/// The server's answer to a request that it got.
fn answer(output: &Output, status: &str) -> Vec<u8> {
    let Output::Sent { bytes, .. } = output else { panic!("{output:?}") };
    let text = String::from_utf8(bytes.clone()).unwrap();
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let lines: Vec<&str> = text.lines().filter(|line| copied.iter().any(|name| line.starts_with(name))).collect();
    wire(&format!("SIP/2.0 {status}\n{}\nContent-Length: 0\n\n", lines.join("\n")))
}

#[test]
fn a_full_store_is_no_reason_to_stop() {
    let mut rig = Rig::new(&rig::open_settings());
    let (phone, server) = ("10.0.0.2:40000".parse().unwrap(), SERVER.parse().unwrap());
    // Answers to requests over UDP fill it first; they are the first to go.
    for number in 0..MAX_KEPT + 3 {
        let sent = rig.datagram(Side::Lan, "10.0.0.3:5060".parse().unwrap(), &request("MESSAGE", "UDP", number, 0));
        assert_eq!(rig.datagram(Side::Wan, server, &answer(&sent[0], "200 OK")).len(), 1);
    }
    let again = |rig: &mut Rig, number| {
        let out = rig.datagram(Side::Lan, "10.0.0.3:5060".parse().unwrap(), &request("MESSAGE", "UDP", number, 0));
        let Output::Sent { via, .. } = &out[0] else { panic!("{out:?}") };
        via.local
    };
    assert_eq!(again(&mut rig, 0), Side::Lan);
    assert_eq!(again(&mut rig, MAX_KEPT + 1), Side::Wan);
    rig.accept(Side::Lan, phone);
    for number in 0..MAX_KEPT + 3 {
        assert_eq!(rig.stream(phone, &request("OPTIONS", "TCP", number, 0)).len(), 1);
    }
    assert_eq!(again(&mut rig, 0), Side::Wan);
    assert_eq!(rig.wait(Duration::from_millis(600)).len(), MAX_KEPT);
    // Each request is answered in the end, and all places are free again.
    let last = rig.wait(Duration::from_secs(40));
    let timeouts = rig::sent(&last).iter().filter(|text| text.starts_with("SIP/2.0 408")).count();
    assert_eq!(timeouts, MAX_KEPT + 3);
    rig.stream(phone, &request("OPTIONS", "TCP", 1000, 0));
    assert_eq!(rig.wait(Duration::from_millis(600)).len(), 1);
}

#[test]
fn what_is_too_long_is_sent_once() {
    let mut rig = Rig::new(&rig::open_settings());
    let phone = "10.0.0.2:40000".parse().unwrap();
    rig.accept(Side::Lan, phone);
    assert_eq!(rig.stream(phone, &request("OPTIONS", "TCP", 1, MAX_KEPT_BYTES)).len(), 1);
    assert_eq!(rig.wait(Duration::from_secs(20)).len(), 0);
}
