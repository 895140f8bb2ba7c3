//! Tables of a fixed size, filled by traffic.

use crate::rig::text::{header, status};
use crate::rig::{Output, Rig, open_settings, sent, wire};
use crate::{keep_log, logged};
use core::net::SocketAddr;
use siproxd::engine::io::{MediaReport, Prefix, RelayCmd};
use siproxd::engine::{Input, Settings, Side};
use siproxd::limits::{MAX_BINDINGS, MAX_CALLS, MAX_NAMES, MAX_PARKED, MAX_RELAYS, MAX_TRANSACTIONS};
use siproxd::time::Duration;

/// Servers whose way is kept open; the edge of the engine's table of flows.
const MAX_FLOWS: usize = 64;
const PROVIDER: &str = "203.0.113.10:5060";

/// A phone; there are as many as the LAN has room for, and each has many ports.
fn phone(number: usize) -> SocketAddr {
    format!("10.0.0.{}:{}", 2 + number % 200, 5060 + number / 200).parse().unwrap()
}

fn request(method: &str, uri: &str, from: SocketAddr, number: usize, more: &str, body: &str) -> Vec<u8> {
    let text = format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number};rport\n\
         From: <sip:u{number}@203.0.113.10>;tag=f{number}\nTo: <sip:u{number}@203.0.113.10>\nCall-ID: c{number}\n\
         CSeq: 1 {method}\n{more}Content-Length: {}\n\n{body}",
        wire(body).len()
    );
    wire(&text)
}

fn options(rig: &mut Rig, number: usize) -> Vec<Output> {
    let message = request("OPTIONS", "sip:bob@203.0.113.10", phone(number), number, "", "");
    rig.datagram(Side::Lan, phone(number), &message)
}

fn invite(rig: &mut Rig, number: usize, sections: usize) -> Vec<Output> {
    let from = phone(number);
    let media = "m=audio 4000 RTP/AVP 0\n".repeat(sections);
    let body = format!("v=0\no=- 1 1 IN IP4 {0}\ns=-\nc=IN IP4 {0}\nt=0 0\n{media}", from.ip());
    let more = format!("Contact: <sip:u{number}@{from}>\nContent-Type: application/sdp\n");
    rig.datagram(Side::Lan, from, &request("INVITE", "sip:bob@203.0.113.10", from, number, &more, &body))
}

fn register(rig: &mut Rig, number: usize, registrar: &str) -> Vec<Output> {
    let from = phone(number);
    let more = format!("Contact: <sip:u{number}@{from}>\nExpires: 3600\n");
    rig.datagram(Side::Lan, from, &request("REGISTER", &format!("sip:{registrar}"), from, number, &more, ""))
}

/// The far end's answer to a request that went out.
fn answer(rig: &mut Rig, outputs: &[Output], start: &str, more: &str) -> Vec<Output> {
    let Some(Output::Sent { to, bytes, .. }) = outputs.iter().find(|output| matches!(output, Output::Sent { .. }))
    else {
        panic!("nothing went out: {outputs:?}")
    };
    let request = String::from_utf8_lossy(bytes).into_owned();
    let more = more.replace("{contact}", header(&request, "Contact"));
    let text = crate::rig::text::answer(&request, start, "far", &more, "");
    rig.datagram(Side::Wan, *to, text.as_bytes())
}

fn codes(outputs: &[Output]) -> Vec<u16> {
    sent(outputs).iter().filter_map(|text| status(text)).collect()
}

fn goes_on(outputs: &[Output]) -> bool {
    sent(outputs).iter().any(|text| status(text).is_none())
}

/// What went to `to`.
fn sent_to(outputs: &[Output], to: SocketAddr) -> Vec<String> {
    let mut outputs = outputs.to_vec();
    outputs.retain(|output| matches!(output, Output::Sent { to: there, .. } if *there == to));
    sent(&outputs)
}

