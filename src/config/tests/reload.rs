//! What a reload changes.

use super::*;

/// What one directive of `a` and `b` is, and when it acts.
fn changed(before: &str, now: &str) -> Vec<(When, String)> {
    good(now).changes(&good(before)).map(|(when, change)| (when, change.to_string())).collect()
}

#[test]
fn a_change_is_one_of_meaning() {
    assert_eq!(changed("", ""), []);
    assert_eq!(changed("rtp_timeout = 300", "# nothing\nrtp_timeout=0x12c"), []);
    assert_eq!(changed("wan_allow = 192.0.2.1,192.0.2.2", "wan_allow = 192.0.2.1\nwan_allow = 192.0.2.2"), []);
    assert_eq!(changed("rtp_timeout = 30", ""), [(When::Reload, "rtp_timeout: 30 before, 300 now".to_owned())]);
    assert_eq!(changed("", "user = nobody"), [(When::Restart, "user: nothing before, nobody now".to_owned())]);
    assert_eq!(
        changed("wan_allow = 192.0.2.1", "wan_allow = 192.0.2.1, 192.0.2.2"),
        [(When::Reload, "wan_allow: 192.0.2.1 before, 192.0.2.1, 192.0.2.2 now".to_owned())]
    );
    // No secret is shown, and a new one is told of.
    let told =
        changed("proxy_auth_realm = r\nproxy_auth_passwd = abc", "proxy_auth_realm = r\nproxy_auth_passwd = xyz");
    assert_eq!(told, [(When::Reload, "proxy_auth_passwd: (secret) before, (secret) now".to_owned())]);
}

#[test]
fn what_a_restart_changes_stays_and_must_go_with_the_rest() {
    let running = good("sip_listen_port = 5070\nrtp_timeout = 30\nuser = a");
    let file = Path::new("a.conf");
    let merged = good("sip_listen_port = 5080\nrtp_timeout = 40").with_what_stays_of(&running, file).expect("it goes");
    assert_eq!((merged.sip_listen_port, merged.rtp_timeout), (5070, 40));
    assert_eq!(merged.user.as_deref(), Some("a"));
    assert_eq!(merged.if_inbound, "lan0");
    // The SIP port that stays would be one of the new media ports.
    let wanted = good("sip_listen_port = 9000\nrtp_port_low = 5070\nrtp_port_high = 5089");
    let report = wanted.with_what_stays_of(&running, file).expect_err("it does not");
    assert!(report.to_string().contains("5070 is one of the media ports"), "{report}");
}

/// Directives that the event loop brings to their new value by a reload (`net/event_loop/reloading.rs`); the engine does the others.
const EDGE: &[&str] = &[
    "silence_log",
    "debug_level",
    "debug_port",
    "debug_bind",
    "autosave_registrations",
    "rtp_timeout",
    "rtp_dscp",
    "sip_dscp",
    "rtp_input_dejitter",
    "rtp_output_dejitter",
    "rtp_coalesce",
    "rtp_latching",
    "proxy_auth_realm",
    "proxy_auth_passwd",
    "proxy_auth_pwfile",
    "outbound_proxy_port",
    "tcp_timeout",
    "tcp_connect_timeout",
    "tcp_keepalive",
    "plugin_stats_to_syslog",
    "plugin_stats_to_file",
    // These act neither before nor after it.
    "use_rport",
    "thread_stack_size",
    "plugin_blacklist_db_sync_mode",
    "load_plugin",
    "plugindir",
    // For who reads the file.
    "plugin_regex_desc",
    "plugin_regex_body_desc",
    "plugin_siptrunk_name",
];

/// A value that is not the default.
fn another(key: &keys::Key) -> String {
    match key.kind {
        Kind::Int { min, max } | Kind::Each(&Kind::Int { min, max }) => {
            let min = min.to_string();
            if min == key.default { max.to_string() } else { min }
        }
        Kind::Dscp => "46".to_owned(),
        Kind::OneOf(words) => (*words.last().expect("a word")).to_owned(),
        Kind::Plugin => "plugin_demo".to_owned(),
        Kind::Address | Kind::Networks | Kind::AccessList => "192.0.2.1".to_owned(),
        // What their hooks take.
        Kind::Text if key.name == "plugin_defaulttarget_target" => "sip:x@y".to_owned(),
        Kind::List if key.name == "plugin_siptrunk_account" => "x@y".to_owned(),
        Kind::List if key.name == "plugin_stripheader_remove" => "X-Y".to_owned(),
        Kind::List => "(xy)".to_owned(),
        _ => "xy".to_owned(),
    }
}

/// Whether a new value of a directive of a plugin, among the others of its plugin, changes what hooks act on.
fn changes_a_hook(key: &keys::Key) -> bool {
    let Some(plugin) = Plugin::of_directive(key.name) else { return false };
    let acts_on = |is_changed: bool| {
        let its = KEYS.iter().filter(|one| Plugin::of_directive(one.name) == Some(plugin));
        let lines = its.map(|one| match one.told.example {
            _ if is_changed && one.name == key.name => format!("{} = {}\n", one.name, another(one)),
            "" => format!("{} = {}\n", one.name, one.default),
            example => format!("{} = {example}\n", one.name),
        });
        format!("{:?}", good(&format!("load_plugin = {}\n{}", plugin.name, lines.collect::<String>())).hook_settings())
    };
    acts_on(true) != acts_on(false)
}

#[test]
fn every_directive_acts_by_a_reload_or_needs_a_restart() {
    let shown = |config: &Config| format!("{:?} {:?}", config.engine_settings(), config.hook_settings());
    let before = shown(&good(""));
    for key in KEYS.iter().filter(|key| key.set.is_some()) {
        let mut config = good("");
        let text = another(key);
        let value = value::value(key.kind, &text).unwrap_or_else(|why| panic!("{}: {why}", key.name));
        key.set.expect("a setter")(&mut config, &value);
        // These mean nothing alone.
        if key.name == "outbound_domain_name" {
            config.outbound_domain_hosts.push("y".to_owned());
        } else if key.name == "mask_host" {
            config.masked_hosts.push("y".to_owned());
        } else if key.name == "masked_host" {
            config.mask_hosts.push("y".to_owned());
        } else if key.name.starts_with("outbound_domain_") {
            config.outbound_domain_names.push("y".to_owned());
            config.outbound_domain_hosts.push("y".to_owned());
        }
        let is_of_engine = shown(&config) != before || changes_a_hook(key);
        let is_of_edge = EDGE.contains(&key.name);
        match key.when {
            When::Reload => assert!(is_of_engine || is_of_edge, "who brings {} to its new value?", key.name),
            When::Restart => assert!(!is_of_edge, "{} is said to need a restart", key.name),
        }
    }
}

#[test]
fn the_manual_names_what_needs_a_restart() {
    let manual = include_str!("../../../docs/siproxd.8");
    let (_, list) = manual.split_once("with the old value and the new one:\n").expect("the list");
    let named: Vec<&str> = list
        .lines()
        .map_while(|line| line.strip_prefix(".Cm "))
        .flat_map(|line| line.split([' ', ',', '.']))
        .filter(|word| !word.is_empty())
        .collect();
    let table: Vec<&str> = KEYS.iter().filter(|key| key.when == When::Restart).map(|key| key.name).collect();
    assert_eq!(named, table);
}
