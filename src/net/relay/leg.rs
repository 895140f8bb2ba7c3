//! One leg of a relay: its two sockets, and what is known of the party it faces.

use crate::engine::io::LegCounters;
use crate::net::dscp;
use crate::rtp::latch::{Latch, Latching};
use core::net::{IpAddr, SocketAddr};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

/// Receive queue of one socket in bytes: two seconds of audio at 50 packets a second.
const RECEIVE_QUEUE: usize = 64 * 1024;

/// One leg: its sockets and what is known of its peer.
#[derive(Debug)]
pub(super) struct LegState {
    pub(super) rtp: Socket,
    pub(super) rtcp: Socket,
    /// Both are bound to an IPv6 address.
    pub(super) v6: bool,
    pub(super) latch: Latch,
    pub(super) counters: LegCounters,
}

impl LegState {
    /// A closed leg with RTP on `port` and RTCP on the port above.
    pub(super) fn bind(address: IpAddr, port: u16, latching: Latching, dscp: u8) -> io::Result<Self> {
        let above = port.checked_add(1).ok_or(io::ErrorKind::AddrInUse)?;
        Ok(Self {
            rtp: bind(SocketAddr::new(address, port), dscp)?,
            rtcp: bind(SocketAddr::new(address, above), dscp)?,
            v6: address.is_ipv6(),
            latch: Latch::new(latching),
            counters: LegCounters::default(),
        })
    }

    pub(super) fn socket(&self, rtcp: bool) -> &Socket {
        if rtcp { &self.rtcp } else { &self.rtp }
    }

    /// Where what comes from the other leg goes.
    pub(super) fn destination(&self, rtcp: bool) -> Option<SocketAddr> {
        if rtcp { self.latch.rtcp_destination() } else { self.latch.rtp_destination() }
    }
}

/// A media socket on `address`.
fn bind(address: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    // Wishes: media flows without them.
    let _ = socket.set_recv_buffer_size(RECEIVE_QUEUE);
    dscp::mark(&socket, address.is_ipv6(), dscp);
    Ok(socket)
}
