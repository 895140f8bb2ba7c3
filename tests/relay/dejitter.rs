//! Packets that are held back until they are due, with a clock of the test's own.

use super::*;
use siproxd::rtp::format::Terms;

/// What the Internet sends is held for 60 ms, what phones send for 20 ms.
const INPUT: u64 = 60;
const OUTPUT: u64 = 20;
const STEP: u64 = 20;

/// An RTP packet of G.711 with a time stamp.
fn voice(sequence: u16, timestamp: u32) -> [u8; 172] {
    let mut packet = rtp(sequence);
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet
}

fn rig(places: usize) -> Rig {
    let mut rig = Rig::new();
    rig.relay.set_dejitter([OUTPUT, INPUT].map(Duration::from_millis), places);
    rig
}

/// Takes what has come and sends what is due, `millis` after the rig's beginning.
fn turn_at(rig: &mut Rig, millis: u64) {
    rig.now = Instant::from_millis(1000 + millis);
    rig.turn();
    rig.relay.release(rig.now);
}

/// The sequence numbers of what a phone has got.
fn heard(socket: &UdpSocket) -> Vec<u16> {
    socket.set_nonblocking(true).expect("a socket");
    let numbers = core::iter::from_fn(|| next(socket)).map(|(packet, _)| u16::from_be_bytes([packet[2], packet[3]]));
    let numbers = numbers.collect();
    socket.set_nonblocking(false).expect("a socket");
    numbers
}

fn due_in(rig: &Rig) -> Option<u64> {
    rig.relay.next_release().map(|due| due.as_millis() - 1000)
}

#[test]
fn what_comes_unevenly_leaves_evenly_and_in_order() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41200);
    // Sent every 20 ms: one comes late, one very late, and overtakes nobody.
    for (sequence, comes) in [(0u16, 0u64), (1, 45), (3, 62), (2, 65), (4, 80), (5, 100)] {
        turn_at(&mut rig, comes - comes.min(1));
        outer.rtp.send_to(&voice(sequence, u32::from(sequence) * 160), at(WAN, 41200)).expect("sent");
        turn_at(&mut rig, comes);
    }
    // Until now those of 0 and 20 ms are due.
    assert_eq!(heard(&inner.rtp), [0, 1, 2]);
    for (sequence, due) in [(3, 120), (4, 140), (5, 160)] {
        assert_eq!(due_in(&rig), Some(due));
        turn_at(&mut rig, due - 1);
        assert_eq!(heard(&inner.rtp), []);
        turn_at(&mut rig, due);
        assert_eq!(heard(&inner.rtp), [sequence]);
    }
    assert_eq!(due_in(&rig), None);
    assert_eq!(rig.relay.held(), Some((0, 64, 0)));
    assert_eq!(rig.close(id(0))[Leg::Callee as usize].packets, 6);
}

#[test]
fn what_comes_too_late_does_not_wait_for_the_next_millisecond() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41330);
    outer.rtp.send_to(&voice(0, 0), at(WAN, 41330)).expect("sent");
    turn_at(&mut rig, 0);
    turn_at(&mut rig, INPUT);
    for (sequence, micros) in [(1, 100_700), (2, 130_501)] {
        outer.rtp.send_to(&voice(sequence, u32::from(sequence) * 160), at(WAN, 41330)).expect("sent");
        rig.now = Instant::from_micros(1_000_000 + micros);
        rig.turn();
        assert_eq!(due_in(&rig), None);
    }
    assert_eq!(heard(&inner.rtp), [0, 1, 2]);
}

