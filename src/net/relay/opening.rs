//! Opening, aiming, moving and closing relays.

use super::leg::LegState;
use super::place::{INCARNATIONS, Place, Port, SOCKETS};
use super::{BATCH, OPENED_WITH, Open, Relay, Slot};
use crate::engine::Side;
use crate::engine::io::{Leg, LegCounters, RelayError, RelayId};
use crate::family::Family;
use crate::limits::MAX_RELAYS;
use crate::rtp::latch::Peer;
use crate::time::Instant;
use core::net::IpAddr;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use nix::errno::Errno;
use socket2::Socket;
use std::io;
use std::os::fd::AsRawFd;

/// Batches that take all that the queue of a socket can hold of audio.
const BATCHES_OF_A_QUEUE: usize = 16;

impl Relay {
    pub(super) fn open(
        &mut self,
        id: RelayId,
        sides: [Side; 2],
        families: [Family; 2],
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
        if self.sockets + OPENED_WITH > self.room {
            return Err(RelayError::Resources);
        }
        let legs = [0, 1].map(|leg| LegState::new(sides[leg], ports[leg], self.latching));
        let mut open = Open { id, legs, active: now };
        let incarnation = self.slots.get(id.index()).map_or(0, |slot| slot.incarnation);
        let incarnation = incarnation.wrapping_add(1) & INCARNATIONS;
        for (leg, family) in [Leg::Caller, Leg::Callee].into_iter().zip(families) {
            self.bind_leg(&mut open, leg, family, incarnation)?;
        }
        if let Some(slot) = self.slots.get_mut(id.index()) {
            *slot = Slot { incarnation, open: Some(open) };
            self.open += 1;
            self.sockets += OPENED_WITH;
            if let Some(dejitter) = &mut self.dejitter {
                dejitter.open(id.index(), sides);
            }
        }
        Ok(())
    }

    pub(super) fn add_family(&mut self, id: RelayId, leg: Leg, family: Family) -> Result<(), RelayError> {
        let Some(slot) = self.slots.get_mut(id.index()) else { return Ok(()) };
        let incarnation = slot.incarnation;
        let Some(mut open) = slot.open.take_if(|open| open.id == id) else { return Ok(()) };
        let before = open.legs[leg as usize].len();
        let bound = match open.legs[leg as usize].socket(family, Port::Rtp) {
            Some(_) => Ok(()),
            None if self.sockets + OPENED_WITH / 2 > self.room => Err(RelayError::Resources),
            None => self.bind_leg(&mut open, leg, family, incarnation),
        };
        self.sockets += open.legs[leg as usize].len() - before;
        if let Some(slot) = self.slots.get_mut(id.index()) {
            slot.open = Some(open);
        }
        bound
    }

    /// Binds a leg to our address of a family, in place of another that it has; or leaves it as it is.
    fn bind_leg(&self, open: &mut Open, leg: Leg, family: Family, incarnation: u16) -> Result<(), RelayError> {
        let slot = open.id.index();
        let state = &mut open.legs[leg as usize];
        let side = state.side();
        let address = self.addresses[side as usize][family as usize].ok_or(RelayError::NoAddress(side))?;
        state.bind(address, self.dscp).map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EADDRNOTAVAIL) => RelayError::NoAddress(side),
            Some(Errno::EADDRINUSE | Errno::EACCES | Errno::EPERM) => RelayError::PortTaken(leg),
            None if error.kind() == io::ErrorKind::AddrInUse => RelayError::PortTaken(leg),
            _ => RelayError::Resources,
        })?;
        for port in [Port::Rtp, Port::Rtcp] {
            let Some(socket) = state.socket(family, port) else { continue };
            if register(&self.registry, socket, Place { incarnation, slot, leg, family, port }).is_err() {
                state.unbind(family);
                return Err(RelayError::Resources);
            }
        }
        Ok(())
    }

    /// Binds the open legs of `side` and `family` to `address`, where they are not there already; returns how many could not.
    pub(super) fn move_legs(&mut self, side: Side, family: Family, address: IpAddr) -> usize {
        let mut left_behind = 0;
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let incarnation = slot.incarnation;
            let Some(mut open) = slot.open.take() else { continue };
            self.sockets -= open.len();
            for leg in [Leg::Caller, Leg::Callee] {
                let state = &open.legs[leg as usize];
                let is_there = state.address(family).is_none_or(|bound| bound == address);
                if state.side() == side && !is_there {
                    left_behind += usize::from(self.bind_leg(&mut open, leg, family, incarnation).is_err());
                }
            }
            self.sockets += open.len();
            if let Some(slot) = self.slots.get_mut(index) {
                slot.open = Some(open);
            }
        }
        left_behind
    }

    pub(super) fn retarget(&mut self, id: RelayId, leg: Leg, peer: &Peer, now: Instant) {
        self.take_from_peer(id, leg, now);
        let Some(open) = self.slots.get_mut(id.index()).and_then(|slot| slot.open.as_mut()) else { return };
        if open.id == id {
            if open.legs[leg as usize].latch.peer() != peer {
                open.legs.iter_mut().for_each(|leg| leg.counters.heard.renegotiated(now));
                open.legs[leg as usize].counters.aimed = now;
            }
            open.legs[leg as usize].latch.announce(peer);
            open.legs[leg as usize].disconnect_other();
            open.active = now;
        }
    }

    /// Relays what waits in the socket of a leg's peer: what was sent before the peer moved is the call's.
    fn take_from_peer(&mut self, id: RelayId, leg: Leg, now: Instant) {
        let Some(slot) = self.slots.get(id.index()) else { return };
        let Some(open) = slot.open.as_ref().filter(|open| open.id == id) else { return };
        let Some(family) = open.legs[leg as usize].family_of_own() else { return };
        let place = Place { incarnation: slot.incarnation, slot: id.index(), leg, family, port: Port::Peer };
        for _ in 0..BATCHES_OF_A_QUEUE {
            if !self.forward(place, BATCH, now) {
                return;
            }
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
        let Some(open) = self.slots.get_mut(index).and_then(|slot| slot.open.take()) else { return };
        self.open -= 1;
        self.sockets -= open.len();
        if let Some(dejitter) = &mut self.dejitter {
            dejitter.close(index);
        }
        for bit in index * SOCKETS..(index + 1) * SOCKETS {
            self.pending.mark(bit, false);
        }
    }
}

/// Has the event loop wait for datagrams of a socket.
pub(super) fn register(registry: &Registry, socket: &Socket, place: Place) -> io::Result<()> {
    registry.register(&mut SourceFd(&socket.as_raw_fd()), place.token(), Interest::READABLE)
}
