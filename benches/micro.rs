//! What messages cost inside the program, without the system: reading and rewriting one, and the engine with more and more bindings; and
//! what is done with each packet of media besides taking and sending it.
//!
//! Prints lines of a name and nanoseconds: the median of many rounds, or of as many as are given.

use core::hint::black_box;
use core::net::SocketAddr;
use nix::time::{ClockId, clock_gettime};
use siproxd::config::Config;
use siproxd::engine::io::{LegCounters, Prefix, RelayCmd, RelayError, SendError};
use siproxd::engine::{Channel, Engine, Input, Settings, Side, Sink};
use siproxd::rtp::Kind;
use siproxd::rtp::format::Terms;
use siproxd::rtp::latch::{Latch, Latching, MAX_ALLOWED, Peer, Verdict};
use siproxd::rtp::quality::Quality;
use siproxd::sip::edit::Edits;
use siproxd::sip::token::Key;
use siproxd::sip::{HeaderId, Message};
use siproxd::time::{Duration, Instant};

type Failure = Box<dyn core::error::Error>;

/// Rounds of one figure, if it is not said, and messages in one round.
const ROUNDS: usize = 41;
const MESSAGES: u32 = 2000;
/// Transactions of one engine figure in each round.
const TRANSACTIONS: usize = 256;
const BINDINGS: [usize; 4] = [1, 8, 64, 512];
const PROVIDER: &str = "203.0.113.10:5060";

const ALLOW: &str = "User-Agent: Telephone 8.9.3.2\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, PRACK, UPDATE\r\n\
                     Supported: replaces, timer, 100rel\r\n";

/// Processor time of this thread so far, so that what else runs on the machine does not count.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds of one call of `work`.
fn nanoseconds(rounds: usize, mut work: impl FnMut()) -> f64 {
    let rounds = (0..rounds).map(|_| {
        let start = processor_time();
        (0..MESSAGES).for_each(|_| work());
        processor_time().saturating_sub(start).as_nanos() as f64 / f64::from(MESSAGES)
    });
    median(rounds.collect())
}

fn description(address: &str) -> String {
    format!(
        "v=0\r\no=- 3921 3921 IN IP4 {address}\r\ns=call\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
    )
}

