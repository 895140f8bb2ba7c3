//! Domain names in text form.

use crate::limits::MAX_NAME;
use domain::base::name::{Label, ToLabelIter};

/// Bytes of the longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A host or service name in lower case without the final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(heapless::Vec<u8, MAX_NAME>);

impl Name {
    /// Takes a name of at most 253 bytes from letters, digits, `-` and `_`, with or without a final dot.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        let label = |label: &[u8]| (1..=MAX_LABEL).contains(&label.len()) && label.iter().all(is_name_byte);
        if !text.split(|byte| *byte == b'.').all(label) {
            return None;
        }
        let mut name: heapless::Vec<u8, MAX_NAME> = heapless::Vec::from_slice(text).ok()?;
        name.make_ascii_lowercase();
        Some(Self(name))
    }

    /// `prefix` and `host` as one name, `_sip._udp.` before `example.net`.
    pub(super) fn service(prefix: &[u8], host: &[u8]) -> Option<Self> {
        let mut text: heapless::Vec<u8, { MAX_NAME + 1 }> = heapless::Vec::from_slice(prefix).ok()?;
        text.extend_from_slice(host).ok()?;
        Self::parse(&text)
    }

    /// Takes a name from a record. The root, which is how a record says "nowhere" (RFC 2782), is none.
    pub(super) fn of_record(name: &impl ToLabelIter) -> Option<Self> {
        let mut text = heapless::Vec::<u8, { MAX_NAME + 1 }>::new();
        for label in name.iter_labels().filter(|label| !Label::is_root(label)) {
            // A dot inside a label would pass for one between labels.
            if !label.as_slice().iter().all(is_name_byte) {
                return None;
            }
            text.extend_from_slice(label.as_slice()).ok()?;
            text.push(b'.').ok()?;
        }
        Self::parse(&text)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'.')
    }
}

const fn is_name_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
