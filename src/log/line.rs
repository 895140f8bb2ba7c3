//! One log line in a fixed buffer: `HH:MM:SS.mmm LEVEL class text`, time in UTC.

use super::secrets::mask;
use crate::log_class;
use ::log::Level;
use core::fmt::{self, Write};
use core::time::Duration;

/// Bytes of the longest line, its end included; the text of most SIP messages fits.
const MAX_LINE: usize = 16 * 1024;

/// Bytes of `HH:MM:SS.mmm`.
const TIME: usize = 12;

/// Stands at the end of a line that was cut.
const CUT: &str = "...";

/// Whether a character must not stand in the log as it is: controls, the line ends of Unicode, and what turns the direction of text (UAX #9).
fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The line that is being written. All its defined bytes are zero at first.
pub(super) struct Line {
    bytes: [u8; MAX_LINE],
    len: usize,
    /// Where the text begins, behind the class.
    text_at: usize,
    /// Line ends and tabs are kept, and what follows a line end is indented: no line of a message can pass for a line of the log.
    is_multiline: bool,
    is_cut: bool,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX_LINE], len: 0, text_at: 0, is_multiline: false, is_cut: false }
    }

    /// Replaces the content. `now` is the time since the epoch.
    pub(super) fn format(&mut self, now: Duration, level: Level, class: &str, text: &fmt::Arguments<'_>) {
        (self.len, self.is_cut, self.is_multiline) = (0, false, false);
        let (secs, millis) = (now.as_secs(), now.subsec_millis());
        let (hours, minutes, seconds) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
        // Writing fails by being full only, which is marked below.
        let _ = write!(self, "{hours:02}:{minutes:02}:{seconds:02}.{millis:03} {level:5} {class} ");
        self.text_at = self.len;
        self.is_multiline = class == log_class::TRAFFIC;
        let _ = self.write_fmt(*text);
        if let Some(text) = self.bytes.get_mut(self.text_at..self.len) {
            mask(text);
        }
        if self.is_cut {
            self.push(CUT.as_bytes());
        }
        self.push(b"\n");
    }

    /// The line without its time.
    pub(super) fn without_time(&self) -> &[u8] {
        self.bytes.get(TIME.min(self.len)..self.len).unwrap_or_default()
    }

    /// The line with its time, its level, and its end.
    pub(super) fn whole(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The text alone.
    pub(super) fn text(&self) -> &str {
        let text = self.bytes.get(self.text_at..self.len.saturating_sub(1)).unwrap_or_default();
        // A cut may have gone through a character.
        str::from_utf8(text).unwrap_or_else(|error| {
            text.get(..error.valid_up_to()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
        })
    }

    /// Appends without a look at the bytes; there is room for [`CUT`] and the line's end always.
    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn push_checked(&mut self, bytes: &[u8]) -> fmt::Result {
        if self.is_cut || self.len + bytes.len() > MAX_LINE - CUT.len() - 1 {
            self.is_cut = true;
            return Err(fmt::Error);
        }
        self.push(bytes);
        Ok(())
    }
}

impl Write for Line {
    /// Appends text. What arrives from a network may stand in it: no character gets through that could forge a line, move a terminal's
    /// cursor, or show the line in another order.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_escaped) {
            let (plain, tail) = rest.split_at(at);
            self.push_plain(plain)?;
            let mut tail = tail.chars();
            match tail.next() {
                Some('\n') if self.is_multiline => self.push_checked(b"\n\t")?,
                Some('\t') if self.is_multiline => self.push_checked(b"\t")?,
                Some('\r') if self.is_multiline => (),
                Some(c) => self.escape(c)?,
                None => (),
            }
            rest = tail.as_str();
        }
        self.push_plain(rest)
    }
}

impl Line {
    /// Appends text without control characters, as much as there is room for.
    fn push_plain(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_LINE - CUT.len() - 1).saturating_sub(self.len);
        if text.len() <= room || self.is_cut {
            return self.push_checked(text.as_bytes());
        }
        self.push(text.get(..text.floor_char_boundary(room)).unwrap_or_default().as_bytes());
        self.is_cut = true;
        Err(fmt::Error)
    }

    fn escape(&mut self, control: char) -> fmt::Result {
        let mut escaped = heapless::String::<12>::new();
        write!(escaped, "\\x{:02x}", u32::from(control))?;
        self.push_checked(escaped.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(class: &str, text: &str) -> (String, String) {
        let mut line = Box::new(Line::new());
        line.format(Duration::from_millis(86_400_000 + 3_723_004), Level::Warn, class, &format_args!("{text}"));
        (String::from_utf8_lossy(line.whole()).into_owned(), line.text().to_owned())
    }

    #[test]
    fn a_line_has_time_level_class_and_text() {
        let (whole, text) = formatted("sip", "hello");
        assert_eq!(whole, "01:02:03.004 WARN  sip hello\n");
        assert_eq!(text, "hello");
    }

    #[test]
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(formatted("sip", "a\r\nb\x1b[c\u{85}").1, "a\\x0d\\x0ab\\x1b[c\\x85");
        assert_eq!(formatted("traffic", "a\r\n\tb\x00").1, "a\n\t\tb\\x00");
        assert_eq!(formatted("sip", "a\u{202e}b\u{2028}c\u{2066}ä").1, "a\\x202eb\\x2028c\\x2066ä");
        assert_eq!(formatted("traffic", "a\n12:00:00.000 WARN  acl forged").1, "a\n\t12:00:00.000 WARN  acl forged");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let (whole, text) = formatted("sip", &"ä".repeat(MAX_LINE));
        assert!(whole.len() <= MAX_LINE && whole.ends_with("ä...\n"), "{}", whole.len());
        assert!(text.ends_with("ä..."));
    }
}
