//! The engine's contract: what goes in, and the sink for what comes out.

use crate::family::Family;
use crate::rtp::latch::Peer;
use crate::rtp::quality::Quality;
use crate::sip::via::Transport;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// One of the two networks the router stands between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The private network (`if_inbound`), where the phones are.
    #[default]
    Lan,
    /// The public network (`if_outbound`).
    Wan,
}

impl Side {
    /// The name in log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lan => "LAN",
            Self::Wan => "WAN",
        }
    }
}

/// A TCP connection. The handle's index is at most [`crate::limits::MAX_CONNECTIONS`].
pub type ConnId = Handle;

/// The SIP socket a message comes from or goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Which of our addresses the socket is bound to.
    pub local: Side,
    /// The TCP connection; `None` for the UDP socket.
    pub conn: Option<ConnId>,
}

impl Channel {
    /// The UDP socket bound to our LAN address.
    pub const LAN: Self = Self::on(Side::Lan);
    /// The UDP socket bound to our WAN address.
    pub const WAN: Self = Self::on(Side::Wan);

    /// The UDP socket bound to our address on `side`.
    #[must_use]
    pub const fn on(side: Side) -> Self {
        Self { local: side, conn: None }
    }

    /// A TCP connection from or to our address on `side`.
    #[must_use]
    pub const fn tcp(side: Side, conn: ConnId) -> Self {
        Self { local: side, conn: Some(conn) }
    }

    /// Whether what is sent here arrives, or the connection breaks (RFC 3261 §17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        self.conn.is_some()
    }

    /// The transport.
    #[must_use]
    pub const fn kind(self) -> Transport {
        if self.is_reliable() { Transport::Tcp } else { Transport::Udp }
    }

    /// The transport's name in a Via (RFC 3261 §20.42).
    #[must_use]
    pub const fn name(self) -> &'static str {
        if self.is_reliable() { "TCP" } else { "UDP" }
    }
}

/// A network prefix, `address/length`; the address may have host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// An address in the network; of an interface, its own.
    pub address: IpAddr,
    /// Length of the network part in bits, at most 32 or 128.
    pub length: u8,
}

impl Prefix {
    /// Whether `address` is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let shift = 32u32.saturating_sub(u32::from(self.length));
                u32::from(net).checked_shr(shift).unwrap_or(0) == u32::from(ip).checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let shift = 128u32.saturating_sub(u32::from(self.length));
                u128::from(net).checked_shr(shift).unwrap_or(0) == u128::from(ip).checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// What the engine is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came to a SIP socket.
    Datagram {
        /// The socket it came to.
        on: Channel,
        /// The network of the interface it came in by. A phone may send to our WAN address and still be on the LAN;
        /// packets from this host itself count as LAN.
        interface: Side,
        /// Its source.
        from: SocketAddr,
        /// Where its sender sent it, if that is not an address of ours: the router took it for us on its way (`transparent`).
        meant_for: Option<SocketAddr>,
        /// Its bytes; normalised in place while they are parsed.
        bytes: &'a mut [u8],
    },
    /// A message, or a ping of RFC 5626, came by a TCP connection that the engine was told of.
    Stream {
        /// The connection.
        conn: ConnId,
        /// Its bytes, of one message; normalised in place while they are parsed.
        bytes: &'a mut [u8],
    },
    /// Something became of a TCP connection.
    Conn {
        /// The connection.
        conn: ConnId,
        /// What.
        event: ConnEvent,
    },
    /// A datagram could not be delivered: the ICMP error a later call reported.
    SendFailed {
        /// The socket it was sent through.
        via: Channel,
        /// Where it was to go.
        to: SocketAddr,
    },
    /// What the relay has to report.
    Media(MediaReport),
    /// A datagram came to the resolver's socket.
    Dns {
        /// Its source.
        from: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The addresses that an interface has now; an empty list when it is down or gone.
    Address {
        /// Which interface.
        side: Side,
        /// Its addresses; the first of a family is the one we use.
        addrs: &'a [Prefix],
    },
    /// The nameservers in use now.
    Nameservers(&'a [SocketAddr]),
    /// The time of [`super::Engine::next_timeout`] has come.
    Timeout,
}

/// What became of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnEvent {
    /// Somebody connected to us.
    Accepted {
        /// Which of our addresses was connected to.
        local: Side,
        /// The network that the way back to the peer leads into; this host itself counts as LAN.
        interface: Side,
        /// The peer.
        from: SocketAddr,
        /// Where it connected to, if that is not an address of ours: the router took it for us on its way (`transparent`).
        meant_for: Option<SocketAddr>,
    },
    /// A connection of ours is open; what was sent before is on its way.
    Opened,
    /// A connection of ours could not be opened; what was sent is lost.
    Failed,
    /// The connection is gone, by whomever.
    Closed,
}

/// A relay: the two legs of one media section. The handle's index is below [`crate::limits::MAX_RELAYS`].
pub type RelayId = Handle;

/// A leg of a relay: the party it faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Faces the party that sent the first INVITE of the dialog.
    Caller = 0,
    /// Faces the party that was called.
    Callee = 1,
}

