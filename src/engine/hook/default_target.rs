//! `plugin_defaulttarget`: a call for somebody who is not registered is redirected to somebody else.

use super::{At, Hook, Unknown};
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::sip::uri::Uri;
use crate::span::Span;

pub(super) struct DefaultTarget;

impl Hook for DefaultTarget {
    fn unknown<'a>(&self, at: &At<'a>) -> Unknown<'a> {
        let (settings, head) = (at.settings(), &at.received.head);
        let is_call = head.method == Method::Invite && head.to_tag.is_empty();
        let target = settings.default_target.as_bytes();
        if !is_call || target.is_empty() || names(target, at) {
            return Unknown::Pass;
        }
        if settings.default_target_log {
            let [from, to] = [head.from.uri, head.to.uri].map(|uri| uri.of(at.bytes()).escape_ascii());
            log::info!(target: class::SIP, "call from {from} ({}) to {to} goes to {}", at.received.from, settings.default_target);
        }
        Unknown::Redirect(target)
    }
}

/// Whether a call is for the target already, which is nobody here: it would be told to call again and again.
fn names(target: &[u8], at: &At<'_>) -> bool {
    let parts =
        |bytes, span| Uri::parse(bytes, span).ok().map(|uri| (uri.user.map(|user| user.of(bytes)), uri.host.of(bytes)));
    let called = parts(at.bytes(), at.received.request_uri());
    called.is_some() && called == parts(target, Span::from_usize(0, target.len()))
}
