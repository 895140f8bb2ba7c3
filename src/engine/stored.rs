//! What is kept of a request for as long as its transaction lives: the headers that answers copy (RFC 3261 §8.2.6.2).

use super::message::Received;
use crate::limits::MAX_HIDDEN;
use crate::sip::HeaderId;
use crate::sip::addr::NameAddr;
use crate::span::Span;

/// An answer made from [`Stored`].
pub(super) type Reply = heapless::Vec<u8, { MAX_HIDDEN + 512 }>;

/// The headers that answers copy, as text, with the places of those that are put back into responses.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// `Via: …` lines, then From, Call-ID, CSeq and last To, each with its line end.
    pub(super) text: heapless::Vec<u8, MAX_HIDDEN>,
    /// The Via lines.
    pub(super) vias: Span,
    /// Values, without name and line end.
    pub(super) from: Span,
    pub(super) call_id: Span,
    pub(super) to: Span,
}

impl Stored {
    /// Keeps what answers to a request copy: its Vias, From, To, Call-ID and CSeq. `None` where it does not fit.
    pub(super) fn of(received: &Received<'_>) -> Option<Self> {
        let msg = received.msg;
        let head = &received.head;
        let mut stored = Self::default();
        let text = &mut stored.text;
        for element in msg.elements(HeaderId::Via) {
            text.extend_from_slice(b"Via: ").ok()?;
            if element.line == head.via_element.line && element.index == 0 {
                head.via.write_received(msg.bytes(), received.from, text).ok()?;
            } else {
                text.extend_from_slice(msg.get(element.span)).ok()?;
            }
            text.extend_from_slice(b"\r\n").ok()?;
        }
        stored.vias = Span::from_usize(0, text.len());
        let mut line = |name: &[u8], value: &[u8]| {
            text.extend_from_slice(name).ok()?;
            let start = text.len();
            text.extend_from_slice(value).ok()?;
            let span = Span::from_usize(start, text.len());
            text.extend_from_slice(b"\r\n").ok()?;
            Some(span)
        };
        let value = |id| msg.value(id).unwrap_or_default();
        stored.from = line(b"From: ", value(HeaderId::From))?;
        stored.call_id = line(b"Call-ID: ", msg.get(head.call_id))?;
        line(b"CSeq: ", value(HeaderId::CSeq))?;
        stored.to = line(b"To: ", value(HeaderId::To))?;
        Some(stored)
    }

    /// Keeps the Call-ID alone, to be put back into responses.
    pub(super) fn call_id_only(received: &Received<'_>) -> Option<Self> {
        let mut stored = Self::default();
        stored.text.extend_from_slice(received.msg.get(received.head.call_id)).ok()?;
        stored.call_id = Span::from_usize(0, stored.text.len());
        Some(stored)
    }

    /// The CSeq number.
    pub(super) fn cseq(&self, text: &[u8]) -> Option<u32> {
        // Between Call-ID and To: `CSeq: 1 INVITE`.
        let line = Span::new(self.call_id.end, self.to.start).of(text).trim_ascii_start();
        let value = line.strip_prefix(b"CSeq: ")?;
        crate::sip::cseq::CSeq::parse(value, Span::from_usize(0, value.iter().position(|b| *b == b'\r')?))
            .map(|cseq| cseq.number)
    }

    /// An answer of our own to the request, written long after it is gone.
    pub(super) fn reply(&self, status: u16, reason: &str, warning: Option<&str>, to_tag: &str) -> Option<Reply> {
        use core::fmt::Write as _;
        let mut reply = Reply::new();
        let mut head = heapless::String::<64>::new();
        write!(head, "SIP/2.0 {status} {reason}\r\n").ok()?;
        reply.extend_from_slice(head.as_bytes()).ok()?;
        reply.extend_from_slice(self.text.strip_suffix(b"\r\n")?).ok()?;
        let to = NameAddr::parse(&self.text, self.to).ok()?;
        if to.param(&self.text, b"tag").is_none() {
            reply.extend_from_slice(b";tag=").ok()?;
            reply.extend_from_slice(to_tag.as_bytes()).ok()?;
        }
        reply.extend_from_slice(b"\r\n").ok()?;
        if let Some(text) = warning {
            reply.extend_from_slice(b"Warning: 399 siproxd \"").ok()?;
            reply.extend_from_slice(text.as_bytes()).ok()?;
            reply.extend_from_slice(b"\"\r\n").ok()?;
        }
        reply.extend_from_slice(b"Content-Length: 0\r\n\r\n").ok()?;
        Some(reply)
    }
}
