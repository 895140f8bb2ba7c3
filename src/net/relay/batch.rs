//! Several datagrams in one system call, received and sent.

use super::BATCH;
use crate::family::Family;
use crate::limits::MAX_MEDIA_DATAGRAM;
use crate::net::listener::socket_addr;
use core::net::SocketAddr;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, send, sendmmsg, sendto};
use socket2::Socket;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

/// How a receive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The socket's queue is empty: the next datagram makes a new event.
    Drained,
    /// There were as many as were asked for, or an error came between: there may be more.
    Full,
}

/// The buffers of one batch, made once.
#[derive(Debug)]
pub(super) struct Batch {
    buffers: Box<[[u8; MAX_MEDIA_DATAGRAM]; BATCH]>,
    /// One set of headers for each address family: the system shortens the address length in them for good.
    receive: [MultiHeaders<SockaddrStorage>; 2],
    send: MultiHeaders<SockaddrStorage>,
    /// Source and length of each datagram received; `None` where it was cut off.
    pub(super) received: heapless::Vec<Option<(SocketAddr, usize)>, BATCH>,
    /// Which of them are to be sent.
    pub(super) accepted: heapless::Vec<u8, BATCH>,
}

impl Batch {
    pub(super) fn new() -> Self {
        let headers = || MultiHeaders::preallocate(BATCH, None);
        Self {
            buffers: Box::new([[0; MAX_MEDIA_DATAGRAM]; BATCH]),
            receive: [headers(), headers()],
            send: headers(),
            received: heapless::Vec::new(),
            accepted: heapless::Vec::new(),
        }
    }

    /// Takes up to `most` datagrams from a socket of an address family.
    pub(super) fn receive(&mut self, socket: &Socket, family: Family, most: usize) -> Received {
        self.received.clear();
        self.accepted.clear();
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let headers = &mut self.receive[family as usize];
        match recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut().take(most), MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => {
                for message in messages {
                    let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
                    let source = message.address.as_ref().and_then(socket_addr).filter(|_| whole);
                    let _ = self.received.push(source.map(|source| (source, message.bytes)));
                }
                if self.received.len() >= most { Received::Full } else { Received::Drained }
            }
            Err(Errno::EAGAIN) => Received::Drained,
            Err(error) if is_told_once(error) => Received::Full,
            Err(_) => Received::Drained,
        }
    }

    /// Source and bytes of a received datagram; `None` where it was cut off.
    pub(super) fn datagram(&self, index: usize) -> Option<(SocketAddr, &[u8])> {
        let (source, length) = (*self.received.get(index)?)?;
        Some((source, self.buffers.get(index)?.get(..length)?))
    }

    /// Marks a datagram to be sent.
    pub(super) fn accept(&mut self, index: usize) {
        let _ = self.accepted.push(index as u8);
    }

    /// Sends the accepted datagrams; the number of those that the system would not take.
    pub(super) fn send(&mut self, way: WayOut<'_>) -> usize {
        if let [index] = *self.accepted {
            let Some((_, payload)) = self.datagram(usize::from(index)) else { return 0 };
            return usize::from(!way.send(payload));
        }
        let Self { buffers, received, accepted, send, .. } = self;
        let fd = way.socket.as_raw_fd();
        let slices: heapless::Vec<[IoSlice<'_>; 1], BATCH> = accepted
            .iter()
            .filter_map(|&index| {
                let (_, length) = (*received.get(usize::from(index))?)?;
                Some([IoSlice::new(buffers.get(usize::from(index))?.get(..length)?)])
            })
            .collect();
        let destinations = [way.named.map(SockaddrStorage::from); BATCH];
        let mut done = 0;
        let mut again = None;
        let mut unsent = 0;
        while let Some(rest) = slices.get(done..).filter(|rest| !rest.is_empty()) {
            match sendmmsg(fd, send, rest, &destinations[..rest.len()], [], MsgFlags::MSG_DONTWAIT) {
                Ok(sent) => done += sent.count().max(1),
                Err(Errno::EAGAIN) => return unsent + rest.len(),
                // As for one; not twice for the same.
                Err(_) if again != Some(done) => again = Some(done),
                Err(_) => {
                    unsent += 1;
                    done += 1;
                }
            }
        }
        unsent
    }
}

/// Whether an error is what an earlier datagram met with, which is told once in place of a datagram: what the kernel makes of ICMP
/// (`icmp_err_convert`, `icmpv6_err_convert`), and of a signal.
const fn is_told_once(error: Errno) -> bool {
    matches!(
        error,
        Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::ENOPROTOOPT
            | Errno::EPROTO
            | Errno::EACCES
            | Errno::EOPNOTSUPP
            | Errno::EMSGSIZE
            | Errno::EINTR
    )
}

/// By which socket datagrams go, and to whom.
#[derive(Clone, Copy)]
pub(super) struct WayOut<'a> {
    pub(super) socket: &'a Socket,
    /// Their destination; `None` where the socket is connected to it.
    pub(super) named: Option<SocketAddr>,
}

impl WayOut<'_> {
    /// Sends one datagram; `false` where the system would not take it.
    pub(super) fn send(self, packet: &[u8]) -> bool {
        let fd = self.socket.as_raw_fd();
        let attempt = || match self.named {
            Some(destination) => sendto(fd, packet, &SockaddrStorage::from(destination), MsgFlags::MSG_DONTWAIT),
            None => send(fd, packet, MsgFlags::MSG_DONTWAIT),
        };
        // A connected socket tells what an earlier datagram met with (ICMP) in place of sending this one, once.
        match attempt() {
            Ok(_) => true,
            Err(Errno::EAGAIN) => false,
            Err(_) => attempt().is_ok(),
        }
    }
}
