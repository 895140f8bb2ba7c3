//! Our own addresses, and which addresses are on the LAN.

use super::io::{Prefix, Side};
use super::settings::Prefixes;
use crate::family::Family;
use crate::host::Host;
use core::net::{IpAddr, SocketAddr};

/// What the interfaces have now.
#[derive(Debug)]
pub(super) struct Addresses {
    lan: Prefixes,
    wan: Prefixes,
}

impl Addresses {
    pub(super) const fn new() -> Self {
        Self { lan: Prefixes::new(), wan: Prefixes::new() }
    }

    /// Takes what an interface has now; `true` where that changes the address we use.
    pub(super) fn set(&mut self, side: Side, addrs: &[Prefix]) -> bool {
        let before = self.of(side);
        let list = match side {
            Side::Lan => &mut self.lan,
            Side::Wan => &mut self.wan,
        };
        list.clear();
        for prefix in addrs {
            if list.push(*prefix).is_err() {
                break;
            }
        }
        before != self.of(side)
    }

    /// The address we use on `side`, if it has one now. IPv4 goes first.
    pub(super) fn of(&self, side: Side) -> Option<IpAddr> {
        Family::BOTH.into_iter().find_map(|family| self.of_family(side, family))
    }

    /// The address of a family that we use on `side`.
    pub(super) fn of_family(&self, side: Side, family: Family) -> Option<IpAddr> {
        let list = match side {
            Side::Lan => &self.lan,
            Side::Wan => &self.wan,
        };
        list.iter().map(|prefix| prefix.address).find(|address| Family::of(*address) == family)
    }

    /// Whether both sides have one address, so that a port is taken for both.
    pub(super) fn are_shared(&self) -> bool {
        Family::BOTH.into_iter().any(|family| {
            let [lan, wan] = [Side::Lan, Side::Wan].map(|side| self.of_family(side, family));
            lan.is_some() && lan == wan
        })
    }

    /// Whether `address` is one of the router's own.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.lan.iter().chain(&self.wan).any(|p| p.address == address)
    }

    /// Whether `address` is on the LAN: in `lan_networks`, or where that is empty, in a prefix of the LAN interface.
    pub(super) fn is_lan(&self, lan_networks: &Prefixes, address: IpAddr) -> bool {
        let networks = if lan_networks.is_empty() { &self.lan } else { lan_networks };
        networks.iter().any(|p| p.contains(address)) && self.of_family(Side::Wan, Family::of(address)) != Some(address)
    }

    /// Whether `address` is in a network of the WAN interface.
    pub(super) fn is_on_wan_interface(&self, address: IpAddr) -> bool {
        self.wan.iter().any(|p| p.contains(address))
    }

    /// Whether `address` is the broadcast address of a network that an interface is in, or that network's own (RFC 919, RFC 1122 §3.3.6).
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        self.lan.iter().chain(&self.wan).any(|prefix| match address {
            // In a network of two there is none (RFC 3021).
            IpAddr::V4(ip) if prefix.contains(address) && prefix.length < 31 => {
                let host = u32::MAX >> prefix.length;
                matches!(ip.to_bits() & host, 0) || ip.to_bits() & host == host
            }
            _ => false,
        })
    }

    /// Whether `address` is in a network of the LAN interface, whatever counts as LAN.
    pub(super) fn is_on_lan_interface(&self, address: IpAddr) -> bool {
        self.lan.iter().any(|p| p.contains(address)) && !self.wan.iter().any(|p| p.address == address)
    }
}

/// An address as 16 bytes, one of IPv4 mapped (RFC 4291 §2.5.5.2).
pub(super) const fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Writes `address` as the host of a URI or Via: IPv6 in brackets (RFC 3261 §25.1).
#[derive(Clone, Copy)]
pub(super) struct UriHost(pub(super) IpAddr);

impl core::fmt::Display for UriHost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}"),
            IpAddr::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// `host:port` of a URI or Via.
#[derive(Clone, Copy)]
pub(super) struct HostAndPort(pub(super) SocketAddr);

impl core::fmt::Display for HostAndPort {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", UriHost(self.0.host()), self.0.port())
    }
}
