//! What is fuzzed: a function of bytes for each target, which panics where it finds something.
//!
//! `cargo fuzz` calls them from `fuzz/fuzz_targets`, `cargo test` with the committed corpus from `tests/corpus.rs`. A new
//! target is a function here, a line in [`TARGETS`], a program in `fuzz/fuzz_targets` with its entry in `fuzz/Cargo.toml`,
//! and a folder of seeds in `fuzz/corpus`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each program uses one target, and may panic")]

mod accounts;
mod config;
mod control;
mod digest;
mod dns;
mod engine;
mod framing;
mod message;
mod roundtrip;
mod rtp;
mod sdp;
mod state;
mod token;

#[path = "../../tests/rig/mod.rs"]
pub mod rig;

pub use accounts::accounts;
pub use config::config;
pub use control::control;
pub use digest::digest;
pub use dns::dns;
pub use engine::engine;
pub use framing::framing;
pub use message::message;
pub use roundtrip::roundtrip;
pub use rtp::rtp;
pub use sdp::sdp;
pub use state::state;
pub use token::token;

/// A target: what it does with some bytes.
pub type Target = fn(&[u8]);

/// All targets, by the name of their folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 13] = [
    ("accounts", accounts),
    ("config", config),
    ("control", control),
    ("digest", digest),
    ("dns", dns),
    ("engine", engine),
    ("framing", framing),
    ("message", message),
    ("roundtrip", roundtrip),
    ("rtp", rtp),
    ("sdp", sdp),
    ("state", state),
    ("token", token),
];

/// Formats every log line and keeps none, so that what is logged is fuzzed too.
struct Formatter;

impl log::Log for Formatter {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        struct Nowhere;
        impl core::fmt::Write for Nowhere {
            fn write_str(&mut self, _: &str) -> core::fmt::Result {
                Ok(())
            }
        }
        let _ = core::fmt::write(&mut Nowhere, *record.args());
    }

    fn flush(&self) {}
}

/// Keeps the log out of the terminal.
pub fn quiet() {
    if log::set_logger(&Formatter).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}
