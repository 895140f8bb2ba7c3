//! What a panic leaves behind, before the process ends: message, place, build and backtrace, on stderr, in syslog, with the readers of
//! `debug_port`, and in a file beside `registration_file`. A program for routers has no unwinder, and so is built without the feature
//! `backtrace`.
//!
//! A panic is a bug, and there is no way to cause one from outside that we know of. So nothing here may rely on what the program was doing:
//! no lock is waited for, and what fails is passed over.

use crate::log_class::{PROCESS, log};
use crate::state::crash_path;
use core::fmt::{self, Write as _};
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Bytes of the longest report: fifty frames and more.
const MAX_REPORT: usize = 8 * 1024;

/// The file, once it is known.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// What the linker named the program.
static BUILD_ID: OnceLock<BuildId> = OnceLock::new();

/// A SHA-1 of the program, as linkers make it for `--build-id`.
type BuildId = [u8; 20];

/// Has panics tell of themselves. Call once, first of all.
pub fn watch_panics() {
    // While there is a /proc: a jail has none.
    if let Some(id) = build_id() {
        let _ = BUILD_ID.set(id);
    }
    #[cfg(feature = "backtrace")]
    backtrace::prepare();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let mut report = Report::new();
        // As `--version` has them: the symbols of another build say nothing, or worse.
        let build = [env!("CARGO_PKG_VERSION"), env!("SIPROXD_TARGET"), env!("SIPROXD_COMMIT")];
        let _ = write!(report, "siproxd {}, {}, commit {}: bug at ", build[0], build[1], build[2]);
        let _ = match panic.location() {
            Some(place) => write!(report, "{place}"),
            None => write!(report, "an unknown place"),
        };
        let _ = writeln!(report, ": {message}");
        if let Some(id) = BUILD_ID.get() {
            let _ = report.write_str("build id ");
            let _ = id.iter().try_for_each(|byte| write!(report, "{byte:02x}"));
            let _ = report.write_str("\n");
        }
        #[cfg(feature = "backtrace")]
        backtrace::write(&mut report);
        #[cfg(not(feature = "backtrace"))]
        let _ = report.write_str("no backtrace: this build has no unwinder\n");
        if let Some(path) = FILE.get() {
            let _ = keep(path, report.text());
        }
        crate::log::emergency(report.text());
    }));
}

/// Names the file that a panic is kept in, beside `registration_file`; says so where there is one from before.
pub fn keep_crashes_beside(registration_file: &Path) {
    let path = crash_path(registration_file);
    if fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
        let shown = path.display();
        log::warn!(target: PROCESS, "siproxd has crashed before: please report {shown}, and remove it");
    }
    let _ = FILE.set(path);
}

/// The build id in the program's file: an ELF note, elf(5), which linkers put close behind the headers.
fn build_id() -> Option<BuildId> {
    /// `NT_GNU_BUILD_ID`.
    const KIND: u32 = 3;
    /// Headers of a program and its notes are 400 to 1,000 bytes.
    const HEADERS: usize = 2048;
    const OWNER: &[u8] = b"GNU\0";
    let mut headers = [0; HEADERS];
    let read = File::open(std::env::current_exe().ok()?).ok()?.read(&mut headers).ok()?;
    let mut start = [0; 16];
    let words = [OWNER.len() as u32, size_of::<BuildId>() as u32, KIND].map(u32::to_ne_bytes);
    start.iter_mut().zip(words.iter().flatten().chain(OWNER)).for_each(|(to, from)| *to = *from);
    let headers = headers.get(..read)?;
    let at = headers.windows(start.len()).position(|window| window == start)?;
    headers.get(at + start.len()..)?.first_chunk().copied()
}

/// Writes the report over that of an earlier crash; never through a link.
fn keep(path: &Path, report: &str) -> std::io::Result<()> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).clone();
    let mut file = options.open(path)?;
    if file.metadata()?.is_file() {
        file.write_all(report.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

/// A text of fixed size; what does not fit is left out.
struct Report {
    text: heapless::String<MAX_REPORT>,
}

impl Report {
    const fn new() -> Self {
        Self { text: heapless::String::new() }
    }

    fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.text.capacity() - self.text.len();
        let fitting = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.text.push_str(fitting).map_err(|_| fmt::Error)
    }
}

/// The way to a panic, by addresses and, where the program has them, names.
#[cfg(feature = "backtrace")]
mod backtrace {
    use super::Report;
    use core::fmt::Write as _;
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::backtrace::{Backtrace, BacktraceStatus};

    /// Where the program was loaded, which the addresses of a backtrace count from; 0 where that is not known.
    static LOADED_AT: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn prepare() {
        LOADED_AT.store(loaded_at().unwrap_or(0), Relaxed);
    }

    /// Where the program is in memory: the first mapping that proc(5) has of it.
    fn loaded_at() -> Option<usize> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let program = std::env::current_exe().ok()?;
        let line = maps.lines().find(|line| line.ends_with(program.to_str().unwrap_or("?")))?;
        usize::from_str_radix(line.split('-').next()?, 16).ok()
    }

    pub(super) fn write(report: &mut Report) {
        let backtrace = Backtrace::force_capture();
        if backtrace.status() != BacktraceStatus::Captured {
            let _ = writeln!(report, "no backtrace: this build has no unwinder");
            return;
        }
        let _ = writeln!(report, "loaded at {:#x}", LOADED_AT.load(Relaxed));
        // With addresses: a program without symbols has nothing else.
        let _ = writeln!(report, "{backtrace:#}");
    }
}
