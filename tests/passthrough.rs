//! What is not ours to change leaves as it came, byte for byte: every method, requests and responses, both ways, over UDP and TCP,
//! with and without topology hiding, small and large.
//!
//! A message here is a start line, the lines that a proxy writes (Via, Max-Forwards, Contact), a block of lines with every oddity a
//! valid message may have, and a body of all octets. The block and the body must come out whole, and beside them nothing but what a
//! proxy writes. `tests/torture.rs` asks the same of the messages of RFC 4475 and RFC 5118.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::net::SocketAddr;
use rig::{Output, Rig};
use siproxd::engine::settings::HostPort;
use siproxd::engine::{ConnEvent, Settings, Side};
use siproxd::sip::via::Transport;

const PHONE: &str = "10.0.0.2:5060";
const PROVIDER: &str = "203.0.113.10:5060";

/// Methods, and whether they are sent in a dialog here.
const METHODS: [(&str, bool); 15] = [
    ("INVITE", false),
    ("ACK", true),
    ("CANCEL", false),
    ("BYE", true),
    ("OPTIONS", false),
    ("REGISTER", false),
    ("PRACK", true),
    ("UPDATE", true),
    ("INFO", true),
    ("SUBSCRIBE", false),
    ("NOTIFY", true),
    ("REFER", true),
    ("MESSAGE", false),
    ("PUBLISH", false),
    ("PinG!%*_+`'~.", false),
];

/// Lines that a proxy writes or may remove.
const OURS: [&[u8]; 7] =
    [b"Via:", b"Max-Forwards:", b"Contact:", b"Record-Route:", b"Content-Length:", b"l:", b"Expires: 3600"];

/// How the messages are made and sent.
#[derive(Clone, Copy, Debug)]
struct Way {
    hiding: bool,
    phone_on_tcp: bool,
    provider_on_tcp: bool,
    /// Header lines and body bytes beyond those that are always there.
    lines: usize,
    body: usize,
}

struct Bench {
    rig: Rig,
    way: Way,
    number: usize,
}

impl Bench {
    fn new(way: Way) -> Self {
        let mut settings = Settings { topology_hiding: way.hiding, ..rig::open_settings() };
        if way.provider_on_tcp {
            settings.outbound_proxy = Some(HostPort { host: "203.0.113.10".try_into().unwrap(), port: 5060 });
            settings.outbound_proxy_transport = Some(Transport::Tcp);
        }
        let mut rig = Rig::new(&settings);
        if way.phone_on_tcp {
            rig.accept(Side::Lan, PHONE.parse().unwrap());
        }
        Self { rig, way, number: 0 }
    }

    /// Sends a message, and gives the one that comes out on the other side.
    fn send(&mut self, side: Side, message: &[u8]) -> Vec<u8> {
        let (from, tcp) = match side {
            Side::Lan => (PHONE, self.way.phone_on_tcp),
            Side::Wan => (PROVIDER, self.way.provider_on_tcp),
        };
        let from: SocketAddr = from.parse().unwrap();
        let outputs = if tcp { self.rig.stream(from, message) } else { self.rig.datagram(side, from, message) };
        if outputs.iter().any(|output| matches!(output, Output::Connect { .. })) {
            self.rig.connection(PROVIDER.parse().unwrap(), ConnEvent::Opened);
        }
        let out = outputs.into_iter().find_map(|output| match output {
            Output::Sent { via, bytes, .. } if via.local != side => Some(bytes),
            _ => None,
        });
        out.unwrap_or_else(|| panic!("{:?}: nothing came of\n{}", self.way, String::from_utf8_lossy(message)))
    }

    /// The lines that must come out as they are.
    fn block(&self, method: &str, to_tag: &str) -> Vec<u8> {
        let number = self.number;
        let mut block = format!(
            "f:  \"A\\\\ \\\"quoted\\\", \tname\"\r\n \t<sip:alice;x=%40@203.0.113.10>  ;  tag = a{number} ; y\r\n\
             tO :<sip:bob@203.0.113.10>{to_tag}\r\nI: call-{number} \r\nCSEQ:\r\n  00{number}\t{method}\r\n\
             c :  application/x-thing ; a=\"b;c\" \r\nSubject:\r\ns: fold\r\n  of\r\n\t three\r\n\
             Require:  nobody-knows , 100rel\r\nk:path,timer\r\nX-Quoted: \"a \\\" b, c; d\" ; e = \"f\"\r\nX-Empty:\r\n\
             X-Utf-8: Gr\u{fc}\u{df}e \r\nDate : Sat, 13 Nov 2010 23:29:00 CET\r\nRAck: 1 1 INVITE\r\n!%*_+`'~.-: all\r\n"
        )
        .into_bytes();
        for line in 0..self.way.lines {
            block.extend(format!("x-LiNe-{line}\t: a,{line}\r\n").into_bytes());
        }
        block
    }

    /// All octets, again and again.
    fn body(&self) -> Vec<u8> {
        (0..=255u8).cycle().take(300 + self.way.body).collect()
    }

    fn message(&self, start: &str, ours: &str, block: &[u8]) -> Vec<u8> {
        let body = self.body();
        let length = format!("l: {}\r\n\r\n", body.len());
        [start.as_bytes(), b"\r\n", ours.as_bytes(), block, length.as_bytes(), &body].concat()
    }

