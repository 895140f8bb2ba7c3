//! The media relay over real sockets: 127.0.8.1 is its LAN address, 127.0.8.2 its WAN address.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use mio::{Events, Poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use siproxd::engine::Side;
use siproxd::engine::io::{Leg, LegCounters, RelayCmd, RelayError, RelayId};
use siproxd::family::Family;
use siproxd::net::relay::{BATCH, Relay};
use siproxd::rtp::latch::{Latching, Peer};
use siproxd::time::{Duration, Instant};
use socket2::SockRef;
use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

#[path = "relay/connected.rs"]
mod connected;
#[path = "relay/dejitter.rs"]
mod dejitter;

const LAN: [u8; 4] = [127, 0, 8, 1];
const WAN: [u8; 4] = [127, 0, 8, 2];
const SIDES: [Side; 2] = [Side::Lan, Side::Wan];
const TIMEOUT: Duration = Duration::from_secs(300);

/// A phone's RTP and RTCP socket.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Phone {
    fn new(address: impl Into<IpAddr>, port: u16) -> Self {
        let address = address.into();
        let bind = |port: u16| {
            let socket = UdpSocket::bind((address, port)).expect("a free port");
            socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
            socket
        };
        Self { rtp: bind(port), rtcp: bind(port + 1) }
    }

    fn peer(&self) -> Peer {
        let rtp = self.rtp.local_addr().expect("bound");
        Peer {
            allowed: [Some(rtp.ip()), None, None, None],
            rtp: Some(rtp),
            rtcp: self.rtcp.local_addr().ok(),
            ..Peer::default()
        }
    }
}

/// What `socket` gets next, and from where.
fn next(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 4096];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    Some((buffer[..length].to_vec(), from))
}

/// An RTP packet with 160 bytes of G.711.
fn rtp(sequence: u16) -> [u8; 172] {
    let mut packet = [0xd5; 172];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
    packet
}

/// An RTCP receiver report.
const RTCP: [u8; 8] = [0x80, 201, 0, 1, 1, 2, 3, 4];

struct Rig {
    poll: Poll,
    events: Events,
    relay: Relay,
    /// Of the legs that are opened.
    families: [Family; 2],
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let poll = Poll::new().expect("epoll");
        let mut relay = Relay::new(poll.registry().try_clone().expect("a registry"), TIMEOUT);
        relay.set_address(Side::Lan, Family::V4, Some(LAN.into()));
        relay.set_address(Side::Wan, Family::V4, Some(WAN.into()));
        Self {
            poll,
            events: Events::with_capacity(64),
            relay,
            families: [Family::V4; 2],
            now: Instant::from_millis(1000),
        }
    }

    fn open(&mut self, relay: RelayId, ports: [u16; 2]) -> Result<[LegCounters; 2], RelayError> {
        let families = self.families;
        self.relay.apply(RelayCmd::Open { relay, sides: SIDES, families, ports }, self.now)
    }

    fn aim(&mut self, relay: RelayId, leg: Leg, peer: Peer) {
        self.relay.apply(RelayCmd::Retarget { relay, leg, peer }, self.now).expect("never fails");
    }

    fn close(&mut self, relay: RelayId) -> [LegCounters; 2] {
        self.relay.apply(RelayCmd::Close { relay }, self.now).expect("never fails")
    }

    /// One turn of the event loop.
    fn turn(&mut self) {
        let wait = if self.relay.is_pending() { Duration::ZERO } else { Duration::from_millis(50) };
        self.poll.poll(&mut self.events, Some(wait)).expect("poll");
        for event in &self.events {
            self.relay.ready(event.token(), self.now);
        }
        self.relay.run_pending(self.now);
    }

    /// A relay between two new phones that use the ports from `base` on.
    fn call(&mut self, relay: RelayId, base: u16) -> (Phone, Phone) {
        let (inner, outer) = (Phone::new([127, 0, 8, 3], base), Phone::new([127, 0, 8, 4], base));
        self.open(relay, [base, base]).expect("open");
        self.aim(relay, Leg::Caller, inner.peer());
        self.aim(relay, Leg::Callee, outer.peer());
        (inner, outer)
    }
}

fn id(index: u16) -> RelayId {
    RelayId::from_parts(index, 1)
}

