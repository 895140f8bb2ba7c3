//! What a configuration needs of the system: interfaces, addresses, directories, the password file. Nothing here waits.

use crate::accounts;
use crate::config::{Config, Report, Severity, nearest, one_interface, target_is_here};
use crate::engine::Side;
use crate::engine::io::Prefix;
use crate::engine::settings::AccessList;
use crate::net::ifaddr::Watch;
use std::fs;
use std::path::Path;

/// Where the system lists its interfaces.
const INTERFACES: &str = "/sys/class/net";

/// Interfaces that a message lists.
const MAX_LISTED: usize = 12;

/// Adds to the report of a configuration what the system does not have for it.
pub fn surroundings(config: &Config, report: &mut Report) {
    networks(config, report);
    if let Some(directory) = config.pid_file.as_deref().and_then(Path::parent).filter(|it| !it.is_dir()) {
        let text = format!("`pid_file`: there is no directory {}; make it, or name another", directory.display());
        report.add(Severity::Error, config.line_of("pid_file"), text);
    }
    accounts::check(config, report);
}

/// Adds what it needs of interfaces and their addresses: at start, and at a reload, since what the file says then acts after a restart.
pub fn networks(config: &Config, report: &mut Report) {
    let mut watch = Watch::new(&config.if_inbound, &config.if_outbound);
    watch.first_look();
    interfaces(config, &watch, report);
    lists(config, &watch.interface(Side::Lan).addresses, report);
}

fn interfaces(config: &Config, watch: &Watch, report: &mut Report) {
    let mut names: Vec<String> = fs::read_dir(INTERFACES)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    for (side, directive, name) in
        [(Side::Lan, "if_inbound", &config.if_inbound), (Side::Wan, "if_outbound", &config.if_outbound)]
    {
        let line = config.line_of(directive);
        if name.is_empty() || names.is_empty() {
            continue;
        }
        if !names.contains(name) {
            let hint = match nearest(name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "it is waited for.".to_owned(),
            };
            let listed = names.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let text = format!("`{directive}`: there is no interface {name} now; {hint} There are: {listed}");
            report.add(Severity::Warning, line, text);
        } else if watch.interface(side).addresses.is_empty() {
            let text = format!("`{directive}`: {name} is down, or has no address now; it is waited for");
            report.add(Severity::Warning, line, text);
        }
    }
    let [lan, wan] = [Side::Lan, Side::Wan].map(|side| watch.name(side));
    let is_chosen = config.if_inbound.is_empty() || config.if_outbound.is_empty();
    if is_chosen && !lan.is_empty() && lan == wan && !config.has_outside_address() {
        let line = config.line_of("if_inbound").max(config.line_of("if_outbound"));
        report.add(Severity::Warning, line, one_interface(&format!("LAN and WAN are both {lan}")));
    }
    let is_ours = |ip| {
        let mut ours = [Side::Lan, Side::Wan].into_iter().flat_map(|side| &watch.interface(side).addresses);
        ours.any(|prefix| prefix.address == ip)
    };
    if let Some((line, target, _)) = config.default_target().filter(|(_, _, ip)| is_ours(*ip)) {
        report.add(Severity::Warning, line, target_is_here(target));
    }
    let mut system = Watch::new("", "");
    system.first_look();
    let way_out = system.name(Side::Wan);
    if !way_out.is_empty()
        && config.if_inbound == way_out
        && !config.if_outbound.is_empty()
        && config.if_outbound != way_out
    {
        let text = format!(
            "`if_inbound`: the default route leads out by {way_out}; are the two interfaces the wrong way round?"
        );
        report.add(Severity::Warning, config.line_of("if_inbound"), text);
    }
}

/// Access lists that leave no phone of the LAN's own networks.
fn lists(config: &Config, lan: &[Prefix], report: &mut Report) {
    if lan.is_empty() || !config.lan_networks.is_empty() {
        return;
    }
    let touches = |list: &AccessList| {
        let both = |one: &Prefix| lan.iter().any(|other| one.contains(other.address) || other.contains(one.address));
        !list.names.is_empty() || list.networks.iter().any(both)
    };
    let networks = lan.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Config { hosts_allow_reg, hosts_allow_sip, hosts_deny_sip, .. } = config;
    if !hosts_allow_reg.is_empty() && !touches(hosts_allow_reg) {
        let text = format!("`hosts_allow_reg` has nothing of the LAN ({networks}): no phone there may register");
        report.add(Severity::Warning, config.line_of("hosts_allow_reg"), text);
    }
    if !hosts_allow_sip.is_empty() && !touches(hosts_allow_sip) && !touches(hosts_allow_reg) {
        let text = format!("`hosts_allow_sip` has nothing of the LAN ({networks}): no phone there is heard");
        report.add(Severity::Warning, config.line_of("hosts_allow_sip"), text);
    }
    let takes = |net: &Prefix| {
        hosts_deny_sip.networks.iter().any(|denied| denied.length <= net.length && denied.contains(net.address))
    };
    if lan.iter().all(takes) {
        let text = format!("`hosts_deny_sip` has all of the LAN ({networks}): no phone there is heard");
        report.add(Severity::Warning, config.line_of("hosts_deny_sip"), text);
    }
}
