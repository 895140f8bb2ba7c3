//! `ua_string`: what the Internet is told in User-Agent (RFC 3261 §20.41).

use super::Engine;
use crate::sip::edit::{EditError, Edits};
use crate::sip::{HeaderId, Message};
use crate::span::Span;

impl Engine {
    /// Puts `ua_string`, if there is one, into the User-Agent of a message to the Internet. Server (§20.35) stays as it is.
    pub(super) fn write_user_agent(&self, msg: &Message<'_>, edits: &mut Edits) -> Result<(), EditError> {
        let text = self.settings().ua_string.as_str();
        if text.is_empty() {
            return Ok(());
        }
        let mut lines = msg.headers().iter().filter(|header| header.id == HeaderId::UserAgent);
        match lines.next() {
            Some(first) => edits.replace(first.value, text.as_bytes())?,
            None => edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("User-Agent: {text}\r\n"))?,
        }
        lines.try_for_each(|further| edits.delete(further.line))
    }
}
