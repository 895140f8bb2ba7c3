//! `plugin_codecfilter`: codecs are taken out of session descriptions.

use super::{At, Did, Hook};
use crate::engine::body::{Kind, find_part};
use crate::sdp::{Description, codecs};
use crate::sip::edit::{EditError, Edits};

pub(super) struct CodecFilter;

impl Hook for CodecFilter {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let (msg, words) = (at.received.msg, &at.settings().codecs);
        let mut unwanted = |name: &[u8]| words.lines().any(|word| contains(name, word.as_bytes()));
        let mut result = Ok(());
        find_part(msg, &mut |kind, part| {
            if matches!(kind, Kind::Description | Kind::EarlySession)
                && let Ok(sdp) = Description::parse(msg.bytes(), part)
            {
                result = codecs::strip(msg.bytes(), &sdp, &mut unwanted, edits);
            }
            result.is_err()
        });
        result.map(|()| if edits.is_empty() { Did::Nothing } else { Did::Changed })
    }
}

/// Whether a word is in a name, in any case.
fn contains(name: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}
