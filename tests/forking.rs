//! Whatever several phones of one user say, in whatever order, and whatever the caller does: the caller hears one end of it, no
//! phone rings on, and nothing is left in any table.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::net::SocketAddr;
use proptest::prelude::*;
use rig::text::{answer, header, method, param, sdp, status, uri};
use rig::{Output, Rig, wire};
use siproxd::engine::io::{Channel, Prefix};
use siproxd::engine::{Input, Settings, Side};
use siproxd::limits::{MAX_BRANCHES, MAX_KEPT, MAX_TRANSACTIONS};
use siproxd::time::Duration;

/// Longer than any transaction lasts.
const ALL_OVER: Duration = Duration::from_secs(400);
/// Milliseconds in which the caller repeats its INVITE, and a phone must have said something: after an INVITE, after a CANCEL, and for the last time after a refusal.
const PATIENCE: u64 = 30_000;
const PHONES: usize = 3;

fn phone(number: usize) -> SocketAddr {
    format!("10.0.0.{}:5060", 2 + number).parse().unwrap()
}

fn register(rig: &mut Rig, number: usize) {
    let at = phone(number);
    rig.datagram(
        Side::Lan,
        at,
        &wire(&format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {at};branch=z9hG4bKr;rport\nFrom: <sip:alice@10.0.0.1>;tag=r\n\
             To: <sip:alice@10.0.0.1>\nCall-ID: reg-{at}\nCSeq: 1 REGISTER\nContact: <sip:alice@{at}>\nExpires: 3600\n\
             Content-Length: 0\n\n"
        )),
    );
}

/// One thing that happens to a call for all phones.
#[derive(Clone, Debug)]
enum Step {
    Phone { number: usize, status: u16, description: bool },
    Cancel,
    Again,
    Ack,
    Unreachable(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop::sample::select(vec![100u16, 180, 183, 183, 200, 302, 401, 407, 480, 486, 487, 500, 503, 603]);
    prop_oneof![
        12 => (0..PHONES, code, any::<bool>())
            .prop_map(|(number, status, description)| Step::Phone { number, status, description }),
        1 => Just(Step::Cancel),
        2 => Just(Step::Again),
        2 => Just(Step::Ack),
        1 => (0..PHONES).prop_map(Step::Unreachable),
        2 => prop_oneof![4 => 0u64..1500, 1 => 1500u64..20_000, 1 => Just(190_000)].prop_map(Step::Wait),
    ]
}

/// A phone that keeps to RFC 3261.
#[derive(Clone, Default)]
struct Phone {
    invite: Option<String>,
    rings: bool,
    is_cancelled: bool,
    answered: Option<u16>,
    /// When the INVITE or the CANCEL came, or it has refused.
    since: u64,
}

struct Call {
    rig: Rig,
    caller: SocketAddr,
    side: Side,
    phones: [Phone; PHONES],
    cancelled: bool,
    /// Final responses that the caller has, each once.
    finals: Vec<String>,
    elapsed: u64,
}

impl Call {
    fn new(from_wan: bool) -> Self {
        let mut settings = Settings { rtp_port_high: 7170, ..rig::open_settings() };
        settings.wan_allow.push(Prefix { address: "203.0.113.0".parse().unwrap(), length: 24 }).unwrap();
        let mut rig = Rig::new(&settings);
        (0..PHONES).for_each(|number| register(&mut rig, number));
        let (caller, side) = if from_wan { ("203.0.113.9:5060", Side::Wan) } else { ("10.0.0.9:5060", Side::Lan) };
        let caller = caller.parse().unwrap();
        let mut call =
            Self { rig, caller, side, phones: Default::default(), cancelled: false, finals: Vec::new(), elapsed: 0 };
        call.invite();
        assert!(call.phones.iter().all(|phone| phone.invite.is_some()), "all phones get it");
        call
    }

