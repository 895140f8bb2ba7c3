//! The engine allocates nothing, whatever comes in: every input of these flows, and of all golden cases, is handled under a counting
//! allocator, with the log on at its highest level.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rig;

use core::net::SocketAddr;
use rig::script::{Player, events, set};
use rig::{dns_answer, text, wire};
use siproxd::engine::auth::{Account, Secret};
use siproxd::engine::io::{LegCounters, MediaReport, Prefix, RelayCmd, RelayError, RelayId, SendError};
use siproxd::engine::{Channel, Engine, Input, Settings, Side, Sink};
use siproxd::sip::digest::{Algorithm, Credentials, Hash};
use siproxd::sip::token::Key;
use siproxd::time::Instant;

const PHONE: &str = "10.0.0.2:5060";
const PROVIDER: &str = "203.0.113.10:5060";

/// A datagram that went out.
struct Sent {
    via: Channel,
    to: SocketAddr,
    bytes: heapless::Vec<u8, 4096>,
}

/// Takes what comes out into places that are there already.
#[derive(Default)]
struct Fixed {
    sent: heapless::Vec<Sent, 8>,
    queries: heapless::Vec<heapless::Vec<u8, 512>, 8>,
    relay: Option<RelayId>,
}

impl Sink for Fixed {
    fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        let mut bytes = heapless::Vec::new();
        for part in parts {
            bytes.extend_from_slice(part).map_err(|_| SendError::TooLarge)?;
        }
        self.sent.push(Sent { via, to, bytes }).map_err(|_| SendError::Busy)
    }

    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        if let RelayCmd::Open { relay, .. } = cmd {
            self.relay = Some(relay);
        }
        Ok(Default::default())
    }

    fn query(&mut self, _: SocketAddr, bytes: &[u8]) {
        let _ = self.queries.push(heapless::Vec::from_slice(bytes).unwrap_or_default());
    }
}

/// Formats every line and keeps none, so that what is logged counts too.
struct Formatter;

impl log::Log for Formatter {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        struct Nowhere;
        impl core::fmt::Write for Nowhere {
            fn write_str(&mut self, _: &str) -> core::fmt::Result {
                Ok(())
            }
        }
        let _ = core::fmt::write(&mut Nowhere, *record.args());
    }

    fn flush(&self) {}
}

struct Bench {
    engine: Box<Engine>,
    sink: Box<Fixed>,
    now: Instant,
}

impl Bench {
    fn new(settings: &Settings) -> Self {
        if log::set_logger(&Formatter).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        let mut bench = Self { engine: Box::default(), sink: Box::default(), now: Instant::from_millis(1_000_000) };
        bench.engine.seed(Key::new([7; 32]), 42);
        bench.engine.configure(settings);
        for (side, address) in [(Side::Lan, "10.0.0.1"), (Side::Wan, "198.51.100.1")] {
            let prefix = Prefix { address: address.parse().unwrap(), length: 24 };
            bench.input(Input::Address { side, addrs: &[prefix] });
        }
        bench.input(Input::Nameservers(&["192.0.2.53:53".parse().unwrap()]));
        bench
    }

    /// Hands one input in and gives the datagrams that came out as text.
    fn input(&mut self, input: Input<'_>) -> Vec<String> {
        self.sink.sent.clear();
        let what = format!("{input:.40?}");
        let counted = allocation_counter::measure(|| self.engine.handle(input, self.now, &mut *self.sink));
        assert_eq!(counted.count_total, 0, "{what}");
        self.sink.sent.iter().map(|s| String::from_utf8(s.bytes.to_vec()).unwrap()).collect()
    }

    /// A datagram that makes exactly one go out, which is given.
    fn one(&mut self, from: &str, message: &str) -> String {
        let mut sent = self.datagram(from, message.as_bytes());
        assert_eq!(sent.len(), 1, "{message}\n{sent:?}");
        sent.remove(0)
    }

    fn datagram(&mut self, from: &str, bytes: &[u8]) -> Vec<String> {
        let side = if from.starts_with("10.") { Side::Lan } else { Side::Wan };
        let mut bytes = bytes.to_vec();
        self.input(Input::Datagram {
            on: Channel::on(side),
            interface: side,
            from: from.parse().unwrap(),
            meant_for: None,
            bytes: &mut bytes,
        })
    }

