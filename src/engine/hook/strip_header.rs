//! `plugin_stripheader`: headers are taken out, whole or one of their values.

use super::{At, Did, Hook};
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::{HeaderId, Message};

pub(super) struct StripHeader;

impl Hook for StripHeader {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let msg = at.received.msg;
        for (line, header) in msg.headers().iter().enumerate() {
            // All values of a line go at once, so that none leaves the comma of the other.
            let values = || wanted(at).filter(|(name, _)| is_named(msg, header, name)).map(|(_, value)| value);
            let is_one = |text: &[u8]| values().flatten().any(|value| text.eq_ignore_ascii_case(value));
            if values().any(|value| value.is_none()) || is_one(msg.get(header.value)) {
                edits.delete(header.line)?;
            } else if values().next().is_some() {
                msg.delete_elements_of(line, header, edits, &mut |element| is_one(msg.get(element.span)))?;
            }
        }
        Ok(if edits.is_empty() { Did::Nothing } else { Did::Changed })
    }
}

/// Each header that is to go, and the value where it is only that one.
fn wanted<'a>(at: &At<'a>) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
    at.settings().stripped.lines().map(|wanted| {
        let (name, value) = wanted.split_once(':').map_or((wanted, None), |(name, value)| (name, Some(value)));
        (name.trim().as_bytes(), value.map(|value| value.trim().as_bytes()))
    })
}

/// The compact forms of headers that the proxy does not look at itself (RFC 3841 §9, RFC 6665 §8.2.2, RFC 8224 §4).
const COMPACT: [(&[u8], &[u8]); 5] = [
    (b"Accept-Contact", b"a"),
    (b"Allow-Events", b"u"),
    (b"Identity", b"y"),
    (b"Reject-Contact", b"j"),
    (b"Request-Disposition", b"d"),
];

/// Whether a header has this name, long or compact.
fn is_named(msg: &Message<'_>, header: &Header, name: &[u8]) -> bool {
    match HeaderId::from_name(name) {
        HeaderId::Other => {
            let long =
                |name| COMPACT.iter().find(|(_, letter)| letter.eq_ignore_ascii_case(name)).map_or(name, |it| it.0);
            header.id == HeaderId::Other && long(msg.get(header.name)).eq_ignore_ascii_case(long(name))
        }
        id => header.id == id,
    }
}

/// Whether SIP works without a header: those that say which message it is, where it goes, what it is about, and who may send it.
#[must_use]
pub fn may_be_stripped(name: &str) -> bool {
    const OTHERS: [&str; 3] = ["RAck", "RSeq", "Subscription-State"];
    let id = HeaderId::from_name(name.as_bytes());
    let is_needed = matches!(
        id,
        HeaderId::Via
            | HeaderId::From
            | HeaderId::To
            | HeaderId::CallId
            | HeaderId::CSeq
            | HeaderId::Contact
            | HeaderId::MaxForwards
            | HeaderId::Route
            | HeaderId::ContentLength
            | HeaderId::ContentType
            | HeaderId::ContentEncoding
            | HeaderId::MinExpires
            | HeaderId::Authorization
            | HeaderId::ProxyAuthorization
            | HeaderId::WwwAuthenticate
            | HeaderId::ProxyAuthenticate
            | HeaderId::Event
            | HeaderId::ReferTo
    );
    !is_needed && !OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}
