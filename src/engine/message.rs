//! A received message with all that every pipeline needs of it, read once.

use super::guard::Origin;
use super::io::Channel;
use crate::sip::addr::NameAddr;
use crate::sip::cseq::CSeq;
use crate::sip::message::Element;
use crate::sip::via::Via;
use crate::sip::{HeaderId, Message, Method, StartLine};
use crate::span::Span;
use core::net::SocketAddr;

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
        if let StartLine::Request { name, .. } = msg.start()
            && msg.get(name) != msg.get(cseq.name)
        {
            return Err("CSeq names another method than the request");
        }
        Ok(Self { method: msg.method(), cseq, call_id, from, from_tag, to, to_tag, via, via_element })
    }

    fn party(msg: &Message<'_>, id: HeaderId) -> Option<(NameAddr, Span)> {
        let addr = NameAddr::parse(msg.bytes(), msg.header(id)?.value).ok()?;
        let tag = addr.param(msg.bytes(), b"tag").and_then(|p| p.value).unwrap_or_default();
        Some((addr, tag))
    }
}

/// A message on its way through the engine.
#[derive(Debug)]
pub(super) struct Received<'m> {
    pub(super) msg: &'m Message<'m>,
    pub(super) head: Head,
    /// The socket it came to; answers leave by the same.
    pub(super) on: Channel,
    pub(super) from: SocketAddr,
    pub(super) origin: Origin,
}

impl<'m> Received<'m> {
    /// Where answers to this request go: to the packet's source address, never to one that it names. To the source port
    /// if the Via asks for it or the packet came from the WAN, else to the port of sent-by (RFC 3261 §18.2.2, RFC 3581 §4).
    /// Over TCP they take the connection; this is where a new one goes if it is gone.
    pub(super) fn reply_to(&self) -> SocketAddr {
        let bytes = self.msg.bytes();
        let asked = self.origin != Origin::Phone || self.head.via.param(bytes, b"rport").is_some();
        let symmetric = asked && !self.on.is_reliable();
        let port =
            if symmetric { self.from.port() } else { self.head.via.port.unwrap_or(crate::sip::uri::DEFAULT_PORT) };
        SocketAddr::new(self.from.ip(), port)
    }

    /// The branch of the topmost Via as text, empty where it has none.
    pub(super) fn branch_text(&self) -> &'m [u8] {
        self.head.via.branch(self.msg.bytes()).unwrap_or_default()
    }

    /// The method as written, for log lines.
    pub(super) fn method_name(&self) -> core::slice::EscapeAscii<'m> {
        self.msg.get(self.head.cseq.name).escape_ascii()
    }

    /// The request-URI; an empty span for a response.
    pub(super) fn request_uri(&self) -> Span {
        match self.msg.start() {
            StartLine::Request { uri, .. } => uri,
            StartLine::Response { .. } => Span::default(),
        }
    }
}
