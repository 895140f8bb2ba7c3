//! SIP load for the benchmark: phones and their providers, both played from here, with a proxy between them.
//!
//! `sip SCENARIO COUNT WINDOW PHONES PROXY`: phone `n` sends from 10.77.1.(10+n) to PROXY, its provider is
//! 198.51.100.(10+n); WINDOW transactions or calls are in flight at any time, so that the proxy never waits. SCENARIO is
//! `register`, `options` (through to the provider, whose 200 comes back) or `call` (INVITE to the answer of its BYE).
//! First each phone registers; then `ready` is printed and a line of input waited for. Prints `COUNT NANOSECONDS AGAIN`:
//! how long it took, and how many messages had to be sent again.

use core::fmt::Write as _;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Instant;

type Failure = Box<dyn core::error::Error>;

const PORT: u16 = 5060;
/// The last byte of the first phone's address, and of its provider's.
const FIRST: u8 = 10;
/// What is not answered after so long is sent again.
const PATIENCE: Duration = Duration::from_millis(400);
/// Without any answer for so long, the proxy does not work.
const HOPELESS: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Register,
    Options,
    Call,
}

/// What a phone has in flight: its last message, to be sent again.
struct Pending {
    message: String,
    sent: Instant,
}

struct Load {
    phones: Vec<UdpSocket>,
    providers: Vec<UdpSocket>,
    proxy: SocketAddr,
    poll: Poll,
    pending: HashMap<u64, Pending>,
    again: u64,
}

fn provider(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, FIRST + n as u8)
}

fn phone(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 1, FIRST + n as u8)
}

fn bind(address: Ipv4Addr, poll: &Poll, token: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((address, PORT))?;
    socket.set_nonblocking(true)?;
    poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), Token(token), Interest::READABLE)?;
    Ok(socket)
}

/// The value of the first header `name`, or of the next behind `from`.
fn headers<'m>(message: &'m str, name: &str) -> impl Iterator<Item = &'m str> {
    let head = message.split("\r\n\r\n").next().unwrap_or(message);
    head.split("\r\n").filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn header<'m>(message: &'m str, name: &str) -> &'m str {
    headers(message, name).next().unwrap_or_default()
}

fn description(address: Ipv4Addr) -> String {
    format!(
        "v=0\r\no=- 3921 3921 IN IP4 {address}\r\ns=call\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
    )
}

