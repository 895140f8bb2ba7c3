//! A SIP message, and what is read from it on demand.

use siproxd::limits::MAX_EDITS;
use siproxd::sip::addr::NameAddr;
use siproxd::sip::edit::Edits;
use siproxd::sip::reply::Reply;
use siproxd::sip::uri::Uri;
use siproxd::sip::via::Via;
use siproxd::sip::{HeaderId, Message, StartLine, params};
use siproxd::span::Span;

const LISTS: [HeaderId; 6] =
    [HeaderId::Via, HeaderId::Contact, HeaderId::Route, HeaderId::RecordRoute, HeaderId::From, HeaderId::To];

/// Parses a message; what is read lies in it, edits that change nothing give the same bytes, and so does what is parsed
/// again; an answer to it is a message.
pub fn message(data: &[u8]) {
    let mut bytes = data.to_vec();
    let whole = Message::parse(&mut bytes).is_ok();
    assert_eq!(bytes, data, "the parser changed the bytes");
    let Ok((msg, fault)) = Message::parse_head(&mut bytes) else {
        assert!(!whole);
        return;
    };
    assert_eq!(whole, fault.is_none());
    let bytes = msg.bytes();
    assert!(data.starts_with(bytes));
    assert_eq!(usize::from(msg.body().end), bytes.len());
    assert!(usize::from(msg.end_of_headers()) <= usize::from(msg.body().start));

    if let StartLine::Request { uri, .. } = msg.start() {
        read_uri(bytes, uri);
    }
    let _ = (msg.method(), msg.cseq());
    for id in LISTS {
        for element in msg.elements(id) {
            assert!(inside(element.span, element.cut) || element.span.is_empty(), "{element:?}");
            read_element(bytes, id, element.span);
        }
    }
    identity(&msg);
    deletion(&msg);
    answer(&msg);
}

fn inside(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn read_uri(bytes: &[u8], span: Span) {
    if let Ok(uri) = Uri::parse(bytes, span) {
        let _ = (uri.ip(bytes), uri.param(bytes, b"transport"), uri.param(bytes, b"sx"));
    }
}

fn read_element(bytes: &[u8], id: HeaderId, span: Span) {
    if id == HeaderId::Via {
        if let Ok(via) = Via::parse(bytes, span) {
            let _ = (via.branch(bytes), via.param(bytes, b"received"));
            let mut edits = Edits::new();
            // A Via may say `received` more often than there is room for edits.
            if via.fill_received(bytes, "[2001:db8::1]:5061".parse().unwrap(), &mut edits).is_err() {
                return;
            }
            let filled = edits.parts(bytes).concat();
            assert!(filled.len() >= bytes.len().saturating_sub(span.len()));
        }
        return;
    }
    if let Ok(address) = NameAddr::parse(bytes, span) {
        let _ = (address.tag(bytes), address.param(bytes, b"expires"));
    }
    read_uri(bytes, span);
    for param in params::iter(bytes, span) {
        if let Some(value) = param.value {
            let _ = params::unquoted(bytes, value);
        }
    }
}

/// Every line replaced by itself gives the message as it was, which parses to the same lines.
fn identity(msg: &Message<'_>) {
    let mut edits = Edits::new();
    assert_eq!(edits.parts(msg.bytes()).concat(), msg.bytes());
    for header in msg.headers().iter().take(MAX_EDITS) {
        assert!(inside(header.name, header.line) && inside(header.value, header.line));
        if edits.replace(header.line, msg.get(header.line)).is_err() {
            break;
        }
    }
    let mut written = edits.parts(msg.bytes()).concat();
    assert_eq!(written, msg.bytes());
    let (again, _) = Message::parse_head(&mut written).unwrap();
    assert_eq!(again.headers().len(), msg.headers().len());
    assert_eq!((again.body(), again.start_line()), (msg.body(), msg.start_line()));
}

/// What is deleted is gone, and nothing else.
fn deletion(msg: &Message<'_>) {
    for id in LISTS {
        let all: Vec<&[u8]> = msg.elements(id).map(|element| msg.get(element.span)).collect();
        for odd in [0, 1] {
            let mut edits = Edits::new();
            let mut number = 0;
            let deleted = msg.delete_elements(id, &mut edits, |_| {
                number += 1;
                number % 2 == odd
            });
            if deleted.is_err() {
                continue;
            }
            let kept: Vec<&[u8]> =
                all.iter().enumerate().filter(|(at, _)| (at + 1) % 2 != odd).map(|(_, element)| *element).collect();
            let mut written = edits.parts(msg.bytes()).concat();
            let (again, _) = Message::parse_head(&mut written).unwrap();
            let left: Vec<&[u8]> = again.elements(id).map(|element| again.get(element.span)).collect();
            assert_eq!(left, kept, "{id:?}, every second one deleted");
        }
    }
}

/// An answer copies what it must, and can be read.
fn answer(msg: &Message<'_>) {
    let from = "192.0.2.4:5062".parse().unwrap();
    if !matches!(msg.start(), StartLine::Request { .. }) {
        return;
    }
    if let Ok(mut reply) = Reply::to_malformed(msg, from, 400, "Bad Request", "tag") {
        let _ = reply.finish();
    }
    let Ok(mut reply) = Reply::new(msg, from, 404, "Not Found", "tag") else { return };
    let Ok(reply) = reply.finish() else { return };
    let mut reply = reply.to_vec();
    let reply = Message::parse(&mut reply).unwrap();
    assert_eq!(reply.value(HeaderId::CallId), msg.value(HeaderId::CallId));
    assert_eq!(reply.elements(HeaderId::Via).count(), msg.elements(HeaderId::Via).count());
}
