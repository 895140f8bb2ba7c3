//! Addresses as phones spell them.
//!
//! Besides their usual form: IPv4 with zeros in front (`192.168.001.005`), IPv6 in any length and case, IPv4 mapped into it
//! (`::ffff:10.0.0.2`), and escaped as in a URI (`10%2E0%2E0%2E2`). Names of dialogs have spellings of their own: `192_168_1_5`,
//! `192-168-1-5`, and `BJC.BGI.B.F`, a letter for each digit. `docs/hiding.md` tells which are not looked for.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Characters of the longest address: `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
const MAX_ADDRESS: usize = 45;
/// Digits of the longest part of an IPv4 address, and of an IPv6 address.
const MAX_DIGITS: usize = 3;
const MAX_HEX_DIGITS: usize = 4;

/// What a text is, which tells how addresses are spelled in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A header or body, with URIs in it.
    Any,
    /// A Call-ID or tag as it is.
    Name,
    /// A Call-ID or tag as a part of a URI.
    NameInUri,
}

/// An address in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spelled {
    /// Bytes of the text that it takes.
    pub(super) len: usize,
    /// The address; a mapped one is that of IPv4.
    pub(super) ip: IpAddr,
    /// It as it stands there, without escapes.
    pub(super) written: Written,
}

/// An address as text.
pub(super) type Written = heapless::Vec<u8, MAX_ADDRESS>;

impl Spelled {
    /// The address that begins at `at`, as a whole: no digit of it before or behind.
    pub(super) fn at(text: &[u8], at: usize, form: Form) -> Option<Self> {
        let reader = Reader { text, form };
        let (first, _) = reader.letter(at)?;
        let begins = first.is_ascii_hexdigit() || first == b':' || matches!(first, b'G'..=b'J' if form != Form::Any);
        if !begins {
            return None;
        }
        let before = reader.letter_before(at);
        reader.v6(at, before).or_else(|| reader.v4(at, before))
    }

    /// Whether it is one of IPv6 by its looks, for which brackets stand in a URI.
    pub(super) fn has_colons(&self) -> bool {
        self.written.contains(&b':')
    }
}

/// One letter after another, an escape being one.
struct Reader<'t> {
    text: &'t [u8],
    form: Form,
}

impl Reader<'_> {
    /// The letter at `at`, and where the next one is.
    fn letter(&self, at: usize) -> Option<(u8, usize)> {
        match self.text.get(at..)? {
            [b'%', high, low, ..] if self.form != Form::Name => match escaped(*high, *low) {
                Some(letter) => Some((letter, at + 3)),
                None => Some((b'%', at + 1)),
            },
            [letter, ..] => Some((*letter, at + 1)),
            [] => None,
        }
    }

    fn letter_before(&self, at: usize) -> Option<u8> {
        match self.text.get(..at)? {
            [.., b'%', high, low] => escaped(*high, *low).or(Some(*low)),
            before => before.last().copied(),
        }
    }

    fn v4(&self, at: usize, before: Option<u8>) -> Option<Spelled> {
        let is_name = self.form != Form::Any;
        let in_letters = is_name && self.letter(at)?.0.is_ascii_uppercase();
        let zero = if in_letters { b'A' } else { b'0' };
        let is_part = |letter: u8| if in_letters { letter.is_ascii_alphanumeric() } else { letter.is_ascii_digit() };
        if before.is_some_and(is_part) {
            return None;
        }
        let mut written = Written::new();
        let mut octets = [0u8; 4];
        let (mut end, mut separator) = (at, None);
        for (number, octet) in octets.iter_mut().enumerate() {
            if number > 0 {
                let (letter, next) = self.letter(end)?;
                let is_separator = letter == b'.' || (is_name && !in_letters && matches!(letter, b'_' | b'-'));
                if !is_separator || separator.is_some_and(|first| first != letter) {
                    return None;
                }
                separator = Some(letter);
                written.push(letter).ok()?;
                end = next;
            }
            let mut value = None;
            for _ in 0..MAX_DIGITS {
                let digit = self.letter(end).map(|(letter, next)| (letter, letter.wrapping_sub(zero), next));
                let Some((letter, digit, next)) = digit.filter(|(_, digit, _)| *digit < 10) else { break };
                value = Some(u8::checked_mul(value.unwrap_or(0), 10)?.checked_add(digit)?);
                written.push(letter).ok()?;
                end = next;
            }
            *octet = value?;
        }
        let goes_on = self.letter(end).is_some_and(|(letter, _)| is_part(letter));
        (!goes_on).then_some(Spelled { len: end - at, ip: IpAddr::V4(Ipv4Addr::from(octets)), written })
    }

    fn v6(&self, at: usize, before: Option<u8>) -> Option<Spelled> {
        let is_part = |letter: u8| letter.is_ascii_hexdigit() || matches!(letter, b':' | b'.');
        if before.is_some_and(|letter| letter.is_ascii_hexdigit() || letter == b':') {
            return None;
        }
        let mut written = Written::new();
        let (mut end, mut shorter) = (at, at);
        while let Some((letter, next)) = self.letter(end).filter(|(letter, _)| is_part(*letter)) {
            // Whatever has no colon this early is none: most of what is looked at.
            if written.len() == MAX_HEX_DIGITS && letter != b':' && !written.contains(&b':') {
                return None;
            }
            written.push(letter).ok()?;
            (shorter, end) = (end, next);
        }
        if !written.contains(&b':') {
            return None;
        }
        let parse = |text: &[u8]| core::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok();
        let ip = parse(&written).or_else(|| {
            // The full stop or colon of a sentence.
            written.pop().filter(u8::is_ascii_punctuation)?;
            end = shorter;
            parse(&written)
        })?;
        Some(Spelled { len: end - at, ip: ip.to_canonical(), written })
    }
}

