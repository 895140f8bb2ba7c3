//! A peer that keeps sending has a socket of its own at the relay, connected to it; nobody sees a difference.

use super::*;
use nix::sys::socket::{SockaddrIn, SockaddrIn6, SockaddrStorage, getpeername, getsockname};
use std::os::fd::RawFd;

/// More packets than a peer sends before it gets its own socket.
const STEADY: u16 = 40;

/// How many sockets of this process are bound to a port and connected.
fn connected(port: u16) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").expect("Linux");
    let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| local_port(number) == Some(port) && getpeername::<SockaddrStorage>(number).is_ok()).count()
}

/// The port that a socket is bound to.
fn local_port(number: RawFd) -> Option<u16> {
    let address = getsockname::<SockaddrStorage>(number).ok()?;
    let v4 = address.as_sockaddr_in().map(SockaddrIn::port);
    v4.or_else(|| address.as_sockaddr_in6().map(SockaddrIn6::port))
}

/// Packets from a phone to the relay, one by one.
fn talk(rig: &mut Rig, from: &UdpSocket, to: SocketAddr, first: u16) {
    for sequence in (0..STEADY).map(|number| first + number) {
        from.send_to(&rtp(sequence), to).expect("sent");
        rig.turn();
    }
}

/// Sequence numbers that a phone has got, and that they all came from there.
fn heard(at: &UdpSocket, from: SocketAddr) -> Vec<u16> {
    let mut sequences = Vec::new();
    while let Some((packet, source)) = next(at) {
        assert_eq!(source, from);
        sequences.push(u16::from_be_bytes([packet[2], packet[3]]));
    }
    sequences
}

/// A call in which both parties have their own socket.
fn steady_call(rig: &mut Rig, port: u16) -> (Phone, Phone) {
    let (inner, outer) = rig.call(id(0), port);
    talk(rig, &inner.rtp, at(LAN, port), 0);
    assert_eq!(connected(port), 1);
    talk(rig, &outer.rtp, at(WAN, port), 0);
    assert_eq!(connected(port), 2);
    let all: Vec<u16> = (0..STEADY).collect();
    assert_eq!(heard(&outer.rtp, at(WAN, port)), all);
    assert_eq!(heard(&inner.rtp, at(LAN, port)), all);
    (inner, outer)
}

#[test]
fn strangers_are_still_kept_out_and_counted() {
    let mut rig = Rig::new();
    let (inner, outer) = steady_call(&mut rig, 41400);
    let stranger = Phone::new([127, 0, 8, 9], 41400);
    let other_port = UdpSocket::bind(at([127, 0, 8, 4], 41410)).expect("a free port");
    for sequence in 0..3 {
        stranger.rtp.send_to(&rtp(sequence), at(WAN, 41400)).expect("sent");
        other_port.send_to(&rtp(sequence), at(WAN, 41400)).expect("sent");
    }
    rig.turn();
    talk(&mut rig, &outer.rtp, at(WAN, 41400), 100);
    talk(&mut rig, &inner.rtp, at(LAN, 41400), 100);
    let all: Vec<u16> = (100..100 + STEADY).collect();
    assert_eq!(heard(&inner.rtp, at(LAN, 41400)), all);
    assert_eq!(heard(&outer.rtp, at(WAN, 41400)), all);
    let callee = rig.close(id(0))[Leg::Callee as usize];
    assert_eq!((callee.strangers, callee.unproven, callee.packets), (3, 3, u32::from(2 * STEADY)));
    assert_eq!(callee.stranger.map(|from| from.ip()), Some([127, 0, 8, 9].into()));
    assert_eq!(connected(41400), 0);
}

