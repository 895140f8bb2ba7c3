//! What LuCI's settings are made from: `directives.js`, a module of LuCI's own form.

use super::super::keys::{Audience, Tab};
use super::super::plugins::{PLUGINS, Plugin};
use super::*;
use core::fmt::Write as _;

/// What the module begins with. Each text is a literal, for what is to be translated is looked for in the source.
const HEAD: &str = "\
'use strict';
'require baseclass';

// The directives of siproxd.conf, in the order of its table. Made from src/config/keys with `UPDATE=1 cargo test --lib documents`; what is
// written here by hand is lost.
//
//   name, tab, title, text   what it is called, where it stands, and what it means; a name between back quotes is that of a directive or a value
//   advanced                 for experts
//   kind                     what it takes: switch (0 or 1), int and dscp (from min to max), mask (a number, also hexadecimal, or -1), text, line (of
//                            at most maxlength bytes), interface, host (name or address), address, path, networks (address/length), accesslist
//                            (networks, or name/length), domains, list (any text), plugin and oneof (one of values)
//   list                     several values are possible, each in an entry of its own
//   default                  its value where nothing is set, on a router; empty where there is none
//   example                  a value to show where there is no default
//   plugin                   the plugin that it belongs to
//   restart                  a new value needs a restart
//   secret                   nobody's business
//   without_effect           known, but a router has no use for it
return baseclass.extend({
";

/// The tabs, in their order.
const TABS: [Tab; 7] = [Tab::Network, Tab::Providers, Tab::Phones, Tab::Audio, Tab::Numbers, Tab::Security, Tab::Log];

/// Directives with a file that the init script places for each instance, so that the daemon's own default is not the router's.
const PLACED: [&str; 1] = ["plugin_blacklist_dbpath"];

/// Defaults of the router's, which are not the daemon's.
fn router_defaults() -> Vec<(String, String)> {
    let script = read("openwrt/siproxd/files/translate.sh");
    let (_, rest) = script.split_once("\nDEFAULTS=\"").unwrap();
    let (words, _) = rest.split_once('"').unwrap();
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    words.split_whitespace().map(|word| pair(word).unwrap()).collect()
}

const fn name_of(tab: Tab) -> &'static str {
    match tab {
        Tab::Network => "network",
        Tab::Providers => "providers",
        Tab::Phones => "phones",
        Tab::Audio => "audio",
        Tab::Numbers => "numbers",
        Tab::Security => "security",
        Tab::Log => "log",
    }
}

const fn title_of(tab: Tab) -> &'static str {
    match tab {
        Tab::Network => "Network",
        Tab::Providers => "Providers",
        Tab::Phones => "Phones",
        Tab::Audio => "Audio",
        Tab::Numbers => "Numbers and codecs",
        Tab::Security => "Security",
        Tab::Log => "Log",
    }
}

/// Whether a router has no use for it.
fn is_without_effect(key: &Key) -> bool {
    key.set.is_none() || key.told.audience == Audience::Nobody
}

/// Where LuCI has it, in a sentence. What is a column of a table there has both titles in its own.
pub(super) fn place(key: &Key) -> String {
    if key.kind == Kind::Plugin {
        return "LuCI: a switch for each, in the tab of what it is about.".to_owned();
    }
    let level = if key.told.audience == Audience::Everybody { "" } else { "Advanced, " };
    let effect = if is_without_effect(key) { " (without effect)" } else { "" };
    format!("LuCI: {}, {level}{}{effect}.", title_of(key.told.tab), key.told.title)
}

/// A string of JavaScript.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The kind, and what goes with it.
fn kind_of(kind: Kind) -> String {
    let one_of = |words: &mut dyn Iterator<Item = &str>| words.map(quoted).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::Int { min: 0, max: 1 } => "'switch'".to_owned(),
        Kind::Int { min, .. } if min == i32::MIN.into() => "'mask'".to_owned(),
        Kind::Int { min, max } => format!("'int', min: {min}, max: {max}"),
        Kind::Dscp => "'dscp', min: 0, max: 63".to_owned(),
        Kind::Text => "'text'".to_owned(),
        Kind::Line(max) => format!("'line', maxlength: {max}"),
        Kind::Interface => "'interface'".to_owned(),
        Kind::Host => "'host'".to_owned(),
        Kind::Address => "'address'".to_owned(),
        Kind::Path => "'path'".to_owned(),
        Kind::Networks => "'networks'".to_owned(),
        Kind::AccessList => "'accesslist'".to_owned(),
        Kind::Domains => "'domains'".to_owned(),
        Kind::List => "'list'".to_owned(),
        Kind::Plugin => format!("'plugin', values: [ {} ]", one_of(&mut PLUGINS.iter().map(|plugin| plugin.name))),
        Kind::Each(kind) => kind_of(*kind),
        Kind::OneOf(words) => format!("'oneof', values: [ {} ]", one_of(&mut words.iter().copied())),
    }
}

