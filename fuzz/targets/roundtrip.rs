//! A request through the engine to the other side, the answer to it back: what is not to be changed is the same, byte by byte.

use super::engine::private_address_at;
use super::rig::dns::Zone;
use super::rig::{Output, Rig, open_settings};
use core::net::SocketAddr;
use siproxd::engine::io::Prefix;
use siproxd::engine::{Channel, ConnEvent, Side};
use siproxd::sip::addr::NameAddr;
use siproxd::sip::header::Header;
use siproxd::sip::via::Via;
use siproxd::sip::{HeaderId, Message, Method, StartLine};
use siproxd::span::Span;
use siproxd::time::Duration;

const PHONE: &str = "10.0.0.2:5060";
const SERVER: &str = "203.0.113.10:5060";
/// What an address of the LAN becomes on its way out.
const OUR_WAN: &[u8] = b"198.51.100.1";
/// A message with no more than this fits into the tables of edits, whatever is in it.
const MOST_BYTES: usize = 3000;
const MOST_HEADERS: usize = 30;
const MOST_ADDRESSES: usize = 30;

/// What the engine writes into a request; every other line passes.
const WRITTEN: [HeaderId; 4] = [HeaderId::Via, HeaderId::MaxForwards, HeaderId::Route, HeaderId::Contact];
/// What is added where it is missing: the one over TCP (RFC 3261 §18.3), the other to a REGISTER.
const ADDED: [HeaderId; 2] = [HeaderId::ContentLength, HeaderId::Expires];
/// What names a dialog or a phone: an address in there becomes a sealed one.
const NAMING: [HeaderId; 10] = [
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::Replaces,
    HeaderId::ReferTo,
    HeaderId::ReferredBy,
    HeaderId::Diversion,
    HeaderId::HistoryInfo,
    HeaderId::PPreferredIdentity,
    HeaderId::PAssertedIdentity,
];
/// What of a request the answer has as well.
const COPIED: [HeaderId; 5] = [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq];
/// What an answer does not take over from the request.
const NOT_ANSWERED: [HeaderId; 7] = [
    HeaderId::MaxForwards,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::Contact,
    HeaderId::ContentLength,
    HeaderId::Replaces,
    HeaderId::ReferTo,
];

/// One message on its way.
#[derive(Clone, Copy)]
struct Way {
    /// Addresses of the LAN do not pass.
    hides: bool,
    to_wan: bool,
}

/// Sends a request and the answer to it. The first byte says how: its lowest bit from the WAN, the next without topology
/// hiding.
pub fn roundtrip(data: &[u8]) {
    super::quiet();
    let Some((choice, data)) = data.split_first() else { return };
    let by_phone = choice & 1 == 0;
    let way = Way { hides: choice & 2 == 0, to_wan: by_phone };
    let mut bytes = data.to_vec();
    let Ok(request) = Message::parse(&mut bytes) else { return };
    let StartLine::Request { .. } = request.start() else { return };
    let mut rig = bench(way.hides, by_phone);
    let (side, from) = if by_phone { (Side::Lan, PHONE) } else { (Side::Wan, SERVER) };
    let from: SocketAddr = from.parse().unwrap();
    let outputs = messages(rig.datagram(side, from, data));
    let forwarded: Vec<_> = outputs.iter().filter(|(_, _, bytes)| !bytes.starts_with(b"SIP/2.0 ")).collect();
    for (_, _, bytes) in outputs.iter().filter(|(.., bytes)| bytes.starts_with(b"SIP/2.0 ")) {
        own_answer(&request, bytes);
    }
    let [(via, to, bytes)] = forwarded[..] else {
        assert!(forwarded.is_empty(), "forwarded twice");
        return;
    };
    let (via, to) = (*via, *to);
    let crosses = (via.local == Side::Wan) == by_phone;
    let way = Way { hides: way.hides && crosses, to_wan: via.local == Side::Wan };
    request_passed(&request, bytes, way);
    if via.conn.is_some() {
        rig.connection(to, ConnEvent::Opened);
    } else {
        let again = messages(rig.datagram(side, from, data));
        let again: Vec<_> = again.iter().filter(|(.., bytes)| !bytes.starts_with(b"SIP/2.0 ")).collect();
        assert!(again.iter().all(|(.., again)| again == bytes), "a retransmission differs");
        assert!(again.len() == 1, "a retransmission is lost");
    }
    if request.method() == Method::Ack {
        return;
    }
    let answer = answer(&request, bytes);
    let outputs =
        messages(if via.conn.is_some() { rig.stream(to, &answer) } else { rig.datagram(via.local, to, &answer) });
    let passed = outputs.iter().filter(|(.., bytes)| bytes.starts_with(b"SIP/2.0 200")).collect::<Vec<_>>();
    let [(_, _, bytes)] = passed[..] else {
        let is_small = data.len() < MOST_BYTES
            && request.headers().len() < MOST_HEADERS
            && addresses(data) + addresses(&answer) < MOST_ADDRESSES;
        assert!(!is_small, "{} answers passed of {}", passed.len(), answer.escape_ascii());
        return;
    };
    answer_passed(&request, &answer, bytes, Way { to_wan: !way.to_wan, ..way });
}