    fn request(&mut self, name: &str, to_tag: &str, description: bool) {
        let (from, host) = (self.caller, if self.side == Side::Wan { "198.51.100.1" } else { "10.0.0.1" });
        let body = if description { sdp(from.ip(), 4000, 1) } else { String::new() };
        let lines = format!(
            "Via: SIP/2.0/UDP {from};branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\nFrom: <sip:bob@{from}>;tag=b\r\n\
             To: <sip:alice@{host}>{to_tag}\r\nCall-ID: call\r\nCSeq: 1 {name}\r\nContact: <sip:bob@{from}>\r\n"
        );
        let text = rig::text::message(&format!("{name} sip:alice@{host} SIP/2.0"), &lines, &body);
        let outputs = self.rig.datagram(self.side, from, text.as_bytes());
        self.look_at(&outputs);
    }

    fn invite(&mut self) {
        self.request("INVITE", "", true);
    }

    fn has_ended(&self) -> bool {
        !self.finals.is_empty()
    }

    fn happen(&mut self, step: &Step) {
        match *step {
            Step::Phone { number, status, description } => self.phone_says(number, status, description),
            Step::Cancel if !self.has_ended() => {
                self.cancelled = true;
                self.request("CANCEL", "", false);
            }
            Step::Again if self.elapsed < PATIENCE => self.invite(),
            Step::Ack => {
                if let Some(refusal) = self.finals.iter().find(|text| status(text) >= Some(300)).cloned() {
                    let tag = format!(";tag={}", param(header(&refusal, "To"), ";tag="));
                    self.request("ACK", &tag, false);
                    let repeated = self.rig.wait(Duration::from_millis(4000));
                    self.elapsed += 4000;
                    let to_caller = |o: &&Output| matches!(o, Output::Sent { to, .. } if *to == self.caller);
                    assert_eq!(repeated.iter().filter(to_caller).count(), 0, "an acknowledged refusal is not repeated");
                    self.look_at(&repeated);
                }
            }
            Step::Unreachable(number) => {
                if !self.phones[number].rings && self.phones[number].answered.is_none() {
                    self.phones[number].answered = Some(0);
                    let outputs = self.rig.input(Input::SendFailed { via: Channel::LAN, to: phone(number) });
                    self.look_at(&outputs);
                }
            }
            Step::Wait(mut millis) => {
                // In pieces, so that what comes to a phone is known to the second.
                while millis > 0 {
                    let piece = millis.min(1000);
                    millis -= piece;
                    self.elapsed += piece;
                    let outputs = self.rig.wait(Duration::from_millis(piece));
                    self.look_at(&outputs);
                }
            }
            Step::Cancel | Step::Again => {}
        }
        let ends =
            self.cancelled || self.finals.iter().any(|text| status(text).is_some_and(|s| !(300..600).contains(&s)));
        for (number, phone) in self.phones.iter().enumerate() {
            let rings_on = phone.rings && phone.answered.is_none() && !phone.is_cancelled;
            assert!(!(ends && rings_on), "phone {number} rings on");
        }
    }

