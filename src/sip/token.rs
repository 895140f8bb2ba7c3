//! Sealed tokens: small secrets that we hand out and recognise when they come back, with no table behind them.
//!
//! A token is a keyed checksum and the enciphered content, in lower-case base32 (RFC 4648 §6 alphabet in lower case, no
//! padding), because URI parameters compare without case (RFC 3261 §19.1.4). The same content gives the same token for
//! as long as the key lives, also over a restart. It cannot be forged or read without the key.

use sha2::{Digest as _, Sha256};

/// Bytes of content that one token holds at most.
pub const MAX_CONTENT: usize = 24;
/// Characters of the longest token.
pub const MAX_TEXT: usize = 48;
/// Bytes of checksum in a token. Guessing goes over the network, one packet a try: 2^48 tries take a year at nine
/// million a second.
const MAC: usize = 6;
/// Bytes of SHA-256.
const DIGEST: usize = 32;

const _: () = assert!(MAX_CONTENT <= DIGEST, "one digest is the whole key stream");
const _: () = assert!((MAC + MAX_CONTENT) * 8 <= MAX_TEXT * 5);

/// A token as text.
pub type Text = heapless::String<MAX_TEXT>;
/// A token's content.
pub type Content = heapless::Vec<u8, MAX_CONTENT>;

/// The key of all tokens, branches and tags of this instance; kept beside the registration file.
#[derive(Clone, Copy)]
pub struct Key([u8; 32]);

impl core::fmt::Debug for Key {
    /// Keeps the key out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A key from 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A keyed hash over `parts`, each preceded by its length so that they cannot run together; `label` keeps one use apart from another.
    #[must_use]
    pub fn hash(&self, label: &str, parts: &[&[u8]]) -> [u8; 16] {
        let digest = self.digest("hash", label, parts);
        *digest.first_chunk().unwrap_or(&[0; 16])
    }

    /// Seals up to [`MAX_CONTENT`] bytes under `label`; longer content gives an empty text.
    #[must_use]
    pub fn seal(&self, label: &str, content: &[u8]) -> Text {
        if content.len() > MAX_CONTENT {
            return Text::new();
        }
        let mac = self.mac(label, content);
        let enciphered = content.iter().zip(self.stream(label, &mac)).map(|(byte, key)| byte ^ key);
        encode(mac.into_iter().chain(enciphered))
    }

    /// Opens a token sealed under `label`; `None` for anything else. Case does not matter.
    #[must_use]
    pub fn open(&self, label: &str, text: &[u8]) -> Option<Content> {
        let bytes = decode(text)?;
        let (mac, enciphered) = bytes.split_first_chunk::<MAC>()?;
        let content: Content = enciphered.iter().zip(self.stream(label, mac)).map(|(byte, key)| byte ^ key).collect();
        let wanted = self.mac(label, &content);
        // Every byte is compared, so that the time taken does not tell how many were right.
        let difference = mac.iter().zip(wanted).fold(0, |all, (a, b)| core::hint::black_box(all | (a ^ b)));
        (difference == 0).then_some(content)
    }

    fn mac(&self, label: &str, content: &[u8]) -> [u8; MAC] {
        *self.digest("mac", label, &[content]).first_chunk().unwrap_or(&[0; MAC])
    }

    /// The key stream, which hangs on the checksum and so on the content (RFC 5297 has the construction's name: SIV).
    fn stream(&self, label: &str, mac: &[u8; MAC]) -> [u8; DIGEST] {
        self.digest("stream", label, &[mac])
    }