impl Leg {
    /// The leg on the other side of the relay.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// What the relay has to report.
#[derive(Clone, Copy, Debug)]
pub enum MediaReport {
    /// Nothing was relayed in either direction for `rtp_timeout` seconds.
    Idle(RelayId),
}

/// Datagrams dropped since a packet of RTP was heard (see [`LegCounters::dropped_since`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    counts: [u32; 2],
    /// Packets that had been heard by then.
    heard: u32,
}

/// What a relay has taken from one leg. About 350 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegCounters {
    /// Datagrams relayed from this leg's RTP port to the other leg.
    pub packets: u32,
    /// Their bytes, without IP and UDP headers.
    pub bytes: u64,
    /// Datagrams dropped because they came from an address nobody announced.
    pub strangers: u32,
    /// The last such address.
    pub stranger: Option<SocketAddr>,
    /// Datagrams dropped that came from an announced address, but were not (yet) part of the stream.
    pub unproven: u32,
    /// Where the last of them came from.
    pub unproven_from: Option<SocketAddr>,
    /// Of both, those since a packet of RTP was heard.
    pub dropped: Dropped,
    /// When what signalling says of the peer changed last.
    pub aimed: Instant,
    /// When this was read.
    pub taken: Instant,
    /// What was heard of the peer.
    pub heard: Quality,
}

impl LegCounters {
    /// Counts a datagram that is dropped because it came from an address nobody announced.
    pub fn drop_stranger(&mut self, from: SocketAddr) {
        self.strangers = self.strangers.wrapping_add(1);
        self.stranger = Some(from);
        let [strangers, unproven] = self.dropped_since();
        self.dropped = Dropped { counts: [strangers.saturating_add(1), unproven], heard: self.heard.packets };
    }

    /// Counts a datagram that is dropped because it was not (yet) part of the stream.
    pub fn drop_unproven(&mut self, from: SocketAddr) {
        self.unproven = self.unproven.wrapping_add(1);
        self.unproven_from = Some(from);
        let [strangers, unproven] = self.dropped_since();
        self.dropped = Dropped { counts: [strangers, unproven.saturating_add(1)], heard: self.heard.packets };
    }

    /// Datagrams that were dropped since the last packet of RTP was heard: those of strangers, and those that were not part of the stream.
    #[must_use]
    pub const fn dropped_since(&self) -> [u32; 2] {
        if self.dropped.heard == self.heard.packets { self.dropped.counts } else { [0; 2] }
    }
}

/// Commands to the relay.
#[derive(Clone, Copy, Debug)]
pub enum RelayCmd {
    /// Binds the RTP and RTCP sockets of both legs now, or none of them.
    Open {
        /// The new relay.
        relay: RelayId,
        /// The side whose address each leg is bound to, caller's first.
        sides: [Side; 2],
        /// The family of that address.
        families: [Family; 2],
        /// The even RTP port of each leg; RTCP is on the one above.
        ports: [u16; 2],
    },
    /// Binds a leg to our address of another family too, on the same ports. Does nothing where it is bound already.
    AddFamily {
        /// The relay.
        relay: RelayId,
        /// The leg.
        leg: Leg,
        /// The family.
        family: Family,
    },
    /// Tells where a leg's peer is.
    Retarget {
        /// The relay.
        relay: RelayId,
        /// The leg.
        leg: Leg,
        /// What signalling says of its peer.
        peer: Peer,
    },
    /// Tells what a relay has taken so far.
    Count {
        /// The relay.
        relay: RelayId,
    },
    /// Closes all sockets of a relay. Nothing that comes later is relayed.
    Close {
        /// The relay.
        relay: RelayId,
    },
}

/// Why a relay command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayError {
    /// The port of this leg is taken by another program, or one of ours.
    PortTaken(Leg),
    /// The side has no address of the family now.
    NoAddress(Side),
    /// No socket can be opened: the descriptor limit, or memory.
    Resources,
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The side has no address now.
    NoAddress,
    /// The socket's queue is full, or all connections are in use.
    Busy,
    /// The connection is gone.
    Closed,
    /// The datagram is larger than the protocol carries.
    TooLarge,
    /// The network is unreachable, or the system refused.
    Unreachable,
}

/// Where outputs go. Called during [`super::Engine::handle`], so that an output can borrow the input. Nothing here blocks.
pub trait Sink {
    /// Sends one message, given as slices: a datagram to `to`, or over a connection, for which `to` means nothing.
    ///
    /// # Errors
    /// See [`SendError`]. A connection that fails, or whose peer does not take what it is sent, is closed.
    fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError>;
    /// Opens a connection from our address on `side`. What is sent before it is open waits. In a full table the connection that
    /// was idle longest is closed.
    ///
    /// # Errors
    /// See [`SendError`].
    fn connect(&mut self, side: Side, to: SocketAddr) -> Result<ConnId, SendError> {
        // An edge without TCP.
        let _ = (side, to);
        Err(SendError::Unreachable)
    }
    /// Closes a connection. No event follows.
    fn disconnect(&mut self, conn: ConnId) {
        let _ = conn;
    }
    /// Opens, aims, counts or closes a relay. Counters are those of the caller's and the callee's leg; all zero but for `Count` and
    /// `Close`.
    ///
    /// # Errors
    /// See [`RelayError`].
    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError>;
    /// Sends a query to a nameserver.
    fn query(&mut self, server: SocketAddr, bytes: &[u8]);
}
