//! What addresses the two interfaces have, and when that changes.
//!
//! Any change that the system tells of starts a fresh look at all links and then all addresses: one source of truth, and
//! nothing to keep in step. An interface that is missing, renamed, down or without an address has an empty list. Where
//! rtnetlink is not permitted, [`Watch::recheck`] asks a socket that is bound to the interface for its address.

use super::rtnetlink::{Body, Dump, GROUPS, Message, messages, request};
use crate::engine::Side;
use crate::engine::io::Prefix;
use crate::family::Family;
use crate::limits::MAX_PREFIXES;
use crate::log_class::NET;
use crate::time::Duration;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname, recvfrom, sendto, socket,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Time between two looks that nothing has asked for, in case an event was lost.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Receive buffer in bytes: the system fills at most 8 KiB at first, later as much as it was once offered.
const BUFFER: usize = 16 * 1024;

/// Datagrams read at one time; the rest waits for [`Watch::recheck`].
const BUDGET: usize = 256;

/// How long [`Watch::first_look`] waits at most; the answers are ready when the request returns.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Prefix length of an address that the fallback found, which does not tell it: the usual one of a home network.
const FALLBACK_PREFIX: u8 = 24;

/// The addresses of one interface.
pub type Addresses = heapless::Vec<Prefix, MAX_PREFIXES>;

/// What is known of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its number; `None` where there is none of that name.
    pub index: Option<u32>,
    /// Its addresses while it is up: IPv4 first, then IPv6 beyond the link, unique local ones last. The first of a family is the one to use.
    pub addresses: Addresses,
}

impl Interface {
    /// The address to bind to.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.addresses.first().map(|prefix| prefix.address)
    }

    /// The address of a family, for media.
    #[must_use]
    pub fn address_of(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().map(|prefix| prefix.address).find(|address| Family::of(*address) == family)
    }
}

/// The watch over both interfaces.
#[derive(Debug)]
pub struct Watch {
    names: [String; 2],
    current: [Interface; 2],
    netlink: Option<Netlink>,
}

impl Watch {
    /// A watch over the interfaces of these names; nothing is known until the first look.
    #[must_use]
    pub fn new(lan: &str, wan: &str) -> Self {
        let netlink = match Netlink::open() {
            Ok(netlink) => Some(netlink),
            Err(error) => {
                log::warn!(target: NET, "rtnetlink is not available ({error}); address changes are noticed within seconds only");
                None
            }
        };
        Self { names: [lan.into(), wan.into()], current: Default::default(), netlink }
    }

    /// Registers the socket, where there is one.
    ///
    /// # Errors
    /// Those of epoll.
    pub fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        match &self.netlink {
            Some(netlink) => registry.register(&mut SourceFd(&netlink.fd.as_raw_fd()), token, Interest::READABLE),
            None => Ok(()),
        }
    }

    /// What is known of the interface on `side`.
    #[must_use]
    pub fn interface(&self, side: Side) -> &Interface {
        &self.current[side as usize]
    }

    /// Looks at the interfaces before the event loop runs; waits half a second at most.
    pub fn first_look(&mut self) {
        self.recheck();
        let start = std::time::Instant::now();
        while self.netlink.as_ref().is_some_and(Netlink::is_looking) && start.elapsed() < FIRST_LOOK {
            std::thread::sleep(Duration::from_millis(1));
            self.ready();
        }
    }

    /// Takes what the system tells; `true` where an interface changed.
    pub fn ready(&mut self) -> bool {
        match &mut self.netlink {
            Some(netlink) => match netlink.read(&self.names) {
                Some(seen) => self.settle(seen),
                None => false,
            },
            None => false,
        }
    }

    /// Looks again; `true` where an interface changed. Call every [`RECHECK_INTERVAL`].
    pub fn recheck(&mut self) -> bool {
        if let Some(netlink) = &mut self.netlink {
            netlink.changed = true;
            return self.ready();
        }
        let seen = [0, 1].map(|side| by_device(&self.names[side]));
        self.settle(told_apart(seen))
    }

    fn settle(&mut self, seen: [Interface; 2]) -> bool {
        let changed = self.current != seen;
        self.current = seen;
        changed
    }
}

