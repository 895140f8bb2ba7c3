//! The media relay: datagrams from one leg's socket out of the other leg's socket.
//!
//! ```text
//!   caller's phone <--> leg Caller: RTP, RTCP sockets    leg Callee: RTP, RTCP sockets <--> called phone
//!                              |        ^                       |        ^
//!                              +--------|-- latch: accepted? ---+        |
//!                                       +--------------------------------+
//! ```
//! What comes to a port goes out of the port that the other party was told, so that both see one address for what they
//! send and what they get. [`Latch`] says which datagrams count and where the far end is. Payloads are not read.
//!
//! Sockets are edge-triggered. One call of [`Relay::ready`] takes at most [`BATCH`] datagrams of a socket; a socket that
//! had more stays marked, and [`Relay::run_pending`] takes the next batch, so that one flood cannot starve the others.
//! Receiving and sending allocate nothing.

mod batch;
mod pending;

use crate::engine::Side;
use crate::engine::io::{Leg, LegCounters, RelayCmd, RelayError, RelayId};
use crate::limits::MAX_RELAYS;
use crate::rtp::Kind;
use crate::rtp::latch::{Latch, Peer, Verdict};
use crate::time::{Duration, Instant};
use batch::{Batch, Received};
use core::net::{IpAddr, SocketAddr};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use pending::Pending;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;

/// Datagrams taken from one socket at a time.
pub const BATCH: usize = 16;

/// Time between two looks for idle relays.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Set in the tokens of relay sockets and in no other token of the event loop.
pub const TOKEN_FLAG: usize = 1 << 30;

/// Receive queue of one socket in bytes: two seconds of audio at 50 packets a second.
const RECEIVE_QUEUE: usize = 64 * 1024;

/// Sockets of one relay: two legs, RTP and RTCP.
pub(super) const SOCKETS: usize = 4;

const INDEX_BITS: u32 = 12;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
const _: () = assert!(MAX_RELAYS <= 1 << INDEX_BITS, "the slot's number has 12 bits in a token");

/// One socket of one relay, as it stands in a [`Token`].
///
/// ```text
///   bit 30  29 ........ 14  13 ....... 2   1     0
///   flag    incarnation     slot           leg   RTCP
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    incarnation: u16,
    slot: usize,
    leg: Leg,
    rtcp: bool,
}

impl Place {
    fn token(self) -> Token {
        Token(
            TOKEN_FLAG
                | usize::from(self.incarnation) << (INDEX_BITS + 2)
                | (self.slot & INDEX_MASK) << 2
                | (self.leg as usize) << 1
                | usize::from(self.rtcp),
        )
    }

    fn of(token: Token) -> Self {
        Self {
            incarnation: ((token.0 & !TOKEN_FLAG) >> (INDEX_BITS + 2)) as u16,
            slot: token.0 >> 2 & INDEX_MASK,
            leg: if token.0 & 2 == 0 { Leg::Caller } else { Leg::Callee },
            rtcp: token.0 & 1 != 0,
        }
    }

    /// The bit of this socket in the set of pending ones.
    fn bit(self) -> usize {
        self.slot * SOCKETS + (self.leg as usize) * 2 + usize::from(self.rtcp)
    }
}

/// One leg: its sockets and what is known of its peer.
#[derive(Debug)]
struct LegState {
    rtp: Socket,
    rtcp: Socket,
    /// Both are bound to an IPv6 address.
    v6: bool,
    latch: Latch,
    counters: LegCounters,
}

impl LegState {
    fn socket(&self, rtcp: bool) -> &Socket {
        if rtcp { &self.rtcp } else { &self.rtp }
    }
}

#[derive(Debug)]
struct Open {
    id: RelayId,
    legs: [LegState; 2],
    /// When a datagram was last relayed, either way, or the relay was opened or aimed.
    active: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    /// Counts what was opened in this slot, so that an event of a closed socket is not taken for its successor's.
    incarnation: u16,
    open: Option<Open>,
}

/// What was lost on the way through, in datagrams since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Longer than [`MAX_MEDIA_DATAGRAM`].
    pub oversized: u32,
    /// The system would not send them: a full queue, no route.
    pub unsent: u32,
    /// From an allowed address, but not (yet) part of the stream, or with no known destination.
    pub unproven: u32,
}

