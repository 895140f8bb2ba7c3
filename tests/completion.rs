//! Completion in the shell: bash runs it, and it offers every option and command that the program has, and no other.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::args::option_names;
use siproxd::control::request::COMMANDS;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/completion").join(name)
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> BTreeSet<String> {
    let script =
        "source \"$0\"; COMP_WORDS=(siproxd \"$@\"); COMP_CWORD=$#; _siproxd; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["--norc", "-c", script]).arg(file("siproxd.bash")).args(words).output();
    let output = output.unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn bash_offers_every_option_and_command() {
    let options: Vec<String> = option_names().collect();
    assert!(options.iter().any(|name| name == "--check") && options.iter().any(|name| name == "-c"));
    assert_eq!(offered(&["-"]), set(options.iter().map(String::as_str)), "config/completion/siproxd.bash");
    assert_eq!(offered(&[""]), set(COMMANDS.map(|(name, _)| name)), "config/completion/siproxd.bash");
    assert_eq!(offered(&["--ve"]), set(["--version"]));
    assert_eq!(offered(&["--json", "bi"]), set(["bindings"]));
    // One may follow the other; what belongs to one comes first.
    assert_eq!(offered(&["status", "ca"]), set(["calls"]));
    assert_eq!(offered(&["drop", ""]), set([]));
    assert_eq!(offered(&["debug", "s"]), set(["sip,reg"]));
    let manifest = env!("CARGO_MANIFEST_DIR");
    for words in [&["-c", "Cargo.to"][..], &["--config", "=", "Cargo.to"], &["--pid-file", "Cargo.to"]] {
        let words: Vec<String> = words.iter().map(|word| word.replace("Cargo", &format!("{manifest}/Cargo"))).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(offered(&words), set([&*format!("{manifest}/Cargo.toml")]), "{words:?}");
    }
    assert_eq!(offered(&["-d", "-"]), set(["-1"]));
}

#[test]
fn zsh_knows_every_option_and_command() {
    let text = std::fs::read_to_string(file("_siproxd")).unwrap();
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    for name in option_names() {
        assert!(words.contains(&*name), "{name} is not in config/completion/_siproxd");
    }
    let commands = COMMANDS.map(|(name, _)| name).join(" ");
    assert!(text.contains(&format!("*:command:({commands})")), "{commands}");
}
