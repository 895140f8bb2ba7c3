//! What is told of bindings while the daemon runs.

use super::Binding;
use crate::engine::Engine;
use crate::sip::via::Transport;
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

/// One binding as it is now.
#[derive(Clone, Copy, Debug)]
pub struct BindingStats<'a> {
    /// Its address-of-record, `user@host`.
    pub aor: &'a [u8],
    /// The phone's Contact URI as it wrote it.
    pub contact: &'a [u8],
    /// Where the phone takes requests.
    pub phone: SocketAddr,
    /// And how.
    pub phone_by: Transport,
    /// The server that keeps it; `None` where that is ourselves, and before it has answered.
    pub registrar: Option<SocketAddr>,
    /// How that server is reached.
    pub registrar_by: Transport,
    /// How it stands.
    pub state: BindingState,
    /// When it ends, unless it is refreshed; while it is pending, when the registrar's answer is no longer waited for.
    pub expires: Instant,
    /// When it was made or refreshed last.
    pub refreshed: Instant,
}

/// How a binding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingState {
    /// Its registrar has not answered yet.
    Pending,
    /// Calls come by it.
    Valid,
    /// Its registrar still has it, but the phone has not been heard of for too long (`lan_expires`).
    Silent,
}

impl Binding {
    fn stats(&self, now: Instant) -> BindingStats<'_> {
        BindingStats {
            aor: &self.aor,
            contact: &self.contact,
            phone: self.place.address,
            phone_by: self.place.transport,
            registrar: self.registrar,
            registrar_by: self.registrar_by,
            state: match (self.valid, self.is_live(now)) {
                (false, _) => BindingState::Pending,
                (true, true) => BindingState::Valid,
                (true, false) => BindingState::Silent,
            },
            expires: self.expires_at,
            refreshed: self.refreshed,
        }
    }
}

impl Engine {
    /// The first binding that stands in place `from` of its table or behind it, and the place behind that one; `None` where there is no
    /// more.
    #[must_use]
    pub fn binding_stats(&self, from: usize, now: Instant) -> Option<(BindingStats<'_>, usize)> {
        let (handle, binding): (Handle, _) = self.bindings.first_from(from)?;
        Some((binding.stats(now), handle.index().saturating_add(1)))
    }
}
