//! Calls whose parties name addresses of either family, theirs or not, in any order: what must hold whatever they say.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::net::IpAddr;
use proptest::prelude::*;
use rig::Output;
use rig::script::{Player, events};
use siproxd::engine::Side;
use siproxd::engine::io::{Leg, RelayCmd};
use siproxd::family::Family;

/// What a party may name: its own first, then what it should not, in many spellings.
const OF_PHONE: [&str; 12] = [
    "10.0.0.2",
    "2001:db8:a::2",
    "fd00:1::2",
    "::ffff:10.0.0.2",
    "::",
    "0.0.0.0",
    "fe80::2",
    "fe80::2%eth0",
    "ff02::1",
    "203.0.113.10",
    "2001:db8:b::1",
    "FD00:1:0:0:0:0:0:2",
];
const OF_PROVIDER: [&str; 18] = [
    "203.0.113.30",
    "2001:db8:c::30",
    "::ffff:203.0.113.30",
    "::",
    "0.0.0.0",
    "10.0.0.2",
    "::ffff:10.0.0.2",
    "::ffff:a00:2",
    "::10.0.0.2",
    "64:ff9b::10.0.0.2",
    "2002:a00:2::1",
    "2001:db8:a::2",
    "fd00:1::2",
    "fe80::2%eth0",
    "ff0e::1",
    "::1",
    "2001:db8:a::1",
    "phone.invalid",
];
/// What media may be aimed at, by side.
const REACHED: [&[&str]; 2] =
    [&["10.0.0.2", "2001:db8:a::2", "fd00:1::2"], &["203.0.113.30", "2001:db8:c::30", "203.0.113.10"]];
/// What a party may be told, by side.
const TOLD: [&[&str]; 2] = [&["10.0.0.1", "2001:db8:a::1"], &["198.51.100.1", "2001:db8:b::1"]];
/// What must not be seen on the WAN, in lower case.
const SECRETS: [&str; 6] = ["10.0.0.", "a00:2", "fd00:", "fe80:", "2001:db8:a:", "%eth0"];

/// One offer and its answer.
#[derive(Clone, Debug)]
struct Exchange {
    by_phone: bool,
    phone: &'static str,
    provider: &'static str,
    accepted: bool,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let (phone, provider) = (prop::sample::select(&OF_PHONE[..]), prop::sample::select(&OF_PROVIDER[..]));
    (any::<bool>(), phone, provider, prop::bool::weighted(0.8))
        .prop_map(|(by_phone, phone, provider, accepted)| Exchange { by_phone, phone, provider, accepted })
}

fn sdp(address: &str, port: u16) -> String {
    let kind = if address.contains(':') { "IP6" } else { "IP4" };
    format!(
        "Content-Type: application/sdp\nContent-Length: {{length}}\n\nv=0\no=- 1 1 IN {kind} {address}\ns=-\nc=IN {kind} {address}\n\
         t=0 0\nm=audio {port} RTP/AVP 0\na=rtcp:{} IN {kind} {address}\na=x-where:{address}\n",
        port + 1
    )
}

/// A message of the phone, or of the provider; `start` is its first line and its Via.
fn message(from: &str, start: &str, dialog: &str, contact: &str, body: &str) -> String {
    let body = if body.is_empty() { "Content-Length: {length}\n\n" } else { body };
    format!("== {from}\n{start}Max-Forwards: 70\n{dialog}Call-ID: call-1\nContact: <{contact}>\n{body}")
}

const PHONE: &str = "sip:alice@10.0.0.2:5060";
const PROVIDER: &str = "sip:bob@203.0.113.10:5060";

fn phone_says(method: &str, number: usize, is_first: bool, body: &str) -> String {
    let tag = if is_first { "" } else { ";tag=b1" };
    let start =
        format!("{method} {PROVIDER} SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKp{method}{number};rport\n");
    let dialog =
        format!("From: <sip:alice@203.0.113.10>;tag=a1\nTo: <sip:bob@203.0.113.10>{tag}\nCSeq: {number} {method}\n");
    message("lan 10.0.0.2:5060", &start, &dialog, PHONE, body)
}

fn provider_says(method: &str, number: usize, body: &str) -> String {
    let start = format!(
        "{method} sip:alice@198.51.100.1:5060;sx={{sx}} SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKq{method}{number};rport\n"
    );
    let dialog =
        format!("From: <sip:bob@203.0.113.10>;tag=b1\nTo: <sip:alice@203.0.113.10>;tag=a1\nCSeq: {number} {method}\n");
    message("wan 203.0.113.10:5060", &start, &dialog, PROVIDER, body)
}