/// The rtnetlink socket, and the look that is under way.
#[derive(Debug)]
struct Netlink {
    fd: OwnedFd,
    port: u32,
    sequence: u32,
    asked: Option<Dump>,
    /// Something changed since the look began.
    changed: bool,
    seen: [Seen; 2],
    buffer: Box<[u8; BUFFER]>,
}

/// One interface during a look.
#[derive(Clone, Debug, Default)]
struct Seen {
    index: Option<u32>,
    up: bool,
    v4: Addresses,
    v6: Addresses,
}

impl From<Seen> for Interface {
    fn from(seen: Seen) -> Self {
        // Those that everybody can reach go before those of a site (RFC 4193).
        let is_local = |prefix: &&Prefix| matches!(prefix.address, IpAddr::V6(ip) if ip.is_unique_local());
        let global = seen.v6.iter().filter(|prefix| !is_local(prefix));
        let local = seen.v6.iter().filter(is_local);
        let addresses = seen.v4.iter().chain(global).chain(local).take(MAX_PREFIXES).copied().collect();
        Self { index: seen.index, addresses }
    }
}

impl Netlink {
    fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        let port = getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid();
        Ok(Self {
            fd,
            port,
            sequence: 0,
            asked: None,
            changed: false,
            seen: Default::default(),
            buffer: Box::new([0; BUFFER]),
        })
    }

    fn is_looking(&self) -> bool {
        self.asked.is_some() || self.changed
    }

    /// Reads all there is and asks what is to be asked next; the interfaces once a look is complete.
    fn read(&mut self, names: &[String; 2]) -> Option<[Interface; 2]> {
        let mut complete = None;
        for _ in 0..BUDGET {
            if self.asked.is_none() && self.changed {
                self.changed = false;
                self.seen = Default::default();
                self.ask(Dump::Links);
            }
            match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut self.buffer[..]) {
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    if self.datagram(length, names) {
                        complete = Some(self.seen.clone().map(Interface::from));
                    }
                }
                Ok(_) | Err(Errno::EINTR) => {}
                // The queue overflowed: events are lost, and maybe answers.
                Err(Errno::ENOBUFS) => {
                    self.asked = None;
                    self.changed = true;
                }
                Err(_) => break,
            }
        }
        complete
    }

    fn ask(&mut self, dump: Dump) {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request(dump, self.sequence);
        let sent = sendto(self.fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty());
        self.asked = sent.is_ok().then_some(dump);
    }

    /// Takes one datagram of the kernel; `true` where it ends a look.
    fn datagram(&mut self, length: usize, names: &[String; 2]) -> bool {
        let Self { buffer, seen, sequence, port, changed, asked, .. } = self;
        let mut done = false;
        for message in messages(buffer.get(..length).unwrap_or(&[])) {
            if message.port != *port || message.sequence != *sequence {
                *changed = true;
                continue;
            }
            *changed |= message.interrupted;
            note(&message, seen, names);
            match message.body {
                Body::Done => done = true,
                Body::Error => *asked = None,
                _ => {}
            }
        }
        match (done, self.asked) {
            (true, Some(Dump::Links)) => {
                self.ask(Dump::Addresses);
                false
            }
            (true, Some(Dump::Addresses)) => {
                self.asked = None;
                true
            }
            _ => false,
        }
    }
}

fn note(message: &Message<'_>, seen: &mut [Seen; 2], names: &[String; 2]) {
    match message.body {
        Body::Link { index, name, up } => {
            for (seen, _) in seen.iter_mut().zip(names).filter(|(_, wanted)| wanted.as_bytes() == name) {
                seen.index = Some(index);
                seen.up = up;
            }
        }
        Body::Address { index, prefix, usable: true } => {
            for seen in seen.iter_mut().filter(|seen| seen.up && seen.index == Some(index)) {
                let list = if prefix.address.is_ipv4() { &mut seen.v4 } else { &mut seen.v6 };
                let _ = list.push(prefix);
            }
        }
        _ => {}
    }
}

