//! One engine that lives through everything: broken, spliced and random datagrams from phones, a provider and strangers,
//! with time, DNS answers and address changes in between.
//!
//! It must never panic, never answer a stranger, send the WAN nothing but whole SIP messages without private addresses, and
//! close every relay that it opens. With any set of hooks on, in any order, all of that holds, and nothing is allocated.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rig::{Output, Rig, dns_answer, sent, wire};
use siproxd::engine::io::MediaReport;
use siproxd::engine::{Input, Settings, Side};
use siproxd::limits::{MAX_BINDINGS, MAX_CALLS, MAX_RELAYS, MAX_TRANSACTIONS};
use siproxd::sip::{HeaderId, Message};
use siproxd::time::Duration;

const STEPS_PER_CASE: usize = 60;
const CASES: u32 = 300;
/// Of them, with hooks: each with other ones.
const HOOK_CASES: u32 = 200;
/// What addresses on the LAN of the rig begin with. No seed from the WAN contains it.
const PRIVATE: &[u8] = b"10.0.0.";

const SDP: &str =
    "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 4000 RTP/AVP 0\na=rtcp:4001 IN IP4 {ip}\n";

/// Messages to begin with: of phones, and of the WAN.
const PHONE_SEEDS: [&str; 17] = [
    "REGISTER sip:provider.example SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: <sip:alice@provider.example>;tag=r\nTo: <sip:alice@provider.example>\nCall-ID: reg@10.0.0.2\nCSeq: {n} REGISTER\nContact: <sip:alice@10.0.0.2:5060>;expires=600\nContent-Length: 0\n\n",
    "REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bK{n}\nFrom: <sip:100@10.0.0.1>;tag=r\nTo: <sip:100@10.0.0.1>\nCall-ID: own@10.0.0.3\nCSeq: {n} REGISTER\nm: <sip:100@10.0.0.3>\nContent-Length: 0\n\n",
    "INVITE sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nMax-Forwards: 70\nRoute: <sip:10.0.0.1;lr>, <sip:203.0.113.10;lr>\nFrom: \"A\" <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} INVITE\nContact: <sip:alice@10.0.0.2:5060>\nContent-Type: application/sdp\nContent-Length: {length}\n\n{sdp}",
    "INVITE sip:100@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:100@10.0.0.1>\nCall-ID: o{m}@10.0.0.2\nCSeq: {n} INVITE\nContact: <sip:alice@10.0.0.2>\nc: application/sdp\nl: {length}\n\n{sdp}",
    "CANCEL sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nRoute: <sip:10.0.0.1;lr>, <sip:203.0.113.10;lr>\nFrom: \"A\" <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} CANCEL\nContent-Length: 0\n\n",
    "ACK sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: \"A\" <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>;tag=b{m}\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} ACK\nContent-Type: application/sdp\nContent-Length: {length}\n\n{sdp}",
    "BYE sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: \"A\" <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>;tag=b{m}\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} BYE\nX-RTP-Stat: LA=10.0.0.2:4000\nContent-Length: 0\n\n",
    "NOTIFY sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n}\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>;tag=b{m}\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} NOTIFY\nContact: sip:alice@10.0.0.2\nWarning: 399 10.0.0.2 \"x 10.0.0.3\"\nContent-Type: multipart/mixed;boundary=b\nContent-Length: {length}\n\n--b\nContent-Type: application/sdp\n\n{sdp}\n--b--\n",
    "OPTIONS sip:provider.example SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:provider.example>\nCall-ID: p{m}\nCSeq: {n} OPTIONS\nContent-Length: 0\n\n",
    "REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.4:5060;branch=z9hG4bK{n}\nFrom: <sip:100@10.0.0.1>;tag=r\nTo: <sip:100@10.0.0.1>\nCall-ID: own@10.0.0.4\nCSeq: {n} REGISTER\nm: <sip:100@10.0.0.4>\nContent-Length: 0\n\n",
    "CANCEL sip:100@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:100@10.0.0.1>\nCall-ID: o{m}@10.0.0.2\nCSeq: {n} CANCEL\nContent-Length: 0\n\n",
    "MESSAGE sip:100@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKm{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:100@10.0.0.1>\nCall-ID: o{m}@10.0.0.2\nCSeq: {n} MESSAGE\nContent-Type: text/plain\nContent-Length: {length}\n\nhi",
    "INVITE sip:*01@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKs{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=s{m}\nTo: <sip:*01@203.0.113.10>\nCall-ID: s{m}@10.0.0.2\nCSeq: {n} INVITE\nContact: <sip:alice@10.0.0.2:5060>\nContent-Type: application/sdp\nContent-Length: {length}\n\n{sdp}",
    "INVITE sip:*02@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKe{n};rport\nRoute: <sip:203.0.113.10;lr>\nFrom: <sip:alice@10.0.0.2>;tag=e{m}\nTo: <sip:*02@203.0.113.10>\nCall-ID: e{m}@10.0.0.2\nCSeq: {n} INVITE\nContact: <sip:anonymous@10.0.0.2:5060;uniq=A>\nk: timer, 100rel, replaces\nAllow: INVITE, UPDATE\nContent-Type: application/sdp\nContent-Length: {length}\n\nv=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=video 4002 RTP/AVPF 96 97 98 35\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rtpmap:98 H264/90000\na=rtpmap:35 flexfec-03/90000\n",
    "BYE sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKe{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=a{m}\nTo: <sip:bob@203.0.113.10>;tag=b{m}\nCall-ID: c{m}@10.0.0.2\nCSeq: {n} BYE\nContent-Type: text/plain\nContent-Length: {length}\n\n1111111111111111111111111111111111111111",
    "MESSAGE sip:bob@203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKf{n};rport\nFrom: <sip:alice@10.0.0.2>;tag=f{m}\nTo: <sip:bob@203.0.113.10>\nCall-ID: f{m}@10.0.0.2\nCSeq: {n} MESSAGE\nSupported: timer,100rel\nContent-Type: text/plain\nContent-Length: {length}\n\n1111111111111111111111111111111111111111",
    "REGISTER sip:203.0.113.10 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK{n};rport\nFrom: <sip:dora@203.0.113.10>;tag=r{m}\nTo: <sip:dora@203.0.113.10>\nCall-ID: reg{m}@10.0.0.5\nCSeq: {n} REGISTER\nContact: <sip:dora@10.0.0.5:5060>;expires=600\nAuthorization: Digest username=\"dora\", realm=\"p\", nonce=\"n\", uri=\"sip:203.0.113.10\", response=\"0\"\nContent-Length: 0\n\n",
];
const WAN_SEEDS: [&str; 4] = [
    "INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKw{n}\nRecord-Route: <sip:203.0.113.10;lr>\nFrom: <sip:bob@203.0.113.10>;tag=b{m}\nTo: <sip:alice@provider.example>\nCall-ID: w{m}\nCSeq: {n} INVITE\nContact: <sip:bob@203.0.113.20>\nContent-Type: application/sdp\nContent-Length: {length}\n\n{sdp}",
    "BYE {uri} SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKw{n}\nFrom: <sip:bob@203.0.113.10>;tag=b{m}\nTo: <sip:alice@provider.example>;tag=p{m}\nCall-ID: w{m}\nCSeq: {n} BYE\nContent-Length: 0\n\n",
    "CANCEL {uri} SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKw{n}\nFrom: <sip:bob@203.0.113.10>;tag=b{m}\nTo: <sip:alice@provider.example>\nCall-ID: w{m}\nCSeq: {n} CANCEL\nContent-Length: 0\n\n",
    "OPTIONS {uri} SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKw{n}\nFrom: <sip:bob@203.0.113.10>;tag=b{m}\nTo: <sip:alice@provider.example>\nCall-ID: o{m}\nCSeq: {n} OPTIONS\nContent-Length: 0\n\n",
];

