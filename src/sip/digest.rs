//! Digest authentication: credentials in, the response that they should have out (RFC 7616, RFC 8760; RFC 2617 and RFC 2069
//! for what old phones do).
//!
//! Quality of protection is `auth` or none. `auth-int` and the `-sess` algorithms are not for us: nobody may be offered them.

use super::lex::{Cursor, is_token, trim};
use crate::span::Span;
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

/// Why credentials cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// They are of another scheme than Digest.
    Scheme,
    /// They are no list of `name=value`.
    Syntax,
    /// A parameter is there twice.
    Twice,
    /// A parameter that must be there is missing or empty, or cannot be read.
    Missing(&'static str),
    /// Another algorithm than ours.
    Algorithm,
    /// Another quality of protection than `auth`.
    Qop,
}

/// The value of an Authorization or Proxy-Authorization header (RFC 3261 §25.1, RFC 7616 §3.4).
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The account, without quotes; see [`unescaped`].
    pub user: &'a [u8],
    /// The realm, without quotes; see [`unescaped`].
    pub realm: &'a [u8],
    /// The nonce, without quotes.
    pub nonce: &'a [u8],
    /// MD5 where none is named.
    pub algorithm: Algorithm,
    /// With `qop=auth`, how often the nonce was used, this time included.
    pub nonce_count: Option<u32>,
    uri: &'a [u8],
    nonce_count_text: &'a [u8],
    client_nonce: &'a [u8],
    response: Hash,
}

impl<'a> Credentials<'a> {
    /// Reads a header's value. Parameters that we do not know are passed over.
    ///
    /// # Errors
    /// See [`DigestError`].
    pub fn parse(value: &'a [u8]) -> Result<Self, DigestError> {
        let found = Found::read(value)?;
        let must = |name: &'static str| found.of(name).filter(|v| !v.is_empty()).ok_or(DigestError::Missing(name));
        let algorithm = match found.of("algorithm") {
            Some(name) => Algorithm::from_name(name).ok_or(DigestError::Algorithm)?,
            None => Algorithm::Md5,
        };
        let (mut nonce_count_text, mut client_nonce, mut nonce_count) = (&[][..], &[][..], None);
        if let Some(qop) = found.of("qop") {
            if !qop.eq_ignore_ascii_case(b"auth") {
                return Err(DigestError::Qop);
            }
            client_nonce = must("cnonce")?;
            nonce_count_text = must("nc")?;
            nonce_count = Some(hexadecimal(nonce_count_text).ok_or(DigestError::Missing("nc"))?);
        }
        Ok(Self {
            user: must("username")?,
            realm: found.of("realm").ok_or(DigestError::Missing("realm"))?,
            nonce: must("nonce")?,
            algorithm,
            nonce_count,
            uri: must("uri")?,
            nonce_count_text,
            client_nonce,
            response: Hash::from_hex(algorithm, must("response")?).ok_or(DigestError::Missing("response"))?,
        })
    }

    /// Whether whoever wrote them for a request of `method` knew the password that `ha1`, a hash of their algorithm, stands
    /// for. Says nothing about the nonce.
    #[must_use]
    pub fn prove(&self, ha1: &Hash, method: &[u8]) -> bool {
        self.expected(ha1, method).is(&self.response)
    }

    /// The response that belongs to `ha1` (RFC 7616 §3.4.1).
    #[must_use]
    pub fn expected(&self, ha1: &Hash, method: &[u8]) -> Hash {
        let mut a2 = Hasher::new(self.algorithm);
        a2.update(method);
        a2.update(b":");
        a2.update_unescaped(self.uri);
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(ha1.to_hex().as_bytes());
        hasher.update(b":");
        hasher.update_unescaped(self.nonce);
        hasher.update(b":");
        if self.nonce_count.is_some() {
            hasher.update(self.nonce_count_text);
            hasher.update(b":");
            hasher.update_unescaped(self.client_nonce);
            hasher.update(b":auth:");
        }
        hasher.update(a2.finish().to_hex().as_bytes());
        hasher.finish()
    }
}

/// The bytes that the content of a quoted string stands for: a quoted pair is its second byte.
pub fn unescaped(content: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut bytes = content.iter();
    core::iter::from_fn(move || match bytes.next()? {
        b'\\' => bytes.next().copied(),
        byte => Some(*byte),
    })
}

/// The parameters that we read, and whether their values are quoted by the standard. Phones are found to do the other for
/// `algorithm`, `qop` and `nc`, so that both are taken.
const NAMES: [&str; 9] = ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce"];

