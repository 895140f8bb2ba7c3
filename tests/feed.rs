//! The feed's Makefile (`openwrt/siproxd`), which says some things of the program once more: they must agree.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::config::plugins::PLUGINS;

fn variable(name: &str) -> &'static str {
    let makefile = include_str!("../openwrt/siproxd/Makefile");
    makefile.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":=")).unwrap()
}

#[test]
fn the_package_has_the_version_of_the_program() {
    assert_eq!(variable("PKG_VERSION"), env!("CARGO_PKG_VERSION"));
}

/// The C package's plugins are packages of their own, but for `regex_body`, which OpenWrt has not.
#[test]
fn the_package_provides_the_plugins() {
    let built_in = PLUGINS.iter().filter(|plugin| plugin.name != "plugin_regex_body");
    let names: Vec<String> =
        built_in.map(|plugin| plugin.name.strip_prefix("plugin_").unwrap().replace('_', "-")).collect();
    assert_eq!(variable("SIPROXD_PLUGINS").split_whitespace().collect::<Vec<_>>(), names);
}
