use super::keys::{KEYS, When};
use super::kind::Kind;
use super::plugins::{PLUGINS, Plugin};
use super::*;

const INTERFACES: &str = "if_inbound = lan0\nif_outbound = wan0\n";

fn parse(text: &str) -> Result<(Config, Report), Report> {
    Config::parse(Path::new("a.conf"), text.as_bytes())
}

fn good(text: &str) -> Config {
    parse(&format!("{text}\n{INTERFACES}")).map_err(|report| report.to_string()).expect("a good file").0
}

/// A report of which the columns are of no interest.
fn without_columns(report: &Report) -> String {
    let mut report = report.clone();
    report.problems.iter_mut().for_each(|problem| problem.column = 0);
    report.to_string()
}

/// The problems of a file that has the interfaces as well.
fn problems(text: &str) -> String {
    match parse(&format!("{text}\n{INTERFACES}")) {
        Ok((_, report)) | Err(report) => without_columns(&report),
    }
}

#[test]
fn defaults_are_those_of_the_engine() {
    let ours = good("").engine_settings();
    let engine = Settings::default();
    assert_eq!(format!("{ours:?}"), format!("{engine:?}"));
}

#[test]
fn every_default_is_a_value_of_its_type() {
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        assert!(value::value(key.kind, key.default).is_ok(), "{}", key.name);
    }
}

#[test]
fn names_are_unique() {
    for (place, key) in KEYS.iter().enumerate() {
        assert_eq!(keys::find(key.name).map(|(found, _)| found), Some(place), "{}", key.name);
    }
}

#[test]
fn blanks_tabs_and_comments() {
    let config = good("\t sip_listen_port\t=\t5062 # five\r\n#x\n   \nuser = the user\t#\n");
    assert_eq!(config.sip_listen_port, 5062);
    assert_eq!(config.user.as_deref(), Some("the user"));
}

#[test]
fn long_lines_are_one_line() {
    let blanks = " ".repeat(5000);
    assert_eq!(good(&format!("sip_listen_port ={blanks}5070")).sip_listen_port, 5070);
}

#[test]
fn a_name_counts_whole() {
    assert_eq!(
        problems("proxy_auth_passwd = theuser"),
        "a.conf:1: warning: `proxy_auth_passwd` means nothing without `proxy_auth_realm`\n"
    );
    assert_eq!(problems("xif_inbound = a"), "a.conf:1: unknown directive `xif_inbound`; did you mean `if_inbound`?\n");
}

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
fn numbers_as_c_reads_them() {
    assert_eq!(good("debug_level = -1").debug_level, u32::MAX);
    assert_eq!(good("debug_level = 0x00000100").debug_level, 0x100);
    assert_eq!(good("debug_level = 010").debug_level, 8);
    assert!(
        problems("debug_level = 08").starts_with("a.conf:1: debug_level = 08: a number with a leading 0 is octal;")
    );
    assert!(problems("rtp_timeout = 30 s").starts_with("a.conf:1: rtp_timeout = 30 s: not a number; Seconds without"));
    assert!(problems("rtp_timeout = 99999999999999999999").contains("too large"));
    assert!(problems("sip_listen_port = 65536").contains("not from 1 to 65535"));
    assert!(problems("sip_listen_port = -").contains("not a number"));
    assert!(problems("rtp_coalesce = 1001").contains("not from 0 to 1000"));
}

#[test]
fn all_problems_are_told_and_nothing_applied() {
    let report = parse("if_inbund = a\nrtp_port_low\nrtp_proxy_enable = 2\n").expect_err("errors");
    assert_eq!(
        report.to_string(),
        "a.conf:1:1: unknown directive `if_inbund`; did you mean `if_inbound`?\n\
         a.conf:2:1: `rtp_port_low` has no `=`; a line is `name = value`\n\
         a.conf:3:20: rtp_proxy_enable = 2: not from 0 to 1; 1 relays media; 0 leaves session descriptions alone. Default: 1.\n"
    );
}

#[test]
fn an_empty_value_keeps_the_default() {
    assert_eq!(problems("rtp_timeout ="), "a.conf:1: warning: `rtp_timeout` has no value; 300 is used\n");
    assert_eq!(good("rtp_timeout = # later").rtp_timeout, 300);
    assert_eq!(good("").rtp_coalesce, 100);
}