fn bench(hides: bool, by_phone: bool) -> Rig {
    let mut settings = open_settings();
    settings.topology_hiding = hides;
    settings.wan_allow.push(Prefix { address: "203.0.113.0".parse().unwrap(), length: 24 }).unwrap();
    let mut rig = Rig::new(&settings);
    let mut zone = Zone::default();
    zone.add(&["provider.example", "60", "A", "203.0.113.10"]);
    rig.zone = Some(zone);
    if !by_phone {
        let register = format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKreg\r\nFrom: <sip:alice@10.0.0.1>;tag=r\r\n\
             To: <sip:alice@10.0.0.1>\r\nCall-ID: reg\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@{PHONE}>\r\n\r\n"
        );
        rig.datagram(Side::Lan, PHONE.parse().unwrap(), register.as_bytes());
        assert_eq!(rig.engine.usage().bindings, 1);
    }
    rig.wait(Duration::from_secs(1));
    rig
}

/// The SIP messages among outputs.
fn messages(outputs: Vec<Output>) -> Vec<(Channel, SocketAddr, Vec<u8>)> {
    let sent = outputs.into_iter().filter_map(|output| match output {
        Output::Sent { via, to, bytes } => Some((via, to, bytes)),
        _ => None,
    });
    sent.filter(|(.., bytes)| !bytes.iter().all(|byte| b"\r\n".contains(byte))).collect()
}

/// What in a text may be replaced: addresses of the LAN, our own, what is sealed, tokens.
fn addresses(text: &[u8]) -> usize {
    let marks: [&[u8]; 5] = [b"10.0.0.", OUR_WAN, b".x", b".y", b"sx="];
    marks.iter().map(|mark| text.windows(mark.len()).filter(|w| w == mark).count()).sum()
}

/// `text` with each address of the LAN replaced by ours on the WAN.
fn scrubbed(text: &[u8], way: Way) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let length = if way.hides && way.to_wan { private_address_at(text, at) } else { None };
        match length {
            Some(length) => {
                out.extend_from_slice(OUR_WAN);
                at += length;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Whether an address of the LAN may be in `text` in another spelling than [`addresses`] knows; what becomes of it is told by the
/// golden cases.
fn may_be_spelled_otherwise(text: &[u8]) -> bool {
    const OTHERS: [&[u8]; 4] = [b"a00:", b"10_0_0_", b"10-0-0-", b"ba.a.a."];
    let count = |text: &[u8], what: &[u8]| text.windows(what.len()).filter(|w| *w == what).count();
    let known = |text: &[u8]| (0..text.len()).filter(|at| private_address_at(text, *at).is_some()).count();
    // With `%01` an escape it may be none, and one with that as two of its zeros and digits.
    [true, false].into_iter().any(|unescape| {
        let plain = without_zeros(text, unescape);
        known(&plain) != known(text) || OTHERS.iter().any(|other| count(&plain, other) > 0)
    })
}

/// `text` in lower case, without zeros in front of its numbers, and without escapes where that is asked for.
fn without_zeros(text: &[u8], unescape: bool) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = text
            .get(at + 1..at + 3)
            .filter(|_| unescape && *byte == b'%')
            .and_then(|hex| core::str::from_utf8(hex).ok());
        let escaped = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = escaped.unwrap_or(*byte).to_ascii_lowercase();
        let is_number = |plain: &[u8]| plain.last().is_some_and(u8::is_ascii_digit);
        if byte.is_ascii_digit() && plain.last() == Some(&b'0') && !is_number(&plain[..plain.len() - 1]) {
            plain.pop();
        }
        plain.push(byte);
        at += if escaped.is_some() { 3 } else { 1 };
    }
    plain
}

