//! What outlives a restart: bindings and calls, in `registration_file`, the key of our tokens, beside it, and the blacklist.

mod blacklist;
pub(crate) mod file;
mod key;
mod original;
mod tally;

pub use blacklist::{load_blacklist, save_blacklist};
pub use file::{crash_path, put, remedy};
pub use key::{key, seed};
pub use tally::Tally;

use crate::engine::{Engine, RestoreError, Sink};
use crate::limits::{MAX_BINDINGS, MAX_CALLS};
use crate::log_class::{PROCESS, REG, log};
use crate::time::Instant;
use file::{MODE, NEW, open, regular, replace, with_suffix};
use key::key_path;
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown, lchown};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// First line of the file.
const HEAD: &str = "# siproxd bindings v1";

/// Last line of the file, in which it is a remark: it has been written to its end.
const END: &str = "# end\n";

/// Bytes of the longest line that is read: a call with eight media sections, or two URIs, a proxy, and small change.
const MAX_LINE: u64 = 4096;

/// Bytes of the largest file that is read: a line for each binding and each call.
const MAX_FILE: u64 = MAX_LINE * (MAX_BINDINGS + MAX_CALLS) as u64;

const DIRECTORY_MODE: u32 = 0o700;

/// Prepares `registration_file` and what lies beside it, as [`prepare_file`] does.
pub fn prepare(path: &Path, account: Option<(u32, u32)>) {
    [path, &key_path(path), &crash_path(path)].into_iter().for_each(|path| prepare_file(path, account));
}

/// Makes the directory of a file where it is missing, and gives the file to the account (user and group) that the daemon will run as, where
/// that is another. What fails shows when the file is written.
pub fn prepare_file(path: &Path, account: Option<(u32, u32)>) {
    let told = |path: &Path, result: io::Result<()>| {
        if let Err(error) = result {
            log::debug!(target: PROCESS, "{}: {error}", path.display());
        }
    };
    let created = path.parent().filter(|it| fs::DirBuilder::new().mode(DIRECTORY_MODE).create(it).is_ok());
    let Some((uid, gid)) = account else { return };
    if let Some(directory) = created {
        told(directory, lchown(directory, Some(uid), Some(gid)));
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
        .and_then(regular);
    // Whoever may write into the directory may not have root give him another's file.
    let alone = file.and_then(|file| match file.metadata()?.nlink() {
        1 => Ok(file),
        _ => Err(io::Error::other("it has several names")),
    });
    told(path, alone.and_then(|file| fchown(&file, Some(uid), Some(gid))));
}

/// Gives the engine the bindings and calls that were saved to `registration_file`; `out` opens the calls' relays. A file that is not there yet is no problem; one
/// of siproxd 0.8 is read too, and then renamed, so that it is not overwritten.
pub fn load(engine: &mut Engine, path: &Path, now: Instant, out: &mut dyn Sink) {
    let shown = path.display();
    if file::is_left_over(path, END.as_bytes()) {
        // A wish: else what was saved before that is read.
        let _ = fs::rename(with_suffix(path, NEW), path);
    }
    let read_file = |file: File| {
        let is_cut = file.metadata()?.len() > MAX_FILE;
        read(engine, &mut BufReader::new(file.take(MAX_FILE)), is_cut, (now, unix_now()), out)
    };
    match open(path).and_then(read_file) {
        Ok((tally, is_old)) => {
            let level = if tally.is_clean() { log::Level::Info } else { log::Level::Warn };
            log::log!(target: REG, level, "{shown}: {tally}");
            if is_old {
                let aside = with_suffix(path, ".orig");
                match fs::rename(path, &aside) {
                    Ok(()) => log::info!(target: REG, "{shown} was of siproxd 0.8; kept as {}", aside.display()),
                    Err(error) => log::warn!(
                        target: REG, "{shown} is of siproxd 0.8 and will be overwritten, for it cannot be renamed: {error}"
                    ),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log::info!(target: REG, "{shown}: no file yet, starting without registrations");
        }
        Err(error) => log::warn!(target: REG, "{shown}: cannot be read: {error}"),
    }
}

/// Writes the engine's bindings and calls to `registration_file` for good. The file is whole at each moment, old or new. Waits for the disk.
///
/// # Errors
/// Those of the file system; the old file is still there.
pub fn save(engine: &Engine, path: &Path, now: Instant) -> io::Result<()> {
    replace(path, &|out| write_lines(engine, now, unix_now(), out))
}

/// The same without waiting for the disk: [`load`] finds it from now on, unless the power fails before [`finish`].
///
/// # Errors
/// Those of the file system; the old file is still there.
pub fn save_soon(engine: &Engine, path: &Path, now: Instant) -> io::Result<()> {
    file::begin(path, &|out| write_lines(engine, now, unix_now(), out))
}

/// Has what was saved outlast a loss of power. Waits for the disk.
///
/// # Errors
/// Those of the file system.
pub fn finish(path: &Path) -> io::Result<()> {
    file::finish(path)
}

/// Takes back the lines of a file, of which there is more where `is_cut`: what became of them, and whether it is one of siproxd 0.8.
/// Each clock says what is now, the wall clock in seconds.
///
/// # Errors
/// Those of `reader`.
pub fn read(
    engine: &mut Engine,
    reader: &mut dyn BufRead,
    is_cut: bool,
    (now, unix_now): (Instant, u64),
    out: &mut dyn Sink,
) -> io::Result<(Tally, bool)> {
    let mut tally = Tally::of_file(is_cut);
    let mut line = Vec::new();
    // What stands behind the first MAX_LINE bytes of a line is no line of its own.
    let mut is_rest = false;
    let mut old: Option<original::Reader> = None;
    loop {
        line.clear();
        if reader.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            if old.as_ref().is_some_and(original::Reader::is_torn) {
                tally.count(Err(RestoreError::Syntax));
            }
            return Ok((tally, old.is_some()));
        }
        let (was_rest, ends) = (is_rest, line.ends_with(b"\n"));
        is_rest = !ends && line.len() as u64 == MAX_LINE;
        if was_rest {
            continue;
        }
        if !ends {
            // Too long, or torn: half a URI is another one.
            tally.count(Err(RestoreError::Syntax));
            continue;
        }
        match str::from_utf8(&line).map(str::trim_end) {
            Ok(text) if old.is_some() || (original::is_head(text) && tally.is_empty()) => {
                match old.get_or_insert_default().line(text) {
                    Some(Ok(record)) => {
                        let uris = (record.contact.as_str(), record.aor.as_str());
                        tally.count(engine.import(uris, record.expires, now, unix_now, out));
                    }
                    Some(Err(error)) => tally.count(Err(error)),
                    None => (),
                }
            }
            Ok(comment) if comment.is_empty() || comment.starts_with('#') => (),
            Ok(text) => tally.count(engine.restore(text, now, unix_now, out)),
            Err(_) => tally.count(Err(RestoreError::Syntax)),
        }
    }
}

/// The wall clock in seconds.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn write_lines(engine: &Engine, now: Instant, unix_now: u64, out: &mut dyn Write) -> io::Result<()> {
    file::write_text(out, &|text| {
        writeln!(text, "{HEAD}")?;
        engine.save(now, unix_now, text)?;
        text.write_str(END)
    })
}

#[cfg(test)]
mod tests;
