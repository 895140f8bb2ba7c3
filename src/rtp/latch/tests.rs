use super::*;
use proptest::prelude::*;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

const ANNOUNCED: &str = "198.51.100.1:4000";
const MOVED: &str = "198.51.100.1:6000";
const SIGNALLING: &str = "198.51.100.2:4000";
const STRANGER: &str = "203.0.113.9:4000";

fn peer() -> Peer {
    let mut peer = Peer { rtp: Some(address(ANNOUNCED)), rtcp: Some(address("198.51.100.1:4001")), ..Peer::default() };
    peer.allowed[0] = Some(address(ANNOUNCED).ip());
    peer.allowed[2] = Some(address(SIGNALLING).ip());
    peer
}

fn open() -> Latch {
    let mut latch = Latch::default();
    latch.announce(&peer());
    latch
}

/// A latch that learned `from`.
fn learned(from: &str) -> Latch {
    let mut latch = open();
    for sequence in 0..3 {
        latch.rtp(address(from), rtp(sequence));
    }
    assert_eq!(latch.rtp_destination(), Some(address(from)));
    latch
}

const fn rtp(sequence: u16) -> Kind {
    Kind::Rtp { sequence, ssrc: 7 }
}

const HELLO: Kind = Kind::Dtls { hello: true };
const RECORD: Kind = Kind::Dtls { hello: false };
const UDPTL: Kind = Kind::Other { sequence: 5 };
const ALL: [Kind; 6] = [rtp(1), Kind::Rtcp, Kind::Stun, HELLO, RECORD, UDPTL];

#[test]
fn it_is_small() {
    assert!(size_of::<Latch>() <= 240, "{}", size_of::<Latch>());
}

#[test]
fn a_closed_latch_knows_only_strangers() {
    let mut latch = Latch::default();
    for kind in ALL {
        assert_eq!(latch.rtp(address(ANNOUNCED), kind), Verdict::Stranger);
    }
    assert_eq!(latch.rtcp(address(ANNOUNCED)), Verdict::Stranger);
    assert_eq!((latch.rtp_destination(), latch.rtcp_destination()), (None, None));
}

#[test]
fn the_announced_source_is_believed_at_once() {
    for kind in [rtp(1), HELLO, RECORD, UDPTL] {
        let mut latch = open();
        assert_eq!(latch.rtp(address(ANNOUNCED), kind), Verdict::Accept, "{kind:?}");
        for sequence in 0..9 {
            assert_eq!(latch.rtp(address(MOVED), rtp(sequence)), Verdict::Unproven, "{kind:?} locked it");
        }
        assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    }
}

#[test]
fn another_port_is_learned_in_three_packets() {
    for from in [MOVED, SIGNALLING] {
        let mut latch = open();
        assert_eq!(latch.rtp(address(from), rtp(u16::MAX)), Verdict::Unproven);
        assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)), "until it is learned");
        assert_eq!(latch.rtp(address(from), rtp(0)), Verdict::Unproven);
        assert_eq!(latch.rtp(address(from), rtp(1)), Verdict::Accept);
        assert_eq!(latch.rtp_destination(), Some(address(from)));
        for kind in ALL {
            assert_eq!(latch.rtp(address(from), kind), Verdict::Accept, "{kind:?} of the peer");
            assert_eq!(latch.rtp(address(ANNOUNCED), kind), Verdict::Unproven, "{kind:?} from elsewhere");
            assert_eq!(latch.rtp(address(STRANGER), kind), Verdict::Stranger);
        }
        assert_eq!(latch.rtp_destination(), Some(address(from)));
    }
}

