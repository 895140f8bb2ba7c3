//! Plugins and their directives.

use super::*;

#[test]
fn what_has_no_effect_is_named_once() {
    let told = problems("rtp_offload = 1");
    assert_eq!(told, "a.conf: warning: without effect in this version: rtp_offload\n");
}

#[test]
fn a_plugin_is_loaded_once() {
    let again = problems("load_plugin = /usr/lib/siproxd/plugin_logcall.la\nload_plugin = plugin_logcall");
    assert_eq!(again, "a.conf:2: warning: `plugin_logcall` is loaded before; it does its work once\n");
    let twice = parse("load_plugin = plugin_prefix.la\nload_plugin = plugin_prefix.so\nplugin_prefix_akey = 0")
        .expect("a configuration");
    let settings = twice.0.hook_settings();
    assert_eq!((settings.loaded.len(), settings.prefix.as_str()), (1, "0"));
    let files: String = PLUGINS.iter().rev().map(|plugin| format!("load_plugin = {}.la\n", plugin.name)).collect();
    let loaded = parse(&files).expect("a configuration").0.plugins;
    assert!(loaded.into_iter().eq(PLUGINS.iter().rev()), "in the order of their lines");
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
    assert!(
        problems("load_plugin = plugin_demo\nredirect_numbers = 1")
            .contains("a.conf:2: warning: `redirect_numbers` means nothing")
    );
    assert!(problems("plugin_stun_port = 70000").contains("not from 1 to 65535"));
    assert!(problems("plugin_fix_DTAG_networks = 217.0.0.0/33").contains("a length is from 0 to 32"));
    assert!(problems("plugin_stum_port = 1").contains("did you mean `plugin_stun_port`?"));
    for key in KEYS.iter().filter(|key| key.name.starts_with("plugin_")) {
        assert!(Plugin::of_directive(key.name).is_some(), "{}", key.name);
    }
}

/// What is said of these lines, when the plugin is loaded in line 1.
fn of(plugin: &str, lines: &str) -> String {
    problems(&format!("load_plugin = plugin_{plugin}.la\n{lines}"))
}

#[test]
fn a_hook_without_its_directives_does_nothing() {
    assert_eq!(of("demo", ""), "");
    assert_eq!(of("prefix", ""), "a.conf:1: warning: `plugin_prefix` does nothing without `plugin_prefix_akey`\n");
    assert_eq!(of("shortdial", "").lines().count(), 2);
    assert_eq!(of("regex", ""), "a.conf:1: warning: `plugin_regex` does nothing without `plugin_regex_pattern`\n");
    let both =
        of("regex_body", "plugin_regex_body_pattern = a\nplugin_regex_body_replace = b\nload_plugin = plugin_regex");
    assert_eq!(both, "a.conf:4: warning: `plugin_regex` does nothing without `plugin_regex_pattern`\n");
}

