//! The file of `plugin_blacklist`: a line for each phone that has failed to register.

use super::file::{open, put};
use crate::engine::Engine;
use crate::log_class::{ACL, log};
use crate::time::Instant;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

/// First line of the file.
const HEAD: &str =
    "# siproxd blacklist v1: address, account, failures (or: always), and the last one in seconds since 1970";

/// How the database of siproxd 0.8 begins (SQLite's file format, §1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 65_536;

/// Gives the engine what the file holds, in place of what it has; whether the file may be written. One that is not there yet is no
/// problem.
pub fn load_blacklist(engine: &mut Engine, path: &Path, now: Instant) -> bool {
    let shown = path.display();
    match read(engine, path, now) {
        Ok(Some(0)) => true,
        Ok(Some(bad)) => {
            log::warn!(target: ACL, "{shown}: {bad} lines of the blacklist cannot be read, or are too many");
            true
        }
        Ok(None) => {
            log::warn!(
                target: ACL,
                "{shown} is a database of siproxd 0.8, and is left alone: the blacklist will not outlast a restart; move it away, or name \
                 another file with plugin_blacklist_dbpath"
            );
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => {
            log::warn!(target: ACL, "{shown}: the blacklist cannot be read: {error}");
            true
        }
    }
}

/// The number of lines that could not be taken; `None` for a database.
fn read(engine: &mut Engine, path: &Path, now: Instant) -> io::Result<Option<usize>> {
    let mut reader = BufReader::new(open(path)?.take(MAX_FILE));
    if reader.fill_buf()?.starts_with(SQLITE) {
        return Ok(None);
    }
    engine.clear_blacklist();
    let (mut line, mut bad) = (Vec::new(), 0);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(Some(bad));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() && !text.starts_with('#') && engine.restore_blacklisted(text, now).is_err() {
            bad += 1;
        }
    }
}

/// Writes what the engine has. The file is whole at each moment.
///
/// # Errors
/// Those of the file system; the old file is still there.
pub fn save_blacklist(engine: &Engine, path: &Path) -> io::Result<()> {
    put(path, &|out| {
        writeln!(out, "{HEAD}")?;
        engine.save_blacklist(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("siproxd-blacklist-{name}-{}", std::process::id()))
    }

    fn kept(engine: &Engine) -> String {
        let mut text = String::new();
        engine.save_blacklist(&mut text).expect("written");
        text
    }

    #[test]
    fn what_is_written_is_read() {
        let (file, mut engine) = (path("text"), Box::new(Engine::new()));
        engine.set_wall_clock(1000, Instant::ZERO);
        let line = "10.0.0.7 alice@example.org always";
        fs::write(&file, format!("# mine\n\n{line}\r\n10.0.0.8 bob@example.org\n\u{ff}\n")).expect("a file");
        assert!(load_blacklist(&mut engine, &file, Instant::ZERO));
        assert_eq!(kept(&engine), format!("{line}\n"));
        save_blacklist(&engine, &file).expect("saved");
        assert_eq!(fs::read_to_string(&file).expect("a text"), format!("{HEAD}\n{line}\n"));
        assert!(load_blacklist(&mut engine, &file, Instant::ZERO));
        assert_eq!(kept(&engine), format!("{line}\n"));
        fs::remove_file(&file).expect("removed");
        assert!(load_blacklist(&mut engine, &file, Instant::ZERO), "it will be made");
    }

    #[test]
    fn a_database_is_left_alone() {
        let (file, mut engine) = (path("database"), Box::new(Engine::new()));
        fs::write(&file, b"SQLite format 3\0\x10\0\x01\x01").expect("a file");
        engine.restore_blacklisted("10.0.0.7 alice@example.org always", Instant::ZERO).expect("a line");
        assert!(!load_blacklist(&mut engine, &file, Instant::ZERO));
        assert_eq!(kept(&engine).lines().count(), 1, "what is known stays");
        fs::remove_file(&file).expect("removed");
    }
}