#[test]
fn packets_out_of_sequence_do_not_add_up() {
    let other_ssrc = |sequence| Kind::Rtp { sequence, ssrc: 8 };
    let streams: [&[Kind]; 6] = [
        &[rtp(1), rtp(2), rtp(8), rtp(9)],
        &[rtp(1), rtp(2), rtp(2), rtp(1)],
        &[rtp(3), rtp(2), rtp(1), rtp(0)],
        &[rtp(1), rtp(2), other_ssrc(3), rtp(4), rtp(5)],
        &[rtp(1), rtp(2), UDPTL, rtp(3), rtp(4)],
        &[rtp(1), other_ssrc(2), rtp(3), other_ssrc(4)],
    ];
    for stream in streams {
        let mut latch = open();
        for kind in stream {
            assert_eq!(latch.rtp(address(MOVED), *kind), Verdict::Unproven, "{stream:?}");
        }
        assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    }
}

#[test]
fn losses_copies_and_late_packets_do_not_keep_a_stream_from_being_learned() {
    let streams: [&[u16]; 5] = [&[1, 3, 6], &[1, 6, 11], &[1, 1, 2, 1, 2, 3], &[1, 3, 2, 4], &[65_534, 1, 65_535, 3]];
    for stream in streams {
        let mut latch = open();
        let verdicts: Vec<Verdict> = stream.iter().map(|sequence| latch.rtp(address(MOVED), rtp(*sequence))).collect();
        let (last, before) = verdicts.split_last().expect("not empty");
        assert!(before.iter().all(|verdict| *verdict == Verdict::Unproven), "{stream:?}");
        assert_eq!(*last, Verdict::Accept, "{stream:?}");
    }
}

#[test]
fn a_stream_is_learned_although_another_interferes() {
    let mut latch = open();
    let verdicts: Vec<_> = (0..3)
        .flat_map(|sequence| [(MOVED, sequence), (SIGNALLING, sequence)])
        .map(|(from, sequence)| latch.rtp(address(from), rtp(sequence)))
        .collect();
    assert_eq!(verdicts[..4], [Verdict::Unproven; 4]);
    assert_eq!(verdicts[4..], [Verdict::Accept, Verdict::Unproven], "the first one is learned, the other refused");
    assert_eq!(latch.rtp_destination(), Some(address(MOVED)));
}

#[test]
fn forged_packets_from_guessed_ports_do_not_prevent_the_learning() {
    let mut latch = open();
    let mut guesses = (0u16..).map(|n| {
        let port = n.wrapping_mul(7919) % 3000 + 20_000;
        (SocketAddr::new(address(MOVED).ip(), port), Kind::Rtp { sequence: n.wrapping_mul(31), ssrc: n.into() })
    });
    // 500 forged packets a second against the peer's 50, for two seconds.
    let learned = (0..100).find(|sequence| {
        for (from, kind) in guesses.by_ref().take(10) {
            assert_ne!(latch.rtp(from, kind), Verdict::Accept, "{from}");
        }
        latch.rtp(address(MOVED), rtp(*sequence)) == Verdict::Accept
    });
    assert!(learned.is_some(), "the peer was not learned");
    assert_eq!(latch.rtp_destination(), Some(address(MOVED)));
}

#[test]
fn one_that_falls_silent_makes_way() {
    let mut latch = open();
    latch.rtp(address(SIGNALLING), rtp(0));
    let needed = (0..100).find(|sequence| latch.rtp(address(MOVED), rtp(*sequence)) == Verdict::Accept);
    assert_eq!(needed, Some(18), "less than half a second of audio");
}

#[test]
fn a_locked_peer_may_change_its_stream_but_not_its_port() {
    for from in [ANNOUNCED, MOVED] {
        let mut latch = learned(from);
        for (sequence, ssrc) in [(500, 7), (499, 7), (0, 0xffff_ffff), (40_000, 1)] {
            assert_eq!(latch.rtp(address(from), Kind::Rtp { sequence, ssrc }), Verdict::Accept);
        }
        for sequence in 0..1000 {
            assert_eq!(latch.rtp(address("198.51.100.1:6002"), rtp(sequence)), Verdict::Unproven);
        }
        assert_eq!(latch.rtp_destination(), Some(address(from)));
    }
}

