//! What outlives a restart, as lines of text: bindings (`binding/saved.rs`) and calls (`saved_call.rs`).

use super::io::{Side, Sink};
use super::{Engine, saved_call};
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::time::Instant;
use core::fmt;

/// What a saved line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// A binding.
    Binding,
    /// A call.
    Call,
}

/// Why a saved line was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The line is not one that [`Engine::save`] wrote.
    Syntax,
    /// It has expired meanwhile.
    Expired,
    /// The table is full.
    Full,
    /// It is there already.
    Double,
    /// It names an address, or a port, that cannot be where it says.
    Foreign,
}

impl Engine {
    /// Writes what is to outlive a restart, one line each: the valid bindings, and the calls. `unix_now` is the wall clock in seconds, for
    /// the expiry times.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save(&self, now: Instant, unix_now: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        self.bindings.save(now, unix_now, out)?;
        self.calls.save(unix_now, out)
    }

    /// Takes back one line that [`Self::save`] wrote, and opens through `out` what a call had open.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(
        &mut self,
        line: &str,
        now: Instant,
        unix_now: u64,
        out: &mut dyn Sink,
    ) -> Result<Restored, RestoreError> {
        if line.starts_with(saved_call::MARK) {
            return self.restore_call(line, now, unix_now, out).map(|()| Restored::Call);
        }
        if self.bindings.len() >= self.settings.get().map_or(0, |s| s.max_bindings) {
            return Err(RestoreError::Full);
        }
        let handle = self.bindings.restore(line, now, unix_now)?;
        let place = self.bindings.get(handle).map(|b| b.place.address.host());
        // Without an address on the LAN nothing can be told yet; see `forward`.
        if self.addresses.of(Side::Lan).is_some() && !place.is_some_and(|ip| self.is_place_of_phone(ip)) {
            self.bindings.remove(handle);
            return Err(RestoreError::Foreign);
        }
        if let Some(aor) = self.bindings.get(handle).filter(|b| b.is_imported).map(|b| b.aor.clone()) {
            self.ask_for_registrar(&aor, now, out);
        }
        if let Some(server) = self.bindings.get(handle).and_then(|b| b.registrar)
            && !self.flows.add(server)
        {
            log::warn!(target: class::REG, "no room to keep the way from {server} open: too many servers");
        }
        Ok(Restored::Binding)
    }

    /// A number that changes with what [`Self::save`] writes: what was saved under the same number needs no saving.
    #[must_use]
    pub fn saved_version(&self) -> u32 {
        self.bindings.version().wrapping_add(self.calls.version)
    }

    /// A number that changes with which phones are registered and where: what a phone would have to do over again.
    #[must_use]
    pub fn phones_version(&self) -> u32 {
        self.bindings.phones()
    }
}
