//! `plugin_shortdial`: short numbers stand for long ones.
//!
//! A short number begins as `plugin_shortdial_akey` does and is as long; the rest of it is the number of an entry, from 1. With the key
//! `*00` those are `*01` to `*99`.

use super::number::called;
use super::{At, Did, Hook};
use crate::sip::edit::{EditError, Edits};
use crate::sip::lex::number;
use crate::sip::uri::Scheme;

pub(super) struct ShortDial;

impl Hook for ShortDial {
    fn target(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let settings = at.settings();
        let Some((uri, user)) = called(at).and_then(|uri| Some((uri, uri.user?))) else { return Ok(Did::Nothing) };
        let entry = entry_of(settings.short_dial_key.as_bytes(), user.of(at.bytes()));
        let Some(entry) = entry.and_then(|entry| settings.short_dial.lines().nth(entry)) else {
            return Ok(Did::Nothing);
        };
        match entry.split_once('@') {
            None => edits.replace(user, entry.as_bytes())?,
            Some(_) if uri.scheme == Scheme::Tel => edits.replace_fmt(uri.whole, format_args!("sip:{entry}"))?,
            Some((number, host)) => {
                edits.replace(user, number.as_bytes())?;
                edits.replace(uri.hostport, host.as_bytes())?;
            }
        }
        Ok(Did::Changed)
    }
}

/// Which entry is dialled, from 0.
fn entry_of(key: &[u8], user: &[u8]) -> Option<usize> {
    let (first, digits) = user.split_first()?;
    if user.len() != key.len() || key.first() != Some(first) {
        return None;
    }
    usize::try_from(number(digits, u16::MAX.into())?).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_short_number() {
        for (key, user, entry) in [
            ("*00", "*01", Some(0)),
            ("*00", "*99", Some(98)),
            ("*00", "*00", None),
            ("*00", "*1", None),
            ("*00", "*001", None),
            ("*00", "#01", None),
            ("*00", "**1", None),
            ("*00", "", None),
            ("", "", None),
            ("", "1", None),
            ("70", "79", Some(8)),
            ("*", "*", None),
        ] {
            assert_eq!(entry_of(key.as_bytes(), user.as_bytes()), entry, "{key} {user}");
        }
    }
}