#[test]
fn with_latching_off_nothing_is_learned() {
    let mut latch = Latch::new(Latching::Off);
    latch.announce(&peer());
    for kind in ALL {
        assert_eq!(latch.rtp(address(MOVED), kind), Verdict::Accept, "any port of an allowed address");
        assert_eq!(latch.rtp(address(STRANGER), kind), Verdict::Stranger);
    }
    for sequence in 0..9 {
        latch.rtp(address(MOVED), rtp(sequence));
    }
    assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    assert_eq!(latch.rtcp_destination(), Some(address("198.51.100.1:4001")));
}

#[test]
fn a_stranger_changes_nothing() {
    let mut latch = open();
    let stranger = |latch: &mut Latch| {
        for sequence in 0..5 {
            assert_eq!(latch.rtp(address(STRANGER), rtp(sequence)), Verdict::Stranger);
        }
        for kind in ALL {
            assert_eq!(latch.rtp(address(STRANGER), kind), Verdict::Stranger);
        }
        assert_eq!(latch.rtcp(address(STRANGER)), Verdict::Stranger);
        assert_ne!(latch.rtp_destination(), Some(address(STRANGER)));
    };
    stranger(&mut latch);
    latch.rtp(address(MOVED), rtp(1));
    stranger(&mut latch);
    latch.rtp(address(MOVED), rtp(2));
    stranger(&mut latch);
    assert_eq!(latch.rtp(address(MOVED), rtp(3)), Verdict::Accept, "it did not disturb the learning");
    stranger(&mut latch);
    assert_eq!(latch.rtp(address(MOVED), rtp(9)), Verdict::Accept);
}

#[test]
fn an_announced_address_that_is_not_allowed_is_a_stranger() {
    let mut latch = Latch::default();
    latch.announce(&Peer { allowed: [Some(address(SIGNALLING).ip()), None, None, None], ..peer() });
    assert_eq!(latch.rtp(address(ANNOUNCED), rtp(1)), Verdict::Stranger);
    assert_eq!(latch.rtcp(address("198.51.100.1:4001")), Verdict::Stranger);
    assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
}

#[test]
fn rtcp_and_stun_never_make_a_peer() {
    for kind in [Kind::Rtcp, Kind::Stun] {
        let mut latch = open();
        for _ in 0..9 {
            assert_eq!(latch.rtp(address(ANNOUNCED), kind), Verdict::Accept);
            assert_eq!(latch.rtp(address(MOVED), kind), Verdict::Unproven);
        }
        for sequence in 0..2 {
            assert_eq!(latch.rtp(address(MOVED), rtp(sequence)), Verdict::Unproven, "nothing was locked");
            latch.rtp(address(MOVED), kind);
        }
        assert_eq!(latch.rtp(address(MOVED), rtp(2)), Verdict::Accept, "nor was the learning reset");
    }
    let mut latch = open();
    for _ in 0..9 {
        assert_eq!(latch.rtcp(address(MOVED)), Verdict::Accept);
    }
    assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    assert_eq!(latch.rtp(address(MOVED), rtp(0)), Verdict::Unproven);
}

#[test]
fn udptl_is_learned_by_rising_numbers() {
    let udptl = |sequence| Kind::Other { sequence };
    let outcome = |sequences: &[u16]| {
        let mut latch = open();
        sequences.iter().map(|sequence| latch.rtp(address(MOVED), udptl(*sequence))).last()
    };
    assert_eq!(outcome(&[0, 1, 2]), Some(Verdict::Accept));
    assert_eq!(outcome(&[0, 3, 4]), Some(Verdict::Accept), "a loss");
    assert_eq!(outcome(&[65_535, 0, 1]), Some(Verdict::Accept));
    assert_eq!(outcome(&[1, 1, 1, 1]), Some(Verdict::Unproven));
    assert_eq!(outcome(&[9, 8, 7, 6]), Some(Verdict::Unproven));
    assert_eq!(outcome(&[0, 100, 200, 300]), Some(Verdict::Unproven));
    assert_eq!(outcome(&[5, 4, 6, 7]), Some(Verdict::Accept), "one late");
}

