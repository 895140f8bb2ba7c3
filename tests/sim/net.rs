//! The network: smoltcp stacks, and links that lose, double, delay and reorder.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use siproxd::time::Instant;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{
    HardwareAddress, IpAddress, IpCidr, IpListenEndpoint, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket,
};
use std::collections::VecDeque;

/// The SplitMix64 sequence (Steele, Lea and Flood 2014).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to below `high`.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// True in `percent` of 100 cases.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What a link does to packets. Times in milliseconds, the rest in per cent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub latency: u64,
    /// Up to this much is added to a packet's latency, so that later ones overtake it.
    pub jitter: u64,
    pub loss: u64,
    pub duplication: u64,
}

impl Link {
    /// When the copies of a packet that is sent now arrive.
    pub fn arrivals(&self, now: Instant, random: &mut Random) -> Vec<Instant> {
        let copies = 1 + u64::from(random.chance(self.duplication));
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let delay = self.latency + random.between(0, self.jitter + 1);
            if !random.chance(self.loss) {
                arrivals.push(Instant::from_millis(now.as_millis() + delay));
            }
        }
        arrivals
    }
}

/// The queues between a stack and its link.
#[derive(Default)]
struct Wire {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
}

struct RxToken(Vec<u8>);
struct TxToken<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(RxToken, TxToken<'_>)> {
        Some((RxToken(self.rx.pop_front()?), TxToken(&mut self.tx)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.max_transmission_unit = 65_535;
        capabilities.medium = Medium::Ip;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

/// One interface of a host with its sockets.
pub struct Stack {
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// When a TCP socket has something to do by itself.
    due: Option<Instant>,
    next_port: u16,
}

/// The first port that TCP connections go out from.
const EPHEMERAL: u16 = 32_768;
/// As long as a peer may leave what was sent without an acknowledgment; that of the real edge.
const USER_TIMEOUT_MILLIS: u64 = 32_000;

impl Stack {
    pub fn new(addresses: &[Ipv4Addr]) -> Self {
        let mut wire = Wire::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, time(Instant::ZERO));
        // Nothing is looked up on this medium: any gateway will do.
        interface.routes_mut().add_default_ipv4_route(Ipv4Addr::new(192, 0, 2, 1)).unwrap();
        let mut stack = Self { wire, interface, sockets: SocketSet::new(Vec::new()), due: None, next_port: EPHEMERAL };
        stack.set_addresses(addresses);
        stack
    }

    pub fn set_addresses(&mut self, addresses: &[Ipv4Addr]) {
        self.interface.update_ip_addrs(|list| {
            list.clear();
            for address in addresses {
                list.push(IpCidr::new(IpAddress::Ipv4(*address), 24)).unwrap();
            }
        });
    }

    pub fn has_address(&self, address: Ipv4Addr) -> bool {
        self.interface.has_ip_addr(address)
    }

    /// Opens a socket on a port, of one address or of all.
    pub fn bind(&mut self, address: Option<Ipv4Addr>, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; 16 * 1024]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(IpListenEndpoint { addr: address.map(IpAddress::Ipv4), port }).unwrap();
        self.sockets.add(socket)
    }

    pub fn close(&mut self, socket: SocketHandle) {
        self.sockets.remove(socket);
    }

    pub fn socket_count(&self) -> usize {
        self.sockets.iter().count()
    }

    /// Sends a datagram; `false` where the socket's queue is full.
    pub fn send(&mut self, socket: SocketHandle, to: SocketAddr, bytes: &[u8]) -> bool {
        let IpAddr::V4(ip) = to.ip() else { return false };
        let endpoint = (IpAddress::Ipv4(ip), to.port());
        self.sockets.get_mut::<udp::Socket>(socket).send_slice(bytes, endpoint).is_ok()
    }

    pub fn receive(&mut self, socket: SocketHandle) -> Option<(Vec<u8>, SocketAddr)> {
        let (bytes, from) = self.sockets.get_mut::<udp::Socket>(socket).recv().ok()?;
        let IpAddress::Ipv4(ip) = from.endpoint.addr;
        Some((bytes.to_vec(), SocketAddr::new(ip.into(), from.endpoint.port)))
    }

    /// Waits for one TCP connection to `port`.
    pub fn listen(&mut self, port: u16) -> SocketHandle {
        let mut socket = stream_socket();
        socket.listen(port).unwrap();
        self.sockets.add(socket)
    }

    /// Opens a TCP connection.
    pub fn connect(&mut self, from: Ipv4Addr, to: SocketAddr) -> Option<SocketHandle> {
        let IpAddr::V4(ip) = to.ip() else { return None };
        let mut socket = stream_socket();
        let local = IpListenEndpoint { addr: Some(IpAddress::Ipv4(from)), port: self.next_port };
        self.next_port = self.next_port.checked_add(1).unwrap_or(EPHEMERAL);
        socket.connect(self.interface.context(), (IpAddress::Ipv4(ip), to.port()), local).ok()?;
        Some(self.sockets.add(socket))
    }

    pub fn stream(&mut self, socket: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(socket)
    }

    /// The first address.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.interface.ipv4_addr()
    }

    /// When the stack wants to be polled although no packet came.
    pub const fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Puts a packet from the link before the stack.
    pub fn arrive(&mut self, packet: Vec<u8>) {
        self.wire.rx.push_back(packet);
    }

    /// Moves packets between link and sockets.
    pub fn poll(&mut self, now: Instant) {
        self.interface.poll(time(now), &mut self.wire, &mut self.sockets);
        // Clocks never stand still: what is due now was just done, or is so in the next millisecond.
        self.due = self.interface.poll_at(time(now), &self.sockets).map(|at| {
            let millis = (at.total_micros() as u64).div_ceil(1000);
            Instant::from_millis(millis.max(now.as_millis() + 1))
        });
    }

    /// What goes on the link.
    pub fn take_packets(&mut self) -> Vec<Vec<u8>> {
        self.wire.tx.drain(..).collect()
    }
}

fn stream_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 16 * 1024]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.set_timeout(Some(smoltcp::time::Duration::from_millis(USER_TIMEOUT_MILLIS)));
    socket
}

fn time(at: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_millis(at.as_millis() as i64)
}

/// The destination of a packet.
pub fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Packet::new_checked(packet).ok()?.dst_addr())
}

/// What the look-outs want to know of a packet.
pub struct Seen<'a> {
    pub is_udp: bool,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: &'a [u8],
}

/// The addresses and the payload of a UDP or TCP packet.
pub fn seen(packet: &[u8]) -> Option<Seen<'_>> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let payload = &packet[usize::from(ip.header_len())..];
    let is_udp = ip.next_header() == IpProtocol::Udp;
    let (source, destination, payload) = if is_udp {
        let udp = UdpPacket::new_checked(payload).ok()?;
        (udp.src_port(), udp.dst_port(), &payload[smoltcp::wire::UDP_HEADER_LEN..])
    } else if ip.next_header() == IpProtocol::Tcp {
        let tcp = TcpPacket::new_checked(payload).ok()?;
        (tcp.src_port(), tcp.dst_port(), &payload[usize::from(tcp.header_len())..])
    } else {
        return None;
    };
    let (from, to) =
        (SocketAddr::new(ip.src_addr().into(), source), SocketAddr::new(ip.dst_addr().into(), destination));
    Some(Seen { is_udp, from, to, payload })
}
