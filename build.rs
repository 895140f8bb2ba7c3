//! Facts of the build for `--version`: the target, the profile, and the commit where it is known without git.

#![allow(clippy::unwrap_used, reason = "a build may fail by panicking")]

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SIPROXD_COMMIT");
    println!("cargo::rustc-env=SIPROXD_TARGET={}", env::var("TARGET").unwrap());
    println!("cargo::rustc-env=SIPROXD_PROFILE={}", env::var("PROFILE").unwrap());
    // Who packs a source archive says which commit it is of.
    let commit = env::var("SIPROXD_COMMIT").ok().or_else(checked_out).unwrap_or_default();
    println!("cargo::rustc-env=SIPROXD_COMMIT={}", commit.trim().get(..12).unwrap_or(commit.trim()));
}

/// The commit that is checked out, as the files of the repository have it; in a worktree these are elsewhere.
fn checked_out() -> Option<String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let git = root.join(".git");
    let dir = match fs::read_to_string(&git) {
        Ok(text) => root.join(text.trim().strip_prefix("gitdir: ")?),
        Err(_) => git,
    };
    let head = read(&dir.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return Some(head) };
    let common = fs::read_to_string(dir.join("commondir")).map_or_else(|_| dir.clone(), |text| dir.join(text.trim()));
    read(&common.join(name)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').map(str::to_owned))
    })
}

fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    Some(text.trim().to_owned())
}
