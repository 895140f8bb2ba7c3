//! The media relay: datagrams from one leg's socket out of the other leg's socket.
//!
//! ```text
//!   caller's phone <--> leg Caller: RTP, RTCP sockets    leg Callee: RTP, RTCP sockets <--> called phone
//!                              |        ^                       |        ^
//!                              +--------|-- latch: accepted? ---+        |
//!                                       +--------------------------------+
//! ```
//! What comes to a port goes out of the port that the other party was told, so that both see one address for what they
//! send and what they get. [`Latch`](crate::rtp::latch::Latch) says which datagrams count and where the far end is. Payloads are not read.
//!
//! A peer that keeps sending gets a socket of its own on the same port, which is connected to it: the system then need not look up for
//! each packet where it goes. What comes from anybody else still comes to the other socket, and is judged and counted.
//!
//! Sockets are edge-triggered. One call of [`Relay::ready`] takes one or two datagrams of a socket; a socket that
//! may have more stays marked, and [`Relay::run_pending`] takes at most [`BATCH`] of them, so that one flood cannot starve the others.
//! Receiving and sending allocate nothing.
//!
//! [`opening`] opens, aims and closes relays, [`leg`] has their sockets, [`place`] their names in the event loop's tokens;
//! [`forward`] is what happens to each datagram, with [`batch`] for the system calls and [`pending`] for those who had more.
//! [`dejitter`] holds packets back where that is asked for, in a [`pool`].

mod batch;
pub mod dejitter;
mod forward;
mod leg;
mod opening;
mod pending;
mod place;
mod pool;

use crate::engine::Side;
use crate::engine::io::{Leg, LegCounters, RelayCmd, RelayError, RelayId};
use crate::family::Family;
use crate::limits::MAX_RELAYS;
use crate::rtp::latch::Latching;
use crate::time::{Duration, Instant};
use batch::Batch;
use core::net::IpAddr;
use dejitter::Dejitter;
use leg::LegState;
use mio::{Registry, Token};
use pending::Pending;
use place::Place;
use place::SOCKETS;

/// Datagrams taken from one socket at a time.
pub const BATCH: usize = 16;

/// Datagrams asked for at first: two, to see that there was but one, as nearly always. To prepare a whole batch takes longer than that.
const FIRST: usize = 2;

/// Time between two looks for idle relays.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Set in the tokens of relay sockets and in no other token of the event loop.
pub const TOKEN_FLAG: usize = 1 << 31;

/// Sockets that a relay is opened with: two legs, RTP and RTCP. A leg with both families has two more.
pub(super) const OPENED_WITH: usize = 4;

/// The same with one for the peer of each leg.
pub(super) const WITH_PEERS: usize = 6;

/// One open relay.
#[derive(Debug)]
struct Open {
    id: RelayId,
    legs: [LegState; 2],
    /// When a datagram was last relayed, either way, or the relay was opened or aimed.
    active: Instant,
}

impl Open {
    /// The leg `from`, and the one on the other side.
    fn legs_of(&mut self, from: Leg) -> [&mut LegState; 2] {
        let [caller, callee] = &mut self.legs;
        match from {
            Leg::Caller => [caller, callee],
            Leg::Callee => [callee, caller],
        }
    }

