//! The torture messages of RFC 4475 and RFC 5118: what each becomes when a phone sends it, and when a server that we know does.
//!
//! The messages are in `tests/torture/`, what is wanted in `tests/torture/cases.rs`, and the same for readers in
//! `docs/torture.md`, whose tables `UPDATE=1 cargo test --test torture` writes anew.
//!
//! Those of RFC 5118 have CRLF as line end, and the Content-Length of that body: the RFC prints lengths that do not fit it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "torture/cases.rs"]
mod cases;
mod rig;

use cases::{Case, RFC_4475, RFC_5118, Then};
use core::net::SocketAddr;
use rig::{Output, Rig};
use siproxd::engine::{Input, Side};
use siproxd::sip::uri::Uri;
use siproxd::sip::{HeaderId, Message, Method, StartLine};
use siproxd::time::Duration;
use std::path::{Path, PathBuf};

/// A bench with the addresses of one family.
struct Bench {
    rig: Rig,
    lan: &'static str,
    wan: &'static str,
    phone: SocketAddr,
    server: SocketAddr,
    /// What each name resolves to.
    name: core::net::IpAddr,
}

impl Bench {
    fn ipv4() -> Self {
        Self {
            rig: Rig::new(&rig::open_settings()),
            lan: "10.0.0.1:5060",
            wan: "198.51.100.1:5060",
            phone: "10.0.0.2:5060".parse().unwrap(),
            server: "203.0.113.10:5060".parse().unwrap(),
            name: "203.0.113.77".parse().unwrap(),
        }
    }

    fn ipv6() -> Self {
        let mut rig = Rig::new(&rig::open_settings());
        rig.address(Side::Lan, Some("fd00::1"));
        rig.address(Side::Wan, Some("2001:db8:ffff::1"));
        Self {
            rig,
            lan: "[fd00::1]:5060",
            wan: "[2001:db8:ffff::1]:5060",
            phone: "[fd00::2]:5060".parse().unwrap(),
            server: "[2001:db8:5::10]:5060".parse().unwrap(),
            name: "2001:db8:5::77".parse().unwrap(),
        }
    }

    /// Hands a message in and gives the messages that come out, once every name is resolved.
    fn send(&mut self, side: Side, bytes: &[u8]) -> Vec<(Side, SocketAddr, Vec<u8>)> {
        let from = if side == Side::Lan { self.phone } else { self.server };
        let mut outputs = self.rig.datagram(side, from, bytes);
        let mut sent = Vec::new();
        while !outputs.is_empty() {
            let mut next = Vec::new();
            for output in outputs {
                match output {
                    Output::Sent { via, to, bytes } => sent.push((via.local, to, bytes)),
                    Output::Query { server, bytes } => {
                        let answer = answer(&bytes, self.name);
                        next.extend(self.rig.input(Input::Dns { from: server, bytes: &answer }));
                        next.extend(self.rig.wait(Duration::ZERO));
                    }
                    Output::Relay(_) | Output::Connect { .. } | Output::Disconnect { .. } => {}
                }
            }
            outputs = next;
        }
        sent
    }

