//! `docs/rfc.md`: every row says what is done, and names a case that is there. `docs/verdict.md`: it has each sentence of the code, and no other.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::engine::Side;
use siproxd::engine::io::Leg;
use siproxd::engine::verdict::{Fault, What};
use std::path::Path;

/// What a row may begin its third cell with.
const WORDS: [&str; 3] = ["**done**", "**passes**", "**differs**"];

/// The rows of all tables of a document: cells without blanks around them.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let row = |line: &'_ str| -> bool { line.starts_with("| ") && !line.starts_with("| section ") };
    text.lines().filter(|line| row(line)).map(|line| line.split('|').map(str::trim).collect()).collect()
}

/// What is wrong with a row, in words.
fn fault(cells: &[&str]) -> Option<String> {
    let ["", _, asks, does, cases, ""] = cells[..] else { return Some("it has not four cells".to_owned()) };
    if asks.is_empty() {
        return Some("it does not say what is asked for".to_owned());
    }
    let word = WORDS.iter().find_map(|word| Some((*word, does.strip_prefix(word)?)));
    let Some((word, reason)) = word else { return Some(format!("it says none of {WORDS:?}")) };
    if word == "**differs**" && reason.trim().is_empty() {
        return Some("it does not say why".to_owned());
    }
    let named: Vec<&str> = cases.split('`').skip(1).step_by(2).collect();
    if named.is_empty() {
        return Some("it has no case".to_owned());
    }
    named.into_iter().find(|case| !is_there(case)).map(|case| format!("there is no case {case}"))
}

/// Whether a golden case, a torture message or a test is there.
fn is_there(case: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some((file, name)) = case.split_once("::") {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        return if file.ends_with(".py") {
            text.contains(&format!("\ndef {name}("))
        } else {
            // `#[test]`, attributes of its own, and the function.
            text.split("#[test]").skip(1).any(|rest| {
                let line = rest.lines().map(str::trim).find(|line| line.starts_with("fn "));
                line.is_some_and(|line| line.starts_with(&format!("fn {name}(")))
            })
        };
    }
    match case.strip_prefix("torture/") {
        Some(name) => ["rfc4475", "rfc5118"]
            .iter()
            .any(|rfc| root.join("tests/torture").join(rfc).join(format!("{name}.dat")).is_file()),
        None => root.join("tests/golden").join(format!("{case}.txt")).is_file(),
    }
}

#[test]
fn every_row_of_rfc_has_its_case() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rfc.md")).unwrap();
    let rows = rows(&text);
    assert!(rows.len() > 100, "the tables have another form");
    let faults: Vec<String> = rows.iter().filter_map(|row| Some(format!("{}: {}", row.get(1)?, fault(row)?))).collect();
    assert!(faults.is_empty(), "docs/rfc.md:\n{}", faults.join("\n"));
}

#[test]
fn the_cases_named_in_hiding_are_there() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hiding.md")).unwrap();
    let is_case =
        |word: &&str| word.split_once('/').is_some_and(|(area, _)| area.starts_with(|c: char| c.is_ascii_digit()));
    let cases: Vec<&str> = text.split('`').skip(1).step_by(2).filter(is_case).collect();
    assert!(cases.len() > 8, "the table has another form");
    for case in cases {
        assert!(is_there(case), "docs/hiding.md: there is no case {case}");
    }
}

