//! Files as the state needs them: opened without waiting, replaced as a whole, written in blocks.

use core::fmt;
use nix::fcntl::OFlag;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Only we: the file tells who is reachable where, and the key opens all tokens.
pub(super) const MODE: u32 = 0o600;

/// Bytes collected before they are written.
const WRITE_BUFFER: usize = 4096;

/// Opens a file to be read. It does not wait where a FIFO stands in its place.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).and_then(regular)
}

/// Refuses what is no file, such as a FIFO or a device, which may never end.
pub(super) fn regular(file: File) -> io::Result<File> {
    let kind = file.metadata()?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(if kind.is_dir() { "it is a directory" } else { "it is no regular file" })),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Where a crash is kept, beside `registration_file`.
pub fn crash_path(registration_file: &Path) -> PathBuf {
    with_suffix(registration_file, ".crash")
}

/// Replaces a file as a whole: a new one beside it, synchronised, then renamed.
///
/// Where the directory takes no new file (it belongs to somebody else, or the file is a mount of its own) the file is
/// written in place, over the old lines: what is not reached, because the disk is full, stays.
pub(super) fn replace(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let write = |file: File| write(file, content);
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
        .and_then(|()| fs::rename(&temporary, path))
        .map(|()| sync_directory(path));
    let Err(error) = renamed else { return Ok(()) };
    let _ = fs::remove_file(&temporary);
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy | io::ErrorKind::ReadOnlyFilesystem => {
            // Why no new file could be made says more than why this failed as well.
            let is_full = |inner: &io::Error| inner.kind() == io::ErrorKind::StorageFull;
            replace_in_place(path, content).map_err(|inner| if is_full(&inner) { inner } else { error })
        }
        _ => Err(error),
    }
}

/// Writes over a file that is there.
pub(super) fn replace_in_place(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let flags = OFlag::O_NONBLOCK.bits();
    write(OpenOptions::new().write(true).custom_flags(flags).open(path).and_then(regular)?, content)
}

fn write(mut file: File, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    content(&mut file)?;
    let length = file.stream_position()?;
    file.set_len(length)?;
    file.sync_all()
}

/// Has the directory of a file keep its new name over a loss of power. A wish: not every file system can.
fn sync_directory(of: &Path) {
    if let Some(directory) = of.parent() {
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
}

/// What helps where a file cannot be written, to be put behind the error.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on that disk",
        io::ErrorKind::ReadOnlyFilesystem => "; let it be written to (mount -o remount,rw), or name another place",
        io::ErrorKind::PermissionDenied => {
            "; give its directory to the account that siproxd runs as (chown), and start siproxd again"
        }
        io::ErrorKind::NotFound => "; make its directory, for the account that siproxd runs as (mkdir, chown)",
        _ => "",
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
