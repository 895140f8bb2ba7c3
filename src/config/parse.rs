//! The syntax of `siproxd.conf`: one `name = value` a line, `#` starts a comment anywhere, no quoting.
//!
//! All that is wrong is collected before anything is said, and nothing of a file with an error is used.

use super::keys::{self, KEYS, Key};
use super::kind::{Kind, Value};
use super::plugins::Plugin;
use super::value::value;
use super::written::Written;
use super::{Config, MAX_PROBLEMS, Report, Severity};
use crate::ere::Expressions;
use crate::limits::{MAX_ACCESS_NAMES, MAX_ALLOWED_DOMAINS, MAX_PREFIXES};
use crate::state::file::open;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of the largest configuration file that is read; a device or a wrong file shall not fill the memory.
const MAX_FILE: u64 = 1 << 20;

/// The bytes of `file`.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Report> {
    let fail = |text| Report::of_error(file, text);
    let mut bytes = Vec::new();
    open(file)
        .and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| fail(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(format!("larger than {MAX_FILE} bytes; this is no configuration file")));
    }
    Ok(bytes)
}

/// Takes `bytes` as the content of `file`; relative names in it count from `directory`.
pub(super) fn parse(file: &Path, directory: &Path, bytes: &[u8]) -> Result<(Config, Report), Report> {
    let mut parser = Parser::new(file, directory);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        parser.line(number, &String::from_utf8_lossy(line));
    }
    parser.finish()
}

/// Takes lines that were taken before, from one file or from several, as those of `file`.
pub(super) fn parse_again<'a>(
    file: &Path,
    written: impl Iterator<Item = &'a Written>,
) -> Result<(Config, Report), Report> {
    let mut parser = Parser::new(file, Path::new(""));
    for Written { place, line, text } in written {
        if let Some(key) = KEYS.get(*place)
            && let Ok(value) = value(key.kind, text)
        {
            parser.set(*line, *place, key, text, &value);
        }
    }
    parser.finish()
}

