//! The committed corpus of every fuzz target, played again (`fuzz/targets`), so that what was found once stays found.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::path::Path;

fn replay(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    for file in files {
        println!("{}", file.display());
        target(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn accounts() {
    replay("accounts");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn control() {
    replay("control");
}

#[test]
fn digest() {
    replay("digest");
}

#[test]
fn dns() {
    replay("dns");
}

#[test]
fn engine() {
    replay("engine");
}

#[test]
fn framing() {
    replay("framing");
}

#[test]
fn message() {
    replay("message");
}

#[test]
fn roundtrip() {
    replay("roundtrip");
}

#[test]
fn rtp() {
    replay("rtp");
}

#[test]
fn sdp() {
    replay("sdp");
}

#[test]
fn state() {
    replay("state");
}

#[test]
fn token() {
    replay("token");
}

#[test]
fn every_folder_is_a_target() {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")).unwrap();
    let mut names: Vec<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, targets::TARGETS.map(|(name, _)| name));
}
