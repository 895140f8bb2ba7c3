//! Entries of the system's connection tracking that stand in our way.
//!
//! * A phone that spoke to its provider directly before, through the router's NAT, may have our SIP port on the WAN. While that entry
//!   lives, and each packet keeps it alive, what the provider sends to us goes to the phone past us, and what we send leaves from
//!   another port.
//! * After a new WAN address, entries of the old one lead nowhere.
//!
//! Both are deleted, at the start and with each new address: looked for by nfnetlink, with a filter where the kernel has it (Linux
//! 5.8), within a budget where it has not. That needs CAP_NET_ADMIN, which is kept for it under another account; who runs without keeps them
//! until they end by themselves.

use super::netlink::{
    Frame, NLA_F_NESTED, NLA_HDRLEN, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN,
    aligned, attributes, frames, u32_at,
};
use crate::host::Host;
use crate::log_class::{NET, log};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, sendto, socket,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Receive buffer in bytes; the kernel fills what it is offered, up to 32 KiB.
const BUFFER: usize = 16 * 1024;
/// Datagrams read for one question: some 2,000 entries where the kernel does not filter.
const BUDGET: usize = 32;
/// Bytes of a request: header, two addresses and ports of IPv6 with their frames, the filter.
const REQUEST: usize = 256;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const UDP: u8 = 17;

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h.
const NFGENMSG: usize = 4;
const CT_NEW: u16 = 1 << 8;
const CT_GET: u16 = 1 << 8 | 1;
const CT_DELETE: u16 = 1 << 8 | 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const FILTER_IP_SRC: u32 = 1 << 0;
const FILTER_IP_DST: u32 = 1 << 1;
const FILTER_PROTO_NUM: u32 = 1 << 3;

/// The UDP ports that are ours on the WAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnPorts {
    /// That of SIP.
    pub sip: u16,
    /// First and last of those for media.
    pub media: [u16; 2],
}

impl OwnPorts {
    fn contains(self, port: u16) -> bool {
        let [low, high] = self.media;
        port == self.sip || (low..=high).contains(&port)
    }
}

/// Keeps connection tracking tidy as the WAN address comes and changes.
#[derive(Debug)]
pub struct Conntrack {
    ports: OwnPorts,
    /// Our WAN address as of the last time that there was one.
    address: Option<IpAddr>,
    /// It has been said that we may not.
    is_told: bool,
}

impl Conntrack {
    /// Nothing is done before the first address.
    #[must_use]
    pub const fn new(ports: OwnPorts) -> Self {
        Self { ports, address: None, is_told: false }
    }

    /// Sets which ports are ours from now on.
    pub const fn set_ports(&mut self, ports: OwnPorts) {
        self.ports = ports;
    }

    /// Tells what our WAN address is now: what stands in the way of a new one is deleted.
    pub fn set_address(&mut self, address: Option<IpAddr>) {
        let Some(address) = address.filter(|_| self.address != address) else { return };
        let old = self.address.replace(address);
        let questions = [
            Some(Question::Taken { ours: SocketAddr::new(address, self.ports.sip) }),
            old.map(Question::From),
            old.map(Question::To),
        ];
        let mut deleted = 0;
        for question in questions.into_iter().flatten() {
            match delete(question, self.ports) {
                Ok(count) => deleted += count,
                Err(error) if !self.is_told => {
                    self.is_told = true;
                    log::info!(target: NET, "connection tracking is not looked through for entries that have our ports: {error}");
                }
                Err(_) => {}
            }
        }
        if deleted > 0 {
            log::info!(target: NET, "{deleted} entries of connection tracking that had our ports or our old address are deleted");
        }
    }
}

/// Which entries are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Those by which somebody behind us has our port.
    Taken { ours: SocketAddr },
    /// Those of what was sent from our old address.
    From(IpAddr),
    /// Those of what was sent to it.
    To(IpAddr),
}

impl Question {
    const fn ip(self) -> IpAddr {
        match self {
            Self::Taken { ours } => ours.ip(),
            Self::From(ip) | Self::To(ip) => ip,
        }
    }

