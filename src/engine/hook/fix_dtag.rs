//! `plugin_fix_DTAG`: a response from listed networks whose Via is not ours is taken all the same.
//!
//! Such a response has a Via of the sender's own in place of the one that the request had. The request is found by Call-ID, From tag and
//! CSeq among those that wait for an answer from that very server; its branch is put back.

use super::{At, Did, Hook, Received};
use crate::engine::guard::Origin;
use crate::engine::hide::Way;
use crate::engine::transaction::Transaction;
use crate::engine::{Engine, branch};
use crate::host::Host;
use crate::sip::StartLine;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::parse_ip;
use crate::span::Span;

pub(super) struct FixDtag;

impl Hook for FixDtag {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let (received, via) = (at.received, &at.received.head.via);
        if !at.engine.is_stray(received) {
            return Ok(Did::Nothing);
        }
        let Some(t) = at.engine.transaction_of_stray(received) else { return Ok(Did::Looked) };
        let text = branch::text(&t.key, t.attempt, &t.loop_part);
        match via.param(at.bytes(), b"branch").and_then(|param| param.value) {
            Some(value) => edits.replace(value, text.as_bytes())?,
            None => edits.replace_fmt(Span::at(via.sent_by.end), format_args!(";branch={text}"))?,
        }
        Ok(Did::Changed)
    }
}

impl Engine {
    /// Whether a response has the Via of one whose request is to be found by other means. Its sender may be a stranger: a registrar is one
    /// until it has answered.
    fn is_stray(&self, received: &Received<'_>) -> bool {
        let networks = &self.hooks.settings.dtag;
        let is_listed = |ip| networks.iter().any(|network| network.contains(ip));
        matches!(received.msg.start(), StartLine::Response { .. })
            && received.origin != Origin::Phone
            && is_listed(received.from.host())
            && parse_ip(received.head.via.host.of(received.msg.bytes())).is_some_and(is_listed)
            && self.way_by_transaction(received).is_none()
    }

    /// Whether a response is one that this hook makes good.
    pub(super) fn is_awaited_stray(&self, received: &Received<'_>) -> bool {
        self.is_stray(received) && self.transaction_of_stray(received).is_some()
    }

    /// The transaction of a response, by what else identifies its request.
    fn transaction_of_stray(&self, received: &Received<'_>) -> Option<&Transaction> {
        let head = &received.head;
        let tag = received.msg.get(head.from_tag);
        let has_tag = |t: &Transaction| {
            let text = &t.stored.text;
            let from = NameAddr::parse(text, t.stored.from).ok();
            from.and_then(|from| from.param(text, b"tag")?.value).is_some_and(|value| value.of(text) == tag)
        };
        // Telling the phone's Call-ID from ours is the only costly part, and comes last.
        let has_call_id = |t: &Transaction| {
            let mapped = self.mapped(received, &self.secrets(t.upstream.host()), Way::ToLan).ok().flatten();
            t.stored.call_id.of(&t.stored.text) == mapped.as_deref().unwrap_or(received.msg.get(head.call_id))
        };
        let is_its = |t: &Transaction| {
            t.from_phone
                && t.method == head.cseq.method
                && t.downstream.host() == received.from.host()
                && t.stored.cseq(&t.stored.text) == Some(head.cseq.number)
                && has_tag(t)
                && has_call_id(t)
        };
        self.transactions.get(self.transactions.slab.find(is_its)?)
    }
}