/// What is done to a message before it is sent.
#[derive(Clone, Debug)]
enum Change {
    Delete(prop::sample::Index),
    Duplicate(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Splice(prop::sample::Index, Vec<u8>),
    Number(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    /// The topmost Via is another one.
    Via,
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Phone {
        seed: usize,
        number: u8,
        call: u8,
        changes: Vec<Change>,
    },
    Wan {
        seed: usize,
        number: u8,
        call: u8,
        known: bool,
        changes: Vec<Change>,
    },
    /// An answer to one of the last requests that went out.
    Answer {
        which: prop::sample::Index,
        status: u16,
        description: bool,
        changes: Vec<Change>,
    },
    Raw {
        side: u8,
        bytes: Vec<u8>,
    },
    Wait(u32),
    Dns(Option<u8>),
    Address(bool),
    Idle,
    Failed,
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Change::Delete),
        at().prop_map(Change::Duplicate),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        (at(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(a, bytes)| Change::Splice(a, bytes)),
        (at(), b'0'..=b'9').prop_map(|(a, digit)| Change::Number(a, digit)),
        at().prop_map(Change::Truncate),
        Just(Change::Via),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(change(), 1..4)]
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(vec![100u16, 180, 183, 200, 200, 200, 302, 401, 404, 481, 487, 488, 603]);
    prop_oneof![
        8 => (0..PHONE_SEEDS.len(), 0u8..6, 0u8..4, changes())
            .prop_map(|(seed, number, call, changes)| Step::Phone { seed, number, call, changes }),
        6 => (0..WAN_SEEDS.len(), 0u8..6, 0u8..4, any::<bool>(), changes())
            .prop_map(|(seed, number, call, known, changes)| Step::Wan { seed, number, call, known, changes }),
        10 => (any::<prop::sample::Index>(), status, any::<bool>(), changes())
            .prop_map(|(which, status, description, changes)| Step::Answer { which, status, description, changes }),
        2 => (0u8..3, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(side, bytes)| Step::Raw { side, bytes }),
        2 => prop_oneof![0u32..1000, 0u32..40_000, Just(200_000)].prop_map(Step::Wait),
        2 => prop::option::of(Just(10u8)).prop_map(Step::Dns),
        1 => prop::bool::weighted(0.9).prop_map(Step::Address),
        1 => Just(Step::Idle),
        1 => Just(Step::Failed),
    ]
}

/// The engine, and what the world around it remembers.
struct World {
    rig: Rig,
    token: String,
    last_query: Vec<u8>,
    /// Requests that went out: the side they went to, where to, and their text.
    requests: Vec<(Side, core::net::SocketAddr, String)>,
    opened: usize,
    /// Requests that went to several phones at once.
    forked: usize,
}

impl World {
    fn new() -> Self {
        let settings = Settings { rtp_port_high: 7170, ..rig::open_settings() };
        let token = "sip:alice@198.51.100.1:5060".to_owned();
        Self { rig: Rig::new(&settings), token, last_query: Vec::new(), requests: Vec::new(), opened: 0, forked: 0 }
    }

