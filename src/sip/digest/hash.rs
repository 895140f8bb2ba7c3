//! The hash functions of Digest, and the hashes that they give (RFC 7616 §3.4, RFC 8760 §2.1).

use super::unescaped;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

/// Bytes of the longest hash.
const MAX_HASH: usize = 32;

/// A hash function of Digest (RFC 8760 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5, for phones that have nothing better.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512T256,
}

impl Algorithm {
    /// Every algorithm, in the order in which we prefer them: SHA-256 before SHA-512/256, whose 64-bit arithmetic is slow on a
    /// 32-bit router and which is no stronger here.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512T256, Self::Md5];

    /// The name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512T256 => "SHA-512-256",
        }
    }

    /// The algorithm of this name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Bytes of its hashes.
    const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 | Self::Sha512T256 => MAX_HASH,
        }
    }
}

/// A hash: an HA1, or a response.
#[derive(Clone, Copy)]
pub struct Hash {
    bytes: [u8; MAX_HASH],
    length: u8,
}

impl Hash {
    /// HA1, which stands for the password in everything else: the hash of `user:realm:password`.
    #[must_use]
    pub fn of_password(algorithm: Algorithm, user: &[u8], realm: &[u8], password: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        for part in [user, b":", realm, b":", password] {
            hasher.update(part);
        }
        hasher.finish()
    }

    /// Reads the hexadecimal form of a hash of `algorithm`, in any case.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, text: &[u8]) -> Option<Self> {
        let length = algorithm.length();
        let mut hash = Self { bytes: [0; MAX_HASH], length: u8::try_from(length).ok()? };
        let (pairs, []) = text.as_chunks::<2>() else { return None };
        if pairs.len() != length {
            return None;
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        for (byte, [high, low]) in hash.bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(hash)
    }

    /// Its lower-case hexadecimal form.
    #[must_use]
    pub fn to_hex(&self) -> heapless::String<{ 2 * MAX_HASH }> {
        let nibbles = self.bytes().iter().flat_map(|b| [b >> 4, b & 0xF]);
        nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
    }

    /// Whether both are the same. Every byte is compared, so that the time taken does not tell how many were right.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let unequal_length = self.length ^ other.length;
        let pairs = self.bytes.iter().zip(other.bytes);
        pairs.fold(unequal_length, |all, (a, b)| core::hint::black_box(all | (a ^ b))) == 0
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Hash {
    /// Keeps it out of logs: an HA1 is as good as the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// A hash being computed.
pub(super) enum Hasher {
    Md5(Md5),
    Sha256(Sha256),
    Sha512T256(Sha512_256),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512T256 => Self::Sha512T256(Sha512_256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512T256(hasher) => hasher.update(bytes),
        }
    }

    /// Adds the content of a quoted string.
    pub(super) fn update_unescaped(&mut self, content: &[u8]) {
        if !content.contains(&b'\\') {
            return self.update(content);
        }
        for byte in unescaped(content) {
            self.update(&[byte]);
        }
    }

    pub(super) fn finish(self) -> Hash {
        let mut hash = Hash { bytes: [0; MAX_HASH], length: 0 };
        let mut put = |bytes: &[u8]| {
            hash.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            hash.length = u8::try_from(bytes.len()).unwrap_or(0);
        };
        match self {
            Self::Md5(hasher) => put(&hasher.finalize()),
            Self::Sha256(hasher) => put(&hasher.finalize()),
            Self::Sha512T256(hasher) => put(&hasher.finalize()),
        }
        hash
    }
}