#[test]
fn a_new_description_takes_the_socket_away() {
    let mut rig = Rig::new();
    let (inner, outer) = steady_call(&mut rig, 41420);
    rig.aim(id(0), Leg::Callee, outer.peer());
    assert_eq!(connected(41420), 2, "the same again changes nothing");
    let moved = Phone::new([127, 0, 8, 5], 41420);
    rig.aim(id(0), Leg::Callee, moved.peer());
    assert_eq!(connected(41420), 1);
    talk(&mut rig, &outer.rtp, at(WAN, 41420), 200);
    assert_eq!(heard(&inner.rtp, at(LAN, 41420)), [], "who is not the peer any more is a stranger");
    talk(&mut rig, &moved.rtp, at(WAN, 41420), 300);
    assert_eq!(heard(&inner.rtp, at(LAN, 41420)), (300..300 + STEADY).collect::<Vec<_>>());
    assert_eq!(connected(41420), 2);
    talk(&mut rig, &inner.rtp, at(LAN, 41420), 400);
    assert_eq!(heard(&moved.rtp, at(WAN, 41420)), (400..400 + STEADY).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_refuses_packets_for_a_while_misses_no_later_one() {
    let mut rig = Rig::new();
    let (inner, outer) = steady_call(&mut rig, 41440);
    drop(outer.rtp);
    // Two are taken at first, then the others: what came back for the first two is not known before those are sent.
    for sequence in 500..504 {
        inner.rtp.send_to(&rtp(sequence), at(LAN, 41440)).expect("sent");
    }
    rig.turn();
    let outer = UdpSocket::bind(at([127, 0, 8, 4], 41440)).expect("a free port");
    outer.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    talk(&mut rig, &inner.rtp, at(LAN, 41440), 600);
    assert_eq!(heard(&outer, at(WAN, 41440)), (600..600 + STEADY).collect::<Vec<_>>());
    assert_eq!(rig.relay.losses().unsent, 0);
}

#[test]
fn a_new_address_of_ours_brings_a_new_socket() {
    const NEW: [u8; 4] = [127, 0, 8, 6];
    let mut rig = Rig::new();
    let (inner, outer) = steady_call(&mut rig, 41450);
    assert_eq!(rig.relay.set_address(Side::Wan, Family::V4, Some(NEW.into())), 0);
    assert_eq!(connected(41450), 1);
    talk(&mut rig, &inner.rtp, at(LAN, 41450), 100);
    assert_eq!(heard(&outer.rtp, at(NEW, 41450)).len(), usize::from(STEADY));
    talk(&mut rig, &outer.rtp, at(NEW, 41450), 100);
    assert_eq!(heard(&inner.rtp, at(LAN, 41450)).len(), usize::from(STEADY));
    assert_eq!(connected(41450), 2);
}

#[test]
fn nobody_else_may_have_the_port() {
    let mut rig = Rig::new();
    let _phones = steady_call(&mut rig, 41460);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("a wish");
    socket.set_reuse_address(true).expect("a wish");
    assert!(socket.bind(&at(LAN, 41460).into()).is_err());
    assert!(socket.bind(&at(WAN, 41460).into()).is_err());
}

#[test]
fn what_was_held_back_goes_to_a_peer_that_refused_some_too() {
    let mut rig = Rig::new();
    rig.relay.set_dejitter([Duration::from_millis(20), Duration::ZERO], 64);
    let (inner, outer) = rig.call(id(0), 41470);
    talk(&mut rig, &outer.rtp, at(WAN, 41470), 0);
    assert_eq!(connected(41470), 1);
    drop(outer.rtp);
    for (sequence, timestamp) in [(0, 0u32), (1, 160)] {
        let mut packet = rtp(sequence);
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        rig.now = rig.now.after(Duration::from_millis(20));
        inner.rtp.send_to(&packet, at(LAN, 41470)).expect("sent");
        rig.turn();
    }
    // The first goes, and is refused; nobody looks at that before the second goes.
    rig.relay.release(rig.now);
    let outer = UdpSocket::bind(at([127, 0, 8, 4], 41470)).expect("a free port");
    outer.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    rig.relay.release(rig.now.after(Duration::from_millis(20)));
    assert_eq!(heard(&outer, at(WAN, 41470)), [1]);
    assert_eq!(rig.relay.losses().unsent, 0);
}

#[test]
fn peers_of_ipv6_have_theirs() {
    let mut rig = Rig::new();
    let inner = Phone::new([127, 0, 8, 3], 41480);
    let outer = Phone::new(Ipv6Addr::LOCALHOST, 41482);
    rig.families[1] = Family::V6;
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    rig.open(id(0), [41480, 41480]).expect("open");
    rig.aim(id(0), Leg::Caller, inner.peer());
    rig.aim(id(0), Leg::Callee, outer.peer());
    let wan: SocketAddr = (Ipv6Addr::LOCALHOST, 41480).into();
    talk(&mut rig, &outer.rtp, wan, 0);
    assert_eq!(connected(41480), 1);
    talk(&mut rig, &inner.rtp, at(LAN, 41480), 0);
    assert_eq!(connected(41480), 2);
    let all: Vec<u16> = (0..STEADY).collect();
    assert_eq!(heard(&outer.rtp, wan), all);
    assert_eq!(heard(&inner.rtp, at(LAN, 41480)), all);
}

#[test]
fn without_descriptors_or_learning_peers_have_none() {
    for (port, connects, latching) in [(41490, false, Latching::Restricted), (41492, true, Latching::Off)] {
        let mut rig = Rig::new();
        rig.relay.set_connecting(connects);
        rig.relay.set_latching(latching);
        let (inner, outer) = rig.call(id(0), port);
        talk(&mut rig, &inner.rtp, at(LAN, port), 0);
        assert_eq!(connected(port), 0);
        assert_eq!(heard(&outer.rtp, at(WAN, port)).len(), usize::from(STEADY));
    }
    let mut rig = Rig::new();
    let (inner, outer) = steady_call(&mut rig, 41494);
    rig.relay.set_connecting(false);
    assert_eq!(connected(41494), 0);
    talk(&mut rig, &inner.rtp, at(LAN, 41494), 100);
    assert_eq!(heard(&outer.rtp, at(WAN, 41494)).len(), usize::from(STEADY));
}
