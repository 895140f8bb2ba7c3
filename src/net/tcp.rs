//! SIP over TCP: one listener on our LAN address, one on our WAN address, and a fixed table of connections.
//!
//! ```text
//!   connect ──▶ connecting ──▶ open ──▶ closed: by the peer, by an error, idle, to make room, or with a full queue
//!   accept ────────────────────▲
//! ```
//! Nothing waits. What a peer does not take at once is queued up to a ceiling, and what is not yet a whole message is held; both
//! are freed as soon as they are empty, so that a quiet connection costs a socket and a place in the table. What happens to
//! connections while the engine acts is told to it afterwards, by [`Tcp::next_event`].

mod connection;
mod listening;
mod reading;
mod timers;

pub use listening::ACCEPT_BUDGET;

use super::dscp;
use super::ifaddr::Interface;
use super::text::{Text, size};
use crate::engine::io::{ConnEvent, ConnId, SendError, Side};
use crate::host::Host;
use crate::limits::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, MAX_PARTS};
use crate::log_class::{NET, TRAFFIC, log};
use crate::sip::framing::Framer;
use crate::table::{Handle, Slab};
use crate::time::{Duration, Instant};
use connection::Connection;
use core::net::{IpAddr, SocketAddr};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::os::fd::AsRawFd;

/// Reads in one turn of the event loop from all connections together, each of at most 4 KiB: about as many messages as
/// are taken from a UDP socket.
pub const READ_BUDGET: usize = 32;
const CHUNK: usize = 4 * 1024;

/// Places in the table: one more than are kept, for a connection that the engine may not want.
const PLACES: usize = MAX_CONNECTIONS + 1;

/// Set in the tokens of connections and in no other token of the event loop but those of the relay, which have a higher bit.
pub const TOKEN_FLAG: usize = 1 << 29;
const INDEX_BITS: u32 = 8;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
const _: () = assert!(PLACES <= 1 << INDEX_BITS, "the slot's number has 8 bits in a token");

/// How long a peer may leave what we sent without an acknowledgment: 64 × T1, when the transaction is over (RFC 3261 §17.1.1.2).
const USER_TIMEOUT: Duration = Duration::from_secs(32);

/// After this time without a packet the system asks whether the peer is still there: within the 124 minutes that a NAT keeps an
/// idle connection (RFC 5382 REQ-5).
const PROBE_AFTER: Duration = Duration::from_secs(600);

/// What keeps a connection alive that nobody uses (RFC 3261 §7.5: line ends before a message mean nothing).
const KEEPALIVE: &[u8] = b"\r\n";

/// The directives `tcp_timeout`, `tcp_connect_timeout` and `tcp_keepalive`; zero is off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// Idle connections are closed after this time.
    pub idle: Duration,
    /// A connection of ours must be open after this time.
    pub connect: Duration,
    /// Time between keepalives on a connection over which nothing goes.
    pub keepalive: Duration,
}

/// The listeners and all connections.
#[derive(Debug)]
pub struct Tcp {
    registry: Registry,
    tokens: [Token; 2],
    port: u16,
    dscp: u8,
    timeouts: Timeouts,
    listeners: [Option<Bound>; 2],
    interfaces: [Interface; 2],
    /// Listeners that may have more connections.
    accepting: [bool; 2],
    /// The router hands us what is meant for others.
    is_transparent: bool,
    connections: Slab<Connection, PLACES>,
    /// What the engine was not told yet.
    events: heapless::Deque<(ConnId, ConnEvent), { 2 * PLACES }>,
    /// The place to read from first in the next turn.
    first_place: usize,
}

#[derive(Debug)]
struct Bound {
    socket: Socket,
    address: IpAddr,
}

impl Tcp {
    /// Neither listeners nor connections yet; what they will send has the DSCP `dscp` (0 to 63). `tokens` are those of the LAN and
    /// of the WAN listener.
    #[must_use]
    pub fn new(registry: Registry, tokens: [Token; 2], port: u16, dscp: u8, timeouts: Timeouts) -> Self {
        Self {
            registry,
            tokens,
            port,
            dscp,
            timeouts,
            listeners: [None, None],
            interfaces: Default::default(),
            accepting: [false; 2],
            is_transparent: false,
            connections: Slab::new(),
            events: heapless::Deque::new(),
            first_place: 0,
        }
    }

    /// Sets the DSCP of what is sent from now on, 0 to 63, and how long connections may take and be idle.
    pub fn configure(&mut self, dscp: u8, timeouts: Timeouts) {
        self.timeouts = timeouts;
        if core::mem::replace(&mut self.dscp, dscp) != dscp {
            let listeners = self.listeners.iter().flatten().map(|bound| (&bound.socket, bound.address));
            let connections = self.connections.iter().map(|(_, c)| (&c.socket, c.local));
            for (socket, address) in listeners.chain(connections) {
                dscp::mark_anew(socket, address.is_ipv6(), dscp);
            }
        }
    }

    /// Takes an event of a listener or of a connection.
    pub fn ready(&mut self, event: &Event) {
        if let Some(side) = self.tokens.iter().position(|token| *token == event.token()) {
            self.accepting[side] = true;
            return;
        }
        let conn = of_token(event.token());
        let Some(c) = self.connections.get_mut(conn) else { return };
        c.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if !c.is_open {
            match c.is_connected() {
                Ok(false) => return,
                Ok(true) => {
                    c.is_open = true;
                    log::debug!(target: NET, "connection to {} is open", c.remote);
                    // Twice the table: room for what became of each place, and of the one that had it before.
                    let _ = self.events.push_back((conn, ConnEvent::Opened));
                }
                Err(error) => return self.fail(conn, &error.to_string()),
            }
        }
        if event.is_writable() && self.connections.get_mut(conn).is_some_and(|c| c.flush().is_err()) {
            self.close(conn, "it is broken");
        }
    }