/// The values of [`NAMES`], without quotes.
struct Found<'a>([Option<&'a [u8]>; NAMES.len()]);

impl<'a> Found<'a> {
    fn read(value: &'a [u8]) -> Result<Self, DigestError> {
        let whole = trim(value, Span::from_usize(0, value.len()));
        let mut cursor = Cursor::new(value, whole);
        if !cursor.take_while(is_token).of(value).eq_ignore_ascii_case(b"Digest") {
            return Err(DigestError::Scheme);
        }
        let before = cursor.at();
        cursor.skip_blanks();
        if cursor.at() == before || value.len() > usize::from(u16::MAX) {
            return Err(DigestError::Syntax);
        }
        let mut found = Self([None; NAMES.len()]);
        loop {
            let name = cursor.take_while(is_token).of(value);
            if name.is_empty() || !cursor.eat_spaced(b'=') {
                return Err(DigestError::Syntax);
            }
            let content = Self::value(value, &mut cursor)?;
            let known = NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
            if let Some(place) = known.and_then(|at| found.0.get_mut(at))
                && place.replace(content).is_some()
            {
                return Err(DigestError::Twice);
            }
            if cursor.is_at_end() {
                return Ok(found);
            }
            if !cursor.eat_spaced(b',') {
                return Err(DigestError::Syntax);
            }
        }
    }

    fn value(bytes: &'a [u8], cursor: &mut Cursor<'a>) -> Result<&'a [u8], DigestError> {
        if cursor.peek() != Some(b'"') {
            return Ok(cursor.take_while(|b| !matches!(b, b',' | b'"' | b' ' | b'\t' | b'\r' | b'\n')).of(bytes));
        }
        let start = cursor.at().saturating_add(1);
        if !cursor.skip_quoted() {
            return Err(DigestError::Syntax);
        }
        Ok(Span::new(start, cursor.at().saturating_sub(1)).of(bytes))
    }

    fn of(&self, name: &str) -> Option<&'a [u8]> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.0.get(at).copied().flatten()
    }
}

/// A nonce count: eight hexadecimal digits.
fn hexadecimal(text: &[u8]) -> Option<u32> {
    let digits: &[u8; 8] = text.try_into().ok()?;
    digits.iter().try_fold(0u32, |sum, digit| Some((sum << 4) | char::from(*digit).to_digit(16)?))
}

