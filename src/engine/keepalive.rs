//! Provider flows: which servers on the WAN serve our phones, and what keeps the way from them to us open.
//!
//! An empty line goes to each server every `sip_keepalive` seconds (RFC 5626 §3.5.1), from the socket that also sends the
//! requests: it keeps the NAT and firewall state of the router itself and of any before it, so that a call comes in after
//! hours of silence with no rule for the SIP port.

use super::connection::Connections;
use super::io::{Channel, Sink};
use crate::host::Host;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Servers of live bindings. 64 bytes each.
const MAX_FLOWS: usize = 64;

/// A ping of RFC 5626 §4.4.1.
const PING: &[u8] = b"\r\n\r\n";

#[derive(Debug)]
struct Flow {
    server: SocketAddr,
    /// Bindings that this server keeps. The flow ends with the last one.
    bindings: u16,
}

/// The flows. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Flows {
    list: heapless::Vec<Flow, MAX_FLOWS>,
    next_ping: Instant,
}

impl Flows {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new(), next_ping: Instant::ZERO }
    }

    /// Pings once more before the interval counts, which has changed.
    pub(super) const fn ping_soon(&mut self) {
        self.next_ping = Instant::ZERO;
    }

    /// A binding is now kept by `server`; `false` where there is no room to keep its flow.
    pub(super) fn add(&mut self, server: SocketAddr) -> bool {
        if let Some(flow) = self.list.iter_mut().find(|f| f.server == server) {
            flow.bindings = flow.bindings.saturating_add(1);
            return true;
        }
        self.list.push(Flow { server, bindings: 1 }).is_ok()
    }

    /// A binding is no longer kept by `server`.
    pub(super) fn remove(&mut self, server: SocketAddr) {
        if let Some(at) = self.list.iter().position(|f| f.server == server)
            && let Some(flow) = self.list.get_mut(at)
        {
            flow.bindings = flow.bindings.saturating_sub(1);
            if flow.bindings == 0 {
                self.list.swap_remove(at);
            }
        }
    }

    /// Whether `ip` is a server of a live binding.
    pub(super) fn is_known(&self, ip: IpAddr) -> bool {
        self.list.iter().any(|f| f.server.host() == ip)
    }

    /// When the next ping is due; `None` without flows or with `sip_keepalive = 0`.
    pub(super) fn next_timeout(&self, interval: u32) -> Option<Instant> {
        (interval > 0 && !self.list.is_empty()).then_some(self.next_ping)
    }

    /// Sends the pings that are due, over the connection with the server where there is one.
    pub(super) fn timeout(&mut self, interval: u32, connections: &Connections, now: Instant, out: &mut dyn Sink) {
        if interval == 0 || now < self.next_ping {
            return;
        }
        self.next_ping = now.after_secs(interval);
        for flow in &self.list {
            let via = connections.find_open(flow.server).unwrap_or(Channel::WAN);
            if let Err(error) = out.send(via, flow.server, &[PING]) {
                log::debug!(target: crate::log_class::NET, "keepalive to {} not sent: {error:?}", flow.server);
            }
        }
    }
}

/// Whether a datagram is only there to keep a NAT open: empty, blank lines, or zero bytes.
pub(super) fn is_keepalive(bytes: &[u8]) -> bool {
    bytes.len() <= 64 && bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0 | b' '))
}

/// The answer to a phone's keepalive: a pong to a ping (RFC 5626 §4.4.1), else none.
pub(super) fn pong(bytes: &[u8]) -> Option<&'static [u8]> {
    (bytes == PING).then_some(b"\r\n")
}