    /// Whether there is work that does not wait for an event.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.accepting.contains(&true)
            || !self.events.is_empty()
            || self.connections.iter().any(|(_, c)| c.readable && c.is_open)
    }

    /// What became of a connection that the engine does not know yet.
    pub fn next_event(&mut self) -> Option<(ConnId, ConnEvent)> {
        self.events.pop_front()
    }

    /// Opens a connection from our address on `side`.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn connect(&mut self, side: Side, to: SocketAddr, now: Instant) -> Result<ConnId, SendError> {
        let local = self.interfaces[side as usize].address().ok_or(SendError::NoAddress)?;
        let open = || {
            let kind = Type::STREAM.nonblocking().cloexec();
            let socket = Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::new(local, 0).into())?;
            dscp::mark(&socket, to.is_ipv6(), self.dscp);
            match socket.connect(&to.into()) {
                Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
                _ => Ok(socket),
            }
        };
        let socket = open().map_err(|error| {
            log::info!(target: NET, "no connection to {to}: {error}");
            SendError::Unreachable
        })?;
        self.enter(socket, local, to, false, now).ok_or(SendError::Busy)
    }

    /// Sends a message over a connection, or queues it. A connection that fails, or whose queue is full, is closed.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&mut self, conn: ConnId, parts: &[&[u8]], now: Instant) -> Result<(), SendError> {
        let waiting = self.waiting();
        let c = self.connections.get_mut(conn).ok_or(SendError::Closed)?;
        if parts.len() > MAX_PARTS {
            return Err(SendError::TooLarge);
        }
        log::debug!(target: TRAFFIC, "{} bytes to {} (TCP)\n{}", size(parts), c.remote, Text(parts));
        c.used = now;
        c.sent = now;
        c.send(parts, waiting).map_err(|why| {
            self.close(conn, why);
            SendError::Closed
        })
    }

    /// Closes a connection for the engine, which knows.
    pub fn disconnect(&mut self, conn: ConnId) {
        if let Some(c) = self.connections.remove(conn) {
            log::debug!(target: NET, "connection with {} closed", c.remote);
        }
    }

    /// Number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Bytes that wait on all connections.
    fn waiting(&self) -> usize {
        self.connections.iter().map(|(_, c)| c.held.capacity() + c.queue.capacity()).sum()
    }

    /// Gives a new socket a place, if need be that of another connection.
    fn enter(
        &mut self,
        socket: Socket,
        local: IpAddr,
        remote: SocketAddr,
        accepted: bool,
        now: Instant,
    ) -> Option<ConnId> {
        let is_of_one = |c: &Connection| c.accepted && c.remote.host() == remote.host();
        if accepted && self.connections.iter().filter(|(_, c)| is_of_one(c)).count() >= MAX_CONNECTIONS_OF_ONE {
            self.evict(is_of_one);
        }
        if self.connections.len() >= if accepted { PLACES } else { MAX_CONNECTIONS } {
            self.evict(|_| true);
        }
        let _ = socket.set_nonblocking(true);
        // Wishes: SIP works without them.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
        let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER));
        let fd = socket.as_raw_fd();
        let connection = Connection {
            socket,
            local,
            remote,
            accepted,
            is_open: accepted,
            readable: false,
            framer: Framer::new(),
            held: Vec::new(),
            queue: Vec::new(),
            taken: 0,
            used: now,
            sent: now,
        };
        let conn = self.connections.insert(connection).ok()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.registry.register(&mut SourceFd(&fd), to_token(conn), interest) {
            log::warn!(target: NET, "connection with {remote} closed: {error}");
            self.connections.remove(conn);
            return None;
        }
        Some(conn)
    }

    /// Closes the connection that was idle longest of those for which `may_go` holds, if the engine can be told.
    fn evict(&mut self, may_go: impl Fn(&Connection) -> bool) {
        let oldest =
            self.connections.iter().filter(|(_, c)| may_go(c)).min_by_key(|(_, c)| c.used).map(|(conn, _)| conn);
        if let Some(conn) = oldest.filter(|_| self.events.len() < MAX_CONNECTIONS) {
            self.close(conn, "to make room for another");
        }
    }

    fn close(&mut self, conn: ConnId, why: &str) {
        let Some(c) = self.connections.get(conn) else { return };
        if !c.is_open {
            return self.fail(conn, why);
        }
        log::debug!(target: NET, "connection with {} closed: {why}", c.remote);
        self.connections.remove(conn);
        // Twice the table; see `ready`.
        let _ = self.events.push_back((conn, ConnEvent::Closed));
    }

    fn fail(&mut self, conn: ConnId, why: &str) {
        if let Some(c) = self.connections.remove(conn) {
            log::info!(target: NET, "no connection to {}: {why}", c.remote);
            let _ = self.events.push_back((conn, ConnEvent::Failed));
        }
    }
}

fn to_token(conn: ConnId) -> Token {
    Token(TOKEN_FLAG | usize::from(conn.generation()) << INDEX_BITS | conn.index() & INDEX_MASK)
}

fn of_token(token: Token) -> ConnId {
    let generation = (token.0 & !TOKEN_FLAG) >> INDEX_BITS;
    Handle::from_parts((token.0 & INDEX_MASK) as u16, generation as u16)
}
