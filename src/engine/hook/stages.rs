//! The stages in which a hook changes no message: those before it is known for one, before it is handled, and after it was passed on; and
//! its timers.

use super::{Did, HOOKS, Hook};
use crate::engine::Engine;
use crate::engine::call::Call;
use crate::engine::cause::Cause;
use crate::engine::io::{Side, Sink};
use crate::engine::message::Received;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;
use core::net::SocketAddr;

/// A datagram that may be anything.
pub(super) struct Raw<'a> {
    /// The network that it came in by.
    pub(super) interface: Side,
    pub(super) from: SocketAddr,
    pub(super) bytes: &'a [u8],
}

/// Whether a message may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// The hook was not meant.
    Unasked,
    /// It was, and the message may pass.
    Valid,
    /// It may not; a request is answered so.
    Refused(Cause),
}

/// A request that has its final response, the first of its transaction, which has been passed on.
pub(super) struct Answered {
    pub(super) transaction: Handle,
    pub(super) status: u16,
}

impl Engine {
    /// The hook that is on in this place of their order, with its number.
    pub(super) fn hook_at(&self, place: usize) -> Option<(usize, &'static dyn Hook)> {
        let number = usize::from(*self.hooks.settings.loaded.get(place)?);
        Some((number, HOOKS.get(number)?.1))
    }

    pub(super) fn count_hook_at(&mut self, number: usize, more: [u32; 3]) {
        if let Some(counts) = self.hooks.counts.get_mut(number) {
            counts.add(more);
        }
    }

    /// Whether a datagram is one that a hook has been waiting for, and has taken.
    pub(in crate::engine) fn is_of_hook(
        &mut self,
        interface: Side,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> bool {
        let raw = Raw { interface, from, bytes };
        (0..self.hooks.settings.loaded.len())
            .any(|place| self.hook_at(place).is_some_and(|(_, hook)| hook.raw(self, &raw, now)))
    }

    /// Whether a hook has a message stopped, and why.
    pub(super) fn is_invalid(&mut self, received: &Received<'_>, now: Instant) -> Option<Cause> {
        for place in 0..self.hooks.settings.loaded.len() {
            let Some((number, hook)) = self.hook_at(place) else { continue };
            match hook.validate(self, received, now) {
                Validity::Unasked => {}
                Validity::Valid => self.count_hook_at(number, [1, 0, 0]),
                Validity::Refused(cause) => {
                    self.count_hook_at(number, [1, 0, 1]);
                    return Some(cause);
                }
            }
        }
        None
    }

    /// Tells the hooks of a final response that has been passed on.
    pub(in crate::engine) fn after_hooks(&mut self, transaction: Handle, status: u16, now: Instant) {
        let answered = Answered { transaction, status };
        for place in 0..self.hooks.settings.loaded.len() {
            let Some((number, hook)) = self.hook_at(place) else { continue };
            if hook.after(self, &answered, now) != Did::Nothing {
                self.count_hook_at(number, [1, 0, 0]);
            }
        }
    }

    /// Tells the hooks of a call that is over, and why.
    pub(in crate::engine) fn end_hooks(&mut self, call: &Call, why: fmt::Arguments<'_>, now: Instant) {
        for place in 0..self.hooks.settings.loaded.len() {
            let Some((number, hook)) = self.hook_at(place) else { continue };
            if hook.ended(call, why, now) != Did::Nothing {
                self.count_hook_at(number, [1, 0, 0]);
            }
        }
    }

    /// When a hook wants to be called.
    pub(in crate::engine) fn next_hook_timeout(&self) -> Option<Instant> {
        (0..self.hooks.settings.loaded.len()).filter_map(|place| self.hook_at(place)?.1.next_timeout(self)).min()
    }

    /// Calls the hooks whose time has come.
    pub(in crate::engine) fn hook_timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        for place in 0..self.hooks.settings.loaded.len() {
            let Some((_, hook)) = self.hook_at(place) else { continue };
            if hook.next_timeout(self).is_some_and(|due| due <= now) {
                hook.timer(self, now, out);
            }
        }
    }
}
