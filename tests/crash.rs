//! What a panic leaves behind: the program is this test itself, run again as a child that panics. In siproxd there is no way to cause one.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::log::debug_port::DebugPort;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set in the child: the directory that it works in.
const DIRECTORY: &str = "SIPROXD_CRASH_DIRECTORY";

/// A function whose name a backtrace shall have.
#[inline(never)]
fn breaks_an_invariant(of: &str) {
    let nothing: Option<u8> = None;
    assert_eq!(nothing, Some(of.len() as u8), "an invariant of {of}");
}

/// The child: a siproxd with a reader of its log, as far as a panic is concerned.
fn crash(directory: &Path) {
    siproxd::process::watch_panics();
    siproxd::log::start();
    siproxd::process::keep_crashes_beside(&directory.join("registrations"));
    let mut poll = mio::Poll::new().unwrap();
    let mut port = DebugPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    port.register(poll.registry(), 1).unwrap();
    println!("port {}.", port.local_addr().unwrap().port());
    let mut events = mio::Events::with_capacity(8);
    poll.poll(&mut events, None).unwrap();
    for event in &events {
        port.ready(event.token().0, poll.registry());
    }
    // The parent says that its reader has been welcomed.
    let _ = std::io::stdin().read(&mut [0]);
    breaks_an_invariant("the test");
}

#[test]
fn a_panic_tells_everybody() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return crash(Path::new(&directory));
    }
    let directory = std::env::temp_dir().join(format!("siproxd-crash-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panic_tells_everybody", "--nocapture"])
        .env(DIRECTORY, &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, mut byte) = (String::new(), [0]);
    let stdout = child.stdout.as_mut().unwrap();
    while !said.ends_with('.') || !said.contains("port ") {
        stdout.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    let number: u16 = said.rsplit_once("port ").unwrap().1.trim_end_matches('.').parse().unwrap();
    let mut reader = TcpStream::connect(("127.0.0.1", number)).unwrap();
    reader.set_read_timeout(Some(core::time::Duration::from_secs(60))).unwrap();
    let mut read = Vec::new();
    while !read.ends_with(concat!("siproxd ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()) {
        reader.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    let _ = reader.read_to_end(&mut read);

    let path: PathBuf = directory.join("registrations.crash");
    let kept = std::fs::read_to_string(&path).unwrap();
    for (place, text) in [
        ("stderr", String::from_utf8_lossy(&output.stderr).into_owned()),
        ("debug_port", String::from_utf8_lossy(&read).into_owned()),
        ("the file", kept.clone()),
    ] {
        for wanted in [
            concat!("siproxd ", env!("CARGO_PKG_VERSION"), ", "),
            ": bug at tests/crash.rs:",
            "an invariant of the test",
            &format!("\nbuild id {}\n", build_id()),
        ] {
            assert!(text.contains(wanted), "{wanted} on {place}: {text}");
        }
    }
    assert!(kept.len() <= 8 * 1024);
    #[cfg(feature = "backtrace")]
    has_the_way_there(&kept);
    let _ = std::fs::remove_dir_all(&directory);
}

/// The build id of this test, as another program reads it.
fn build_id() -> String {
    let output = Command::new("readelf").arg("-n").arg(std::env::current_exe().unwrap()).output().unwrap();
    let notes = String::from_utf8_lossy(&output.stdout).into_owned();
    notes.split_once("Build ID: ").unwrap().1.split_whitespace().next().unwrap().to_owned()
}

#[cfg(feature = "backtrace")]
fn has_the_way_there(kept: &str) {
    assert!(kept.contains("\nloaded at 0x"), "{kept}");
    assert!(kept.contains("crash::breaks_an_invariant"), "{kept}");
    // What names no function has an address in the program still: as in a build whose symbols are kept apart.
    assert!(kept.lines().any(|line| line.contains("0x") && line.contains(" - ")), "{kept}");
    assert!(resolved(kept).iter().any(|name| name.contains("breaks_an_invariant")), "{kept}");
}

/// The functions that `cross/where.sh` finds for a crash in this test.
#[cfg(feature = "backtrace")]
fn resolved(crash: &str) -> Vec<String> {
    let file = std::env::temp_dir().join(format!("siproxd-where-{}", std::process::id()));
    // Without names, as they are in a program that was stripped.
    let bare: Vec<&str> = crash.lines().map(|line| line.split(" - ").next().unwrap()).collect();
    std::fs::write(&file, bare.join("\n")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cross/where.sh");
    let output = Command::new(script).arg(std::env::current_exe().unwrap()).arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