    /// Whether an entry is one of them; filters of the kernel let through more, or all.
    fn wants(self, entry: &Entry<'_>, ports: OwnPorts) -> bool {
        match self {
            Self::Taken { ours } => entry.reply.destination == ours && entry.original.source.host() != ours.host(),
            Self::From(old) => entry.original.source.host() == old && ports.contains(entry.original.source.port()),
            Self::To(old) => {
                entry.original.destination.host() == old && ports.contains(entry.original.destination.port())
            }
        }
    }
}

/// Addresses and ports of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tuple {
    source: SocketAddr,
    destination: SocketAddr,
}

/// One entry, of UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry<'a> {
    original: Tuple,
    reply: Tuple,
    /// The original direction as the kernel wrote it.
    name: &'a [u8],
    zone: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let (mut original, mut reply, mut name, mut zone) = (None, None, &[][..], None);
        for (kind, value) in attributes(body, NFGENMSG) {
            match kind {
                CTA_TUPLE_ORIG => (original, name) = (tuple(value), value),
                CTA_TUPLE_REPLY => reply = tuple(value),
                CTA_ZONE => zone = Some(value),
                _ => {}
            }
        }
        Some(Self { original: original?, reply: reply?, name, zone })
    }
}

/// Reads a tuple of UDP.
fn tuple(value: &[u8]) -> Option<Tuple> {
    let (mut source, mut destination) = (None, None);
    let (mut is_udp, mut ports) = (false, [None; 2]);
    for (kind, value) in attributes(value, 0) {
        match kind {
            CTA_TUPLE_IP => {
                for (kind, value) in attributes(value, 0) {
                    match kind {
                        CTA_IP_V4_SRC | CTA_IP_V6_SRC => source = ip(value),
                        CTA_IP_V4_DST | CTA_IP_V6_DST => destination = ip(value),
                        _ => {}
                    }
                }
            }
            CTA_TUPLE_PROTO => {
                let port = |value: &[u8]| value.first_chunk().map(|port| u16::from_be_bytes(*port));
                for (kind, value) in attributes(value, 0) {
                    match kind {
                        CTA_PROTO_NUM => is_udp = value.first() == Some(&UDP),
                        CTA_PROTO_SRC_PORT => ports[0] = port(value),
                        CTA_PROTO_DST_PORT => ports[1] = port(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    is_udp.then_some(())?;
    Some(Tuple { source: SocketAddr::new(source?, ports[0]?), destination: SocketAddr::new(destination?, ports[1]?) })
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        16 => value.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}

/// A request that is being written. What has no room is left out, and [`Request::finish`] then has nothing to send.
#[derive(Debug)]
struct Request {
    bytes: heapless::Vec<u8, REQUEST>,
    is_whole: bool,
}

impl Request {
    fn new(kind: u16, flags: u16, of: IpAddr) -> Self {
        let mut this = Self { bytes: heapless::Vec::new(), is_whole: true };
        this.put(&[0; 4]);
        this.put(&kind.to_ne_bytes());
        this.put(&(NLM_F_REQUEST | flags).to_ne_bytes());
        this.put(&[0; 8]);
        this.put(&[if of.is_ipv4() { AF_INET } else { AF_INET6 }, 0, 0, 0]);
        this
    }

    fn put(&mut self, bytes: &[u8]) {
        self.is_whole &= self.bytes.extend_from_slice(bytes).is_ok();
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.put(&((NLA_HDRLEN + value.len()) as u16).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        self.put(&[0; 3][..aligned(value.len()) - value.len()]);
    }

    /// An attribute with attributes in it.
    fn nested(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.attribute(kind | NLA_F_NESTED, &[]);
        inside(self);
        let length = (self.bytes.len() - start) as u16;
        if let Some(place) = self.bytes.get_mut(start..start + 2) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn finish(mut self) -> Option<heapless::Vec<u8, REQUEST>> {
        let length = self.bytes.len() as u32;
        self.bytes.get_mut(..4)?.copy_from_slice(&length.to_ne_bytes());
        self.is_whole.then_some(self.bytes)
    }
}

/// Asks for all entries of an answer's kind, by address and protocol.
fn request(question: Question) -> Request {
    let ip = question.ip();
    let mut request = Request::new(CT_GET, NLM_F_DUMP, ip);
    let (of, flags_of) = match question {
        Question::Taken { .. } => (CTA_TUPLE_REPLY, CTA_FILTER_REPLY_FLAGS),
        Question::From(_) | Question::To(_) => (CTA_TUPLE_ORIG, CTA_FILTER_ORIG_FLAGS),
    };
    let is_source = matches!(question, Question::From(_));
    request.nested(of, |request| {
        request.nested(CTA_TUPLE_IP, |request| match (ip, is_source) {
            (IpAddr::V4(ip), true) => request.attribute(CTA_IP_V4_SRC, &ip.octets()),
            (IpAddr::V4(ip), false) => request.attribute(CTA_IP_V4_DST, &ip.octets()),
            (IpAddr::V6(ip), true) => request.attribute(CTA_IP_V6_SRC, &ip.octets()),
            (IpAddr::V6(ip), false) => request.attribute(CTA_IP_V6_DST, &ip.octets()),
        });
        request.nested(CTA_TUPLE_PROTO, |request| request.attribute(CTA_PROTO_NUM, &[UDP]));
    });
    let flags = FILTER_PROTO_NUM | if is_source { FILTER_IP_SRC } else { FILTER_IP_DST };
    request.nested(CTA_FILTER, |request| request.attribute(flags_of, &flags.to_ne_bytes()));
    request
}

/// Deletes the entries that are looked for; returns how many there were.
fn delete(question: Question, ports: OwnPorts) -> io::Result<usize> {
    let (asking, deleting) = (Netlink::open()?, Netlink::open()?);
    asking.send(request(question))?;
    let mut buffer = Box::new([0; BUFFER]);
    let mut deleted = 0;
    for _ in 0..BUDGET {
        // A dump is written while it is read: there is nothing to wait for.
        let length = match asking.receive(&mut buffer[..]) {
            Err(Errno::EAGAIN) => break,
            read => read?,
        };
        for Frame { kind, body, .. } in frames(buffer.get(..length).unwrap_or(&[])) {
            match kind {
                NLMSG_DONE => return Ok(deleted),
                NLMSG_ERROR => refusal(body)?,
                CT_NEW => {
                    let Some(entry) = Entry::parse(body).filter(|entry| question.wants(entry, ports)) else { continue };
                    let mut request = Request::new(CT_DELETE, NLM_F_ACK, question.ip());
                    request.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, entry.name);
                    if let Some(zone) = entry.zone {
                        request.attribute(CTA_ZONE, zone);
                    }
                    deleting.send(request)?;
                    deleted += usize::from(deleting.is_done()?);
                }
                _ => {}
            }
        }
    }
    Ok(deleted)
}

/// What the kernel says to a request; no error where the number is zero, or that of an entry that has ended meanwhile.
fn refusal(body: &[u8]) -> io::Result<()> {
    let error = u32_at(body, 0).unwrap_or_default().wrapping_neg() as i32;
    if error == 0 || error == Errno::ENOENT as i32 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// A socket of nfnetlink.
#[derive(Debug)]
struct Netlink(OwnedFd);

impl Netlink {
    fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self(fd))
    }

    fn send(&self, request: Request) -> io::Result<()> {
        let bytes = request.finish().ok_or(io::ErrorKind::OutOfMemory)?;
        sendto(self.0.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(())
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), buffer)? {
            (length, Some(sender)) if sender.pid() == 0 => Ok(length),
            _ => Ok(0),
        }
    }

    /// Takes what the kernel says to a request; `true` where it has carried it out.
    fn is_done(&self) -> io::Result<bool> {
        // It is there when the request has been sent.
        let mut answer = [0; NLMSG_HDRLEN + 4 + NLMSG_HDRLEN + REQUEST];
        let length = self.receive(&mut answer)?;
        let mut is_done = false;
        for frame in frames(answer.get(..length).unwrap_or(&[])).filter(|frame| frame.kind == NLMSG_ERROR) {
            refusal(frame.body)?;
            is_done = u32_at(frame.body, 0) == Some(0);
        }
        Ok(is_done)
    }
}

#[cfg(test)]
mod tests;
