use super::file::replace_in_place;
use super::key::KEY_BYTES;
use super::*;
use crate::engine::Channel;
use crate::engine::io::{LegCounters, RelayCmd, RelayError, SendError};
use core::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

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
fn who_may_read_a_file_stays_and_a_device_is_not_replaced() {
    let directory = Directory::new("put");
    let path = directory.0.join("file");
    let mode = || fs::metadata(&path).expect("metadata").permissions().mode() & 0o777;
    put(&path, &|out| out.write_str("first")).expect("written");
    assert_eq!(mode(), MODE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    put(&path, &|out| out.write_str("second")).expect("written");
    assert_eq!((mode(), fs::read_to_string(&path).expect("read").as_str()), (0o644, "second"));
    // A link is replaced, and what it leads to is left as it is.
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("/dev/null", &path).expect("a link");
    put(&path, &|out| out.write_str("third")).expect("written");
    assert_eq!(mode(), MODE);
    fs::remove_file(&path).expect("removed");
    let number = nix::sys::stat::makedev(1, 3);
    if nix::sys::stat::mknod(&path, nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::S_IRUSR, number).is_ok() {
        assert_eq!(put(&path, &|out| out.write_str("fourth")).expect_err("a device").to_string(), "it is a device");
        assert!(save(&Engine::new(), &path, Instant::ZERO).is_err());
        assert_eq!(fs::read_dir(&directory.0).expect("directory").count(), 1);
    }
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
    let record =
        |expires: u64, phone: &str| format!("****:1:{expires}\nsip:a@{phone}\nsip:a@192.0.2.1\nsip:a@192.0.2.9\n");
    let (live, over) = (record(unix_now() + 100, "10.0.0.2"), record(1_700_000_000, "10.0.0.3"));
    let twice = record(unix_now() + 100, "10.0.0.2");
    fs::write(&path, format!("****:0:7\n{live}{over}{twice}****:1:8\nsip:")).expect("a file");
    let mut engine = Box::new(Engine::new());
    engine.configure(&crate::engine::Settings::default());
    load(&mut engine, &path, Instant::ZERO, &mut Nowhere);
    assert!(!path.exists());
    save(&engine, &path, Instant::ZERO).expect("saved");
    let saved = fs::read_to_string(&path).expect("saved");
    let ours = "place=10.0.0.2:5060 renamed=0 registrar=192.0.2.9:5060 aor=a@192.0.2.9 contact=sip:a@10.0.0.2";
    assert!(saved.lines().count() == 3 && saved.contains(ours), "{saved}");
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
    assert!(path.is_dir());
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
    let mut engine = Box::new(Engine::new());
    engine.configure(&crate::engine::Settings::default());
    let mut text = text;
    let clocks = (Instant::ZERO, unix_now());
    let (tally, is_old) = read(&mut engine, &mut text, false, clocks, &mut Nowhere).expect("read");
    format!("{}{tally}", if is_old { "old: " } else { "" })
}

#[test]
fn what_is_no_line_of_ours_is_counted() {
    let binding = |more: &str| {
        let expires = unix_now() + 1000;
        format!("expires={expires} place=10.0.0.2:5060 renamed=0 registrar=own aor=a@b contact=sip:a@10.0.0.2{more}\n")
    };
    let long = "x".repeat(MAX_LINE as usize);
    let taken = |count: usize| format!("{count} registrations taken back, 0 calls, 0 expired");
    let cases = [
        (Vec::new(), taken(0)),
        (binding("").into_bytes(), taken(1)),
        ([long.as_bytes(), binding("").as_bytes(), b"\n"].concat(), format!("{}, 1 lines not understood", taken(0))),
        (
            [b"#", long.as_bytes(), b"\n", binding("").as_bytes()].concat(),
            format!("{}, 1 lines not understood", taken(1)),
        ),
        ([b"\xff\0\n", binding("").as_bytes()].concat(), format!("{}, 1 lines not understood", taken(1))),
        ([&[0; 9000][..], b"\n", binding("").as_bytes()].concat(), format!("{}, 1 lines not understood", taken(1))),
        (format!("{}****:1\n", binding("")).into_bytes(), format!("{}, 1 lines not understood", taken(1))),
        (b"# x\n****:1\n".to_vec(), format!("old: {}, 1 lines not understood", taken(0))),
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

/// Two bindings, as they are saved.
fn two_bindings() -> String {
    let line = |user: &str| {
        let expires = unix_now() + 1000;
        format!(
            "expires={expires} place=10.0.0.2:5060 renamed=0 registrar=own aor={user}@b contact=sip:{user}@10.0.0.2\n"
        )
    };
    format!("{HEAD}\n{}{}", line("a"), line("b"))
}

#[test]
fn a_torn_file_gives_its_whole_lines() {
    let text = two_bindings();
    for at in 0..=text.len() {
        let whole = text[..at].lines().count() - usize::from(!text[..at].is_empty() && !text[..at].ends_with('\n'));
        let wanted = format!("{} registrations taken back, 0 calls, 0 expired", whole.saturating_sub(1));
        assert!(tally_of(&text.as_bytes()[..at]).starts_with(&wanted), "cut at {at}");
    }
}

#[test]
fn a_new_file_that_is_torn_harms_nothing() {
    let directory = Directory::new("torn");
    let path = directory.0.join("registrations");
    let text = two_bindings();
    let mut engine = Box::new(Engine::new());
    for at in 0..=text.len() {
        fs::write(&path, &text).expect("the last good one");
        fs::write(with_suffix(&path, ".new"), &text[..at]).expect("one that was not finished");
        engine.configure(&crate::engine::Settings::default());
        load(&mut engine, &path, Instant::ZERO, &mut Nowhere);
        assert_eq!(engine.usage().bindings, 2, "cut at {at}");
        save(&engine, &path, Instant::ZERO).expect("saved");
        assert_eq!(fs::read_dir(&directory.0).expect("directory").count(), 1);
    }
}

#[test]
fn what_is_saved_soon_is_found_at_once_and_in_its_place_later() {
    let directory = Directory::new("soon");
    let path = directory.0.join("registrations");
    let text = format!("{}{END}", two_bindings());
    let bindings = || {
        let mut engine = Box::new(Engine::new());
        engine.configure(&crate::engine::Settings::default());
        load(&mut engine, &path, Instant::ZERO, &mut Nowhere);
        engine.usage().bindings
    };
    save(&Engine::new(), &path, Instant::ZERO).expect("saved");
    file::begin(&path, &|out| out.write_all(text.as_bytes())).expect("begun");
    assert!(!fs::read_to_string(&path).expect("the old one").contains("place="));
    assert_eq!(bindings(), 2, "one that was killed meanwhile finds it");
    file::begin(&path, &|out| out.write_all(HEAD.as_bytes())).expect("begun");
    assert_eq!(bindings(), 2, "it was not written to its end");
    file::begin(&path, &|out| out.write_all(text.replace("b contact", "c contact").as_bytes())).expect("begun");
    finish(&path).expect("finished");
    assert!(fs::read_to_string(&path).expect("the new one").contains("a@c"));
    assert_eq!(fs::read_dir(&directory.0).expect("directory").count(), 1);
    // Of an older time than what is there: somebody has put it back.
    file::begin(&path, &|out| out.write_all(END.as_bytes())).expect("begun");
    let old = File::options().write(true).open(with_suffix(&path, NEW)).expect("it");
    old.set_modified(UNIX_EPOCH).expect("set");
    assert_eq!(bindings(), 2);
}

#[test]
fn what_a_full_disk_does_not_take_stays_as_it_was() {
    let directory = Directory::new("in-place");
    let path = directory.0.join("registrations");
    let text = two_bindings();
    fs::write(&path, &text).expect("the last good one");
    let write = |wanted: &str, error: Option<io::ErrorKind>| {
        replace_in_place(&path, &|out| {
            out.write_all(wanted.as_bytes())?;
            error.map_or(Ok(()), |kind| Err(kind.into()))
        })
    };
    assert!(write("", Some(io::ErrorKind::StorageFull)).is_err());
    assert_eq!(fs::read_to_string(&path).expect("read"), text);
    assert!(write(HEAD, Some(io::ErrorKind::StorageFull)).is_err());
    assert_eq!(fs::read_to_string(&path).expect("read"), text);
    write("short\n", None).expect("written");
    assert_eq!(fs::read_to_string(&path).expect("read"), "short\n");
}