#[test]
fn the_last_of_two_counts() {
    assert_eq!(good("rtp_timeout = 5\nrtp_timeout = 6").rtp_timeout, 6);
    assert!(
        problems("rtp_timeout = 5\nrtp_timeout = 6").contains("a.conf:2: warning: `rtp_timeout` was set in line 1")
    );
    assert!(!problems("load_plugin = plugin_stun\nload_plugin = plugin_regex").contains("was set"));
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
fn networks_add_up_to_their_limit() {
    let config = good("lan_networks = 10.0.0.0/8, fd00::/8\nlan_networks = 192.0.2.1");
    let shown: Vec<String> = config.lan_networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    assert!(problems("wan_allow = 10.0.0.0/33").contains("a length is from 0 to 32"));
    assert!(problems("wan_allow = example.org").contains("`example.org` is not an IP address"));
    assert!(problems(&"wan_allow = 10.0.0.1\n".repeat(17)).contains("a.conf:17: `wan_allow`: more than 16"));
}

#[test]
fn an_outbound_proxy_has_a_port() {
    let proxy = good("outbound_proxy_port = 5070\noutbound_proxy_host = sip.example.org").outbound_proxy;
    assert_eq!(proxy.map(|proxy| (proxy.host.to_string(), proxy.port)), Some(("sip.example.org".to_owned(), 5070)));
    assert_eq!(good("outbound_proxy_host = a").outbound_proxy.map(|proxy| proxy.port), Some(0));
    assert_eq!(good("outbound_proxy_port = 5070").outbound_proxy, None);
    assert!(problems("outbound_proxy_port = 5070").contains("without `outbound_proxy_host`"));
    let tcp = good("outbound_proxy_host = a\noutbound_proxy_transport = tcp").outbound_proxy_transport;
    assert_eq!(tcp, Some(Transport::Tcp));
    assert!(problems("outbound_proxy_transport = TLS").contains("not one of udp, tcp"));
}

#[test]
fn we_are_known_by_an_address_or_a_name() {
    let known = |text: &str| {
        let config = good(&format!("host_outbound = {text}"));
        (config.host_outbound.map(|ip| ip.to_string()), config.host_outbound_name)
    };
    assert_eq!(known("198.51.100.7"), (Some("198.51.100.7".to_owned()), String::new()));
    assert_eq!(known("2001:db8::7"), (Some("2001:db8::7".to_owned()), String::new()));
    assert_eq!(known("me.example.org"), (None, "me.example.org".to_owned()));
    assert_eq!(known("me.example.org\nhost_outbound = 192.0.2.1").1, "");
    assert!(
        problems("host_outbound = 198.51.100").contains("neither an IP address nor a host name; Our public address")
    );
    assert!(problems("host_outbound = a b").contains("not a host name or address"));
}

#[test]
fn one_interface_needs_a_public_address() {
    let report = parse("if_inbound = a\nif_outbound = a").expect("a warning").1;
    assert!(report.to_string().contains("set `host_outbound`"), "{report}");
}

#[test]
fn the_examples_need_no_correction() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let files: Vec<_> =
        std::fs::read_dir(&directory).expect("examples").map(|file| file.expect("a file").path()).collect();
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        let (_, report) = Config::load(&file).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(report.to_string(), "", "{}", file.display());
    }
}

#[test]
fn bytes_of_any_kind_are_survived() {
    for bytes in [&b"\xff\xfe=\x00\n=\n==\n#"[..], b"\xef\xbb\xbfif_inbound = a\nif_outbound = b", b"user = \xff", b""]
    {
        let _ = Config::parse(Path::new("x"), bytes);
    }
    assert!(Config::parse(Path::new("x"), b"\xef\xbb\xbfif_inbound = a\nif_outbound = b").is_ok());
}

#[test]
fn what_has_no_effect_is_named_once() {
    let told = problems("rtp_offload = 1");
    assert_eq!(told, "a.conf: warning: without effect in this version: rtp_offload\n");
}

#[test]
fn a_plugin_that_is_not_built_in_is_one_warning_that_names_what_is_missed() {
    let told = problems("load_plugin = /usr/lib/siproxd/plugin_stun.so\nplugin_stun_server = stun.example.org");
    assert_eq!(
        told,
        "a.conf:1: warning: `plugin_stun` is not in this version; without it you miss: our public address is found out with \
         a STUN server\n"
    );
    let again = problems("load_plugin = plugin_stun.la\nload_plugin = plugin_stun");
    assert!(again.contains("a.conf:2: warning: `plugin_stun` is loaded before"), "{again}");
    let files = PLUGINS.iter().map(|plugin| format!("load_plugin = {}.la\n", plugin.name)).collect::<String>();
    let config = good(&files);
    assert!(config.plugins.iter().copied().eq(PLUGINS.iter()), "in the order of their lines");
    assert_eq!(problems(&files).matches("warning").count(), PLUGINS.iter().filter(|p| !p.is_built_in).count());
}

