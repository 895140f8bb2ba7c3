//! `plugin_regex_body`: bodies are rewritten by regular expressions, by each rule in its turn.

use super::{At, Did, Hook, MAX_TEXT, Text};
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};

pub(super) struct RegexBody;

impl Hook for RegexBody {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let rules = &at.settings().regex_body;
        let body = at.received.msg.body();
        let before = body.of(at.bytes());
        if before.is_empty() || rules.is_empty() {
            return Ok(Did::Nothing);
        }
        let Ok(mut text) = Text::from_slice(before) else {
            log::warn!(target: class::SIP, "plugin_regex_body passes over a body of {} bytes: it reads {MAX_TEXT}", before.len());
            return Ok(Did::Looked);
        };
        let (mut new, mut matches) = (Text::new(), false);
        for rule in 0..rules.len() {
            if rules.apply(rule, &text, &mut new)? {
                matches = true;
                core::mem::swap(&mut text, &mut new);
            }
        }
        match matches {
            false => Ok(Did::Nothing),
            true if text == before => Ok(Did::Looked),
            true => edits.replace(body, &text).map(|()| Did::Changed),
        }
    }
}
