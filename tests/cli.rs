//! The built program from outside: its command line, its complaints, its exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOOD: &str = "if_inbound = lo\nif_outbound = wan0\n";

/// A directory that is the program's home, removed at the end.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("siproxd-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siproxd"));
        command.args(words).current_dir(&self.0).env("HOME", &self.0);
        command
    }

    /// Runs the program to its end: exit code, stdout, stderr.
    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(words).output().expect("the program");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn help_and_version_end_with_0() {
    let home = Home::new("help");
    for word in ["-h", "--help"] {
        let (code, out, _) = home.run(&[word]);
        assert_eq!(code, 0);
        for option in ["--config", "--debug", "--pid-file", "--check", "--version"] {
            assert!(out.contains(option), "{out}");
        }
    }
    let version = concat!("siproxd ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
    assert_eq!(home.run(&["--version"]), (0, version, String::new()));
}

#[test]
fn a_wrong_command_line_ends_with_1() {
    let home = Home::new("usage");
    let said = |words: &[&str]| {
        let (code, out, err) = home.run(words);
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}");
        err
    };
    assert_eq!(said(&["--confg=x"]), "siproxd: unknown option --confg=x; did you mean --config?\n");
    assert_eq!(said(&["-x"]), "siproxd: unknown option -x; siproxd --help lists them\n");
    assert_eq!(said(&["-c"]), "siproxd: option -c needs a value\n");
    assert!(said(&["-d", "much"]).contains("not a number"));
}

#[test]
fn the_file_is_found_by_each_spelling() {
    let home = Home::new("spelling");
    let path = home.file("a.conf", GOOD);
    let path = shown(&path);
    for words in [
        vec!["-c", path],
        vec![&format!("-c{path}")],
        vec!["--config", path],
        vec![&format!("--config={path}")],
        vec!["-c", "a.conf"],
    ] {
        let words = [&words[..], &["--check", "-d", "-1", "-d-1", "--debug=-1", "--debug", "0xff", "-p", "x"]].concat();
        let (code, out, err) = home.run(&words);
        assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
        assert!(out.contains(": OK\n"), "{out}");
    }
}

#[test]
fn without_c_the_home_is_looked_at_first() {
    let home = Home::new("home");
    home.file(".siproxdrc", GOOD);
    let (code, out, _) = home.run(&["--check"]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("{}/.siproxdrc: OK\n", home.0.display())), "{out}");
}

#[test]
fn check_tells_what_the_configuration_comes_to() {
    let home = Home::new("check");
    home.file("a.conf", GOOD);
    let (code, out, _) = home.run(&["--check", "-ca.conf"]);
    assert_eq!(code, 0);
    assert!(out.contains("media on UDP ports 7070 to 7089: room for 10 calls"), "{out}");
    assert!(out.contains(" kB of tables"), "{out}");

    home.file("b.conf", &format!("{GOOD}load_plugin = plugin_stun.la\nrtp_dscp = 46\n"));
    let (code, out, err) = home.run(&["--check", "-cb.conf"]);
    assert_eq!(code, 2);
    assert!(out.contains("OK"));
    assert_eq!(err, "b.conf: warning: without effect in this version: rtp_dscp, load_plugin\n");
}

#[test]
fn a_bad_file_is_told_by_line_and_ends_with_1() {
    let home = Home::new("bad");
    home.file("bad.conf", "if_inbound = lo\n\nif_outbund = wan0\nrtp_timeout = soon # yes\nsip_listen_port 5060\n");
    let expected = "bad.conf:3: unknown directive `if_outbund`; did you mean `if_outbound`?\n\
        bad.conf:4: rtp_timeout = soon: not a number; Seconds without media after which a stream is closed. Default: 300.\n\
        bad.conf:5: `sip_listen_port 5060` has no `=`; a line is `name = value`; did you mean `sip_listen_port = 5060`?\n\
        bad.conf: `if_outbound` is missing; Interface on the side of the Internet; it may come and go and change its address.\n";
    for words in [&["-c", "bad.conf"][..], &["-c", "bad.conf", "--check"]] {
        assert_eq!(home.run(words), (1, String::new(), expected.to_owned()));
    }
}

#[test]
fn a_missing_file_ends_with_1() {
    let home = Home::new("missing");
    let (code, _, err) = home.run(&["-c", "none.conf"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("none.conf: cannot be read: No such file or directory"), "{err}");
    let (code, _, err) = home.run(&["-c", "."]);
    assert_eq!(code, 1);
    assert!(err.contains("Is a directory"), "{err}");
}
