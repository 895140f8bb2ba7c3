//! The built program in a directory of its own.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    reason = "each test uses a part of it, and may fail by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory that is the program's home, removed at the end.
pub struct Home(pub PathBuf);

impl Home {
    /// One for a test of this name.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("siproxd-home-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    /// Writes a file in it.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// The program, to be started there.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siproxd"));
        command.args(words).current_dir(&self.0).env("HOME", &self.0);
        command
    }

    /// Runs the program to its end: exit code, stdout, stderr.
    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
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
