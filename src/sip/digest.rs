//! Digest authentication: credentials in, the response that they should have out (RFC 7616, RFC 8760; RFC 2617 and RFC 2069
//! for what old phones do).
//!
//! Quality of protection is `auth` or none. `auth-int` and the `-sess` algorithms are not for us: nobody may be offered them.

mod hash;

use super::lex::{Cursor, is_token, trim};
use crate::span::Span;
use hash::Hasher;
pub use hash::{Algorithm, Hash};

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

/// Whether a challenge, the value of WWW-Authenticate or Proxy-Authenticate, asks again only because the nonce is too old (RFC 7616 §3.3).
#[must_use]
pub fn is_stale(challenge: &[u8]) -> bool {
    let found = Found::read(challenge).ok().and_then(|found| found.of("stale"));
    found.is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
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
const NAMES: [&str; 10] =
    ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "stale"];

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

#[cfg(test)]
mod tests;