#[test]
fn each_direction_has_its_own_delay() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(5), 41210);
    outer.rtp.send_to(&voice(1, 0), at(WAN, 41210)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(due_in(&rig), Some(INPUT));
    inner.rtp.send_to(&voice(2, 0), at(LAN, 41210)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(due_in(&rig), Some(OUTPUT));
    turn_at(&mut rig, OUTPUT);
    assert_eq!((heard(&inner.rtp), heard(&outer.rtp)), (vec![], vec![2]));
    turn_at(&mut rig, INPUT);
    assert_eq!((heard(&inner.rtp), heard(&outer.rtp)), (vec![1], vec![]));
}

#[test]
fn what_waits_leaves_by_the_other_family() {
    let mut rig = rig(64);
    let (inner, outer) = (Phone::new([127, 0, 8, 3], 41320), Phone::new(Ipv6Addr::LOCALHOST, 41322));
    rig.families[1] = Family::V6;
    rig.relay.set_address(Side::Wan, Family::V6, Some(Ipv6Addr::LOCALHOST.into()));
    rig.open(id(0), [41320, 41320]).expect("open");
    rig.aim(id(0), Leg::Caller, inner.peer());
    rig.aim(id(0), Leg::Callee, outer.peer());
    let wan: SocketAddr = (Ipv6Addr::LOCALHOST, 41320).into();
    inner.rtp.send_to(&voice(1, 0), at(LAN, 41320)).expect("sent");
    outer.rtp.send_to(&voice(2, 0), wan).expect("sent");
    turn_at(&mut rig, 0);
    turn_at(&mut rig, INPUT);
    assert_eq!(next(&outer.rtp), Some((voice(1, 0).to_vec(), wan)));
    assert_eq!(next(&inner.rtp), Some((voice(2, 0).to_vec(), at(LAN, 41320))));
}

#[test]
fn a_direction_with_no_delay_and_a_call_within_the_lan_do_not_wait() {
    let mut rig = Rig::new();
    rig.relay.set_dejitter([Duration::ZERO, Duration::from_millis(INPUT)], 64);
    let (inner, outer) = rig.call(id(0), 41220);
    inner.rtp.send_to(&voice(1, 0), at(LAN, 41220)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&outer.rtp), [1]);

    rig.relay.set_dejitter([Duration::from_millis(INPUT); 2], 64);
    let (one, other) = (Phone::new([127, 0, 8, 5], 41222), Phone::new([127, 0, 8, 6], 41222));
    let (sides, families) = ([Side::Lan; 2], [Family::V4; 2]);
    rig.relay.apply(RelayCmd::Open { relay: id(1), sides, families, ports: [41224, 41226] }, rig.now).expect("open");
    rig.aim(id(1), Leg::Caller, one.peer());
    rig.aim(id(1), Leg::Callee, other.peer());
    one.rtp.send_to(&voice(1, 0), at(LAN, 41224)).expect("sent");
    other.rtp.send_to(&voice(2, 0), at(LAN, 41226)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!((heard(&one.rtp), heard(&other.rtp)), (vec![2], vec![1]));
    assert_eq!(due_in(&rig), None);
}

#[test]
fn what_is_not_rtp_does_not_wait() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41230);
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.resize(20, 7);
    let dtls = [23, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 9];
    let udptl = [0, 7, 1, 2, 3];
    outer.rtp.send_to(&voice(1, 0), at(WAN, 41230)).expect("sent");
    for packet in [&stun[..], &dtls, &udptl, &RTCP] {
        outer.rtp.send_to(packet, at(WAN, 41230)).expect("sent");
    }
    outer.rtcp.send_to(&RTCP, at(WAN, 41231)).expect("sent");
    turn_at(&mut rig, 0);
    for packet in [&stun[..], &dtls, &udptl, &RTCP] {
        assert_eq!(next(&inner.rtp).map(|(got, _)| got), Some(packet.to_vec()));
    }
    assert_eq!(next(&inner.rtcp).map(|(got, _)| got), Some(RTCP.to_vec()));
    turn_at(&mut rig, INPUT);
    assert_eq!(heard(&inner.rtp), [1]);
}

#[test]
fn what_waits_when_the_call_ends_reaches_nobody() {
    let mut rig = rig(4);
    let (inner, outer) = rig.call(id(0), 41240);
    for sequence in 0..3 {
        outer.rtp.send_to(&voice(sequence, u32::from(sequence) * 160), at(WAN, 41240)).expect("sent");
    }
    turn_at(&mut rig, 0);
    assert_eq!(rig.relay.held(), Some((3, 4, 0)));
    rig.close(id(0));
    assert_eq!(rig.relay.held(), Some((0, 4, 0)));
    // The next call in the same place is another one.
    rig.open(RelayId::from_parts(0, 2), [41240, 41240]).expect("open");
    rig.aim(RelayId::from_parts(0, 2), Leg::Caller, inner.peer());
    turn_at(&mut rig, 500);
    assert_eq!(heard(&inner.rtp), []);
    assert_eq!(due_in(&rig), None);
}

#[test]
fn what_waits_goes_where_the_call_goes_when_it_is_due() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41250);
    let moved = Phone::new([127, 0, 8, 7], 41250);
    outer.rtp.send_to(&voice(1, 0), at(WAN, 41250)).expect("sent");
    turn_at(&mut rig, 0);
    rig.aim(id(0), Leg::Caller, moved.peer());
    turn_at(&mut rig, INPUT);
    assert_eq!((heard(&inner.rtp), heard(&moved.rtp)), (vec![], vec![1]));
    // On hold by 0.0.0.0 there is nowhere to go.
    outer.rtp.send_to(&voice(2, 160), at(WAN, 41250)).expect("sent");
    turn_at(&mut rig, INPUT);
    rig.aim(id(0), Leg::Caller, Peer { rtp: None, ..moved.peer() });
    turn_at(&mut rig, 2 * INPUT + STEP);
    assert_eq!((heard(&inner.rtp), heard(&moved.rtp)), (vec![], vec![]));
    assert_eq!((rig.relay.held(), rig.relay.losses().unproven), (Some((0, 64, 0)), 1));
}

