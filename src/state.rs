//! What outlives a restart: bindings and calls, in `registration_file`, and the key of our tokens, beside it.

use crate::engine::{Engine, RestoreError, Restored, Sink};
use crate::limits::{MAX_BINDINGS, MAX_CALLS};
use crate::log_class::{PROCESS, REG};
use crate::sip::token::Key;
use crate::time::Instant;
use core::fmt::{self, Write as _};
use nix::fcntl::OFlag;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown, fchown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// First line of the file.
const HEAD: &str = "# siproxd bindings v1";

/// How each record of siproxd 0.8 begins.
const OLD_RECORD: &str = "****:";

/// Bytes of the longest line that is read: a call with eight media sections, or two URIs, a proxy, and small change.
const MAX_LINE: u64 = 4096;

/// Bytes of the largest file that is read: a line for each binding and each call.
const MAX_FILE: u64 = MAX_LINE * (MAX_BINDINGS + MAX_CALLS) as u64;

/// Only we: the file tells who is reachable where, and the key opens all tokens.
const MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

const KEY_BYTES: usize = 32;

/// Bytes collected before they are written.
const WRITE_BUFFER: usize = 4096;

/// Makes the directory of `registration_file` where it is missing, and gives the file and the key to the account (user and
/// group) that the daemon will run as, where that is another. What fails shows when the file is written.
pub fn prepare(path: &Path, account: Option<(u32, u32)>) {
    let told = |path: &Path, result: io::Result<()>| {
        if let Err(error) = result {
            log::debug!(target: PROCESS, "{}: {error}", path.display());
        }
    };
    let created = path.parent().filter(|it| fs::DirBuilder::new().mode(DIRECTORY_MODE).create(it).is_ok());
    let Some((uid, gid)) = account else { return };
    if let Some(directory) = created {
        told(directory, chown(directory, Some(uid), Some(gid)));
    }
    for path in [path, &key_path(path)] {
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
}

/// Opens a file to be read. It does not wait where a FIFO stands in its place.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).and_then(regular)
}

/// Refuses what is no file, such as a FIFO or a device, which may never end.
fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

/// Gives the engine the bindings and calls that were saved to `registration_file`; `out` opens the calls' relays. A file that is not there yet is no problem; one
/// of siproxd 0.8 is renamed, so that it is not overwritten.
pub fn load(engine: &mut Engine, path: &Path, now: Instant, out: &mut dyn Sink) {
    let shown = path.display();
    match open(path).and_then(|file| read_lines(engine, file, now, out)) {
        Ok(Content::Lines(tally)) if tally.is_clean() => log::info!(target: REG, "{shown}: {tally}"),
        Ok(Content::Lines(tally)) => log::warn!(target: REG, "{shown}: {tally}"),
        Ok(Content::OldFormat) => {
            let aside = with_suffix(path, ".orig");
            let fate = match fs::rename(path, &aside) {
                Ok(()) => format!("kept as {}", aside.display()),
                Err(error) => format!("it will be overwritten, for it cannot be renamed: {error}"),
            };
            log::warn!(target: REG, "{shown} is of siproxd 0.8 and not read by this version; {fate}");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log::info!(target: REG, "{shown}: no file yet, starting without registrations");
        }
        Err(error) => log::warn!(target: REG, "{shown}: cannot be read: {error}"),
    }
}

/// Writes the engine's bindings and calls to `registration_file`. The file is whole at each moment, old or new.
///
/// # Errors
/// Those of the file system; the old file is still there.
pub fn save(engine: &Engine, path: &Path, now: Instant) -> io::Result<()> {
    replace(path, &|out| write_lines(engine, now, unix_now(), out))
}

/// What a registration file holds.
enum Content {
    Lines(Tally),
    OldFormat,
}

