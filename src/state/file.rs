//! Files as the state needs them: opened without waiting, replaced as a whole, written in blocks.

use core::fmt;
use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
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

/// Behind the name of a file that is whole, but not in its place yet; and of one that is being written.
pub(super) const NEW: &str = ".new";
const UNFINISHED: &str = ".tmp";

/// Replaces a file as a whole and for good, also over a loss of power. Waits for the disk.
pub(super) fn replace(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    begin(path, content)?;
    finish(path)?;
    sync_directory(path);
    Ok(())
}

/// Replaces a file as a whole, without waiting for the disk: what a power failure may take, the old one with it. Who may read it stays.
pub fn put(path: &Path, content: &dyn Fn(&mut dyn fmt::Write) -> fmt::Result) -> io::Result<()> {
    begin(path, &|out| write_text(out, content))?;
    let new = with_suffix(path, NEW);
    if let Some(old) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) {
        let _ = fs::set_permissions(&new, old.permissions());
    }
    match fs::rename(&new, path) {
        Ok(()) => Ok(()),
        // Written in place.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => copy(&new, path, error),
    }
}

/// Writes what is in a new file over one that cannot be replaced, because it is a mount of its own: `error` says so.
fn copy(new: &Path, path: &Path, error: io::Error) -> io::Result<()> {
    let text = fs::read(new).map_err(|_| error)?;
    replace_in_place(path, &|out| out.write_all(&text))?;
    fs::remove_file(new)
}

/// Writes a text in blocks.
pub(super) fn write_text(out: &mut dyn Write, content: &dyn Fn(&mut dyn fmt::Write) -> fmt::Result) -> io::Result<()> {
    let mut text = Buffered::new(out);
    let written = content(&mut text);
    text.finish()?;
    written.map_err(|_| io::Error::other("not all could be written"))
}

/// Writes a new file beside the one at `path`, whole from the moment that it has its name, and has the system begin to bring it to the
/// disk, which is not waited for. [`finish`] puts it into its place.
///
/// Where the directory takes no new file (it belongs to somebody else, or the file is a mount of its own) the file is
/// written in place, over the old lines: what is not reached, because the disk is full, stays.
///
/// # Errors
/// Those of the file system; and it is a device, for a rename by root would put a file where /dev/null was.
pub(super) fn begin(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let is_device = |kind: fs::FileType| kind.is_char_device() || kind.is_block_device();
    if fs::symlink_metadata(path).is_ok_and(|old| is_device(old.file_type())) {
        return Err(io::Error::other("it is a device"));
    }
    let write = |file: File| write(file, content);
    // Written by root, it must still be the daemon's own after root is given up.
    let keep_owner = |file: &File| {
        if let Ok(old) = fs::metadata(path) {
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        }
    };
    let temporary = with_suffix(path, UNFINISHED);
    // What is left of an earlier attempt, or is a link somebody put there.
    let _ = fs::remove_file(&temporary);
    let named = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&temporary)
        .inspect(keep_owner)
        .and_then(write)
        .and_then(|()| fs::rename(&temporary, with_suffix(path, NEW)));
    let Err(error) = named else { return Ok(()) };
    let _ = fs::remove_file(&temporary);
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            // Why no new file could be made says more than why this failed as well.
            let is_full = |inner: &io::Error| inner.kind() == io::ErrorKind::StorageFull;
            replace_in_place(path, content).map_err(|inner| if is_full(&inner) { inner } else { error })
        }
        _ => Err(error),
    }
}

/// Puts what [`begin`] has written into the place of `path`, once the disk has it. Waits for that.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let new = with_suffix(path, NEW);
    match open(&new) {
        Ok(file) => {
            file.sync_all()?;
            let Err(error) = fs::rename(&new, path) else { return Ok(()) };
            copy(&new, path, error)?;
            open(path)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => open(path)?.sync_all(),
        Err(error) => Err(error),
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
    // A wish: what is to leave the memory is written first, at once, and not waited for (posix_fadvise(2)).
    let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    Ok(())
}

/// Whether the file that [`begin`] has made is newer than the one in its place, and ends as it must.
pub(super) fn is_left_over(path: &Path, end: &[u8]) -> bool {
    let new = with_suffix(path, NEW);
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let ends_so = || {
        let mut file = open(&new)?;
        file.seek(io::SeekFrom::End(-(end.len() as i64)))?;
        let mut tail = Vec::new();
        file.take(end.len() as u64).read_to_end(&mut tail)?;
        io::Result::Ok(tail == end)
    };
    ends_so().unwrap_or(false)
        && modified(&new).is_ok_and(|made| modified(path).is_ok_and(|old| made >= old) || !path.exists())
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
struct Buffered<'a> {
    out: &'a mut dyn Write,
    buffer: heapless::String<WRITE_BUFFER>,
    result: io::Result<()>,
}

impl<'a> Buffered<'a> {
    const fn new(out: &'a mut dyn Write) -> Self {
        Self { out, buffer: heapless::String::new(), result: Ok(()) }
    }

    /// Writes what is left.
    fn finish(mut self) -> io::Result<()> {
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