#[test]
fn a_fault_of_a_hook_has_its_line() {
    for (plugin, lines, told) in [
        (
            "demo",
            &format!("plugin_demo_string = {}", "x".repeat(129))[..],
            "a.conf:2: `plugin_demo_string`: longer than 128 bytes",
        ),
        ("prefix", "plugin_prefix_akey = 0<", "a.conf:2: `plugin_prefix_akey`: no URI has `<` in it"),
        (
            "shortdial",
            "plugin_shortdial_akey = *\nplugin_shortdial_entry = 1",
            "a.conf:2: `plugin_shortdial_akey` is one character",
        ),
        (
            "shortdial",
            "plugin_shortdial_akey = *00\nplugin_shortdial_entry = 1 2",
            "a.conf:3: `plugin_shortdial_entry`: no URI has ` ` in it",
        ),
        (
            "shortdial",
            "plugin_shortdial_akey = *00\nplugin_shortdial_entry = sip:123@h",
            "a.conf:3: `plugin_shortdial_entry` = sip:123@h makes no URI: it is `number` or `number@host`, without sip:",
        ),
        (
            "shortdial",
            "plugin_shortdial_akey = *00\nplugin_shortdial_entry = 1@h:5070\nplugin_shortdial_entry = @h",
            "a.conf:4: `plugin_shortdial_entry` = @h makes no URI",
        ),
        (
            "shortdial",
            "plugin_shortdial_akey = *00\nplugin_shortdial_entry = 1;ext=2\nplugin_shortdial_entry = 1@h:0",
            "a.conf:4: `plugin_shortdial_entry` = 1@h:0 makes no URI",
        ),
        ("prefix", "plugin_prefix_akey = 0@h", "a.conf:2: `plugin_prefix_akey` = 0@h makes no URI: it is digits"),
        ("prefix", "plugin_prefix_akey = tel:0", "a.conf:2: `plugin_prefix_akey` = tel:0 makes no URI: it is digits"),
        (
            "regex",
            "plugin_regex_pattern = a\nplugin_regex_pattern = b\nplugin_regex_replace = c",
            "a.conf:4: each rule has its lines: `plugin_regex_pattern` is there 2 times",
        ),
        (
            "regex",
            "plugin_regex_desc = x\nplugin_regex_desc = y\nplugin_regex_pattern = a\nplugin_regex_replace = c",
            "a.conf:5: each rule has its lines",
        ),
        (
            "regex",
            "plugin_regex_pattern = (a)\\1\nplugin_regex_replace = c",
            "a.conf:2: `plugin_regex_pattern`: a back-reference",
        ),
        (
            "regex",
            "plugin_regex_pattern = \\d\nplugin_regex_replace = c",
            "a.conf:2: `plugin_regex_pattern`: POSIX has no such escape; a digit is",
        ),
        (
            "regex",
            "plugin_regex_pattern = (a)\nplugin_regex_replace = \\2",
            "a.conf:3: `plugin_regex_replace`: \\2 stands for a group",
        ),
    ] {
        let report = problems(&format!("load_plugin = plugin_{plugin}.la\n{lines}"));
        assert!(report.contains(told), "{report}");
    }
    for (plugin, lines, told) in [
        (
            "stripheader",
            "plugin_stripheader_remove = v",
            "2: `plugin_stripheader_remove`: v is a header without which SIP does not work",
        ),
        (
            "stripheader",
            "plugin_stripheader_remove = RSEQ:1",
            "2: `plugin_stripheader_remove`: RSEQ is a header without",
        ),
        (
            "stripheader",
            "plugin_stripheader_remove = a b",
            "2: `plugin_stripheader_remove`: a b is not the name of a header",
        ),
        (
            "stripheader",
            "plugin_stripheader_remove = Server: ",
            "2: `plugin_stripheader_remove`: Server has a colon and no value behind it; the name alone",
        ),
        (
            "defaulttarget",
            "plugin_defaulttarget_target = operator",
            "2: `plugin_defaulttarget_target` = operator is no URI",
        ),
        (
            "siptrunk",
            "plugin_siptrunk_account = x\nplugin_siptrunk_numbers_regex = 1",
            "2: `plugin_siptrunk_account` = x is no account",
        ),
        (
            "siptrunk",
            "plugin_siptrunk_account = x@y\nplugin_siptrunk_numbers_regex = +",
            "3: `plugin_siptrunk_numbers_regex`: nothing stands before",
        ),
        ("siptrunk", "plugin_siptrunk_account = x@y", "2: each rule has its lines"),
        (
            "regex_body",
            "plugin_regex_body_pattern = [\nplugin_regex_body_replace = x",
            "2: `plugin_regex_body_pattern`: between [ and ]",
        ),
        (
            "fix_DTAG",
            &"plugin_fix_DTAG_networks = 10.0.0.0/8\n".repeat(17),
            "18: `plugin_fix_DTAG_networks`: more than 16 networks",
        ),
        (
            "fix_bogus_via",
            "plugin_fix_bogus_via_networks = host.example",
            "2: plugin_fix_bogus_via_networks = host.example: `host.example` is not an IP address",
        ),
    ] {
        let report = of(plugin, lines);
        assert!(report.contains(&format!("a.conf:{told}")), "{report}");
    }
    for plugin in [
        "stripheader",
        "codecfilter",
        "defaulttarget",
        "siptrunk",
        "regex_body",
        "fix_DTAG",
        "fix_bogus_via",
        "fix_fbox_anoncall",
    ] {
        assert!(
            of(plugin, "").contains(&format!("a.conf:1: warning: `plugin_{plugin}` does nothing without")),
            "{plugin}"
        );
    }
    assert_eq!(of("logcall", ""), "");
    for (target, told) in [
        (
            "sip:o@192.168.1.7:5070",
            "2: warning: `plugin_defaulttarget_target` = sip:o@192.168.1.7:5070 is a private address: who",
        ),
        ("sip:o@[fd00::1]", "2: warning: `plugin_defaulttarget_target` = sip:o@[fd00::1] is a private address"),
        ("sip:o@192.0.2.1", "2: warning: `plugin_defaulttarget_target` = sip:o@192.0.2.1 is siproxd itself"),
    ] {
        let report = of("defaulttarget", &format!("plugin_defaulttarget_target = {target}\nhost_outbound = 192.0.2.1"));
        assert!(report.starts_with(&format!("a.conf:{told}")), "{report}");
    }
    let named = of("defaulttarget", "plugin_defaulttarget_target = sip:o@Home.example\nhost_outbound = home.example");
    assert!(named.contains("is siproxd itself"), "{named}");
    let elsewhere = "plugin_defaulttarget_target = sip:o@192.0.2.2\nhost_outbound = 192.0.2.1";
    assert_eq!(of("defaulttarget", elsewhere), "");
    assert!(of("stun", "").contains("`plugin_stun` does nothing without `plugin_stun_server`"));
    let both = of("stun", "plugin_stun_server = a.example\nhost_outbound = 192.0.2.1");
    assert_eq!(
        both,
        "a.conf:1: warning: `plugin_stun` does nothing with `host_outbound`, which says what it would find out\n"
    );
    let many = "plugin_regex_pattern = a\nplugin_regex_replace = b\n".repeat(17);
    assert!(
        problems(&format!("load_plugin = plugin_regex\n{many}"))
            .contains("a.conf:34: `plugin_regex_pattern`: more than 16 rules")
    );
    let long = format!("plugin_shortdial_entry = {}\n", "1".repeat(1000)).repeat(5);
    assert!(
        problems(&format!("load_plugin = plugin_shortdial\n{long}"))
            .contains("a.conf:6: `plugin_shortdial_entry`: more than 4096 bytes")
    );
    let unreached = "plugin_shortdial_akey = *0\n".to_owned() + &"plugin_shortdial_entry = 1\n".repeat(10);
    assert!(
        of("shortdial", &unreached)
            .contains("a.conf:12: warning: `plugin_shortdial_akey` = *0 has numbers for 9 entries")
    );
}

#[test]
fn a_number_sign_that_was_meant_as_one_is_told() {
    let told = |lines: &str| of("regex", &format!("plugin_regex_replace = x\n{lines}"));
    let cut = |value: &str| {
        format!("a.conf:3: warning: `plugin_regex_pattern`: `#` begins a comment, and `{value}` is all of the value;")
    };
    for (line, value) in [
        ("plugin_regex_pattern = ^sip:#21#", "^sip:"),
        ("plugin_regex_pattern = ^sip:(#21#)", "^sip:("),
        ("plugin_regex_pattern = ^sip:( #21#)", "^sip:("),
        ("plugin_regex_pattern = #21#", ""),
    ] {
        let told = told(line);
        assert!(told.contains(&cut(value)), "{told}");
    }
    for line in ["plugin_regex_pattern = ^sip:00 # abroad", "plugin_regex_pattern = [[.number-sign.]]21\t#"] {
        assert_eq!(told(line), "");
    }
    let told = told("plugin_regex_pattern = # none\nsip_listen_port = 5070#x");
    assert!(!told.contains("begins a comment"), "{told}");
}