    /// A request from `side` comes out on the other with the block and the body as they were, and so does its response.
    fn exchange(&mut self, side: Side, method: &str, in_dialog: bool, uri: &str) {
        self.number += 1;
        let number = self.number;
        let transport = |tcp| if tcp { "TCP" } else { "UDP" };
        let via = match side {
            Side::Lan => format!("SIP/2.0/{} {PHONE}", transport(self.way.phone_on_tcp)),
            Side::Wan => format!("SIP/2.0/{} {PROVIDER}", transport(self.way.provider_on_tcp)),
        };
        let host = if side == Side::Lan { PHONE } else { "203.0.113.20:5060" };
        let contact = format!("Contact: <sip:alice@{host}>\r\n");
        let ours = format!("Via: {via};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n{contact}");
        let tag = if in_dialog { " ;tag=b" } else { "" };
        if method == "CANCEL" {
            let invite = self.message(&format!("INVITE {uri} SIP/2.0"), &ours, &self.block("INVITE", tag));
            self.send(side, &invite);
        }
        let block = self.block(method, tag);
        let out = self.send(side, &self.message(&format!("{method} {uri} SIP/2.0"), &ours, &block));
        let uri = if side == Side::Lan { uri } else { "sip:alice@10.0.0.2:5060" };
        self.check(&out, &format!("{method} {uri} SIP/2.0"), &block);
        if method == "ACK" {
            return;
        }
        let text = String::from_utf8_lossy(&out).into_owned();
        let vias: String = text.lines().filter(|line| line.starts_with("Via: ")).map(|l| format!("{l}\r\n")).collect();
        let back = if side == Side::Lan { Side::Wan } else { Side::Lan };
        let contact = text.lines().find(|line| line.starts_with("Contact: ")).unwrap().to_owned();
        let contact = if method == "REGISTER" { contact } else { format!("Contact: <sip:alice@{PHONE}>") };
        let block = self.block(method, " ;tag=b");
        let start = "SIP/2.0 299 Gr\u{fc}\u{df}e, \tund \"so\"";
        let response = self.message(start, &format!("{vias}{contact}\r\n"), &block);
        let out = self.send(back, &response);
        self.check(&out, start, &block);
    }

    fn check(&self, out: &[u8], start: &str, block: &[u8]) {
        let context = || format!("{:?}\n{}", self.way, String::from_utf8_lossy(&out[..out.len().min(3000)]));
        let body = self.body();
        assert!(out.starts_with(format!("{start}\r\n").as_bytes()), "start line: {}", context());
        let head = out.strip_suffix(&body[..]).unwrap_or_else(|| panic!("the body is another: {}", context()));
        let at = head.windows(block.len()).position(|w| w == block);
        let at = at.unwrap_or_else(|| panic!("the block is another: {}", context()));
        let around = [&head[start.len() + 2..at], &head[at + block.len()..]].concat();
        for line in around.split_inclusive(|b| *b == b'\n').filter(|line| *line != b"\r\n") {
            assert!(OURS.iter().any(|ours| line.starts_with(ours)), "{}: {}", line.escape_ascii(), context());
        }
        assert!(around.windows(5).any(|w| w == b"\nl: " || w.starts_with(b"l: ")), "Content-Length: {}", context());
    }

    fn all_methods(&mut self) {
        // A registration first, so that the provider is known and has the phone's token.
        self.exchange(Side::Lan, "REGISTER", false, "sip:203.0.113.10");
        let token = {
            self.number += 1;
            let transport = if self.way.phone_on_tcp { "TCP" } else { "UDP" };
            let ours = format!(
                "Via: SIP/2.0/{transport} {PHONE};branch=z9hG4bKt;rport\r\nMax-Forwards: 70\r\nContact: <sip:alice@{PHONE}>\r\n"
            );
            let options = self.message("OPTIONS sip:bob@203.0.113.10 SIP/2.0", &ours, &self.block("OPTIONS", ""));
            let out = String::from_utf8_lossy(&self.send(Side::Lan, &options)).into_owned();
            let contact = out.lines().find(|line| line.starts_with("Contact: ")).unwrap();
            rig::text::uri(contact).to_owned()
        };
        for (method, in_dialog) in METHODS {
            self.exchange(Side::Lan, method, in_dialog, "sip:%62ob;par=%20@203.0.113.10;x-y=z");
            // Nobody registers from the WAN.
            if method != "REGISTER" {
                self.exchange(Side::Wan, method, in_dialog, &token);
            }
        }
    }
}

fn every_way(lines: usize, body: usize) {
    for hiding in [true, false] {
        for (phone_on_tcp, provider_on_tcp) in [(false, false), (true, false), (false, true), (true, true)] {
            Bench::new(Way { hiding, phone_on_tcp, provider_on_tcp, lines, body }).all_methods();
        }
    }
}

#[test]
fn small_messages() {
    every_way(0, 0);
}

#[test]
fn more_than_64_header_lines() {
    every_way(120, 0);
}

#[test]
fn messages_of_8_kilobytes() {
    every_way(0, 8 * 1024);
}

#[test]
fn messages_of_60_kilobytes() {
    every_way(70, 60_000);
}
