//! The floor: what relaying costs the system when nothing is decided.
//!
//! The same sockets, event loop and batch calls as siproxd's relay, without its checks: every datagram on an RTP or RTCP
//! port of one leg goes to the other leg's peer, which is given on the command line and never changes.
//!
//! `floor PAIRS BASE_PORT LAN_ADDRESS WAN_ADDRESS LAN_PEER WAN_PEER PEER_PORT [OPTION...]`: pair `n` relays between
//! `LAN_PEER:PEER_PORT+2n` and `WAN_PEER:PEER_PORT+2n` on the ports `BASE_PORT+2n` of both our addresses.
//!
//! Options try what else could be done: `recvfrom` takes datagrams one by one until there is none, `connected` connects each
//! socket to its peer, `wait=MICROSECONDS` lets more come after each turn before it looks again.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvfrom, recvmmsg, send, sendmmsg, sendto};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

type Failure = Box<dyn core::error::Error>;

/// As in the relay: datagrams in a batch, bytes in a buffer, events in a turn, receive queue.
const BATCH: usize = 16;
const BUFFER: usize = 2048;
const EVENTS: usize = 256;
const RECEIVE_QUEUE: usize = 64 * 1024;

struct Port {
    socket: Socket,
    /// Where what comes to the other leg's port of the same kind goes, out of this socket.
    peer: SockaddrStorage,
}

#[derive(Clone, Copy, Default)]
struct Options {
    recvfrom: bool,
    connected: bool,
    wait: Duration,
}

impl Options {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        for word in words {
            match (word.as_str(), word.split_once('=')) {
                ("recvfrom", _) => options.recvfrom = true,
                ("connected", _) => options.connected = true,
                (_, Some(("wait", micros))) => options.wait = Duration::from_micros(micros.parse()?),
                _ => return Err(format!("no option {word}").into()),
            }
        }
        Ok(options)
    }
}

struct Floor {
    options: Options,
    ports: Vec<Port>,
    buffers: Box<[[u8; BUFFER]; BATCH]>,
    receive: MultiHeaders<SockaddrStorage>,
    send: MultiHeaders<SockaddrStorage>,
    lengths: heapless::Vec<usize, BATCH>,
}

impl Floor {
    fn send_one(&self, index: usize, length: usize) {
        // Ports of a pair: LAN RTP, LAN RTCP, WAN RTP, WAN RTCP.
        let Port { socket, peer } = &self.ports[index ^ 2];
        let (fd, bytes) = (socket.as_raw_fd(), &self.buffers[0][..length]);
        let _ = if self.options.connected {
            send(fd, bytes, MsgFlags::MSG_DONTWAIT)
        } else {
            sendto(fd, bytes, peer, MsgFlags::MSG_DONTWAIT)
        };
    }

    /// Relays one datagram; `true` where there may be more.
    fn forward_one(&mut self, index: usize) -> bool {
        let fd = self.ports[index].socket.as_raw_fd();
        match recvfrom::<SockaddrStorage>(fd, &mut self.buffers[0]) {
            Ok((length, _)) => self.send_one(index, length),
            Err(Errno::EAGAIN) => return false,
            Err(_) => {}
        }
        true
    }

    /// Relays one batch; `true` where there may be more.
    fn forward(&mut self, index: usize) -> bool {
        if self.options.recvfrom {
            return self.forward_one(index);
        }
        let Self { options, ports, buffers, receive, send, lengths } = self;
        lengths.clear();
        {
            let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let fd = ports[index].socket.as_raw_fd();
            match recvmmsg(fd, receive, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
                Ok(messages) => lengths.extend(messages.map(|message| message.bytes)),
                Err(Errno::EAGAIN) => return false,
                Err(_) => return true,
            }
        }
        if let [length] = **lengths {
            self.send_one(index, length);
            return false;
        }
        let Port { socket, peer } = &ports[index ^ 2];
        let slices: heapless::Vec<[IoSlice<'_>; 1], BATCH> =
            lengths.iter().zip(buffers.iter()).map(|(&length, buffer)| [IoSlice::new(&buffer[..length])]).collect();
        let peers = [(!options.connected).then_some(*peer); BATCH];
        let _ = sendmmsg(socket.as_raw_fd(), send, &slices, &peers[..slices.len()], [], MsgFlags::MSG_DONTWAIT);
        lengths.is_full()
    }
}

fn bind(address: SocketAddr, peer: SocketAddr, options: Options) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    socket.set_recv_buffer_size(RECEIVE_QUEUE)?;
    if options.connected {
        socket.connect(&peer.into())?;
    }
    Ok(socket)
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [pairs, base, lan, wan, lan_peer, wan_peer, peer_port, options @ ..] = &words[..] else {
        return Err(
            "usage: floor PAIRS BASE_PORT LAN_ADDRESS WAN_ADDRESS LAN_PEER WAN_PEER PEER_PORT [OPTION...]".into()
        );
    };
    let options = Options::parse(options)?;
    let (pairs, base, peer_port): (u16, u16, u16) = (pairs.parse()?, base.parse()?, peer_port.parse()?);
    let mut ports = Vec::new();
    for pair in 0..pairs {
        for (ours, theirs) in [(lan, lan_peer), (wan, wan_peer)] {
            let (ours, theirs): (IpAddr, IpAddr) = (ours.parse()?, theirs.parse()?);
            for above in 0..2 {
                let peer = SocketAddr::new(theirs, peer_port + 2 * pair + above);
                let socket = bind(SocketAddr::new(ours, base + 2 * pair + above), peer, options)?;
                ports.push(Port { socket, peer: peer.into() });
            }
        }
    }
    let mut poll = Poll::new()?;
    for (index, port) in ports.iter().enumerate() {
        poll.registry().register(&mut SourceFd(&port.socket.as_raw_fd()), Token(index), Interest::READABLE)?;
    }
    if !options.wait.is_zero() {
        // By default the system may be 50 µs late (timer slack).
        nix::sys::prctl::set_timerslack(1)?;
    }
    let mut floor = Floor {
        options,
        ports,
        buffers: Box::new([[0; BUFFER]; BATCH]),
        receive: MultiHeaders::preallocate(BATCH, None),
        send: MultiHeaders::preallocate(BATCH, None),
        lengths: heapless::Vec::new(),
    };
    let mut events = Events::with_capacity(EVENTS);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            while floor.forward(event.token().0) {}
        }
        if !options.wait.is_zero() {
            std::thread::sleep(options.wait);
        }
    }
}
