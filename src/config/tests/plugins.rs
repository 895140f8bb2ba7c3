//! Plugins and their directives.

use super::*;

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