    fn happen(&mut self, step: &Step) {
        match step {
            Step::Phone { seed, number, call, changes } => {
                let bytes = self.written(PHONE_SEEDS[*seed], "10.0.0.2", *number, *call);
                let host = match *seed {
                    1 => "10.0.0.3:5060",
                    9 => "10.0.0.4:5060",
                    _ => "10.0.0.2:5060",
                };
                let outputs = self.rig.datagram(Side::Lan, host.parse().unwrap(), &changed(bytes, changes));
                self.look_at(&outputs, true);
            }
            Step::Wan { seed, number, call, known, changes } => {
                let uri = if *known { self.token.clone() } else { "sip:alice@198.51.100.1".to_owned() };
                let text = WAN_SEEDS[*seed].replace("{uri}", &uri);
                let bytes = changed(self.written(&text, "203.0.113.20", *number, *call), changes);
                let host = if *known { "203.0.113.10:5060" } else { "192.0.2.66:5060" };
                let outputs = self.rig.datagram(Side::Wan, host.parse().unwrap(), &bytes);
                if !*known {
                    assert_eq!(sent(&outputs), Vec::<String>::new(), "a stranger was answered");
                }
                self.look_at(&outputs, false);
            }
            Step::Answer { which, status, description, changes } => self.answer(which, *status, *description, changes),
            Step::Raw { side, bytes } => {
                let (side, host) = match side {
                    0 => (Side::Lan, "10.0.0.9:5060"),
                    1 => (Side::Wan, "203.0.113.10:5060"),
                    _ => (Side::Wan, "192.0.2.66:5060"),
                };
                let outputs = self.rig.datagram(side, host.parse().unwrap(), bytes);
                if side == Side::Lan {
                    outputs.iter().for_each(check_answer);
                }
                self.look_at(&outputs, false);
            }
            Step::Wait(millis) => {
                let outputs = self.rig.wait(Duration::from_millis(u64::from(*millis)));
                self.look_at(&outputs, true);
            }
            Step::Dns(host) if !self.last_query.is_empty() => {
                let answer = dns_answer(&self.last_query, host.map(|host| [203, 0, 113, host]));
                let outputs = self.rig.input(Input::Dns { from: "192.0.2.53:53".parse().unwrap(), bytes: &answer });
                self.look_at(&outputs, true);
            }
            Step::Address(there) => self.rig.address(Side::Wan, Some("198.51.100.1").filter(|_| *there)),
            Step::Idle => {
                if let Some(relay) = self.rig.recorder.last_opened {
                    let outputs = self.rig.input(Input::Media(MediaReport::Idle(relay)));
                    self.look_at(&outputs, true);
                }
            }
            Step::Failed => {
                let to = "203.0.113.10:5060".parse().unwrap();
                let outputs = self.rig.input(Input::SendFailed { via: siproxd::engine::Channel::WAN, to });
                self.look_at(&outputs, true);
            }
            Step::Dns(_) => {}
        }
    }

