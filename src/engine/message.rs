//! A received message with all that every pipeline needs of it, read once.

use super::cause::Cause;
use super::guard::Origin;
use super::io::{Channel, Side};
use crate::host::Host;
use crate::sip::addr::NameAddr;
use crate::sip::cseq::CSeq;
use crate::sip::lex::number;
use crate::sip::message::Element;
use crate::sip::uri::DEFAULT_PORT;
use crate::sip::via::Via;
use crate::sip::{HeaderId, Message, Method, StartLine};
use crate::span::Span;
use core::net::SocketAddr;

/// Max-Forwards of a request that has none (RFC 3261 §16.6 step 3).
pub(super) const DEFAULT_MAX_FORWARDS: u8 = 70;

/// The headers that every message must have (RFC 3261 §8.1.1), parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) cseq: CSeq,
    pub(super) call_id: Span,
    pub(super) from: NameAddr,
    /// Empty where From has no tag (RFC 2543).
    pub(super) from_tag: Span,
    pub(super) to: NameAddr,
    /// Empty where To has no tag.
    pub(super) to_tag: Span,
    /// The topmost Via.
    pub(super) via: Via,
    pub(super) via_element: Element,
}

impl Head {
    /// Reads the head.
    ///
    /// # Errors
    /// What is missing or wrong, in words for a Warning header.
    pub(super) fn read(msg: &Message<'_>) -> Result<Self, &'static str> {
        let bytes = msg.bytes();
        let via_element = msg.elements(HeaderId::Via).next().ok_or("Via is missing")?;
        let via = Via::parse(bytes, via_element.span).map_err(|_| "Via cannot be read")?;
        let call_id = msg.header(HeaderId::CallId).ok_or("Call-ID is missing")?.value;
        if call_id.is_empty() {
            return Err("Call-ID is empty");
        }
        let cseq_line = msg.header(HeaderId::CSeq).ok_or("CSeq is missing")?;
        let cseq = CSeq::parse(bytes, cseq_line.value).ok_or("CSeq cannot be read")?;
        let (from, from_tag) = Self::party(msg, HeaderId::From).ok_or("From is missing or cannot be read")?;
        let (to, to_tag) = Self::party(msg, HeaderId::To).ok_or("To is missing or cannot be read")?;
        if let StartLine::Request { name, .. } = msg.start() {
            if msg.get(name) != msg.get(cseq.name) {
                return Err("CSeq names another method than the request");
            }
            if [from, to].iter().any(|addr| !is_clean(bytes, addr)) {
                return Err("From or To has a comma without quotes, or a blank in its URI");
            }
            if msg.elements(HeaderId::Via).any(|via| msg.get(via.span).starts_with(b";")) {
                return Err("Via has separators with nothing between them");
            }
        }
        Self::check_single(msg)?;
        Ok(Self { method: msg.method(), cseq, call_id, from, from_tag, to, to_tag, via, via_element })
    }

    /// Refuses what is there twice and may not be.
    fn check_single(msg: &Message<'_>) -> Result<(), &'static str> {
        let is_request = matches!(msg.start(), StartLine::Request { .. });
        let mut seen = [false; SINGLE.len()];
        for header in msg.headers() {
            let Some(at) = SINGLE.iter().position(|(id, _)| *id == header.id) else { continue };
            if core::mem::replace(&mut seen[at], true) && (is_request || IN_RESPONSES.contains(&header.id)) {
                return Err(SINGLE[at].1);
            }
        }
        Ok(())
    }

    fn party(msg: &Message<'_>, id: HeaderId) -> Option<(NameAddr, Span)> {
        let addr = NameAddr::parse(msg.bytes(), msg.header(id)?.value).ok()?;
        let tag = addr.param(msg.bytes(), b"tag").and_then(|p| p.value).unwrap_or_default();
        Some((addr, tag))
    }
}

/// The headers that may be there once, since they are no lists (RFC 3261 §7.3.1).
const SINGLE: [(HeaderId, &str); 7] = [
    (HeaderId::From, "From is there twice"),
    (HeaderId::To, "To is there twice"),
    (HeaderId::CallId, "Call-ID is there twice"),
    (HeaderId::CSeq, "CSeq is there twice"),
    (HeaderId::MaxForwards, "Max-Forwards is there twice"),
    (HeaderId::ContentLength, "Content-Length is there twice"),
    (HeaderId::ContentType, "Content-Type is there twice"),
];
/// Those of [`SINGLE`] that tell which request a response answers; no response is lost for the others.
const IN_RESPONSES: [HeaderId; 4] = [HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq];

/// Whether an address has neither of the slips that readers understand in different ways, so that no proxy may pass them on
/// (RFC 4475 §3.1.2.14, §3.1.2.15).
fn is_clean(bytes: &[u8], addr: &NameAddr) -> bool {
    let display = addr.display.of(bytes);
    let is_quoted = display.starts_with(b"\"");
    (is_quoted || !display.contains(&b',')) && !addr.uri.of(bytes).iter().any(u8::is_ascii_whitespace)
}

/// How a message came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Provenance {
    /// The socket or connection it came to.
    pub(super) on: Channel,
    /// The network of the interface it came in by.
    pub(super) interface: Side,
    /// Its source.
    pub(super) from: SocketAddr,
    /// Where it was sent to, if not to us.
    pub(super) meant_for: Option<SocketAddr>,
}

/// A message on its way through the engine.
#[derive(Debug)]
pub(super) struct Received<'m> {
    pub(super) msg: &'m Message<'m>,
    pub(super) head: Head,
    /// Its bytes as they came, before hooks changed it: what comes again, or waits, begins with these.
    pub(super) original: &'m [u8],
    /// The socket it came to; answers leave by the same.
    pub(super) on: Channel,
    pub(super) from: SocketAddr,
    pub(super) origin: Origin,
    /// Where it was sent to, if not to us.
    pub(super) meant_for: Option<SocketAddr>,
}