/// A phone's request, as long as those of telephones are.
fn request(method: &str, uri: &str, n: u64, cseq: u32, at: usize, more: &str, body: &str) -> String {
    let (us, far) = (phone(at), provider(at));
    let to = if method == "REGISTER" { format!("sip:alice{at}@{far}") } else { format!("sip:bob@{far}") };
    let to_tag = if method == "ACK" || method == "BYE" { ";tag=far" } else { "" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {us}:{PORT};branch=z9hG4bK{n:08x}{cseq};rport\r\nMax-Forwards: 70\r\n{more}\
         From: \"Alice\" <sip:alice{at}@{far}>;tag=p{n}\r\nTo: <{to}>{to_tag}\r\nCall-ID: {n}-3c2670f0a1b2@bench\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:alice{at}@{us}:{PORT}>\r\nUser-Agent: Telephone 8.9.3.2\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, PRACK, UPDATE\r\nSupported: replaces, timer, 100rel\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Load {
    fn new(count: usize, proxy: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let phones = (0..count).map(|n| bind(phone(n), &poll, n)).collect::<io::Result<_>>()?;
        let providers = (0..count).map(|n| bind(provider(n), &poll, count + n)).collect::<io::Result<_>>()?;
        Ok(Self { phones, providers, proxy, poll, pending: HashMap::new(), again: 0 })
    }

    /// A phone sends; `n` names its transaction or call.
    fn send(&mut self, n: u64, message: String) {
        let at = n as usize % self.phones.len();
        let _ = self.phones[at].send_to(message.as_bytes(), self.proxy);
        self.pending.insert(n, Pending { message, sent: Instant::now() });
    }

    fn start(&mut self, scenario: Scenario, n: u64) {
        let at = n as usize % self.phones.len();
        let far = provider(at);
        let message = match scenario {
            // One phone's registrations are refreshes of the same binding.
            Scenario::Register => request("REGISTER", &format!("sip:{far}"), n, 1, at, "Expires: 3600\r\n", ""),
            Scenario::Options => {
                request("OPTIONS", &format!("sip:bob@{far}"), n, 1, at, "Accept: application/sdp\r\n", "")
            }
            Scenario::Call => {
                let body = description(phone(at));
                request("INVITE", &format!("sip:bob@{far}"), n, 1, at, "Content-Type: application/sdp\r\n", &body)
            }
        };
        self.send(n, message);
    }

    /// A response at a phone; the number of what it ends, if it does.
    fn at_phone(&mut self, message: &str) -> Result<Option<u64>, Failure> {
        if message.starts_with("SIP/2.0 1") {
            return Ok(None);
        }
        if !message.starts_with("SIP/2.0 200 ") {
            return Err(message.into());
        }
        let n: u64 = header(message, "Call-ID").split('-').next().unwrap_or_default().parse()?;
        if !self.pending.contains_key(&n) {
            return Ok(None);
        }
        if !header(message, "CSeq").ends_with("INVITE") {
            self.pending.remove(&n);
            return Ok(Some(n));
        }
        let at = n as usize % self.phones.len();
        let uri = header(message, "Contact").trim_matches(['<', '>']);
        let routes: Vec<&str> = headers(message, "Record-Route").flat_map(|line| line.split(',')).collect();
        let mut route = String::new();
        for element in routes.iter().rev() {
            write!(route, "Route: {}\r\n", element.trim())?;
        }
        let ack = request("ACK", uri, n, 1, at, &route, "");
        let _ = self.phones[at].send_to(ack.as_bytes(), self.proxy);
        self.send(n, request("BYE", uri, n, 2, at, &route, ""));
        Ok(None)
    }

    /// A request at a provider: its answer.
    fn answer(&self, at: usize, message: &str) -> Option<String> {
        let (method, _) = message.split_once(' ')?;
        if method == "ACK" || method.starts_with("SIP/") || message.trim().is_empty() {
            return None;
        }
        let far = provider(at);
        let mut answer = String::with_capacity(1500);
        answer.push_str("SIP/2.0 200 OK\r\n");
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in headers(message, name) {
                let tag = if name == "To" && !value.contains(";tag=") { ";tag=far" } else { "" };
                let _ = write!(answer, "{name}: {value}{tag}\r\n");
            }
        }
        let body = if method == "INVITE" { description(far) } else { String::new() };
        let _ = match method {
            "REGISTER" => write!(answer, "Contact: {};expires=3600\r\n", header(message, "Contact")),
            "INVITE" => write!(answer, "Contact: <sip:bob@{far}:{PORT}>\r\nContent-Type: application/sdp\r\n"),
            _ => write!(answer, "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n"),
        };
        let _ = write!(answer, "Server: Exchange 4.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Some(answer)
    }

    /// Takes what a socket has; the numbers of what has ended.
    fn ready(&mut self, token: usize, ended: &mut Vec<u64>) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        loop {
            let at = token.checked_sub(self.phones.len());
            let socket = at.map_or_else(|| &self.phones[token], |at| &self.providers[at]);
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            let message = core::str::from_utf8(&buffer[..length])?;
            match at {
                Some(at) => {
                    if let Some(answer) = self.answer(at, message) {
                        let _ = self.providers[at].send_to(answer.as_bytes(), from);
                    }
                }
                None => ended.extend(self.at_phone(message)?),
            }
        }
    }

    /// Sends again what had no answer for too long.
    fn repeat(&mut self) {
        for (n, pending) in self.pending.iter_mut().filter(|(_, pending)| pending.sent.elapsed() > PATIENCE) {
            let at = *n as usize % self.phones.len();
            let _ = self.phones[at].send_to(pending.message.as_bytes(), self.proxy);
            pending.sent = Instant::now();
            self.again += 1;
        }
    }

    /// Runs from number `first` on, `window` at a time.
    fn run(&mut self, scenario: Scenario, first: u64, count: u64, window: u64) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let end = first + count;
        let mut next = first;
        let mut events = Events::with_capacity(256);
        let mut ended = Vec::new();
        let mut last = begin;
        while next < end.min(first + window) {
            self.start(scenario, next);
            next += 1;
        }
        while !self.pending.is_empty() {
            self.poll.poll(&mut events, Some(PATIENCE / 4))?;
            for event in &events {
                self.ready(event.token().0, &mut ended)?;
            }
            if ended.is_empty() {
                if last.elapsed() > HOPELESS {
                    return Err("no answers".into());
                }
                self.repeat();
            } else {
                last = Instant::now();
            }
            for _ in ended.drain(..) {
                if next < end {
                    self.start(scenario, next);
                    next += 1;
                }
            }
        }
        Ok(begin.elapsed())
    }
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [scenario, count, window, phones, proxy] = &words[..] else {
        return Err("usage: sip register|options|call COUNT WINDOW PHONES PROXY".into());
    };
    let scenario = match scenario.as_str() {
        "register" => Scenario::Register,
        "options" => Scenario::Options,
        "call" => Scenario::Call,
        other => return Err(format!("no scenario {other}").into()),
    };
    let phones: usize = phones.parse()?;
    let mut load = Load::new(phones, SocketAddr::new(proxy.parse()?, PORT))?;
    load.run(Scenario::Register, 0, phones as u64, 1)?;
    load.again = 0;
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    let count = count.parse()?;
    let taken = load.run(scenario, phones as u64, count, window.parse()?)?;
    println!("{count} {} {}", taken.as_nanos(), load.again);
    Ok(())
}
