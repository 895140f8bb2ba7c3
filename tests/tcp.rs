//! SIP over TCP on real sockets: framing, queues, limits and timeouts of connections.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use core::net::SocketAddr;
use core::time::Duration;
use mio::{Events, Poll, Token};
use siproxd::engine::io::{ConnEvent, ConnId, Prefix, SendError, Side};
use siproxd::limits::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, MAX_DATAGRAM, MAX_STREAM_QUEUE};
use siproxd::net::ifaddr::Interface;
use siproxd::net::tcp::{Tcp, Timeouts};
use siproxd::sip::framing::Frame;
use siproxd::time::Instant;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nxy";
const TIMEOUTS: Timeouts =
    Timeouts { idle: Duration::from_secs(300), connect: Duration::from_millis(500), keepalive: Duration::from_secs(0) };

/// The connections of a daemon, and its clock.
struct Rig {
    poll: Poll,
    tcp: Tcp,
    address: SocketAddr,
    now: Instant,
    buffer: Vec<u8>,
}

fn interface(index: u32, address: [u8; 4]) -> Interface {
    let prefix = Prefix { address: address.into(), length: 32 };
    Interface { index: Some(index), addresses: [prefix].into_iter().collect() }
}

impl Rig {
    /// Listens on 127.0.10.`host`, which is the LAN.
    fn new(host: u8, timeouts: Timeouts) -> Self {
        let poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let mut tcp = Tcp::new(registry, [Token(6), Token(7)], 35064, 0, timeouts);
        tcp.set_interfaces(&interface(1, [127, 0, 10, host]), &Interface::default()).unwrap();
        let address = ([127, 0, 10, host], 35064).into();
        Self { poll, tcp, address, now: Instant::from_millis(1000), buffer: vec![0; MAX_DATAGRAM] }
    }

    /// Waits for events and hands them in.
    fn turn(&mut self) {
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(Duration::from_millis(40))).unwrap();
        events.iter().for_each(|event| self.tcp.ready(event));
    }

    /// A peer that has connected.
    fn peer(&mut self) -> (TcpStream, ConnId) {
        let stream = TcpStream::connect(self.address).unwrap();
        self.turn();
        let (conn, event) = self.tcp.accept(Side::Lan, self.now).unwrap();
        let from = stream.local_addr().unwrap();
        assert_eq!(event, ConnEvent::Accepted { local: Side::Lan, interface: Side::Lan, from, meant_for: None });
        (stream, conn)
    }

    /// The messages that have come, and `true` behind the last where the connection is over.
    fn messages(&mut self, conn: ConnId) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            let end = self.tcp.receive(conn, &mut self.buffer);
            if end == 0 {
                return messages;
            }
            let mut at = 0;
            while let Some(frame) = self.tcp.frame(conn, &self.buffer[at..end], self.now) {
                let (Frame::Message(length) | Frame::Ping(length) | Frame::Blank(length)) = frame else { break };
                if matches!(frame, Frame::Message(_)) {
                    messages.push(self.buffer[at..at + length].to_vec());
                }
                at += length;
            }
            let rest = self.buffer[at..end].to_vec();
            self.tcp.hold(conn, &rest);
        }
    }
}

#[test]
fn messages_come_whole_however_they_are_cut() {
    let mut rig = Rig::new(1, TIMEOUTS);
    let (mut peer, conn) = rig.peer();
    let stream = [OPTIONS, b"\r\n\r\n", OPTIONS, OPTIONS, &OPTIONS[..20]].concat();
    for piece in stream.chunks(7) {
        peer.write_all(piece).unwrap();
    }
    rig.turn();
    assert_eq!(rig.messages(conn), [OPTIONS, OPTIONS, OPTIONS]);
    peer.write_all(&OPTIONS[20..]).unwrap();
    rig.turn();
    assert_eq!(rig.messages(conn), [OPTIONS]);
    let body = MAX_DATAGRAM - 60;
    let long =
        [format!("OPTIONS sip:a SIP/2.0\r\nContent-Length: {body}\r\n\r\n").as_bytes(), &vec![b'x'; body]].concat();
    peer.write_all(&long).unwrap();
    rig.turn();
    assert_eq!(rig.messages(conn), [long]);
    drop(peer);
    rig.turn();
    assert!(rig.messages(conn).is_empty());
    assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Closed)));
    assert!(rig.tcp.is_empty());
}

