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
        Ok(Some((0, _))) => true,
        Ok(Some((bad, first))) => {
            log::warn!(
                target: ACL,
                "{shown}:{first}: this line of the blacklist cannot be read or is one too many, {bad} in all: it is `ADDRESS USER@DOMAIN \
                 always`, or with two numbers in place of the last word; it goes when the file is written next"
            );
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
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Who takes it away wants all to be heard.
            engine.clear_blacklist();
            true
        }
        Err(error) => {
            log::warn!(target: ACL, "{shown}: the blacklist cannot be read: {error}");
            true
        }
    }
}

/// How many lines could not be taken, and the number of the first; `None` for a database.
fn read(engine: &mut Engine, path: &Path, now: Instant) -> io::Result<Option<(usize, usize)>> {
    let mut reader = BufReader::new(open(path)?.take(MAX_FILE));
    if reader.fill_buf()?.starts_with(SQLITE) {
        return Ok(None);
    }
    engine.clear_blacklist();
    let (mut line, mut bad, mut first) = (Vec::new(), 0, 0);
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() && !text.starts_with('#') && engine.restore_blacklisted(text, now).is_err() {
            bad += 1;
            first = if bad == 1 { number } else { first };
        }
    }
    Ok(Some((bad, first)))
}

/// Writes what the engine has, where the file says something else: a phone whose first REGISTER is refused each time, for its nonce is too
/// old, has failed and is forgotten at once, which is no reason to write to a flash memory. The file is whole at each moment.
///
/// # Errors
/// Those of the file system; the old file is still there.
pub fn save_blacklist(engine: &Engine, path: &Path) -> io::Result<()> {
    let mut text = format!("{HEAD}\n");
    engine.save_blacklist(&mut text).map_err(io::Error::other)?;
    let mut old = Vec::new();
    let is_read = open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut old));
    if is_read.is_ok() && old == text.as_bytes() {
        return Ok(());
    }
    put(path, &|out| out.write_str(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
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
        assert_eq!(kept(&engine), "", "who takes the file away lets all in");
    }

    #[test]
    fn the_first_line_that_cannot_be_read_is_told() {
        let (file, mut engine) = (path("lines"), Box::new(Engine::new()));
        fs::write(&file, "# a remark\n\n10.0.0.7 alice@example.org always\n10.0.0.8 bob@example.org allways\nx\n")
            .expect("a file");
        assert_eq!(read(&mut engine, &file, Instant::ZERO).expect("read"), Some((2, 4)));
        fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn what_is_there_is_not_written_again() {
        let (file, mut engine) = (path("again"), Box::new(Engine::new()));
        engine.restore_blacklisted("10.0.0.7 alice@example.org always", Instant::ZERO).expect("a line");
        let number = || fs::metadata(&file).expect("the file").ino();
        save_blacklist(&engine, &file).expect("saved");
        let first = number();
        save_blacklist(&engine, &file).expect("saved");
        assert_eq!(number(), first);
        engine.restore_blacklisted("10.0.0.8 bob@example.org always", Instant::ZERO).expect("a line");
        save_blacklist(&engine, &file).expect("saved");
        assert_eq!(fs::read_to_string(&file).expect("a text").lines().count(), 3);
        fs::remove_file(&file).expect("removed");
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
