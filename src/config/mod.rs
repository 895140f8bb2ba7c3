//! The configuration: where its file is, what it says, and what is wrong with it.

mod check;
mod hooks;
pub mod keys;
pub mod kind;
mod parse;
pub mod plugins;
mod source;
mod value;
mod written;

pub(crate) use check::one_interface;
pub(crate) use hooks::target_is_here;
pub(crate) use parse::nearest;
pub use source::Source;
pub(crate) use value::int;
pub use written::Change;

use crate::engine::Settings;
use crate::engine::settings::{AccessList, Domains, HostPort, MaskedHosts, OutboundDomains, Prefixes};
use crate::limits::{MAX_BINDINGS, MAX_CALLS};
use crate::log_class::CONFIG;
use crate::rtp::latch::Latching;
use crate::sip::via::Transport;
use core::fmt;
use core::net::IpAddr;
use keys::KEYS;
use plugins::Plugin;
use std::path::{Path, PathBuf};
use written::Written;

/// What the configuration file says, with defaults for the rest. Names and units are those of the directives.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is the directive of its name, explained in `keys`")]
pub struct Config {
    pub if_inbound: String,
    pub if_outbound: String,
    pub host_outbound: Option<IpAddr>,
    /// The same, where it is a name; else empty.
    pub host_outbound_name: String,
    pub sip_listen_port: u16,
    /// See [`keys::KEYS`].
    pub transparent: bool,
    pub lan_networks: Prefixes,
    pub wan_allow: Prefixes,
    pub hosts_allow_reg: AccessList,
    pub hosts_allow_sip: AccessList,
    pub hosts_deny_sip: AccessList,
    pub allow_domains: Domains,
    pub daemonize: bool,
    pub silence_log: u8,
    pub debug_level: u32,
    /// 0 is off.
    pub debug_port: u16,
    pub debug_bind: Option<IpAddr>,
    pub user: Option<String>,
    pub chrootjail: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub registration_file: Option<PathBuf>,
    pub autosave_registrations: u32,
    pub control_socket: Option<PathBuf>,
    pub rtp_proxy_enable: bool,
    /// Even.
    pub rtp_port_low: u16,
    /// Even: the last RTP port; its RTCP port is one above.
    pub rtp_port_high: u16,
    pub rtp_timeout: u32,
    pub rtp_timeout_bye: bool,
    pub rtp_latching: Latching,
    /// 0 to 63.
    pub rtp_dscp: u8,
    /// 0 to 63.
    pub sip_dscp: u8,
    /// Microseconds; 0 is off, as for the one below.
    pub rtp_input_dejitter: u32,
    pub rtp_output_dejitter: u32,
    /// Microseconds; 0 is off.
    pub rtp_coalesce: u16,
    pub default_expires: u32,
    /// Seconds; 0 is off.
    pub lan_expires: u32,
    pub sip_keepalive: u32,
    pub topology_hiding: bool,
    pub obscure_loops: bool,
    /// Empty where there is none.
    pub ua_string: String,
    pub max_calls: usize,
    pub max_bindings: usize,
    pub mask_hosts: Vec<String>,
    pub masked_hosts: Vec<String>,
    pub outbound_proxy: Option<HostPort>,
    pub proxy_auth_realm: Option<String>,
    pub proxy_auth_passwd: Option<String>,
    pub proxy_auth_pwfile: Option<PathBuf>,
    pub outbound_proxy_transport: Option<Transport>,
    pub outbound_domain_names: Vec<String>,
    pub outbound_domain_hosts: Vec<String>,
    /// 0 where the DNS names it, as for all where there is none.
    pub outbound_domain_ports: Vec<u16>,
    /// Seconds; 0 is off, as for the two below.
    pub tcp_timeout: u32,
    /// Milliseconds.
    pub tcp_connect_timeout: u32,
    pub tcp_keepalive: u32,
    pub use_rport: u8,
    /// Kilobytes.
    pub thread_stack_size: u32,
    pub redirect_numbers: bool,
    /// Seconds; 0 is off, -1 is with SIGUSR1, as for the one below.
    pub plugin_stats_to_syslog: i32,
    pub plugin_stats_to_file: i32,
    pub plugin_stats_filename: Option<PathBuf>,
    pub plugin_blacklist_dbpath: Option<PathBuf>,
    /// In the order of `load_plugin`, which is that of their work.
    pub plugins: Vec<&'static Plugin>,
    /// The lines that the fields come from.
    pub(crate) written: Vec<Written>,
}

