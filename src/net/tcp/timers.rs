//! What time does to connections: too slow to open, idle, or due for a keepalive.

use super::{KEEPALIVE, Tcp, Timeouts};
use crate::engine::io::ConnId;
use crate::time::{Duration, Instant};

impl Tcp {
    /// When [`Self::timeout`] or [`Self::next_idle`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let Timeouts { idle, connect, keepalive } = self.timeouts;
        let after = |at: Instant, time: Duration| (!time.is_zero()).then(|| at.after(time));
        let due = self.connections.iter().filter_map(|(_, c)| {
            if c.is_open {
                [after(c.used, idle), after(c.sent, keepalive)].into_iter().flatten().min()
            } else {
                after(c.used, connect)
            }
        });
        due.min()
    }

    /// Gives up what takes too long to open, and sends the keepalives that are due.
    pub fn timeout(&mut self, now: Instant) {
        let Timeouts { connect, keepalive, .. } = self.timeouts;
        if !connect.is_zero() {
            while let Some(late) = self.connections.find(|c| !c.is_open && c.used.after(connect) <= now) {
                self.fail(late, "it took too long (tcp_connect_timeout)");
            }
        }
        if keepalive.is_zero() {
            return;
        }
        while let Some(due) = self.connections.find(|c| c.is_open && c.sent.after(keepalive) <= now) {
            let waiting = self.waiting();
            let Some(c) = self.connections.get_mut(due) else { return };
            c.sent = now;
            // Behind what waits already it would keep nothing alive.
            if c.queue.is_empty()
                && let Err(why) = c.send(&[KEEPALIVE], waiting)
            {
                self.close(due, why);
            }
        }
    }

    /// A connection that is idle for `tcp_timeout`.
    #[must_use]
    pub fn next_idle(&self, now: Instant) -> Option<ConnId> {
        let idle = self.timeouts.idle;
        self.connections.find(|c| !idle.is_zero() && c.is_open && c.used.after(idle) <= now)
    }

    /// Closes an idle connection, or keeps it for as long again.
    pub fn settle_idle(&mut self, conn: ConnId, keep: bool, now: Instant) {
        if !keep {
            self.close(conn, "it is idle (tcp_timeout)");
        } else if let Some(c) = self.connections.get_mut(conn) {
            c.used = now;
        }
    }
}
