//! Opening, aiming and closing relays.

use super::leg::LegState;
use super::place::{Place, SOCKETS};
use super::{Open, Relay, Slot};
use crate::engine::Side;
use crate::engine::io::{Leg, LegCounters, RelayError, RelayId};
use crate::limits::MAX_RELAYS;
use crate::rtp::latch::Peer;
use crate::time::Instant;
use mio::Interest;
use mio::unix::SourceFd;
use nix::errno::Errno;
use std::io;
use std::os::fd::AsRawFd;

impl Relay {
    pub(super) fn open(
        &mut self,
        id: RelayId,
        sides: [Side; 2],
        ports: [u16; 2],
        now: Instant,
    ) -> Result<(), RelayError> {
        if id.index() >= MAX_RELAYS {
            return Err(RelayError::Resources);
        }
        while self.slots.len() <= id.index() {
            self.slots.push(Slot::default());
        }
        self.close_slot(id.index());
        if self.open >= self.room {
            return Err(RelayError::Resources);
        }
        let caller = self.bind_leg(Leg::Caller, sides[0], ports[0])?;
        let callee = self.bind_leg(Leg::Callee, sides[1], ports[1])?;
        let open = Open { id, legs: [caller, callee], active: now };
        let incarnation = self.slots.get(id.index()).map_or(0, |slot| slot.incarnation).wrapping_add(1);
        for leg in [Leg::Caller, Leg::Callee] {
            for rtcp in [false, true] {
                let token = Place { incarnation, slot: id.index(), leg, rtcp }.token();
                let fd = open.legs[leg as usize].socket(rtcp).as_raw_fd();
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
        LegState::bind(address, port, self.latching, self.dscp).map_err(|error| {
            match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EADDRNOTAVAIL) => RelayError::NoAddress(side),
                Some(Errno::EADDRINUSE | Errno::EACCES | Errno::EPERM) => RelayError::PortTaken(leg),
                None if error.kind() == io::ErrorKind::AddrInUse => RelayError::PortTaken(leg),
                _ => RelayError::Resources,
            }
        })
    }

    pub(super) fn retarget(&mut self, id: RelayId, leg: Leg, peer: &Peer, now: Instant) {
        let Some(open) = self.slots.get_mut(id.index()).and_then(|slot| slot.open.as_mut()) else { return };
        if open.id == id {
            if open.legs[leg as usize].latch.peer() != peer {
                open.legs.iter_mut().for_each(|leg| leg.counters.heard.renegotiated());
                open.legs[leg as usize].counters.aimed = now;
            }
            open.legs[leg as usize].latch.announce(peer);
            open.active = now;
        }
    }

    pub(super) fn close(&mut self, id: RelayId, now: Instant) -> [LegCounters; 2] {
        let Some(counters) = self.counters(id, now) else { return Default::default() };
        self.close_slot(id.index());
        counters
    }

    /// What each leg has taken so far; `None` where the relay is not open.
    #[must_use]
    pub fn counters(&self, id: RelayId, now: Instant) -> Option<[LegCounters; 2]> {
        let open = self.slots.get(id.index())?.open.as_ref().filter(|open| open.id == id)?;
        Some([0, 1].map(|leg| LegCounters { taken: now, ..open.legs[leg].counters }))
    }

    fn close_slot(&mut self, index: usize) {
        if self.slots.get_mut(index).and_then(|slot| slot.open.take()).is_none() {
            return;
        }
        self.open -= 1;
        for bit in index * SOCKETS..(index + 1) * SOCKETS {
            self.pending.mark(bit, false);
        }
    }
}