#[test]
fn a_full_pool_sends_the_first_early_and_loses_none() {
    let mut rig = rig(4);
    let (inner, outer) = rig.call(id(0), 41260);
    let (other_inner, other_outer) = rig.call(id(1), 41262);
    for sequence in 0..10u16 {
        outer.rtp.send_to(&voice(sequence, u32::from(sequence) * 160), at(WAN, 41260)).expect("sent");
    }
    turn_at(&mut rig, 0);
    assert_eq!(heard(&inner.rtp), [0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.relay.held(), Some((4, 4, 6)));
    // With no place for any of its own, another call goes on as if nothing were held.
    other_outer.rtp.send_to(&voice(7, 0), at(WAN, 41262)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&other_inner.rtp), [7]);
    // One that belongs in front of what waits does not push it out.
    outer.rtp.send_to(&voice(5, 5 * 160), at(WAN, 41260)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&inner.rtp), [5]);
    for millis in 1..=500 {
        if due_in(&rig).is_some_and(|due| due <= millis) {
            turn_at(&mut rig, millis);
        }
    }
    assert_eq!(heard(&inner.rtp), [6, 7, 8, 9]);
}

#[test]
fn a_flood_in_one_call_leaves_half_of_the_pool_to_the_others() {
    let mut rig = rig(100);
    let (_inner, outer) = rig.call(id(0), 41270);
    let (other_inner, other_outer) = rig.call(id(1), 41272);
    for sequence in 0..400u16 {
        outer.rtp.send_to(&voice(sequence, 0), at(WAN, 41270)).expect("sent");
        if sequence % BATCH as u16 == 0 {
            turn_at(&mut rig, 0);
        }
    }
    turn_at(&mut rig, 0);
    let (held, ..) = rig.relay.held().expect("on");
    assert!((49..=51).contains(&held), "{held}");
    other_outer.rtp.send_to(&voice(7, 0), at(WAN, 41272)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&other_inner.rtp), []);
    turn_at(&mut rig, INPUT);
    assert_eq!(heard(&other_inner.rtp), [7]);
}

#[test]
fn a_packet_that_is_too_long_to_wait_stays_in_order() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41280);
    outer.rtp.send_to(&voice(1, 0), at(WAN, 41280)).expect("sent");
    let mut long = voice(2, 160).to_vec();
    long.resize(1500, 0);
    outer.rtp.send_to(&long, at(WAN, 41280)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&inner.rtp), [1, 2]);
}

#[test]
fn a_codec_of_the_description_is_held_by_its_clock() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41290);
    let opus = |sequence: u16, timestamp| {
        let mut packet = voice(sequence, timestamp);
        packet[1] = 96;
        packet
    };
    outer.rtp.send_to(&opus(1, 0), at(WAN, 41290)).expect("sent");
    turn_at(&mut rig, 0);
    assert_eq!(heard(&inner.rtp), [1], "nobody has said what 96 is");
    let mut terms = Terms::default();
    terms.map(96, siproxd::rtp::format::Codec::Opus);
    rig.aim(id(0), Leg::Caller, Peer { terms, ..inner.peer() });
    outer.rtp.send_to(&opus(2, 960), at(WAN, 41290)).expect("sent");
    turn_at(&mut rig, STEP);
    outer.rtp.send_to(&opus(3, 1920), at(WAN, 41290)).expect("sent");
    turn_at(&mut rig, 2 * STEP + 11);
    assert_eq!(heard(&inner.rtp), []);
    turn_at(&mut rig, STEP + INPUT);
    assert_eq!((heard(&inner.rtp), due_in(&rig)), (vec![2], Some(2 * STEP + INPUT)));
}

#[test]
fn holding_allocates_nothing_once_the_places_have_been_used() {
    let mut rig = rig(64);
    let (inner, outer) = rig.call(id(0), 41300);
    let mut got = 0;
    for round in 0..60u16 {
        let millis = u64::from(round) * STEP;
        outer.rtp.send_to(&voice(round, u32::from(round) * 160), at(WAN, 41300)).expect("sent");
        rig.now = Instant::from_millis(1000 + millis);
        rig.poll.poll(&mut rig.events, Some(Duration::from_millis(200))).expect("poll");
        let Rig { events, relay, now, .. } = &mut rig;
        let counted = allocation_counter::measure(|| {
            for event in &*events {
                relay.ready(event.token(), *now);
            }
            relay.release(*now);
        });
        assert_eq!(counted.count_total, 0, "round {round}");
        got += heard(&inner.rtp).len();
    }
    assert_eq!(got, 57, "three are on their way");
}