#[test]
fn a_dtls_hello_fixes_the_port_until_rtp_comes() {
    let mut latch = open();
    assert_eq!(latch.rtp(address(MOVED), RECORD), Verdict::Unproven, "only a hello does");
    assert_eq!(latch.rtp(address(MOVED), HELLO), Verdict::Accept);
    assert_eq!(latch.rtp(address(MOVED), RECORD), Verdict::Accept);
    assert_eq!(latch.rtp_destination(), Some(address(MOVED)));
    assert_eq!(latch.rtp(address(SIGNALLING), HELLO), Verdict::Unproven, "the first one counts");
    for sequence in 0..9 {
        assert_eq!(latch.rtp(address(SIGNALLING), Kind::Other { sequence }), Verdict::Unproven);
    }

    let mut by_rtp = latch;
    assert_eq!(by_rtp.rtp(address(MOVED), rtp(1)), Verdict::Accept);
    for sequence in 0..9 {
        assert_eq!(by_rtp.rtp(address(SIGNALLING), rtp(sequence)), Verdict::Unproven, "RTP made it final");
    }

    let verdicts = [0, 1, 2].map(|sequence| latch.rtp(address(SIGNALLING), rtp(sequence)));
    assert_eq!(verdicts, [Verdict::Unproven, Verdict::Unproven, Verdict::Accept]);
    assert_eq!(latch.rtp(address(MOVED), RECORD), Verdict::Unproven);

    let mut latch = open();
    latch.rtp(address(MOVED), HELLO);
    assert_eq!(latch.rtp(address(ANNOUNCED), rtp(1)), Verdict::Accept, "the announced one needs no learning");
    assert_eq!(latch.rtp(address(MOVED), rtp(1)), Verdict::Unproven);
}

#[test]
fn the_same_description_changes_nothing() {
    let mut latch = learned(MOVED);
    latch.announce(&peer());
    assert_eq!(latch.rtp_destination(), Some(address(MOVED)));
    assert_eq!(latch.rtp(address(ANNOUNCED), rtp(1)), Verdict::Unproven);

    let mut latch = open();
    latch.rtp(address(MOVED), rtp(0));
    latch.rtp(address(MOVED), rtp(1));
    latch.announce(&peer());
    assert_eq!(latch.rtp(address(MOVED), rtp(2)), Verdict::Accept, "learning goes on");
}

#[test]
fn another_description_opens_again() {
    let new = Peer { rtp: Some(address("198.51.100.1:5000")), rtcp: Some(address("198.51.100.1:5001")), ..peer() };
    let mut latch = learned(MOVED);
    latch.announce(&new);
    assert_eq!(latch.rtp_destination(), new.rtp);
    assert_eq!(latch.rtcp_destination(), new.rtcp);
    assert_eq!(latch.rtp(address(MOVED), rtp(0)), Verdict::Unproven, "the old one must be learned again");
    assert_eq!(latch.rtp(address("198.51.100.1:5000"), rtp(0)), Verdict::Accept);

    let mut latch = open();
    latch.rtp(address(MOVED), rtp(0));
    latch.rtp(address(MOVED), rtp(1));
    latch.announce(&new);
    assert_eq!(latch.rtp(address(MOVED), rtp(2)), Verdict::Unproven, "learning starts again");
}

#[test]
fn what_was_learned_stays_where_the_new_description_agrees() {
    let mut latch = learned(MOVED);
    latch.announce(&Peer { rtp: Some(address(MOVED)), ..peer() });
    assert_eq!(latch.rtp(address(ANNOUNCED), rtp(1)), Verdict::Unproven, "it announces what was learned");

    let mut latch = learned(MOVED);
    let mut more = peer();
    more.allowed[3] = Some(address(STRANGER).ip());
    latch.announce(&more);
    assert_eq!(latch.rtp_destination(), Some(address(MOVED)), "only one more address is allowed");

    let mut latch = learned(SIGNALLING);
    let mut fewer = peer();
    fewer.allowed[2] = None;
    latch.announce(&fewer);
    assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    assert_eq!(latch.rtp(address(SIGNALLING), rtp(1)), Verdict::Stranger, "it is allowed no more");
}

