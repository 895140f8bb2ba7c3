//! A configuration as it was written: what tells two of them apart, directive by directive.

use super::keys::{KEYS, Key, When};
use super::kind::{Kind, Value};
use super::{Config, Report, parse};
use core::fmt;
use std::path::Path;

/// One line that set something.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The directive's place in [`KEYS`].
    pub(super) place: usize,
    /// The line's number.
    pub(super) line: usize,
    /// The value, in one spelling of all that mean the same.
    pub(super) text: String,
}

impl Written {
    pub(super) fn new(place: usize, line: usize, kind: Kind, text: &str, value: &Value<'_>) -> Self {
        let text = match (kind, value) {
            (_, Value::Int(n)) => n.to_string(),
            (Kind::Path, _) => value.path().map_or_else(String::new, |path| path.to_string_lossy().into_owned()),
            (Kind::Networks | Kind::AccessList | Kind::Domains, _) => {
                super::value::items(text).collect::<Vec<_>>().join(", ")
            }
            _ => text.to_owned(),
        };
        Self { place, line, text }
    }
}

/// A directive that has another value than before. Shown as `name: old, new`; what is secret is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// Its value before; empty where it had none, as for the one now.
    pub old: String,
    /// Its value now.
    pub new: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text| if str::is_empty(text) { "nothing" } else { text };
        let (old, new) = (shown(&self.old), shown(&self.new));
        write!(f, "{}: {old} before, {new} now", self.name)
    }
}

/// What stands for a secret.
const SECRET: &str = "(secret)";

impl Config {
    /// The directives that differ from `old`, in the order of [`KEYS`], and when each acts.
    pub fn changes<'a>(&'a self, old: &'a Self) -> impl Iterator<Item = (When, Change)> + 'a {
        KEYS.iter().enumerate().filter(|(_, key)| key.set.is_some()).filter_map(|(place, key)| {
            let (old, new) = (old.value_of(place, key), self.value_of(place, key));
            let shown = |text: String| if key.is_secret() && !text.is_empty() { SECRET.to_owned() } else { text };
            (old != new).then(|| (key.when, Change { name: key.name, old: shown(old), new: shown(new) }))
        })
    }

    /// The line that sets a directive; 0 where none does.
    pub(crate) fn line_of(&self, name: &str) -> usize {
        let place = super::keys::find(name).map(|(place, _)| place);
        let last = self.written.iter().rfind(|written| Some(written.place) == place);
        last.map_or(0, |written| written.line)
    }

    /// A directive's value as text.
    fn value_of(&self, place: usize, key: &Key) -> String {
        let mut texts = self.written.iter().filter(|written| written.place == place).map(|written| &written.text[..]);
        if key.kind.repeats() {
            return texts.collect::<Vec<_>>().join(", ");
        }
        texts.next_back().unwrap_or(key.default).to_owned()
    }

    /// This configuration with what only a restart changes as it is in `running`.
    ///
    /// # Errors
    /// The two do not go together.
    pub fn with_what_stays_of(&self, running: &Self, file: &Path) -> Result<Self, Report> {
        let stays = |written: &&Written| KEYS.get(written.place).is_some_and(|key| key.when == When::Restart);
        let lines = self.written.iter().filter(|written| !stays(written)).chain(running.written.iter().filter(stays));
        parse::parse_again(file, lines).map(|(config, _)| config)
    }

    /// Sets a directive to what the command line says, whatever the file does.
    pub(super) fn overrule(&mut self, name: &str, text: &str) {
        let Some((place, key)) = super::keys::find(name) else { return };
        if let (Some(set), Ok(value)) = (key.set, super::value::value(key.kind, text)) {
            set(self, &value);
            self.written.retain(|written| written.place != place);
            self.written.push(Written::new(place, 0, key.kind, text, &value));
        }
    }
}
