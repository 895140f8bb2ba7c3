//! JSON (RFC 8259) as far as the control socket needs it: a writer into bounded room, and a reader that copies nothing.

mod read;

pub use read::{Error, Member, Value, items, members};

use core::fmt::{self, Display, Write as _};

/// One line of an answer: a JSON object without a line break in it. It is put at the end of a buffer, or not at all.
///
/// Nothing is checked while it is written but the room: what does not fit is told by [`Self::finish`].
#[derive(Debug)]
pub struct Line<'a> {
    buffer: &'a mut Vec<u8>,
    /// Where it begins.
    start: usize,
    /// Length that the buffer may come to.
    room: usize,
    /// Whether a comma goes before the next member.
    comma: bool,
    is_cut: bool,
}

impl<'a> Line<'a> {
    /// Begins an object at the end of `buffer`, which does not grow beyond `room` bytes.
    pub fn new(buffer: &'a mut Vec<u8>, room: usize) -> Self {
        let start = buffer.len();
        let mut this = Self { buffer, start, room, comma: false, is_cut: false };
        this.raw("{");
        this
    }

    fn raw(&mut self, text: &str) {
        if self.is_cut || self.buffer.len().saturating_add(text.len()) > self.room {
            self.is_cut = true;
        } else {
            self.buffer.extend_from_slice(text.as_bytes());
        }
    }

    /// Begins a member of an object, or an element of an array, which has no name.
    fn name(&mut self, name: &str) {
        if self.comma {
            self.raw(",");
        }
        self.comma = true;
        if !name.is_empty() {
            self.raw("\"");
            self.raw(name);
            self.raw("\":");
        }
    }

    /// Adds a number, `true` or `false`: what JSON writes as the program does.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.bare(name, &value);
    }

    fn bare(&mut self, name: &str, value: &dyn Display) {
        self.name(name);
        // Only the room can be missing, and that is noted.
        let _ = write!(Bare(self), "{value}");
    }

    /// Adds a number with two decimals, given in hundredths.
    pub fn hundredths(&mut self, name: &str, value: u32) {
        self.bare(name, &format_args!("{}.{:02}", value / 100, value % 100));
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &dyn Display) {
        self.name(name);
        self.raw("\"");
        let _ = write!(Escaped(self), "{value}");
        self.raw("\"");
    }

    /// Adds a text that came from elsewhere: what is not UTF-8 in it becomes U+FFFD.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.raw("\"");
        for chunk in value.utf8_chunks() {
            let _ = Escaped(self).write_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.raw("\u{fffd}");
            }
        }
        self.raw("\"");
    }

    /// Opens an object.
    pub fn object(&mut self, name: &str) {
        self.name(name);
        self.raw("{");
        self.comma = false;
    }

    /// Closes it.
    pub fn end_object(&mut self) {
        self.raw("}");
        self.comma = true;
    }

    /// Opens an array.
    pub fn array(&mut self, name: &str) {
        self.name(name);
        self.raw("[");
        self.comma = false;
    }

    /// Closes it.
    pub fn end_array(&mut self) {
        self.raw("]");
        self.comma = true;
    }

    /// Ends the object and its line; `false` where it did not fit, and then the buffer is as it was.
    pub fn finish(mut self) -> bool {
        self.raw("}\n");
        if self.is_cut {
            self.buffer.truncate(self.start);
        }
        !self.is_cut
    }
}

/// Writes text as it is.
struct Bare<'l, 'b>(&'l mut Line<'b>);

impl fmt::Write for Bare<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.raw(text);
        Ok(())
    }
}

/// Writes what stands in a JSON string (RFC 8259 §7).
struct Escaped<'l, 'b>(&'l mut Line<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let must = |c: char| c.is_control() || matches!(c, '"' | '\\');
        for piece in text.split_inclusive(must) {
            let Some(last) = piece.chars().next_back().filter(|c| must(*c)) else {
                self.0.raw(piece);
                continue;
            };
            self.0.raw(piece.strip_suffix(must).unwrap_or_default());
            match last {
                '"' => self.0.raw("\\\""),
                '\\' => self.0.raw("\\\\"),
                '\n' => self.0.raw("\\n"),
                _ => write!(Bare(self.0), "\\u{:04x}", u32::from(last))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(room: usize, fill: impl FnOnce(&mut Line<'_>)) -> (bool, String) {
        let mut buffer = b"before\n".to_vec();
        let mut line = Line::new(&mut buffer, room);
        fill(&mut line);
        let is_whole = line.finish();
        (is_whole, String::from_utf8(buffer.split_off(7)).expect("UTF-8"))
    }

    #[test]
    fn members_and_elements_are_separated() {
        let (_, text) = line(200, |line| {
            line.value("v", 1);
            line.array("list");
            line.text("", &"a");
            line.object("");
            line.end_object();
            line.array("");
            line.end_array();
            line.end_array();
            line.object("in");
            line.hundredths("x", 1005);
            line.value("y", true);
            line.end_object();
            line.value("z", -1);
        });
        assert_eq!(text, "{\"v\":1,\"list\":[\"a\",{},[]],\"in\":{\"x\":10.05,\"y\":true},\"z\":-1}\n");
    }

    #[test]
    fn text_is_escaped() {
        let (_, text) = line(200, |line| {
            line.text("a", &"say \"x\\y\"\n\t\u{7f}\u{e9}");
            line.bytes("b", b"caf\xe9\"\xc3\xa9\x00");
        });
        assert_eq!(
            text,
            "{\"a\":\"say \\\"x\\\\y\\\"\\n\\u0009\\u007f\u{e9}\",\"b\":\"caf\u{fffd}\\\"\u{e9}\\u0000\"}\n"
        );
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        let fill = |line: &mut Line<'_>| line.text("name", &"12345");
        let whole = line(1000, fill);
        assert!(whole.0);
        let length = 7 + whole.1.len();
        assert_eq!(line(length, fill), whole);
        for room in 0..length {
            assert_eq!(line(room, fill), (false, String::new()), "{room}");
        }
    }
}