    /// Registers the phone as `user` with the server, which is known from then on.
    fn register(&mut self, user: &str) {
        let Self { phone, server, wan, .. } = *self;
        let request = format!(
            "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bKr\r\nFrom: <sip:{user}@{server}>;tag=r\r\n\
             To: <sip:{user}@{server}>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\nContact: <sip:phone@{phone}>;expires=600\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let sent = self.send(Side::Lan, request.as_bytes());
        let request = String::from_utf8(sent[0].2.clone()).unwrap();
        let contact = line(&request, "Contact: ");
        let response = format!(
            "SIP/2.0 200 OK\r\n{}\r\nFrom: <sip:{user}@{server}>;tag=r\r\nTo: <sip:{user}@{server}>;tag=s\r\nCall-ID: r\r\n\
             CSeq: 1 REGISTER\r\n{contact}\r\nContent-Length: 0\r\n\r\n",
            line(&request, "Via: ")
        );
        assert!(line(&request, "Via: ").contains(wan));
        assert_eq!(self.send(Side::Wan, response.as_bytes()).len(), 1, "{user}");
    }

    /// What becomes of a message from `side`; a forwarded one has been compared byte for byte.
    fn outcome(&mut self, side: Side, bytes: &[u8]) -> Result<Then, String> {
        let sent = self.send(side, bytes);
        let Some((to_side, to, out)) = sent.first() else { return Ok(Then::Dropped) };
        if sent.len() > 1 {
            return Err(format!("{} messages came out", sent.len()));
        }
        let from = if side == Side::Lan { self.phone } else { self.server };
        if *to_side == side && to.ip() == from.ip() {
            check_answer(bytes, out)?;
            let status = String::from_utf8_lossy(out).split(' ').nth(1).unwrap_or_default().parse();
            return Ok(Then::Answered(status.map_err(|_| "no status".to_owned())?));
        }
        if *to_side == side {
            return Err(format!("went to {to}"));
        }
        self.check_forwarded(side, bytes, out)?;
        Ok(Then::Forwarded)
    }

    /// Compares what came out with what went in: the same, but for what a proxy writes.
    fn check_forwarded(&self, side: Side, before: &[u8], after: &[u8]) -> Result<(), String> {
        let (mut before, mut after) = (before.to_vec(), after.to_vec());
        let before = Message::parse(&mut before).map_err(|e| format!("in: {e:?}"))?;
        let after = Message::parse(&mut after).map_err(|e| format!("out: {e:?}"))?;
        let to_wan = side == Side::Lan;

        let start = before.get(before.start_line());
        // To a strict router goes its own URI, and the target behind the other Routes (RFC 3261 §16.6 step 6).
        let router = before.header(HeaderId::Route).map(|h| before.get(h.value)).filter(|route| {
            to_wan && route.starts_with(b"<") && route.ends_with(b">") && !route.windows(3).any(|w| w == b";lr")
        });
        let wanted = match before.start() {
            StartLine::Request { name, uri, .. } if let Some(router) = router => {
                let target = [b"Route: <", before.get(uri), b">\r\n"].concat();
                same("Route", &target, after.header(HeaderId::Route).map_or(b"", |h| after.get(h.line)))?;
                [before.get(name), b" ", &router[1..router.len() - 1], b" SIP/2.0"].concat()
            }
            StartLine::Request { name, .. } if !to_wan => {
                [before.get(name), format!(" sip:phone@{} SIP/2.0", self.phone).as_bytes()].concat()
            }
            StartLine::Request { .. } => start.trim_ascii_end().to_vec(),
            StartLine::Response { .. } => start.to_vec(),
        };
        same("start line", &wanted, after.get(after.start_line()))?;

        // Those that stay as they are, in their order.
        const EDITED: [HeaderId; 4] =
            [HeaderId::Via, HeaderId::MaxForwards, HeaderId::RecordRoute, HeaderId::ContentLength];
        let untouched = |msg: &Message<'_>| {
            let lines = msg
                .headers()
                .iter()
                .filter(|h| !EDITED.contains(&h.id) && (h.id != HeaderId::Contact || !to_wan))
                .filter(|h| h.id != HeaderId::Route || router.is_none());
            lines
                .map(|h| msg.get(h.line))
                .filter(|line| !line.starts_with(b"Expires: 3600\r\n"))
                .collect::<Vec<_>>()
                .concat()
        };
        same("header lines", &untouched(&before), &untouched(&after))?;

        let lines = |msg: &Message<'_>, id| {
            msg.headers().iter().filter(|h| h.id == id).map(|h| msg.get(h.line)).collect::<Vec<_>>().concat()
        };
        same("Record-Route", &lines(&before, HeaderId::RecordRoute), &{
            let after = lines(&after, HeaderId::RecordRoute);
            let own = format!("Record-Route: <sip:{};lr>\r\n", self.lan);
            after.strip_prefix(own.as_bytes()).unwrap_or(&after).to_vec()
        })?;