pub(super) struct Parser<'a> {
    directory: &'a Path,
    pub(super) config: Config,
    pub(super) report: Report,
    /// The line that last set each directive, by its place in the table; 0 where none has.
    pub(super) set_at: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn new(file: &Path, directory: &'a Path) -> Self {
        Self { directory, config: Config::default(), report: Report::of_file(file), set_at: vec![0; KEYS.len()] }
    }

    fn finish(mut self) -> Result<(Config, Report), Report> {
        self.check();
        let Self { mut config, mut report, .. } = self;
        config.finish();
        report.sort();
        if report.is_fatal() { Err(report) } else { Ok((config, report)) }
    }

    fn line(&mut self, number: usize, line: &str) {
        let (whole, comment) = line.split_once('#').map_or((line, None), |(whole, comment)| (whole, Some(comment)));
        let line = whole.trim();
        // The character, from 1, at which a part of the line begins.
        let column = |part: &str| {
            let before = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
            whole.get(..before).map_or(0, |before| before.chars().count().saturating_add(1))
        };
        self.report.lines.push(("", 0));
        if line.is_empty() {
            return;
        }
        let Some((name, text)) = line.split_once('=') else {
            let name = line.split_whitespace().next().unwrap_or_default();
            let rest = line.get(name.len()..).unwrap_or_default().trim();
            let (meant, is_secret) = self.suggestion(name).map_or((None, false), |meant| {
                (Some(meant), keys::find(meant).is_some_and(|(_, key)| key.is_secret()))
            });
            let hint = match meant {
                Some(meant) if is_secret => format!("; did you mean `{meant} = ...`?"),
                Some(meant) if !rest.is_empty() => format!("; did you mean `{meant} = {}`?", short(rest)),
                _ => String::new(),
            };
            let shown = short(if is_secret { name } else { line });
            let text = format!("`{shown}` has no `=`; a line is `name = value`{hint}");
            self.report.add_at(Severity::Error, number, column(line), text);
            return;
        };
        let (name, text) = (name.trim(), text.trim());
        let Some((place, key)) = keys::find(name) else {
            let hint = self.suggestion(name).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            let text = format!("unknown directive `{}`{hint}", short(name));
            self.report.add_at(Severity::Error, number, column(line), text);
            return;
        };
        if let Some(last) = self.report.lines.last_mut() {
            *last = (key.name, u32::try_from(column(text)).unwrap_or(0));
        }
        if let Some(comment) = comment
            && key.name.starts_with("plugin_")
            && is_cut_off(key.name, whole, text, comment)
        {
            let text = format!(
                "`{name}`: `#` begins a comment, and `{}` is all of the value; a comment has a blank before it, and in an expression \
                 [[.number-sign.]] is the character",
                short(text)
            );
            self.report.add_at(Severity::Warning, number, column(whole).saturating_add(whole.chars().count()), text);
        }
        if text.is_empty() {
            let default = if key.default.is_empty() { "nothing" } else { key.default };
            self.report.warning(number, format!("`{name}` has no value; {default} is used"));
            return;
        }
        let written = text;
        let absolute = if key.kind == Kind::Path { self.directory.join(text) } else { PathBuf::new() };
        let text = absolute.to_str().filter(|path| !path.is_empty()).unwrap_or(text);
        match value(key.kind, text) {
            Ok(value) => self.set(number, place, key, text, &value),
            Err(wrong) => {
                // Of a list it is the item that is wrong.
                let item = wrong.strip_prefix('`').and_then(|rest| rest.split('`').next());
                let at = item.and_then(|item| written.find(item)).and_then(|at| written.get(at..)).unwrap_or(written);
                let shown = if key.is_secret() { "..." } else { short(written) };
                let wrong = if wrong.len() > MAX_WRONG { short(&wrong) } else { &wrong };
                let mut text = format!("{name} = {shown}: {wrong}; {}", key.doc.trim());
                match (key.default, example(key.kind)) {
                    ("", "") => {}
                    ("", example) => text += &format!(" For example: {example}."),
                    (default, _) => text += &format!(" Default: {default}."),
                }
                self.report.add_at(Severity::Error, number, column(at), text);
            }
        }
    }

    /// The directive that was most likely meant by `name`. Behind many problems nobody reads it, and a file that is none has thousands.
    fn suggestion(&self, name: &str) -> Option<&'static str> {
        let names = KEYS.iter().map(|key| key.name);
        if self.report.problems.len() < MAX_PROBLEMS { nearest(name, names) } else { None }
    }

    fn set(&mut self, number: usize, place: usize, key: &Key, text: &str, value: &Value<'_>) {
        let before = self.set_at.get(place).copied().unwrap_or(0);
        if before != 0 && !key.kind.repeats() {
            self.report.warning(number, format!("`{}` was set in line {before} before; this one counts", key.name));
        }
        if key.set.is_some()
            && let Err(more) = self.has_room_for(key.name, value)
        {
            self.report.error(number, format!("`{}`: {more}", key.name));
            return;
        }
        if let Some(plugin) = value.plugin() {
            self.load_plugin(number, plugin);
        }
        if let Some(line) = self.set_at.get_mut(place) {
            *line = number;
        }
        if let Some(set) = key.set {
            set(&mut self.config, value);
            self.config.written.push(Written::new(place, number, key.kind, text, value));
        }
    }

    /// What is to be said of a plugin that is to be used.
    fn load_plugin(&mut self, number: usize, plugin: &Plugin) {
        if self.config.plugins.contains(&plugin) {
            self.report.warning(number, format!("`{}` is loaded before; it does its work once", plugin.name));
        }
    }

    /// Whether the entries of one more line fit into a list.
    fn has_room_for(&self, name: &str, value: &Value<'_>) -> Result<(), String> {
        let config = &self.config;
        match value {
            // Those of hooks are counted with the hook.
            Value::Networks(_) if name.starts_with("plugin_") => {}
            Value::Networks(more) => {
                let have = if name == "lan_networks" { &config.lan_networks } else { &config.wan_allow };
                if have.len() + more.len() > MAX_PREFIXES {
                    return Err(format!("more than {MAX_PREFIXES} networks"));
                }
            }
            Value::AccessList(more) => {
                let mut list = match name {
                    "hosts_allow_reg" => config.hosts_allow_reg.clone(),
                    "hosts_allow_sip" => config.hosts_allow_sip.clone(),
                    _ => config.hosts_deny_sip.clone(),
                };
                list.add(more)
                    .map_err(|_| format!("more than {MAX_PREFIXES} networks or {MAX_ACCESS_NAMES} host names"))?;
            }
            Value::Domains(more) if config.allow_domains.len() + more.len() > MAX_ALLOWED_DOMAINS => {
                return Err(format!("more than {MAX_ALLOWED_DOMAINS} domains"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a `#` was probably meant as part of a value `text`, at the end of the line as far as `whole`.
fn is_cut_off(name: &str, whole: &str, text: &str, comment: &str) -> bool {
    let is_expression = || name.ends_with("_pattern") || name.ends_with("_regex");
    match text {
        "" => comment.starts_with(|c: char| !c.is_whitespace() && c != '#'),
        _ => !whole.ends_with(char::is_whitespace) || (is_expression() && Expressions::new().compile(text).is_err()),
    }
}

impl Config {
    /// Brings the values into the form that the rest of the program expects.
    pub(super) fn finish(&mut self) {
        self.rtp_port_low = round_up(self.rtp_port_low);
        self.rtp_port_high = round_down(self.rtp_port_high);
        self.outbound_proxy = self.outbound_proxy.take().filter(|proxy| !proxy.host.is_empty());
    }
}

pub(super) const fn round_up(port: u16) -> u16 {
    port.saturating_add(port % 2)
}

pub(super) const fn round_down(port: u16) -> u16 {
    port - port % 2
}

/// A value that a directive without a default may have.
const fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Interface => "eth0",
        Kind::Host | Kind::Each(Kind::Host) => "sip.example.org",
        Kind::Address => "192.0.2.1",
        Kind::Networks => "192.0.2.0/24",
        Kind::AccessList => "192.168.1.0/24, phone.example.org",
        Kind::Domains => "example.org",
        Kind::Plugin => "plugin_logcall.la",
        _ => "",
    }
}

/// Bytes of what is said of a value, which may name a part of it.
const MAX_WRONG: usize = 240;

/// Characters of a value that a message shows.
const SHOWN: usize = 80;

/// As much of a value as a message shows.
fn short(text: &str) -> &str {
    text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Bytes of the longest word that is taken for one that was mistyped.
const MAX_MISTYPED: usize = 64;

/// The nearest of `names` to what was written, if any is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > MAX_MISTYPED {
        return None;
    }
    let written = written.to_ascii_lowercase();
    // A third of the letters wrong is still a slip; more is another word.
    let limit = (written.len() / 3).max(1);
    names
        .filter(|name| name.len().abs_diff(written.len()) <= limit)
        .map(|name| (distance(&written, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters to insert, delete, or replace, to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}
