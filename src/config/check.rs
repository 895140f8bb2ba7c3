//! What no line of a configuration shows alone: directives that contradict each other, or mean nothing.

use super::Config;
use super::keys::{self, KEYS, Key};
use super::parse::{Parser, round_down, round_up};
use super::plugins::Plugin;
use crate::engine::HookSettings;
use crate::engine::io::Prefix;
use crate::engine::settings::Prefixes;
use crate::limits::{MAX_MASKED_HOSTS, MAX_OUTBOUND_DOMAINS};
use core::net::IpAddr;

/// Microseconds in a millisecond, which packets are held back in.
const MILLISECOND: u32 = 1000;

impl Parser<'_> {
    /// The line that set a directive; 0 where none has.
    pub(super) fn line_of(&self, name: &str) -> usize {
        keys::find(name).and_then(|(place, _)| self.set_at.get(place)).copied().unwrap_or(0)
    }

    /// What no line shows alone.
    pub(super) fn check(&mut self) {
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
        self.check_openness();
        self.check_limits();
        self.check_without_relay();
        self.check_times();
        self.check_hooks();
    }

    fn check_hooks(&mut self) {
        let (config, report) = (&self.config, &mut self.report);
        // Larger than what else stands on the stack.
        let mut settings = Box::new(HookSettings::new());
        config.set_hooks(&mut settings, &mut |severity, line, text| report.add(severity, line, text));
        let numbers = ["plugin_shortdial", "plugin_prefix", "plugin_regex"];
        if config.redirect_numbers && !config.plugins.iter().any(|plugin| numbers.contains(&plugin.name)) {
            let text = "`redirect_numbers` means nothing without plugin_shortdial, plugin_prefix or plugin_regex";
            report.warning(config.line_of("redirect_numbers"), text);
        }
    }

    /// What has no effect, and why.
    fn check_effects(&mut self) {
        let set = || KEYS.iter().zip(&self.set_at).filter(|(_, line)| **line != 0).map(|(key, _)| key);
        let names = |of_plugins: bool| -> Vec<&str> {
            let is_one = |key: &&Key| match Plugin::of_directive(key.name) {
                // Of one that is loaded all has been said with `load_plugin`.
                Some(plugin) => of_plugins && !self.config.plugins.contains(&plugin),
                None => !of_plugins && key.set.is_none(),
            };
            set().filter(is_one).map(|key| key.name).collect()
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
        if self.config.obscure_loops && !self.config.topology_hiding {
            let text = "`obscure_loops` means nothing without `topology_hiding`";
            self.report.warning(self.line_of("obscure_loops"), text);
        }
        if self.config.thread_stack_size != 0 {
            let text = "`thread_stack_size` has no effect: there is no thread for media";
            self.report.note(self.line_of("thread_stack_size"), text);
        }
    }

    fn check_interfaces(&mut self) {
        let Config { if_inbound, if_outbound, .. } = &self.config;
        if !if_inbound.is_empty() && if_inbound == if_outbound && !self.config.has_outside_address() {
            let line = self.line_of("if_outbound");
            self.report.warning(line, one_interface("both interfaces are one"));
        }
        let line = self.line_of("host_outbound");
        match self.config.host_outbound {
            Some(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() => {
                self.report.error(line, format!("`host_outbound` = {ip} is nobody's address on the Internet"));
            }
            Some(ip) if is_private(ip) => {
                let text = format!(
                    "`host_outbound` = {ip} is private: nobody on the Internet reaches it; give the public one"
                );
                self.report.warning(line, text);
            }
            _ => {}
        }
        let line = self.line_of("debug_bind");
        if line != 0 && self.config.debug_port == 0 {
            self.report.warning(line, "`debug_bind` means nothing without `debug_port`");
        } else if self.config.debug_bind.is_some_and(|ip| ip.is_unspecified()) {
            let text = "the log is read on all interfaces, that of the Internet too; who reads it sees who calls whom";
            self.report.warning(line, text);
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

    /// Lists that admit everybody, or nobody.
    fn check_openness(&mut self) {
        let everybody = |networks: &Prefixes| networks.iter().any(|network| network.length == 0);
        let Config { wan_allow, lan_networks, hosts_allow_sip, hosts_deny_sip, .. } = &self.config;
        let found = [
            ("wan_allow", everybody(wan_allow), "everybody on the Internet may call your phones, at any hour"),
            (
                "lan_networks",
                everybody(lan_networks),
                "everybody counts as a phone of yours, and calls at your expense",
            ),
            ("hosts_allow_sip", everybody(&hosts_allow_sip.networks), "everybody on the Internet may call your phones"),
            ("hosts_deny_sip", everybody(&hosts_deny_sip.networks), "nobody is heard, no phone either"),
        ];
        for (name, _, effect) in found.into_iter().filter(|(_, is_found, _)| *is_found) {
            self.report.warning(self.line_of(name), format!("`{name}` names a network of length 0: {effect}"));
        }
        // A network that is denied takes those in it that are allowed.
        let Config { hosts_allow_reg, hosts_allow_sip, hosts_deny_sip, .. } = &self.config;
        let mut dead = Vec::new();
        for (name, list) in [("hosts_allow_reg", hosts_allow_reg), ("hosts_allow_sip", hosts_allow_sip)] {
            for network in &list.networks {
                let takes = |denied: &&Prefix| denied.length <= network.length && denied.contains(network.address);
                if let Some(denied) = hosts_deny_sip.networks.iter().find(takes).filter(|denied| denied.length > 0) {
                    let text =
                        format!("`{name}` admits {network}, which `hosts_deny_sip` = {denied} denies; that counts");
                    dead.push((self.line_of(name), text));
                }
            }
        }
        dead.into_iter().for_each(|(line, text)| self.report.warning(line, text));
    }

    /// Whether there is room for the calls that are wanted.
    fn check_limits(&mut self) {
        let Config { rtp_port_low, rtp_port_high, max_calls, max_bindings, rtp_proxy_enable, .. } = self.config;
        let (calls_line, bindings_line) = (self.line_of("max_calls"), self.line_of("max_bindings"));
        if max_calls == 0 {
            self.report.warning(calls_line, "`max_calls` = 0: no call can be made");
        }
        if max_bindings == 0 {
            self.report.warning(bindings_line, "`max_bindings` = 0: no phone can register");
        }
        let (low, high) = (round_up(rtp_port_low), round_down(rtp_port_high));
        let is_one = !self.config.if_inbound.is_empty() && self.config.if_inbound == self.config.if_outbound;
        // A call takes an even port and the one above, on each side.
        let per_call: u16 = if is_one { 2 } else { 1 };
        let Some(pairs) = high.checked_sub(low).map(|span| span / 2 + 1).filter(|_| rtp_proxy_enable) else { return };
        let room = usize::from(pairs / per_call);
        let range_line = self.line_of("rtp_port_high").max(self.line_of("rtp_port_low"));
        if room == 0 {
            let text = "not one call has room: on one interface it takes four ports, two even ones and those above";
            self.report.error(range_line, text);
        } else if calls_line != 0 && room < max_calls {
            let needed = max_calls.saturating_mul(usize::from(per_call)).saturating_mul(2).saturating_sub(1);
            let last = usize::from(low).saturating_add(needed);
            let remedy = match u16::try_from(last) {
                Ok(last) => format!("; `rtp_port_high` = {last} has room for all"),
                Err(_) => String::new(),
            };
            let text =
                format!("`max_calls` = {max_calls}, but the ports {low} to {} have room for {room}{remedy}", high + 1);
            self.report.warning(calls_line, text);
        }
    }

    /// What means nothing where media is not relayed.
    fn check_without_relay(&mut self) {
        if self.config.rtp_proxy_enable {
            return;
        }
        const OF_RELAY: [&str; 9] = [
            "rtp_port_low",
            "rtp_port_high",
            "rtp_timeout",
            "rtp_timeout_bye",
            "rtp_dscp",
            "rtp_input_dejitter",
            "rtp_output_dejitter",
            "rtp_latching",
            "rtp_coalesce",
        ];
        let set: Vec<&str> = OF_RELAY.into_iter().filter(|name| self.line_of(name) != 0).collect();
        if !set.is_empty() {
            let text = format!("without effect, for `rtp_proxy_enable` = 0 relays no media: {}", set.join(", "));
            self.report.warning(self.line_of("rtp_proxy_enable"), text);
        }
    }

    /// Times that do not go together.
    fn check_times(&mut self) {
        let Config { lan_expires, default_expires, autosave_registrations, .. } = self.config;
        if lan_expires > default_expires {
            let text = format!(
                "`lan_expires` = {lan_expires} is longer than `default_expires` = {default_expires}: phones that name no time register \
                 more often than that"
            );
            self.report.warning(self.line_of("lan_expires"), text);
        }
        let line = self.line_of("autosave_registrations");
        if line != 0 && autosave_registrations != 0 && self.config.registration_file.is_none() {
            self.report.note(line, "`autosave_registrations` means nothing without `registration_file`");
        }
    }
}

impl Config {
    /// Whether it says by which address the Internet knows us, or how to find out.
    pub(crate) fn has_outside_address(&self) -> bool {
        let asks = self.has_plugin("plugin_stun");
        self.line_of("host_outbound") != 0 || (asks && self.line_of("plugin_stun_server") != 0)
    }
}

/// What is missing where `what` is so, and nothing else.
pub(crate) fn one_interface(what: &str) -> String {
    format!("{what}; set `host_outbound` to the public address")
}

/// Whether an address is one of a private network, or of a provider's own (RFC 1918, RFC 6598, RFC 4193), or of the link only.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Where the last line of a list stands, in brackets.
fn ends(line: usize) -> String {
    if line == 0 { String::new() } else { format!(" (the last in line {line})") }
}