/// Whether a header names a dialog or a phone: what an address of the LAN or a token in there becomes is told by the golden cases.
fn names_something(message: &Message<'_>, header: &Header) -> bool {
    const OTHERS: [&str; 9] = [
        "Join",
        "Target-Dialog",
        "In-Reply-To",
        "P-Called-Party-ID",
        "Remote-Party-ID",
        "Reply-To",
        "Alert-Info",
        "Call-Info",
        "Error-Info",
    ];
    let name = message.get(header.name);
    NAMING.contains(&header.id) || OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// Whether the body may be one that is understood and rewritten, or have such a part.
fn is_understood(message: &Message<'_>) -> bool {
    let kinds: [&[u8]; 5] = [b"sdp", b"multipart/", b"xml", b"message/sip", b"message-summary"];
    message.headers().iter().filter(|header| header.id == HeaderId::ContentType).any(|header| {
        let value = message.get(header.value).to_ascii_lowercase();
        kinds.iter().any(|kind| value.windows(kind.len()).any(|w| w == *kind))
    })
}

/// Whether a Content-Type is one of what people read: `text`, with a subtype.
fn is_text(content_type: &[u8]) -> bool {
    let name = content_type.split(|b| *b == b';').next().unwrap_or_default();
    let mut halves = name.splitn(2, |b| *b == b'/').map(<[u8]>::trim_ascii);
    halves.next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"text"))
        && halves.next().is_some_and(|sub| !sub.is_empty())
}

/// The lines of `passed` but for those in `written` are those of `sent`, in their order, and so is the body.
fn same(sent: &Message<'_>, passed: &Message<'_>, written: &[HeaderId], way: Way) {
    let text = passed.bytes().escape_ascii().to_string();
    let understood = is_understood(sent);
    let body_is_text = sent.value(HeaderId::ContentType).is_some_and(is_text);
    let body = scrubbed(sent.get(sent.body()), Way { hides: way.hides && !body_is_text, ..way });
    let is_body_known = !understood && !may_be_spelled_otherwise(sent.get(sent.body()));
    let same_length = body == sent.get(sent.body());
    let is_other = |header: &&Header| match header.id {
        HeaderId::ContentLength => same_length && is_body_known,
        HeaderId::ContentType => !understood,
        id => !written.contains(&id),
    };
    let before: Vec<&Header> = sent.headers().iter().filter(is_other).collect();
    let mut after: Vec<&Header> = passed.headers().iter().filter(is_other).collect();
    for id in ADDED.into_iter().filter(|id| sent.header(*id).is_none()) {
        after.retain(|header| header.id != id);
    }
    assert_eq!(before.len(), after.len(), "lines of {text}");
    for (b, a) in before.into_iter().zip(after) {
        let (line, value) = (sent.get(b.line), sent.get(b.value));
        if (names_something(sent, b) && addresses(value) > 0) || may_be_spelled_otherwise(value) {
            continue;
        }
        let credentials = [HeaderId::Authorization, HeaderId::ProxyAuthorization].contains(&b.id);
        let value = if credentials { value.to_vec() } else { scrubbed(value, way) };
        let start = usize::from(b.value.start - b.line.start);
        let end = usize::from(b.value.end - b.line.start);
        let wanted = [&line[..start], &value, &line[end..]].concat();
        assert_eq!(wanted.escape_ascii().to_string(), passed.get(a.line).escape_ascii().to_string(), "in {text}");
    }
    if is_body_known {
        assert_eq!(body.escape_ascii().to_string(), passed.get(passed.body()).escape_ascii().to_string(), "{text}");
    }
}

fn request_passed(request: &Message<'_>, passed: &[u8], way: Way) {
    let mut copy = passed.to_vec();
    let passed = Message::parse(&mut copy).unwrap_or_else(|e| panic!("{e:?} in {}", passed.escape_ascii()));
    let mut written = WRITTEN.to_vec();
    if !way.to_wan {
        written.push(HeaderId::RecordRoute);
    }
    same(request, &passed, &written, way);
    let (StartLine::Request { name: before, uri, .. }, StartLine::Request { name: after, uri: passed_uri, .. }) =
        (request.start(), passed.start())
    else {
        panic!("no request: {}", passed.bytes().escape_ascii());
    };
    assert_eq!(request.get(before), passed.get(after));
    if way.to_wan && request.header(HeaderId::Route).is_none() && !may_be_spelled_otherwise(request.get(uri)) {
        let uri = scrubbed(request.get(uri), way);
        assert_eq!(uri.escape_ascii().to_string(), passed.get(passed_uri).escape_ascii().to_string());
    }
    let vias = |message: &Message<'_>| message.elements(HeaderId::Via).count();
    let wanted = if way.hides && way.to_wan { 1 } else { vias(request) + 1 };
    assert_eq!(vias(&passed), wanted, "Vias of {}", passed.bytes().escape_ascii());
}