/// Messages as telephones send them.
fn messages() -> [(&'static str, String); 3] {
    let dialog = "From: \"Alice\" <sip:alice@203.0.113.10>;tag=9fxced76sl\r\nTo: <sip:bob@203.0.113.10>\r\n\
                  Call-ID: 3c2670f0a1b2-a84b4c76e667@10.0.0.2\r\n";
    let via = "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK74bf91a2;rport\r\n";
    let contact = "Contact: <sip:alice@10.0.0.2:5060>\r\n";
    let body = description("10.0.0.2");
    let length = body.len();
    [
        (
            "REGISTER",
            format!(
                "REGISTER sip:203.0.113.10 SIP/2.0\r\n{via}Max-Forwards: 70\r\n{dialog}CSeq: 18 REGISTER\r\n{contact}{ALLOW}\
                 Expires: 3600\r\nContent-Length: 0\r\n\r\n"
            ),
        ),
        (
            "INVITE",
            format!(
                "INVITE sip:bob@203.0.113.10 SIP/2.0\r\n{via}Max-Forwards: 70\r\n{dialog}CSeq: 1 INVITE\r\n{contact}{ALLOW}\
                 Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        ),
        (
            "200 to INVITE",
            format!(
                "SIP/2.0 200 OK\r\n{via}Record-Route: <sip:203.0.113.10;lr>\r\n{dialog}CSeq: 1 INVITE\r\n{contact}{ALLOW}\
                 Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        ),
    ]
}

/// What a proxy does at least: Via, Max-Forwards and Contact are rewritten.
fn rewrite(msg: &Message<'_>) -> usize {
    let mut edits = Edits::new();
    let our_via = format_args!("SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKsx0011223344.5566;rport");
    for header in msg.headers() {
        let entered = match header.id {
            HeaderId::Via => edits.replace_fmt(header.value, our_via),
            HeaderId::MaxForwards => edits.replace(header.value, b"69"),
            HeaderId::Contact => edits.replace(header.value, b"<sip:alice@198.51.100.1:5060;sx=0011223344>"),
            _ => Ok(()),
        };
        entered.unwrap_or_else(|error| panic!("{error:?}"));
    }
    edits.parts(msg.bytes()).iter().map(|part| part.len()).sum()
}

fn parsing(rounds: usize) {
    for (name, text) in messages() {
        let mut bytes = text.into_bytes();
        let head = bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
        let floor = nanoseconds(rounds, || {
            let mut found = [httparse::EMPTY_HEADER; 64];
            let read = httparse::parse_headers(black_box(&bytes[head..]), &mut found);
            assert!(black_box(read).is_ok());
        });
        let parsed = nanoseconds(rounds, || {
            let msg = Message::parse(black_box(&mut bytes)).unwrap_or_else(|error| panic!("{error:?}"));
            black_box(msg.headers().len());
        });
        let written = nanoseconds(rounds, || {
            let msg = Message::parse(black_box(&mut bytes)).unwrap_or_else(|error| panic!("{error:?}"));
            black_box(rewrite(&msg));
        });
        println!("message {name}: {} {floor:.0} {parsed:.0} {written:.0}", bytes.len());
    }
}

/// Keeps the last message that went out.
#[derive(Default)]
struct Last {
    bytes: Vec<u8>,
    count: usize,
}

impl Sink for Last {
    fn send(&mut self, _: Channel, _: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        // A keepalive.
        if parts.iter().all(|part| part.iter().all(u8::is_ascii_whitespace)) {
            return Ok(());
        }
        self.bytes.clear();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.count += 1;
        Ok(())
    }

    fn relay(&mut self, _: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        Ok(Default::default())
    }

    fn query(&mut self, _: SocketAddr, _: &[u8]) {}
}

/// An engine, and the time that its inputs took.
struct Bench {
    engine: Box<Engine>,
    sink: Last,
    now: Instant,
    spent: Duration,
    number: u64,
}

impl Bench {
    fn new(bindings: usize) -> Result<Self, Failure> {
        let settings = Settings { max_bindings: bindings, ..Settings::default() };
        let mut engine: Box<Engine> = Box::default();
        engine.seed(Key::new([7; 32]), 42);
        engine.configure(&settings);
        let now = Instant::from_millis(1_000_000);
        let mut bench = Self { engine, sink: Last::default(), now, spent: Default::default(), number: 0 };
        for (side, address, length) in [(Side::Lan, "10.0.0.1", 16), (Side::Wan, "198.51.100.1", 24)] {
            let prefix = Prefix { address: address.parse()?, length };
            bench.engine.handle(Input::Address { side, addrs: &[prefix] }, now, &mut bench.sink);
        }
        for phone in 0..bindings {
            bench.register(phone)?;
        }
        if bench.engine.usage().bindings != bindings {
            return Err("not all are registered".into());
        }
        Ok(bench)
    }

    /// One datagram, and what the event loop does around it.
    fn input(&mut self, side: Side, from: SocketAddr, text: &str) -> Result<String, Failure> {
        let mut bytes = text.as_bytes().to_vec();
        self.sink.count = 0;
        let start = processor_time();
        let input =
            Input::Datagram { on: Channel::on(side), interface: side, from, meant_for: None, bytes: &mut bytes };
        self.engine.handle(input, self.now, &mut self.sink);
        while self.engine.next_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle(Input::Timeout, self.now, &mut self.sink);
        }
        black_box(self.engine.next_timeout());
        self.spent += processor_time().saturating_sub(start);
        if self.sink.count == 0 {
            return Err(format!("nothing came out for {text}").into());
        }
        Ok(String::from_utf8(self.sink.bytes.clone())?)
    }

    fn phone(at: usize) -> Result<SocketAddr, Failure> {
        Ok(format!("10.0.{}.{}:5060", 1 + at / 250, 1 + at % 250).parse()?)
    }

    fn request(&mut self, method: &str, uri: &str, from: SocketAddr, user: &str, more: &str) -> String {
        self.number += 1;
        // Time passes, so that no source sends too much and transactions end.
        self.now = self.now.after(Duration::from_millis(10));
        let n = self.number;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{n:08x};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@203.0.113.10>;tag=f{n}\r\nTo: <sip:{user}@203.0.113.10>\r\nCall-ID: {n}-3c2670f0a1b2\r\n\
             CSeq: 1 {method}\r\nContact: <sip:{user}@{from}>\r\n{ALLOW}{more}Content-Length: 0\r\n\r\n"
        )
    }

    fn register(&mut self, at: usize) -> Result<String, Failure> {
        let from = Self::phone(at)?;
        let request = self.request("REGISTER", "sip:203.0.113.10", from, &format!("user{at}"), "Expires: 3600\r\n");
        let out = self.input(Side::Lan, from, &request)?;
        let contact = header(&out, "Contact").to_owned();
        let response = answer(&out, "200 OK", &format!("Contact: {contact};expires=3600\r\n"));
        self.input(Side::Wan, PROVIDER.parse()?, &response)?;
        Ok(contact)
    }

    fn options(&mut self, at: usize) -> Result<(), Failure> {
        let from = Self::phone(at)?;
        let request = self.request("OPTIONS", "sip:bob@203.0.113.10", from, &format!("user{at}"), "");
        let out = self.input(Side::Lan, from, &request)?;
        self.input(Side::Wan, PROVIDER.parse()?, &answer(&out, "200 OK", ALLOW))?;
        Ok(())
    }

    /// A call from the WAN that the phone refuses.
    fn call(&mut self, at: usize, uri: &str) -> Result<(), Failure> {
        let provider: SocketAddr = PROVIDER.parse()?;
        let invite = self.request("INVITE", uri, provider, "bob", "");
        let out = self.input(Side::Wan, provider, &invite)?;
        let busy = self.input(Side::Lan, Self::phone(at)?, &answer(&out, "486 Busy Here", ""))?;
        let to = format!("To: {}", header(&busy, "To"));
        let ack = invite.replace("INVITE", "ACK").replace("To: <sip:bob@203.0.113.10>", &to);
        self.input(Side::Wan, provider, &ack)?;
        Ok(())
    }
}

fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let value = |line: &'m str| line.strip_prefix(name)?.strip_prefix(": ");
    message.split("\r\n").find_map(value).unwrap_or_default()
}

fn answer(request: &str, status: &str, more: &str) -> String {
    let copied = |line: &&str| {
        ["Via: ", "Record-Route: ", "From: ", "To: ", "Call-ID: ", "CSeq: "].iter().any(|name| line.starts_with(name))
    };
    let tag = |line: &str| if line.starts_with("To: ") { ";tag=far\r\n" } else { "\r\n" };
    let lines: String = request.split("\r\n").filter(copied).flat_map(|line| [line, tag(line)]).collect();
    format!("SIP/2.0 {status}\r\n{lines}{more}Content-Length: 0\r\n\r\n")
}

/// What one transaction costs with so many bindings.
fn engine(bindings: usize, rounds: usize) -> Result<(), Failure> {
    let mut bench = Bench::new(bindings)?;
    let mut contacts = Vec::new();
    for at in 0..bindings {
        contacts.push(bench.register(at)?.trim_matches(['<', '>']).to_owned());
    }
    for kind in ["REGISTER", "OPTIONS", "INVITE by token", "INVITE by user"] {
        let mut spent = Vec::new();
        for _ in 0..rounds {
            bench.spent = Default::default();
            for turn in 0..TRANSACTIONS {
                // Not one after the other: what comes next is not near in memory.
                let at = (turn * 37) % bindings;
                match kind {
                    "REGISTER" => drop(bench.register(at)?),
                    "OPTIONS" => bench.options(at)?,
                    "INVITE by token" => bench.call(at, &contacts[at].clone())?,
                    _ => bench.call(at, &format!("sip:user{at}@198.51.100.1"))?,
                }
            }
            spent.push(bench.spent.as_nanos() as f64 / TRANSACTIONS as f64);
        }
        println!("engine {kind}: {bindings} {:.0}", median(spent));
    }
    Ok(())
}

/// Lines of configuration by what they show.
const HOOKS: [(&str, &str); 4] = [
    ("none", ""),
    ("one that is not meant", "load_plugin = plugin_defaulttarget\nplugin_defaulttarget_target = sip:o@example.org\n"),
    ("eleven that have nothing to do", IDLE_HOOKS),
    ("one that changes each message", "load_plugin = plugin_stripheader\nplugin_stripheader_remove = Supported\n"),
];

const IDLE_HOOKS: &str = "load_plugin = plugin_blacklist\nload_plugin = plugin_codecfilter\nplugin_codecfilter_blacklist = G729\n\
    load_plugin = plugin_defaulttarget\nplugin_defaulttarget_target = sip:o@example.org\nload_plugin = plugin_demo\n\
    load_plugin = plugin_fix_DTAG\nplugin_fix_DTAG_networks = 192.0.2.0/24\nload_plugin = plugin_fix_bogus_via\n\
    plugin_fix_bogus_via_networks = 192.0.2.0/24\nload_plugin = plugin_fix_fbox_anoncall\nplugin_fix_fbox_anoncall_networks = 192.0.2.0/24\n\
    load_plugin = plugin_logcall\nload_plugin = plugin_prefix\nplugin_prefix_akey = 0\nload_plugin = plugin_shortdial\n\
    plugin_shortdial_akey = *00\nplugin_shortdial_entry = 1\nload_plugin = plugin_stripheader\nplugin_stripheader_remove = X-None\n";

/// What one OPTIONS costs, both ways, with hooks on. The rounds of all take turns.
fn hooks(rounds: usize) -> Result<(), Failure> {
    const PHONES: usize = 8;
    let mut benches = Vec::new();
    for (name, lines) in HOOKS {
        let mut bench = Bench::new(PHONES)?;
        let config = Config::parse("hooks.conf".as_ref(), lines.as_bytes()).map_err(|report| report.to_string())?.0;
        bench.engine.set_hooks(&config.hook_settings());
        benches.push((name, bench, Vec::new()));
    }
    for _ in 0..rounds {
        for (_, bench, spent) in &mut benches {
            bench.spent = Default::default();
            (0..TRANSACTIONS).try_for_each(|turn| bench.options(turn % PHONES))?;
            spent.push(bench.spent.as_nanos() as f64 / TRANSACTIONS as f64);
        }
    }
    benches.into_iter().for_each(|(name, _, spent)| println!("hooks {name}: {:.0}", median(spent)));
    Ok(())
}

/// A packet of G.711, the next one of its stream each time.
struct Stream {
    packet: [u8; 172],
    sequence: u16,
    now: Instant,
}

impl Stream {
    fn new() -> Self {
        let mut packet = [0xd5; 172];
        packet[..2].copy_from_slice(&[0x80, 8]);
        Self { packet, sequence: 0, now: Instant::from_millis(1_000_000) }
    }

    fn next(&mut self) -> (&[u8], Instant) {
        self.sequence = self.sequence.wrapping_add(1);
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        self.now = self.now.after(Duration::from_millis(20));
        (black_box(&self.packet), self.now)
    }
}

/// What each packet of media costs: to know what it is and whose, and to measure it; and each report. Of all figures the making of the packet
/// is taken off.
fn media(rounds: usize) -> Result<(), Failure> {
    let from: SocketAddr = "203.0.113.20:6000".parse()?;
    let mut allowed = [None; MAX_ALLOWED];
    allowed[0] = Some(from.ip());
    let mut terms = Terms::NOTHING;
    terms.list(8);
    let mut latch = Latch::new(Latching::Restricted);
    latch.announce(&Peer { allowed, rtp: Some(from), terms, ..Peer::default() });
    let (mut quality, mut stream) = (Quality::default(), Stream::new());
    let made = nanoseconds(rounds, || {
        black_box(stream.next());
    });
    let judged = nanoseconds(rounds, || {
        let kind = Kind::of(stream.next().0);
        assert!(latch.rtp(black_box(from), kind) == Verdict::Accept);
    });
    let measured = nanoseconds(rounds, || {
        let (packet, now) = stream.next();
        black_box(&mut quality).rtp(packet, &terms, now);
    });
    // An SR of the far end with a block on this stream, and an SDES, as phones send them.
    let mut report = vec![0x81, 200, 0, 12];
    let words = [7, 0, 0x1_0000, 0, 50, 8600, 0xd5d5_d5d5, 3, 99, 20, 1, 0x8000];
    report.extend(words.iter().flat_map(|word: &u32| word.to_be_bytes()));
    report.extend([0x81, 202, 0, 2, 0, 0, 0, 7, 1, 2, b'a', b'b']);
    let mut reporter = Quality::default();
    let read = nanoseconds(rounds, || reporter.rtcp(&quality, black_box(&report), stream.now));
    if quality.lost() > 0 || reporter.reported.is_none() {
        return Err(format!("not what was sent: {quality:?} {reporter:?}").into());
    }
    for (name, cost) in [("judged", judged - made), ("measured", measured - made), ("report", read)] {
        println!("media {name}: {cost:.1}");
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let rounds = std::env::args().skip(1).find(|word| word != "--bench");
    let rounds = rounds.map_or(Ok(ROUNDS), |word| word.parse())?;
    parsing(rounds);
    media(rounds)?;
    hooks(rounds)?;
    BINDINGS.into_iter().try_for_each(|bindings| engine(bindings, rounds))
}