fn read_lines(engine: &mut Engine, file: File, now: Instant, out: &mut dyn Sink) -> io::Result<Content> {
    let unix_now = unix_now();
    let mut tally = Tally { is_cut: file.metadata()?.len() > MAX_FILE, ..Tally::default() };
    let mut reader = BufReader::new(file.take(MAX_FILE));
    let mut line = Vec::new();
    // What stands behind the first MAX_LINE bytes of a line is no line of its own.
    let mut is_rest = false;
    loop {
        line.clear();
        if (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(Content::Lines(tally));
        }
        let (was_rest, ends) = (is_rest, line.ends_with(b"\n"));
        is_rest = !ends && line.len() as u64 == MAX_LINE;
        if was_rest {
            continue;
        }
        if !ends {
            // Too long, or torn: half a URI is another one.
            tally.unreadable += 1;
            continue;
        }
        match str::from_utf8(&line).map(str::trim_end) {
            Ok(old) if old.starts_with(OLD_RECORD) && tally.is_empty() => return Ok(Content::OldFormat),
            Ok(comment) if comment.is_empty() || comment.starts_with('#') => (),
            Ok(text) => tally.count(engine.restore(text, now, unix_now, out)),
            Err(_) => tally.unreadable += 1,
        }
    }
}

/// The wall clock in seconds.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What became of the lines of the file.
#[derive(Default)]
struct Tally {
    bindings: usize,
    calls: usize,
    expired: usize,
    full: usize,
    foreign: usize,
    double: usize,
    unreadable: usize,
    /// There was more than is read.
    is_cut: bool,
}

impl Tally {
    /// Whether nothing has been read yet.
    const fn is_empty(&self) -> bool {
        self.bindings + self.calls + self.expired + self.full == 0 && self.is_clean()
    }

    /// Whether all lines were such as we write.
    const fn is_clean(&self) -> bool {
        self.foreign + self.double + self.unreadable == 0 && !self.is_cut
    }