#[test]
fn an_unknown_plugin_is_an_error_with_what_was_meant() {
    for (file, hint) in [
        ("plugin_stunn.la", "; did you mean `plugin_stun`?"),
        ("stun.la", "; did you mean `plugin_stun`?"),
        ("plugin_fix_dtag.la", "; did you mean `plugin_fix_DTAG`?"),
        ("/a/b/plugin_regex-body", "; did you mean `plugin_regex_body`?"),
        ("plugin_mine.la", ", and none can be added"),
        ("/", ", and none can be added"),
    ] {
        let told = problems(&format!("load_plugin = {file}"));
        assert!(told.starts_with(&format!("a.conf:1: load_plugin = {file}: there is no such plugin{hint}")), "{told}");
    }
}

#[test]
fn a_directive_of_a_plugin_is_checked_and_hinted_at_once() {
    let told = problems("plugin_regex_body_desc = a\nplugin_stun_port = 1\nload_plugin = plugin_regex.la");
    let hint = "a.conf:2: note: without effect, for no `load_plugin` names its plugin: plugin_stun_port, plugin_regex_body_desc\n";
    assert!(told.starts_with(hint), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(problems("plugin_stun_port = 70000").contains("not from 1 to 65535"));
    assert!(problems("plugin_fix_DTAG_networks = 217.0.0.0/33").contains("a length is from 0 to 32"));
    assert!(problems("plugin_stum_port = 1").contains("did you mean `plugin_stun_port`?"));
    for key in KEYS.iter().filter(|key| key.name.starts_with("plugin_")) {
        assert!(Plugin::of_directive(key.name).is_some(), "{}", key.name);
    }
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
fn a_dscp_that_is_none_names_the_one_that_was_meant() {
    assert_eq!(good("rtp_dscp = 46").rtp_dscp, 46);
    assert_eq!(good("rtp_dscp = 0x3f").rtp_dscp, 63);
    let meant = "in a TOS byte of";
    for (value, problem) in [
        ("184", format!("not from 0 to 63; the DSCP {meant} 184 is 46;")),
        ("0xb8", format!("not from 0 to 63; the DSCP {meant} 0xb8 is 46;")),
        ("64", format!("not from 0 to 63; the DSCP {meant} 64 is 16;")),
        ("256", "not from 0 to 63;".to_owned()),
        ("-1", "not from 0 to 63;".to_owned()),
        ("EF", "not a number; EF is 46;".to_owned()),
        ("cs5", "not a number; cs5 is 40;".to_owned()),
        ("AF41", "not a number; AF41 is 34;".to_owned()),
        ("AF51", "not a number;".to_owned()),
        ("voice", "not a number;".to_owned()),
    ] {
        let told = problems(&format!("rtp_dscp = {value}"));
        assert!(told.starts_with(&format!("a.conf:1: rtp_dscp = {value}: {problem} DSCP of relayed media")), "{told}");
    }
}

#[test]
fn an_access_list_has_networks_and_names() {
    let config = good("hosts_allow_sip = 10.0.0.0/8,fd00::/8 phone.example/24\nhosts_allow_sip = 192.0.2.1, pbx");
    let list = config.hosts_allow_sip;
    let shown: Vec<String> = list.networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    let names: Vec<_> = list.names.iter().map(|name| (name.host.as_str(), name.length)).collect();
    assert_eq!(names, [("phone.example", 24), ("pbx", 32)]);
    for (value, problem) in [
        ("10.0.0.0/33", "`10.0.0.0/33`: a length is from 0 to 32"),
        ("pbx/33", "`pbx/33`: a length is from 0 to 32"),
        ("10.0.0.256/32", "`10.0.0.256` is neither an IP address nor a host name"),
        ("*", "`*` is neither"),
        ("a b c d e", "more than 4 host names"),
        ("a b\nhosts_deny_sip = c d e", "more than 16 networks or 4 host names"),
    ] {
        let told = problems(&format!("hosts_deny_sip = {value}"));
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn a_text_for_a_header_is_one_line_and_fits() {
    assert_eq!(good("ua_string = Téléphone 1.0 (a router)").ua_string, "Téléphone 1.0 (a router)");
    assert_eq!(good(&format!("ua_string = {}", "x".repeat(128))).ua_string.len(), 128);
    for (value, problem) in
        [("x".repeat(129), "longer than 128 bytes"), ("a\u{1}b".into(), "with a control character in it")]
    {
        let told = problems(&format!("ua_string = {value}"));
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn a_dejitter_has_microseconds() {
    let config = good("rtp_input_dejitter = 60000\nrtp_output_dejitter = 1500000");
    assert_eq!((config.rtp_input_dejitter, config.rtp_output_dejitter), (60_000, 1_500_000));
    assert_eq!(
        problems("rtp_output_dejitter = 60"),
        "a.conf:1: warning: `rtp_output_dejitter` is in microseconds: 60 evens nothing out, 60 ms are 60000\n"
    );
    assert!(problems("rtp_input_dejitter = 1500001").contains("not from 0 to 1500000"));
    assert!(problems("rtp_input_dejitter = -1").contains("not from 0 to 1500000"));
}

/// The text of the shipped file with all its examples switched on.
fn shipped() -> (&'static str, String) {
    let text = include_str!("../../config/siproxd.conf");
    let all = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains(" = ") => rest,
        _ => line,
    });
    (text, all.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_shipped_file_is_good_as_it_is_and_with_every_example() {
    let (text, all) = shipped();
    let (_, report) = Config::parse(Path::new("siproxd.conf"), text.as_bytes()).expect("the shipped file");
    assert_eq!(report.to_string(), "");
    let (_, report) = Config::parse(Path::new("siproxd.conf"), all.as_bytes()).expect("all examples");
    // What this version does not have, a plugin, directives of others, an address of a debug port that
    // is off, and more calls than ports.
    assert_eq!(report.problems.len(), 5, "{report}");
}

#[test]
fn the_shipped_file_has_every_directive_in_order_with_its_default() {
    let (text, all) = shipped();
    let names: Vec<&str> = all
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(n, _)| n)
        .collect();
    let table: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names, table);
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let line = format!("#{} = {}", key.name, key.default);
        assert!(text.lines().any(|have| have == line), "{line}");
    }
}

#[test]
fn each_mask_has_what_it_is_known_by() {
    let text = "mask_host = 192.168.1.1\nmasked_host = example.org\nmask_host = router.lan\n";
    let masks = good(&format!("{text}masked_host = example.net\n")).engine_settings().masked_hosts;
    assert_eq!(
        (masks.of_mask(b"192.168.1.1"), masks.of_mask(b"ROUTER.lan")),
        (Some("example.org"), Some("example.net"))
    );
    assert_eq!(masks.of_mask(b"example.org"), None);
    assert!(masks.of_masked(b"Example.net").eq(["router.lan"]));
    assert_eq!(
        problems(text),
        "a.conf:3: each `mask_host` needs its `masked_host`: there are 2 (the last in line 3) of the one, and 1 (the last in line \
         2) of the other\n"
    );
    assert!(problems("masked_host = a").contains("a.conf:1: each `mask_host` needs its `masked_host`: there are 0 of"));
    assert!(problems("mask_host = a b").contains("not a host name"));
    let many = "mask_host = a.long.name.example\nmasked_host = another.long.name.example\n".repeat(12);
    assert!(problems(&many).contains("a.conf:24: `mask_host` and `masked_host`: more than 512 bytes in all"));
}

#[test]
fn loops_are_obscured_with_hiding_alone() {
    assert_eq!(problems("obscure_loops = 1"), "");
    let told = problems("obscure_loops = 1\ntopology_hiding = 0");
    assert_eq!(told, "a.conf:1: warning: `obscure_loops` means nothing without `topology_hiding`\n");
}

#[test]
fn a_missing_file_says_so() {
    let report = Config::load(Path::new("/nonexistent/siproxd.conf")).expect_err("no file");
    assert!(report.to_string().starts_with("/nonexistent/siproxd.conf: cannot be read: No such file"));
}

#[test]
fn each_domain_has_its_proxy() {
    let text = "outbound_domain_name = a.example\noutbound_domain_host = sip.a.example\noutbound_domain_port = 5070\n\
                outbound_domain_name = B.example\noutbound_domain_host = 192.0.2.1\n";
    let domains = good(&format!("{text}outbound_domain_port = 0\n")).engine_settings().outbound_domains;
    let found =
        |domain: &str| domains.find(domain.as_bytes()).map(|proxy| (proxy.host.as_str().to_owned(), proxy.port));
    assert_eq!(found("A.EXAMPLE"), Some(("sip.a.example".to_owned(), 5070)));
    assert_eq!(found("b.example"), Some(("192.0.2.1".to_owned(), 0)));
    assert_eq!(found("sip.a.example"), None);
    assert_eq!(
        problems(text),
        "a.conf:5: each domain needs its host, and a port or none has one: `outbound_domain_name` is there 2 times (the last \
         in line 4), `outbound_domain_host` 2 times (the last in line 5), `outbound_domain_port` 1 times (the last in line \
         3)\n"
    );
    let without_ports = good("outbound_domain_name = a\noutbound_domain_host = b\n").engine_settings().outbound_domains;
    assert_eq!(without_ports.find(b"a").map(|proxy| proxy.port), Some(0));
    assert!(problems("outbound_domain_port = 70000").contains("not from 0 to 65535"));
    assert!(problems("outbound_domain_host = a b").contains("not a host name"));
    let many = "outbound_domain_name = a.long.name.example\noutbound_domain_host = a.long.name.example\n".repeat(30);
    assert!(problems(&many).contains("a.conf:60: `outbound_domain_…`: more than 1024 bytes in all"));
}

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
const EDGE: [&str; 23] = [
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
    // These act neither before nor after it.
    "use_rport",
    "thread_stack_size",
    "load_plugin",
    "plugindir",
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
        _ => "x".to_owned(),
    }
}

#[test]
fn every_directive_acts_by_a_reload_or_needs_a_restart() {
    let before = format!("{:?}", good("").engine_settings());
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
        let is_of_engine = format!("{:?}", config.engine_settings()) != before;
        let is_of_edge = EDGE.contains(&key.name);
        match key.when {
            When::Reload => assert!(is_of_engine || is_of_edge, "who brings {} to its new value?", key.name),
            When::Restart => assert!(!is_of_edge, "{} is said to need a restart", key.name),
        }
    }
}

#[test]
fn the_manual_names_what_needs_a_restart() {
    let manual = include_str!("../../docs/siproxd.8");
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

#[test]
fn a_problem_has_its_line_and_column_and_what_was_meant() {
    let told = |text: &str| match parse(&format!("{text}\n{INTERFACES}")) {
        Ok((_, report)) | Err(report) => report.to_string(),
    };
    for (line, start) in [
        ("  rtp_timout = 3", "a.conf:1:3: unknown directive `rtp_timout`; did you mean `rtp_timeout`?"),
        ("\trtp_timeout =  soon", "a.conf:1:17: rtp_timeout = soon: not a number;"),
        ("wan_allow = 192.0.2.1, 192.0.2.300", "a.conf:1:24: wan_allow = 192.0.2.1, 192.0.2.300: `192.0.2.300` is not"),
        ("hosts_deny_sip = a, 10.0.0.0/40", "a.conf:1:21: hosts_deny_sip = a, 10.0.0.0/40: `10.0.0.0/40`: a length"),
        ("rtp_timeout = 30\n# é\n  é = 1", "a.conf:3:3: unknown directive `é`"),
        ("debug_bind = home", "a.conf:1:14: debug_bind = home: not an IP address; Address that"),
        ("rtp_latching = of", "a.conf:1:16: rtp_latching = of: not one of restricted, off;"),
        ("debug_port = 5060", "a.conf:1:14: `debug_port` and `sip_listen_port` are both 5060"),
    ] {
        let told = told(line);
        assert!(told.starts_with(start), "{told}");
    }
    assert!(told("debug_bind = home").trim_end().ends_with("For example: 192.0.2.1."), "{}", told("debug_bind = home"));
    // A secret is not shown, wherever the slip is.
    let told = told("proxy_auth_passwd topsecret\nproxy_auth_passwrd topsecret");
    assert!(!told.contains("topsecret") && told.lines().count() == 2, "{told}");
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

#[test]
fn a_file_that_is_none_has_an_end() {
    let long = format!("{} = {}\n", "x".repeat(500_000), "y".repeat(400_000));
    let told = problems(&long);
    assert!(told.len() < 1000, "{}", told.len());
    let many = "nonsense\n".repeat(20_000);
    let report = parse(&many).expect_err("errors");
    assert_eq!(report.problems.len(), 101);
    assert!(report.to_string().ends_with("and 19900 more like these\n"), "{}", report.problems.len());
}
