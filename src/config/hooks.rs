//! What the directives of hooks come to, and what is wrong with them.
//!
//! They are read from the lines that set them, so that each fault has its line. A fault that siproxd 0.8 left a plugin out for is an error
//! here: who runs a daemon without one of his rules shall not have to find out from his telephone bill.

use super::check::is_private;
use super::kind::{Kind, Value};
use super::plugins::Plugin;
use super::value::value;
use super::{Config, Severity};
use crate::engine::HookSettings;
use crate::engine::hook;
use crate::engine::hook::settings::{BlacklistSettings, HookList, HookText, RuleError, Rules};
use crate::engine::settings::Prefixes;
use crate::limits::{MAX_HOOK_LIST, MAX_HOOK_TEXT, MAX_PREFIXES, MAX_RULE_TEXT, MAX_RULES};
use crate::sip::uri::{Uri, parse_ip};
use crate::span::Span;
use core::net::IpAddr;
use std::path::Path;

/// Takes what is to be said of a line.
pub(super) type Say<'a> = &'a mut dyn FnMut(Severity, usize, String);

impl Config {
    /// The part of it that hooks act on.
    #[must_use]
    pub fn hook_settings(&self) -> HookSettings {
        let mut settings = HookSettings::new();
        self.set_hooks(&mut settings, &mut |_, _, _| ());
        settings
    }