    /// No caller gives all of a digest away, which is what a length extension would need.
    fn digest(&self, purpose: &str, label: &str, parts: &[&[u8]]) -> [u8; DIGEST] {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        let labels = [purpose.as_bytes(), label.as_bytes()];
        for part in labels.iter().chain(parts) {
            hasher.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// `bytes` in lower-case hexadecimal; those beyond the sixteenth are left out.
#[must_use]
pub fn hex(bytes: &[u8]) -> heapless::String<32> {
    let nibbles = bytes.iter().take(16).flat_map(|b| [b >> 4, b & 0xF]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

/// RFC 4648 §6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

fn encode(bytes: impl Iterator<Item = u8>) -> Text {
    let mut text = Text::new();
    let mut push = |five: u16| {
        let letter = ALPHABET.get(usize::from(five & 31)).copied().unwrap_or_default();
        let fits = text.push(char::from(letter)).is_ok();
        debug_assert!(fits, "the text holds the longest content");
    };
    // `bits` low bits of `held` wait to be written.
    let (mut held, mut bits) = (0u16, 0u16);
    for byte in bytes {
        held = (held << 8) | u16::from(byte);
        bits = bits.saturating_add(8);
        while let Some(left) = bits.checked_sub(5) {
            push(held.checked_shr(left.into()).unwrap_or(0));
            bits = left;
        }
    }
    if bits > 0 {
        push(held.checked_shl(5u32.saturating_sub(bits.into())).unwrap_or(0));
    }
    text
}

fn decode(text: &[u8]) -> Option<heapless::Vec<u8, { MAC + MAX_CONTENT }>> {
    let mut bytes = heapless::Vec::new();
    let (mut held, mut bits) = (0u16, 0u16);
    for letter in text {
        let letter = letter.to_ascii_lowercase();
        let five = ALPHABET.iter().position(|&known| known == letter)?;
        held = (held << 5) | u16::try_from(five).ok()?;
        bits = bits.saturating_add(5);
        if let Some(left) = bits.checked_sub(8) {
            let [_, byte] = held.checked_shr(left.into())?.to_be_bytes();
            bytes.push(byte).ok()?;
            bits = left;
        }
    }
    // A second spelling of the same bytes is a forgery: what is left over are the zero bits that `encode` put there.
    let left_over = held & 1u16.checked_shl(bits.into())?.checked_sub(1)?;
    (bits < 5 && left_over == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = Key::new([7; 32]);

    #[test]
    fn base32_is_rfc_4648s() {
        for (plain, text) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq")] {
            assert_eq!(encode(plain.bytes()), text);
            assert_eq!(decode(text.as_bytes()).unwrap(), plain.as_bytes());
        }
        assert_eq!(encode("foobar".bytes()), "mzxw6ytboi");
        for bad in ["m", "mz", "mzxw6y", "mzx", "m1", "my======", "mzxw6ytboia"] {
            assert!(decode(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let hash = |label, parts: &[&[u8]]| KEY.hash(label, parts);
        assert_eq!(hash("a", &[b"bc", b"d"]), hash("a", &[b"bc", b"d"]));
        assert_ne!(hash("a", &[b"bc", b"d"]), hash("a", &[b"b", b"cd"]));
        assert_ne!(hash("a", &[b"b"]), hash("ab", &[]));
        assert_ne!(hash("a", &[b"b"]), hash("b", &[b"b"]));
        assert_ne!(hash("a", &[]), Key::new([8; 32]).hash("a", &[]));
    }

    #[test]
    fn seals_differ_by_label_and_key_and_have_a_ceiling() {
        let text = KEY.seal("binding", b"12345678");
        assert_eq!(KEY.open("via", text.as_bytes()), None);
        assert_eq!(Key::new([8; 32]).open("binding", text.as_bytes()), None);
        assert_eq!(KEY.seal("binding", &[0; MAX_CONTENT]).len(), MAX_TEXT);
        assert!(KEY.seal("binding", &[0; MAX_CONTENT + 1]).is_empty());
        assert_eq!(KEY.open("binding", b""), None);
        assert_eq!(KEY.open("binding", &[b'a'; 1000]), None);
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(&[0, 0x1F, 0xAB]), "001fab");
        assert_eq!(hex(&[0xFF; 20]).len(), 32);
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed(content in proptest::collection::vec(any::<u8>(), 0..=MAX_CONTENT)) {
            let text = KEY.seal("x", &content);
            prop_assert!(!text.is_empty());
            prop_assert_eq!(KEY.open("x", text.as_bytes()).unwrap(), &content[..]);
            prop_assert_eq!(KEY.open("x", text.to_ascii_uppercase().as_bytes()).unwrap(), &content[..]);
        }

        #[test]
        fn refuses_what_was_tampered_with(
            content in proptest::collection::vec(any::<u8>(), 0..=MAX_CONTENT),
            at in any::<proptest::sample::Index>(),
            letter in proptest::sample::select(&ALPHABET[..]),
        ) {
            let mut text = KEY.seal("x", &content).into_bytes();
            let at = at.index(text.len());
            prop_assume!(text[at] != letter);
            text[at] = letter;
            prop_assert_eq!(KEY.open("x", &text), None);
        }
    }
}