#[test]
fn hold_has_no_destination_and_resume_learns_again() {
    let mut latch = learned(MOVED);
    latch.announce(&Peer { rtp: None, rtcp: None, ..peer() });
    assert_eq!((latch.rtp_destination(), latch.rtcp_destination()), (None, None));
    latch.announce(&peer());
    assert_eq!(latch.rtp_destination(), Some(address(ANNOUNCED)));
    assert_eq!(latch.rtp(address(MOVED), rtp(0)), Verdict::Unproven);
}

#[test]
fn rtcp_is_taken_from_the_peer_alone() {
    let latch = open();
    assert_eq!(latch.rtcp(address("198.51.100.1:4001")), Verdict::Accept);
    assert_eq!(latch.rtcp(address("198.51.100.1:999")), Verdict::Accept, "a NAT may have moved it");
    assert_eq!(latch.rtcp(address("198.51.100.2:4001")), Verdict::Unproven);
    let latch = learned(SIGNALLING);
    assert_eq!(latch.rtcp(address("198.51.100.2:999")), Verdict::Accept);
    assert_eq!(latch.rtcp(address("198.51.100.1:4001")), Verdict::Accept, "as announced");
    assert_eq!(latch.rtcp(address("198.51.100.1:999")), Verdict::Unproven);
}

#[test]
fn rtcp_goes_where_it_was_announced_or_above_the_learned_port() {
    assert_eq!(open().rtcp_destination(), Some(address("198.51.100.1:4001")));
    assert_eq!(learned(ANNOUNCED).rtcp_destination(), Some(address("198.51.100.1:4001")));
    assert_eq!(learned(MOVED).rtcp_destination(), Some(address("198.51.100.1:6001")));
    assert_eq!(learned("198.51.100.1:65535").rtcp_destination(), None);

    let mut latch = Latch::default();
    latch.announce(&Peer { rtcp: Some(address(ANNOUNCED)), ..peer() });
    assert_eq!(latch.rtcp_destination(), Some(address(ANNOUNCED)));
    for sequence in 0..3 {
        latch.rtp(address(MOVED), rtp(sequence));
    }
    assert_eq!(latch.rtcp_destination(), Some(address(MOVED)), "on one port");
}

#[test]
fn ipv6_peers_are_learned_too() {
    let mut latch = Latch::default();
    let announced = address("[2001:db8::1]:4000");
    latch.announce(&Peer {
        allowed: [None, Some(announced.ip()), None, None],
        rtp: Some(announced),
        ..Peer::default()
    });
    let moved = address("[2001:db8::1]:4444");
    for sequence in 0..3 {
        latch.rtp(moved, rtp(sequence));
    }
    assert_eq!(latch.rtp_destination(), Some(moved));
    assert_eq!(latch.rtp(address("[2001:db8::2]:4444"), rtp(3)), Verdict::Stranger);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (0u16..4, 0u32..2).prop_map(|(sequence, ssrc)| Kind::Rtp { sequence, ssrc }),
        Just(Kind::Rtcp),
        Just(Kind::Stun),
        any::<bool>().prop_map(|hello| Kind::Dtls { hello }),
        (0u16..4).prop_map(|sequence| Kind::Other { sequence }),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_destination_is_allowed(
        packets in proptest::collection::vec((any_kind(), 0usize..4, any::<bool>()), 0..60),
    ) {
        let mut latch = open();
        for (kind, from, again) in packets {
            let from = address([ANNOUNCED, MOVED, SIGNALLING, STRANGER][from]);
            let before = latch.rtp_destination();
            let verdict = latch.rtp(from, kind);
            prop_assert_eq!(verdict == Verdict::Stranger, from == address(STRANGER));
            if verdict != Verdict::Accept {
                prop_assert_eq!(latch.rtp_destination(), before);
            }
            let destination = latch.rtp_destination().map(|to| to.ip());
            prop_assert!(peer().allowed.contains(&destination));
            if again {
                latch.announce(&peer());
            }
        }
    }
}
