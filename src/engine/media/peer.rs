//! Where a party's media comes from and goes to, by what its description says.

use crate::engine::Engine;
use crate::engine::io::Side;
use crate::rtp::latch::{MAX_ALLOWED, Peer};
use crate::sdp::Section;
use crate::sdp::terms::terms;
use core::net::{IpAddr, SocketAddr};

impl Engine {
    /// What a section says about where its party's media comes from and goes to. From the WAN nothing is believed that would
    /// send media into the LAN. `bytes` is what the section was read from.
    pub(super) fn peer_of(&self, bytes: &[u8], section: &Section, side: Side, signalling: IpAddr) -> Peer {
        let is_usable = |ip: &IpAddr| match side {
            // Ours only for who is on this machine: two legs that send to each other would do so for ever.
            Side::Lan => *ip == signalling || (self.is_lan(*ip) && self.own(Side::Lan) != Some(*ip)),
            Side::Wan => *ip == signalling || self.is_on_wan(ip.to_canonical()),
        };
        let announced = section.address.filter(|ip| !ip.is_unspecified()).filter(is_usable);
        let rtcp_port =
            section.rtcp.map_or(section.port.checked_add(1), |rtcp| Some(rtcp.port)).filter(|port| *port != 0);
        let rtcp_ip = section.rtcp.and_then(|r| r.address).filter(is_usable).or(announced);
        let mut allowed = [None; MAX_ALLOWED];
        allowed[0] = announced;
        allowed[1] = Some(signalling).filter(|ip| Some(*ip) != announced);
        Peer {
            allowed,
            rtp: announced.map(|ip| SocketAddr::new(ip, section.port)),
            rtcp: rtcp_ip.zip(rtcp_port).map(|(ip, port)| SocketAddr::new(ip, port)),
            rtcp_mux: section.rtcp_mux,
            terms: terms(bytes, section),
        }
    }

    /// Whether an address that somebody on the WAN names can be on the WAN: it must be nobody's but one host's, and not on
    /// the LAN. A private one can only be there if ours there is private too (RFC 1918, RFC 6598).
    pub(in crate::engine) fn is_on_wan(&self, ip: IpAddr) -> bool {
        let is_single = match ip {
            IpAddr::V4(v4) => !v4.is_broadcast() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => !v6.is_unspecified(),
        };
        let ours_is_private = self.addresses.of(Side::Wan).is_some_and(is_private);
        is_single
            && !ip.is_multicast()
            && !ip.is_loopback()
            && !self.is_lan(ip)
            && !self.addresses.is_on_lan_interface(ip)
            && (ours_is_private || !is_private(ip))
    }
}

/// Whether an address is of a network that the Internet has no way to (RFC 1918, RFC 3927, RFC 6598, RFC 4193).
pub(in crate::engine) const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xC0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
