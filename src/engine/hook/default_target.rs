//! `plugin_defaulttarget`: a call for somebody who is not registered is redirected to somebody else.

use super::{At, Hook, Unknown};
use crate::log_class::{self as class, log};
use crate::sip::Method;

pub(super) struct DefaultTarget;

impl Hook for DefaultTarget {
    fn unknown<'a>(&self, at: &At<'a>) -> Unknown<'a> {
        let (settings, head) = (at.settings(), &at.received.head);
        let is_call = head.method == Method::Invite && head.to_tag.is_empty();
        if !is_call || settings.default_target.is_empty() {
            return Unknown::Pass;
        }
        if settings.default_target_log {
            let [from, to] = [head.from.uri, head.to.uri].map(|uri| uri.of(at.bytes()).escape_ascii());
            log::info!(target: class::SIP, "call from {from} ({}) to {to} goes to {}", at.received.from, settings.default_target);
        }
        Unknown::Redirect(settings.default_target.as_bytes())
    }
}