    /// Lets `secs` seconds pass, with every timeout on its way, and gives what came out.
    fn wait(&mut self, secs: u32) -> Vec<String> {
        let end = self.now.after_secs(secs);
        let mut all = Vec::new();
        while let Some(next) = self.engine.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(next);
            all.extend(self.input(Input::Timeout));
        }
        self.now = end;
        all
    }

    /// Registers alice at a provider whose name must be looked up.
    fn register(&mut self) -> String {
        assert_eq!(self.datagram(PHONE, &register("alice", 1)).len(), 0, "the name is not known yet");
        let mut sent = Vec::new();
        for query in core::mem::take(&mut self.sink.queries) {
            let answer = dns_answer(&query, Some([203, 0, 113, 10]));
            sent = self.input(Input::Dns { from: "192.0.2.53:53".parse().unwrap(), bytes: &answer });
        }
        let contact = format!("Contact: {}\r\n", text::header(&sent[0], "Contact"));
        let ok = self.one(PROVIDER, &text::answer(&sent[0], "200 OK", "r1", &contact, ""));
        assert_eq!(text::header(&ok, "Contact"), "<sip:alice@10.0.0.2:5060>;expires=300");
        text::uri(&contact).to_owned()
    }
}

fn register(user: &str, number: u32) -> Vec<u8> {
    wire(&format!(
        "REGISTER sip:provider.example SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKr{user}{number};rport\n\
         Max-Forwards: 70\nFrom: <sip:{user}@provider.example>;tag=f1\nTo: <sip:{user}@provider.example>\n\
         Call-ID: reg-{user}@10.0.0.2\nCSeq: {number} REGISTER\nContact: <sip:{user}@10.0.0.2:5060>;expires=300\n\
         Content-Length: 0\n\n"
    ))
}

/// One party of a dialog.
struct Party {
    /// Where its packets come from.
    at: &'static str,
    /// Where its requests go.
    target: String,
    /// Its From and the other's To.
    names: [String; 2],
    call_id: String,
    routes: Vec<String>,
}

impl Party {
    fn request(&self, method: &str, number: u32, body: &str) -> String {
        let (at, cseq) = (self.at, method);
        let mut lines = format!(
            "Via: SIP/2.0/UDP {at};branch=z9hG4bK{at}{method}{number};rport\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {cseq}\r\nContact: <sip:x@{at}>\r\nX-Seen: {at}\r\n",
            self.names[0], self.names[1], self.call_id
        );
        for route in &self.routes {
            lines.push_str(&format!("Route: {route}\r\n"));
        }
        text::message(&format!("{method} {} SIP/2.0", self.target), &lines, body)
    }
}