#[test]
fn a_full_table_of_transactions_lets_pass_what_its_via_brings_back() {
    keep_log();
    let mut settings = Settings { rtp_port_high: 9000, ..open_settings() };
    settings.wan_allow.push(Prefix { address: "203.0.113.0".parse().unwrap(), length: 24 }).unwrap();
    let mut rig = Rig::new(&settings);
    let call = invite(&mut rig, 0, 1);
    assert!(goes_on(&call));
    for number in 1..MAX_TRANSACTIONS {
        assert!(goes_on(&options(&mut rig, number)), "number {number}");
    }
    assert_eq!(rig.engine.usage().transactions, MAX_TRANSACTIONS);
    let relays = rig.recorder.open;
    logged();

    let outputs = options(&mut rig, 1000);
    assert!(goes_on(&outputs));
    let back = sent_to(&answer(&mut rig, &outputs, "200 OK", ""), phone(1000));
    let via = format!(
        "SIP/2.0/UDP {0};branch=z9hG4bK1000;rport={1};received={2}",
        phone(1000),
        phone(1000).port(),
        phone(1000).ip()
    );
    assert_eq!((back.len(), header(&back[0], "Via"), header(&back[0], "Call-ID")), (1, &via[..], "c1000"));
    // A call is set up and refused.
    let outputs = invite(&mut rig, 1001, 1);
    let only_sent: Vec<_> = outputs.iter().filter(|output| matches!(output, Output::Sent { .. })).cloned().collect();
    assert_eq!(rig.recorder.open, relays + 1);
    assert_eq!(codes(&answer(&mut rig, &only_sent, "180 Ringing", "")), [180]);
    assert_eq!(codes(&answer(&mut rig, &only_sent, "486 Busy Here", "")), [486]);
    assert_eq!(rig.recorder.open, relays, "a refused call keeps no relay");
    let told = logged().iter().filter(|line| line.contains("table of transactions is full")).count();
    assert_eq!(told, 1, "once an episode");

    // Vias that are too long to be sealed, and what nobody would repeat.
    let long = format!("Via: SIP/2.0/UDP proxy.example;branch=z9hG4bK{}\n", "x".repeat(600));
    let message = request("OPTIONS", "sip:bob@203.0.113.10", phone(1002), 1002, &long, "");
    assert_eq!(codes(&rig.datagram(Side::Lan, phone(1002), &message)), [503]);
    rig.accept(Side::Lan, phone(1003));
    let message = request("OPTIONS", "sip:bob@203.0.113.10", phone(1003), 1003, "", "");
    assert_eq!(codes(&rig.stream(phone(1003), &message)), [503]);
    // A retransmission of what is in the table is no new entry.
    assert!(goes_on(&options(&mut rig, 1)));
    // The phone hangs up before the answer: it hears something in any case.
    let cancel = request("CANCEL", "sip:bob@203.0.113.10", phone(0), 0, "", "");
    let cancelled = rig.datagram(Side::Lan, phone(0), &cancel);
    assert!(!sent(&cancelled).is_empty(), "{:?}", logged());

    let all = rig.wait(Duration::from_secs(200));
    let silent = codes(&all).iter().filter(|code| **code == 408).count();
    assert!(silent >= MAX_TRANSACTIONS - 1, "{silent} requests were told that nobody answers");
    let invites =
        sent(&all).iter().filter(|text| status(text) == Some(408) && header(text, "CSeq") == "1 INVITE").count();
    assert_eq!(invites, 1, "the call is among them");
    assert_eq!((rig.engine.usage().transactions, rig.recorder.open), (0, 0));
    assert!(goes_on(&options(&mut rig, 2000)));
    assert!(logged().iter().any(|line| line.starts_with("over, after ")), "the end of the shortage is told");
}

#[test]
fn a_full_table_of_transactions_lets_a_provider_s_call_through() {
    keep_log();
    let mut rig = Rig::new(&open_settings());
    let outputs = register(&mut rig, 0, "203.0.113.10");
    let token =
        sent(&outputs).iter().map(|text| crate::rig::text::uri(header(text, "Contact")).to_owned()).next().unwrap();
    answer(&mut rig, &outputs, "200 OK", "Contact: {contact};expires=3600\r\n");
    rig.wait(Duration::from_secs(40));
    for number in 1..=MAX_TRANSACTIONS {
        options(&mut rig, number);
    }
    let provider: SocketAddr = PROVIDER.parse().unwrap();
    let call = request("INVITE", &token, provider, 3000, "Contact: <sip:bob@203.0.113.10>\n", "");
    let outputs = rig.datagram(Side::Wan, provider, &call);
    let invite = sent_to(&outputs, phone(0));
    assert_eq!(invite.len(), 1, "{outputs:?}");
    let busy = crate::rig::text::answer(&invite[0], "486 Busy Here", "a", "", "");
    let back = sent_to(&rig.datagram(Side::Lan, phone(0), busy.as_bytes()), provider);
    assert_eq!((back.len(), status(&back[0])), (1, Some(486)), "{back:?}");
    let long = format!("Via: SIP/2.0/UDP h;branch=z9hG4bK{}\nContact: <sip:b@h>\n", "x".repeat(3000));
    let outputs = rig.datagram(Side::Wan, provider, &request("INVITE", &token, provider, 3001, &long, ""));
    assert_eq!(sent_to(&outputs, phone(0)).len(), 1, "Vias that are not hidden come back by themselves: {outputs:?}");
    // What nobody would repeat is asked to come again.
    rig.accept(Side::Wan, provider);
    let outputs =
        rig.stream(provider, &request("INVITE", &token, provider, 3002, "Contact: <sip:bob@203.0.113.10>\n", ""));
    assert_eq!(codes(&outputs), [480], "{:?}", sent(&outputs));
    assert_eq!(header(&sent(&outputs)[0], "Retry-After"), "10");
}

