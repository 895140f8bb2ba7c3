//! Timer C: an INVITE that rings for too long (RFC 3261 §16.6 step 11, §16.8).
//!
//! ```text
//!   INVITE ──▶ 180 … three minutes without a word ──▶ our CANCEL ──▶ 487, passed on to the caller
//!                                                        └── 32 s of silence ──▶ our 408 to the caller
//! ```
//! The CANCEL is that which the caller could have sent: it is made from what an answer to the INVITE would copy, and goes the way of
//! any CANCEL. Its answer ends here, since the caller has asked for nothing.

use super::Engine;
use super::guard::Origin;
use super::hop::Hop;
use super::io::Sink;
use super::message::{Head, Received};
use super::transaction::Transaction;
use crate::limits::{MAX_HIDDEN, MAX_URI};
use crate::log_class::{self as class, log};
use crate::sip::Message;
use crate::sip::edit::Edits;
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt::Write as _;

/// A CANCEL: what is stored, a request-URI, and three lines.
type Cancel = heapless::Vec<u8, { MAX_HIDDEN + MAX_URI + 128 }>;

impl Engine {
    /// Cancels every INVITE that has rung for too long.
    pub(super) fn cancel_what_rings(&mut self, now: Instant, out: &mut dyn Sink) {
        while let Some(handle) = self.transactions.next_ringing_too_long(now) {
            if let Some(t) = self.transactions.get(handle) {
                log::info!(target: class::SIP, "INVITE from {} to {} rings for too long: cancelled", t.upstream, t.downstream);
            }
            if self.send_cancel(handle, now, out).is_none() {
                log::warn!(target: class::SIP, "an INVITE that rings for too long cannot be cancelled: too much of it to be kept");
            }
        }
    }

    /// Sends the CANCEL of an INVITE. `None` where too little of the INVITE was kept.
    pub(super) fn send_cancel(&mut self, handle: Handle, now: Instant, out: &mut dyn Sink) -> Option<()> {
        let t = self.transactions.get(handle)?;
        let mut text = cancel(t)?;
        let (key, upstream_on, upstream) = (t.key, t.upstream_on, t.upstream);
        let origin = if t.from_phone { Origin::Phone } else { Origin::Known };
        let hop = Hop::of_invite(t);
        let (msg, _) = Message::parse_head(&mut text).ok()?;
        let head = Head::read(&msg).ok()?;
        let received = Received {
            msg: &msg,
            head,
            original: msg.bytes(),
            on: upstream_on,
            from: upstream,
            origin,
            meant_for: None,
        };
        if let Err(cause) = self.write_and_send(&received, &hop, key, None, &mut Edits::new(), now, out) {
            log::info!(target: class::SIP, "CANCEL to {} not sent: {}", hop.to, cause.remedy());
        }
        if let Some(cancel) = self.transactions.find(&key, true) {
            self.transactions.remove(cancel);
        }
        Some(())
    }
}

/// The CANCEL of an INVITE as its sender would write it (RFC 3261 §9.1), with the request-URI that the INVITE left with.
fn cancel(t: &Transaction) -> Option<Cancel> {
    let stored = &t.stored;
    let bytes = &stored.text;
    let via = stored.vias.of(bytes).split_inclusive(|byte| *byte == b'\n').next()?;
    let between = Span::new(stored.call_id.end, stored.to.start).of(bytes);
    let number = between.split(u8::is_ascii_whitespace).find(|word| word.first().is_some_and(u8::is_ascii_digit))?;
    let mut cancel = Cancel::new();
    cancel.extend_from_slice(b"CANCEL ").ok()?;
    if t.request_uri.is_empty() {
        // It was too long to be kept. The next hop goes by the branch.
        write!(cancel, "sip:{}", t.downstream).ok()?;
    } else {
        cancel.extend_from_slice(&t.request_uri).ok()?;
    }
    cancel.extend_from_slice(b" SIP/2.0\r\n").ok()?;
    cancel.extend_from_slice(via).ok()?;
    cancel.extend_from_slice(Span::new(stored.vias.end, stored.call_id.end).of(bytes)).ok()?;
    cancel.extend_from_slice(b"\r\nCSeq: ").ok()?;
    cancel.extend_from_slice(number).ok()?;
    cancel.extend_from_slice(b" CANCEL\r\nTo: ").ok()?;
    cancel.extend_from_slice(stored.to.of(bytes)).ok()?;
    cancel.extend_from_slice(b"\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").ok()?;
    Some(cancel)
}