    fn phone_says(&mut self, number: usize, code: u16, description: bool) {
        let phone = &mut self.phones[number];
        let Some(invite) = phone.invite.clone() else { return };
        // It keeps to its final response.
        let code = match phone.answered {
            Some(0) => return,
            Some(said) => said,
            None => code,
        };
        let must_speak = !phone.rings || phone.is_cancelled || phone.answered.is_some();
        if must_speak && self.elapsed > phone.since + PATIENCE {
            return;
        }
        let is_retransmission = phone.answered.is_some();
        if code >= 200 {
            phone.answered = Some(code);
            phone.since = if is_retransmission { phone.since } else { self.elapsed };
        } else {
            phone.rings = true;
        }
        let at = crate::phone(number);
        let more = format!("Contact: <sip:alice@{at}>\r\nWWW-Authenticate: Digest realm=\"{at}\", nonce=\"1\"\r\n");
        let body = if description && code < 300 { sdp(at.ip(), 5000, 1) } else { String::new() };
        let text = answer(&invite, &format!("{code} x"), &format!("p{number}"), &more, &body);
        let outputs = self.rig.datagram(Side::Lan, at, text.as_bytes());
        if code >= 300 {
            let acknowledged = outputs.iter().any(|output| {
                matches!(output, Output::Sent { to, bytes, .. } if *to == at && bytes.starts_with(b"ACK ")
                    && param(header(&String::from_utf8_lossy(bytes), "Via"), ";branch=") == param(header(&invite, "Via"), ";branch="))
            });
            assert!(acknowledged, "a refusal is acknowledged: {outputs:?}");
        }
        let passed = |s: &str| param(header(s, "To"), ";tag=") == format!("p{number}");
        let to_caller = rig::sent(&outputs).iter().any(|text| status(text) == Some(200) && passed(text));
        assert!(code != 200 || to_caller, "a 2xx passes");
        self.look_at(&outputs);
    }

    fn look_at(&mut self, outputs: &[Output]) {
        let mut answers = Vec::new();
        for output in outputs {
            let Output::Sent { to, bytes, .. } = output else { continue };
            let text = String::from_utf8(bytes.clone()).unwrap();
            if let Some(number) = (0..PHONES).find(|number| phone(*number) == *to) {
                let phone = &mut self.phones[number];
                match method(&text) {
                    "INVITE" => {
                        assert!(phone.invite.as_ref().is_none_or(|first| *first == text), "a branch stays the same");
                        phone.invite = Some(text);
                    }
                    "CANCEL" => {
                        assert!(phone.rings, "a CANCEL waits for the first response");
                        let invite = phone.invite.as_ref().unwrap();
                        assert_eq!(
                            uri(&format!("<{}>", &text[7..])).split(' ').next(),
                            uri(&format!("<{}>", &invite[7..])).split(' ').next()
                        );
                        if !phone.is_cancelled {
                            phone.is_cancelled = true;
                            phone.since = self.elapsed;
                            answers.push((*to, answer(&text, "200 OK", "c", "", "")));
                        }
                    }
                    "ACK" => {}
                    other => panic!("{other} to a phone"),
                }
            } else if *to == self.caller && method(&text) == "INVITE" && status(&text).is_some_and(|s| s >= 200) {
                if self.side == Side::Wan {
                    assert!(!text.contains("10.0.0."), "{text}");
                }
                if !self.finals.contains(&text) {
                    self.finals.push(text);
                }
            }
        }
        for (to, text) in answers {
            let outputs = self.rig.datagram(Side::Lan, to, text.as_bytes());
            self.look_at(&outputs);
        }
        let refusals = self.finals.iter().filter(|text| status(text) >= Some(300)).count();
        assert!(refusals <= 1, "more than one refusal: {:?}", self.finals);
        let first_is_2xx = self.finals.first().is_some_and(|text| status(text) < Some(300));
        assert!(!first_is_2xx || refusals == 0, "a refusal behind a 2xx");
        assert_eq!(self.rig.engine.usage().relays, self.rig.recorder.open);
    }

