//! Ending a call because somebody on the router wants it to end.

use super::Engine;
use super::hang_up::Why;
use super::io::Sink;
use super::transaction::{State, Transactions};
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::table::Handle;
use crate::time::Instant;

/// What was said to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Parties that got a BYE; less than two where too little is known of a dialog.
    pub byes: u8,
    /// INVITEs that were cancelled, where it was not answered yet; the call ends with their answers.
    pub cancelled: u8,
}

impl Transactions {
    /// An INVITE of a call that rings.
    fn next_that_rings(&self, call: Handle) -> Option<Handle> {
        self.slab.find(|t| {
            t.call == Some(call)
                && t.method == Method::Invite
                && t.state == State::Proceeding
                && !t.cancelled
                && !t.part.is_sender()
        })
    }
}

impl Engine {
    /// Ends a call: a BYE to both parties, and its relays are closed at once; or a CANCEL where it still rings. `None` where there is no such
    /// call.
    pub fn drop_call(&mut self, handle: Handle, now: Instant, out: &mut dyn Sink) -> Option<Dropped> {
        let call = self.calls.calls.get(handle)?;
        let [from, to] = call.names.each_ref().map(|name| name.escape_ascii());
        log::info!(target: class::SIP, "call from {from} to {to} is ended from the control socket");
        if call.answered {
            return Some(Dropped { byes: self.hang_up(handle, Why::Dropped, now, out), cancelled: 0 });
        }
        let mut cancelled = 0u8;
        while let Some(invite) = self.transactions.next_that_rings(handle) {
            self.transactions.cancelled(invite, now);
            // Too little of it was kept: then it rings on, without media.
            cancelled = cancelled.saturating_add(self.send_cancel(invite, now, out).is_some().into());
        }
        if cancelled == 0 {
            self.end_call(handle, format_args!("{}", Why::Dropped.words()), now, out);
        }
        Some(Dropped { byes: 0, cancelled })
    }
}
