//! The directives in `docs/siproxd.conf.5`.

use super::*;
use core::fmt::Write as _;

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
        text.push_str(&mdoc(&luci::place(key)));
    }
    text + ".El\n"
}

#[test]
fn the_manual_says_what_the_table_does() {
    const MANUAL: &str = "docs/siproxd.conf.5";
    const BEGIN: &str = ".\\\" BEGIN directives, made from src/config/keys\n";
    const END: &str = ".\\\" END directives\n";
    let have = read(MANUAL);
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