        let all = lines(&after, HeaderId::Via);
        let own = if to_wan { self.wan } else { self.lan };
        if !all.starts_with(format!("Via: SIP/2.0/UDP {own};branch=z9hG4bKsx").as_bytes()) {
            return Err(format!("our Via is not on top: {}", all.escape_ascii()));
        }
        let kept = if to_wan { String::new() } else { vias(&before, 0) };
        same("Vias below ours", kept.as_bytes(), vias(&after, 1).as_bytes())?;
        if !to_wan && !all.windows(9).any(|w| w == b"received=") {
            return Err("the top Via does not say where the request came from".to_owned());
        }

        if let Some(header) = before.header(HeaderId::MaxForwards) {
            let number: u32 = String::from_utf8_lossy(before.get(header.value)).parse().unwrap();
            let wanted = String::from_utf8_lossy(before.get(header.line))
                .replace(&*String::from_utf8_lossy(before.get(header.value)), &(number - 1).to_string());
            same("Max-Forwards", wanted.as_bytes(), &lines(&after, HeaderId::MaxForwards))?;
        } else {
            same("Max-Forwards", b"Max-Forwards: 70\r\n", &lines(&after, HeaderId::MaxForwards))?;
        }

        if to_wan {
            same("Contact", &lines(&before, HeaderId::Contact), &self.with_hosts_of(&before, &after))?;
        }

        let length = |msg: &Message<'_>| {
            msg.header(HeaderId::ContentLength).map(|h| {
                let line = String::from_utf8_lossy(msg.get(h.line)).into_owned();
                assert_eq!(String::from_utf8_lossy(msg.get(h.value)).parse(), Ok(msg.body().len()), "{line}");
                line.replace(char::is_numeric, "")
            })
        };
        if length(&before) != length(&after) {
            return Err(format!("Content-Length: {:?} became {:?}", length(&before), length(&after)));
        }
        let is_sdp =
            before.value(HeaderId::ContentType) == Some(b"application/sdp") && before.method() == Method::Invite;
        let body = |msg: &Message<'_>| match is_sdp {
            true => unaddressed(msg.get(msg.body())),
            false => msg.get(msg.body()).to_vec(),
        };
        same("body", &body(&before), &body(&after))
    }

    /// The Contact lines of `after` with our part of them undone: the token taken out, and the hosts of `before` put back.
    fn with_hosts_of(&self, before: &Message<'_>, after: &Message<'_>) -> Vec<u8> {
        let uri = |msg: &Message<'_>, element: siproxd::sip::message::Element| {
            let addr = siproxd::sip::addr::NameAddr::parse(msg.bytes(), element.span).unwrap();
            (addr, Uri::parse(msg.bytes(), addr.uri).unwrap())
        };
        let mut edits = siproxd::sip::edit::Edits::new();
        for (old, new) in before.elements(HeaderId::Contact).zip(after.elements(HeaderId::Contact)) {
            let ((old_addr, old), (new_addr, new)) = (uri(before, old), uri(after, new));
            if old.scheme != siproxd::sip::uri::Scheme::Sip {
                continue;
            }
            assert_eq!(after.get(new.hostport), self.wan.as_bytes());
            edits.replace(new.hostport, before.get(old.hostport)).unwrap();
            edits.delete(new.param(after.bytes(), b"sx").unwrap().whole).unwrap();
            if !old_addr.bracketed {
                let siproxd::span::Span { start, end } = new_addr.uri;
                edits.delete(siproxd::span::Span::new(start - 1, start)).unwrap();
                edits.delete(siproxd::span::Span::new(end, end + 1)).unwrap();
            }
        }
        let mut lines = Vec::new();
        for header in after.headers().iter().filter(|h| h.id == HeaderId::Contact) {
            let mut line = heapless::Vec::<u8, 1024>::new();
            assert!(edits.render(after.bytes(), header.line, &mut line));
            lines.extend_from_slice(&line);
        }
        lines
    }
}

