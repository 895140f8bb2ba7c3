//! What a network sends cannot forge, hide or swell a line of the log.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use rig::script::{Player, events, set};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The longest line, in characters. A URI of 256 bytes, all of them escaped, fits.
const MAX_LINE: usize = 1500;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Kept;

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// Lines of the log while every golden case runs with `from` replaced by `to` in all that comes in.
fn logged(from: &str, to: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let areas = std::fs::read_dir(root).unwrap().map(|area| area.unwrap().path());
    let mut lines = Vec::new();
    for case in areas.flat_map(|area| std::fs::read_dir(area).unwrap()).map(|case| case.unwrap().path()) {
        let mut settings = rig::open_settings();
        let mut events = events(&std::fs::read(&case).unwrap());
        events.retain(|event| !(event.kind() == "set" && set(&mut settings, &event.words[1..])));
        let mut player = Player::new(settings);
        for event in &mut events {
            event.body = event.body.replace(from, to);
            let _ = player.happen(event);
        }
        lines.extend(LINES.lock().unwrap().drain(..).map(|line| (case.clone(), line)));
    }
    lines
}

#[test]
fn every_line_is_one_of_printable_ascii() {
    log::set_logger(&Kept).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let long = format!("alice{}", "\u{fe}".repeat(200));
    // A script's characters are bytes: this is no UTF-8, a terminal's escapes in 7 and 8 bits, and UTF-8 that turns the line round.
    let hostile = [
        ("alice", "al\u{ff}\u{80}ice"),
        ("bob", "b\u{9b}2J\u{e2}\u{80}\u{ae}ob"),
        ("Call-ID: ", "Call-ID: \u{1b}\u{e2}\u{80}\u{a8}"),
        ("203.0.113.10 SIP/2.0", "203.0.113.10;x=\u{1b}\u{7f}\u{fe} SIP/2.0"),
        ("INVITE sip:", "INV\u{1b}TE sip:"),
        (" OPTIONS\n", " OPT\u{fe}\n"),
        ("tag=", "tag=\u{7f}\u{fe}"),
        ("m=audio", "m=au\u{1b}dio"),
        ("alice", &long),
    ];
    let mut escaped = 0;
    for (from, to) in hostile {
        let lines = logged(from, to);
        assert!(lines.len() > 100, "{} lines with {to:?}", lines.len());
        escaped += usize::from(lines.iter().any(|(_, line)| line.contains("\\x")));
        for (case, line) in lines {
            let is_plain = line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(is_plain && line.len() <= MAX_LINE, "{}: {line:?}", case.display());
        }
    }
    assert!(escaped >= 2, "only {escaped} of these texts came into the log");
}
