//! What does not go together.

use super::*;

#[test]
fn accounts_need_a_realm_and_a_realm_accounts() {
    assert_eq!(problems("proxy_auth_realm = r\nproxy_auth_pwfile = /f"), "");
    assert_eq!(problems("proxy_auth_realm = r\nproxy_auth_passwd = p"), "");
    assert_eq!(
        problems("proxy_auth_realm = r"),
        "a.conf:1: warning: no phone can register: `proxy_auth_pwfile` or `proxy_auth_passwd` is missing\n"
    );
}

#[test]
fn media_ports_are_whole_pairs() {
    let config = good("rtp_port_low = 7071\nrtp_port_high = 7075");
    assert_eq!((config.rtp_port_low, config.rtp_port_high), (7072, 7074));
    assert!(problems("rtp_port_low = 7071").contains("a.conf:1: warning: `rtp_port_low` is odd; 7072 is used"));
    assert!(problems("rtp_port_low = 7070\nrtp_port_high = 7000").contains("a.conf:2: no pair of ports from 7070"));
    assert!(problems("rtp_port_low = 7071\nrtp_port_high = 7071").contains("no pair"));
    assert!(problems("rtp_port_low = 65535\nrtp_port_high = 65535").contains("no pair"));
    assert!(problems("sip_listen_port = 7089").contains("a.conf:1: `sip_listen_port` 7089 is one of the media ports"));
    assert!(problems("debug_port = 5060").contains("are both 5060"));
}

#[test]
fn one_interface_needs_a_public_address() {
    let report = parse("if_inbound = a\nif_outbound = a").expect("a warning").1;
    assert!(report.to_string().contains("set `host_outbound`"), "{report}");
    let stun = "if_inbound = a\nif_outbound = a\nload_plugin = plugin_stun\n";
    let report = parse(stun).expect("a warning").1.to_string();
    assert!(report.contains("set `host_outbound`"), "without a server nothing is found out: {report}");
    let report = parse(&format!("{stun}plugin_stun_server = stun.example.org")).expect("a good file").1.to_string();
    assert_eq!(report, "", "it is found out");
}

#[test]
fn what_is_done_in_any_case_is_noted_and_is_no_warning() {
    let (_, report) = parse(&format!("{INTERFACES}thread_stack_size = 16")).expect("a good file");
    let note = "a.conf:3: note: `thread_stack_size` has no effect: there is no thread for media\n";
    assert_eq!(without_columns(&report), note);
    assert!(!report.has_warnings());
    assert_eq!(problems("thread_stack_size = 0\nplugindir = /usr/lib/siproxd/"), "");
}

#[test]
fn loops_are_obscured_with_hiding_alone() {
    assert_eq!(problems("obscure_loops = 1"), "");
    let told = problems("obscure_loops = 1\ntopology_hiding = 0");
    assert_eq!(told, "a.conf:1: warning: `obscure_loops` means nothing without `topology_hiding`\n");
}

#[test]
fn what_contradicts_itself_is_told() {
    for (text, wanted) in [
        (
            "wan_allow = 0.0.0.0/0",
            "a.conf:1: warning: `wan_allow` names a network of length 0: everybody on the Internet may call",
        ),
        (
            "lan_networks = ::/0",
            "a.conf:1: warning: `lan_networks` names a network of length 0: everybody counts as a phone",
        ),
        (
            "hosts_deny_sip = 0.0.0.0/0",
            "a.conf:1: warning: `hosts_deny_sip` names a network of length 0: nobody is heard",
        ),
        (
            "hosts_allow_reg = 10.0.0.0/24\nhosts_deny_sip = 10.0.0.0/8",
            "a.conf:1: warning: `hosts_allow_reg` admits 10.0.0.0/24, which `hosts_deny_sip` = 10.0.0.0/8 denies",
        ),
        ("host_outbound = 192.168.1.1", "a.conf:1: warning: `host_outbound` = 192.168.1.1 is private"),
        ("host_outbound = 100.64.0.1", "a.conf:1: warning: `host_outbound` = 100.64.0.1 is private"),
        ("host_outbound = 127.0.0.1", "a.conf:1: `host_outbound` = 127.0.0.1 is nobody's address on the Internet"),
        ("debug_bind = 10.0.0.1", "a.conf:1: warning: `debug_bind` means nothing without `debug_port`"),
        ("debug_bind = 0.0.0.0\ndebug_port = 5050", "a.conf:1: warning: the log is read on all interfaces"),
        ("max_calls = 0", "a.conf:1: warning: `max_calls` = 0: no call can be made"),
        ("max_bindings = 0", "a.conf:1: warning: `max_bindings` = 0: no phone can register"),
        (
            "max_calls = 11",
            "a.conf:1: warning: `max_calls` = 11, but the ports 7070 to 7089 have room for 10; `rtp_port_high` = 7091 has room",
        ),
        (
            "rtp_proxy_enable = 0\nrtp_dscp = 46\nrtp_timeout = 30",
            "a.conf:1: warning: without effect, for `rtp_proxy_enable` = 0 relays no media: rtp_timeout, rtp_dscp",
        ),
        ("lan_expires = 7200", "a.conf:1: warning: `lan_expires` = 7200 is longer than `default_expires` = 3600"),
        ("autosave_registrations = 60", "a.conf:1: note: `autosave_registrations` means nothing without"),
    ] {
        let told = problems(text);
        assert!(told.starts_with(wanted) && told.lines().count() == 1, "{told}");
    }
    assert_eq!(problems("max_calls = 10\nlan_expires = 60\nhost_outbound = 198.51.100.7"), "");
    assert_eq!(problems("hosts_allow_sip = 10.0.0.0/8\nhosts_deny_sip = 10.0.0.13"), "");
}

#[test]
fn on_one_interface_a_call_takes_four_ports() {
    let told = |ports: &str| {
        let text = format!("if_inbound = a\nif_outbound = a\nhost_outbound = 198.51.100.7\n{ports}");
        match parse(&text) {
            Ok((_, report)) | Err(report) => without_columns(&report),
        }
    };
    assert_eq!(told("rtp_port_low = 7070\nrtp_port_high = 7073"), "");
    assert!(told("rtp_port_low = 7070\nrtp_port_high = 7071").starts_with("a.conf:5: not one call has room"));
    assert!(
        told("max_calls = 6").contains("have room for 5; `rtp_port_high` = 7093 has room for all"),
        "{}",
        told("max_calls = 6")
    );
}