    const fn count(&mut self, result: Result<Restored, RestoreError>) {
        match result {
            Ok(Restored::Binding) => self.bindings += 1,
            Ok(Restored::Call) => self.calls += 1,
            Err(RestoreError::Expired) => self.expired += 1,
            Err(RestoreError::Full) => self.full += 1,
            Err(RestoreError::Foreign) => self.foreign += 1,
            Err(RestoreError::Double) => self.double += 1,
            Err(RestoreError::Syntax) => self.unreadable += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} registrations taken back, {} calls, {} expired", self.bindings, self.calls, self.expired)?;
        for (count, what) in [
            (self.full, "without room"),
            (self.foreign, "with addresses or ports that cannot be right"),
            (self.double, "there twice"),
            (self.unreadable, "lines not understood"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        f.write_str(if self.is_cut { ", and the file is too large: the rest of it was not read" } else { "" })
    }
}

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

fn key_path(registration_file: &Path) -> PathBuf {
    with_suffix(registration_file, ".key")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Replaces a file as a whole: a new one beside it, synchronised, then renamed.
///
/// Where the directory takes no new file (it belongs to somebody else, or the file is a mount of its own) the file is
/// written in place.
fn replace(path: &Path, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
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

fn write_lines(engine: &Engine, now: Instant, unix_now: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Buffered { out, buffer: heapless::String::new(), result: Ok(()) };
    let written = writeln!(text, "{HEAD}").and_then(|()| engine.save(now, unix_now, &mut text));
    text.drain();
    text.result?;
    written.map_err(|_| io::Error::other("not all could be written"))
}

/// Writes text in blocks, with no memory from the heap.
struct Buffered<'a> {
    out: &'a mut dyn Write,
    buffer: heapless::String<WRITE_BUFFER>,
    result: io::Result<()>,
}

impl Buffered<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Channel;
    use crate::engine::io::{LegCounters, RelayCmd, RelayError, SendError};
    use core::net::SocketAddr;
    use std::os::unix::fs::PermissionsExt;

    /// For lines that hold no call.
    struct Nowhere;

    impl Sink for Nowhere {
        fn send(&mut self, _: Channel, _: SocketAddr, _: &[&[u8]]) -> Result<(), SendError> {
            unreachable!("nothing is sent")
        }

        fn relay(&mut self, _: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
            unreachable!("no relay is opened")
        }

        fn query(&mut self, _: SocketAddr, _: &[u8]) {
            unreachable!("nothing is asked")
        }
    }

    /// A directory of its own, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("siproxd-state-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("a directory");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let directory = Directory::new("replace");
        let path = directory.0.join("file");
        for text in ["a long first content", "short"] {
            replace(&path, &|out| out.write_all(text.as_bytes())).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, MODE);
        let failing = replace(&path, &|_| Err(io::Error::other("disk full")));
        assert!(failing.is_err());
        assert_eq!(fs::read_to_string(&path).expect("read"), "short");
        assert_eq!(fs::read_dir(&directory.0).expect("directory").count(), 1);
    }

    #[test]
    fn the_key_is_made_once() {
        let directory = Directory::new("key");
        let registrations = directory.0.join("registrations");
        key(Some(&registrations)).expect("a key");
        let first = fs::read(key_path(&registrations)).expect("the key file");
        assert_eq!(first.len(), KEY_BYTES);
        key(Some(&registrations)).expect("a key");
        assert_eq!(fs::read(key_path(&registrations)).expect("the key file"), first);
        fs::write(key_path(&registrations), "short").expect("damage");
        key(Some(&registrations)).expect("a key");
        assert_eq!(fs::read(key_path(&registrations)).expect("the key file").len(), KEY_BYTES);
    }

    #[test]
    fn a_missing_directory_is_made_for_the_account() {
        let directory = Directory::new("prepare");
        let path = directory.0.join("new").join("registrations");
        prepare(&path, None);
        assert!(path.parent().expect("a parent").is_dir());
        assert!(!path.exists());
        let owner = fs::metadata(&directory.0).expect("metadata");
        prepare(&path, Some((owner.uid(), owner.gid())));
        assert!(path.exists() && key_path(&path).exists());
        key(Some(&path)).expect("a key in the place of the empty file");
        assert_eq!(fs::read(key_path(&path)).expect("the key file").len(), KEY_BYTES);
    }

    #[test]
    fn a_file_of_the_old_program_is_put_aside() {
        let directory = Directory::new("old");
        let path = directory.0.join("registrations");
        fs::write(&path, "****:1:1700000000\nsip:a@192.168.1.2\nsip:a@b\nsip:a@b\n").expect("a file");
        load(&mut Engine::new(), &path, Instant::ZERO, &mut Nowhere);
        assert!(!path.exists());
        assert!(with_suffix(&path, ".orig").exists());
    }

    /// Lets `work` wait for nothing.
    fn at_once(work: impl FnOnce() + Send + 'static) {
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            work();
            let _ = done.send(());
        });
        is_done.recv_timeout(core::time::Duration::from_secs(20)).expect("it waits, or has failed");
    }

    #[test]
    fn nothing_that_stands_in_the_place_of_a_file_is_waited_for() {
        let directory = Directory::new("no-file");
        let path = directory.0.join("registrations");
        let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let owner = fs::metadata(&directory.0).expect("metadata");
        let account = Some((owner.uid(), owner.gid()));
        let try_all = |path: &Path| {
            let path = path.to_owned();
            at_once(move || {
                prepare(&path, account);
                load(&mut Engine::new(), &path, Instant::ZERO, &mut Nowhere);
                key(Some(&path)).expect("a key");
            });
        };
        fifo(&path);
        fifo(&key_path(&path));
        assert!(open(&path).is_err());
        try_all(&path);
        assert!(fs::metadata(key_path(&path)).expect("the key file").is_file(), "a new key is in its place");
        save(&Engine::new(), &path, Instant::ZERO).expect("saved");
        assert!(fs::metadata(&path).expect("the file").is_file());
        for device in ["/dev/zero", "/dev/null"] {
            for path in [&path, &key_path(&path)] {
                fs::remove_file(path).expect("removed");
                std::os::unix::fs::symlink(device, path).expect("a link");
            }
            try_all(&path);
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory");
        try_all(&path);
        assert!(save(&Engine::new(), &path, Instant::ZERO).is_err());
        assert!(path.is_dir() && !with_suffix(&path, ".new").exists());
    }

    #[test]
    fn nobody_is_given_a_file_that_has_another_name() {
        let directory = Directory::new("link");
        let (path, other) = (directory.0.join("registrations"), directory.0.join("passwords"));
        fs::write(&other, "").expect("a file");
        fs::hard_link(&other, &path).expect("a link");
        let owner = fs::metadata(&other).expect("metadata");
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        prepare(&path, Some((owner.uid() + 1, owner.gid())));
        assert_eq!(fs::metadata(&other).expect("metadata").uid(), owner.uid());
        assert_eq!(fs::metadata(key_path(&path)).expect("metadata").uid(), owner.uid() + 1);
    }

    /// What becomes of the lines of a file.
    fn tally_of(text: &[u8]) -> String {
        let directory = Directory::new(&format!("tally-{}-{:?}", text.len(), std::thread::current().id()));
        let path = directory.0.join("registrations");
        fs::write(&path, text).expect("a file");
        let mut engine = Box::new(Engine::new());
        engine.configure(&crate::engine::Settings::default());
        match read_lines(&mut engine, open(&path).expect("it opens"), Instant::ZERO, &mut Nowhere).expect("read") {
            Content::Lines(tally) => tally.to_string(),
            Content::OldFormat => "old".to_owned(),
        }
    }

    #[test]
    fn what_is_no_line_of_ours_is_counted() {
        let binding = |more: &str| {
            let expires = unix_now() + 1000;
            format!(
                "expires={expires} place=10.0.0.2:5060 renamed=0 registrar=own aor=a@b contact=sip:a@10.0.0.2{more}\n"
            )
        };
        let long = "x".repeat(MAX_LINE as usize);
        let taken = |count: usize| format!("{count} registrations taken back, 0 calls, 0 expired");
        let cases = [
            (Vec::new(), taken(0)),
            (binding("").into_bytes(), taken(1)),
            (
                [long.as_bytes(), binding("").as_bytes(), b"\n"].concat(),
                format!("{}, 1 lines not understood", taken(0)),
            ),
            (
                [b"#", long.as_bytes(), b"\n", binding("").as_bytes()].concat(),
                format!("{}, 1 lines not understood", taken(1)),
            ),
            ([b"\xff\0\n", binding("").as_bytes()].concat(), format!("{}, 1 lines not understood", taken(1))),
            ([&[0; 9000][..], b"\n", binding("").as_bytes()].concat(), format!("{}, 1 lines not understood", taken(1))),
            (format!("{}****:1\n", binding("")).into_bytes(), format!("{}, 1 lines not understood", taken(1))),
            (b"# x\n****:1\n".to_vec(), "old".to_owned()),
            (binding("").trim_end().as_bytes().to_vec(), format!("{}, 1 lines not understood", taken(0))),
            (format!("{0}{0}", binding("")).into_bytes(), format!("{}, 1 there twice", taken(1))),
            (binding(" q=0.5 and more").into_bytes(), format!("{}, 1 lines not understood", taken(0))),
        ];
        for (text, wanted) in cases {
            assert_eq!(tally_of(&text), wanted, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn saved_text_has_the_head() {
        let directory = Directory::new("head");
        let path = directory.0.join("registrations");
        save(&Engine::new(), &path, Instant::ZERO).expect("saved");
        assert!(fs::read_to_string(&path).expect("saved").starts_with("# siproxd bindings v1\n"));
        load(&mut Engine::new(), &path, Instant::ZERO, &mut Nowhere);
    }
}
