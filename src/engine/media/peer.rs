//! Where a party's media comes from and goes to, by what its description says.

use crate::engine::Engine;
use crate::engine::io::Side;
use crate::family::Family;
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::rtp::latch::{MAX_ALLOWED, Peer};
use crate::sdp::Section;
use crate::sdp::terms::terms;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The lowest port that media is sent to. Below are the ports of services, and no NAT maps one that is not below to there (RFC 4787
/// REQ-3): whoever names one wants our packets to go to somebody's nameserver, say.
const MIN_PORT: u16 = 1024;

impl Engine {
    /// What a section says about where its party's media comes from and goes to. From the WAN nothing is believed that would
    /// send media into the LAN, from nobody what would send it to a service of this host or to more than one host. `bytes` is what the
    /// section was read from.
    pub(super) fn peer_of(&self, bytes: &[u8], section: &Section, side: Side, signalling: IpAddr) -> Peer {
        let signalling = signalling.to_canonical();
        let named = section.address.filter(|ip| !ip.is_unspecified());
        let may_be =
            |place: &SocketAddr| self.is_reachable(place.host(), side) && self.may_be_media(*place, side, signalling);
        let rtp = named.map(|ip| SocketAddr::new(ip, section.port));
        let announced = rtp.filter(may_be);
        if announced.is_none()
            && let Some(rtp) = rtp
        {
            log::info!(target: class::RTP, "a description from {signalling} has its media at {rtp}, where it cannot be: nothing is sent there");
        }
        let host = self.host_of(section, side, signalling);
        let rtcp_port = section.rtcp.map_or(section.port.checked_add(1), |rtcp| Some(rtcp.port));
        // The leg may have no socket of another family than that of RTP.
        let is_beside = |ip: &IpAddr| host.is_none_or(|rtp| Family::of(rtp) == Family::of(*ip));
        let rtcp_ip = section.rtcp.and_then(|rtcp| rtcp.address).filter(is_beside);
        let rtcp_ip = rtcp_ip.filter(|ip| self.may_be_host(*ip, side, signalling));
        let rtcp = rtcp_ip.or(host).zip(rtcp_port).map(|(ip, port)| SocketAddr::new(ip, port)).filter(may_be);
        let mut allowed = [None; MAX_ALLOWED];
        allowed[0] = host;
        allowed[1] = Some(signalling).filter(|ip| Some(*ip) != host);
        Peer {
            allowed,
            rtp: announced,
            rtcp,
            rtcp_mux: section.rtcp_mux,
            family: host.map(Family::of),
            ours: [announced, rtcp].into_iter().flatten().any(|place| self.is_of_relay(place, side)),
            terms: terms(bytes, section),
        }
    }

    /// The host that the media of a section comes from, where it can be there: its port may be one that nothing is sent to.
    pub(super) fn host_of(&self, section: &Section, side: Side, signalling: IpAddr) -> Option<IpAddr> {
        section.address.filter(|ip| !ip.is_unspecified() && self.is_reachable(*ip, side)).filter(|ip| {
            let place = SocketAddr::new(*ip, section.port);
            self.may_be_host(*ip, side, signalling) || self.may_be_media(place, side, signalling)
        })
    }

    /// Whether we have an address of the family of `ip` on `side`.
    fn is_reachable(&self, ip: IpAddr, side: Side) -> bool {
        self.own_of(side, Family::of(ip)).is_some()
    }

    /// Whether media of a party on `side`, whose signalling comes from `signalling`, may be sent to `place`.
    pub(in crate::engine) fn may_be_media(&self, place: SocketAddr, side: Side, signalling: IpAddr) -> bool {
        place.port() >= MIN_PORT
            && (self.is_of_relay(place, side) || self.may_be_host(place.host(), side, signalling))
            && !(self.is_here(place.host()) && place.port() == self.settings().sip_listen_port)
    }

    /// Whether `place` is a port of a relay of ours: of the other call, where two phones of this house talk through their provider.
    fn is_of_relay(&self, place: SocketAddr, side: Side) -> bool {
        let shared = self.addresses.are_shared();
        let holds = |side| self.calls.ports.holds(side, place.port());
        self.is_at_relay(place.host(), side) && (holds(side) || (shared && (holds(Side::Lan) || holds(Side::Wan))))
    }

    /// Whether `place` can have been a port of a relay of ours, before the relays of all saved calls are open again.
    pub(in crate::engine) fn was_of_relay(&self, place: SocketAddr, side: Side) -> bool {
        // RTCP has the port above.
        let ports = self.settings().rtp_port_low..=self.settings().rtp_port_high.saturating_add(1);
        self.is_at_relay(place.host(), side) && ports.contains(&place.port())
    }

    /// Whether a relay that faces `side` can be at `ip`.
    pub(in crate::engine) fn is_at_relay(&self, ip: IpAddr, side: Side) -> bool {
        self.is_here(ip) && (side == Side::Wan || self.is_lan(ip))
    }

    /// Whether an address is this host's, the one that it is known by on the WAN included.
    fn is_here(&self, ip: IpAddr) -> bool {
        self.addresses.is_own(ip) || self.is_outside(ip)
    }

    /// Whether a party on `side` may have its media at the host `ip`. On this host it may be where its signalling is too.
    pub(in crate::engine) fn may_be_host(&self, ip: IpAddr, side: Side, signalling: IpAddr) -> bool {
        let is_there = ip == signalling
            || (!self.addresses.is_own(ip)
                && match side {
                    Side::Lan => self.is_lan(ip) && self.is_one_host(ip),
                    Side::Wan => self.is_on_wan(ip),
                });
        // Link-local addresses are good for nothing without their zone, which means nothing on another host (RFC 4007 §6).
        is_there && !is_link_local_v6(ip)
    }

    /// Whether an address is nobody's but one host's, and not this host's whatever that is.
    pub(in crate::engine) fn is_one_host(&self, ip: IpAddr) -> bool {
        let is_single = match ip {
            IpAddr::V4(v4) => !v4.is_broadcast() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => !v6.is_unspecified(),
        };
        is_single && !ip.is_multicast() && !ip.is_loopback() && !self.addresses.is_broadcast(ip)
    }

    /// Whether an address that somebody on the WAN names can be on the WAN: it must be nobody's but one host's, and not on
    /// the LAN. A private one can only be there if ours there is private too (RFC 1918, RFC 6598).
    pub(in crate::engine) fn is_on_wan(&self, ip: IpAddr) -> bool {
        let inner = match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => embedded(v6),
        };
        let ours_is_private = self.addresses.of_family(Side::Wan, Family::of(ip)).is_some_and(is_private);
        self.is_one_host(ip)
            && !is_link_local_v6(ip)
            && inner.is_none_or(|v4| self.is_on_wan(IpAddr::V4(v4)))
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