/// An answer to a recorded query: `address`, or that there is none of the family asked for.
fn answer(query: &[u8], address: core::net::IpAddr) -> Vec<u8> {
    /// The record types A and AAAA (RFC 1035 §3.2.2, RFC 3596 §2.1).
    const TYPES: [u8; 2] = [1, 28];
    let mut answer = query.to_vec();
    let kind = query[query.len() - 3];
    (answer[2], answer[3]) = (0x81, 0x80);
    let (wanted, octets) = match address {
        core::net::IpAddr::V4(ip) => (TYPES[0], ip.octets().to_vec()),
        core::net::IpAddr::V6(ip) => (TYPES[1], ip.octets().to_vec()),
    };
    if kind == wanted {
        answer[7] = 1;
        answer.extend_from_slice(&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, octets.len() as u8]);
        answer.extend_from_slice(&octets);
    }
    answer
}

/// The line of `text` that begins with `name`, without its end.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(name)).unwrap()
}

fn same(what: &str, before: &[u8], after: &[u8]) -> Result<(), String> {
    if before == after {
        return Ok(());
    }
    Err(format!("{what}\n    before: {}\n    after:  {}", before.escape_ascii(), after.escape_ascii()))
}

/// The Via lines behind the first `skip`, and in the topmost of their elements not what the receiver fills in: `received`,
/// and the value of `rport`.
fn vias(msg: &Message<'_>, skip: usize) -> String {
    let text = |span| core::str::from_utf8(msg.get(span)).unwrap();
    let lines: String =
        msg.headers().iter().filter(|h| h.id == HeaderId::Via).skip(skip).map(|h| text(h.line)).collect();
    let Some(top) = msg.elements(HeaderId::Via).nth(skip).map(|element| text(element.span)) else { return lines };
    let bare = match top.split_once(";received=") {
        Some((before, behind)) => format!("{before}{}", behind.find(';').map_or("", |at| &behind[at..])),
        None => top.to_owned(),
    };
    lines.replacen(top, &bare.replace(";rport=5060", ";rport"), 1)
}

