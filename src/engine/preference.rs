//! The preference that a phone gives one of its Contacts: `q` (RFC 3261 §20.10).

use core::fmt;

/// A number from 0 to 1, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Preference(u16);

impl Preference {
    pub(super) const ONE: Self = Self(1000);

    /// Reads `0` to `1` with up to three decimals (RFC 3261 §25.1); `None` for anything else.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (whole, decimals) = match text {
            [whole] => (whole, &[][..]),
            [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
            _ => return None,
        };
        let digits = [*whole].into_iter().chain(decimals.iter().copied()).chain([b'0'; 3]).take(4);
        let value = digits
            .into_iter()
            .try_fold(0u16, |sum, digit| Some(sum * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?)))?;
        Some(Self(value)).filter(|q| *q <= Self::ONE)
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(thousandths) = *self;
        if *self == Self::ONE {
            f.write_str("1")
        } else if thousandths % 100 == 0 {
            write!(f, "0.{}", thousandths / 100)
        } else if thousandths % 10 == 0 {
            write!(f, "0.{:02}", thousandths / 10)
        } else {
            write!(f, "0.{thousandths:03}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_written_and_back() {
        for text in ["0.0", "0.5", "0.05", "0.25", "0.125", "0.001", "0.999", "1"] {
            assert_eq!(Preference::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        for (text, shown) in [("0", "0.0"), ("0.", "0.0"), ("1.", "1"), ("1.000", "1"), ("0.500", "0.5")] {
            assert_eq!(Preference::parse(text.as_bytes()).unwrap().to_string(), shown);
        }
        for bad in ["", "1.001", "2", "0.1234", ".5", "0,5", "-0", "0.x", "00", "x"] {
            assert_eq!(Preference::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