    /// Number of sockets.
    fn len(&self) -> usize {
        self.legs.iter().map(LegState::len).sum()
    }
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
    /// Longer than [`MAX_MEDIA_DATAGRAM`](crate::limits::MAX_MEDIA_DATAGRAM).
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
    /// Sockets of all of them.
    sockets: usize,
    /// Sockets that had more than one batch.
    pending: Pending,
    /// Ours, by side and family.
    addresses: [[Option<IpAddr>; 2]; 2],
    rtp_timeout: Duration,
    latching: Latching,
    dscp: u8,
    /// Most sockets at a time, those of peers not counted.
    room: usize,
    /// Whether peers get sockets of their own.
    connects: bool,
    batch: Batch,
    losses: Losses,
    /// Where packets wait for their time; `None` where none does.
    dejitter: Option<Dejitter>,
    /// Datagrams taken since the start, modulo 2^32.
    taken: u32,
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
            sockets: 0,
            pending: Pending::default(),
            addresses: [[None; 2]; 2],
            rtp_timeout,
            latching: Latching::default(),
            dscp: 0,
            room: MAX_RELAYS * OPENED_WITH,
            connects: true,
            batch: Batch::new(),
            losses: Losses::default(),
            dejitter: None,
            taken: 0,
        }
    }

    /// Sets our address of a family on `side`. Legs that are open move there with their ports and go on as they were, so that a far
    /// end that looks where packets come from is heard and hears again; where the address is gone they wait for the next one.
    ///
    /// Returns how many legs could not move; they stay as they are.
    pub fn set_address(&mut self, side: Side, family: Family, address: Option<IpAddr>) -> usize {
        self.addresses[side as usize][family as usize] = address;
        address.map_or(0, |address| self.move_legs(side, family, address))
    }

    /// Sets after how long without media a relay is idle; zero is never.
    pub const fn set_timeout(&mut self, rtp_timeout: Duration) {
        self.rtp_timeout = rtp_timeout;
    }

    /// Sets whether the relays that are opened from now on learn their peers' ports.
    pub const fn set_latching(&mut self, latching: Latching) {
        self.latching = latching;
    }

    /// Sets whether peers that keep sending get sockets of their own; where they do not, those that are there are closed. They are not
    /// counted: that they may needs descriptors for [`WITH_PEERS`] sockets of each relay.
    pub fn set_connecting(&mut self, connects: bool) {
        self.connects = connects;
        if !connects {
            let open = self.slots.iter_mut().filter_map(|slot| slot.open.as_mut());
            open.flat_map(|open| &mut open.legs).for_each(LegState::disconnect);
        }
    }

    /// Sets the DSCP of what the relays that are opened from now on send, 0 to 63 (RFC 2474 §3).
    pub const fn set_dscp(&mut self, dscp: u8) {
        self.dscp = dscp;
    }

    /// Sets how many relays there may be descriptors for, with one family on each leg: a call is refused before those that others
    /// need are gone.
    pub const fn set_room(&mut self, room: usize) {
        self.room = room.saturating_mul(OPENED_WITH);
    }

    /// Carries out one command. Counting and closing give the counters of the caller's and the callee's leg; otherwise they are zero.
    ///
    /// # Errors
    /// See [`RelayError`]; only what binds sockets fails. A command for a relay that is not open changes nothing.
    pub fn apply(&mut self, cmd: RelayCmd, now: Instant) -> Result<[LegCounters; 2], RelayError> {
        match cmd {
            RelayCmd::Open { relay, sides, families, ports } => {
                self.open(relay, sides, families, ports, now).map(|()| [LegCounters::default(); 2])
            }
            RelayCmd::AddFamily { relay, leg, family } => {
                self.add_family(relay, leg, family).map(|()| [LegCounters::default(); 2])
            }
            RelayCmd::Retarget { relay, leg, peer } => {
                self.retarget(relay, leg, &peer, now);
                Ok([LegCounters::default(); 2])
            }
            RelayCmd::Count { relay } => Ok(self.counters(relay, now).unwrap_or_default()),
            RelayCmd::Close { relay } => Ok(self.close(relay, now)),
        }
    }

    /// Takes the first datagrams from the socket of `token` and relays them.
    pub fn ready(&mut self, token: Token, now: Instant) {
        self.take(Place::of(token), FIRST, now);
    }

    /// Takes up to `most` datagrams from a socket and relays them.
    fn take(&mut self, place: Place, most: usize, now: Instant) {
        let more = self.forward(place, most, now);
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
            let incarnation = self.slots.get(bit / SOCKETS).map_or(0, |slot| slot.incarnation);
            self.take(Place::of_bit(incarnation, bit), BATCH, now);
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

    /// Datagrams taken from all sockets since the start, modulo 2^32.
    #[must_use]
    pub const fn taken(&self) -> u32 {
        self.taken
    }

    /// What was lost since the start.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }
}