/// The byte that `%` with two hexadecimal digits stands for (RFC 3261 §25.1).
fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, form: Form) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            match Spelled::at(text.as_bytes(), at, form) {
                Some(spelled) => {
                    found.push((text[at..at + spelled.len].to_owned(), spelled.ip.to_string()));
                    at += spelled.len;
                }
                None => at += 1,
            }
        }
        found
    }

    fn assert_found(text: &str, form: Form, wanted: &[(&str, &str)]) {
        let found = all(text, form);
        let found: Vec<_> = found.iter().map(|(text, ip)| (text.as_str(), ip.as_str())).collect();
        assert_eq!(found, wanted, "in {text}");
    }

    #[test]
    fn usual_forms() {
        assert_found("a10.0.0.2:5060,10.0.0.2.5", Form::Any, &[("10.0.0.2", "10.0.0.2"); 2]);
        assert_found("[FD00:0:0::2]:5060 fd00::2.", Form::Any, &[("FD00:0:0::2", "fd00::2"), ("fd00::2", "fd00::2")]);
        assert_found(
            "::ffff:10.0.0.2: fe80::1%25eth0",
            Form::Any,
            &[("::ffff:10.0.0.2", "10.0.0.2"), ("fe80::1", "fe80::1")],
        );
        assert_found("::ffff:a00:2", Form::Any, &[("::ffff:a00:2", "10.0.0.2")]);
        for none in ["110.0.0.256", "1.2.3", "10.0.0.2222", "12:30:45", "1:2:3:4:5:6:7:8:9", "", ".", "cafe", "cafe:"] {
            assert_found(none, Form::Any, &[]);
        }
    }

    #[test]
    fn other_spellings() {
        assert_found("192.168.001.005", Form::Any, &[("192.168.001.005", "192.168.1.5")]);
        assert_found("%4010%2e0%2E0.2%3B", Form::Any, &[("10%2e0%2E0.2", "10.0.0.2")]);
        assert_found("%31%30.0.0.%31", Form::Any, &[("%31%30.0.0.%31", "10.0.0.1")]);
        assert_found("%5Bfd00%3A%3A2%5D", Form::Any, &[("fd00%3A%3A2", "fd00::2")]);
        let two = [("%3110.0.0.2", "110.0.0.2"), ("10.0.0.2", "10.0.0.2")];
        assert_found("%3110.0.0.2 %1g10.0.0.2%", Form::Any, &two);
        for none in ["0xa.0.0.1", "0012.0.0.1", "167772161", "10_0_0_2", "10-0-0-2", "BA.A.A.C"] {
            assert_found(none, Form::Any, &[]);
        }
    }

    #[test]
    fn spellings_of_names() {
        assert_found("1-5060-1@BJC.BGI.B.BC", Form::Name, &[("BJC.BGI.B.BC", "192.168.1.12")]);
        assert_found(
            "77@192_168_1_12;10-0-0-2",
            Form::Name,
            &[("192_168_1_12", "192.168.1.12"), ("10-0-0-2", "10.0.0.2")],
        );
        assert_found("a%4010.0.0.2", Form::Name, &[("10.0.0.2", "10.0.0.2")]);
        assert_found("10%2E0_0_2 10_0_0_2", Form::NameInUri, &[("10_0_0_2", "10.0.0.2")]);
        for none in
            ["10%2E0%2E0%2E2", "10.0_0.2", "xBJC.BGI.B.BC", "BJC.BGI.B.BCDE", "BJC.BGI.B.BK", "JJJ.A.A.B", "BA_A_A_B"]
        {
            assert_found(none, Form::Name, &[]);
        }
    }
}
