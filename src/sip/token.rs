//! Sealed tokens: small secrets that we hand out and recognise when they come back, with no table behind them.
//!
//! A token is a keyed checksum and the enciphered content, in lower-case base32 (RFC 4648 §6 alphabet in lower case, no
//! padding), because URI parameters compare without case (RFC 3261 §19.1.4). The same content gives the same token for
//! as long as the key lives, also over a restart. It cannot be forged or read without the key.

/// Bytes of content that one token holds at most.
pub const MAX_CONTENT: usize = 24;
/// Characters of the longest token.
pub const MAX_TEXT: usize = 48;

/// A token as text.
pub type Text = heapless::String<MAX_TEXT>;
/// A token's content.
pub type Content = heapless::Vec<u8, MAX_CONTENT>;

/// The key of all tokens, branches and tags of this instance; kept beside the registration file.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// A keyed hash over `parts`, each preceded by its length so that they cannot run together; `label` keeps one use apart from another.
    #[must_use]
    pub fn hash(&self, _label: &str, _parts: &[&[u8]]) -> [u8; 16] {
        todo!()
    }
    /// Seals up to [`MAX_CONTENT`] bytes under `label`; longer content gives an empty text.
    #[must_use]
    pub fn seal(&self, _label: &str, _content: &[u8]) -> Text {
        todo!()
    }
    /// Opens a token sealed under `label`; `None` for anything else.
    #[must_use]
    pub fn open(&self, _label: &str, _text: &[u8]) -> Option<Content> {
        todo!()
    }
}