#[test]
fn what_is_no_sip_closes_the_connection() {
    let mut rig = Rig::new(2, TIMEOUTS);
    let (mut peer, conn) = rig.peer();
    peer.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    rig.turn();
    assert!(rig.messages(conn).is_empty());
    assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Closed)));
    assert_eq!(peer.read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn what_a_peer_does_not_take_is_queued_up_to_a_ceiling() {
    let mut rig = Rig::new(3, TIMEOUTS);
    let (mut peer, conn) = rig.peer();
    let message = [b'x'; 20_000];
    let mut sent = 0;
    // The system's own buffers are filled first, which are some megabytes at most.
    while rig.tcp.send(conn, &[&message[..10], b"", &message[10..]], rig.now).is_ok() {
        sent += 1;
        assert!(sent < 10_000);
        if sent == 3 {
            // It is read again in between: all comes in order.
            let mut read = vec![0; 60_000];
            peer.read_exact(&mut read).unwrap();
            assert!(read.iter().all(|b| *b == b'x'));
        }
    }
    assert!(sent * message.len() > MAX_STREAM_QUEUE);
    assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Closed)));
    assert_eq!(rig.tcp.send(conn, &[b"x"], rig.now), Err(SendError::Closed));
}

#[test]
fn a_queue_is_sent_when_the_peer_reads_again() {
    let mut rig = Rig::new(4, TIMEOUTS);
    let (peer, conn) = rig.peer();
    let reader = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let mut peer = peer;
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    let mut wanted = Vec::new();
    for number in 0..3000u32 {
        let message = [number.to_be_bytes(); 250].concat();
        rig.tcp.send(conn, &[&message], rig.now).unwrap();
        wanted.extend(message);
        if number % 50 == 0 {
            rig.turn();
        }
    }
    for _ in 0..10 {
        rig.turn();
    }
    rig.tcp.disconnect(conn);
    assert!(reader.join().unwrap() == wanted);
}

#[test]
fn what_is_sent_before_a_connection_is_open_waits() {
    let mut rig = Rig::new(5, TIMEOUTS);
    let server = TcpListener::bind("127.0.10.6:0").unwrap();
    let to = server.local_addr().unwrap();
    let conn = rig.tcp.connect(Side::Lan, to, rig.now).unwrap();
    rig.tcp.send(conn, &[b"a", b"b"], rig.now).unwrap();
    rig.tcp.send(conn, &[b"c"], rig.now).unwrap();
    rig.turn();
    assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Opened)));
    let (mut stream, from) = server.accept().unwrap();
    assert_eq!(from.ip(), rig.address.ip());
    let mut read = [0; 3];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"abc");
    assert_eq!(rig.tcp.connect(Side::Wan, to, rig.now), Err(SendError::NoAddress));
}

#[test]
fn a_connection_that_does_not_open_fails() {
    let mut rig = Rig::new(7, TIMEOUTS);
    let refused = rig.tcp.connect(Side::Lan, "127.0.10.8:9".parse().unwrap(), rig.now);
    // The system may tell at once or with an event.
    if let Ok(conn) = refused {
        rig.turn();
        assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Failed)));
    }
    // A listener with a full backlog answers nobody.
    let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    deaf.bind(&"127.0.10.9:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    deaf.listen(0).unwrap();
    let to = deaf.local_addr().unwrap().as_socket().unwrap();
    let _first = TcpStream::connect(to).unwrap();
    let silent = rig.tcp.connect(Side::Lan, to, rig.now).unwrap();
    rig.turn();
    assert_eq!(rig.tcp.next_event(), None);
    assert_eq!(rig.tcp.next_timeout(), Some(rig.now.after(TIMEOUTS.connect)));
    rig.tcp.timeout(rig.now.after(TIMEOUTS.connect));
    assert_eq!(rig.tcp.next_event(), Some((silent, ConnEvent::Failed)));
}

