//! A configuration file: bounded complaints with a place in it, and a file that goes with itself.

use siproxd::config::Config;
use std::path::Path;

/// Bytes of the longest complaint: a part of the line, and what was meant.
const MOST_TEXT: usize = 2048;

/// Most complaints, and one that says how many there are besides.
const MOST_PROBLEMS: usize = 101;

pub fn config(data: &[u8]) {
    let file = Path::new("f");
    let result = Config::parse(file, data);
    let lines: Vec<_> = data.split(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
    let (Ok((_, report)) | Err(report)) = &result;
    for problem in &report.problems {
        assert!(problem.text.len() <= MOST_TEXT, "{} bytes", problem.text.len());
        let line = problem.line.checked_sub(1).map(|at| lines[at].chars().count());
        assert!(problem.column <= line.map_or(0, |length| length + 1), "column {}", problem.column);
    }
    match result {
        Ok((config, report)) => {
            assert!(!report.is_fatal());
            let _ = config.engine_settings();
            // What a reload does with a file that has not changed.
            let (again, _) = Config::parse(file, data).unwrap();
            assert_eq!(again.changes(&config).count(), 0);
            let merged = again.with_what_stays_of(&config, file).unwrap();
            assert_eq!(merged.changes(&config).count(), 0);
        }
        Err(report) => assert!(report.is_fatal() && report.problems.len() <= MOST_PROBLEMS),
    }
}