fn answered(by_phone: bool, status: &str, number: usize, body: &str) -> String {
    let (from, via, contact) = match by_phone {
        true => (
            "lan 10.0.0.2:5060",
            "SIP/2.0/UDP 10.0.0.1:5060;branch={branch};rport\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKqINVITE",
            PHONE,
        ),
        false => ("wan 203.0.113.10:5060", "SIP/2.0/UDP 198.51.100.1:5060;branch={branch};rport", PROVIDER),
    };
    let via = if by_phone { format!("{via}{number}") } else { via.to_owned() };
    let (caller, callee) = if by_phone { ("bob", "alice") } else { ("alice", "bob") };
    let (from_tag, to_tag) = if by_phone { ("b1", "a1") } else { ("a1", "b1") };
    let dialog = format!(
        "From: <sip:{caller}@203.0.113.10>;tag={from_tag}\nTo: <sip:{callee}@203.0.113.10>;tag={to_tag}\nCSeq: {number} INVITE\n"
    );
    message(from, &format!("SIP/2.0 {status}\nVia: {via}\n"), &dialog, contact, body)
}

/// What is known of the one relay, and what is wrong.
#[derive(Default)]
struct Watch {
    bound: [[bool; 2]; 2],
    sides: [usize; 2],
    added: usize,
    closed: bool,
}

impl Watch {
    fn check(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Relay(RelayCmd::Open { sides, families, .. }) => {
                    *self = Self { sides: sides.map(|side| side as usize), ..Self::default() };
                    families.iter().enumerate().for_each(|(leg, family)| self.bound[leg][*family as usize] = true);
                }
                Output::Relay(RelayCmd::AddFamily { leg, family, .. }) => {
                    let bound = &mut self.bound[*leg as usize][*family as usize];
                    assert!(!*bound, "bound twice");
                    *bound = true;
                    self.added += 1;
                }
                Output::Relay(RelayCmd::Retarget { leg, peer, .. }) => {
                    let places = [peer.rtp, peer.rtcp].into_iter().flatten().map(|place| place.ip());
                    places.clone().for_each(|ip| assert!(self.is_bound(*leg, ip), "{ip} is out of reach"));
                    for ip in places.chain(peer.allowed.into_iter().flatten()) {
                        let reached = REACHED[self.sides[*leg as usize]];
                        assert!(reached.contains(&ip.to_string().as_str()), "{leg:?} is aimed at {ip}");
                    }
                }
                Output::Relay(RelayCmd::Close { .. }) => self.closed = true,
                Output::Sent { via, bytes, .. } => self.check_sent(via.local, &String::from_utf8_lossy(bytes)),
                _ => {}
            }
        }
    }

    fn check_sent(&self, to: Side, text: &str) {
        if to == Side::Wan {
            let lower = text.to_lowercase();
            SECRETS.iter().for_each(|secret| assert!(!lower.contains(secret), "{secret} in {text}"));
        }
        for line in text.lines().filter_map(|line| line.strip_prefix("c=IN IP")) {
            let (kind, address) = line.split_once(' ').unwrap();
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(kind, if ip.is_ipv4() { "4" } else { "6" }, "{text}");
            if !ip.is_unspecified() {
                assert!(TOLD[to as usize].contains(&address), "{address} told to the {to:?}");
                let leg = if self.sides[0] == to as usize { Leg::Caller } else { Leg::Callee };
                assert!(self.is_bound(leg, ip), "{address} is told and not bound");
            }
        }
    }

    fn is_bound(&self, leg: Leg, ip: IpAddr) -> bool {
        self.bound[leg as usize][Family::of(ip) as usize]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_they_name(exchanges in proptest::collection::vec(exchange(), 1..12)) {
        let mut player = Player::new(rig::open_settings());
        player.rig.address(Side::Lan, ["10.0.0.1", "2001:db8:a::1", "fd00:1::1"]);
        player.rig.address(Side::Wan, ["198.51.100.1", "2001:db8:b::1"]);
        let mut watch = Watch::default();
        let mut happen = |text: String| {
            let outputs = events(text.as_bytes()).iter().flat_map(|event| player.happen(event).unwrap()).collect::<Vec<_>>();
            watch.check(&outputs);
            outputs
        };
        for (index, exchange) in exchanges.iter().enumerate() {
            let number = index + 1;
            let (phone, provider) = (sdp(exchange.phone, 4000), sdp(exchange.provider, 6000));
            let is_first = index == 0;
            let by_phone = exchange.by_phone || is_first;
            let (offer, answer) = if by_phone { (phone, provider) } else { (provider, phone) };
            let outputs = happen(match by_phone {
                true => phone_says("INVITE", number, is_first, &offer),
                false => provider_says("INVITE", number, &offer),
            });
            let went_on = outputs.iter().any(|output| matches!(output, Output::Sent { bytes, .. } if bytes.starts_with(b"INVITE ")));
            prop_assert!(went_on, "each side has addresses of both families");
            if exchange.accepted || is_first {
                happen(answered(!by_phone, "200 OK", number, &answer));
                happen(if by_phone { phone_says("ACK", number, false, "") } else { provider_says("ACK", number, "") });
            } else {
                happen(answered(!by_phone, "488 Not Acceptable Here", number, ""));
            }
        }
        let last = exchanges.len() + 1;
        happen(phone_says("BYE", last, false, ""));
        happen(answered(false, "200 OK", last, "").replace(" INVITE\n", " BYE\n"));
        prop_assert!(watch.closed);
        prop_assert!(watch.added <= 2, "each leg has two families at most");
    }
}
