//! `plugin_prefix`: digits before each number that is called.

use super::number::called;
use super::{At, Did, Hook};
use crate::sip::edit::{EditError, Edits};
use crate::span::Span;

pub(super) struct Prefix;

impl Hook for Prefix {
    fn target(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let prefix = &at.settings().prefix;
        let Some((uri, user)) = called(at).and_then(|uri| Some((uri, uri.user?))) else { return Ok(Did::Nothing) };
        // The phones in the house have no prefix.
        let is_here =
            at.engine.is_own_uri(at.bytes(), &uri) || at.engine.phone_of_masked(at.bytes(), &uri, at.now).is_some();
        if prefix.is_empty() || is_here {
            return Ok(Did::Nothing);
        }
        edits.replace(Span::at(user.start), prefix.as_bytes()).map(|()| Did::Changed)
    }
}