fn at(address: [u8; 4], port: u16) -> SocketAddr {
    (address, port).into()
}

#[test]
fn media_goes_both_ways_out_of_the_advertised_port() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41000);
    inner.rtp.send_to(&rtp(1), at(LAN, 41000)).expect("sent");
    outer.rtp.send_to(&rtp(9), at(WAN, 41000)).expect("sent");
    inner.rtcp.send_to(&RTCP, at(LAN, 41001)).expect("sent");
    rig.turn();
    assert_eq!(next(&outer.rtp), Some((rtp(1).to_vec(), at(WAN, 41000))));
    assert_eq!(next(&inner.rtp), Some((rtp(9).to_vec(), at(LAN, 41000))));
    assert_eq!(next(&outer.rtcp), Some((RTCP.to_vec(), at(WAN, 41001))));
    let counted = rig.relay.apply(RelayCmd::Count { relay: id(0) }, rig.now).expect("never fails");
    let [caller, callee] = rig.close(id(0));
    assert_eq!(counted, [caller, callee], "and the relay was open until then");
    let again = rig.relay.apply(RelayCmd::Count { relay: id(0) }, rig.now);
    assert_eq!(again, Ok([LegCounters::default(); 2]), "it is not any more");
    for leg in [caller, callee] {
        assert_eq!((leg.packets, leg.bytes, leg.strangers, leg.unproven), (1, 172, 0, 0));
        assert_eq!((leg.heard.packets, leg.heard.bytes, leg.heard.others), (1, 172, 0));
    }
    assert_eq!((caller.heard.rtcp, callee.heard.rtcp), (1, 0));
}

#[test]
fn a_leg_on_ipv6_meets_one_on_ipv4() {
    let mut rig = Rig::new();
    let inner = Phone::new([127, 0, 8, 3], 41090);
    // Both relay ports on one host: the phone takes the pair above.
    let outer = Phone::new(Ipv6Addr::LOCALHOST, 41092);
    rig.families[1] = Family::V6;
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    rig.open(id(0), [41090, 41090]).expect("open");
    rig.aim(id(0), Leg::Caller, inner.peer());
    rig.aim(id(0), Leg::Callee, outer.peer());
    let wan: SocketAddr = (Ipv6Addr::LOCALHOST, 41090).into();
    for sequence in 0..3 {
        inner.rtp.send_to(&rtp(sequence), at(LAN, 41090)).expect("sent");
        outer.rtp.send_to(&rtp(sequence), wan).expect("sent");
        rig.turn();
        assert_eq!(next(&outer.rtp), Some((rtp(sequence).to_vec(), wan)));
        assert_eq!(next(&inner.rtp), Some((rtp(sequence).to_vec(), at(LAN, 41090))));
    }
}