#[test]
fn idle_connections_end_and_keepalives_do_not_count() {
    let mut rig = Rig::new(10, Timeouts { keepalive: Duration::from_secs(20), ..TIMEOUTS });
    let (mut peer, conn) = rig.peer();
    let start = rig.now;
    assert_eq!(rig.tcp.next_timeout(), Some(start.after_secs(20)));
    rig.tcp.timeout(start.after_secs(20));
    assert_eq!(rig.tcp.next_timeout(), Some(start.after_secs(40)));
    let mut read = [0; 9];
    assert_eq!(peer.read(&mut read).unwrap(), 2);
    assert_eq!(&read[..2], b"\r\n");
    peer.write_all(b"\r\n\r\n").unwrap();
    rig.turn();
    rig.messages(conn);
    assert_eq!(rig.tcp.next_idle(start.after_secs(299)), None);
    assert_eq!(rig.tcp.next_idle(start.after_secs(300)), Some(conn));
    rig.tcp.settle_idle(conn, true, start.after_secs(300));
    assert_eq!(rig.tcp.next_idle(start.after_secs(599)), None);
    rig.now = start.after_secs(500);
    peer.write_all(OPTIONS).unwrap();
    rig.turn();
    rig.messages(conn);
    assert_eq!(rig.tcp.next_idle(start.after_secs(799)), None);
    rig.tcp.settle_idle(conn, false, start.after_secs(800));
    assert_eq!(rig.tcp.next_event(), Some((conn, ConnEvent::Closed)));
    assert_eq!(rig.tcp.next_timeout(), None);
}

#[test]
fn a_full_table_makes_room_where_it_was_idle_longest() {
    let mut rig = Rig::new(11, TIMEOUTS);
    let server = TcpListener::bind("127.0.10.12:0").unwrap();
    let to = server.local_addr().unwrap();
    let conns: Vec<ConnId> = (0..MAX_CONNECTIONS as u64)
        .map(|n| rig.tcp.connect(Side::Lan, to, rig.now.after(Duration::from_millis(n))).unwrap())
        .collect();
    rig.turn();
    while rig.tcp.next_event().is_some() {}
    rig.now = rig.now.after_secs(1);
    rig.tcp.send(conns[0], &[OPTIONS], rig.now).unwrap();
    let more = rig.tcp.connect(Side::Lan, to, rig.now).unwrap();
    assert_eq!(rig.tcp.next_event(), Some((conns[1], ConnEvent::Closed)));
    assert_eq!(more.index(), conns[1].index());
    assert_eq!(rig.tcp.len(), MAX_CONNECTIONS);
    // An event of the old connection does not reach the new one.
    assert_eq!(rig.tcp.send(conns[1], &[OPTIONS], rig.now), Err(SendError::Closed));
    // One that comes in has a place beside them until the engine has seen it.
    let (_peer, stranger) = rig.peer();
    while rig.tcp.next_event().is_some() {}
    rig.tcp.disconnect(stranger);
    rig.tcp.make_room();
    assert_eq!(rig.tcp.next_event(), None);
    let (_peer, _) = rig.peer();
    rig.tcp.make_room();
    assert_eq!(rig.tcp.next_event(), Some((conns[2], ConnEvent::Closed)));
    assert_eq!(rig.tcp.len(), MAX_CONNECTIONS);
}

#[test]
fn one_source_has_so_many_connections() {
    let mut rig = Rig::new(13, TIMEOUTS);
    let peers: Vec<_> = (0..MAX_CONNECTIONS_OF_ONE + 1).map(|_| rig.peer()).collect();
    assert_eq!(rig.tcp.len(), MAX_CONNECTIONS_OF_ONE);
    assert_eq!(rig.tcp.next_event(), Some((peers[0].1, ConnEvent::Closed)));
    assert_eq!(rig.tcp.next_event(), None);
}

#[test]
fn a_quiet_connection_allocates_nothing() {
    let mut rig = Rig::new(14, TIMEOUTS);
    let (mut peer, conn) = rig.peer();
    let mut read = [0; 100];
    for _ in 0..3 {
        peer.write_all(OPTIONS).unwrap();
        rig.turn();
        let Rig { tcp, buffer, now, .. } = &mut rig;
        let counted = allocation_counter::measure(|| {
            let end = tcp.receive(conn, buffer);
            assert_eq!(tcp.frame(conn, &buffer[..end], *now), Some(Frame::Message(OPTIONS.len())));
            tcp.hold(conn, &[]);
            tcp.send(conn, &[b"SIP/2.0 200 OK\r\n", b"\r\n"], *now).unwrap();
            assert_eq!(tcp.receive(conn, buffer), 0);
        });
        assert_eq!(counted.count_total, 0);
        assert_eq!(peer.read(&mut read).unwrap(), 18);
    }
}