    fn written(&self, text: &str, ip: &str, number: u8, call: u8) -> Vec<u8> {
        let text = text.replace("{sdp}", SDP).replace("{ip}", ip);
        let text = text.replace("{n}", &number.to_string()).replace("{m}", &call.to_string());
        let length = text.split_once("\n\n").map_or(0, |(_, body)| wire(body).len());
        wire(&text.replace("{length}", &length.to_string()))
    }

    /// Whoever a request went to answers it.
    fn answer(&mut self, which: &prop::sample::Index, status: u16, description: bool, changes: &[Change]) {
        if self.requests.is_empty() {
            return;
        }
        let (side, to, request) = which.get(&self.requests).clone();
        let ip = to.ip().to_string();
        let mut text = format!("SIP/2.0 {status} x\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            let copied = ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name);
            match name {
                _ if copied => text.push_str(&format!("{line}\n")),
                "To" if line.contains(";tag=") => text.push_str(&format!("{line}\n")),
                "To" => text.push_str(&format!("{line};tag=p1\n")),
                "Contact" if line.contains("REGISTER") => text.push_str(&format!("{line}\n")),
                _ => {}
            }
        }
        text.push_str(&format!("Contact: <sip:x@{ip}:5060>\n"));
        let body = if description { SDP.replace("{ip}", &ip) } else { String::new() };
        if description {
            text.push_str("Content-Type: application/sdp\n");
        }
        text.push_str(&format!("Content-Length: {}\n\n{body}", wire(&body).len()));
        let outputs = self.rig.datagram(side, to, &changed(wire(&text), changes));
        if side == Side::Lan {
            outputs.iter().for_each(check_answer);
        }
        self.look_at(&outputs, false);
    }

    /// Remembers what went out, and checks it.
    fn look_at(&mut self, outputs: &[Output], by_phone: bool) {
        let sent = sent(outputs);
        let invites = sent.iter().filter(|text| text.starts_with("INVITE sip:100@")).count();
        self.forked += usize::from(invites > 1);
        for output in outputs {
            match output {
                Output::Query { bytes, .. } => self.last_query.clone_from(bytes),
                Output::Relay(siproxd::engine::io::RelayCmd::Open { .. }) => self.opened += 1,
                Output::Relay(_) | Output::Connect { .. } | Output::Disconnect { .. } => {}
                Output::Sent { via, to, bytes } => {
                    if ![&b"\r\n\r\n"[..], b"\r\n"].contains(&&bytes[..]) {
                        check(bytes, by_phone && via.local == Side::Wan);
                    }
                    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
                    if let Some((_, rest)) = text.split_once("Contact: <").filter(|_| via.local == Side::Wan)
                        && let Some((uri, _)) = rest.split_once('>').filter(|(uri, _)| uri.contains(";sx="))
                    {
                        self.token = uri.to_owned();
                    }
                    if !text.starts_with("SIP/2.0") {
                        self.requests.push((via.local, *to, text));
                        let old = self.requests.len().saturating_sub(8);
                        self.requests.drain(..old);
                    }
                }
            }
        }
        let usage = self.rig.engine.usage();
        assert_eq!(usage.relays, self.rig.recorder.open, "relays known and relays open");
        assert!(usage.bindings <= MAX_BINDINGS && usage.transactions <= MAX_TRANSACTIONS);
        assert!(usage.calls <= MAX_CALLS && usage.relays <= MAX_RELAYS);
    }
}

/// What goes out is whole, and where it goes to the WAN, private addresses are in nothing but what came from there.
fn check(bytes: &[u8], by_phone: bool) {
    let mut copy = bytes.to_vec();
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let msg = Message::parse(&mut copy).unwrap_or_else(|error| panic!("{error:?} in what went out:\n{shown}"));
    let length = msg.value(HeaderId::ContentLength).map(|text| String::from_utf8_lossy(text).into_owned());
    if let Some(length) = length {
        let body = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| bytes.len() - at - 4);
        assert_eq!(length.trim().parse(), Ok(body), "Content-Length:\n{shown}");
    }
    if !by_phone {
        return;
    }
    assert!(!holds_private_address(bytes), "a private address went to the WAN:\n{shown}");
}