#[test]
fn a_leg_that_speaks_both_families_sends_and_takes_by_either() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41110);
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    let add = RelayCmd::AddFamily { relay: id(0), leg: Leg::Callee, family: Family::V6 };
    let at_v6: SocketAddr = (Ipv6Addr::LOCALHOST, 41110).into();
    let taken = UdpSocket::bind((Ipv6Addr::LOCALHOST, 41111)).expect("a free port");
    assert_eq!(rig.relay.apply(add, rig.now), Err(RelayError::PortTaken(Leg::Callee)));
    UdpSocket::bind(at_v6).expect("nothing is left of what failed");
    drop(taken);
    for _ in 0..2 {
        assert!(rig.relay.apply(add, rig.now).is_ok(), "a second time it is there already");
    }
    // The far end names an address of IPv6 and goes on sending by IPv4, too.
    let moved = Phone::new(Ipv6Addr::LOCALHOST, 41112);
    let mut peer = moved.peer();
    peer.allowed[1] = Some([127, 0, 8, 4].into());
    rig.aim(id(0), Leg::Callee, peer);
    for sequence in 0..3 {
        outer.rtp.send_to(&rtp(sequence), at(WAN, 41110)).expect("sent");
    }
    rig.turn();
    assert!(next(&inner.rtp).is_some(), "learned at IPv4");
    inner.rtp.send_to(&rtp(7), at(LAN, 41110)).expect("sent");
    rig.turn();
    assert_eq!(next(&outer.rtp), Some((rtp(7).to_vec(), at(WAN, 41110))));
    // Whoever comes by IPv6 now is not believed, whatever he says in his address of IPv4.
    moved.rtp.send_to(&rtp(9), at_v6).expect("sent");
    rig.turn();
    assert_eq!(next(&inner.rtp), None);
    // A new description opens it again.
    rig.aim(id(0), Leg::Callee, Peer { allowed: [Some(Ipv6Addr::LOCALHOST.into()), None, None, None], ..peer });
    moved.rtp.send_to(&rtp(10), at_v6).expect("sent");
    outer.rtp.send_to(&rtp(11), at(WAN, 41110)).expect("sent");
    rig.turn();
    assert_eq!(next(&inner.rtp), Some((rtp(10).to_vec(), at(LAN, 41110))));
    assert_eq!(next(&inner.rtp), None);
    inner.rtp.send_to(&rtp(12), at(LAN, 41110)).expect("sent");
    moved.rtcp.send_to(&RTCP, SocketAddr::from((Ipv6Addr::LOCALHOST, 41111))).expect("sent");
    rig.turn();
    assert_eq!(next(&moved.rtp), Some((rtp(12).to_vec(), at_v6)));
    assert_eq!(next(&inner.rtcp).map(|(packet, _)| packet), Some(RTCP.to_vec()));
    rig.close(id(0));
    for place in [at_v6, at(WAN, 41110)] {
        UdpSocket::bind(place).expect("both are closed");
    }
}

#[test]
fn descriptors_that_are_used_up_refuse_a_second_family() {
    let mut rig = Rig::new();
    rig.relay.set_room(2);
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    let add = |relay| RelayCmd::AddFamily { relay, leg: Leg::Callee, family: Family::V6 };
    assert!(rig.open(id(0), [41130, 41130]).is_ok());
    assert!(rig.relay.apply(add(id(0)), rig.now).is_ok());
    assert_eq!(rig.open(id(1), [41132, 41132]), Err(RelayError::Resources), "six of eight sockets are in use");
    rig.close(id(0));
    assert!(rig.open(id(1), [41132, 41132]).is_ok());
    assert!(rig.open(id(0), [41130, 41130]).is_ok());
    assert_eq!(rig.relay.apply(add(id(0)), rig.now), Err(RelayError::Resources));
    assert_eq!(rig.relay.apply(add(RelayId::from_parts(0, 9)), rig.now), Ok(Default::default()), "not this one");
}

/// The second byte of the IPv4 header, or the traffic class of IPv6, of the next datagram.
fn next_class(socket: &UdpSocket) -> i32 {
    let mut space = nix::cmsg_space!(i32);
    let mut buffer = [0; 2048];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::empty()).expect("one");
    match message.cmsgs().expect("whole").next() {
        Some(ControlMessageOwned::Ipv4Tos(class)) => class.into(),
        Some(ControlMessageOwned::Ipv6TClass(class)) => class,
        other => panic!("{other:?}"),
    }
}

#[test]
fn media_is_marked_over_ipv4_and_ipv6() {
    let mut rig = Rig::new();
    let (inner, outer) = (Phone::new([127, 0, 8, 3], 41100), Phone::new(Ipv6Addr::LOCALHOST, 41102));
    for socket in [&inner.rtp, &inner.rtcp] {
        SockRef::from(socket).set_recv_tos_v4(true).expect("asked for");
    }
    for socket in [&outer.rtp, &outer.rtcp] {
        SockRef::from(socket).set_recv_tclass_v6(true).expect("asked for");
    }
    rig.families[1] = Family::V6;
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    for dscp in [0, 46, 63] {
        rig.relay.set_dscp(dscp);
        rig.open(id(0), [41100, 41100]).expect("open");
        rig.aim(id(0), Leg::Caller, inner.peer());
        rig.aim(id(0), Leg::Callee, outer.peer());
        for above in [0, 1] {
            let wan: SocketAddr = (Ipv6Addr::LOCALHOST, 41100 + above).into();
            let (from_inner, from_outer) =
                if above == 0 { (&inner.rtp, &outer.rtp) } else { (&inner.rtcp, &outer.rtcp) };
            let packet = if above == 0 { &rtp(7)[..] } else { &RTCP[..] };
            from_inner.send_to(packet, at(LAN, 41100 + above)).expect("sent");
            from_outer.send_to(packet, wan).expect("sent");
            rig.turn();
            assert_eq!(next_class(from_outer), i32::from(dscp) << 2, "IPv6, {above}");
            assert_eq!(next_class(from_inner), i32::from(dscp) << 2, "IPv4, {above}");
        }
    }
}

