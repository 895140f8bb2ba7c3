//! Where a party's media comes from and goes to, by what its description says.

use crate::engine::Engine;
use crate::engine::io::Side;
use crate::family::Family;
use crate::rtp::latch::{MAX_ALLOWED, Peer};
use crate::sdp::Section;
use crate::sdp::terms::terms;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

impl Engine {
    /// What a section says about where its party's media comes from and goes to. From the WAN nothing is believed that would
    /// send media into the LAN. `bytes` is what the section was read from.
    pub(super) fn peer_of(&self, bytes: &[u8], section: &Section, side: Side, signalling: IpAddr) -> Peer {
        let signalling = signalling.to_canonical();
        let is_usable = |ip: &IpAddr| {
            // Link-local addresses are good for nothing without their zone, which means nothing on another host (RFC 4007 §6).
            let is_one_host = !ip.is_unspecified() && !ip.is_multicast() && !is_link_local_v6(*ip);
            let is_there = match side {
                // Ours only for who is on this machine: two legs that send to each other would do so for ever.
                Side::Lan => {
                    *ip == signalling || (self.is_lan(*ip) && self.own_of(Side::Lan, Family::of(*ip)) != Some(*ip))
                }
                Side::Wan => *ip == signalling || self.is_on_wan(*ip),
            };
            is_one_host && is_there && self.own_of(side, Family::of(*ip)).is_some()
        };
        let announced = section.address.filter(is_usable);
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
            family: announced.map(Family::of),
            terms: terms(bytes, section),
        }
    }

    /// Whether an address that somebody on the WAN names can be on the WAN: it must be nobody's but one host's, and not on
    /// the LAN. A private one can only be there if ours there is private too (RFC 1918, RFC 6598).
    pub(in crate::engine) fn is_on_wan(&self, ip: IpAddr) -> bool {
        let is_single = match ip {
            IpAddr::V4(v4) => !v4.is_broadcast() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => {
                !v6.is_unspecified()
                    && !v6.is_unicast_link_local()
                    && embedded(v6).is_none_or(|v4| self.is_on_wan(IpAddr::V4(v4)))
            }
        };
        let ours_is_private = self.addresses.of_family(Side::Wan, Family::of(ip)).is_some_and(is_private);
        is_single
            && !ip.is_multicast()
            && !ip.is_loopback()
            && !self.is_lan(ip)
            && !self.addresses.is_on_lan_interface(ip)
            && (ours_is_private || !is_private(ip))
    }
}

/// Whether an address is of a network that the Internet has no way to (RFC 1918, RFC 3927, RFC 6598, RFC 4193, RFC 3879).
pub(in crate::engine) const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xC0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || is_site_local(ip),
    }
}

/// Whether it is an IPv6 address of one link (RFC 4291 §2.5.6).
pub(in crate::engine) const fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Whether it is a site-local address, `fec0::/10`: what came before unique local ones (RFC 3879).
const fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

/// The IPv4 address that what is sent to `ip` comes out to, where a host or router on the way translates it or takes it out of a tunnel:
/// IPv4-compatible (RFC 4291 §2.5.5.1), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380 §4).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => v4(g, h),
        [0x2002, high, low, ..] => v4(high, low),
        // The client's, with every bit turned.
        [0x2001, 0, ..] => v4(!g, !h),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ipv4_are_seen_in_those_of_ipv6() {
        let cases = [
            ("::10.0.0.2", Some("10.0.0.2")),
            ("64:ff9b::10.0.0.2", Some("10.0.0.2")),
            ("64:ff9b:1:2:3:4:a00:2", Some("10.0.0.2")),
            ("2002:a00:2::1", Some("10.0.0.2")),
            ("2001:0:cb00:7101:0:fbff:f5ff:fffd", Some("10.0.0.2")),
            ("2001:db8::a00:2", None),
            ("fd00::10.0.0.2", None),
        ];
        for (ip, inside) in cases {
            let inside = inside.map(|ip| ip.parse().expect("an address"));
            assert_eq!(embedded(ip.parse().expect("an address")), inside, "{ip}");
        }
    }
}
