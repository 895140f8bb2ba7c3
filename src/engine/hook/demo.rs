//! `plugin_demo`: a text in the log for each call that is begun. It is the example of how a hook is written (`CONTRIBUTING.md`).

use super::{At, Did, Hook};
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::{Method, StartLine};

pub(super) struct Demo;

impl Hook for Demo {
    fn before(&self, at: &At<'_>, _: &mut Edits) -> Result<Did, EditError> {
        let head = &at.received.head;
        let is_request = matches!(at.received.msg.start(), StartLine::Request { .. });
        if !is_request || head.method != Method::Invite || !head.to_tag.is_empty() || at.is_repeated() {
            return Ok(Did::Nothing);
        }
        log::info!(target: class::SIP, "demo: {}: INVITE from {}", at.settings().demo, at.received.from);
        Ok(Did::Looked)
    }
}