/// A session description without the addresses and ports, which are ours.
fn unaddressed(sdp: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(sdp.to_vec()).unwrap();
    let line = |line: &str| {
        let kept = |count| line.split(' ').take(count).collect::<Vec<_>>().join(" ");
        match line.as_bytes() {
            [b'c', ..] => kept(1),
            [b'o', ..] => kept(4),
            [b'm', ..] => line.replacen(line.split(' ').nth(1).unwrap(), "", 1),
            _ => line.to_owned(),
        }
    };
    text.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// An answer has what it must copy, as far as the request has it (RFC 3261 §8.2.6.2).
fn check_answer(request: &[u8], answer: &[u8]) -> Result<(), String> {
    let (mut request, mut answer) = (request.to_vec(), answer.to_vec());
    let Ok((request, _)) = Message::parse_head(&mut request) else {
        return Err("an answer to what cannot be read".to_owned());
    };
    let answer = Message::parse(&mut answer).map_err(|e| format!("answer: {e:?}"))?;
    for id in [HeaderId::From, HeaderId::CallId, HeaderId::CSeq] {
        same("copied header", request.value(id).unwrap_or_default(), answer.value(id).unwrap_or_default())?;
    }
    if let Some(to) = request.value(HeaderId::To)
        && !answer.value(HeaderId::To).is_some_and(|value| value.starts_with(to))
    {
        return Err("To is not copied".to_owned());
    }
    let count = |msg: &Message<'_>| msg.headers().iter().filter(|h| h.id == HeaderId::Via).count();
    if count(&request) != count(&answer) {
        return Err(format!("{} Vias became {}", count(&request), count(&answer)));
    }
    Ok(())
}

fn folder(rfc: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(rfc)
}

fn message(rfc: &str, case: &Case) -> Vec<u8> {
    std::fs::read(folder(rfc).join(format!("{}.dat", case.name))).unwrap()
}

/// The user that a message is for: that of its request-URI, else of To.
fn user_of(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    let found = Message::parse_head(&mut bytes).ok().and_then(|(msg, _)| {
        let StartLine::Request { uri, .. } = msg.start() else { return None };
        let user = |span| Uri::parse(msg.bytes(), span).ok()?.user.map(|user| msg.get(user).to_vec());
        let to = || siproxd::sip::addr::NameAddr::parse(msg.bytes(), msg.header(HeaderId::To)?.value).ok();
        user(uri).or_else(|| user(to()?.uri))
    });
    String::from_utf8(found.unwrap_or_else(|| b"user".to_vec())).unwrap()
}

fn check_all(rfc: &str, cases: &[Case], bench: fn() -> Bench) {
    let mut files = std::fs::read_dir(folder(rfc)).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    let mut named = cases.iter().map(|c| folder(rfc).join(format!("{}.dat", c.name))).collect::<Vec<_>>();
    named.sort();
    assert_eq!(files, named, "each file has its case");

    let mut failed = Vec::new();
    for case in cases {
        let bytes = message(rfc, case);
        println!("{}", case.name);
        if Message::parse(&mut bytes.clone()).is_ok() != case.parses {
            failed.push(format!("{} parses otherwise", case.name));
        }
        let from_phone = bench().outcome(Side::Lan, &bytes);
        if from_phone != Ok(case.from_phone) {
            failed.push(format!("{} from a phone: wanted {:?}, got {from_phone:?}", case.name, case.from_phone));
        }
        let mut bench = bench();
        bench.register(&user_of(&bytes));
        let from_wan = bench.outcome(Side::Wan, &bytes);
        if from_wan != Ok(case.from_wan) {
            failed.push(format!("{} from the WAN: wanted {:?}, got {from_wan:?}", case.name, case.from_wan));
        }
    }
    assert!(
        failed.is_empty(),
        "{} differ:\n{}",
        failed.len(),
        failed.join("\n").replace("\\n", "\n").replace("\\\\", "\\")
    );
}

#[test]
fn rfc_4475() {
    check_all("rfc4475", &RFC_4475, Bench::ipv4);
}

#[test]
fn rfc_5118() {
    check_all("rfc5118", &RFC_5118, Bench::ipv6);
}

/// The request that a response answers, as a phone sends it to 203.0.113.10.
fn request_of(response: &Message<'_>) -> Vec<u8> {
    let line = |id| String::from_utf8_lossy(response.get(response.header(id).unwrap().line)).into_owned();
    let to = line(HeaderId::To);
    format!(
        "INVITE sip:user@203.0.113.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKp\r\n{}{}\r\n{}{}\r\n",
        line(HeaderId::From),
        to.trim_end().split(";tag").next().unwrap(),
        line(HeaderId::CallId),
        "CSeq: 35 INVITE\r\n"
    )
    .into_bytes()
}

#[test]
fn valid_responses_pass_with_our_branch_on_top() {
    for name in ["unreason", "noreason"] {
        let bytes = std::fs::read(folder("rfc4475").join(format!("{name}.dat"))).unwrap();
        let mut copy = bytes.clone();
        let response = Message::parse(&mut copy).unwrap();
        let mut bench = Bench::ipv4();
        let request = bench.send(Side::Lan, &request_of(&response)).remove(0).2;
        let request = String::from_utf8(request).unwrap();

        let text = String::from_utf8(bytes).unwrap();
        let before = text.replace(line(&text, "Via: "), line(&request, "Via: "));
        let after = bench.send(Side::Wan, before.as_bytes()).remove(0);
        assert_eq!((after.0, after.1), (Side::Lan, bench.phone));
        let mut wanted = before.replace(line(&request, "Via: "), "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKp");
        let mut after = String::from_utf8(after.2).unwrap().replace("Record-Route: <sip:10.0.0.1:5060;lr>\r\n", "");
        if let Some((head, sdp)) = wanted.clone().split_once("\r\n\r\n").filter(|(_, body)| !body.is_empty()) {
            let (new_head, new_sdp) = after.split_once("\r\n\r\n").unwrap();
            assert_eq!(unaddressed(sdp.as_bytes()), unaddressed(new_sdp.as_bytes()));
            let new_head = new_head.replace(line(&after, "Content-Length: "), line(&wanted, "Content-Length: "));
            (wanted, after) = (head.to_owned(), new_head);
        }
        assert_eq!(after, wanted);
    }
}

#[test]
fn invalid_responses_do_not_pass_even_with_our_branch_on_top() {
    for name in ["scalarlg", "bigcode"] {
        let text = String::from_utf8(std::fs::read(folder("rfc4475").join(format!("{name}.dat"))).unwrap()).unwrap();
        let mut bench = Bench::ipv4();
        let sound = text.replace("9292394834772304023312 OPTIONS", "35 INVITE").replace("4294967301", "500");
        let mut copy = sound.clone().into_bytes();
        let request = bench.send(Side::Lan, &request_of(&Message::parse(&mut copy).unwrap())).remove(0).2;
        let request = String::from_utf8(request).unwrap();
        let with_our_via = |text: &str| text.replace(line(text, "Via: "), line(&request, "Via: "));
        assert_eq!(bench.send(Side::Wan, with_our_via(&text).as_bytes()), [], "{name}");
        assert_eq!(bench.send(Side::Wan, with_our_via(&sound).as_bytes()).len(), 1, "{name}");
    }
}

#[test]
fn the_vias_that_were_kept_back_come_again_with_the_answer() {
    let text = String::from_utf8(std::fs::read(folder("rfc4475").join("longreq.dat")).unwrap()).unwrap();
    let mut bench = Bench::ipv4();
    let request = String::from_utf8(bench.send(Side::Lan, text.as_bytes()).remove(0).2).unwrap();
    let headers: Vec<_> =
        ["Via: ", "To: ", "F: ", "Call-ID: ", "CSeq: "].iter().map(|name| line(&request, name)).collect();
    let response = format!("SIP/2.0 404 Not Found\r\n{}\r\nContent-Length: 0\r\n\r\n", headers.join("\r\n"));
    let mut answer = bench.send(Side::Wan, response.as_bytes()).remove(0).2;
    let mut request = text.into_bytes();
    let (answer, request) = (Message::parse(&mut answer).unwrap(), Message::parse(&mut request).unwrap());
    let elements = |msg: &Message<'_>| -> Vec<String> {
        let text = |span| String::from_utf8_lossy(msg.get(span)).into_owned();
        msg.elements(HeaderId::Via).skip(1).map(|element| text(element.span)).collect()
    };
    assert_eq!(elements(&answer).len(), 33);
    assert_eq!(elements(&answer), elements(&request));
}

