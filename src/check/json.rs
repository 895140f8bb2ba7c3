//! What `--check --json` says: each problem as the control socket has it in the answer to `reload`, and a line that ends it.

use crate::config::Report;
use crate::control::json::Line;
use crate::control::{MAX_LINE, answer, begin};
use core::fmt;

/// The problems of a configuration, one a line.
#[derive(Debug)]
pub struct Json<'a>(pub &'a Report);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        let mut buffer = Vec::new();
        let mut write = |fill: &dyn Fn(&mut Line<'_>)| {
            buffer.clear();
            let mut line = Line::new(&mut buffer, MAX_LINE);
            fill(&mut line);
            line.finish();
            f.write_str(&String::from_utf8_lossy(&buffer))
        };
        report.problems.iter().try_for_each(|problem| write(&|line| answer::problem(line, report, problem)))?;
        write(&|line| {
            begin(line, "end");
            line.text("command", &"check");
            line.value("lines", report.problems.len());
        })
    }
}