#[test]
fn a_burst_goes_through_whole_and_in_order() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(3), 41010);
    let burst = 3 * BATCH as u16 + 5;
    for sequence in 0..burst {
        inner.rtp.send_to(&rtp(sequence), at(LAN, 41010)).expect("sent");
    }
    rig.turn();
    while rig.relay.is_pending() {
        rig.turn();
    }
    for sequence in 0..burst {
        assert_eq!(next(&outer.rtp).map(|(packet, _)| packet), Some(rtp(sequence).to_vec()));
    }
}

#[test]
fn strangers_and_oversized_datagrams_are_dropped() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41020);
    let stranger = Phone::new([127, 0, 8, 9], 41020);
    stranger.rtp.send_to(&rtp(1), at(WAN, 41020)).expect("sent");
    outer.rtp.send_to(&[0x80; 3000], at(WAN, 41020)).expect("sent");
    outer.rtp.send_to(&rtp(2), at(WAN, 41020)).expect("sent");
    rig.turn();
    assert_eq!(next(&inner.rtp).map(|(packet, _)| packet), Some(rtp(2).to_vec()));
    assert_eq!(next(&inner.rtp), None);
    assert_eq!(rig.relay.losses().oversized, 1);
    assert_eq!(rig.close(id(0))[Leg::Callee as usize].strangers, 1);
}

#[test]
fn a_taken_port_opens_nothing() {
    let mut rig = Rig::new();
    let taken = UdpSocket::bind(at(WAN, 41033)).expect("a free port");
    assert_eq!(rig.open(id(0), [41030, 41032]), Err(RelayError::PortTaken(Leg::Callee)));
    assert!(rig.relay.is_empty());
    UdpSocket::bind(at(LAN, 41030)).expect("the other leg's port is free again");
    drop(taken);
    assert!(rig.open(id(0), [41030, 41032]).is_ok());
    assert_eq!(rig.open(id(1), [41030, 41034]), Err(RelayError::PortTaken(Leg::Caller)));
    assert_eq!(rig.open(id(1), [41034, 65535]), Err(RelayError::PortTaken(Leg::Callee)));
    assert_eq!(rig.relay.len(), 1);
}

#[test]
fn a_side_without_an_address_opens_nothing() {
    let mut rig = Rig::new();
    rig.relay.set_address(Side::Wan, Family::V4, None);
    assert_eq!(rig.open(id(0), [41040, 41040]), Err(RelayError::NoAddress(Side::Wan)));
    rig.relay.set_address(Side::Wan, Family::V4, Some([203, 0, 113, 77].into()));
    assert_eq!(rig.open(id(0), [41040, 41040]), Err(RelayError::NoAddress(Side::Wan)));
    assert_eq!(rig.open(RelayId::from_parts(u16::MAX, 1), [41040; 2]), Err(RelayError::Resources));
}

#[test]
fn nothing_is_relayed_after_closing() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41050);
    inner.rtp.send_to(&rtp(1), at(LAN, 41050)).expect("sent");
    rig.poll.poll(&mut rig.events, Some(Duration::from_secs(1))).expect("poll");
    let stale: Vec<_> = rig.events.iter().map(mio::event::Event::token).collect();
    assert!(!stale.is_empty());
    rig.close(id(0));
    assert_eq!(rig.close(RelayId::from_parts(0, 7)), [LegCounters::default(); 2]);
    // The same slot again: an event of the old socket is not the new one's.
    rig.open(RelayId::from_parts(0, 2), [41050, 41050]).expect("open");
    for token in stale {
        rig.relay.ready(token, rig.now);
    }
    assert_eq!(next(&outer.rtp), None);
    // A stale handle closes nothing.
    rig.close(id(0));
    assert_eq!(rig.relay.len(), 1);
}

