//! One leg of a relay: its two sockets, and what is known of the party it faces.

use crate::engine::Side;
use crate::engine::io::LegCounters;
use crate::family::Family;
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
    side: Side,
    port: u16,
    /// By the family of the address they are bound to.
    sockets: [Option<Sockets>; 2],
    pub(super) latch: Latch,
    pub(super) counters: LegCounters,
}

/// RTP's and RTCP's, on one address.
#[derive(Debug)]
struct Sockets {
    rtp: Socket,
    rtcp: Socket,
}

impl LegState {
    /// A closed leg without sockets, for `port` on `side`.
    pub(super) fn new(side: Side, port: u16, latching: Latching) -> Self {
        Self { side, port, sockets: [None, None], latch: Latch::new(latching), counters: LegCounters::default() }
    }

    pub(super) const fn side(&self) -> Side {
        self.side
    }

    /// Binds it to `address`, with RTP on its port and RTCP on the port above.
    pub(super) fn bind(&mut self, address: IpAddr, dscp: u8) -> io::Result<()> {
        let above = self.port.checked_add(1).ok_or(io::ErrorKind::AddrInUse)?;
        let rtp = bind(SocketAddr::new(address, self.port), dscp)?;
        let rtcp = bind(SocketAddr::new(address, above), dscp)?;
        self.sockets[Family::of(address) as usize] = Some(Sockets { rtp, rtcp });
        Ok(())
    }

    /// The socket of a family; `None` where it is not bound to one.
    pub(super) fn socket(&self, family: Family, rtcp: bool) -> Option<&Socket> {
        let sockets = self.sockets[family as usize].as_ref()?;
        Some(if rtcp { &sockets.rtcp } else { &sockets.rtp })
    }

    /// What the sockets of a family are bound to; `None` where there are none.
    pub(super) fn address(&self, family: Family) -> Option<IpAddr> {
        let rtp = self.socket(family, false)?.local_addr().ok()?.as_socket()?;
        Some(rtp.ip())
    }

    /// Gives the sockets of a family back to the system.
    pub(super) fn unbind(&mut self, family: Family) {
        self.sockets[family as usize] = None;
    }

    /// Number of sockets.
    pub(super) fn len(&self) -> usize {
        2 * self.sockets.iter().flatten().count()
    }

    /// Where what comes from the other leg goes.
    pub(super) fn destination(&self, rtcp: bool) -> Option<SocketAddr> {
        if rtcp { self.latch.rtcp_destination() } else { self.latch.rtp_destination() }
    }
}

/// A media socket on `address`.
fn bind(address: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // What comes over IPv4 comes to sockets of IPv4 only.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    // Wishes: media flows without them.
    let _ = socket.set_recv_buffer_size(RECEIVE_QUEUE);
    dscp::mark(&socket, address.is_ipv6(), dscp);
    Ok(socket)
}
