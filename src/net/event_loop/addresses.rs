//! The event loop's part for the interfaces: sockets follow their addresses, and the engine is told.

use super::{EventLoop, List};
use crate::engine::Engine;
use crate::engine::io::{Input, Side};
use crate::family::Family;
use crate::log_class::{NET, log};
use crate::net::listener::BindError;
use crate::process::with_net_admin;

impl EventLoop {
    /// Follows the interfaces while running. What cannot be bound now is tried again.
    pub(super) fn address_change(&mut self, engine: &mut Engine) {
        let is_known = self.is_incomplete();
        if let Err(error) = self.take_addresses()
            && !is_known
        {
            log::error!(target: NET, "{error}; trying again");
        }
        if let Err(error) = self.open_debug_port() {
            log::error!(target: NET, "{error}");
        }
        self.tell_addresses(engine);
    }

    /// Moves the sockets to the addresses that the interfaces have now.
    pub(super) fn take_addresses(&mut self) -> Result<(), BindError> {
        self.watch.tell_choices();
        for side in [Side::Lan, Side::Wan] {
            for family in Family::BOTH {
                let address = self.watch.interface(side).address_of(family);
                let left_behind = self.out.relay.set_address(side, family, address);
                if left_behind > 0 {
                    log::error!(target: NET, "{left_behind} media ports cannot be bound to the new {} address: others have them, and their calls are without audio", side.name());
                }
            }
        }
        let [lan, wan] = [Side::Lan, Side::Wan].map(|side| self.watch.interface(side));
        let (conntrack, listener, tcp) = (&mut self.conntrack, &mut self.out.listener, &mut self.out.tcp);
        let mut bound = Ok(());
        with_net_admin(&mut || {
            conntrack.set_address(wan.address());
            let udp = listener.set_interfaces(lan, wan);
            bound = udp.and(tcp.set_interfaces(lan, wan));
        });
        bound
    }

    pub(super) fn is_incomplete(&self) -> bool {
        self.out.listener.is_incomplete() || self.out.tcp.is_incomplete()
    }

    /// Tells the engine of each side whose addresses are not those it was told last.
    pub(super) fn tell_addresses(&mut self, engine: &mut Engine) {
        for side in [Side::Lan, Side::Wan] {
            let addresses = self.watch.interface(side).addresses.clone();
            if self.told[side as usize].as_ref() == Some(&addresses) {
                continue;
            }
            let (network, name) = (side.name(), self.watch.name(side));
            match &addresses[..] {
                [] if name.is_empty() => {
                    log::warn!(target: NET, "there is no {network} interface now; waiting for one");
                }
                [] => log::warn!(target: NET, "{network} interface {name} has no address now; waiting for one"),
                all => log::info!(target: NET, "{network} interface {name} has {}", List(all)),
            }
            self.tell(engine, Input::Address { side, addrs: &addresses });
            self.told[side as usize] = Some(addresses);
        }
    }
}
