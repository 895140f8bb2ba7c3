//! The proxy: decides what becomes of each message.
//!
//! Deterministic: no sockets, no clock, no operating system, no allocation. See [`io`] for the contract.

pub mod io;
pub mod settings;

pub use io::{Channel, Input, Side, Sink};
pub use settings::Settings;

use crate::sip::token::Key;
use crate::time::Instant;
use core::fmt;

/// Why a saved binding was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The line is not one that [`Engine::save_bindings`] wrote.
    Syntax,
    /// It has expired meanwhile.
    Expired,
    /// The table is full.
    Full,
}

/// The proxy engine. Its constructor is `const` and its defined bytes are all zero: it belongs in a static.
#[derive(Debug)]
pub struct Engine {
    _todo: (),
}

impl Engine {
    /// An engine that knows nothing yet; see [`Engine::configure`].
    #[must_use]
    pub const fn new() -> Self {
        Self { _todo: () }
    }
    /// Sets the key of tokens and branches, and the seed of random choices. Call once, before any input.
    pub fn seed(&mut self, _key: Key, _seed: u64) {}
    /// Sets the configuration.
    pub fn configure(&mut self, _settings: &Settings) {}
    /// Takes one input and acts on it through `out`. Work is bounded by the size of the input and of the tables.
    pub fn handle(&mut self, _input: Input<'_>, _now: Instant, _out: &mut dyn Sink) {}
    /// When [`Input::Timeout`] is wanted next; `None` while nothing is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }
    /// Writes all valid bindings, one line each. `unix_now` is the wall clock in seconds, for the expiry times.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save_bindings(&self, _now: Instant, _unix_now: u64, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
    /// Takes back one line that [`Self::save_bindings`] wrote.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore_binding(&mut self, _line: &str, _now: Instant, _unix_now: u64) -> Result<(), RestoreError> {
        Ok(())
    }
    /// A number that changes whenever the set of bindings does: what was saved under the same number needs no saving.
    #[must_use]
    pub fn bindings_version(&self) -> u32 {
        0
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}
