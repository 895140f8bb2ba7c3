//! Files as the state needs them: opened without waiting, replaced as a whole, written in blocks.

use core::fmt;
use nix::fcntl::OFlag;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Only we: the file tells who is reachable where, and the key opens all tokens.
pub(super) const MODE: u32 = 0o600;

/// Bytes collected before they are written.
const WRITE_BUFFER: usize = 4096;

/// Opens a file to be read. It does not wait where a FIFO stands in its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).and_then(regular)
}

/// Refuses what is no file, such as a FIFO or a device, which may never end.
pub(super) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Replaces a file as a whole: a new one beside it, synchronised, then renamed.
///
/// Where the directory takes no new file (it belongs to somebody else, or the file is a mount of its own) the file is
/// written in place.
pub(super) fn replace(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let write = |mut file: File| {
        content(&mut file)?;
        file.sync_all()
    };
    // Written by root, it must still be the daemon's own after root is given up.
    let keep_owner = |file: &File| {
        if let Ok(old) = fs::metadata(path) {
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        }
    };
    let temporary = with_suffix(path, ".new");
    // What is left of an earlier attempt, or is a link somebody put there.
    let _ = fs::remove_file(&temporary);
    let renamed = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&temporary)
        .inspect(keep_owner)
        .and_then(write)
        .and_then(|()| fs::rename(&temporary, path));
    let Err(error) = renamed else { return Ok(()) };
    let _ = fs::remove_file(&temporary);
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy | io::ErrorKind::ReadOnlyFilesystem => {
            let flags = OFlag::O_NONBLOCK.bits();
            let in_place = OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(path);
            write(in_place.and_then(regular).map_err(|_| error)?)
        }
        _ => Err(error),
    }
}

/// Writes text in blocks, with no memory from the heap.
pub(super) struct Buffered<'a> {
    out: &'a mut dyn Write,
    buffer: heapless::String<WRITE_BUFFER>,
    result: io::Result<()>,
}

impl<'a> Buffered<'a> {
    pub(super) const fn new(out: &'a mut dyn Write) -> Self {
        Self { out, buffer: heapless::String::new(), result: Ok(()) }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.drain();
        self.result
    }

    fn drain(&mut self) {
        if self.result.is_ok() {
            self.result = self.out.write_all(self.buffer.as_bytes());
        }
        self.buffer.clear();
    }
}

impl fmt::Write for Buffered<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.buffer.push_str(text).is_err() {
            self.drain();
            if self.buffer.push_str(text).is_err() && self.result.is_ok() {
                self.result = self.out.write_all(text.as_bytes());
            }
        }
        if self.result.is_ok() { Ok(()) } else { Err(fmt::Error) }
    }
}
