//! The listeners of TCP, and what they accept.

use super::{Bound, Tcp};
use crate::engine::io::{ConnEvent, ConnId, Side};
use crate::host::Host;
use crate::limits::MAX_CONNECTIONS;
use crate::log_class::{NET, log};
use crate::net::dscp;
use crate::net::ifaddr::{Interface, way_to};
use crate::net::listener::BindError;
use crate::time::Instant;
use core::net::SocketAddr;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;

/// Connections accepted from one listener in one turn of the event loop.
pub const ACCEPT_BUDGET: usize = 16;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 32;

impl Tcp {
    /// Takes connections that phones open to others, where the router hands them to our LAN listener (TPROXY). Before the first
    /// [`Self::set_interfaces`], and only with CAP_NET_ADMIN.
    pub const fn be_transparent(&mut self) {
        self.is_transparent = true;
    }

    /// Sets what the interfaces have now: listeners and connections of addresses that are gone are closed, listeners of new
    /// ones bound.
    ///
    /// # Errors
    /// The last listener that could not be bound; the side is then without one until the next call.
    pub fn set_interfaces(&mut self, lan: &Interface, wan: &Interface) -> Result<(), BindError> {
        self.interfaces = [lan.clone(), wan.clone()];
        let own = [lan.address(), wan.address()];
        let shared = own[0].is_some() && own[0] == own[1];
        let wanted = [own[0], if shared { None } else { own[1] }];
        for (listener, wanted) in self.listeners.iter_mut().zip(wanted) {
            if listener.as_ref().is_some_and(|bound| Some(bound.address) != wanted) {
                *listener = None;
            }
        }
        while let Some(gone) = self.connections.find(|c| !own.contains(&Some(c.local))) {
            self.close(gone, "our address is gone");
        }
        let mut result = Ok(());
        for (side, wanted) in wanted.into_iter().enumerate() {
            let Some(address) = wanted.filter(|_| self.listeners[side].is_none()) else { continue };
            let at = SocketAddr::new(address, self.port);
            match self.listen(at, self.tokens[side], side == Side::Lan as usize && self.is_transparent) {
                Ok(socket) => {
                    log::info!(target: NET, "listening for SIP on {at} (TCP)");
                    self.listeners[side] = Some(Bound { socket, address });
                }
                Err(reason) => result = Err(BindError { address: at, protocol: "TCP", reason }),
            }
        }
        result
    }

    /// Whether a side has an address but no listener, because binding failed.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let [lan, wan] = [self.interfaces[0].address(), self.interfaces[1].address()];
        (lan.is_some() && self.listeners[0].is_none()) || (wan.is_some() && wan != lan && self.listeners[1].is_none())
    }

    /// Looks again for connections to accept, after the system had no room for them.
    pub fn recheck(&mut self) {
        self.accepting = [self.listeners[0].is_some(), self.listeners[1].is_some()];
    }

    /// Accepts a connection to our address on `side`. When the engine was told, [`Self::make_room`] is due.
    pub fn accept(&mut self, side: Side, now: Instant) -> Option<(ConnId, ConnEvent)> {
        for _ in 0..ACCEPT_BUDGET {
            if !self.accepting[side as usize] {
                return None;
            }
            let Some(bound) = &self.listeners[side as usize] else {
                self.accepting[side as usize] = false;
                return None;
            };
            let local = bound.address;
            match bound.socket.accept() {
                Ok((socket, from)) => {
                    // It has the address that its peer connected to.
                    let to = socket.local_addr().ok().and_then(|to| to.as_socket()).filter(|_| self.is_transparent);
                    let meant_for = to.filter(|to| to.host() != local || to.port() != self.port);
                    if let Some(from) = from.as_socket()
                        && let Some(conn) = self.enter(socket, local, from, true, now)
                    {
                        let interface = way_to(&self.interfaces, from);
                        log::debug!(target: NET, "connection from {from} by the {} interface", interface.name());
                        return Some((conn, ConnEvent::Accepted { local: side, interface, from, meant_for }));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accepting[side as usize] = false;
                    return None;
                }
                // One that its peer has given up; the next may be well.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(error) => {
                    log::warn!(target: NET, "cannot accept connections: {error}");
                    self.accepting[side as usize] = false;
                    return None;
                }
            }
        }
        None
    }

    /// Closes the connection that was idle longest if there are more than [`MAX_CONNECTIONS`].
    pub fn make_room(&mut self) {
        if self.connections.len() > MAX_CONNECTIONS {
            self.evict(|_| true);
        }
    }

    fn listen(&self, address: SocketAddr, token: Token, transparent: bool) -> io::Result<Socket> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        // After a restart connections of the last run may still be closing.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if transparent {
            setsockopt(&socket, sockopt::IpTransparent, &true)?;
        }
        socket.bind(&address.into())?;
        // What it accepts has the mark from it.
        dscp::mark(&socket, address.is_ipv6(), self.dscp);
        socket.listen(BACKLOG)?;
        self.registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(socket)
    }
}
