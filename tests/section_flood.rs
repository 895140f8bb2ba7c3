//! However many sections the parties of one call offer, answer, refuse and take away, in whatever order: the call never holds more
//! relays than one has sections, and gives all of them back.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::fmt::Write as _;
use core::net::SocketAddr;
use proptest::prelude::*;
use rig::text::{answer, header, message, status, uri};
use rig::{Rig, sent};
use siproxd::engine::Side;
use siproxd::limits::MAX_SECTIONS;
use siproxd::time::Duration;

const PHONE: &str = "10.0.0.2:5060";
const SERVER: &str = "203.0.113.10:5060";
/// Longer than any transaction lasts.
const ALL_OVER: Duration = Duration::from_secs(400);

/// A description of so many sections; bit N of `declined` is the section N.
fn description(ip: &str, sections: usize, declined: u32) -> String {
    let mut text = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
    for number in 0..sections {
        let is_declined = declined & (1 << number) != 0;
        let port = if is_declined { 0 } else { 20_000 + 2 * number };
        write!(text, "m=audio {port} RTP/AVP 0\r\n").unwrap();
    }
    text
}

/// What becomes of an offer.
#[derive(Clone, Copy, Debug)]
enum End {
    Answered { sections: usize, declined: u32 },
    Refused,
    Unanswered,
}

/// One offer in the call.
#[derive(Clone, Copy, Debug)]
struct Offer {
    by_phone: bool,
    method: &'static str,
    sections: usize,
    declined: u32,
    end: End,
}

fn offer() -> impl Strategy<Value = Offer> {
    let end = prop_oneof![
        3 => (0usize..20, any::<u32>()).prop_map(|(sections, declined)| End::Answered { sections, declined }),
        1 => Just(End::Refused),
        1 => Just(End::Unanswered),
    ];
    let method = prop::sample::select(vec!["INVITE", "UPDATE"]);
    (any::<bool>(), method, 0usize..20, any::<u32>(), end)
        .prop_map(|(by_phone, method, sections, declined, end)| Offer { by_phone, method, sections, declined, end })
}

/// Two parties and what is between them.
struct Call {
    rig: Rig,
    number: u32,
    /// Call-ID and remote target as each party knows them: the phone first.
    call_ids: [String; 2],
    targets: [String; 2],
}

impl Call {
    fn send(&mut self, by_phone: bool, text: &str) -> Vec<String> {
        let (side, from): (_, SocketAddr) =
            if by_phone { (Side::Lan, PHONE.parse().unwrap()) } else { (Side::Wan, SERVER.parse().unwrap()) };
        let outputs = sent(&self.rig.datagram(side, from, text.as_bytes()));
        let usage = self.rig.engine.usage();
        assert!(usage.relays <= MAX_SECTIONS, "{} relays after {text}", usage.relays);
        assert_eq!(usage.relays, self.rig.recorder.open);
        assert_eq!(self.rig.engine.ports_in_use(), 2 * usage.relays, "one port for each leg");
        outputs
    }

    fn request(&mut self, by_phone: bool, method: &str, body: &str) -> Option<String> {
        self.number += 1;
        let party = usize::from(!by_phone);
        let (from, to) =
            if by_phone { ("<sip:alice@a>;tag=1", "<sip:bob@b>") } else { ("<sip:bob@b>;tag=2", "<sip:alice@a>") };
        let to_tag = match (self.number, by_phone) {
            (1, _) => "",
            (_, true) => ";tag=2",
            (_, false) => ";tag=1",
        };
        let (at, call_id) = (if by_phone { PHONE } else { SERVER }, &self.call_ids[party]);
        let lines = format!(
            "Via: SIP/2.0/UDP {at};branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}{to_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {} {method}\r\nContact: <sip:x@{at}>\r\n",
            self.number, self.number
        );
        let text = message(&format!("{method} {} SIP/2.0", self.targets[party]), &lines, body);
        let outputs = self.send(by_phone, &text);
        outputs.into_iter().find(|text| status(text).is_none() && rig::text::method(text) == method)
    }

    fn offer(&mut self, offer: Offer) {
        let ip = |by_phone| if by_phone { "10.0.0.2" } else { "203.0.113.10" };
        let body = description(ip(offer.by_phone), offer.sections, offer.declined);
        let Some(passed) = self.request(offer.by_phone, offer.method, &body) else { return };
        let answered = match offer.end {
            End::Answered { sections, declined } => {
                let contact = format!("Contact: <sip:x@{}>\r\n", if offer.by_phone { SERVER } else { PHONE });
                let tag = if offer.by_phone { "2" } else { "1" };
                answer(&passed, "200 OK", tag, &contact, &description(ip(!offer.by_phone), sections, declined))
            }
            End::Refused => answer(&passed, "488 No", "2", "", ""),
            End::Unanswered => return,
        };
        let outputs = self.send(!offer.by_phone, &answered);
        if self.targets[0].starts_with("sip:bob@2")
            && let Some(ok) = outputs.iter().find(|text| status(text) == Some(200))
        {
            self.call_ids[1] = header(&passed, "Call-ID").to_owned();
            self.targets = [uri(header(ok, "Contact")).to_owned(), uri(header(&passed, "Contact")).to_owned()];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_has_as_many_relays_as_sections_and_gives_them_back(offers in prop::collection::vec(offer(), 1..40)) {
        let targets = ["sip:bob@203.0.113.10".to_owned(), String::new()];
        let call_ids = ["c@10.0.0.2".to_owned(), String::new()];
        let mut call = Call { rig: Rig::new(&rig::open_settings()), number: 0, call_ids, targets };
        call.offer(Offer {
            by_phone: true,
            method: "INVITE",
            sections: 2,
            declined: 0,
            end: End::Answered { sections: 2, declined: 0 },
        });
        prop_assert_eq!(call.rig.engine.usage().relays, 2);
        for one in offers {
            call.offer(one);
        }
        call.rig.wait(ALL_OVER);
        if let Some(bye) = call.request(true, "BYE", "") {
            call.send(false, &answer(&bye, "200 OK", "2", "", ""));
        }
        call.rig.wait(ALL_OVER);
        prop_assert_eq!(call.rig.engine.usage().calls, 0);
        prop_assert_eq!(call.rig.engine.ports_in_use(), 0);
    }
}