/// All relays.
#[derive(Debug)]
pub struct Relay {
    registry: Registry,
    /// Grows to the highest slot that was ever in use, within the capacity it was made with: no page before its use.
    slots: Vec<Slot>,
    open: usize,
    /// Sockets that had more than one batch.
    pending: Pending,
    addresses: [Option<IpAddr>; 2],
    rtp_timeout: Duration,
    batch: Batch,
    losses: Losses,
}

impl Relay {
    /// A relay without sockets. They are registered with `registry`, with [`TOKEN_FLAG`] in their tokens.
    ///
    /// A relay with no media for `rtp_timeout` is idle; zero is never.
    #[must_use]
    pub fn new(registry: Registry, rtp_timeout: Duration) -> Self {
        Self {
            registry,
            slots: Vec::with_capacity(MAX_RELAYS),
            open: 0,
            pending: Pending::default(),
            addresses: [None; 2],
            rtp_timeout,
            batch: Batch::new(),
            losses: Losses::default(),
        }
    }

    /// Sets our address on `side` for relays that are opened from now on. Open ones keep their sockets.
    pub fn set_address(&mut self, side: Side, address: Option<IpAddr>) {
        self.addresses[side as usize] = address;
    }

    /// Carries out one command. Closing gives the counters of the caller's and the callee's leg; otherwise they are zero.
    ///
    /// # Errors
    /// See [`RelayError`]; only opening fails. A command for a relay that is not open changes nothing.
    pub fn apply(&mut self, cmd: RelayCmd, now: Instant) -> Result<[LegCounters; 2], RelayError> {
        match cmd {
            RelayCmd::Open { relay, sides, ports } => {
                self.open(relay, sides, ports, now).map(|()| [LegCounters::default(); 2])
            }
            RelayCmd::Retarget { relay, leg, peer } => {
                self.retarget(relay, leg, &peer, now);
                Ok([LegCounters::default(); 2])
            }
            RelayCmd::Close { relay } => Ok(self.close(relay)),
        }
    }

    /// Takes one batch from the socket of `token` and relays it.
    pub fn ready(&mut self, token: Token, now: Instant) {
        let place = Place::of(token);
        let more = self.forward(place, now);
        self.pending.mark(place.bit(), more);
    }

