//! What addresses the two interfaces have, and when that changes.
//!
//! Any change that the system tells of starts a fresh look at all links and then all addresses: one source of truth, and
//! nothing to keep in step. What the configuration does not name is chosen, see `choice`; then routes are looked at as well. An interface that is missing, renamed, down or without an address has an empty list. Where
//! rtnetlink is not permitted, [`Watch::recheck`] asks a socket that is bound to the interface for its address.

mod by_device;

use super::choice::{Choice, Link, Name, choose};
use super::rtnetlink::{Body, DefaultRoute, Dump, GROUPS, Message, ROUTE_GROUPS, messages, request};
use crate::engine::Side;
use crate::engine::io::Prefix;
use crate::family::Family;
use crate::host::Host;
use crate::limits::MAX_PREFIXES;
use crate::log_class::{NET, log};
use crate::time::Duration;
use by_device::{by_device, told_apart};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
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

/// Interfaces that are looked at, where two are to be chosen; and default routes.
const MAX_LINKS: usize = 64;
const MAX_ROUTES: usize = 16;

/// How long [`Watch::first_look`] waits at most; the answers are ready when the request returns.
const FIRST_LOOK: Duration = Duration::from_millis(500);

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
    choices: [Choice; 2],
    /// Choices that the log does not have yet.
    is_news: [bool; 2],
    current: [Interface; 2],
    netlink: Option<Netlink>,
}

impl Watch {
    /// A watch over the interfaces of these names, where an empty one is to be chosen; nothing is known until the first look.
    #[must_use]
    pub fn new(lan: &str, wan: &str) -> Self {
        let names = [lan.to_owned(), wan.to_owned()];
        let chooses = names.iter().any(String::is_empty);
        let netlink = match Netlink::open(chooses) {
            Ok(netlink) => Some(netlink),
            Err(error) => {
                log::warn!(target: NET, "rtnetlink is not available ({error}); address changes are noticed within seconds only");
                if chooses {
                    log::error!(target: NET, "without rtnetlink no interface can be chosen: set if_inbound and if_outbound");
                }
                None
            }
        };
        let choices = choose(&[], &[], &names, &Default::default());
        let is_news = names.each_ref().map(String::is_empty);
        Self { names, choices, is_news, current: Default::default(), netlink }
    }

    /// The name of the interface on `side`; empty where none is chosen yet.
    #[must_use]
    pub fn name(&self, side: Side) -> &str {
        &self.choices[side as usize].name
    }

    /// Which interface was chosen for `side`, and why; `None` where the configuration names it.
    #[must_use]
    pub fn choice(&self, side: Side) -> Option<impl fmt::Display + '_> {
        self.names[side as usize].is_empty().then_some(&self.choices[side as usize])
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
        let Self { names, choices, netlink: Some(netlink), .. } = self else { return false };
        let mut complete = None;
        netlink.read(names, &mut |links, routes| {
            let choices = choose(links, routes, names, choices);
            let seen = choices.each_ref().map(|choice| {
                let link = links.iter().find(|link| link.name == choice.name);
                link.map_or_else(Interface::default, Interface::from)
            });
            complete = Some((choices, seen));
        });
        complete.is_some_and(|(choices, seen)| {
            self.take_choices(choices);
            self.settle(seen) || self.is_news.contains(&true)
        })
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

    fn take_choices(&mut self, choices: [Choice; 2]) {
        for (side, (choice, before)) in choices.iter().zip(&self.choices).enumerate() {
            self.is_news[side] |=
                self.names[side].is_empty() && (&choice.name, choice.why) != (&before.name, before.why);
        }
        self.choices = choices;
    }