/// A 200 to the request as it was `passed`, with what the request had besides, and with its body.
fn answer(request: &Message<'_>, passed: &[u8]) -> Vec<u8> {
    let mut copy = passed.to_vec();
    let passed = Message::parse(&mut copy).unwrap();
    let mut answer = b"SIP/2.0 200 OK\r\n".to_vec();
    for header in passed.headers().iter().filter(|header| COPIED.contains(&header.id)) {
        let line = passed.get(header.line);
        let has_tag = NameAddr::parse(passed.bytes(), header.value).is_ok_and(|to| to.tag(passed.bytes()).is_some());
        if header.id == HeaderId::To && !has_tag {
            let end = usize::from(header.value.end - header.line.start);
            answer.extend([&line[..end], b";tag=far\r\n"].concat());
        } else {
            answer.extend(line);
        }
    }
    // A body that is encoded is cut out on the way to the WAN, with the line that says so.
    let described = is_understood(request) || request.header(HeaderId::ContentEncoding).is_some();
    let others = request.headers().iter().filter(|header| match header.id {
        HeaderId::ContentType | HeaderId::ContentEncoding => !described,
        id => ![&COPIED[..], &NOT_ANSWERED].concat().contains(&id),
    });
    others.for_each(|header| answer.extend(request.get(header.line)));
    let body = if described { b"" } else { request.get(request.body()) };
    answer.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
    answer.extend(body);
    answer
}

fn value<'m>(message: &'m Message<'_>, id: HeaderId) -> &'m [u8] {
    message.value(id).unwrap_or_default()
}

/// What the sender of `request` gets for `answer`: his own Vias, From, To, Call-ID and CSeq, and all else as it was sent.
fn answer_passed(request: &Message<'_>, answer: &[u8], passed: &[u8], way: Way) {
    let (mut answer, mut passed) = (answer.to_vec(), passed.to_vec());
    let answer = Message::parse(&mut answer).unwrap();
    let passed = Message::parse(&mut passed).unwrap();
    let mut written = COPIED.to_vec();
    written.extend([HeaderId::RecordRoute, HeaderId::Contact]);
    same(&answer, &passed, &written, way);
    dialog(request, &passed);
}

/// The headers that an answer has of its request.
fn dialog(request: &Message<'_>, answer: &Message<'_>) {
    let text = answer.bytes().escape_ascii().to_string();
    for id in [HeaderId::From, HeaderId::CallId, HeaderId::CSeq] {
        let (wanted, found) = (value(request, id), value(answer, id));
        assert_eq!(wanted.escape_ascii().to_string(), found.escape_ascii().to_string(), "{id:?} of {text}");
    }
    // Of To, the tag is the far end's.
    let line = value(request, HeaderId::To);
    let end = NameAddr::parse(line, Span::from_usize(0, line.len())).map_or(line.len(), |to| to.params.start.into());
    assert!(value(answer, HeaderId::To).starts_with(&line[..end]), "To of {text}");
    let vias = |message: &Message<'_>| -> Vec<Vec<u8>> {
        message.elements(HeaderId::Via).map(|via| message.get(via.span).to_vec()).collect()
    };
    let (before, after) = (vias(request), vias(answer));
    assert_eq!(before.len(), after.len(), "Vias of {text}");
    assert_eq!(before.get(1..), after.get(1..), "Vias of {text}");
    let first = |message: &Message<'_>| -> Option<(Vec<u8>, Vec<u8>, Option<u16>)> {
        let span = message.elements(HeaderId::Via).next()?.span;
        let via = Via::parse(message.bytes(), span).ok()?;
        let branch = via.branch(message.bytes()).unwrap_or_default();
        Some((message.get(via.host).to_vec(), branch.to_vec(), via.port))
    };
    // Behind a quote that is not closed, the parameter that says where it came from is no parameter.
    if !before.first().is_some_and(|via| via.contains(&b'"')) {
        assert_eq!(first(request), first(answer), "first Via of {text}");
    }
}

/// An answer of the engine's own to a request that it could read.
fn own_answer(request: &Message<'_>, answer: &[u8]) {
    let mut copy = answer.to_vec();
    let answer = Message::parse(&mut copy).unwrap_or_else(|e| panic!("{e:?} in {}", answer.escape_ascii()));
    // What cannot be read is copied as far as it can.
    if !matches!(answer.start(), StartLine::Response { status: 400 | 505, .. }) {
        dialog(request, &answer);
    }
}
