//! A NAT before the router, as a provider's modem is one: it keeps ports, and lets in what was sent out to before.

use crate::net;
use crate::world::WAN_ADDRESS;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use siproxd::time::Instant;
use smoltcp::wire::Ipv4Packet;
use std::collections::BTreeMap;

/// How long the way in stays open after a UDP packet out; of TCP, hours.
const UDP_SECS: u32 = 30;
const TCP_SECS: u32 = 7440;
/// The ports that a person has to open for media, with their RTCP.
const FORWARDED: core::ops::RangeInclusive<u16> = 7070..=7089;

pub struct Nat {
    pub inside: Ipv4Addr,
    /// Until when packets come in, by protocol, our port and the far end.
    open: BTreeMap<(bool, u16, SocketAddr), Instant>,
}

impl Nat {
    pub const fn new() -> Self {
        Self { inside: Ipv4Addr::new(100, 64, 0, 2), open: BTreeMap::new() }
    }

    /// A packet from the router.
    pub fn out(&mut self, packet: &mut [u8], now: Instant) -> bool {
        let Some(seen) = net::seen(packet).filter(|seen| seen.from.ip() == IpAddr::V4(self.inside)) else {
            return false;
        };
        let until = now.after_secs(if seen.is_udp { UDP_SECS } else { TCP_SECS });
        self.open.insert((seen.is_udp, seen.from.port(), seen.to), until);
        Ipv4Packet::new_unchecked(packet).set_src_addr(WAN_ADDRESS);
        true
    }

    /// A packet for the router; others pass as they are.
    pub fn into(&mut self, packet: &mut [u8], now: Instant) -> bool {
        let Some(seen) = net::seen(packet) else { return false };
        if seen.to.ip() != IpAddr::V4(WAN_ADDRESS) {
            return true;
        }
        let is_open = self.open.get(&(seen.is_udp, seen.to.port(), seen.from)).is_some_and(|until| *until > now);
        let passes = is_open || seen.is_udp && FORWARDED.contains(&seen.to.port());
        if passes {
            Ipv4Packet::new_unchecked(packet).set_dst_addr(self.inside);
        }
        passes
    }
}