/// `baddn` as in the RFC's text, which has the empty line that its archive lacks.
#[test]
fn an_unquoted_comma_is_refused_with_an_empty_line_too() {
    let mut bytes = std::fs::read(folder("rfc4475").join("baddn.dat")).unwrap();
    bytes.extend_from_slice(b"\r\n");
    assert!(Message::parse(&mut bytes.clone()).is_ok());
    assert_eq!(Bench::ipv4().outcome(Side::Lan, &bytes), Ok(Then::Answered(400)));
}

#[test]
fn a_registrar_of_our_own_needs_a_sip_uri_in_to() {
    let text = String::from_utf8(std::fs::read(folder("rfc4475").join("unksm2.dat")).unwrap()).unwrap();
    let bytes = text.replace("REGISTER sip:example.com", "REGISTER sip:10.0.0.1").into_bytes();
    assert_eq!(Bench::ipv4().outcome(Side::Lan, &bytes), Ok(Then::Answered(400)));
}

/// RFC 5118 prints a length that is larger than its body (§4.6), and two that are smaller (§4.8, §4.9). What a datagram lacks
/// is lost, what it has too much is no part of the message (RFC 3261 §18.3).
#[test]
fn the_lengths_that_rfc_5118_prints() {
    let with = |name: &str, ours: &str, printed: &str| {
        let text = String::from_utf8(std::fs::read(folder("rfc5118").join(format!("{name}.dat"))).unwrap()).unwrap();
        let (ours, printed) = (format!("Content-Length: {ours}\r\n"), format!("Content-Length: {printed}\r\n"));
        assert!(text.contains(&ours));
        Bench::ipv6().outcome(Side::Lan, text.replace(&ours, &printed).as_bytes())
    };
    assert_eq!(with("ipv6-in-sdp", "251", "268"), Ok(Then::Answered(400)));
    assert_eq!(with("mult-ip-in-sdp", "189", "181"), Ok(Then::Forwarded));
    assert_eq!(with("ipv4-mapped-ipv6", "245", "236"), Ok(Then::Answered(488)));
}

