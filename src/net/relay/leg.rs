//! One leg of a relay: its two sockets, and what is known of the party it faces.

use super::batch::WayOut;
use super::place::Port;
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

/// RTP packets of a leg after which its peer gets a socket of its own: to make one and to close it costs 30 to 40 µs, and each packet that
/// goes to the peer costs some 0.6 µs less (docs/performance.md), so that it has paid after one second more or two. A party that is
/// silent costs nothing.
const STEADY: u32 = 32;

/// One leg: its sockets and what is known of its peer.
#[derive(Debug)]
pub(super) struct LegState {
    side: Side,
    port: u16,
    /// By the family of the address they are bound to.
    sockets: [Option<Sockets>; 2],
    own: Own,
    pub(super) latch: Latch,
    pub(super) counters: LegCounters,
}

/// RTP's and RTCP's, on one address.
#[derive(Debug)]
struct Sockets {
    rtp: Socket,
    rtcp: Socket,
}

/// The socket that is connected to the peer.
#[derive(Debug)]
enum Own {
    /// There is none.
    None,
    /// There is one, to this peer.
    Connected(Socket, SocketAddr),
    /// The system would not make one for this peer.
    Refused,
}

impl LegState {
    /// A closed leg without sockets, for `port` on `side`.
    pub(super) fn new(side: Side, port: u16, latching: Latching) -> Self {
        Self {
            side,
            port,
            sockets: [None, None],
            own: Own::None,
            latch: Latch::new(latching),
            counters: LegCounters::default(),
        }
    }

    pub(super) const fn side(&self) -> Side {
        self.side
    }

    /// Binds it to `address`, with RTP on its port and RTCP on the port above.
    pub(super) fn bind(&mut self, address: IpAddr, dscp: u8) -> io::Result<()> {
        let above = self.port.checked_add(1).ok_or(io::ErrorKind::AddrInUse)?;
        let rtp = bind(SocketAddr::new(address, self.port), dscp)?;
        let rtcp = bind(SocketAddr::new(address, above), dscp)?;
        let family = Family::of(address);
        self.unbind(family);
        self.sockets[family as usize] = Some(Sockets { rtp, rtcp });
        Ok(())
    }

    /// The socket of a family to receive from; `None` where there is none.
    pub(super) fn socket(&self, family: Family, port: Port) -> Option<&Socket> {
        let sockets = self.sockets[family as usize].as_ref()?;
        match (port, &self.own) {
            (Port::Rtp, _) => Some(&sockets.rtp),
            (Port::Rtcp, _) => Some(&sockets.rtcp),
            (Port::Peer, Own::Connected(own, peer)) if Family::of(peer.ip()) == family => Some(own),
            (Port::Peer, _) => None,
        }
    }

    /// By which socket and to whom what comes from the other leg goes; `None` where it goes nowhere.
    pub(super) fn way_out(&self, rtcp: bool) -> Option<WayOut<'_>> {
        if rtcp {
            let destination = self.latch.rtcp_destination()?;
            let socket = self.socket(Family::of(destination.ip()), Port::Rtcp)?;
            return Some(WayOut { socket, named: Some(destination) });
        }
        let destination = self.latch.rtp_destination()?;
        match &self.own {
            Own::Connected(socket, peer) if *peer == destination => Some(WayOut { socket, named: None }),
            _ => {
                Some(WayOut { socket: self.socket(Family::of(destination.ip()), Port::Rtp)?, named: Some(destination) })
            }
        }
    }

    /// Makes a socket for the peer, where it is known for good, keeps sending to the port of `family` and has none; `register` has the
    /// event loop wait for it.
    pub(super) fn connect(&mut self, family: Family, dscp: u8, register: impl FnOnce(&Socket) -> io::Result<()>) {
        if matches!(self.own, Own::None)
            && self.counters.packets >= STEADY
            && let Some(peer) = self.latch.settled()
            && Family::of(peer.ip()) == family
            && let Some(shared) = self.socket(family, Port::Rtp)
        {
            let made = connect(shared, peer, dscp).and_then(|own| register(&own).map(|()| own));
            self.own = made.map_or(Own::Refused, |own| Own::Connected(own, peer));
        }
    }

    /// The family of the peer's socket; `None` where there is none.
    pub(super) fn family_of_own(&self) -> Option<Family> {
        match &self.own {
            Own::Connected(_, peer) => Some(Family::of(peer.ip())),
            Own::None | Own::Refused => None,
        }
    }

    /// Closes the socket of a peer that is not the peer any more.
    pub(super) fn disconnect_other(&mut self) {
        match &self.own {
            Own::Connected(_, peer) if self.latch.settled() == Some(*peer) => {}
            _ => self.disconnect(),
        }
    }

    /// Closes the socket of the peer.
    pub(super) fn disconnect(&mut self) {
        self.own = Own::None;
    }

    /// What the sockets of a family are bound to; `None` where there are none.
    pub(super) fn address(&self, family: Family) -> Option<IpAddr> {
        let rtp = self.socket(family, Port::Rtp)?.local_addr().ok()?.as_socket()?;
        Some(rtp.ip())
    }

    /// Gives the sockets of a family back to the system.
    pub(super) fn unbind(&mut self, family: Family) {
        self.sockets[family as usize] = None;
        if !matches!(&self.own, Own::Connected(_, peer) if Family::of(peer.ip()) != family) {
            self.disconnect();
        }
    }

    /// Number of sockets, without the peer's own.
    pub(super) fn len(&self) -> usize {
        2 * self.sockets.iter().flatten().count()
    }
}

/// A media socket on `address`.
fn bind(address: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let socket = open(address)?;
    socket.bind(&address.into())?;
    prepare(&socket, address, dscp);
    Ok(socket)
}

/// A socket on the port of `shared` that is connected to `peer`. Linux gives a datagram to the socket that matches it best: to this one
/// what comes from there, to `shared` all else.
fn connect(shared: &Socket, peer: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let address = shared.local_addr()?;
    let socket = open(peer)?;
    socket.set_reuse_port(true)?;
    shared.set_reuse_port(true)?;
    let bound = socket.bind(&address);
    // Nobody else shall have a share in the port.
    let closed = shared.set_reuse_port(false).and_then(|()| socket.set_reuse_port(false));
    bound.and(closed)?;
    prepare(&socket, peer, dscp);
    socket.connect(&peer.into())?;
    Ok(socket)
}

/// A socket of the family of `address`.
fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // What comes over IPv4 comes to sockets of IPv4 only.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Sets what all media sockets have.
fn prepare(socket: &Socket, address: SocketAddr, dscp: u8) {
    // Wishes: media flows without them.
    let _ = socket.set_recv_buffer_size(RECEIVE_QUEUE);
    dscp::mark(socket, address.is_ipv6(), dscp);
}
