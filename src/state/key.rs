//! The key of tokens and branches, in a file of its own beside `registration_file`.

use super::file::{open, replace, with_suffix};
use crate::log_class::{PROCESS, log};
use crate::sip::token::Key;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub(super) const KEY_BYTES: usize = 32;

/// The key of tokens and branches: from the file beside `registration_file`, which is made at the first start, so that a
/// phone's dialogs survive a restart. Without a registration file, or where the key cannot be kept, it is a new one.
///
/// # Errors
/// The system has no random numbers; without them there is no start.
pub fn key(registration_file: Option<&Path>) -> io::Result<Key> {
    let path = registration_file.map(key_path);
    if let Some(path) = &path {
        match read_key(path) {
            Ok(Some(bytes)) => return Ok(Key::new(bytes)),
            Ok(None) => (),
            Err(error) => log::warn!(target: PROCESS, "{}: {error}; a new key is made", path.display()),
        }
    }
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    if let Some(path) = path
        && let Err(error) = replace(&path, &|out| out.write_all(&bytes))
    {
        log::warn!(
            target: PROCESS, "{}: the key cannot be kept, calls will not survive a restart: {error}", path.display()
        );
    }
    Ok(Key::new(bytes))
}

/// A seed for the engine's random choices.
///
/// # Errors
/// The system has no random numbers.
pub fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The key of the file at `path`; `None` where there is none yet.
fn read_key(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    let mut bytes = [0; KEY_BYTES];
    file.read_exact(&mut bytes).map_err(|_| io::Error::other("not a key"))?;
    Ok(Some(bytes))
}

pub(super) fn key_path(registration_file: &Path) -> PathBuf {
    with_suffix(registration_file, ".key")
}
