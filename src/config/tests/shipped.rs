//! The shipped configuration and the examples.

use super::*;

/// The text of the shipped file with all its examples switched on.
fn shipped() -> (&'static str, String) {
    let text = include_str!("../../../config/siproxd.conf");
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
    // What this version does not have, directives of other plugins than the one that is loaded, an address of a debug port that is off, and
    // more calls than ports.
    assert_eq!(report.problems.len(), 4, "{report}");
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
