//! The table of `docs/answers.md`, as far as an answer must be in it.

use crate::rig::text::{headers, status};
use std::sync::LazyLock;

/// One line of the table.
struct Row {
    to_phone: Vec<u16>,
    to_wan: Vec<u16>,
    has_retry_after: [bool; 2],
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let text = include_str!("../../docs/answers.md");
    let rows: Vec<Row> = text.lines().filter_map(row).collect();
    assert!(rows.len() > 20, "the table has another form");
    rows
});

/// `| cause | to a phone | to a known WAN peer | Retry-After | log |`
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, _, to_phone, to_wan, retry_after, _, _] = cells[..] else { return None };
    let has = !retry_after.is_empty();
    // "10 s, with 480 only"
    let has_retry_after = [has && !retry_after.contains("480 only"), has];
    let row = Row { to_phone: numbers(to_phone), to_wan: numbers(to_wan), has_retry_after };
    (!row.to_phone.is_empty()).then_some(row)
}

fn numbers(cell: &str) -> Vec<u16> {
    cell.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// Whether the table has an answer like this one, to a phone or to a peer on the WAN.
pub(crate) fn is_in_table(answer: &str, to_phone: bool) -> bool {
    let Some(code) = status(answer) else { return false };
    let has_retry_after = !headers(answer, "Retry-After").is_empty();
    ROWS.iter().any(|row| {
        let codes = if to_phone { &row.to_phone } else { &row.to_wan };
        codes.contains(&code) && row.has_retry_after[usize::from(!to_phone)] == has_retry_after
    })
}
