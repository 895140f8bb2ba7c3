//! The call that a message belongs to, or begins.

use crate::engine::Engine;
use crate::engine::body::description;
use crate::engine::call::{Between, Call, Found, NO_INVITE, Name, Past};
use crate::engine::cause::Cause;
use crate::engine::counters::Count;
use crate::engine::io::{Leg, Side};
use crate::engine::message::Received;
use crate::limits::MAX_CALLS;
use crate::sip::Method;
use crate::span::Span;
use crate::time::Instant;
use core::net::IpAddr;

impl Engine {
    /// Whom a message is between. `call_id` is the Call-ID as the LAN sees it.
    pub(in crate::engine) fn between(
        &self,
        received: &Received<'_>,
        call_id: &[u8],
        sender: (Side, IpAddr),
        receiver: (Side, IpAddr),
    ) -> Between {
        let msg = received.msg;
        let digest = |tag: Span| {
            let from_wan = (sender.0, receiver.0) == (Side::Wan, Side::Lan);
            let written = msg.get(tag);
            let tag = self.tag_without_mark(received, tag).filter(|_| from_wan).unwrap_or(written);
            let on_lan = self.lan_tag(tag, sender.0, receiver.0, receiver.1);
            self.key.hash("call", &[call_id, on_lan.as_deref().unwrap_or(tag)])
        };
        let head = &received.head;
        Between {
            by_from: digest(head.from_tag),
            by_to: (!head.to_tag.is_empty()).then(|| digest(head.to_tag)),
            sender_is_from: !received.request_uri().is_empty(),
            sender,
            receiver,
        }
    }

    /// The call of a request, made for an offer where there is none yet, and whether it was made now. A retransmission
    /// whose call is over gets none.
    pub(in crate::engine) fn call_of_request(
        &mut self,
        received: &Received<'_>,
        between: &Between,
        is_retransmission: bool,
        now: Instant,
    ) -> Result<(Option<Found>, bool), Cause> {
        if !self.settings().rtp_proxy_enable {
            return Ok((None, false));
        }
        let head = &received.head;
        let found = self.calls.find(between, &self.transactions);
        // An UPDATE with an offer is one of the messages that a call is first heard of by, after a restart (RFC 3311 §5.1).
        let in_dialog = !head.to_tag.is_empty();
        let updates = head.method == Method::Update && in_dialog && description(received.msg).is_some();
        if head.method != Method::Invite && (found.is_some() || !updates) {
            return Ok((found, false));
        }
        if let Some(found) = found {
            if let Some(call) = self.calls.calls.get_mut(found.call)
                && !call.answered
                && found.sender == Leg::Caller
            {
                call.invite_number = head.cseq.number;
            }
            return Ok((Some(found), false));
        }
        if is_retransmission {
            return Ok((None, false));
        }
        if self.calls.calls.len() >= self.settings().max_calls.min(MAX_CALLS) {
            let idle = self.calls.find_without_media().ok_or(Cause::CallsFull)?;
            self.calls.remove(idle);
        }
        let name = |addr: Span| {
            let text = received.msg.get(addr);
            Name::from_slice(text.get(..text.len().min(64)).unwrap_or_default()).unwrap_or_default()
        };
        // An offer with a To tag and no call is in a dialog that began before we did: its sender counts as the caller.
        let call = Call {
            digest: between.by_from,
            sides: [between.sender.0, between.receiver.0],
            parties: [between.sender.1, between.receiver.1],
            answered: in_dialog,
            answered_at: now,
            bye_at: None,
            was_challenged: false,
            rings: false,
            past: Past::default(),
            forked: false,
            callee_tag: between.by_to,
            early_tag: None,
            caller_offered: false,
            invite_number: if in_dialog { NO_INVITE } else { head.cseq.number },
            relays: heapless::Vec::new(),
            started: now,
            refreshed_until: Instant::ZERO,
            halves: Default::default(),
            names: [name(head.from.uri), name(head.to.uri)],
            call_id: name(head.call_id),
        };
        let handle = self.calls.insert(call).ok_or(Cause::CallsFull)?;
        self.shortages.over(Cause::CallsFull);
        self.counters.add(Count::Calls);
        Ok((Some(Found { call: handle, sender: Leg::Caller, same_dialog: true, callee: between.by_to }), true))
    }
}