/// A hash being computed.
enum Hasher {
    Md5(Md5),
    Sha256(Sha256),
    Sha512T256(Sha512_256),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512T256 => Self::Sha512T256(Sha512_256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512T256(hasher) => hasher.update(bytes),
        }
    }

    /// Adds the content of a quoted string.
    fn update_unescaped(&mut self, content: &[u8]) {
        if !content.contains(&b'\\') {
            return self.update(content);
        }
        for byte in unescaped(content) {
            self.update(&[byte]);
        }
    }

    fn finish(self) -> Hash {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proven(value: &str, user: &str, realm: &str, password: &str, method: &str) -> bool {
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        let ha1 = Hash::of_password(credentials.algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes());
        credentials.prove(&ha1, method.as_bytes())
    }

    #[test]
    fn rfc_2617_section_3_5() {
        let value = r#"Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b",
            response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        assert!(proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET"));
        assert!(!proven(value, "Mufasa", "testrealm@host.com", "Circle of Life", "GET"));
        assert!(!proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "PUT"));
        assert!(!proven(value, "Simba", "testrealm@host.com", "Circle Of Life", "GET"));
    }

    #[test]
    fn without_qop_as_in_rfc_2069() {
        let value = r#"Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            uri="/dir/index.html", response="670FD8C2DF070C60B045671B8B24FF02""#;
        assert!(proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET"));
        assert_eq!(Credentials::parse(value.as_bytes()).unwrap().nonce_count, None);
    }

    #[test]
    fn rfc_7616_section_3_9_1() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let value = format!(
                r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm},
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
                cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}",
                opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            );
            assert!(proven(&value, "Mufasa", "http-auth@example.org", "Circle of Life", "GET"), "{algorithm}");
        }
    }

    /// RFC 7616 §3.9.2 as corrected by erratum 4897: the published numbers were of another hash.
    #[test]
    fn rfc_7616_section_3_9_2() {
        let value = r#"digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, username="Jäsøn Doe", realm="api@example.org",
            uri="/doe.json", algorithm="SHA-512-256", nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001,
            cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop="auth",
            response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5""#;
        assert!(proven(value, "Jäsøn Doe", "api@example.org", "Secret, or not?", "GET"));
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        assert_eq!((credentials.algorithm, credentials.nonce_count), (Algorithm::Sha512T256, Some(1)));
    }

    #[test]
    fn quoted_pairs_stand_for_what_they_hide() {
        let ha1 = Hash::of_password(Algorithm::Md5, br#"a"b\c"#, b"r", b"p");
        let plain = Hash::of_password(Algorithm::Md5, br#"a"b\c"#, b"r", b"p");
        assert!(ha1.is(&plain));
        let value =
            format!(r#"Digest username="a\"b\\c",realm="r",nonce="n",uri="sip:r",response="{}""#, "0".repeat(32));
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        assert!(unescaped(credentials.user).eq(br#"a"b\c"#.iter().copied()));
        assert!(unescaped(b"a\\").eq(*b"a"));
    }

    #[test]
    fn refuses_what_is_missing_twice_or_foreign() {
        let zero = "0".repeat(32);
        let all = [
            ("username", "\"u\""),
            ("realm", "\"r\""),
            ("nonce", "\"n\""),
            ("uri", "\"sip:r\""),
            ("response", &zero),
            ("qop", "auth"),
            ("nc", "0000000a"),
            ("cnonce", "\"c\""),
        ];
        let written = |parameters: &[(&str, &str)]| {
            let list: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("Digest {}", list.join(", "))
        };
        assert_eq!(Credentials::parse(written(&all).as_bytes()).unwrap().nonce_count, Some(10));
        for (at, (name, value)) in all.iter().enumerate().filter(|(_, (name, _))| *name != "qop") {
            let mut less = all.to_vec();
            less.remove(at);
            assert_eq!(Credentials::parse(written(&less).as_bytes()).unwrap_err(), DigestError::Missing(name));
            let mut more = all.to_vec();
            more.push((name, value));
            assert_eq!(Credentials::parse(written(&more).as_bytes()).unwrap_err(), DigestError::Twice, "{name}");
        }
        let with = |name: &str, value: &str| {
            let mut changed = all.to_vec();
            changed.retain(|(known, _)| *known != name);
            changed.push((name, value));
            Credentials::parse(written(&changed).as_bytes()).unwrap_err()
        };
        assert_eq!(with("algorithm", "MD5-sess"), DigestError::Algorithm);
        assert_eq!(with("algorithm", "\"\""), DigestError::Algorithm);
        assert_eq!(with("qop", "auth-int"), DigestError::Qop);
        assert_eq!(with("nc", "1"), DigestError::Missing("nc"));
        assert_eq!(with("response", "\"00\""), DigestError::Missing("response"));
        assert_eq!(with("username", "\"\""), DigestError::Missing("username"));
        assert_eq!(with("x", "\"open"), DigestError::Syntax);
    }

    #[test]
    fn refuses_what_is_no_list() {
        for value in ["Digest", "Digest ", "Digest a", "Digest =b", "Digest a=b,", "Digest a=b c=d", "Digest ,a=b"] {
            assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err(), DigestError::Syntax, "{value}");
        }
        for value in ["", "Basic YTpi", "Digestive a=b", "\"Digest\" a=b"] {
            assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err(), DigestError::Scheme, "{value}");
        }
    }

    #[test]
    fn hexadecimal_both_ways() {
        let text = "00ff".repeat(8);
        let hash = Hash::from_hex(Algorithm::Md5, text.to_uppercase().as_bytes()).unwrap();
        assert_eq!(hash.to_hex(), text.as_str());
        assert!(Hash::from_hex(Algorithm::Sha256, text.as_bytes()).is_none());
        assert!(Hash::from_hex(Algorithm::Md5, b"0").is_none());
        assert!(Hash::from_hex(Algorithm::Md5, "+g".repeat(16).as_bytes()).is_none());
        assert_eq!(format!("{hash:?}"), "Hash(..)");
    }

    proptest! {
        #[test]
        fn never_panics(value in "(Digest )?([a-z]{0,5}|username|nc|uri|qop|response)?[ =,\"\\\\a-z0-9\r\n\t\u{e4}]{0,60}") {
            let _ = Credentials::parse(value.as_bytes()).map(|c| c.prove(&Hash::of_password(c.algorithm, b"", b"", b""), b"X"));
        }

        #[test]
        fn never_panics_on_bytes(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Credentials::parse(&value);
            unescaped(&value).for_each(drop);
        }
    }
}
