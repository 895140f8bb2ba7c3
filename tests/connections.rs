//! TCP connections as the engine sees them: who may have one, which are in use, and what outlives them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::net::SocketAddr;
use rig::{Output, Rig, sent, wire};
use siproxd::engine::{ConnEvent, Side};
use siproxd::limits::{MAX_CONNECTIONS, MAX_PARKED, MAX_STRANGER_CONNECTIONS};
use siproxd::time::Duration;

const PHONE: &str = "10.0.0.2:40000";
const SERVER: &str = "203.0.113.10:5060";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Registers alice, whose phone is on TCP, at a server on TCP.
fn register(rig: &mut Rig) {
    rig.accept(Side::Lan, at(PHONE));
    let out = rig.stream(
        at(PHONE),
        &wire(
            "REGISTER sip:203.0.113.10;transport=tcp SIP/2.0\nVia: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK1\n\
             Max-Forwards: 70\nFrom: <sip:alice@a>;tag=1\nTo: <sip:alice@a>\nCall-ID: r\nCSeq: 1 REGISTER\n\
             Contact: <sip:alice@10.0.0.2:5060;transport=tcp>;expires=600\nContent-Length: 0\n\n",
        ),
    );
    assert!(matches!(out[0], Output::Connect { side: Side::Wan, to, .. } if to == at(SERVER)), "{out:?}");
    rig.connection(at(SERVER), ConnEvent::Opened);
    let request = sent(&out).remove(0);
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
    let lines: Vec<&str> = request.lines().filter(|line| copied.iter().any(|name| line.starts_with(name))).collect();
    let ok = format!("SIP/2.0 200 OK\n{}\nContent-Length: 0\n\n", lines.join("\n"));
    assert!(sent(&rig.stream(at(SERVER), &wire(&ok)))[0].starts_with("SIP/2.0 200 OK"));
}

fn options(number: usize, uri: &str) -> Vec<u8> {
    wire(&format!(
        "OPTIONS {uri} SIP/2.0\nVia: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bKo{number}\nMax-Forwards: 70\n\
         From: <sip:bob@b>;tag=1\nTo: <sip:alice@a>\nCall-ID: o{number}\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
    ))
}

#[test]
fn connections_of_a_live_registration_are_in_use() {
    let mut rig = Rig::new(&rig::open_settings());
    register(&mut rig);
    rig.accept(Side::Lan, at("10.0.0.3:40000"));
    let in_use = |rig: &Rig, peer| rig.engine.is_in_use(rig.recorder.connection(at(peer)).unwrap());
    assert!(in_use(&rig, PHONE) && in_use(&rig, SERVER) && !in_use(&rig, "10.0.0.3:40000"));
    rig.wait(Duration::from_secs(601));
    assert!(!in_use(&rig, PHONE) && !in_use(&rig, SERVER));
}

#[test]
fn a_restart_remembers_how_a_phone_is_reached() {
    let mut rig = Rig::new(&rig::open_settings());
    register(&mut rig);
    let mut saved = String::new();
    rig.engine.save(rig.now, 1000, &mut saved).unwrap();
    assert!(saved.contains(" place=tcp:10.0.0.2:5060 "), "{saved}");
    let mut rig = Rig::new(&rig::open_settings());
    rig.engine.restore(saved.trim_end(), rig.now, 1000, &mut rig.recorder).unwrap();
    let out = rig.datagram(Side::Wan, at(SERVER), &options(1, "sip:alice@198.51.100.1"));
    assert!(matches!(out[0], Output::Connect { side: Side::Lan, to, .. } if to == at("10.0.0.2:5060")), "{out:?}");
    assert!(sent(&out)[0].starts_with("OPTIONS sip:alice@10.0.0.2:5060;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP "));
}

#[test]
fn strangers_are_few_and_never_in_the_way() {
    let mut rig = Rig::new(&rig::open_settings());
    let stranger = |n: usize| SocketAddr::from(([192, 0, 2, n as u8], 1000));
    for n in 0..MAX_STRANGER_CONNECTIONS {
        assert!(rig.accept(Side::Wan, stranger(n)).is_empty());
    }
    assert!(matches!(rig.accept(Side::Wan, stranger(100))[..], [Output::Disconnect { .. }]));
    // All end together, and there is room for the next.
    assert_eq!(rig.wait(Duration::from_secs(5)).len(), MAX_STRANGER_CONNECTIONS);
    assert!(rig.accept(Side::Wan, stranger(101)).is_empty());
    rig.wait(Duration::from_secs(5));
    for n in 0..MAX_CONNECTIONS as u16 {
        assert!(rig.accept(Side::Lan, SocketAddr::from(([10, 0, 0, 9], 1000 + n))).is_empty());
    }
    assert!(matches!(rig.accept(Side::Wan, stranger(102))[..], [Output::Disconnect { .. }]));
}

#[test]
fn a_stranger_with_a_token_may_stay() {
    let mut rig = Rig::new(&rig::open_settings());
    register(&mut rig);
    let out = rig.wait(Duration::from_secs(1));
    assert!(sent(&out).iter().all(|text| text == "\r\n\r\n"), "{out:?}");
    let invite = rig.stream(
        at(PHONE),
        &wire(
            "INVITE sip:bob@203.0.113.99;transport=tcp SIP/2.0\nVia: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK2\n\
             Max-Forwards: 70\nFrom: <sip:alice@a>;tag=1\nTo: <sip:bob@b>\nCall-ID: c\nCSeq: 1 INVITE\n\
             Contact: <sip:alice@10.0.0.2:5060;transport=tcp>\nContent-Length: 0\n\n",
        ),
    );
    let text = sent(&invite).remove(0);
    let contact = text.lines().find_map(|line| line.strip_prefix("Contact: <")?.strip_suffix('>')).unwrap();
    rig.accept(Side::Wan, at("203.0.113.77:3333"));
    assert!(rig.stream(at("203.0.113.77:3333"), &options(1, "sip:alice@198.51.100.1")).is_empty());
    assert_eq!(sent(&rig.stream(at("203.0.113.77:3333"), &options(2, contact))).len(), 1);
    let out = rig.wait(Duration::from_secs(20));
    assert!(!out.iter().any(|output| matches!(output, Output::Disconnect { .. })), "{out:?}");
}

#[test]
fn what_waits_for_a_name_in_vain_is_refused_at_once() {
    let mut rig = Rig::new(&rig::open_settings());
    rig.accept(Side::Lan, at(PHONE));
    for n in 0..MAX_PARKED {
        let out = rig.stream(at(PHONE), &options(n, "sip:slow.example"));
        assert!(sent(&out).is_empty(), "{out:?}");
    }
    // Over UDP its retransmission would bring it back.
    assert!(sent(&rig.stream(at(PHONE), &options(100, "sip:slow.example")))[0].starts_with("SIP/2.0 503 "));
}
