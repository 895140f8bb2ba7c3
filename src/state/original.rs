//! The registration file of siproxd 0.8: 512 records, each a head `****:1:EXPIRY`, or `****:0:EXPIRY` where it is not in use.
//!
//! Three lines follow the head of one in use: the phone's own URI, the one that the provider was told, and the address-of-record. A
//! line that is empty stands for none.

use crate::engine::RestoreError;

/// How each record begins.
const HEAD: &str = "****:";

/// A record in use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// By the wall clock, in seconds.
    pub(super) expires: u64,
    /// The phone's Contact.
    pub(super) contact: String,
    pub(super) aor: String,
}

/// Puts records together from lines.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The record whose lines come now, and which of them is next.
    open: Option<(Record, u8)>,
}

/// Whether a line begins a record.
pub(super) fn is_head(line: &str) -> bool {
    line.starts_with(HEAD)
}

impl Reader {
    /// Takes a line: a record that it makes whole, or that what was begun is none.
    pub(super) fn line(&mut self, line: &str) -> Option<Result<Record, RestoreError>> {
        if is_head(line) {
            let torn = self.open.take().is_some();
            let wrong = match head(line) {
                Some((true, expires)) => {
                    self.open = Some((Record { expires, ..Record::default() }, 0));
                    false
                }
                Some((false, _)) => false,
                None => true,
            };
            return (torn || wrong).then_some(Err(RestoreError::Syntax));
        }
        let Some((mut record, number)) = self.open.take() else {
            return (!line.is_empty()).then_some(Err(RestoreError::Syntax));
        };
        match number {
            0 => line.clone_into(&mut record.contact),
            // What the provider calls the phone by: the phone's next REGISTER tells it our token in its place.
            1 => {}
            _ => {
                line.clone_into(&mut record.aor);
                return Some(Ok(record));
            }
        }
        self.open = Some((record, number + 1));
        None
    }

    /// The file has ended: whether in the middle of a record.
    pub(super) const fn is_torn(&self) -> bool {
        self.open.is_some()
    }
}

/// Whether a record is in use, and its expiry.
fn head(line: &str) -> Option<(bool, u64)> {
    let (active, expires) = line.strip_prefix(HEAD)?.split_once(':')?;
    let is_active = match active {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some((is_active, expires.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Result<String, RestoreError>>, bool) {
        let mut reader = Reader::default();
        let records = text.lines().filter_map(|line| reader.line(line));
        let records = records.map(|it| it.map(|r| format!("{} {} {}", r.expires, r.contact, r.aor))).collect();
        (records, reader.is_torn())
    }

    #[test]
    fn records_in_use_are_taken() {
        let text =
            "****:0:5\n****:1:1700000000\nsip:a@10.0.0.2\nsip:a@192.0.2.1\nsip:a@b\n****:0:0\n****:1:7\n\n\nsip:c@d\n";
        assert_eq!(
            read(text),
            (vec![Ok("1700000000 sip:a@10.0.0.2 sip:a@b".to_owned()), Ok("7  sip:c@d".to_owned())], false)
        );
    }

    #[test]
    fn what_is_no_record_is_said() {
        let wrong = || Err(RestoreError::Syntax);
        assert_eq!(read("****:1:7\nsip:a@b\n****:0:1\n"), (vec![wrong()], false));
        assert_eq!(read("****:2:7\n"), (vec![wrong()], false));
        assert_eq!(read("****:1:x\nsip:a@b\n"), (vec![wrong(), wrong()], false));
        assert_eq!(read("****:1:99999999999999999999\n"), (vec![wrong()], false));
        assert_eq!(read("****:1:7\nsip:a@b\n"), (vec![], true));
        assert_eq!(read("\n\n"), (vec![], false));
    }
}