/// A phone copies Via and Record-Route from what it has been sent. In the rest of its answer it names itself.
fn check_answer(output: &Output) {
    let Output::Sent { via, bytes, .. } = output else { return };
    if via.local == Side::Wan {
        let shown = String::from_utf8_lossy(bytes);
        let is_copied = |line: &&str| line.starts_with("Via: ") || line.starts_with("Record-Route: ");
        let own: String = shown.split_inclusive('\n').filter(|line| !is_copied(line)).collect();
        assert!(!holds_private_address(own.as_bytes()), "a private address in an answer:\n{shown}");
    }
}

/// Whether there is an address of the LAN; `510.0.0.2` and `10.0.0.256` are none.
fn holds_private_address(text: &[u8]) -> bool {
    (0..text.len()).filter(|at| text[*at..].starts_with(PRIVATE)).any(|at| {
        let digits: Vec<u8> = text[at + PRIVATE.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
        let number = String::from_utf8(digits).unwrap();
        let is_octet = number.parse::<u8>().is_ok_and(|octet| octet.to_string() == number);
        is_octet && !text[..at].last().is_some_and(u8::is_ascii_digit)
    })
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let lines: Vec<Vec<u8>> = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        if lines.is_empty() {
            break;
        }
        let mut lines = lines;
        match change {
            Change::Delete(at) => {
                lines.remove(at.index(lines.len()));
            }
            Change::Duplicate(at) => {
                let at = at.index(lines.len());
                let line = lines[at].clone();
                lines.insert(at, line);
            }
            Change::Swap(a, b) => {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
            }
            Change::Splice(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
                continue;
            }
            Change::Number(at, digit) => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[*at.get(&digits)] = *digit;
                }
                continue;
            }
            Change::Via => {
                if let Some(via) = lines.iter_mut().find(|line| line.starts_with(b"Via: ")) {
                    *via = b"Via: SIP/2.0/UDP 203.0.113.99;branch=z9hG4bKother\r\n".to_vec();
                }
            }
            Change::Truncate(at) => {
                let at = at.index(bytes.len());
                bytes.truncate(at);
                continue;
            }
        }
        bytes = lines.concat();
    }
    bytes
}

/// Lines of configuration, each with what its hook needs: what they do is met by the messages above.
const HOOKS: [&str; 16] = [
    "load_plugin = plugin_blacklist\nplugin_blacklist_hitcount = 1\nplugin_blacklist_duration = 60",
    "load_plugin = plugin_shortdial\nplugin_shortdial_akey = *00\nplugin_shortdial_entry = 1\nplugin_shortdial_entry = 2@10.0.0.7",
    "load_plugin = plugin_prefix\nplugin_prefix_akey = 1",
    "load_plugin = plugin_regex\nplugin_regex_pattern = ^sip:(.*)@\nplugin_regex_replace = sip:x\\1;\\1@",
    "load_plugin = plugin_stripheader\nplugin_stripheader_remove = Warning\nplugin_stripheader_remove = X-RTP-Stat:LA=10.0.0.2:4000\n\
     plugin_stripheader_remove = Record-Route\nplugin_stripheader_remove = Expires\nplugin_stripheader_remove = Supported:timer\n\
     plugin_stripheader_remove = Supported:100rel\nplugin_stripheader_remove = Allow",
    "load_plugin = plugin_codecfilter\nplugin_codecfilter_blacklist = PCMU\nplugin_codecfilter_blacklist = VP8",
    "load_plugin = plugin_regex_body\nplugin_regex_body_pattern = a=rtcp:[0-9]+ ?\nplugin_regex_body_replace = a=x:10.0.0.3\n\
     plugin_regex_body_pattern = ([0-9])0\nplugin_regex_body_replace = \\11",
    "load_plugin = plugin_regex_body\nplugin_regex_body_pattern = IP4 [0-9.]+\nplugin_regex_body_replace = IP4 10.0.0.7",
    "load_plugin = plugin_regex_body\nplugin_regex_body_pattern = 1*x|1\nplugin_regex_body_replace = 22222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222",
    "load_plugin = plugin_regex_body\nplugin_regex_body_pattern = .\nplugin_regex_body_replace = -",
    "load_plugin = plugin_defaulttarget\nplugin_defaulttarget_target = sip:o@example.org\nplugin_defaulttarget_log = 1",
    "load_plugin = plugin_siptrunk\nplugin_siptrunk_account = 100@10.0.0.1\nplugin_siptrunk_numbers_regex = a",
    "load_plugin = plugin_fix_bogus_via\nplugin_fix_bogus_via_networks = 0.0.0.0/0",
    "load_plugin = plugin_fix_DTAG\nplugin_fix_DTAG_networks = 0.0.0.0/0",
    "load_plugin = plugin_fix_fbox_anoncall\nplugin_fix_fbox_anoncall_networks = 0.0.0.0/0",
    "load_plugin = plugin_logcall\nload_plugin = plugin_demo",
];