    /// Whether a plugin is loaded.
    pub(crate) fn has_plugin(&self, name: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.name == name)
    }

    /// The files that hooks write, with the directive of each.
    pub(crate) fn files_of_hooks(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("plugin_stats_filename", &self.plugin_stats_filename, self.has_plugin("plugin_stats")),
            ("plugin_blacklist_dbpath", &self.plugin_blacklist_dbpath, self.has_plugin("plugin_blacklist")),
        ]
        .into_iter()
        .filter_map(|(name, path, is_on)| Some((name, path.as_deref().filter(|_| is_on)?)))
    }

    /// Fills in what hooks act on, and says what is wrong with it.
    pub(super) fn set_hooks(&self, settings: &mut HookSettings, say: Say<'_>) {
        settings.redirect = self.redirect_numbers;
        for plugin in &self.plugins {
            let Some(number) = hook::find(plugin.name) else { continue };
            // There is a place for each.
            let _ = settings.loaded.push(number);
            self.set_hook(plugin, settings, say);
        }
    }

    fn set_hook(&self, plugin: &Plugin, settings: &mut HookSettings, say: Say<'_>) {
        let name = plugin.name;
        match name {
            "plugin_demo" => self.text("plugin_demo_string", &mut settings.demo, say),
            "plugin_prefix" => {
                self.text("plugin_prefix_akey", &mut settings.prefix, say);
                self.check_numbers("plugin_prefix_akey", "digits", |prefix| (prefix, "h"), say);
                self.need(name, &["plugin_prefix_akey"], say);
            }
            "plugin_shortdial" => {
                self.text("plugin_shortdial_akey", &mut settings.short_dial_key, say);
                self.list("plugin_shortdial_entry", &mut settings.short_dial, say);
                self.need(name, &["plugin_shortdial_akey", "plugin_shortdial_entry"], say);
                self.check_short_dial(say);
            }
            "plugin_regex" => self.rules(name, &mut settings.regex, say),
            "plugin_regex_body" => self.rules(name, &mut settings.regex_body, say),
            "plugin_siptrunk" => self.trunks(&mut settings.trunks, say),
            "plugin_stripheader" => {
                self.list("plugin_stripheader_remove", &mut settings.stripped, say);
                self.need(name, &["plugin_stripheader_remove"], say);
                self.check_stripped(say);
            }
            "plugin_codecfilter" => {
                self.list("plugin_codecfilter_blacklist", &mut settings.codecs, say);
                self.need(name, &["plugin_codecfilter_blacklist"], say);
            }
            "plugin_defaulttarget" => {
                self.text("plugin_defaulttarget_target", &mut settings.default_target, say);
                settings.default_target_log =
                    self.lines("plugin_defaulttarget_log").last().is_some_and(|(_, text)| text == "1");
                self.need(name, &["plugin_defaulttarget_target"], say);
                self.check_default_target(say);
            }
            "plugin_stun" => self.stun(settings, say),
            "plugin_stats" => self.check_stats(say),
            "plugin_blacklist" => {
                settings.blacklist = BlacklistSettings {
                    most: self.number("plugin_blacklist_hitcount"),
                    duration: self.number("plugin_blacklist_duration"),
                    window: self.number("plugin_blacklist_register_window"),
                    simulate: self.number::<u8>("plugin_blacklist_simulate") == 1,
                };
            }
            "plugin_fix_bogus_via" => self.networks(name, &mut settings.bogus_vias, say),
            "plugin_fix_DTAG" => self.networks(name, &mut settings.dtag, say),
            "plugin_fix_fbox_anoncall" => self.networks(name, &mut settings.fbox, say),
            _ => {}
        }
    }

    /// The lines that set a directive, each with its number and its text.
    fn lines<'a>(&'a self, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
        let place = super::keys::find(name).map(|(place, _)| place);
        self.written.iter().filter(move |line| Some(line.place) == place).map(|line| (line.line, &line.text[..]))
    }

    fn text(&self, name: &str, text: &mut HookText, say: Say<'_>) {
        if let Some((line, value)) = self.lines(name).last()
            && text.push_str(value).is_err()
        {
            say(Severity::Error, line, format!("`{name}`: longer than {MAX_HOOK_TEXT} bytes"));
        }
    }

    fn check_in_uri(&self, name: &str, say: Say<'_>) {
        for (line, text) in self.lines(name) {
            let is_odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"?".contains(c) || !c.is_ascii();
            if let Some(odd) = text.chars().find(|c| is_odd(*c)) {
                say(Severity::Error, line, format!("`{name}`: no URI has `{odd}` in it"));
            }
        }
    }

    /// Says so where what a directive has, a number with or without a host, makes no URI.
    fn check_numbers(&self, name: &str, form: &str, split: fn(&str) -> (&str, &str), say: Say<'_>) {
        self.check_in_uri(name, say);
        for (line, text) in self.lines(name) {
            let (number, host) = split(text);
            let uri = format!("sip:{number}@{host}");
            let user = Uri::parse(uri.as_bytes(), Span::from_usize(0, uri.len())).ok().and_then(|uri| uri.user);
            if user.is_none_or(|user| user.of(uri.as_bytes()) != number.as_bytes()) {
                say(
                    Severity::Error,
                    line,
                    format!("`{name}` = {text} makes no URI: it is {form}, without sip: before it"),
                );
            }
        }
    }

    fn list(&self, name: &str, list: &mut HookList, say: Say<'_>) {
        for (line, text) in self.lines(name) {
            if list.push_str(text).and_then(|()| list.push('\n')).is_err() {
                return say(Severity::Error, line, format!("`{name}`: more than {MAX_HOOK_LIST} bytes in all"));
            }
        }
    }

    /// Says so where a plugin is loaded that has nothing to do.
    fn need(&self, plugin: &str, names: &[&str], say: Say<'_>) {
        for name in names.iter().filter(|name| self.lines(name).next().is_none()) {
            let text = format!("`{plugin}` does nothing without `{name}`");
            say(Severity::Warning, self.line_of_plugin(plugin), text);
        }
    }

    fn line_of_plugin(&self, plugin: &str) -> usize {
        let is_its = |text| super::plugins::plugin(text).is_ok_and(|found| found.name == plugin);
        self.lines("load_plugin").find(|(_, text)| is_its(text)).map_or(0, |(line, _)| line)
    }

    fn check_short_dial(&self, say: Say<'_>) {
        let split: fn(&str) -> (&str, &str) = |entry| entry.split_once('@').unwrap_or((entry, "h"));
        self.check_numbers("plugin_shortdial_entry", "`number` or `number@host`", split, say);
        let Some((line, key)) = self.lines("plugin_shortdial_akey").last() else { return };
        let digits = key.chars().count().saturating_sub(1);
        let most = 10usize.saturating_pow(u32::try_from(digits).unwrap_or(u32::MAX)).saturating_sub(1);
        if digits == 0 {
            let text =
                "`plugin_shortdial_akey` is one character: there is none left for the number, as in *00 for *01 to *99";
            say(Severity::Error, line, text.to_owned());
        } else if let Some((line, _)) = self.lines("plugin_shortdial_entry").nth(most) {
            let text = format!("`plugin_shortdial_akey` = {key} has numbers for {most} entries: this one has none");
            say(Severity::Warning, line, text);
        }
    }

    /// Rules of a pattern and a replacement each.
    fn rules(&self, plugin: &str, rules: &mut Rules, say: Say<'_>) {
        let [desc, pattern, replace] = ["desc", "pattern", "replace"].map(|part| format!("{plugin}_{part}"));
        if !self.are_paired([&pattern, &replace, &desc], say) {
            return;
        }
        self.need(plugin, &[&pattern], say);
        for ((line, expression), (replace_line, text)) in self.lines(&pattern).zip(self.lines(&replace)) {
            match rules.push_replacement(expression, text) {
                Ok(()) => {}
                Err(RuleError::NoSuchGroup(group)) => {
                    let text =
                        format!("`{replace}`: \\{group} stands for a group in parentheses that `{expression}` has not");
                    say(Severity::Error, replace_line, text);
                }
                Err(error) => say_rule(&pattern, line, error, say),
            }
        }
    }

    /// Accounts, and the numbers of each.
    fn trunks(&self, rules: &mut Rules, say: Say<'_>) {
        let [numbers, account] = ["plugin_siptrunk_numbers_regex", "plugin_siptrunk_account"];
        if !self.are_paired([numbers, account, "plugin_siptrunk_name"], say) {
            return;
        }
        self.need("plugin_siptrunk", &[numbers], say);
        for ((line, expression), (account_line, text)) in self.lines(numbers).zip(self.lines(account)) {
            let text = text.strip_prefix("sip:").unwrap_or(text);
            let Some((user, host)) = text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty())
            else {
                let text =
                    format!("`{account}` = {text} is no account: it is `user@domain`, as the phone registers it");
                say(Severity::Error, account_line, text);
                continue;
            };
            if let Err(error) = rules.push(expression, &format!("{user}@{}", host.to_ascii_lowercase())) {
                say_rule(numbers, line, error, say);
            }
        }
    }

    fn check_stripped(&self, say: Say<'_>) {
        for (line, text) in self.lines("plugin_stripheader_remove") {
            let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
            let name = name.trim();
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
            let wrong = match hook::may_be_stripped(name) {
                _ if !is_name => "is not the name of a header",
                false => "is a header without which SIP does not work",
                true if value.is_some_and(|value| value.trim().is_empty()) => {
                    "has a colon and no value behind it; the name alone takes out the whole header"
                }
                true => continue,
            };
            say(Severity::Error, line, format!("`plugin_stripheader_remove`: {name} {wrong}"));
        }
    }

    fn check_default_target(&self, say: Say<'_>) {
        self.check_in_uri("plugin_defaulttarget_target", say);
        let Some((line, text)) = self.lines("plugin_defaulttarget_target").last() else { return };
        let Ok(uri) = Uri::parse(text.as_bytes(), Span::from_usize(0, text.len())) else {
            let text = format!("`plugin_defaulttarget_target` = {text} is no URI, such as sip:operator@example.org");
            return say(Severity::Error, line, text);
        };
        let host = uri.host.of(text.as_bytes());
        let ip = parse_ip(host);
        let is_named = !host.is_empty() && host.eq_ignore_ascii_case(self.host_outbound_name.as_bytes());
        if is_named || (ip.is_some() && ip == self.host_outbound) {
            say(Severity::Warning, line, target_is_here(text));
        } else if ip.is_some_and(|ip| is_private(ip) || ip.is_loopback() || ip.is_unspecified()) {
            let text = format!(
                "`plugin_defaulttarget_target` = {text} is a private address: who calls from the Internet is told it, and does not reach it; \
                 name a public one"
            );
            say(Severity::Warning, line, text);
        }
    }

    /// The address of `plugin_defaulttarget_target`, with its line and text, where it is in use and has one.
    pub(crate) fn default_target(&self) -> Option<(usize, &str, IpAddr)> {
        let is_on = self.has_plugin("plugin_defaulttarget");
        let (line, text) = self.lines("plugin_defaulttarget_target").last().filter(|_| is_on)?;
        let uri = Uri::parse(text.as_bytes(), Span::from_usize(0, text.len())).ok()?;
        Some((line, text, uri.ip(text.as_bytes())?))
    }

    fn stun(&self, settings: &mut HookSettings, say: Say<'_>) {
        self.need("plugin_stun", &["plugin_stun_server"], say);
        if self.host_outbound.is_some() || !self.host_outbound_name.is_empty() {
            let text = "`plugin_stun` does nothing with `host_outbound`, which says what it would find out";
            say(Severity::Warning, self.line_of_plugin("plugin_stun"), text.to_owned());
            return;
        }
        self.list("plugin_stun_server", &mut settings.stun_servers, say);
        settings.stun_port = self.number("plugin_stun_port");
        settings.stun_period = self.number("plugin_stun_period");
    }

    fn check_stats(&self, say: Say<'_>) {
        if self.plugin_stats_to_syslog == 0 && self.plugin_stats_to_file == 0 {
            let text = "`plugin_stats` does nothing without `plugin_stats_to_syslog` or `plugin_stats_to_file`";
            say(Severity::Warning, self.line_of_plugin("plugin_stats"), text.to_owned());
        }
        if self.plugin_stats_to_file != 0 {
            self.need("plugin_stats_to_file", &["plugin_stats_filename"], say);
        }
    }

    /// The number that a directive has, or its default.
    fn number<T: core::str::FromStr + Default>(&self, name: &str) -> T {
        let default = super::keys::find(name).map_or("", |(_, key)| key.default);
        self.lines(name).last().map_or(default, |(_, text)| text).parse().unwrap_or_default()
    }

    fn networks(&self, plugin: &str, networks: &mut Prefixes, say: Say<'_>) {
        let name = format!("{plugin}_networks");
        self.need(plugin, &[&name], say);
        for (line, text) in self.lines(&name) {
            // The parser has read it before.
            let Ok(Value::Networks(more)) = value(Kind::Networks, text) else { continue };
            if networks.extend_from_slice(&more).is_err() {
                say(Severity::Error, line, format!("`{name}`: more than {MAX_PREFIXES} networks"));
            }
        }
    }

    /// Whether there are as many lines of each of these directives; the last one, a description, may be missing altogether.
    fn are_paired(&self, names: [&str; 3], say: Say<'_>) -> bool {
        let counts = names.map(|name| self.lines(name).count());
        let [first, second, third] = counts;
        if first == second && (third == first || third == 0) {
            return true;
        }
        let last = names.iter().flat_map(|name| self.lines(name)).map(|(line, _)| line).max().unwrap_or(0);
        let [a, b, c] = names;
        let text =
            format!("each rule has its lines: `{a}` is there {first} times, `{b}` {second} times, `{c}` {third} times");
        say(Severity::Error, last, text);
        false
    }
}

/// What is said of a call for nobody that is sent back here.
pub(crate) fn target_is_here(target: &str) -> String {
    format!(
        "`plugin_defaulttarget_target` = {target} is siproxd itself: a call is sent round unless that user is registered here; name another server"
    )
}

fn say_rule(name: &str, line: usize, error: RuleError, say: Say<'_>) {
    let text = match error {
        RuleError::Expression(fault) => format!("`{name}`: {}", fault.text()),
        RuleError::Full | RuleError::NoSuchGroup(_) => {
            format!("`{name}`: more than {MAX_RULES} rules, or more than {MAX_RULE_TEXT} bytes of what belongs to them")
        }
    };
    say(Severity::Error, line, text);
}
