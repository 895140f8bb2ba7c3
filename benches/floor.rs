//! The floor: what relaying costs the system when nothing is decided.
//!
//! The same sockets, event loop and batch calls as siproxd's relay, without its checks: every datagram on an RTP or RTCP
//! port of one leg goes to the other leg's peer, which is given on the command line and never changes.
//!
//! `floor PAIRS BASE_PORT LAN_ADDRESS WAN_ADDRESS LAN_PEER WAN_PEER PEER_PORT`: pair `n` relays between
//! `LAN_PEER:PEER_PORT+2n` and `WAN_PEER:PEER_PORT+2n` on the ports `BASE_PORT+2n` of both our addresses.

use core::net::{IpAddr, SocketAddr};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, sendto};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

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

struct Floor {
    ports: Vec<Port>,
    buffers: Box<[[u8; BUFFER]; BATCH]>,
    receive: MultiHeaders<SockaddrStorage>,
    send: MultiHeaders<SockaddrStorage>,
    lengths: heapless::Vec<usize, BATCH>,
}

impl Floor {
    /// Relays one batch; `true` where there may be more.
    fn forward(&mut self, index: usize) -> bool {
        let Self { ports, buffers, receive, send, lengths } = self;
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
        // Ports of a pair: LAN RTP, LAN RTCP, WAN RTP, WAN RTCP.
        let Port { socket, peer } = &ports[index ^ 2];
        let fd = socket.as_raw_fd();
        if let [length] = **lengths {
            let _ = sendto(fd, &buffers[0][..length], peer, MsgFlags::MSG_DONTWAIT);
            return false;
        }
        let slices: heapless::Vec<[IoSlice<'_>; 1], BATCH> =
            lengths.iter().zip(buffers.iter()).map(|(&length, buffer)| [IoSlice::new(&buffer[..length])]).collect();
        let peers = [Some(*peer); BATCH];
        let _ = sendmmsg(fd, send, &slices, &peers[..slices.len()], [], MsgFlags::MSG_DONTWAIT);
        lengths.is_full()
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    socket.set_recv_buffer_size(RECEIVE_QUEUE)?;
    Ok(socket)
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [pairs, base, lan, wan, lan_peer, wan_peer, peer_port] = &words[..] else {
        return Err("usage: floor PAIRS BASE_PORT LAN_ADDRESS WAN_ADDRESS LAN_PEER WAN_PEER PEER_PORT".into());
    };
    let (pairs, base, peer_port): (u16, u16, u16) = (pairs.parse()?, base.parse()?, peer_port.parse()?);
    let mut ports = Vec::new();
    for pair in 0..pairs {
        for (ours, theirs) in [(lan, lan_peer), (wan, wan_peer)] {
            let (ours, theirs): (IpAddr, IpAddr) = (ours.parse()?, theirs.parse()?);
            for above in 0..2 {
                let socket = bind(SocketAddr::new(ours, base + 2 * pair + above))?;
                ports.push(Port { socket, peer: SocketAddr::new(theirs, peer_port + 2 * pair + above).into() });
            }
        }
    }
    let mut poll = Poll::new()?;
    for (index, port) in ports.iter().enumerate() {
        poll.registry().register(&mut SourceFd(&port.socket.as_raw_fd()), Token(index), Interest::READABLE)?;
    }
    let mut floor = Floor {
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
    }
}
