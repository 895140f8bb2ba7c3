//! The end of calls, of sections, and of their relays.

use crate::engine::call::Digest;
use crate::engine::counters::Count;
use crate::engine::hang_up::Why;
use crate::engine::io::{Leg, LegCounters, RelayCmd, Sink};
use crate::engine::{Engine, verdict};
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;

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
                c.answered_at = now;
                c.callee_tag = response.to_tag;
                let names = &c.names;
                log::info!(target: class::SIP, "call from {} to {} answered", names[0].escape_ascii(), names[1].escape_ascii());
                self.counters.add(Count::CallsAnswered);
                self.calls.forget_early(call);
            }
            Method::Invite if !is_success && !c.answered && response.number == c.invite_number => {
                // Which is how nearly every call begins.
                c.was_challenged = matches!(response.status, 401 | 407);
                let why = if c.was_challenged { "asked for a password" } else { "not answered" };
                self.end_call(call, format_args!("{why} ({})", response.status), now, out);
            }
            Method::Invite | Method::Update | Method::Prack if !is_success => {
                self.discard_pending(call, response.asked_by, now, out);
            }
            // In an early dialog it ends that one alone; the INVITE is answered all the same (RFC 3261 §15).
            Method::Bye if c.answered && (is_success || matches!(response.status, 408 | 481)) => {
                self.end_call(call, format_args!("hung up"), now, out);
            }
            // Refused, or asked for a password: it goes on.
            Method::Bye => c.bye_at = None,
            _ => {}
        }
    }

    /// Ends a call: every relay is closed, every port given back, and the verdict told.
    pub(in crate::engine) fn end_call(
        &mut self,
        handle: Handle,
        why: fmt::Arguments<'_>,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        // The section whose quality is told: the first with RTP, else the first.
        let mut told: Option<[LegCounters; 2]> = None;
        let sections = self.calls.calls.get(handle).map_or(0, |c| c.relays.len());
        for number in 0..sections {
            let legs = self.close_section(handle, number, out);
            let is_rtp = |legs: &[LegCounters; 2]| legs.iter().any(|leg| leg.heard.packets > 0);
            if told.is_none_or(|told| !is_rtp(&told) && is_rtp(&legs)) {
                told = Some(legs);
            }
        }
        if let Some(call) = self.calls.remove(handle) {
            self.counters.add(Count::CallsEnded);
            if call.past.fault.is_some() {
                self.counters.add(Count::CallsAtFault);
            }
            verdict::log_call_end(&call, why, &told.unwrap_or_default(), now);
            // The same call comes again, with a password.
            if !call.was_challenged {
                self.end_hooks(&call, why, now);
                self.history.note(&call, why, now);
            }
        }
    }

    /// Closes one section; what it came to is kept in its call.
    pub(super) fn close_section(&mut self, call: Handle, number: usize, out: &mut dyn Sink) -> [LegCounters; 2] {
        let Some(c) = self.calls.calls.get_mut(call) else { return Default::default() };
        let Some(handle) = c.relays.get_mut(number).and_then(Option::take) else { return Default::default() };
        let Some(relay) = self.calls.relays.remove(handle) else { return Default::default() };
        for (side, port) in relay.sides.iter().zip(relay.ports) {
            self.calls.ports.give_back(*side, port);
        }
        let legs = out.relay(RelayCmd::Close { relay: handle }).unwrap_or_default();
        for (leg, counted) in legs.iter().enumerate() {
            c.past.packets[leg] = c.past.packets[leg].saturating_add(counted.packets);
            c.past.bytes[leg] = c.past.bytes[leg].saturating_add(counted.bytes);
            c.past.strangers = c.past.strangers.saturating_add(counted.strangers);
        }
        if c.answered {
            c.past.fault = verdict::graver(c.past.fault, verdict::judge(&relay, &legs, c.answered_at, c.bye_at));
        }
        legs
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
        // Who holds says nothing, and need not as long as the parties keep their session (RFC 4028).
        let is_held = self.calls.relays.get(relay).is_some_and(|relay| relay.held() != [false; 2]);
        if is_held && now < c.refreshed_until {
            return;
        }
        if !others && self.settings().rtp_timeout_bye {
            self.hang_up(call, Why::NoMedia, now, out);
            return;
        }
        if !others {
            return self.end_call(call, format_args!("no media for rtp_timeout seconds"), now, out);
        }
        if let Some(number) = c.relays.iter().position(|h| *h == Some(relay)) {
            self.close_section(call, number, out);
        }
    }
}
