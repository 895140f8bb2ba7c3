//! The relay of a section: its ports are reserved on both sides with the offer, or it is refused.

use crate::engine::Engine;
use crate::engine::call::Relay;
use crate::engine::cause::Cause;
use crate::engine::io::{Leg, RelayCmd, RelayError, Side, Sink};
use crate::family::Family;
use crate::log_class as class;
use crate::table::Handle;

/// Ports that may turn out to be taken by other programs before a call is refused.
const MAX_PORT_TRIES: usize = 16;

impl Engine {
    /// Reserves relay ports for an INVITE without a description: the callee will offer (RFC 3261 §13.2.1).
    pub(in crate::engine) fn reserve(&mut self, call: Handle, out: &mut dyn Sink) -> Result<(), Cause> {
        match self.calls.calls.get(call) {
            Some(c) if c.relays.is_empty() => {
                let families = c.sides.map(|side| self.family_on(side));
                self.relay_for(call, 0, families, false, out).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The family of our address on `side`, by which signalling goes there.
    pub(super) fn family_on(&self, side: Side) -> Family {
        self.own(side).map_or(Family::V4, Family::of)
    }

    /// The relay of a section, opened with these families if it has none. `offered` tells whether it is for an offer that may be
    /// refused.
    pub(super) fn relay_for(
        &mut self,
        call: Handle,
        number: usize,
        families: [Family; 2],
        offered: bool,
        out: &mut dyn Sink,
    ) -> Result<Handle, Cause> {
        let Some(c) = self.calls.calls.get(call) else { return Err(Cause::CallsFull) };
        if let Some(Some(handle)) = c.relays.get(number) {
            return Ok(*handle);
        }
        let sides = c.sides;
        let handle = self.open_relay(call, sides, families, offered, out)?;
        if let Some(c) = self.calls.calls.get_mut(call) {
            while c.relays.len() <= number && c.relays.push(None).is_ok() {}
            if let Some(place) = c.relays.get_mut(number) {
                *place = Some(handle);
            }
        }
        Ok(handle)
    }

    fn open_relay(
        &mut self,
        call: Handle,
        sides: [Side; 2],
        families: [Family; 2],
        offered: bool,
        out: &mut dyn Sink,
    ) -> Result<Handle, Cause> {
        let range = (self.settings().rtp_port_low, self.settings().rtp_port_high);
        let shared = self.addresses.are_shared();
        let bound = families.map(|family| [family == Family::V4, family == Family::V6]);
        let relay = Relay { call, sides, ports: [0; 2], bound, pending: [None; 2], aimed: [None; 2], offered };
        let handle = self.calls.relays.insert(relay).map_err(|_| Cause::CallsFull)?;
        let mut taken = heapless::Vec::<(Side, u16), { 2 * MAX_PORT_TRIES }>::new();
        let mut opened = Err(Cause::PortsExhausted);
        for _ in 0..MAX_PORT_TRIES {
            let Some(ports) = self.calls.take_ports(sides, shared, range, &mut self.random) else { break };
            match out.relay(RelayCmd::Open { relay: handle, sides, families, ports }) {
                Ok(_) => {
                    opened = Ok(ports);
                    break;
                }
                Err(RelayError::PortTaken(leg)) => {
                    // Kept back until the search ends, so that it is not tried again; the good one goes back at once.
                    let (bad, good) = (leg as usize, leg.other() as usize);
                    let _ = taken.push((sides[bad], ports[bad]));
                    self.calls.ports.give_back(sides[good], ports[good]);
                }
                Err(error) => {
                    self.calls.ports.give_back(sides[0], ports[0]);
                    self.calls.ports.give_back(sides[1], ports[1]);
                    opened = Err(match error {
                        RelayError::NoAddress(_) => Cause::NoInterface,
                        _ => Cause::FilesExhausted,
                    });
                    break;
                }
            }
        }
        for (side, port) in taken {
            self.calls.ports.give_back(side, port);
        }
        match opened {
            Ok(ports) => {
                if let Some(relay) = self.calls.relays.get_mut(handle) {
                    relay.ports = ports;
                }
                self.shortages.over(Cause::PortsExhausted);
                self.shortages.over(Cause::FilesExhausted);
                log::debug!(target: class::RTP, "relay opened on ports {} and {}", ports[0], ports[1]);
                Ok(handle)
            }
            Err(cause) => {
                self.calls.relays.remove(handle);
                Err(cause)
            }
        }
    }

    /// Binds a leg to our address of a family too, for a party that names its own by that.
    pub(in crate::engine) fn add_family(
        &mut self,
        handle: Handle,
        leg: Leg,
        family: Family,
        out: &mut dyn Sink,
    ) -> Result<(), Cause> {
        let Some(relay) = self.calls.relays.get_mut(handle) else { return Err(Cause::PortsExhausted) };
        let bound = &mut relay.bound[leg as usize][family as usize];
        if *bound {
            return Ok(());
        }
        match out.relay(RelayCmd::AddFamily { relay: handle, leg, family }) {
            Ok(_) => {
                *bound = true;
                self.calls.version = self.calls.version.wrapping_add(1);
                Ok(())
            }
            Err(RelayError::NoAddress(_)) => Err(Cause::MediaFamily(family)),
            Err(RelayError::PortTaken(_)) => Err(Cause::PortTaken),
            Err(RelayError::Resources) => Err(Cause::FilesExhausted),
        }
    }
}