/// A choice of these, in an order, and whether numbers are redirected.
fn hooks() -> impl Strategy<Value = String> {
    let some = prop::sample::subsequence(HOOKS.to_vec(), 0..=HOOKS.len()).prop_shuffle();
    (some, any::<bool>())
        .prop_map(|(lines, is_302)| format!("redirect_numbers = {}\n{}", u8::from(is_302), lines.join("\n")))
}

/// Sets these hooks; `false` where they do not go together.
fn set_hooks(rig: &mut Rig, lines: &str) -> bool {
    let config = siproxd::config::Config::parse("hooks.conf".as_ref(), lines.as_bytes());
    config.is_ok_and(|(config, _)| {
        rig.engine.set_hooks(&config.hook_settings());
        true
    })
}

/// The engine is at work: what it allocates is counted, and what the bench does meanwhile is not.
const COUNTED: [rig::Around; 2] = [
    |work| assert_eq!(allocation_counter::measure(work).count_total, 0, "the engine allocated"),
    |work| allocation_counter::opt_out(work),
];

/// Walks that many ways, or what PROPTEST_CASES says: more find more.
fn runner(cases: u32) -> TestRunner {
    let mut config = Config::with_cases(cases);
    config.failure_persistence = None;
    if let Some(cases) = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()) {
        config.cases = cases;
    }
    // The engine is one for all cases: shrinking would replay steps on top of what went wrong.
    config.max_shrink_iters = 0;
    // The same walk every time: a failure that depends on chance helps nobody.
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn any_set_of_hooks_keeps_the_rules() {
    rig::AROUND.get_or_init(|| COUNTED);
    let mut world = World::new();
    let mut runner = runner(HOOK_CASES);
    let mut sets = 0;
    let cell = core::cell::RefCell::new((&mut world, &mut sets));
    runner
        .run(&(hooks(), prop::collection::vec(step(), STEPS_PER_CASE)), |(lines, steps)| {
            let (world, sets) = &mut *cell.borrow_mut();
            **sets += usize::from(set_hooks(&mut world.rig, &lines));
            steps.iter().for_each(|step| world.happen(step));
            Ok(())
        })
        .unwrap();
    assert!(sets > HOOK_CASES as usize / 2, "only {sets} sets of hooks were good");
    for lines in HOOKS {
        assert!(set_hooks(&mut world.rig, lines), "{lines}");
        for (name, counts) in world.rig.engine.hook_counts() {
            // Hardly any of these calls is for a number without its token: the golden cases have those.
            assert!(counts.hits > 0 || name == "plugin_siptrunk", "no message met {name}");
        }
    }
    let outputs = world.rig.wait(Duration::from_secs(400));
    world.look_at(&outputs, true);
    assert_eq!(world.rig.engine.usage().transactions, 0);
    assert!(world.opened > 10, "only {} relays were opened: the steps do not reach the media", world.opened);
}

#[test]
fn one_engine_lives_through_everything() {
    rig::AROUND.get_or_init(|| COUNTED);
    let mut world = World::new();
    let mut runner = runner(CASES);
    let walk = prop::collection::vec(step(), STEPS_PER_CASE);
    let world = core::cell::RefCell::new(&mut world);
    runner
        .run(&walk, |steps| {
            let mut world = world.borrow_mut();
            steps.iter().for_each(|step| world.happen(step));
            Ok(())
        })
        .unwrap();
    let world = world.into_inner();
    assert!(world.forked > 5, "only {} calls rang two phones", world.forked);
    // Nothing waits for ever.
    let outputs = world.rig.wait(Duration::from_secs(400));
    world.look_at(&outputs, true);
    assert_eq!(world.rig.engine.usage().transactions, 0);
    assert!(world.opened > 10, "only {} relays were opened: the steps do not reach the media", world.opened);
}
