//! The end of calls, of sections, and of their relays.

use crate::engine::call::Digest;
use crate::engine::io::{Leg, LegCounters, RelayCmd, Sink};
use crate::engine::{Engine, log_call_end};
use crate::log_class as class;
use crate::sip::Method;
use crate::table::Handle;
use crate::time::Instant;

/// A final response, as far as media is concerned.
pub(in crate::engine) struct CallResponse {
    pub(in crate::engine) method: Method,
    pub(in crate::engine) status: u16,
    /// CSeq number.
    pub(in crate::engine) number: u32,
    /// Keyed hash of Call-ID and To tag.
    pub(in crate::engine) to_tag: Option<Digest>,
    /// The leg of the request's sender.
    pub(in crate::engine) asked_by: Option<Leg>,
}

impl Engine {
    /// A final response to a request of this call: what becomes of its media. `number` and `to_tag` are the response's.
    pub(in crate::engine) fn call_answered(
        &mut self,
        call: Handle,
        response: &CallResponse,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Some(c) = self.calls.calls.get_mut(call) else { return };
        let is_success = (200..300).contains(&response.status);
        match response.method {
            Method::Invite if is_success && !c.answered => {
                c.answered = true;
                c.callee_tag = response.to_tag;
                let names = &c.names;
                log::info!(target: class::SIP, "call from {} to {} answered", names[0].escape_ascii(), names[1].escape_ascii());
            }
            Method::Invite if !is_success && !c.answered && response.number == c.invite_number => {
                self.end_call(call, "not answered", now, out);
            }
            Method::Invite | Method::Update | Method::Prack if !is_success => {
                self.discard_pending(call, response.asked_by, now, out);
            }
            // In an early dialog it ends that one alone; the INVITE is answered all the same (RFC 3261 §15).
            Method::Bye if c.answered && (is_success || matches!(response.status, 408 | 481)) => {
                self.end_call(call, "hung up", now, out);
            }
            _ => {}
        }
    }

    /// Ends a call: every relay is closed, every port given back.
    pub(in crate::engine) fn end_call(&mut self, handle: Handle, why: &str, now: Instant, out: &mut dyn Sink) {
        let mut total = [LegCounters::default(); 2];
        let sections = self.calls.calls.get(handle).map_or(0, |c| c.relays.len());
        for number in 0..sections {
            let counted = self.close_section(handle, number, out);
            for (sum, leg) in total.iter_mut().zip(counted) {
                sum.packets = sum.packets.saturating_add(leg.packets);
                sum.bytes = sum.bytes.saturating_add(leg.bytes);
                sum.strangers = sum.strangers.saturating_add(leg.strangers);
            }
        }
        if let Some(call) = self.calls.remove(handle) {
            log_call_end(&call, why, total, now);
        }
    }

    pub(super) fn close_section(&mut self, call: Handle, number: usize, out: &mut dyn Sink) -> [LegCounters; 2] {
        let Some(place) = self.calls.calls.get_mut(call).and_then(|c| c.relays.get_mut(number)) else {
            return Default::default();
        };
        let Some(handle) = place.take() else { return Default::default() };
        self.close_relay(handle, out)
    }

    fn close_relay(&mut self, handle: Handle, out: &mut dyn Sink) -> [LegCounters; 2] {
        let Some(relay) = self.calls.relays.remove(handle) else { return Default::default() };
        for (side, port) in relay.sides.iter().zip(relay.ports) {
            self.calls.ports.give_back(*side, port);
        }
        out.relay(RelayCmd::Close { relay: handle }).unwrap_or_default()
    }

    /// A relay has carried nothing for `rtp_timeout`: it is closed, and with the last one its call. While it rings there need be no
    /// media.
    pub(in crate::engine) fn media_idle(&mut self, relay: Handle, now: Instant, out: &mut dyn Sink) {
        let Some(call) = self.calls.relays.get(relay).map(|r| r.call) else { return };
        let Some(c) = self.calls.calls.get(call) else { return };
        if !c.answered && self.transactions.awaits_answer(call) {
            return;
        }
        let others = c.relays.iter().flatten().any(|h| *h != relay);
        if !others {
            return self.end_call(call, "no media for rtp_timeout seconds", now, out);
        }
        if let Some(number) = c.relays.iter().position(|h| *h == Some(relay)) {
            self.close_section(call, number, out);
        }
    }
}