/// The address that a socket bound to the device would use, for where rtnetlink is closed to us.
fn by_device(name: &str) -> Interface {
    let index = nix::net::if_::if_nametoindex(name).ok();
    let local = || -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind_device(Some(name.as_bytes()))?;
        // Connecting a UDP socket sends nothing; the address is one for documentation (RFC 5737).
        socket.connect(&SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9)).into())?;
        socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    };
    let mut addresses = Addresses::new();
    if index.is_some()
        && let Ok(local) = local()
    {
        let _ = addresses.push(Prefix { address: local.ip(), length: FALLBACK_PREFIX });
    }
    Interface { index, addresses }
}

/// Takes the address from a WAN interface that has the LAN's: a socket on a device without an address gets another one's.
fn told_apart([lan, mut wan]: [Interface; 2]) -> [Interface; 2] {
    if lan.index != wan.index && lan.address() == wan.address() {
        wan.addresses.clear();
    }
    [lan, wan]
}

/// The side that the system's way to a peer leads into: what tells where a connection came from, for its handshake has gone
/// both ways.
///
/// What this host sends itself counts as LAN. Where both sides have one address, the networks of the interface are the LAN.
pub(super) fn way_to(interfaces: &[Interface; 2], peer: SocketAddr) -> Side {
    let [lan, wan] = interfaces;
    let has = |interface: &Interface, ip: IpAddr| interface.addresses.iter().any(|prefix| prefix.address == ip);
    if peer.ip().is_loopback() || has(lan, peer.ip()) || has(wan, peer.ip()) {
        return Side::Lan;
    }
    let Ok(source) = source_towards(peer) else { return Side::Wan };
    match (has(lan, source), has(wan, source)) {
        (true, true) if !lan.addresses.iter().any(|net| net.contains(peer.ip())) => Side::Wan,
        (true, _) => Side::Lan,
        (false, _) => Side::Wan,
    }
}

/// The address that this host takes for packets to `peer`. Nothing is sent.
fn source_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
    socket.connect(&peer.into())?;
    let local = socket.local_addr()?.as_socket();
    local.map(|address| address.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let mut watch = Watch::new("lo", "none-such0");
        watch.first_look();
        let lo = watch.interface(Side::Lan);
        assert_eq!(lo.index, Some(1));
        assert!(lo.addresses.contains(&Prefix { address: [127, 0, 0, 1].into(), length: 8 }));
        assert_eq!(watch.interface(Side::Wan), &Interface::default());
        assert!(!watch.recheck());
    }

    #[test]
    fn without_rtnetlink_an_interface_cannot_have_the_other_ones_address() {
        assert_eq!(by_device("none-such0"), Interface::default());
        let interface = |index, last| {
            let prefix = Prefix { address: [192, 168, 1, last].into(), length: FALLBACK_PREFIX };
            Interface { index: Some(index), addresses: [prefix].into_iter().collect() }
        };
        let [lan, wan] = told_apart([interface(2, 1), interface(3, 1)]);
        assert_eq!((lan, wan.address()), (interface(2, 1), None));
        let fine = [interface(2, 1), interface(3, 2)];
        assert_eq!(told_apart(fine.clone()), fine);
        let one = [interface(2, 1), interface(2, 1)];
        assert_eq!(told_apart(one.clone()), one);
    }

    #[test]
    fn addresses_count_only_on_links_that_are_up() {
        let names = ["br-lan".to_string(), "wan".to_string()];
        let mut seen: [Seen; 2] = Default::default();
        let say = |seen: &mut [Seen; 2], body| {
            note(&Message { sequence: 1, port: 1, interrupted: false, body }, seen, &names);
        };
        let prefix = |octets: [u8; 4]| Prefix { address: octets.into(), length: 24 };
        let six = Prefix { address: "2001:db8::1".parse().expect("an address"), length: 64 };
        say(&mut seen, Body::Link { index: 2, name: b"br-lan", up: true });
        say(&mut seen, Body::Link { index: 3, name: b"wan", up: false });
        say(&mut seen, Body::Address { index: 2, prefix: six, usable: true });
        say(&mut seen, Body::Address { index: 2, prefix: prefix([192, 168, 1, 1]), usable: true });
        say(&mut seen, Body::Address { index: 3, prefix: prefix([203, 0, 113, 1]), usable: true });
        let [lan, wan] = seen.map(Interface::from);
        assert_eq!(lan.addresses, [prefix([192, 168, 1, 1]), six]);
        assert_eq!(wan, Interface { index: Some(3), ..Interface::default() });
    }
}
