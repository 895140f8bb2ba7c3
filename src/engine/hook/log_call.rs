//! `plugin_logcall`: a line in the log for each INVITE, ACK, BYE and CANCEL, and one for the end of each call.

use super::{At, Did, Hook};
use crate::engine::call::Call;
use crate::engine::guard::Origin;
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::Uri;
use crate::sip::{Method, StartLine};
use crate::span::Span;
use crate::time::Instant;
use core::fmt;

pub(super) struct LogCall;

impl Hook for LogCall {
    fn before(&self, at: &At<'_>, _: &mut Edits) -> Result<Did, EditError> {
        let (received, head) = (at.received, &at.received.head);
        let is_request = matches!(received.msg.start(), StartLine::Request { .. });
        let is_outgoing = received.origin == Origin::Phone;
        let label = match head.method {
            Method::Invite if is_outgoing => "Outgoing call",
            Method::Invite => "Incoming call",
            Method::Ack => "Acknowledging call",
            Method::Bye | Method::Cancel => "Ending call",
            _ => return Ok(Did::Nothing),
        };
        let is_new = head.method == Method::Ack || !at.is_repeated();
        if !is_request || !is_new {
            return Ok(Did::Nothing);
        }
        let [from, to, request] = [head.from.uri, head.to.uri, received.request_uri()].map(|uri| bare(at.bytes(), uri));
        let [from, to, request] = [from, to, request].map(<[u8]>::escape_ascii);
        let call_id = received.msg.get(head.call_id).escape_ascii();
        log::info!(target: class::SIP, "{label}: {from} -> {to} [Req: {request}] [IP: {}] [CID: {call_id}]", received.from);
        Ok(Did::Looked)
    }

    fn ended(&self, call: &Call, why: fmt::Arguments<'_>, now: Instant) -> Did {
        let [from, to] = call.names.each_ref().map(|name| bare(name, Span::from_usize(0, name.len())).escape_ascii());
        let (secs, call_id) =
            (call.answered_since().map_or(0, |since| now.since(since).as_secs()), call.call_id.escape_ascii());
        match call.past.fault {
            Some(fault) => {
                log::info!(target: class::SIP, "Call ended: {from} -> {to} [{secs} s] [{why}] [{fault}] [CID: {call_id}]");
            }
            None => log::info!(target: class::SIP, "Call ended: {from} -> {to} [{secs} s] [{why}] [CID: {call_id}]"),
        }
        Did::Looked
    }
}

/// The `user@host` of a URI.
fn bare(bytes: &[u8], uri: Span) -> &[u8] {
    match Uri::parse(bytes, uri) {
        Ok(parsed) => Span::new(parsed.user.map_or(parsed.host.start, |user| user.start), parsed.host.end).of(bytes),
        Err(_) => uri.of(bytes),
    }
}
