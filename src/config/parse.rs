//! The syntax of `siproxd.conf`: one `name = value` a line, `#` starts a comment anywhere, no quoting.
//!
//! All that is wrong is collected before anything is said, and nothing of a file with an error is used.

use super::keys::{self, KEYS, Key};
use super::kind::{Kind, Value};
use super::plugins::Plugin;
use super::value::value;
use super::written::Written;
use super::{Config, Report};
use crate::limits::{MAX_ACCESS_NAMES, MAX_ALLOWED_DOMAINS, MAX_MASKED_HOSTS, MAX_OUTBOUND_DOMAINS, MAX_PREFIXES};
use crate::state::file::open;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of the largest configuration file that is read; a device or a wrong file shall not fill the memory.
const MAX_FILE: u64 = 1 << 20;

/// Microseconds in a millisecond, which packets are held back in.
const MILLISECOND: u32 = 1000;

/// The value of `use_rport` that asks for it on both sides, as this program does.
const USE_RPORT_BOTH: u8 = 3;

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

struct Parser<'a> {
    directory: &'a Path,
    config: Config,
    report: Report,
    /// The line that last set each directive, by its place in the table; 0 where none has.
    set_at: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn new(file: &Path, directory: &'a Path) -> Self {
        Self {
            directory,
            config: Config::default(),
            report: Report { file: file.to_owned(), problems: Vec::new() },
            set_at: vec![0; KEYS.len()],
        }
    }

    fn finish(mut self) -> Result<(Config, Report), Report> {
        self.check();
        let Self { mut config, mut report, .. } = self;
        config.finish();
        report.sort();
        if report.is_fatal() { Err(report) } else { Ok((config, report)) }
    }

    fn line(&mut self, number: usize, line: &str) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return;
        }
        let Some((name, text)) = line.split_once('=') else {
            let name = line.split_whitespace().next().unwrap_or_default();
            let rest = line.get(name.len()..).unwrap_or_default().trim();
            let hint = match suggestion(name) {
                Some(meant) if !rest.is_empty() => format!("; did you mean `{meant} = {rest}`?"),
                _ => String::new(),
            };
            self.report.error(number, format!("`{line}` has no `=`; a line is `name = value`{hint}"));
            return;
        };
        let (name, text) = (name.trim(), text.trim());
        let Some((place, key)) = keys::find(name) else {
            let hint = suggestion(name).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            self.report.error(number, format!("unknown directive `{name}`{hint}"));
            return;
        };
        if text.is_empty() {
            let default = if key.default.is_empty() { "nothing" } else { key.default };
            self.report.warning(number, format!("`{name}` has no value; {default} is used"));
            return;
        }
        let absolute = if key.kind == Kind::Path { self.directory.join(text) } else { PathBuf::new() };
        let text = absolute.to_str().filter(|path| !path.is_empty()).unwrap_or(text);
        match value(key.kind, text) {
            Ok(value) => self.set(number, place, key, text, &value),
            Err(wrong) => {
                let default = match key.default {
                    "" => String::new(),
                    default => format!(" Default: {default}."),
                };
                self.report.error(number, format!("{name} = {text}: {wrong}; {}{default}", key.doc.trim()));
            }
        }
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
        let Plugin { name, effect, is_built_in } = plugin;
        if self.config.plugins.contains(&plugin) {
            self.report.warning(number, format!("`{name}` is loaded before; it does its work once"));
        } else if !is_built_in {
            self.report.warning(number, format!("`{name}` is not in this version; without it you miss: {effect}"));
        }
    }

    /// Whether the entries of one more line fit into a list.
    fn has_room_for(&self, name: &str, value: &Value<'_>) -> Result<(), String> {
        let config = &self.config;
        match value {
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

    /// The line that set a directive; 0 where none has.
    fn line_of(&self, name: &str) -> usize {
        keys::find(name).and_then(|(place, _)| self.set_at.get(place)).copied().unwrap_or(0)
    }

    /// What no line shows alone.
    fn check(&mut self) {
        self.check_interfaces();
        self.check_ports();
        self.check_dejitter();
        if self.line_of("outbound_proxy_host") == 0 {
            match self.line_of("outbound_proxy_port") {
                0 => (),
                line => self.report.warning(line, "`outbound_proxy_port` means nothing without `outbound_proxy_host`"),
            }
            match self.line_of("outbound_proxy_transport") {
                0 => (),
                line => {
                    self.report.warning(line, "`outbound_proxy_transport` means nothing without `outbound_proxy_host`");
                }
            }
        }
        self.check_outbound_domains();
        self.check_masks();
        self.check_accounts();
        self.check_effects();
    }

    /// What has no effect, and why.
    fn check_effects(&mut self) {
        let set = || KEYS.iter().zip(&self.set_at).filter(|(key, line)| key.set.is_none() && **line != 0);
        let names = |of_plugins: bool| -> Vec<&str> {
            let is_one = |name: &str| match Plugin::of_directive(name) {
                // Of one that is loaded all has been said with `load_plugin`.
                Some(plugin) => of_plugins && !self.config.plugins.contains(&plugin),
                None => !of_plugins,
            };
            set().map(|(key, _)| key.name).filter(|name| is_one(name)).collect()
        };
        let (missing, of_plugins) = (names(false), names(true));
        if !missing.is_empty() {
            self.report.warning(0, format!("without effect in this version: {}", missing.join(", ")));
        }
        if let Some(first) = of_plugins.first() {
            let names = of_plugins.join(", ");
            let text = format!("without effect, for no `load_plugin` names its plugin: {names}");
            self.report.note(self.line_of(first), text);
        }
        let Config { use_rport, thread_stack_size, .. } = self.config;
        let rport_line = self.line_of("use_rport");
        if rport_line != 0 && use_rport != USE_RPORT_BOTH {
            let text =
                format!("`use_rport` = {use_rport} has no effect: rport is always asked for, as with {USE_RPORT_BOTH}");
            self.report.note(rport_line, text);
        }
        if thread_stack_size != 0 {
            let text = "`thread_stack_size` has no effect: there is no thread for media";
            self.report.note(self.line_of("thread_stack_size"), text);
        }
    }

    fn check_interfaces(&mut self) {
        let Config { if_inbound, if_outbound, .. } = &self.config;
        if !if_inbound.is_empty() && if_inbound == if_outbound && self.line_of("host_outbound") == 0 {
            let line = self.line_of("if_outbound");
            self.report.warning(line, "both interfaces are one; set `host_outbound` to the public address");
        }
    }

    fn check_accounts(&mut self) {
        let realm = self.line_of("proxy_auth_realm");
        let secrets = ["proxy_auth_passwd", "proxy_auth_pwfile"].map(|name| (name, self.line_of(name)));
        match (realm, secrets.map(|(_, line)| line)) {
            (0, _) => {
                for (name, line) in secrets.into_iter().filter(|(_, line)| *line != 0) {
                    self.report.warning(line, format!("`{name}` means nothing without `proxy_auth_realm`"));
                }
            }
            (_, [0, 0]) => {
                let text = "no phone can register: `proxy_auth_pwfile` or `proxy_auth_passwd` is missing";
                self.report.warning(realm, text);
            }
            _ => {}
        }
    }

    fn check_outbound_domains(&mut self) {
        let Config { outbound_domain_names, outbound_domain_hosts, outbound_domain_ports, .. } = &self.config;
        let [names, hosts, ports] =
            [outbound_domain_names.len(), outbound_domain_hosts.len(), outbound_domain_ports.len()];
        let lines =
            ["outbound_domain_name", "outbound_domain_host", "outbound_domain_port"].map(|name| self.line_of(name));
        let last = lines.into_iter().max().unwrap_or(0);
        if names != hosts || (ports != 0 && ports != names) {
            let [of_name, of_host, of_port] = lines.map(ends);
            self.report.error(
                last,
                format!(
                    "each domain needs its host, and a port or none has one: `outbound_domain_name` is there {names} \
                     times{of_name}, `outbound_domain_host` {hosts} times{of_host}, `outbound_domain_port` {ports} \
                     times{of_port}"
                ),
            );
        } else if self.config.outbound_domains().is_none() {
            self.report.error(last, format!("`outbound_domain_…`: more than {MAX_OUTBOUND_DOMAINS} bytes in all"));
        }
    }

    fn check_masks(&mut self) {
        let [masks, masked] = [self.config.mask_hosts.len(), self.config.masked_hosts.len()];
        let [mask_line, masked_line] = ["mask_host", "masked_host"].map(|name| self.line_of(name));
        let last = mask_line.max(masked_line);
        if masks != masked {
            self.report.error(
                last,
                format!(
                    "each `mask_host` needs its `masked_host`: there are {masks}{} of the one, and {masked}{} of the other",
                    ends(mask_line),
                    ends(masked_line)
                ),
            );
        } else if self.config.masks().is_none() {
            self.report
                .error(last, format!("`mask_host` and `masked_host`: more than {MAX_MASKED_HOSTS} bytes in all"));
        }
    }

    fn check_dejitter(&mut self) {
        let Config { rtp_input_dejitter, rtp_output_dejitter, .. } = self.config;
        for (name, value) in [("rtp_input_dejitter", rtp_input_dejitter), ("rtp_output_dejitter", rtp_output_dejitter)]
        {
            if (1..MILLISECOND).contains(&value) {
                let meant = value * MILLISECOND;
                let text = format!("`{name}` is in microseconds: {value} evens nothing out, {value} ms are {meant}");
                self.report.warning(self.line_of(name), text);
            }
        }
    }

    fn check_ports(&mut self) {
        let (low_line, high_line) = (self.line_of("rtp_port_low"), self.line_of("rtp_port_high"));
        let range_line = if high_line == 0 { low_line } else { high_line };
        let Config { rtp_port_low, rtp_port_high, sip_listen_port, debug_port, .. } = self.config;
        if rtp_port_low % 2 == 1 && low_line != 0 {
            let even = u32::from(rtp_port_low) + 1;
            self.report.warning(low_line, format!("`rtp_port_low` is odd; {even} is used"));
        }
        // An odd upper limit is the common way to write it: its pair is whole.
        let (low, high) = (round_up(rtp_port_low), round_down(rtp_port_high));
        if low > high {
            let text =
                format!("no pair of ports from {rtp_port_low} to {rtp_port_high}; `rtp_port_high` is the last one");
            self.report.error(range_line, text);
        } else if (low..=high.saturating_add(1)).contains(&sip_listen_port) {
            let line = match self.line_of("sip_listen_port") {
                0 => range_line,
                line => line,
            };
            self.report
                .error(line, format!("`sip_listen_port` {sip_listen_port} is one of the media ports {low} to {high}"));
        }
        if debug_port == sip_listen_port {
            let line = self.line_of("debug_port");
            self.report.error(line, format!("`debug_port` and `sip_listen_port` are both {debug_port}"));
        }
    }
}

/// Where the last line of a list stands, in brackets.
fn ends(line: usize) -> String {
    if line == 0 { String::new() } else { format!(" (the last in line {line})") }
}

impl Config {
    /// Brings the values into the form that the rest of the program expects.
    pub(super) fn finish(&mut self) {
        self.rtp_port_low = round_up(self.rtp_port_low);
        self.rtp_port_high = round_down(self.rtp_port_high);
        self.outbound_proxy = self.outbound_proxy.take().filter(|proxy| !proxy.host.is_empty());
    }
}

const fn round_up(port: u16) -> u16 {
    port.saturating_add(port % 2)
}

const fn round_down(port: u16) -> u16 {
    port - port % 2
}

/// The directive that was most likely meant by `name`.
fn suggestion(name: &str) -> Option<&'static str> {
    nearest(name, KEYS.iter().map(|key| key.name))
}

/// The nearest of `names` to what was written, if any is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    // A third of the letters wrong is still a slip; more is another word.
    let limit = (written.len() / 3).max(1);
    names
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
