//! What SIGUSR1 asks for: how full the tables are, and each call as it is now, in the log.

use super::{EventLoop, PROCESS};
use crate::engine::Engine;
use crate::log_class::log;

/// Calls that are written in one turn: media comes first, and a log may be slow.
const CALLS: usize = 8;

impl EventLoop {
    /// Writes how full the tables are; the calls follow in the next turns.
    pub(super) fn begin_status(&mut self, engine: &Engine) {
        let usage = engine.usage();
        log::info!(
            target: PROCESS,
            "status: {} calls, {} media sections on {} RTP ports, {} bindings, {} transactions, {} TCP connections",
            usage.calls, usage.relays, engine.ports_in_use(), usage.bindings, usage.transactions, usage.connections,
        );
        let losses = self.out.relay.losses();
        log::info!(
            target: PROCESS,
            "status: media packets dropped since the start: {} not (yet) of a stream, {} that the system did not send, {} too long",
            losses.unproven, losses.unsent, losses.oversized,
        );
        if let Some((held, places, early)) = self.out.relay.held() {
            log::info!(
                target: PROCESS,
                "status: {held} media packets are held back, there are places for {places}; {early} went on early since the start",
            );
        }
        self.status_from = Some(0);
    }

    /// Writes some more calls.
    pub(super) fn go_on_with_status(&mut self, engine: &Engine) {
        for _ in 0..CALLS {
            let Some(from) = self.status_from else { return };
            let now = self.out.now;
            self.status_from = engine.call_stats(from, &mut self.out).map(|(call, next)| {
                call.log(now);
                next
            });
        }
    }
}