/// What a householder is told of it.
fn text_of(key: &Key) -> String {
    let text = if key.told.says.is_empty() { meaning(key) } else { key.told.says.to_owned() };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn entry(key: &Key, router: &[(String, String)]) -> String {
    let mut text = String::from("\t\t{\n");
    let advanced = if key.told.audience == Audience::Everybody { "" } else { ", advanced: true" };
    writeln!(text, "\t\t\tname: {}, tab: {}{advanced},", quoted(key.name), quoted(name_of(key.told.tab))).unwrap();
    writeln!(text, "\t\t\ttitle: _({}),", quoted(key.told.title)).unwrap();
    writeln!(text, "\t\t\ttext: _({}),", quoted(&text_of(key))).unwrap();
    let list = if key.kind.repeats() { ", list: true" } else { "" };
    writeln!(text, "\t\t\tkind: {}{list},", kind_of(key.kind)).unwrap();
    let default = router.iter().find(|(name, _)| name == key.name).map_or(key.default, |(_, value)| value);
    let default = if PLACED.contains(&key.name) { "" } else { default };
    write!(text, "\t\t\tdefault: {}", quoted(default)).unwrap();
    if !key.told.example.is_empty() && !key.is_secret() {
        write!(text, ", example: {}", quoted(key.told.example)).unwrap();
    }
    text.push_str(",\n");
    let mut also = Vec::new();
    if let Some(plugin) = Plugin::of_directive(key.name) {
        also.push(format!("plugin: {}", quoted(plugin.name)));
    }
    let marks = [
        ("restart", key.when == When::Restart && !is_without_effect(key)),
        ("secret", key.is_secret()),
        ("without_effect", is_without_effect(key)),
    ];
    also.extend(marks.into_iter().filter(|(_, is)| *is).map(|(mark, _)| format!("{mark}: true")));
    if !also.is_empty() {
        writeln!(text, "\t\t\t{},", also.join(", ")).unwrap();
    }
    text + "\t\t},\n"
}

fn module() -> String {
    let router = router_defaults();
    let mut text = HEAD.to_owned();
    text.push_str("\ttabs: [\n");
    for tab in TABS {
        writeln!(text, "\t\t{{ name: {}, title: _({}) }},", quoted(name_of(tab)), quoted(title_of(tab))).unwrap();
    }
    text.push_str("\t],\n\n\tlist: [\n");
    for key in &KEYS {
        text.push_str(&entry(key, &router));
    }
    text + "\t]\n});\n"
}

#[test]
fn lucis_directives_say_what_the_table_does() {
    agrees("openwrt/luci-app-siproxd/htdocs/luci-static/resources/siproxd/settings/directives.js", &module());
}

#[test]
fn each_default_of_the_router_is_one_of_a_directive() {
    for (name, value) in router_defaults() {
        assert!(KEYS.iter().any(|key| key.name == name) && !value.is_empty(), "{name}={value}");
    }
}

#[test]
fn each_place_in_luci_has_a_title_of_its_own() {
    let mut places: Vec<_> = KEYS.iter().map(|key| (name_of(key.told.tab), key.told.title)).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
    for (_, title) in places {
        assert!(title.starts_with(|c: char| c.is_uppercase()) && !title.ends_with('.') && title.len() <= 50, "{title}");
    }
}

/// A box is ticked in place of a 1, and the switch of a plugin stands above what belongs to it.
#[test]
fn each_text_in_luci_speaks_of_what_is_there() {
    for key in &KEYS {
        let text = text_of(key);
        assert!(text.ends_with('.'), "{}: {text}", key.name);
        assert!(
            !text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains("plugin_"),
            "{} needs `says`: {text}",
            key.name
        );
    }
}

#[test]
fn strings_of_javascript() {
    assert_eq!(quoted("a 'b' \\1"), r"'a \'b\' \\1'");
}
