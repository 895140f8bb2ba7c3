//! The SIP sockets: one bound to our LAN address, one to our WAN address.
//!
//! A bound socket answers from the address that was asked, and needs no control message to send. Where both sides have
//! the same address (a router on a stick, a single interface) there is one socket, and both channels mean it.

use super::dscp;
use super::ifaddr::{Addresses, Interface};
use super::text::{Text, size};
use super::transparency::{self, Impersonated, send_as};
use crate::engine::io::{Channel, SendError, Side};
use crate::host::Host;
use crate::limits::MAX_PARTS;
use crate::log_class::{NET, TRAFFIC, log};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

/// Datagrams taken from one SIP socket in one turn of the event loop.
pub const BUDGET: usize = 32;

/// Room for the control messages of one datagram: a packet info and a destination, or an ICMP error with the address of who sent it. The
/// longest is IPv6's error, 16 bytes of header, 16 of error and 28 of address.
const CONTROL: usize = 128;

/// A buffer for control messages, aligned as their headers, which are read in place: not every processor reads what is not.
#[repr(align(8))]
struct Control([u8; CONTROL]);

/// Receive queue in bytes: a burst of a few hundred messages while the relay is busy.
const RECEIVE_QUEUE: usize = 256 * 1024;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`: who reported an error (recvmsg(2), `IP_RECVERR` in ip(7)).
const ORIGIN_ICMP: [u8; 2] = [2, 3];

/// What a socket has for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A datagram, in the first bytes of the buffer.
    Datagram {
        /// The network of the interface it came in by.
        interface: Side,
        /// Its source.
        from: SocketAddr,
        /// Where it was sent to, if not to us: the router took it for us (see [`Listener::be_transparent`]).
        meant_for: Option<SocketAddr>,
        /// Its length in bytes.
        length: usize,
    },
    /// An ICMP error: what was sent to this address was not delivered.
    SendFailed {
        /// The destination.
        to: SocketAddr,
    },
    /// Nothing more until the next event.
    Nothing,
}

/// The SIP sockets of both sides.
#[derive(Debug)]
pub struct Listener {
    registry: Registry,
    tokens: [Token; 2],
    port: u16,
    dscp: u8,
    sockets: [Option<Bound>; 2],
    interfaces: [Interface; 2],
    /// Whom the phones take us for; `None` where nothing is taken for us.
    impersonated: Option<Impersonated>,
}

#[derive(Debug)]
struct Bound {
    socket: Socket,
    address: IpAddr,
    /// The system has told of an error that has not been read.
    failed: bool,
}

/// A socket could not be bound.
#[derive(Debug)]
pub struct BindError {
    /// The address and port.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub protocol: &'static str,
    /// Why.
    pub reason: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen for SIP on {} ({}): {}", self.address, self.protocol, self.reason)?;
        if self.reason.raw_os_error() == Some(Errno::EPERM as i32) {
            // Low ports are EACCES.
            write!(f, "; `transparent` needs CAP_NET_ADMIN, so start as root")?;
        }
        if self.reason.kind() == io::ErrorKind::AddrInUse {
            let option = if self.protocol == "TCP" { 't' } else { 'u' };
            write!(f, "; another program has the port, see `ss -l{option}np`, or set sip_listen_port")?;
        }
        Ok(())
    }
}

impl core::error::Error for BindError {}

impl Listener {
    /// A listener without sockets, for `port` on both sides; what it sends has the DSCP `dscp` (0 to 63). `tokens` are those of
    /// the LAN and of the WAN socket.
    #[must_use]
    pub fn new(registry: Registry, tokens: [Token; 2], port: u16, dscp: u8) -> Self {
        Self { registry, tokens, port, dscp, sockets: [None, None], interfaces: Default::default(), impersonated: None }
    }

    /// Takes messages that phones send to others, where the router hands them to our LAN socket (TPROXY), and speaks to those phones with
    /// the address that they sent to. Before the first [`Self::set_interfaces`], and only with CAP_NET_ADMIN.
    pub fn be_transparent(&mut self) {
        self.impersonated = Some(Impersonated::default());
    }

    /// Sets the DSCP of what is sent from now on, 0 to 63.
    pub fn set_dscp(&mut self, dscp: u8) {
        if core::mem::replace(&mut self.dscp, dscp) != dscp {
            for bound in self.sockets.iter().flatten() {
                dscp::mark_anew(&bound.socket, bound.address.is_ipv6(), dscp);
            }
        }
    }

    /// Sets what the interfaces have now: sockets of addresses that are gone are closed, those of new ones bound.
    ///
    /// # Errors
    /// The last socket that could not be bound; the side is then without one until the next call.
    pub fn set_interfaces(&mut self, lan: &Interface, wan: &Interface) -> Result<(), BindError> {
        self.interfaces = [lan.clone(), wan.clone()];
        let shared = lan.address().is_some() && lan.address() == wan.address();
        let wanted = [lan.address(), if shared { None } else { wan.address() }];
        // Both are closed first: an address may have moved from one interface to the other.
        for (socket, wanted) in self.sockets.iter_mut().zip(wanted) {
            if socket.as_ref().is_some_and(|bound| Some(bound.address) != wanted) {
                *socket = None;
            }
        }
        let mut result = Ok(());
        for (side, wanted) in wanted.into_iter().enumerate() {
            let Some(address) = wanted.filter(|_| self.sockets[side].is_none()) else { continue };
            let at = SocketAddr::new(address, self.port);
            match self.bind(at, self.tokens[side], side == Side::Lan as usize && self.impersonated.is_some()) {
                Ok(socket) => {
                    log::info!(target: NET, "listening for SIP on {at} (UDP)");
                    self.sockets[side] = Some(Bound { socket, address, failed: false });
                }
                Err(reason) => result = Err(BindError { address: at, protocol: "UDP", reason }),
            }
        }
        result
    }

    /// Whether a side has an address but no socket, because binding failed.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        [Side::Lan, Side::Wan]
            .into_iter()
            .any(|side| self.interfaces[side as usize].address().is_some() && self.sockets[self.place(side)].is_none())
    }

    /// Notes that an event told of an error: the next [`Self::receive`] looks for it first.
    pub fn note_error(&mut self, side: Side) {
        if let Some(bound) = &mut self.sockets[side as usize] {
            bound.failed = true;
        }
    }

    /// Takes what comes next from the socket of `side` into `buffer`. Does not wait.
    pub fn receive(&mut self, side: Side, buffer: &mut [u8]) -> Arrival {
        let Some(bound) = &mut self.sockets[side as usize] else { return Arrival::Nothing };
        // Each error is told twice: by the call that comes next, and in the error queue. Either may come first.
        for _ in 0..BUDGET {
            if bound.failed {
                match undelivered(&bound.socket) {
                    Ok(Some(to)) => return Arrival::SendFailed { to },
                    Ok(None) => continue,
                    Err(()) => bound.failed = false,
                }
            }
            match receive(&bound.socket, buffer) {
                Ok((Some(Source { from, index, to }), length)) => {
                    let interface = arrival_side(&self.interfaces, index, from.host());
                    let meant_for = to.filter(|to| to.host() != bound.address || to.port() != self.port);
                    // Only phones are spoken to with addresses of others.
                    if interface == Side::Lan
                        && let (Some(impersonated), Some(to)) = (&mut self.impersonated, meant_for)
                    {
                        impersonated.note(from, to);
                    }
                    log::debug!(
                        target: TRAFFIC,
                        "{length} bytes from {from} by the {interface:?} interface to our {side:?} address\n{}",
                        Text(&[buffer.get(..length).unwrap_or(&[])])
                    );
                    return Arrival::Datagram { interface, from, meant_for, length };
                }
                Ok((None, _)) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Arrival::Nothing,
                Err(_) => bound.failed = true,
            }
        }
        Arrival::Nothing
    }

    /// Sends one datagram, given as slices.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        let place = self.place(via.local);
        let bound = self.sockets[place].as_mut().ok_or(SendError::NoAddress)?;
        if parts.len() > MAX_PARTS {
            return Err(SendError::TooLarge);
        }
        log::debug!(target: TRAFFIC, "{} bytes to {to} from our {:?} address\n{}", size(parts), via.local, Text(parts));
        let slices: heapless::Vec<IoSlice<'_>, MAX_PARTS> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let source = self
            .impersonated
            .as_ref()
            .and_then(|them| them.source_for(to, self.port))
            .filter(|_| place == Side::Lan as usize);
        loop {
            let sent = match source {
                Some(source) => send_as(&bound.socket, source, to, &slices),
                None => bound.socket.send_to_vectored(&slices, &to.into()),
            };
            let Err(error) = sent else { return Ok(()) };
            return Err(match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => SendError::Busy,
                Some(Errno::EMSGSIZE) => SendError::TooLarge,
                Some(Errno::EINTR) => continue,
                // Most likely what became of an earlier datagram: once that is told, this one goes.
                Some(_) if !bound.failed => {
                    bound.failed = true;
                    continue;
                }
                _ => SendError::Unreachable,
            });
        }
    }

    /// The socket that stands for a side.
    fn place(&self, side: Side) -> usize {
        match side {
            Side::Wan if self.interfaces[0].address() == self.interfaces[1].address() => Side::Lan as usize,
            side => side as usize,
        }
    }

    fn bind(&self, address: SocketAddr, token: Token, transparent: bool) -> io::Result<Socket> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        match address {
            SocketAddr::V4(_) => {
                setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
                setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
            }
            SocketAddr::V6(_) => {
                socket.set_only_v6(true)?;
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
                setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
            }
        }
        if transparent {
            transparency::prepare(&socket, address.is_ipv6())?;
        }
        socket.bind(&address.into())?;
        // A wish: SIP works without it.
        let _ = socket.set_recv_buffer_size(RECEIVE_QUEUE);
        dscp::mark(&socket, address.is_ipv6(), self.dscp);
        self.registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(socket)
    }
}

/// The side that a datagram came in by.
///
/// What this host sends itself counts as LAN, whatever way it took. Where both sides are one interface, its own networks
/// are the LAN. An interface that is neither side's belongs to strangers.
fn arrival_side(interfaces: &[Interface; 2], index: u32, from: IpAddr) -> Side {
    let [lan, wan] = interfaces;
    let own = |interface: &Interface| interface.addresses.iter().any(|prefix| prefix.address == from);
    let on_link = |networks: &Addresses| networks.iter().any(|net| net.contains(from));
    if from.is_loopback() || own(lan) || own(wan) {
        return Side::Lan;
    }
    match (lan.index == Some(index), wan.index == Some(index)) {
        (true, true) if !on_link(&lan.addresses) => Side::Wan,
        (true, _) => Side::Lan,
        (false, _) => Side::Wan,
    }
}

/// Where a datagram came from.
struct Source {
    from: SocketAddr,
    /// The interface that it came by.
    index: u32,
    /// Where it was sent to, if the socket was asked to tell.
    to: Option<SocketAddr>,
}

/// Receives one datagram: its source, and its length.
fn receive(socket: &Socket, buffer: &mut [u8]) -> Result<(Option<Source>, usize), Errno> {
    let mut control = Control([0; CONTROL]);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
    let Some(from) = message.address.as_ref().and_then(socket_addr) else { return Ok((None, 0)) };
    let (mut index, mut to) = (0, None);
    for control in message.cmsgs().into_iter().flatten() {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => index = info.ipi_ifindex as u32,
            ControlMessageOwned::Ipv6PacketInfo(info) => index = info.ipi6_ifindex,
            other => to = transparency::original(&other).or(to),
        }
    }
    Ok((Some(Source { from, index, to }), message.bytes))
}

/// Takes one entry of a socket's error queue: the destination where an ICMP error says that it cannot be reached.
/// `Err` where the queue is empty.
fn undelivered(socket: &Socket) -> Result<Option<SocketAddr>, ()> {
    let mut control = Control([0; CONTROL]);
    // The queue gives back the start of the datagram, which is not needed.
    let mut start = [0; 1];
    let mut slices = [IoSliceMut::new(&mut start)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control.0), flags).map_err(drop)?;
    let to = message.address.as_ref().and_then(socket_addr);
    for control in message.cmsgs().into_iter().flatten() {
        let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) = control else {
            continue;
        };
        // A datagram too large for the path is sent again in fragments; it is not the peer that fails.
        let counts = ORIGIN_ICMP.contains(&error.ee_origin) && error.ee_errno != Errno::EMSGSIZE as u32;
        // The control messages come by value in a fixed order; there is one error in each datagram.
        return Ok(to.filter(|_| counts));
    }
    Ok(None)
}

/// A socket address of the system, where it is of the Internet.
pub(super) fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    match address.len() as usize {
        0 => None,
        _ => match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => Some(SocketAddr::V4((*v4).into())),
            (_, Some(v6)) => Some(SocketAddr::V6((*v6).into())),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests;