    /// Whether a socket may have more, so that the event loop must not wait.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.count > 0
    }

    /// Takes one more batch from each socket that may have more.
    pub fn run_pending(&mut self, now: Instant) {
        let mut next = 0;
        while let Some(bit) = self.pending.first_from(next) {
            let slot = bit / SOCKETS;
            let place = Place {
                incarnation: self.slots.get(slot).map_or(0, |slot| slot.incarnation),
                slot,
                leg: if bit & 2 == 0 { Leg::Caller } else { Leg::Callee },
                rtcp: bit & 1 != 0,
            };
            self.ready(place.token(), now);
            next = bit + 1;
        }
    }

    /// A relay that has been idle for `rtp_timeout`; the same one again only after another such time. Call every
    /// [`SWEEP_INTERVAL`] until there is none.
    pub fn next_idle(&mut self, now: Instant) -> Option<RelayId> {
        let timeout = self.rtp_timeout;
        if timeout.is_zero() {
            return None;
        }
        let mut open = self.slots.iter_mut().filter_map(|slot| slot.open.as_mut());
        let idle = open.find(|open| now.since(open.active) >= timeout)?;
        idle.active = now;
        Some(idle.id)
    }

    /// Number of open relays.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open
    }

    /// Whether no relay is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// What was lost since the start.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    fn open(&mut self, id: RelayId, sides: [Side; 2], ports: [u16; 2], now: Instant) -> Result<(), RelayError> {
        if id.index() >= MAX_RELAYS {
            return Err(RelayError::Resources);
        }
        while self.slots.len() <= id.index() {
            self.slots.push(Slot::default());
        }
        self.close_slot(id.index());
        let caller = self.bind_leg(Leg::Caller, sides[0], ports[0])?;
        let callee = self.bind_leg(Leg::Callee, sides[1], ports[1])?;
        let open = Open { id, legs: [caller, callee], active: now };
        let incarnation = self.slots.get(id.index()).map_or(0, |slot| slot.incarnation).wrapping_add(1);
        for leg in [Leg::Caller, Leg::Callee] {
            let state = &open.legs[leg as usize];
            for (socket, rtcp) in [(&state.rtp, false), (&state.rtcp, true)] {
                let token = Place { incarnation, slot: id.index(), leg, rtcp }.token();
                let fd = socket.as_raw_fd();
                let registered = self.registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
                registered.map_err(|_| RelayError::Resources)?;
            }
        }
        if let Some(slot) = self.slots.get_mut(id.index()) {
            *slot = Slot { incarnation, open: Some(open) };
            self.open += 1;
        }
        Ok(())
    }

    fn bind_leg(&self, leg: Leg, side: Side, port: u16) -> Result<LegState, RelayError> {
        let address = self.addresses[side as usize].ok_or(RelayError::NoAddress(side))?;
        let reason = |error: io::Error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EADDRNOTAVAIL) => RelayError::NoAddress(side),
            Some(Errno::EADDRINUSE | Errno::EACCES | Errno::EPERM) => RelayError::PortTaken(leg),
            _ => RelayError::Resources,
        };
        let above = port.checked_add(1).ok_or(RelayError::PortTaken(leg))?;
        Ok(LegState {
            rtp: bind(SocketAddr::new(address, port)).map_err(reason)?,
            rtcp: bind(SocketAddr::new(address, above)).map_err(reason)?,
            v6: address.is_ipv6(),
            latch: Latch::new(),
            counters: LegCounters::default(),
        })
    }

    fn retarget(&mut self, id: RelayId, leg: Leg, peer: &Peer, now: Instant) {
        let Some(open) = self.slots.get_mut(id.index()).and_then(|slot| slot.open.as_mut()) else { return };
        if open.id == id {
            open.legs[leg as usize].latch.announce(peer);
            open.active = now;
        }
    }

    fn close(&mut self, id: RelayId) -> [LegCounters; 2] {
        match self.slots.get(id.index()).and_then(|slot| slot.open.as_ref()) {
            Some(open) if open.id == id => self.close_slot(id.index()),
            _ => [LegCounters::default(); 2],
        }
    }

    fn close_slot(&mut self, index: usize) -> [LegCounters; 2] {
        let Some(open) = self.slots.get_mut(index).and_then(|slot| slot.open.take()) else {
            return [LegCounters::default(); 2];
        };
        self.open -= 1;
        for bit in index * SOCKETS..(index + 1) * SOCKETS {
            self.pending.mark(bit, false);
        }
        open.legs.map(|leg| leg.counters)
    }

    /// Takes one batch from a socket and relays it; `true` where there may be more.
    fn forward(&mut self, place: Place, now: Instant) -> bool {
        let Self { slots, batch, losses, .. } = self;
        let Some(slot) = slots.get_mut(place.slot) else { return false };
        if slot.incarnation != place.incarnation {
            return false;
        }
        let Some(open) = slot.open.as_mut() else { return false };
        let [caller, callee] = &mut open.legs;
        let (from, to) = match place.leg {
            Leg::Caller => (caller, &*callee),
            Leg::Callee => (callee, &*caller),
        };
        let received = batch.receive(from.socket(place.rtcp), from.v6);
        let destination = if place.rtcp { to.latch.rtcp_destination() } else { to.latch.rtp_destination() };
        for index in 0..batch.received.len() {
            let Some((source, payload)) = batch.datagram(index) else {
                losses.oversized = losses.oversized.wrapping_add(1);
                continue;
            };
            let verdict = if place.rtcp { from.latch.rtcp(source) } else { from.latch.rtp(source, Kind::of(payload)) };
            match (verdict, destination) {
                (Verdict::Accept, Some(_)) => {
                    if !place.rtcp {
                        from.counters.packets = from.counters.packets.wrapping_add(1);
                        from.counters.bytes = from.counters.bytes.wrapping_add(payload.len() as u64);
                    }
                    batch.accept(index);
                }
                (Verdict::Stranger, _) => from.counters.strangers = from.counters.strangers.wrapping_add(1),
                (Verdict::Unproven, _) | (Verdict::Accept, None) => {
                    losses.unproven = losses.unproven.wrapping_add(1);
                }
            }
        }
        if let Some(destination) = destination
            && !batch.accepted.is_empty()
        {
            open.active = now;
            let unsent = batch.send(to.socket(place.rtcp), destination);
            losses.unsent = losses.unsent.wrapping_add(unsent as u32);
        }
        received == Received::Full
    }
}

/// A media socket on `address`.
fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    // A wish: media flows without it.
    let _ = socket.set_recv_buffer_size(RECEIVE_QUEUE);
    Ok(socket)
}
