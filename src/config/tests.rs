//! What the tests of the configuration share.

mod check;
mod plugins;
mod reload;
mod shipped;
mod syntax;
mod values;

use super::keys::{KEYS, When};
use super::kind::Kind;
use super::plugins::{PLUGINS, Plugin};
use super::*;

const INTERFACES: &str = "if_inbound = lan0\nif_outbound = wan0\n";

fn parse(text: &str) -> Result<(Config, Report), Report> {
    Config::parse(Path::new("a.conf"), text.as_bytes())
}

fn good(text: &str) -> Config {
    parse(&format!("{text}\n{INTERFACES}")).map_err(|report| report.to_string()).expect("a good file").0
}

/// A report of which the columns are of no interest.
fn without_columns(report: &Report) -> String {
    let mut report = report.clone();
    report.problems.iter_mut().for_each(|problem| problem.column = 0);
    report.to_string()
}

/// The problems of a file that has the interfaces as well.
fn problems(text: &str) -> String {
    match parse(&format!("{text}\n{INTERFACES}")) {
        Ok((_, report)) | Err(report) => without_columns(&report),
    }
}