/// A call from `caller` to `callee`, from INVITE to the answer to BYE.
fn call(bench: &mut Bench, mut caller: Party, callee: &'static str) {
    let here = |party: &str, port| text::sdp(party.split(':').next().unwrap().parse().unwrap(), port, 1);
    let contact = format!("Contact: <sip:y@{callee}>\r\n");
    let invite = bench.one(caller.at, &caller.request("INVITE", 1, &here(caller.at, 4000)));
    bench.one(callee, &text::answer(&invite, "180 Ringing", "b", &contact, ""));
    bench.one(caller.at, &caller.request("INVITE", 1, &here(caller.at, 4000)));
    let ok = bench.one(callee, &text::answer(&invite, "200 OK", "b", &contact, &here(callee, 6000)));
    assert_ne!(text::body(&ok), here(callee, 6000), "the description is rewritten");
    let mut answerer = Party {
        at: callee,
        target: text::uri(text::header(&invite, "Contact")).to_owned(),
        names: [format!("{};tag=b", text::header(&invite, "To")), text::header(&invite, "From").to_owned()],
        call_id: text::header(&invite, "Call-ID").to_owned(),
        routes: text::headers(&invite, "Record-Route").into_iter().map(str::to_owned).collect(),
    };
    caller.target = text::uri(text::header(&ok, "Contact")).to_owned();
    caller.names[1] = text::header(&ok, "To").to_owned();
    caller.routes = text::headers(&ok, "Record-Route").into_iter().rev().map(str::to_owned).collect();
    bench.one(caller.at, &caller.request("ACK", 1, ""));
    answerer.names[1] = text::header(&invite, "From").to_owned();
    let again = bench.one(callee, &answerer.request("INVITE", 7, &here(callee, 6002)));
    bench.one(caller.at, &text::answer(&again, "200 OK", "", &contact, &here(caller.at, 4002)));
    bench.one(callee, &answerer.request("ACK", 7, ""));
    assert_eq!(bench.engine.usage().relays, 1);
    let Bench { engine, sink, now, .. } = bench;
    let counted = allocation_counter::measure(|| {
        let (call, _) = engine.call_stats(0, &mut **sink).expect("a call");
        assert_eq!(call.sections.len(), 1);
        call.log(*now);
    });
    assert_eq!(counted.count_total, 0, "statistics");
    let bye = bench.one(caller.at, &caller.request("BYE", 2, ""));
    bench.one(callee, &text::answer(&bye, "200 OK", "", "", ""));
    assert_eq!(bench.engine.usage().relays, 0);
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(core::hint::black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn a_registration_with_dns_allocates_nothing() {
    let mut bench = Bench::new(&rig::open_settings());
    bench.register();
    assert_eq!(bench.engine.usage().bindings, 1);
    assert!(bench.wait(60).iter().all(|ping| ping == "\r\n\r\n"));
    assert_eq!(bench.one(PHONE, "\r\n\r\n"), "\r\n", "the phone's ping");
    bench.wait(400);
    assert_eq!(bench.engine.usage().bindings, 0, "expired");
}

#[test]
fn a_registration_with_a_password_allocates_nothing() {
    let mut bench = Bench::new(&Settings::default());
    let account = Account { user: Some("alice"), secret: Secret::Password("secret") };
    bench.engine.set_accounts("Home", &mut [account].into_iter()).unwrap();
    let mut register = |number: u32, lines: &str| {
        let text = String::from_utf8(register("alice", number)).unwrap().replace("provider.example", "10.0.0.1");
        bench.one(PHONE, &text.replace("Content-Length", &format!("{lines}Content-Length")))
    };
    let challenge = register(1, "");
    assert_eq!(text::status(&challenge), Some(401));
    let (_, rest) = challenge.split_once("nonce=\"").unwrap();
    let (nonce, _) = rest.split_once('"').unwrap();
    for (number, algorithm) in (2..).zip(Algorithm::ALL) {
        let ha1 = Hash::of_password(algorithm, b"alice", b"Home", b"secret");
        let written = |response: &str| {
            format!(
                "Digest username=\"alice\", realm=\"Home\", nonce=\"{nonce}\", uri=\"sip:10.0.0.1\", qop=auth, cnonce=\"c\", \
                 nc={number:08x}, algorithm={}, response=\"{response}\"",
                algorithm.name()
            )
        };
        let response = Credentials::parse(written(&ha1.to_hex()).as_bytes()).unwrap().expected(&ha1, b"REGISTER");
        let good = format!("Authorization: {}\r\n", written(&response.to_hex()));
        assert_eq!(text::status(&register(number, &good)), Some(200));
        let bad = format!("Authorization: {}\r\n", written(&ha1.to_hex()));
        assert_eq!(text::status(&register(number, &bad)), Some(403));
    }
}

#[test]
fn calls_both_ways_allocate_nothing() {
    let mut bench = Bench::new(&rig::open_settings());
    let alice = bench.register();
    let caller = Party {
        at: PHONE,
        target: "sip:bob@203.0.113.10".to_owned(),
        names: ["<sip:alice@provider.example>;tag=a".to_owned(), "<sip:bob@203.0.113.10>".to_owned()],
        call_id: "out@10.0.0.2".to_owned(),
        routes: vec!["<sip:10.0.0.1;lr>".to_owned()],
    };
    call(&mut bench, caller, PROVIDER);
    let caller = Party {
        at: PROVIDER,
        target: alice,
        names: ["<sip:bob@203.0.113.10>;tag=b0".to_owned(), "<sip:alice@provider.example>".to_owned()],
        call_id: "in@203.0.113.10".to_owned(),
        routes: Vec::new(),
    };
    call(&mut bench, caller, PHONE);
    bench.wait(60);
    assert_eq!(bench.engine.usage().transactions, 0);
}

#[test]
fn answers_of_our_own_allocate_nothing() {
    let mut bench = Bench::new(&Settings { max_bindings: 1, max_calls: 1, ..rig::open_settings() });
    bench.register();
    let answer = bench.one(PHONE, core::str::from_utf8(&register("carol", 1)).unwrap());
    assert_eq!(text::status(&answer), Some(503), "the table is full");
    let party = |target: &str, call: &str| Party {
        at: PHONE,
        target: target.to_owned(),
        names: ["<sip:alice@provider.example>;tag=a".to_owned(), "<sip:bob@provider.example>".to_owned()],
        call_id: call.to_owned(),
        routes: Vec::new(),
    };
    let sdp = text::sdp("10.0.0.2".parse().unwrap(), 4000, 1);
    let mut ask = |request: &str| text::status(&bench.one(PHONE, request));
    assert_eq!(ask(&party("sip:nobody@10.0.0.1", "1").request("INVITE", 1, &sdp)), Some(404));
    let used_up = party("sip:bob@203.0.113.10", "2").request("INVITE", 1, &sdp).replace(": 70", ": 0");
    assert_eq!(ask(&used_up), Some(483));
    assert_eq!(ask(&party("tel:+1", "3").request("INVITE", 1, &sdp)), Some(416));
    assert_eq!(ask(&party("sip:10.0.0.1", "4").request("OPTIONS", 1, "")), Some(200));
    assert_eq!(ask(&party("sip:bob@203.0.113.10", "5").request("CANCEL", 1, "")), None, "forwarded");
    assert_eq!(ask(&used_up.replace(": 0\r\nFrom", ": x\r\nFrom")), Some(400));
    assert_eq!(ask(&party("sip:bob@203.0.113.10", "6").request("INVITE", 1, &sdp)), None, "forwarded");
    assert_eq!(ask(&party("sip:bob@203.0.113.10", "7").request("INVITE", 1, &sdp)), Some(503), "max_calls");
    let late = bench.wait(40);
    assert!(late.iter().any(|m| text::status(m) == Some(408)), "the next hop was silent");
    assert_eq!(bench.engine.usage().relays, 0);
}

#[test]
fn what_goes_wrong_allocates_nothing() {
    let mut bench = Bench::new(&rig::open_settings());
    bench.register();
    // A name that no server answers for: every try, and the 504 at last.
    bench.datagram(
        PHONE,
        String::from_utf8(register("alice", 2)).unwrap().replace("REGISTER sip:provider", "REGISTER sip:no").as_bytes(),
    );
    let late = bench.wait(30);
    assert!(late.iter().any(|m| text::status(m) == Some(504)), "{late:?}");
    // A refused datagram, a call without media, garbage and strangers.
    let invite = Party {
        at: PHONE,
        target: "sip:bob@203.0.113.10".to_owned(),
        names: ["<sip:alice@provider.example>;tag=a".to_owned(), "<sip:bob@203.0.113.10>".to_owned()],
        call_id: "1@10.0.0.2".to_owned(),
        routes: Vec::new(),
    };
    bench.one(PHONE, &invite.request("INVITE", 1, &text::sdp("10.0.0.2".parse().unwrap(), 4000, 1)));
    let refused = bench.input(Input::SendFailed { via: Channel::WAN, to: PROVIDER.parse().unwrap() });
    assert_eq!(text::status(&refused[0]), Some(503));
    bench.one(PHONE, &invite.request("INVITE", 2, ""));
    let relay = bench.sink.relay.unwrap();
    bench.input(Input::Media(MediaReport::Idle(relay)));
    assert_eq!(bench.engine.usage().calls, 1, "it rings");
    bench.input(Input::SendFailed { via: Channel::WAN, to: PROVIDER.parse().unwrap() });
    let [from, to] = invite.names.clone();
    let older =
        Party { names: [from, to + ";tag=b"], target: invite.target.clone(), call_id: "2".to_owned(), ..invite };
    bench.one(PHONE, &older.request("INVITE", 9, &text::sdp("10.0.0.2".parse().unwrap(), 4000, 1)));
    let relay = bench.sink.relay.unwrap();
    bench.input(Input::Media(MediaReport::Idle(relay)));
    assert_eq!(bench.engine.usage().calls, 0, "a dialog without media");
    let invite = older;
    for garbage in [&b"\xff\xfe"[..], b"", b"\0\0\0\0", b"SIP/2.0 200", b"INVITE", &[b'a'; 3000]] {
        bench.datagram(PHONE, garbage);
        bench.datagram(PROVIDER, garbage);
        bench.datagram("192.0.2.99:5060", garbage);
    }
    bench.datagram("192.0.2.99:5060", invite.request("INVITE", 3, "").as_bytes());
    bench.input(Input::Dns { from: "192.0.2.53:53".parse().unwrap(), bytes: &[0xff; 600] });
    bench.input(Input::Address { side: Side::Wan, addrs: &[] });
    let refused = bench.one(PHONE, &invite.request("INVITE", 4, ""));
    assert_eq!(text::status(&refused), Some(503), "no address");
    assert_eq!((bench.sink.sent[0].via, bench.sink.sent[0].to), (Channel::LAN, PHONE.parse().unwrap()));
}

/// Every golden case again: calls, registrations, forks, connections, what is malformed.
#[test]
fn no_golden_case_allocates() {
    fn counted(work: &mut dyn FnMut()) {
        assert_eq!(allocation_counter::measure(work).count_total, 0, "the engine allocated");
    }
    fn uncounted(work: &mut dyn FnMut()) {
        allocation_counter::opt_out(work);
    }
    rig::AROUND.set([counted, uncounted]).unwrap();
    let areas = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).unwrap();
    let mut inputs = 0;
    for case in areas.flat_map(|area| std::fs::read_dir(area.unwrap().path()).unwrap()) {
        let path = case.unwrap().path();
        println!("{}", path.display());
        let mut player: Option<Player> = None;
        let mut settings = rig::open_settings();
        for event in events(&std::fs::read(&path).unwrap()) {
            if event.kind() == "set" {
                let settings = player.as_mut().map_or(&mut settings, |player| &mut player.settings);
                assert!(set(settings, &event.words[1..]));
            } else {
                player.get_or_insert_with(|| Player::new(settings.clone())).happen(&event).unwrap();
                inputs += 1;
            }
        }
    }
    assert!(inputs > 1000, "{inputs} inputs");
}
