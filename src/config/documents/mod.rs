//! What is written of the directives, made from their table: `config/siproxd.conf`, a part of `docs/siproxd.conf.5`, and what LuCI's
//! settings are made from.
//!
//! The tests fail where a document says something else; with `UPDATE=1` they write it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod luci;
mod manual;
mod shipped;

use super::keys::{KEYS, Key, When};
use super::kind::Kind;
use std::path::{Path, PathBuf};

/// Characters of a line of the shipped file and of the manual.
const WIDTH: usize = 78;

/// What a directive takes, in words.
fn takes(kind: Kind) -> String {
    match kind {
        Kind::Int { min: 0, max: 1 } => "0 or 1".to_owned(),
        Kind::Int { min, max } if min == i32::MIN.into() => format!("number up to {max:#x}, or -1"),
        Kind::Int { min, max } => format!("number from {min} to {max}"),
        Kind::Dscp => "number from 0 to 63".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Line(max) => format!("text of at most {max} bytes"),
        Kind::Interface => "interface".to_owned(),
        Kind::Host => "host name or address".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Path => "file".to_owned(),
        Kind::Networks => "networks as `address/length`".to_owned(),
        Kind::AccessList => "networks as `address/length`, hosts as `name/length`".to_owned(),
        Kind::Domains => "domains".to_owned(),
        Kind::List => "text, a line for each".to_owned(),
        Kind::Plugin => "plugin, a line for each".to_owned(),
        Kind::Each(kind) => format!("{}, a line for each", takes(*kind)),
        Kind::OneOf(words) => words.join(" or "),
    }
}

/// Whether several values may stand in one line.
const fn is_list(kind: Kind) -> bool {
    matches!(kind, Kind::Networks | Kind::AccessList | Kind::Domains)
}

/// What a directive means, in sentences.
fn meaning(key: &Key) -> String {
    [key.doc.trim(), key.told.more].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What it takes and its default, in a sentence each.
fn type_and_default(key: &Key) -> String {
    let takes = takes(key.kind);
    let mut letters = takes.chars();
    let first = letters.next().unwrap().to_uppercase();
    let several = if is_list(key.kind) { ", separated by commas or blanks, on one line or more" } else { "" };
    let default = if key.default.is_empty() { "none" } else { key.default };
    let when = if key.when == When::Restart { " A new value needs a restart." } else { "" };
    format!("{first}{}{several}. Default: {default}.{when}", letters.as_str())
}

/// Words in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Keys with the heading they stand under, where that is another one than before.
fn with_headings() -> impl Iterator<Item = (Option<&'static str>, &'static Key)> {
    let before = core::iter::once("").chain(KEYS.iter().map(|key| key.told.group));
    before.zip(&KEYS).map(|(before, key)| (Some(key.told.group).filter(|group| *group != before), key))
}

fn path(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(document)
}

fn read(document: &str) -> String {
    std::fs::read_to_string(path(document)).unwrap()
}

/// Compares a document with what it should be, or writes it.
fn agrees(document: &str, wanted: &str) {
    let path = path(document);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let have = read(document);
    let differs = have.lines().zip(wanted.lines()).find(|(have, wanted)| have != wanted);
    assert!(
        have == wanted,
        "{document} is not what the table of the directives makes of it: {differs:?}; write it with UPDATE=1 cargo test --lib documents"
    );
}

#[test]
fn every_directive_has_a_value_to_show() {
    for key in &KEYS {
        assert!(!key.default.is_empty() || !key.told.example.is_empty(), "{}", key.name);
    }
}
