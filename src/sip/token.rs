//! Sealed tokens: small secrets that we hand out and recognise when they come back, with no table behind them.
//!
//! A token is a keyed checksum and the enciphered content, in lower-case base32 (RFC 4648 §6 alphabet in lower case, no
//! padding), because URI parameters compare without case (RFC 3261 §19.1.4). The same content gives the same token for
//! as long as the key lives, also over a restart. It cannot be forged or read without the key.
//!
//! A letter is the same for more content, bound to what it goes with, in base64 (RFC 4648 §5): it comes back in a header that is
//! copied as it is.

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

/// Bytes of content that one letter holds at most.
pub const MAX_LETTER: usize = 320;
/// Characters of the longest letter.
pub const MAX_LETTER_TEXT: usize = 436;

const _: () = assert!((MAC + MAX_LETTER) * 8 <= MAX_LETTER_TEXT * 6);

/// A letter as text.
pub type LetterText = heapless::String<MAX_LETTER_TEXT>;
/// A letter's content.
pub type Letter = heapless::Vec<u8, MAX_LETTER>;

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
        let mut text = Text::new();
        if content.len() <= MAX_CONTENT {
            self.write_sealed(label, &[], content, &BASE32, &mut |letter| text.push(letter).is_ok());
        }
        text
    }

    /// Opens a token sealed under `label`; `None` for anything else. Case does not matter.
    #[must_use]
    pub fn open(&self, label: &str, text: &[u8]) -> Option<Content> {
        let mut bytes = heapless::Vec::<u8, { MAC + MAX_CONTENT }>::new();
        decode(text, &BASE32, &mut |byte| bytes.push(byte).is_ok())?;
        Content::from_slice(self.unseal(label, &[], &mut bytes)?).ok()
    }

    /// Seals up to [`MAX_LETTER`] bytes under `label` for what `context` tells; longer content gives an empty text.
    #[must_use]
    pub fn seal_letter(&self, label: &str, context: &[&[u8]], content: &[u8]) -> LetterText {
        let mut text = LetterText::new();
        if content.len() <= MAX_LETTER {
            self.write_sealed(label, context, content, &BASE64, &mut |letter| text.push(letter).is_ok());
        }
        text
    }

    /// Opens a letter sealed under `label` for the same context; `None` for anything else.
    #[must_use]
    pub fn open_letter(&self, label: &str, context: &[&[u8]], text: &[u8]) -> Option<Letter> {
        let mut bytes = heapless::Vec::<u8, { MAC + MAX_LETTER }>::new();
        decode(text, &BASE64, &mut |byte| bytes.push(byte).is_ok())?;
        Letter::from_slice(self.unseal(label, context, &mut bytes)?).ok()
    }

    fn write_sealed(
        &self,
        label: &str,
        context: &[&[u8]],
        content: &[u8],
        radix: &Radix,
        push: &mut dyn FnMut(char) -> bool,
    ) {
        let mac = self.mac(label, context, content);
        let mut bytes = heapless::Vec::<u8, { MAC + MAX_LETTER }>::new();
        // The caller has looked at the length.
        let _ = bytes.extend_from_slice(&mac).and_then(|()| bytes.extend_from_slice(content));
        if let Some((_, content)) = bytes.split_first_chunk_mut::<MAC>() {
            self.cipher(label, &mac, content);
        }
        let fits = encode(&bytes, radix, push);
        debug_assert!(fits, "the text holds the longest content");
    }

    /// The content of what [`Self::write_sealed`] wrote, in place.
    fn unseal<'b>(&self, label: &str, context: &[&[u8]], bytes: &'b mut [u8]) -> Option<&'b [u8]> {
        let (mac, content) = bytes.split_first_chunk_mut::<MAC>()?;
        self.cipher(label, mac, content);
        let wanted = self.mac(label, context, content);
        // Every byte is compared, so that the time taken does not tell how many were right.
        let difference = mac.iter().zip(wanted).fold(0, |all, (a, b)| core::hint::black_box(all | (*a ^ b)));
        (difference == 0).then_some(content)
    }

    fn mac(&self, label: &str, context: &[&[u8]], content: &[u8]) -> [u8; MAC] {
        let mut parts = heapless::Vec::<&[u8], { MAX_CONTEXT + 1 }>::new();
        debug_assert!(context.len() <= MAX_CONTEXT, "all of the context counts");
        for part in context.iter().chain([&content]) {
            let _ = parts.push(part);
        }
        *self.digest("mac", label, &parts).first_chunk().unwrap_or(&[0; MAC])
    }

    /// Enciphers or deciphers `bytes` by a key stream that hangs on the checksum and so on the content (RFC 5297 has the
    /// construction's name: SIV).
    fn cipher(&self, label: &str, mac: &[u8; MAC], bytes: &mut [u8]) {
        for (number, block) in (0u8..).zip(bytes.chunks_mut(DIGEST)) {
            // A token has one block.
            let parts: &[&[u8]] = if number == 0 { &[mac] } else { &[mac, &[number]] };
            let stream = self.digest("stream", label, parts);
            for (byte, key) in block.iter_mut().zip(stream) {
                *byte ^= key;
            }
        }
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

/// Parts of a letter's context at most.
const MAX_CONTEXT: usize = 4;

/// How bytes become letters.
struct Radix {
    /// Bits of one letter.
    bits: u32,
    alphabet: &'static [u8],
    /// The value of each ASCII character, [`NO_LETTER`] where it is none.
    values: [u8; 128],
}

const NO_LETTER: u8 = 0xFF;

impl Radix {
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "worked out by the compiler")]
    const fn new(bits: u32, alphabet: &'static [u8]) -> Self {
        let mut values = [NO_LETTER; 128];
        let mut at = 0;
        while at < alphabet.len() {
            values[alphabet[at] as usize] = at as u8;
            at += 1;
        }
        Self { bits, alphabet, values }
    }

    /// Letters of the other case too, where the alphabet has one case only.
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "worked out by the compiler")]
    const fn any_case(mut self) -> Self {
        let mut at = b'a';
        while at <= b'z' {
            self.values[at.to_ascii_uppercase() as usize] = self.values[at as usize];
            at += 1;
        }
        self
    }

    fn value(&self, letter: u8) -> Option<u32> {
        self.values.get(usize::from(letter)).copied().filter(|value| *value != NO_LETTER).map(u32::from)
    }
}