#[test]
fn the_rule_sees_what_it_forbids() {
    let fault_of = |row: &str| fault(&rows(row)[0]).unwrap_or_default();
    assert_eq!(fault_of("| §1 | x | **done** | `02_call/01_out`, `torture/wsinv` |"), "");
    assert_eq!(fault_of("| §1 | x | **done** | `tests/docs.rs::the_rule_sees_what_it_forbids` |"), "");
    assert!(fault_of("| §1 | x | **done** | |").contains("no case"));
    assert!(fault_of("| §1 | x | **done** | 02_call/01_out |").contains("no case"));
    assert!(fault_of("| §1 | x | **done** | `02_call/01_out`, `02_call/01` |").contains("there is no case 02_call/01"));
    assert!(fault_of("| §1 | x | **done** | `tests/docs.rs::fault` |").contains("there is no case"));
    assert!(fault_of("| §1 | x | **done** | `tests/lab/test_rig.py::test` |").contains("there is no case"));
    assert!(fault_of("| §1 | x | done | `02_call/01_out` |").contains("none of"));
    assert!(fault_of("| §1 | x | **differs** | `02_call/01_out` |").contains("why"));
    assert!(fault_of("| §1 | | **done** | `02_call/01_out` |").contains("asked"));
    assert!(fault_of("| §1 | x | `02_call/01_out` |").contains("four cells"));
}

/// Each sentence of the code with its word for programs, and the words that stand for parties, numbers and addresses in the document.
fn sentences() -> Vec<(&'static str, String)> {
    let (from, count) = ("192.0.2.1:2".parse().unwrap(), 111);
    let all = [
        What::NothingAtAll { reports: false },
        What::NothingAtAll { reports: true },
        What::Stranger { from, count, second: None },
        What::Stranger { from, count, second: Some(222) },
        What::Unproven { from, count },
        What::Nothing { reports: false },
        What::Nothing { reports: true },
        What::NoMedia { count },
        What::Blocked { packets: count },
        What::Silent { second: 222 },
        What::OneWay { second: 222 },
        What::Foreign { payload_type: 99, packets: count },
        What::Lost { share: 3333 },
        What::LostBeyond { share: 3333 },
        What::Gap { millis: 444 },
        What::Jitter { millis: 444 },
    ];
    // A kind that is not in the list above does not compile here.
    let kind = |what: &What| match what {
        What::NothingAtAll { .. } => 0,
        What::Stranger { .. } => 1,
        What::Unproven { .. } => 2,
        What::Nothing { .. } => 3,
        What::NoMedia { .. } => 4,
        What::Blocked { .. } => 5,
        What::Silent { .. } => 6,
        What::OneWay { .. } => 7,
        What::Foreign { .. } => 8,
        What::Lost { .. } => 9,
        What::LostBeyond { .. } => 10,
        What::Gap { .. } => 11,
        What::Jitter { .. } => 12,
    };
    let mut kinds: Vec<u32> = all.iter().map(kind).collect();
    kinds.dedup();
    assert!(kinds.into_iter().eq(0..13), "each kind once, in order");
    let words = [
        ("the phone", "PARTY"),
        ("the far end", "OTHER"),
        ("192.0.2.1:2", "ADDRESS"),
        ("port 555", "port PORT"),
        ("111", "COUNT"),
        ("222", "SECOND"),
        ("99", "TYPE"),
        ("33.33", "SHARE"),
        ("444", "TIME"),
    ];
    let fault = |what| Fault { what, leg: Leg::Caller, sides: [Side::Lan, Side::Wan], announced: [None; 2], port: 555 };
    let sentence = |what| words.iter().fold(fault(what).to_string(), |text, (said, word)| text.replace(said, word));
    all.into_iter().map(|what| (what.name(), sentence(what))).collect()
}

#[test]
fn every_verdict_has_its_causes_and_remedies() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdict.md")).unwrap();
    let parts = text.split("\n## ").flat_map(|chapter| chapter.split("\n### ").skip(1));
    let mut described: Vec<&str> = parts.clone().map(|part| part.lines().next().unwrap_or_default()).collect();
    let mut said: Vec<String> = sentences().into_iter().map(|(_, sentence)| sentence).collect();
    said.sort();
    described.sort_unstable();
    assert_eq!(said, described, "the sentences of the code, and those of docs/verdict.md");
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let words: Vec<String> = sentences().iter().map(|(word, sentence)| format!("| `{word}` | {sentence} |")).collect();
    assert_eq!(table, words, "the words of the code, and those of docs/verdict.md");
    for part in parts {
        assert!(part.contains("\n* "), "no cause and no remedy:\n{part}");
    }
}