#[test]
fn an_ipv6_host_is_out_of_reach_without_an_ipv6_address() {
    let bytes = std::fs::read(folder("rfc5118").join("ipv6-in-sdp.dat")).unwrap();
    let mut bench = Bench::ipv4();
    let answer = bench.send(Side::Lan, &bytes).remove(0);
    assert_eq!(answer.1.ip(), bench.phone.ip());
    let answer = String::from_utf8(answer.2).unwrap();
    assert!(answer.starts_with("SIP/2.0 503 ") && line(&answer, "Warning: ").contains("IPv6"), "{answer}");
    assert_eq!(bench.rig.engine.usage().calls, 0);
}

/// A phone's OPTIONS with `lines` more header lines of which each is `text`, and a body of `body` bytes.
fn large(lines: usize, text: &str, body: usize) -> Vec<u8> {
    format!(
        "OPTIONS sip:user@203.0.113.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKl\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:user@h>\r\nCall-ID: l\r\nCSeq: 1 OPTIONS\r\n{}Content-Length: {body}\r\n\r\n{}",
        text.repeat(lines),
        "x".repeat(body)
    )
    .into_bytes()
}

#[test]
fn long_lists_of_headers_and_long_messages_pass() {
    for bytes in [
        large(100, "X-Line : a,\r\n\tb\r\n", 0),
        large(200, "Supported: a\r\n", 0),
        large(0, "", 8 * 1024),
        large(1, &format!("X-Long: {}\r\n", "y".repeat(8 * 1024)), 0),
    ] {
        assert_eq!(Bench::ipv4().outcome(Side::Lan, &bytes), Ok(Then::Forwarded));
    }
}

/// The rows of `docs/torture.md` for `cases`.
fn table(cases: &[Case]) -> String {
    let then = |then| match then {
        Then::Forwarded => "forwarded".to_owned(),
        Then::Answered(status) => status.to_string(),
        Then::Dropped => "dropped".to_owned(),
    };
    let row = |case: &Case| {
        let parses = if case.parses { "yes" } else { "no" };
        let (phone, wan) = (then(case.from_phone), then(case.from_wan));
        format!("| `{}` | {} | {} | {parses} | {phone} | {wan} | {} |\n", case.name, case.section, case.asks, case.why)
    };
    let head = "| message | section | what it is, and what the RFC asks for | whole | from a phone | from a known server | why |\n\
                |---|---|---|---|---|---|---|\n";
    head.to_owned() + &cases.iter().map(row).collect::<String>()
}

#[test]
fn the_document_says_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/torture.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut wanted = text.clone();
    for (heading, cases) in [("## RFC 4475\n\n", &RFC_4475[..]), ("## RFC 5118\n\n", &RFC_5118[..])] {
        let (before, rest) = wanted.split_once(heading).unwrap();
        let behind = rest.find("\n\n").map_or("", |at| &rest[at + 1..]);
        wanted = format!("{before}{heading}{}{behind}", table(cases));
    }
    if text != wanted && std::env::var_os("UPDATE").is_some() {
        return std::fs::write(path, wanted).unwrap();
    }
    assert!(
        text == wanted,
        "docs/torture.md differs from tests/torture/cases.rs: run `UPDATE=1 cargo test --test torture`"
    );
}