    fn end(mut self) {
        let outputs = self.rig.wait(ALL_OVER);
        self.look_at(&outputs);
        assert!(self.has_ended(), "the caller never hears the end");
        let usage = self.rig.engine.usage();
        assert_eq!(usage.transactions, 0);
        if status(&self.finals[0]) >= Some(300) {
            assert_eq!((usage.calls, usage.relays), (0, 0), "{:?}", self.finals);
        } else {
            assert_eq!((usage.calls, usage.relays), (1, 1));
        }
        self.rig.engine.handle(Input::Timeout, self.rig.now, &mut self.rig.recorder);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_comes_to_one_end(from_wan: bool, steps in prop::collection::vec(step(), 0..25)) {
        let mut call = Call::new(from_wan);
        steps.iter().for_each(|step| call.happen(step));
        call.end();
    }
}

/// A request of a phone for all of another user's.
fn request(name: &str, number: usize, target: &str) -> Vec<u8> {
    wire(&format!(
        "{name} {target} SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.200:5060;branch=z9hG4bK{name}{number};rport\nMax-Forwards: 70\n\
         From: <sip:bob@10.0.0.200>;tag=b\nTo: <sip:alice@10.0.0.1>\nCall-ID: {name}{number}\nCSeq: 1 {name}\n\
         Contact: <sip:bob@10.0.0.200>\nContent-Length: 0\n\n"
    ))
}

/// To how many phones a call goes with so many places free among the transactions, and what the caller hears at once.
fn rung_with(free: usize, phones: usize) -> (usize, Option<u16>) {
    let mut rig = Rig::new(&rig::open_settings());
    let caller = "10.0.0.200:5060".parse().unwrap();
    (0..phones).for_each(|number| register(&mut rig, number));
    for number in 0..MAX_TRANSACTIONS - free {
        rig.datagram(Side::Lan, caller, &request("OPTIONS", number, "sip:bob@203.0.113.10"));
    }
    let outputs = rig.datagram(Side::Lan, caller, &request("INVITE", 0, "sip:alice@10.0.0.1"));
    let sent = rig::sent(&outputs);
    let invites = sent.iter().filter(|text| text.starts_with("INVITE ")).count();
    // Nothing of it stays when all is over; a call that passes without a transaction ends with its media.
    rig.wait(ALL_OVER);
    assert_eq!((rig.engine.usage().transactions, rig.recorder.open), (0, usize::from(free == 0)));
    (invites, sent.iter().find_map(|text| status(text)))
}

#[test]
fn those_that_fit_ring() {
    // Without a place for the sender and one phone it goes to one, as every request does in a full table.
    assert_eq!(rung_with(0, PHONES), (1, None));
    assert_eq!(rung_with(1, PHONES), (1, None));
    assert_eq!(rung_with(2, PHONES), (1, Some(100)));
    assert_eq!(rung_with(3, PHONES), (2, Some(100)));
    assert_eq!(rung_with(4, PHONES), (3, Some(100)));
}

#[test]
fn so_many_phones_ring_and_no_more() {
    assert_eq!(rung_with(MAX_TRANSACTIONS, MAX_BRANCHES), (MAX_BRANCHES, Some(100)));
    assert_eq!(rung_with(MAX_TRANSACTIONS, MAX_BRANCHES + 3), (MAX_BRANCHES, Some(100)));
}

#[test]
fn branches_that_cannot_be_kept_live_on_the_sender_s_repetitions() {
    let mut rig = Rig::new(&rig::open_settings());
    let (caller, other) = ("10.0.0.200:5060".parse().unwrap(), "10.0.0.201:40000".parse().unwrap());
    (0..2).for_each(|number| register(&mut rig, number));
    rig.accept(Side::Lan, other);
    for number in 0..MAX_KEPT {
        rig.stream(other, &request("OPTIONS", number, "sip:bob@203.0.113.10"));
    }
    let invite = request("INVITE", 0, "sip:alice@10.0.0.1");
    let first = rig::sent(&rig.datagram(Side::Lan, caller, &invite));
    assert_eq!(first.len(), 2, "no 100, or the caller would not repeat it: {first:?}");
    let again = rig::sent(&rig.datagram(Side::Lan, caller, &invite));
    assert_eq!(again, first);
    // Nor can the refusals: the caller is told the status all the same.
    let mut heard = Vec::new();
    for (number, invite) in first.iter().enumerate() {
        let busy = answer(invite, "486 Busy Here", "p", "", "");
        heard.extend(rig::sent(&rig.datagram(Side::Lan, phone(number), busy.as_bytes())));
    }
    let heard: Vec<_> = heard.iter().filter_map(|text| status(text)).collect();
    assert_eq!(heard, [486]);
}
