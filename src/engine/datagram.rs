//! From bytes to a request or a response, and the answer to what is neither.

use super::cause::Cause;
use super::counters::Count;
use super::guard::Origin;
use super::io::{Channel, Side, Sink};
use super::message::{self, Head, Provenance, Received};
use super::{Engine, keepalive};
use crate::log_class::{self as class, log};
use crate::sip::message::ParseError;
use crate::sip::reply::Reply;
use crate::sip::uri::Uri;
use crate::sip::via::Via;
use crate::sip::{HeaderId, Message, Method, StartLine};
use crate::time::Instant;
use core::net::SocketAddr;

impl Engine {
    /// Takes a message that has been admitted.
    pub(super) fn datagram(&mut self, provenance: Provenance, bytes: &mut [u8], now: Instant, out: &mut dyn Sink) {
        let Provenance { on, interface, from, meant_for } = provenance;
        let mut origin = self.origin(interface, from);
        if keepalive::is_keepalive(bytes) {
            if let Some(pong) = keepalive::pong(bytes)
                && (origin == Origin::Phone || (on.is_reliable() && origin == Origin::Known))
            {
                // A pong that is lost costs nothing: the phone pings again.
                let _ = out.send(on, from, &[pong]);
            }
            return;
        }
        let length = if origin == Origin::Stranger { None } else { self.undo_strict_route(bytes) };
        let length = length.unwrap_or(bytes.len());
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        let (msg, fault) = match Message::parse_head(bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.counters.add(Count::Unreadable);
                log::debug!(target: class::SIP, "datagram from {from} dropped: {error:?}");
                return;
            }
        };
        if origin == Origin::Stranger && self.has_our_token(&msg) {
            origin = Origin::Known;
            self.end_trial(on);
        }
        if origin == Origin::Known && matches!(msg.start(), StartLine::Request { method: Method::Register, .. }) {
            log::warn!(target: class::ACL, "REGISTER from {from} on the WAN dropped: phones register from the LAN");
            return;
        }
        let head = match fault {
            Some(ParseError::Version) => Err(Cause::Version),
            Some(ParseError::ContentLength) => Err(Cause::Malformed("Content-Length does not fit the body")),
            Some(_) => Err(Cause::Malformed("there is no empty line behind the headers")),
            None => Head::read(&msg).map_err(Cause::Malformed),
        };
        let head = match head {
            Ok(head) => head,
            Err(cause) => return self.malformed(&msg, on, from, origin, cause, out),
        };
        let received = Received { msg: &msg, head, original: msg.bytes(), on, from, origin, meant_for };
        if !self.has_hooks_for(&received, now) || !self.through_hooks(&received, interface, now, out) {
            self.dispatch(&received, interface, now, out);
        }
    }

    /// Takes a message that its hooks have had.
    pub(super) fn dispatch(&mut self, received: &Received<'_>, interface: Side, now: Instant, out: &mut dyn Sink) {
        self.note_contact(received);
        match received.msg.start() {
            StartLine::Request { .. } => {
                self.counters.add(Count::Requests);
                self.request(received, interface, now, out);
            }
            StartLine::Response { .. } => {
                self.counters.add(Count::Responses);
                self.response(received, now, out);
            }
        }
    }

    /// Whether a request-URI is one that we handed out: whoever has it may use it.
    fn has_our_token(&self, msg: &Message<'_>) -> bool {
        let StartLine::Request { uri, .. } = msg.start() else { return false };
        Uri::parse(msg.bytes(), uri).is_ok_and(|uri| self.place_in(msg.bytes(), &uri).is_some())
    }

    /// A request that cannot be read: it is answered as far as it has what an answer must copy.
    fn malformed(
        &mut self,
        msg: &Message<'_>,
        on: Channel,
        from: SocketAddr,
        origin: Origin,
        cause: Cause,
        out: &mut dyn Sink,
    ) {
        self.counters.refuse(cause);
        log::info!(target: class::SIP, "message from {from} dropped: {}", cause.remedy());
        let StartLine::Request { method, .. } = msg.start() else { return };
        if origin == Origin::Stranger || method == Method::Ack {
            return;
        }
        let wording = cause.wording(origin == Origin::Phone);
        let hash = self.key.hash("to-tag", &[msg.bytes()]);
        let tag = crate::sip::token::hex(&hash[..8]);
        if let Ok(mut reply) = Reply::to_malformed(msg, from, wording.status, wording.reason, &tag)
            && wording
                .warning
                .is_none_or(|text| reply.header("Warning", format_args!("399 siproxd \"{text}\"")).is_ok())
            && let Ok(bytes) = reply.finish()
        {
            let via = msg.elements(HeaderId::Via).next().and_then(|top| Via::parse(msg.bytes(), top.span).ok());
            let to = via.map_or(from, |via| message::reply_to(msg.bytes(), &via, from, origin));
            // Nothing else can be done for a request like this one.
            let _ = out.send(on, to, &[bytes]);
        }
    }
}