impl Config {
    /// Reads `file`.
    ///
    /// # Errors
    /// A report with at least one error; then nothing of the file is applied.
    pub fn load(file: &Path) -> Result<(Self, Report), Report> {
        let bytes = parse::read(file)?;
        Self::parse(file, &bytes)
    }

    /// Takes `bytes` as the content of `file`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Self, Report), Report> {
        parse::parse(file, Path::new(""), bytes)
    }

    /// The outbound proxies of single domains; `None` where they do not fit.
    fn outbound_domains(&self) -> Option<OutboundDomains> {
        let mut domains = OutboundDomains::new();
        let ports = self.outbound_domain_ports.iter().copied().chain(core::iter::repeat(0));
        for ((name, host), port) in self.outbound_domain_names.iter().zip(&self.outbound_domain_hosts).zip(ports) {
            domains.push(name, host, port).ok()?;
        }
        Some(domains)
    }

    /// What the outside knows hosts by; `None` where they do not fit.
    fn masks(&self) -> Option<MaskedHosts> {
        let mut hosts = MaskedHosts::new();
        self.mask_hosts.iter().zip(&self.masked_hosts).try_for_each(|(mask, masked)| hosts.push(mask, masked)).ok()?;
        Some(hosts)
    }

    /// The part of it that the engine acts on.
    #[must_use]
    pub fn engine_settings(&self) -> Settings {
        Settings {
            sip_listen_port: self.sip_listen_port,
            host_outbound: self.host_outbound,
            // The parser has measured it: it fits.
            host_outbound_name: heapless::String::try_from(self.host_outbound_name.as_str()).unwrap_or_default(),
            rtp_proxy_enable: self.rtp_proxy_enable,
            rtp_port_low: self.rtp_port_low,
            rtp_port_high: self.rtp_port_high,
            keep_dialogs: self.rtp_timeout_bye
                || crate::control::socket::path(self.control_socket.as_deref(), None).is_some(),
            rtp_timeout_bye: self.rtp_timeout_bye,
            default_expires: self.default_expires,
            lan_expires: self.lan_expires,
            outbound_proxy: self.outbound_proxy.clone(),
            outbound_proxy_transport: self.outbound_proxy_transport,
            // The parser has counted: they fit.
            outbound_domains: self.outbound_domains().unwrap_or_default(),
            topology_hiding: self.topology_hiding,
            obscure_loops: self.obscure_loops,
            use_rport: self.use_rport,
            // The parser has measured it: it fits.
            ua_string: heapless::String::try_from(self.ua_string.as_str()).unwrap_or_default(),
            sip_keepalive: self.sip_keepalive,
            lan_networks: self.lan_networks.clone(),
            wan_allow: self.wan_allow.clone(),
            hosts_allow_reg: self.hosts_allow_reg.clone(),
            hosts_allow_sip: self.hosts_allow_sip.clone(),
            hosts_deny_sip: self.hosts_deny_sip.clone(),
            allow_domains: self.allow_domains.clone(),
            masked_hosts: self.masks().unwrap_or_default(),
            max_calls: self.max_calls,
            max_bindings: self.max_bindings,
        }
    }
}

