//! Messages that phones send past us, and that the router hands to us all the same (TPROXY), with where they were to go.
//!
//! To such a phone we are the server that it sends to: what it gets from us comes from that server's address, answers and calls alike. The
//! last server that a phone has sent to counts, and only on the port that is ours; other phones, and those that send to us, hear us from
//! our own address.

use crate::host::Host;
use core::net::{IpAddr, SocketAddr};
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, sendmsg, setsockopt,
    sockopt,
};
use socket2::Socket;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;

/// Phones that are remembered; the one that was silent longest is forgotten first, and then hears us from our own address.
const MAX_PHONES: usize = 64;

/// Whom each phone takes us for.
#[derive(Debug, Default)]
pub(super) struct Impersonated {
    /// A phone, and the server that it sent to last; who sent last is last.
    list: heapless::Vec<(SocketAddr, SocketAddr), MAX_PHONES>,
}

impl Impersonated {
    /// Notes that `phone` has sent to `server`.
    pub(super) fn note(&mut self, phone: SocketAddr, server: SocketAddr) {
        if let Some(place) = self.list.iter().position(|(known, _)| *known == phone) {
            self.list.remove(place);
        } else if self.list.is_full() {
            self.list.remove(0);
        }
        // A place has just been made.
        let _ = self.list.push((phone, server));
    }

    /// The address that `phone` expects us to have, if it sends to another than ours on `port`.
    pub(super) fn source_for(&self, phone: SocketAddr, port: u16) -> Option<IpAddr> {
        let (_, server) = self.list.iter().find(|(known, _)| *known == phone)?;
        (server.port() == port).then(|| server.host())
    }
}

/// Makes a socket of UDP take what is meant for others, tell for whom, and send with their addresses.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub(super) fn prepare(socket: &Socket, is_ipv6: bool) -> io::Result<()> {
    // Linux keeps one such mark for both families (ip(7), ipv6(7)).
    setsockopt(socket, sockopt::IpTransparent, &true)?;
    match is_ipv6 {
        true => setsockopt(socket, sockopt::Ipv6OrigDstAddr, &true)?,
        false => setsockopt(socket, sockopt::Ipv4OrigDstAddr, &true)?,
    }
    Ok(())
}

/// Sends one datagram with the address `source`, from the port that the socket is bound to.
pub(super) fn send_as(socket: &Socket, source: IpAddr, to: SocketAddr, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let send =
        |control| sendmsg(socket.as_raw_fd(), parts, &[control], MsgFlags::empty(), Some(&SockaddrStorage::from(to)));
    Ok(match source {
        IpAddr::V4(source) => send(ControlMessage::Ipv4PacketInfo(&in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(source.octets()) },
            ipi_addr: in_addr { s_addr: 0 },
        })),
        IpAddr::V6(source) => send(ControlMessage::Ipv6PacketInfo(&in6_pktinfo {
            ipi6_addr: in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: 0,
        })),
    }?)
}

/// Where a datagram was sent to, if a control message tells it.
pub(super) fn original(control: &ControlMessageOwned) -> Option<SocketAddr> {
    match control {
        ControlMessageOwned::Ipv4OrigDstAddr(to) => Some(SocketAddr::V4(SockaddrIn::from(*to).into())),
        ControlMessageOwned::Ipv6OrigDstAddr(to) => Some(SocketAddr::V6(SockaddrIn6::from(*to).into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_last_server_of_each_phone_counts() {
        let mut them = Impersonated::default();
        let (phone, other) = (at("10.0.0.2:5060"), at("10.0.0.3:5060"));
        assert_eq!(them.source_for(phone, 5060), None);
        them.note(phone, at("203.0.113.10:5060"));
        them.note(other, at("203.0.113.11:5080"));
        them.note(phone, at("203.0.113.12:5060"));
        assert_eq!(them.source_for(phone, 5060), Some([203, 0, 113, 12].into()));
        assert_eq!(them.source_for(other, 5060), None, "we cannot have another port than ours");
        assert_eq!(them.list.len(), 2);
    }

    #[test]
    fn who_was_silent_longest_is_forgotten_first() {
        let mut them = Impersonated::default();
        let phone = |number: usize| SocketAddr::from(([10, 0, 0, number as u8], 5060));
        for number in 0..MAX_PHONES {
            them.note(phone(number), at("203.0.113.10:5060"));
        }
        them.note(phone(0), at("203.0.113.10:5060"));
        them.note(phone(MAX_PHONES), at("203.0.113.10:5060"));
        let known = |number| them.source_for(phone(number), 5060).is_some();
        assert!(known(0) && known(MAX_PHONES) && known(2) && !known(1));
    }
}