    /// Puts into the log which interfaces were chosen since the last call, and why.
    pub fn tell_choices(&mut self) {
        for (choice, is_news) in self.choices.iter().zip(&mut self.is_news) {
            if core::mem::take(is_news) {
                log::info!(target: NET, "{choice}");
            }
        }
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
    /// Whether an interface is to be chosen, for which all of them and the default routes are needed.
    chooses: bool,
    links: Vec<Link>,
    routes: heapless::Vec<DefaultRoute, MAX_ROUTES>,
    buffer: Box<[u8; BUFFER]>,
}

impl From<&Link> for Interface {
    fn from(link: &Link) -> Self {
        // Those that everybody can reach go before those of a site (RFC 4193).
        let is_local = |prefix: &&Prefix| matches!(prefix.address, IpAddr::V6(ip) if ip.is_unique_local());
        let global = link.v6.iter().filter(|prefix| !is_local(prefix));
        let local = link.v6.iter().filter(is_local);
        let addresses = link.v4.iter().chain(global).chain(local).take(MAX_PREFIXES).copied().collect();
        Self { index: Some(link.index), addresses }
    }
}

impl Netlink {
    fn open(chooses: bool) -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, if chooses { GROUPS | ROUTE_GROUPS } else { GROUPS }))?;
        let port = getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid();
        Ok(Self {
            fd,
            port,
            sequence: 0,
            asked: None,
            changed: false,
            chooses,
            links: Vec::new(),
            routes: heapless::Vec::new(),
            buffer: Box::new([0; BUFFER]),
        })
    }

    fn is_looking(&self) -> bool {
        self.asked.is_some() || self.changed
    }

    /// Reads all there is and asks what is to be asked next; what each look that is complete has seen goes to `complete`.
    fn read(&mut self, names: &[String; 2], complete: &mut dyn FnMut(&[Link], &[DefaultRoute])) {
        for _ in 0..BUDGET {
            if self.asked.is_none() && self.changed {
                self.changed = false;
                self.links.clear();
                self.routes.clear();
                self.ask(Dump::Links);
            }
            match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut self.buffer[..]) {
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    if self.datagram(length, names) {
                        complete(&self.links, &self.routes);
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
    }

    fn ask(&mut self, dump: Dump) {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request(dump, self.sequence);
        let sent = sendto(self.fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty());
        self.asked = sent.is_ok().then_some(dump);
    }

    /// Takes one datagram of the kernel; `true` where it ends a look.
    fn datagram(&mut self, length: usize, names: &[String; 2]) -> bool {
        let Self { buffer, links, routes, chooses, sequence, port, changed, asked, .. } = self;
        let is_wanted = |name: &[u8]| *chooses || names.iter().any(|wanted| wanted.as_bytes() == name);
        let mut done = false;
        for message in messages(buffer.get(..length).unwrap_or(&[])) {
            if message.port != *port || message.sequence != *sequence {
                *changed = true;
                continue;
            }
            *changed |= message.interrupted;
            note(&message, links, routes, &is_wanted);
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
            (true, Some(Dump::Addresses)) if self.chooses => {
                self.ask(Dump::Routes);
                false
            }
            (true, Some(Dump::Addresses | Dump::Routes)) => {
                self.asked = None;
                true
            }
            _ => false,
        }
    }
}

fn note(
    message: &Message<'_>,
    links: &mut Vec<Link>,
    routes: &mut heapless::Vec<DefaultRoute, MAX_ROUTES>,
    is_wanted: &dyn Fn(&[u8]) -> bool,
) {
    match message.body {
        Body::Link { index, name, state } if links.len() < MAX_LINKS && is_wanted(name) => {
            if let Some(name) = str::from_utf8(name).ok().and_then(|name| Name::try_from(name).ok()) {
                links.push(Link { index, name, state, ..Link::default() });
            }
        }
        Body::Address { index, prefix, usable: true } => {
            for link in links.iter_mut().filter(|link| link.state.is_up && link.index == index) {
                let list = if prefix.address.is_ipv4() { &mut link.v4 } else { &mut link.v6 };
                let _ = list.push(prefix);
            }
        }
        Body::DefaultRoute(route) => {
            let _ = routes.push(route);
        }
        _ => {}
    }
}

/// The side that the system's way to a peer leads into: what tells where a connection came from, for its handshake has gone
/// both ways.
///
/// What this host sends itself counts as LAN. Where both sides have one address, the networks of the interface are the LAN.
pub(super) fn way_to(interfaces: &[Interface; 2], peer: SocketAddr) -> Side {
    let [lan, wan] = interfaces;
    let has = |interface: &Interface, ip: IpAddr| interface.addresses.iter().any(|prefix| prefix.address == ip);
    if peer.host().is_loopback() || has(lan, peer.host()) || has(wan, peer.host()) {
        return Side::Lan;
    }
    let Ok(source) = source_towards(peer) else { return Side::Wan };
    match (has(lan, source), has(wan, source)) {
        (true, true) if !lan.addresses.iter().any(|net| net.contains(peer.host())) => Side::Wan,
        (true, _) => Side::Lan,
        (false, _) => Side::Wan,
    }
}

/// The address that this host takes for packets to `peer`. Nothing is sent.
fn source_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
    socket.connect(&peer.into())?;
    let local = socket.local_addr()?.as_socket();
    local.map(|address| address.host()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::super::rtnetlink::LinkState;
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
    fn addresses_count_only_on_links_that_are_up() {
        let (mut links, mut routes) = (Vec::new(), heapless::Vec::new());
        let mut say = |body| {
            let message = Message { sequence: 1, port: 1, interrupted: false, body };
            note(&message, &mut links, &mut routes, &|name| name != b"other");
        };
        let prefix = |octets: [u8; 4]| Prefix { address: octets.into(), length: 24 };
        let six = Prefix { address: "2001:db8::1".parse().expect("an address"), length: 64 };
        let (up, down) = (LinkState { is_up: true, ..LinkState::default() }, LinkState::default());
        say(Body::Link { index: 2, name: b"br-lan", state: up });
        say(Body::Link { index: 3, name: b"wan", state: down });
        say(Body::Link { index: 4, name: b"other", state: up });
        say(Body::Address { index: 2, prefix: six, usable: true });
        say(Body::Address { index: 2, prefix: prefix([192, 168, 1, 1]), usable: true });
        say(Body::Address { index: 3, prefix: prefix([203, 0, 113, 1]), usable: true });
        let [lan, wan] = &links[..] else { panic!("{links:?}") };
        assert_eq!(Interface::from(lan).addresses, [prefix([192, 168, 1, 1]), six]);
        assert_eq!(Interface::from(wan), Interface { index: Some(3), ..Interface::default() });
    }
}