#[test]
fn open_relays_move_to_a_new_address() {
    const NEW: [u8; 4] = [127, 0, 8, 20];
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41060);
    outer.rtp.send_to(&rtp(9), at(WAN, 41060)).expect("sent");
    rig.turn();
    assert_eq!(next(&inner.rtp), Some((rtp(9).to_vec(), at(LAN, 41060))));
    // Gone for a while: nothing is closed.
    assert_eq!(rig.relay.set_address(Side::Wan, Family::V4, None), 0);
    inner.rtp.send_to(&rtp(1), at(LAN, 41060)).expect("sent");
    rig.turn();
    assert_eq!(next(&outer.rtp), Some((rtp(1).to_vec(), at(WAN, 41060))));
    // Then another: the first packet that the phone sends comes from there, as does its RTCP, and who answers to it is heard.
    assert_eq!(rig.relay.set_address(Side::Wan, Family::V4, Some(NEW.into())), 0);
    inner.rtp.send_to(&rtp(2), at(LAN, 41060)).expect("sent");
    inner.rtcp.send_to(&RTCP, at(LAN, 41061)).expect("sent");
    outer.rtp.send_to(&rtp(10), at(NEW, 41060)).expect("sent");
    rig.turn();
    assert_eq!(next(&outer.rtp), Some((rtp(2).to_vec(), at(NEW, 41060))));
    assert_eq!(next(&outer.rtcp), Some((RTCP.to_vec(), at(NEW, 41061))));
    assert_eq!(next(&inner.rtp), Some((rtp(10).to_vec(), at(LAN, 41060))));
    UdpSocket::bind(at(WAN, 41060)).expect("the old address is given back");
    assert_eq!(rig.close(id(0))[1].packets, 2, "and it is the same leg as before");
}

#[test]
fn a_leg_that_cannot_move_is_told_of() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41064);
    let _taken = UdpSocket::bind(at([127, 0, 8, 20], 41065)).expect("a free port");
    assert_eq!(rig.relay.set_address(Side::Wan, Family::V4, Some([127, 0, 8, 20].into())), 1);
    inner.rtp.send_to(&rtp(1), at(LAN, 41064)).expect("sent");
    rig.turn();
    assert_eq!(next(&outer.rtp), Some((rtp(1).to_vec(), at(WAN, 41064))));
}

#[test]
fn an_idle_relay_is_reported_once_each_time() {
    let mut rig = Rig::new();
    let (inner, _outer) = rig.call(id(0), 41070);
    let idle_at = |rig: &mut Rig, secs: u64| {
        core::iter::from_fn(|| rig.relay.next_idle(Instant::from_millis(secs * 1000))).collect::<Vec<_>>()
    };
    assert_eq!(idle_at(&mut rig, 300), []);
    rig.now = Instant::from_millis(200_000);
    inner.rtp.send_to(&rtp(1), at(LAN, 41070)).expect("sent");
    rig.turn();
    assert_eq!(idle_at(&mut rig, 499), []);
    assert_eq!(idle_at(&mut rig, 500), [id(0)]);
    assert_eq!(idle_at(&mut rig, 502), []);
    assert_eq!(idle_at(&mut rig, 800), [id(0)]);
}

#[test]
fn relaying_allocates_nothing() {
    let mut rig = Rig::new();
    let (inner, outer) = rig.call(id(0), 41080);
    let mut relayed = 0;
    for round in 0..20u16 {
        // One packet, then several: two ways of sending.
        for sequence in 0..=round {
            inner.rtp.send_to(&rtp(round * 20 + sequence), at(LAN, 41080)).expect("sent");
        }
        rig.poll.poll(&mut rig.events, Some(Duration::from_millis(200))).expect("poll");
        let Rig { events, relay, now, .. } = &mut rig;
        let counted = allocation_counter::measure(|| {
            for event in &*events {
                relay.ready(event.token(), *now);
            }
            while relay.is_pending() {
                relay.run_pending(*now);
            }
            assert_eq!(relay.next_idle(*now), None);
        });
        assert_eq!(counted.count_total, 0, "round {round}");
        relayed += u32::from(round) + 1;
    }
    assert_eq!(rig.close(id(0))[0].packets, relayed);
    assert!(next(&outer.rtp).is_some());
}
