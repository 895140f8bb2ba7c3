//! `plugin_regex`: numbers called are rewritten by regular expressions, the first that matches.

use super::number::called;
use super::{At, Did, Hook, Text};
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::{Scheme, Uri};
use crate::span::Span;

pub(super) struct Regex;

impl Hook for Regex {
    fn target(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let rules = &at.settings().regex;
        let Some(uri) = called(at) else { return Ok(Did::Nothing) };
        let text = uri.whole.of(at.bytes());
        let Some((number, _)) = rules.first_match(text, 0) else { return Ok(Did::Nothing) };
        let mut new = Text::new();
        rules.apply(number, text, &mut new)?;
        if new == text {
            return Ok(Did::Looked);
        }
        let is_uri = Uri::parse(&new, Span::from_usize(0, new.len()))
            .is_ok_and(|uri| uri.scheme != Scheme::Other && uri.headers.is_empty());
        if !is_uri {
            log::warn!(target: class::SIP, "rule {} of plugin_regex makes no SIP URI of {}", number + 1, text.escape_ascii());
            return Ok(Did::Looked);
        }
        edits.replace(uri.whole, &new).map(|()| Did::Changed)
    }
}
