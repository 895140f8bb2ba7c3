//! Messages as they are logged.

use core::fmt::{self, Write as _};

/// Bytes of a message.
pub(super) fn size(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

/// A message as text; what is not UTF-8 is written as escapes.
pub(super) struct Text<'a>(pub(super) &'a [&'a [u8]]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0 {
            for chunk in part.utf8_chunks() {
                for line in chunk.valid().split_inclusive('\n') {
                    f.write_str(line.strip_suffix("\r\n").unwrap_or(line))?;
                    if line.ends_with("\r\n") {
                        f.write_char('\n')?;
                    }
                }
                write!(f, "{}", chunk.invalid().escape_ascii())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_lines_and_escapes_the_rest() {
        assert_eq!(Text(&[b"a\r\nb\n", b"\xffc"]).to_string(), "a\nb\n\\xffc");
    }
}