impl Default for Config {
    /// The defaults of the table; the interfaces have none.
    fn default() -> Self {
        let mut config = Self {
            if_inbound: String::new(),
            if_outbound: String::new(),
            host_outbound: None,
            host_outbound_name: String::new(),
            sip_listen_port: 0,
            transparent: false,
            lan_networks: Prefixes::new(),
            wan_allow: Prefixes::new(),
            hosts_allow_reg: AccessList::new(),
            hosts_allow_sip: AccessList::new(),
            hosts_deny_sip: AccessList::new(),
            allow_domains: Domains::new(),
            daemonize: false,
            silence_log: 0,
            debug_level: 0,
            debug_port: 0,
            debug_bind: None,
            user: None,
            chrootjail: None,
            pid_file: None,
            registration_file: None,
            autosave_registrations: 0,
            control_socket: None,
            rtp_proxy_enable: false,
            rtp_port_low: 0,
            rtp_port_high: 0,
            rtp_timeout: 0,
            rtp_timeout_bye: false,
            rtp_latching: Latching::default(),
            rtp_dscp: 0,
            sip_dscp: 0,
            rtp_input_dejitter: 0,
            rtp_output_dejitter: 0,
            rtp_coalesce: 0,
            default_expires: 0,
            lan_expires: 0,
            sip_keepalive: 0,
            topology_hiding: false,
            obscure_loops: false,
            ua_string: String::new(),
            max_calls: MAX_CALLS,
            max_bindings: MAX_BINDINGS,
            mask_hosts: Vec::new(),
            masked_hosts: Vec::new(),
            outbound_proxy: None,
            proxy_auth_realm: None,
            proxy_auth_passwd: None,
            proxy_auth_pwfile: None,
            outbound_proxy_transport: None,
            outbound_domain_names: Vec::new(),
            outbound_domain_hosts: Vec::new(),
            outbound_domain_ports: Vec::new(),
            tcp_timeout: 0,
            tcp_connect_timeout: 0,
            tcp_keepalive: 0,
            use_rport: 3,
            thread_stack_size: 0,
            redirect_numbers: false,
            plugin_stats_to_syslog: 0,
            plugin_stats_to_file: 0,
            plugin_stats_filename: None,
            plugin_blacklist_dbpath: None,
            plugins: Vec::new(),
            written: Vec::new(),
        };
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            if let (Some(set), Ok(value)) = (key.set, value::value(key.kind, key.default)) {
                set(&mut config, &value);
            }
        }
        config.finish();
        config
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is wrong; somebody may have meant something else.
    Note,
    /// The daemon starts nevertheless.
    Warning,
    /// The daemon does not start.
    Error,
}

impl Severity {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Problems that are told of one file.
const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, where it is another one than the configuration.
    pub file: Option<PathBuf>,
    /// The line, from 1; 0 where it is the whole file.
    pub line: usize,
    /// The character in the line, from 1; 0 where it is the whole line.
    pub column: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what was meant.
    pub text: String,
}

/// All that is wrong with a file, in the order of its lines. One line of text for each problem: `FILE:LINE:COLUMN: what`.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The directive of each line, and the character where its value begins, from 1; empty and 0 where there is none.
    lines: Vec<(&'static str, u32)>,
}

impl Report {
    /// Whether the daemon must not start.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Nothing is wrong with a file yet.
    pub(crate) fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// A file that cannot be used, and why.
    pub(crate) fn of_error(file: &Path, text: String) -> Self {
        let mut report = Self::of_file(file);
        report.error(0, text);
        report
    }

    pub(crate) fn add(&mut self, severity: Severity, line: usize, text: impl Into<String>) {
        let column = self.line_at(line).map_or(0, |(_, column)| column as usize);
        self.add_at(severity, line, column, text);
    }

    fn line_at(&self, number: usize) -> Option<(&'static str, u32)> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// The directive that a problem is about: that of its line, or that which it names first.
    #[must_use]
    pub fn directive(&self, problem: &Problem) -> Option<&'static str> {
        let of_line = self.line_at(problem.line).filter(|(name, _)| !name.is_empty() && problem.file.is_none());
        let named = || Some(keys::find(problem.text.strip_prefix('`')?.split('`').next()?)?.1.name);
        of_line.map(|(name, _)| name).or_else(named)
    }

    pub(crate) fn add_at(&mut self, severity: Severity, line: usize, column: usize, text: impl Into<String>) {
        self.problems.push(Problem { file: None, line, column, severity, text: text.into() });
    }

