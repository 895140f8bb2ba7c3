//! What is written of the directives, made from their table: `config/siproxd.conf`, and a part of `docs/siproxd.conf.5`.
//!
//! The tests fail where a document says something else; with `UPDATE=1` they write it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use super::keys::{KEYS, Key, When};
use super::kind::Kind;
use core::fmt::Write as _;
use std::path::Path;

/// Characters of a line of the shipped file and of the manual.
const WIDTH: usize = 78;

/// What the shipped file begins with.
const HEAD: &str = "\
# siproxd.conf: a masquerading SIP proxy for NAT routers
#
# One \"name = value\" a line. \"#\" starts a comment anywhere. Numbers may be
# written in hexadecimal (0x80). What a line that is switched off shows is the
# default, or where there is none, an example. Directives marked with (*) are
# known, but have no effect in this version.
#
# \"siproxd --check -c FILE\" tells what is wrong with a file; \"man
# siproxd.conf\" tells more.
#
# Most routers need the two interfaces and nothing else. In the phones, enter
# the router's LAN address as outbound proxy, and switch STUN and ICE off.
";

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

fn shipped_file() -> String {
    let mut text = HEAD.to_owned();
    for (heading, key) in with_headings() {
        if let Some(heading) = heading {
            write!(text, "\n\n# {heading}\n").unwrap();
        }
        let mark = if key.set.is_none() { "(*) " } else { "" };
        text.push('\n');
        for paragraph in [format!("{mark}{}", meaning(key)), type_and_default(key)] {
            for line in wrapped(&paragraph, WIDTH - 2) {
                writeln!(text, "# {line}").unwrap();
            }
        }
        let off = if key.told.is_shipped { "" } else { "#" };
        let value = if key.told.example.is_empty() { key.default } else { key.told.example };
        writeln!(text, "{off}{} = {value}", key.name).unwrap();
    }
    text
}

/// A text in the language of the manual: each sentence on lines of its own, each `name` a macro.
fn mdoc(text: &str) -> String {
    let mut out = String::new();
    for sentence in sentences(text) {
        let mut plain = String::new();
        // Every second part stands between back quotes.
        for (part, is_name) in sentence.split('`').zip([false, true].into_iter().cycle()) {
            if is_name {
                // What opens before a name without a blank, and what closes behind it, belongs to the macro's line.
                let opens = plain.ends_with('(').then(|| plain.pop()).flatten();
                lines_of(&mut out, &plain);
                plain.clear();
                let name = if KEYS.iter().any(|key| key.name == part) { "Cm" } else { "Ql" };
                let opens = opens.map_or(String::new(), |c| format!("{c} "));
                write!(out, ".{name} {opens}{}", part.replace('\\', "\\e")).unwrap();
                plain.push('\0');
                continue;
            }
            if plain == "\0" {
                plain.clear();
                let rest = part.trim_start_matches(|c: char| ".,;:)".contains(c));
                part.chars().take(part.len() - rest.len()).for_each(|c| write!(out, " {c}").unwrap());
                out.push('\n');
                plain.push_str(rest);
            } else {
                plain.push_str(part);
            }
        }
        lines_of(&mut out, plain.trim_start_matches('\0'));
    }
    out
}

/// The sentences of a text; one ends at a full stop or a question mark before a blank.
fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(". ").map(str::trim).collect()
}

fn lines_of(out: &mut String, text: &str) {
    for line in wrapped(text, WIDTH) {
        // A line that begins with one of these would be a macro.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(out, "{guard}{}", line.replace('\\', "\\e").replace('-', "\\-")).unwrap();
    }
}

/// The directives as a part of the manual.
fn manual() -> String {
    let mut text = String::new();
    for (heading, key) in with_headings() {
        if let Some(heading) = heading {
            let end = if text.is_empty() { "" } else { ".El\n" };
            write!(text, "{end}.Ss {heading}\n.Bl -tag -width Ds\n").unwrap();
        }
        writeln!(text, ".It Cm {}", key.name).unwrap();
        text.push_str(&mdoc(&meaning(key)));
        if key.set.is_none() {
            text.push_str(&mdoc("Known, but without effect in this version."));
        }
        text.push_str(&mdoc(&type_and_default(key)));
    }
    text + ".El\n"
}

/// Compares a document with what it should be, or writes it.
fn agrees(document: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let have = std::fs::read_to_string(path).unwrap();
    let differs = have.lines().zip(wanted.lines()).find(|(have, wanted)| have != wanted);
    assert!(
        have == wanted,
        "{document} is not what the table of the directives makes of it: {differs:?}; write it with UPDATE=1 cargo test --lib documents"
    );
}

#[test]
fn the_shipped_file_says_what_the_table_does() {
    agrees("config/siproxd.conf", &shipped_file());
}

#[test]
fn the_manual_says_what_the_table_does() {
    const MANUAL: &str = "docs/siproxd.conf.5";
    const BEGIN: &str = ".\\\" BEGIN directives, made from src/config/keys\n";
    const END: &str = ".\\\" END directives\n";
    let have = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(MANUAL)).unwrap();
    let (head, rest) = have.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    agrees(MANUAL, &format!("{head}{BEGIN}{}{END}{tail}", manual()));
}

#[test]
fn sentences_and_names_in_the_manual() {
    assert_eq!(
        mdoc("One (`if_inbound`, or `a b`). Two is `user`; 3 - 4."),
        "One\n.Cm ( if_inbound ,\nor\n.Ql a b ) .\nTwo is\n.Cm user ;\n3 \\- 4.\n"
    );
}

#[test]
fn every_directive_has_a_value_to_show() {
    for key in &KEYS {
        assert!(!key.default.is_empty() || !key.told.example.is_empty(), "{}", key.name);
    }
}
