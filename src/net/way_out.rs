//! The engine's way out: the sockets that its outputs leave by.

use super::listener::Listener;
use super::relay::Relay;
use super::tcp::Tcp;
use crate::engine::io::{Channel, ConnId, LegCounters, RelayCmd, RelayError, SendError, Side, Sink};
use crate::log_class::DNS;
use crate::time::Instant;
use core::net::SocketAddr;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// All of them, and the time of this turn.
#[derive(Debug)]
pub(super) struct WayOut {
    pub(super) listener: Listener,
    pub(super) tcp: Tcp,
    pub(super) relay: Relay,
    /// One socket for each address family; both ask from a port that the system chose at random.
    pub(super) resolver: [Option<UdpSocket>; 2],
    pub(super) now: Instant,
}

impl Sink for WayOut {
    fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        match via.conn {
            Some(conn) => self.tcp.send(conn, parts, self.now),
            None => self.listener.send(via, to, parts),
        }
    }

    fn connect(&mut self, side: Side, to: SocketAddr) -> Result<ConnId, SendError> {
        self.tcp.connect(side, to, self.now)
    }

    fn disconnect(&mut self, conn: ConnId) {
        self.tcp.disconnect(conn);
    }

    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        self.relay.apply(cmd, self.now)
    }

    fn query(&mut self, server: SocketAddr, bytes: &[u8]) {
        // The resolver asks again where no answer comes.
        if let Some(socket) = &self.resolver[usize::from(server.is_ipv6())]
            && let Err(error) = socket.send_to(bytes, server)
        {
            log::debug!(target: DNS, "cannot ask nameserver {server}: {error}");
        }
    }
}

/// A socket for DNS; `None` where the system has no such address family.
pub(super) fn resolver_socket(registry: &Registry, token: Token, address: SocketAddr) -> Option<UdpSocket> {
    let open = || {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        io::Result::Ok(socket)
    };
    open().inspect_err(|error| log::debug!(target: DNS, "no DNS over {address}: {error}")).ok()
}