#[test]
fn full_bindings_refuse_a_phone_and_keep_those_that_are_there() {
    keep_log();
    let mut rig = Rig::new(&open_settings());
    for number in 0..MAX_BINDINGS {
        let outputs = register(&mut rig, number, "203.0.113.10");
        assert!(goes_on(&outputs), "number {number}");
        let back = answer(&mut rig, &outputs, "200 OK", "Contact: {contact};expires=3600\r\n");
        assert_eq!(codes(&back), [200], "number {number}");
        if number % 100 == 99 {
            rig.wait(Duration::from_secs(40));
        }
    }
    rig.wait(Duration::from_secs(40));
    assert_eq!(rig.engine.usage().bindings, MAX_BINDINGS);
    let refused = register(&mut rig, MAX_BINDINGS, "203.0.113.10");
    assert_eq!(codes(&refused), [503]);
    assert_eq!(header(&sent(&refused)[0], "Retry-After"), "10");
    assert!(goes_on(&register(&mut rig, 7, "203.0.113.10")), "a refresh fits");
    rig.wait(Duration::from_secs(4000));
    assert_eq!(rig.engine.usage().bindings, 0);
    assert!(goes_on(&register(&mut rig, MAX_BINDINGS, "203.0.113.10")));
}

#[test]
fn full_calls_and_relays_refuse_a_call_and_come_back() {
    keep_log();
    for (sections, calls) in [(1, MAX_CALLS), (2, MAX_RELAYS / 2)] {
        let mut rig = Rig::new(&Settings { rtp_port_high: 40_000, ..open_settings() });
        let mut relays = Vec::new();
        for number in 0..calls {
            let outputs = invite(&mut rig, number, sections);
            relays.extend(outputs.iter().filter_map(|output| match output {
                Output::Relay(RelayCmd::Open { relay, .. }) => Some(*relay),
                _ => None,
            }));
            let outputs: Vec<_> = outputs.into_iter().filter(|o| matches!(o, Output::Sent { .. })).collect();
            assert!(goes_on(&outputs), "number {number}: {outputs:?}");
            answer(&mut rig, &outputs, "200 OK", "Contact: <sip:bob@203.0.113.10>\r\n");
            if number % 100 == 99 {
                rig.wait(Duration::from_secs(100));
            }
        }
        rig.wait(Duration::from_secs(100));
        assert_eq!(relays.len(), MAX_RELAYS);
        assert_eq!(codes(&invite(&mut rig, calls, sections)), [503]);
        assert_eq!(rig.recorder.open, MAX_RELAYS, "a refused call keeps no relay");
        for relay in relays {
            rig.input(Input::Media(MediaReport::Idle(relay)));
        }
        assert_eq!((rig.recorder.open, rig.engine.usage().calls), (0, 0));
        assert!(goes_on(&invite(&mut rig, calls + 1, sections)));
    }
}

#[test]
fn more_requests_than_wait_for_names_are_dropped_by_name() {
    keep_log();
    let mut rig = Rig::new(&open_settings());
    let ask = |rig: &mut Rig, number: usize| {
        let uri = format!("sip:bob@host{number}.example:5060");
        rig.datagram(Side::Lan, phone(number), &request("OPTIONS", &uri, phone(number), number, "", ""))
    };
    let mut refused = 0;
    for number in 0..=MAX_NAMES {
        logged();
        let outputs = ask(&mut rig, number);
        let lines = logged();
        match number {
            _ if codes(&outputs) == [504] => refused += 1,
            _ if number >= MAX_PARKED => {
                assert!(lines.iter().any(|line| line.contains("waits for its retransmission")), "{number}: {lines:?}");
            }
            _ => assert!(outputs.iter().any(|output| matches!(output, Output::Query { .. })), "{number}"),
        }
    }
    assert!(refused > 0, "the table of names is full of names in use");
    // Those that wait are told in the end, and the places are free again.
    let all = rig.wait(Duration::from_secs(60));
    assert_eq!(codes(&all).iter().filter(|code| **code == 504).count(), MAX_PARKED);
    let outputs = ask(&mut rig, MAX_NAMES + 1);
    assert!(outputs.iter().any(|output| matches!(output, Output::Query { .. })), "{outputs:?}");
}

#[test]
fn more_providers_than_ways_to_keep_open_are_served_and_named() {
    keep_log();
    let mut rig = Rig::new(&Settings { sip_keepalive: 0, ..open_settings() });
    for number in 0..=MAX_FLOWS {
        logged();
        let outputs = register(&mut rig, number, &format!("203.0.113.{}", 10 + number));
        let back = answer(&mut rig, &outputs, "200 OK", "Contact: {contact};expires=3600\r\n");
        assert_eq!(codes(&back), [200], "number {number}");
        let named = logged().iter().any(|line| line.contains("too many servers"));
        assert_eq!(named, number == MAX_FLOWS, "number {number}");
    }
}