impl<'m> Received<'m> {
    /// Where answers to this request go. Over TCP they take the connection, and only if it is gone a new one to sent-by.
    pub(super) fn reply_to(&self) -> SocketAddr {
        if self.on.is_reliable() {
            return SocketAddr::new(self.from.host(), self.head.via.port.unwrap_or(DEFAULT_PORT));
        }
        reply_to(self.msg.bytes(), &self.head.via, self.from, self.origin)
    }

    /// Max-Forwards, 70 where it is missing (RFC 3261 §16.6 step 3).
    pub(super) fn max_forwards(&self) -> Result<u8, Cause> {
        const BAD: Cause = Cause::Malformed("Max-Forwards is not a number from 0 to 255");
        match self.msg.value(HeaderId::MaxForwards) {
            None => Ok(DEFAULT_MAX_FORWARDS),
            Some(text) => number(text, u8::MAX.into()).and_then(|left| u8::try_from(left).ok()).ok_or(BAD),
        }
    }

    /// The branch of the topmost Via as text, empty where it has none.
    pub(super) fn branch_text(&self) -> &'m [u8] {
        self.head.via.branch(self.msg.bytes()).unwrap_or_default()
    }

    /// The method as written, for log lines.
    pub(super) fn method_name(&self) -> core::slice::EscapeAscii<'m> {
        self.msg.get(self.head.cseq.name).escape_ascii()
    }

    /// The request-URI as the sender wrote it, by which copies, CANCEL and ACK are known.
    pub(super) fn written_uri(&self) -> &'m [u8] {
        if core::ptr::eq(self.original, self.msg.bytes()) {
            return self.msg.get(self.request_uri());
        }
        self.original.trim_ascii_start().split(|byte| *byte == b' ').nth(1).unwrap_or_default()
    }

    /// The request-URI; an empty span for a response.
    pub(super) fn request_uri(&self) -> Span {
        match self.msg.start() {
            StartLine::Request { uri, .. } => uri,
            StartLine::Response { .. } => Span::default(),
        }
    }
}

/// Where answers to a request with the top Via `via` go: to the packet's source address, never to one that the request names.
/// To the source port if the Via asks for it or the packet came from the WAN, else to the port of sent-by (RFC 3261 §18.2.2,
/// RFC 3581 §4).
pub(super) fn reply_to(bytes: &[u8], via: &Via, from: SocketAddr, origin: Origin) -> SocketAddr {
    let symmetric = origin != Origin::Phone || via.param(bytes, b"rport").is_some();
    let port = if symmetric { from.port() } else { via.port.unwrap_or(DEFAULT_PORT) };
    SocketAddr::new(from.host(), port)
}
