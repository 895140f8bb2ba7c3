//! The event loop's part for DNS: the answers of nameservers, and which ones there are.

use super::EventLoop;
use super::list::List;
use crate::engine::Engine;
use crate::engine::io::Input;
use crate::log_class::DNS;
use std::io;

/// DNS answers taken from one socket in one turn.
const DNS_BUDGET: usize = 32;

impl EventLoop {
    /// Takes a budget of answers from the socket of a family.
    pub(super) fn dns(&mut self, engine: &mut Engine, family: usize) {
        let Self { out, buffer, .. } = self;
        let now = out.now;
        for _ in 0..DNS_BUDGET {
            let Some(socket) = &out.resolver[family] else { return };
            match socket.recv_from(&mut buffer[..]) {
                Ok((length, from)) => {
                    let bytes = buffer.get(..length).unwrap_or(&[]);
                    engine.handle(Input::Dns { from, bytes }, now, out);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// Tells the engine of other nameservers than before.
    pub(super) fn tell_nameservers(&mut self, engine: &mut Engine) {
        if let Some(servers) = self.resolv_conf.changed() {
            log::debug!(target: DNS, "nameservers: {}", List(&servers));
            self.tell(engine, Input::Nameservers(&servers));
        }
    }
}
