//! `plugin_fix_DTAG`: a response from listed networks whose Via is not ours is taken all the same.
//!
//! Such a response has a Via of the sender's own in place of the one that the request had. The request is found by Call-ID, From tag and
//! CSeq among those that wait for an answer from that very server; its branch is put back.

use super::{At, Did, Hook};
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
        let is_response = matches!(received.msg.start(), StartLine::Response { .. });
        let named = parse_ip(via.host.of(at.bytes()));
        let networks = &at.settings().dtag;
        let is_listed = |ip| networks.iter().any(|network| network.contains(ip));
        if !is_response
            || received.origin != Origin::Known
            || !is_listed(received.from.host())
            || !named.is_some_and(is_listed)
            || at.engine.way_by_transaction(received).is_some()
        {
            return Ok(Did::Nothing);
        }
        let Some(t) = at.engine.transaction_of_stray(at) else { return Ok(Did::Looked) };
        let text = branch::text(&t.key, t.attempt, &t.loop_part);
        match via.param(at.bytes(), b"branch").and_then(|param| param.value) {
            Some(value) => edits.replace(value, text.as_bytes())?,
            None => edits.replace_fmt(Span::at(via.sent_by.end), format_args!(";branch={text}"))?,
        }
        Ok(Did::Changed)
    }
}

impl Engine {
    /// The transaction of a response, by what else identifies its request.
    fn transaction_of_stray(&self, at: &At<'_>) -> Option<&Transaction> {
        let (received, head) = (at.received, &at.received.head);
        let tag = at.received.msg.get(head.from_tag);
        let is_its = |t: &Transaction| {
            let text = &t.stored.text;
            let from = NameAddr::parse(text, t.stored.from).ok();
            let mapped = self.mapped(received, &self.secrets(t.upstream.host()), Way::ToLan).ok().flatten();
            let call_id = mapped.as_deref().unwrap_or(received.msg.get(head.call_id));
            t.from_phone
                && t.method == head.cseq.method
                && t.downstream.host() == received.from.host()
                && t.stored.call_id.of(text) == call_id
                && from.and_then(|from| from.param(text, b"tag")?.value).is_some_and(|value| value.of(text) == tag)
                && t.stored.cseq(text) == Some(head.cseq.number)
        };
        self.transactions.get(self.transactions.slab.find(is_its)?)
    }
}