    /// Whether there is something that whoever wrote the file should change.
    #[must_use]
    pub fn has_warnings(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity != Severity::Note)
    }

    fn error(&mut self, line: usize, text: impl Into<String>) {
        self.add(Severity::Error, line, text);
    }

    fn warning(&mut self, line: usize, text: impl Into<String>) {
        self.add(Severity::Warning, line, text);
    }

    fn note(&mut self, line: usize, text: impl Into<String>) {
        self.add(Severity::Note, line, text);
    }

    /// Puts the problems into the order of the lines; what concerns the whole file comes last. A file that is none has enough of the first
    /// ones.
    pub fn sort(&mut self) {
        self.problems.sort_by_key(|problem| if problem.line == 0 { usize::MAX } else { problem.line });
        let more = self.problems.len().saturating_sub(MAX_PROBLEMS);
        if more > 0 && self.is_fatal() {
            self.problems.sort_by_key(|problem| problem.severity != Severity::Error);
            self.problems.truncate(MAX_PROBLEMS);
            self.error(0, format!("and {more} more like these"));
        }
    }

    /// Puts each problem with its place into the log, which has its own word for how bad it is.
    pub fn log(&self) {
        for problem in &self.problems {
            let level = match problem.severity {
                Severity::Note => log::Level::Info,
                Severity::Warning => log::Level::Warn,
                Severity::Error => log::Level::Error,
            };
            log::log!(target: CONFIG, level, "{}", self.line(problem, ""));
        }
    }

    fn line(&self, problem: &Problem, prefix: &str) -> String {
        let (file, text) = (problem.file.as_ref().unwrap_or(&self.file).display(), &problem.text);
        let Problem { line, column, .. } = problem;
        match problem.line {
            0 if self.file.as_os_str().is_empty() => format!("{prefix}{text}"),
            0 => format!("{file}: {prefix}{text}"),
            _ if *column == 0 => format!("{file}:{line}: {prefix}{text}"),
            _ => format!("{file}:{line}:{column}: {prefix}{text}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().try_for_each(|problem| {
            let prefix = match problem.severity {
                Severity::Note => "note: ",
                Severity::Warning => "warning: ",
                Severity::Error => "",
            };
            writeln!(f, "{}", self.line(problem, prefix))
        })
    }
}

/// The text of a configuration file, whatever is wrong with it.
///
/// # Errors
/// What is wrong with the file itself, in words.
pub fn text(file: &Path) -> Result<String, String> {
    match parse::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(report) => Err(report.problems.into_iter().map(|problem| problem.text).collect()),
    }
}

/// What the last line that names a directive gives it, whatever is wrong with the rest of the file.
#[must_use]
pub fn last_value<'a>(text: &'a str, directive: &str) -> Option<&'a str> {
    text.lines().rev().find_map(|line| {
        let (name, value) = line.split('#').next()?.split_once('=')?;
        (name.trim() == directive).then(|| value.trim()).filter(|value| !value.is_empty())
    })
}

/// Places of the configuration file besides `$HOME/.siproxdrc`, in the order they are tried.
const PLACES: [&str; 4] =
    ["/etc/siproxd.conf", "/etc/siproxd/siproxd.conf", "/usr/etc/siproxd.conf", "/usr/local/etc/siproxd.conf"];

/// The configuration file: the first of the known places where one can be opened.
///
/// # Errors
/// Every place that was tried, where there is none.
pub fn find_file(home: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    let tried: Vec<PathBuf> =
        home.map(|home| home.join(".siproxdrc")).into_iter().chain(PLACES.iter().map(PathBuf::from)).collect();
    let opened = |place: &&PathBuf| std::fs::File::open(place).is_ok();
    // One that is there and may not be read is not to be passed over: what it says would be missed.
    let is_there = |place: &&PathBuf| std::fs::symlink_metadata(place).is_ok();
    tried.iter().find(opened).or_else(|| tried.iter().find(is_there)).cloned().ok_or(tried)
}

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;