/// RFC 4648 §6, in lower case.
static BASE32: Radix = Radix::new(5, b"abcdefghijklmnopqrstuvwxyz234567").any_case();
/// RFC 4648 §5.
static BASE64: Radix = Radix::new(6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

/// `false` where `push` took not all.
fn encode(bytes: &[u8], radix: &Radix, push: &mut dyn FnMut(char) -> bool) -> bool {
    let mask = 1u32.checked_shl(radix.bits).unwrap_or_default().wrapping_sub(1);
    let mut letter = |value: u32| {
        let index = usize::try_from(value & mask).unwrap_or_default();
        push(radix.alphabet.get(index).copied().map_or(' ', char::from))
    };
    // `bits` low bits of `held` wait to be written.
    let (mut held, mut bits) = (0u32, 0u32);
    let mut all = true;
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits = bits.saturating_add(8);
        while let Some(left) = bits.checked_sub(radix.bits) {
            all &= letter(held.checked_shr(left).unwrap_or(0));
            bits = left;
        }
    }
    if bits > 0 {
        all &= letter(held.checked_shl(radix.bits.saturating_sub(bits)).unwrap_or(0));
    }
    all
}

/// `None` for what [`encode`] never writes, or where `push` takes not all.
fn decode(text: &[u8], radix: &Radix, push: &mut dyn FnMut(u8) -> bool) -> Option<()> {
    let (mut held, mut bits) = (0u32, 0u32);
    for letter in text {
        held = held.checked_shl(radix.bits)? | radix.value(*letter)?;
        bits = bits.saturating_add(radix.bits);
        if let Some(left) = bits.checked_sub(8) {
            let [.., byte] = held.checked_shr(left)?.to_be_bytes();
            push(byte).then_some(())?;
            bits = left;
        }
    }
    // A second spelling of the same bytes is a forgery: what is left over are the zero bits that `encode` put there.
    let left_over = held & 1u32.checked_shl(bits)?.wrapping_sub(1);
    (bits < radix.bits && left_over == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = Key::new([7; 32]);

    #[test]
    fn base32_is_rfc_4648s() {
        for (plain, text) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(encoded(plain, &BASE32), text);
            assert_eq!(decoded(text, &BASE32).unwrap(), plain.as_bytes());
        }
        for bad in ["m", "mz", "mzxw6y", "mzx", "m1", "my======", "mzxw6ytboia", "m\u{e4}"] {
            assert!(decoded(bad, &BASE32).is_none(), "{bad}");
        }
        assert_eq!(decoded("MZXw6", &BASE32).unwrap(), b"foo");
    }

    #[test]
    fn base64_is_rfc_4648s() {
        for (plain, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("~~?", "fn4_")]
        {
            assert_eq!(encoded(plain, &BASE64), text);
            assert_eq!(decoded(text, &BASE64).unwrap(), plain.as_bytes());
        }
        for bad in ["Z", "Zh", "Zg==", "Zm9vY", "fn4/", "Zm 8"] {
            assert!(decoded(bad, &BASE64).is_none(), "{bad}");
        }
    }

    fn encoded(plain: &str, radix: &Radix) -> String {
        let mut text = String::new();
        assert!(encode(plain.as_bytes(), radix, &mut |letter| {
            text.push(letter);
            true
        }));
        text
    }

    fn decoded(text: &str, radix: &Radix) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        decode(text.as_bytes(), radix, &mut |byte| {
            bytes.push(byte);
            true
        })?;
        Some(bytes)
    }

    #[test]
    fn a_letter_is_bound_to_its_context() {
        for length in [0, 1, 31, 32, 33, 64, 65, MAX_LETTER] {
            let content = vec![0x5A; length];
            let text = KEY.seal_letter("via", &[b"call", b"1"], &content);
            assert_eq!(KEY.open_letter("via", &[b"call", b"1"], text.as_bytes()).unwrap(), content[..]);
            for other in [&[&b"call"[..], b"2"][..], &[b"call"], &[b"call", b"1", b""], &[b"call1", b""]] {
                assert_eq!(KEY.open_letter("via", other, text.as_bytes()), None);
            }
            assert_eq!(KEY.open_letter("contact", &[b"call", b"1"], text.as_bytes()), None);
        }
        assert_eq!(KEY.seal_letter("via", &[], &[0; MAX_LETTER]).len(), MAX_LETTER_TEXT - 1);
        assert!(KEY.seal_letter("via", &[], &[0; MAX_LETTER + 1]).is_empty());
        assert_eq!(KEY.open_letter("via", &[], &[b'A'; 2000]), None);
        // Equal blocks of content do not look alike.
        let text = KEY.seal_letter("via", &[], &[0; 96]);
        let bytes = decoded(&text, &BASE64).unwrap();
        assert_ne!(bytes[MAC..MAC + 32], bytes[MAC + 32..MAC + 64]);
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
            letter in proptest::sample::select(BASE32.alphabet),
        ) {
            let mut text = KEY.seal("x", &content).into_bytes();
            let at = at.index(text.len());
            prop_assume!(text[at] != letter);
            text[at] = letter;
            prop_assert_eq!(KEY.open("x", &text), None);
        }
    }
}
