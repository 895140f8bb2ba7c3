use super::*;
use crate::rtp::format::Terms;
use crate::rtp::latch::MAX_ALLOWED;
use crate::rtp::quality::Quality;
use crate::table::Handle;

/// The call was answered then; seconds count from here.
const ANSWERED: u64 = 100;

fn second(second: u64) -> Instant {
    Instant::from_millis((ANSWERED + second) * 1000)
}

fn place(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A phone that calls somebody outside; both want sound.
fn relay() -> Relay {
    let peer = |address: &str| {
        let rtp = place(address);
        let mut allowed = [None; MAX_ALLOWED];
        allowed[0] = Some(rtp.ip());
        let mut terms = Terms::NOTHING;
        terms.media = Media::Audio;
        Some(Peer { allowed, rtp: Some(rtp), rtcp: None, terms, ..Peer::NOWHERE })
    };
    Relay {
        call: Handle::default(),
        sides: [Side::Lan, Side::Wan],
        ports: [7070, 7080],
        bound: [[true, false]; 2],
        pending: [None; 2],
        aimed: [peer("10.0.0.2:4000"), peer("203.0.113.20:6000")],
        offered: false,
    }
}

fn terms(relay: &mut Relay, leg: usize) -> &mut Terms {
    &mut relay.aimed[leg].as_mut().expect("aimed").terms
}

/// A party that sends from one second to another, 50 packets in each; read at second 60.
fn talks(from: u64, to: u64) -> LegCounters {
    let mut heard = Quality::default();
    for number in 0..(to - from) * 50 {
        let mut packet = [0; 172];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number as u32 * 160).to_be_bytes());
        heard.rtp(&packet, &Terms::NOTHING, Instant::from_millis((ANSWERED + from) * 1000 + number * 20));
    }
    LegCounters { heard, aimed: second(0), taken: second(60), ..LegCounters::default() }
}

/// One that says nothing.
fn silent() -> LegCounters {
    talks(0, 0)
}

fn fault(caller: LegCounters, callee: LegCounters) -> Option<(What, Leg)> {
    judge(&relay(), &[caller, callee], second(0), None).map(|fault| (fault.what, fault.leg))
}

#[test]
fn who_talks_to_the_end_is_well() {
    assert_eq!(fault(talks(0, 60), talks(0, 60)), None);
    assert_eq!(fault(talks(0, 58), talks(1, 60)), None, "the last seconds are nobody's");
}

#[test]
fn nothing_from_one_or_from_both() {
    let (caller, callee) = (Leg::Caller, Leg::Callee);
    let reports = |mut leg: LegCounters| {
        leg.heard.rtcp = 3;
        leg
    };
    assert_eq!(fault(silent(), talks(0, 60)), Some((What::Nothing { reports: false }, caller)));
    assert_eq!(fault(talks(0, 60), silent()), Some((What::Nothing { reports: false }, callee)));
    assert_eq!(fault(talks(0, 60), reports(silent())), Some((What::Nothing { reports: true }, callee)));
    assert_eq!(fault(silent(), silent()), Some((What::NothingAtAll { reports: false }, caller)));
    assert_eq!(fault(reports(silent()), silent()), Some((What::NothingAtAll { reports: false }, caller)));
    let both = fault(reports(silent()), reports(silent()));
    assert_eq!(both, Some((What::NothingAtAll { reports: true }, caller)));
    let mut finds_a_way = silent();
    finds_a_way.heard.others = 7;
    assert_eq!(fault(finds_a_way, talks(0, 60)), Some((What::NoMedia { count: 7 }, caller)));
}

#[test]
fn who_sends_from_elsewhere_is_named() {
    let from = place("192.0.2.66:9");
    let dropped = |mut leg: LegCounters, count, drop: fn(&mut LegCounters, SocketAddr)| {
        (0..count).for_each(|_| drop(&mut leg, from));
        leg
    };
    let stranger = |count| dropped(silent(), count, LegCounters::drop_stranger);
    let unproven = |count| dropped(silent(), count, LegCounters::drop_unproven);
    let found = |count, second| Some((What::Stranger { from, count, second }, Leg::Caller));
    assert_eq!(fault(stranger(10), talks(0, 60)), found(10, None));
    assert_eq!(fault(stranger(9), talks(0, 60)), Some((What::Nothing { reports: false }, Leg::Caller)), "a scanner");
    assert_eq!(fault(talks(0, 60), unproven(10)), Some((What::Unproven { from, count: 10 }, Leg::Callee)));
    // Whoever is heard is well, whatever strangers send.
    let heard = dropped(dropped(talks(0, 60), 10_000, LegCounters::drop_stranger), 99, LegCounters::drop_unproven);
    assert_eq!(fault(heard, talks(0, 60)), None);
    // What strangers sent while it was heard is not what is missing afterwards.
    let mut scanned = LegCounters::default();
    scanned = dropped(dropped(scanned, 10_000, LegCounters::drop_stranger), 99, LegCounters::drop_unproven);
    scanned = LegCounters { heard: talks(0, 20).heard, ..scanned };
    let scanned = LegCounters { aimed: second(0), taken: second(60), ..scanned };
    assert_eq!((scanned.strangers, scanned.unproven), (10_000, 99));
    assert_eq!(fault(scanned, talks(0, 60)), Some((What::OneWay { second: 19 }, Leg::Caller)));
    // What they send instead of it may be.
    assert_eq!(fault(dropped(scanned, 10, LegCounters::drop_stranger), talks(0, 60)), found(10, Some(19)));
    let moved = dropped(scanned, 10, LegCounters::drop_unproven);
    assert_eq!(fault(moved, talks(0, 60)), Some((What::Unproven { from, count: 10 }, Leg::Caller)));
}

#[test]
fn what_stops() {
    let (caller, callee) = (Leg::Caller, Leg::Callee);
    assert_eq!(fault(talks(0, 60), talks(0, 2)), Some((What::Blocked { packets: 100 }, callee)));
    assert_eq!(fault(talks(0, 60), talks(0, 12)), Some((What::OneWay { second: 11 }, callee)));
    assert_eq!(fault(talks(0, 12), talks(0, 13)), Some((What::Silent { second: 12 }, caller)));
    assert_eq!(fault(talks(0, 2), talks(0, 2)), Some((What::Silent { second: 1 }, caller)));
    // Many a phone falls silent when it hears nothing: who was first is told.
    assert_eq!(fault(talks(0, 40), talks(0, 12)), Some((What::OneWay { second: 11 }, callee)));
    assert_eq!(fault(talks(0, 2), talks(0, 40)), Some((What::Blocked { packets: 100 }, caller)));
    // It may pause for half a minute where it has paused before.
    let mut pauses = talks(0, 40);
    pauses.heard.pauses = true;
    assert_eq!(fault(pauses, talks(0, 60)), None);
    pauses = talks(0, 20);
    pauses.heard.pauses = true;
    assert_eq!(fault(pauses, talks(0, 60)), Some((What::OneWay { second: 19 }, caller)));
}

#[test]
fn sound_before_the_answer_is_not_blocked() {
    let mut relay = relay();
    let announcement = || LegCounters { aimed: second(10), ..talks(0, 2) };
    let legs = [LegCounters { aimed: second(10), ..talks(10, 60) }, announcement()];
    let found = judge(&relay, &legs, second(10), None).map(|fault| fault.what);
    assert_eq!(found, Some(What::OneWay { second: 0 }));
    // A hold, and nothing after it.
    let legs = [talks(0, 60), LegCounters { aimed: second(40), ..talks(0, 2) }];
    assert_eq!(judge(&relay, &legs, second(0), None).map(|fault| fault.what), Some(What::OneWay { second: 40 }));
    terms(&mut relay, 0).mute = true;
    assert_eq!(judge(&relay, &legs, second(0), None), None, "still on hold");
}

#[test]
fn who_is_on_hold_or_has_no_sound_need_not_talk() {
    type Change = fn(&mut Relay);
    let changes: [(&str, Change); 5] = [
        ("recvonly", |relay| terms(relay, 0).mute = true),
        ("sendonly", |relay| terms(relay, 1).deaf = true),
        ("0.0.0.0", |relay| relay.aimed[1].as_mut().expect("aimed").rtp = None),
        ("a fax", |relay| terms(relay, 0).media = Media::NoRtp),
        ("a camera", |relay| (0..2).for_each(|leg| terms(relay, leg).media = Media::OtherRtp)),
    ];
    for (name, change) in changes {
        let mut relay = relay();
        change(&mut relay);
        assert_eq!(judge(&relay, &[silent(), silent()], second(0), None), None, "{name}");
        assert_eq!(judge(&relay, &[talks(0, 60), talks(0, 1)], second(0), None), None, "{name}");
    }
    let mut unanswered = relay();
    unanswered.aimed[1] = None;
    assert_eq!(judge(&unanswered, &[silent(), silent()], second(0), None), None);
}

#[test]
fn a_call_that_is_over_at_once_has_no_fault() {
    let over = |at: u64| LegCounters { taken: second(at), ..silent() };
    assert_eq!(fault(over(1), over(1)), None);
    assert!(fault(over(2), over(2)).is_some());
}

#[test]
fn nobody_need_say_anything_after_bye() {
    let relay = relay();
    let judge = |legs: [LegCounters; 2]| judge(&relay, &legs, second(0), Some(second(20))).map(|fault| fault.what);
    assert_eq!(judge([talks(0, 20), talks(0, 19)]), None, "it is answered at second 60");
    assert_eq!(judge([talks(0, 20), talks(0, 60)]), None, "one has not taken notice");
    assert_eq!(judge([talks(0, 20), talks(0, 10)]), Some(What::OneWay { second: 9 }));
}

#[test]
fn flaws_of_what_is_heard() {
    let flawed = |change: fn(&mut Quality)| {
        let mut leg = talks(0, 60);
        change(&mut leg.heard);
        fault(talks(0, 60), leg)
    };
    let at = |what| Some((what, Leg::Callee));
    assert_eq!(flawed(|heard| (heard.foreign, heard.foreign_type) = (24, 18)), None);
    let foreign = What::Foreign { payload_type: 18, packets: 25 };
    assert_eq!(flawed(|heard| (heard.foreign, heard.foreign_type) = (25, 18)), at(foreign));
    assert_eq!(flawed(|heard| heard.gap = 1_999_999), None);
    assert_eq!(flawed(|heard| heard.gap = 2_000_000), at(What::Gap { millis: 2000 }));
}

/// Sound of 400 packets of which each `nth` is missing, and each is late by what `late` says (ms).
fn sound(nth: u16, late: fn(u16) -> u64) -> LegCounters {
    let mut leg = LegCounters { taken: second(9), ..talks(0, 0) };
    for number in (0..400u16).filter(|number| nth == 0 || number % nth != nth - 1) {
        let mut packet = [0x80; 12];
        packet[2..4].copy_from_slice(&number.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
        let at = ANSWERED * 1000 + u64::from(number) * 20 + late(number);
        leg.heard.rtp(&packet, &Terms::NOTHING, Instant::from_millis(at));
    }
    leg
}

#[test]
fn loss_and_jitter_from_what_is_heard_on() {
    let in_time: fn(u16) -> u64 = |_| 0;
    assert_eq!(fault(sound(0, in_time), sound(40, in_time)), None, "2.5 %");
    assert_eq!(fault(sound(0, in_time), sound(20, in_time)), Some((What::Lost { share: 476 }, Leg::Callee)));
    let uneven: fn(u16) -> u64 = |number| u64::from(number % 2) * 100;
    assert!(matches!(
        fault(sound(0, uneven), sound(0, in_time)),
        Some((What::Jitter { millis: 50..=100 }, Leg::Caller))
    ));
    let mut pictures = relay();
    (0..2).for_each(|leg| terms(&mut pictures, leg).media = Media::OtherRtp);
    assert_eq!(judge(&pictures, &[sound(0, uneven), sound(0, in_time)], second(0), None), None);
    // What the other party says that it lost.
    let mut hears = sound(0, in_time);
    hears.heard.reported = Some(crate::rtp::quality::Reported { lost: 40, worst: 0, jitter: 0 });
    assert_eq!(fault(hears, sound(0, in_time)), Some((What::LostBeyond { share: 1000 }, Leg::Callee)));
}

#[test]
fn the_gravest_fault_is_told() {
    assert_eq!(fault(sound(20, |_| 0), silent()), Some((What::Nothing { reports: false }, Leg::Callee)));
    let of = |what| Some(Fault { what, leg: Leg::Caller, sides: [Side::Lan; 2], announced: [None; 2], port: 0 });
    let (grave, slight) = (of(What::OneWay { second: 9 }), of(What::Jitter { millis: 99 }));
    for pair in [[grave, slight], [slight, grave], [grave, None], [None, grave]] {
        assert_eq!(graver(pair[0], pair[1]), grave);
    }
    assert_eq!(graver(None, None), None);
}

#[test]
fn parties_are_named_by_their_place_in_the_household() {
    let text = |sides, leg| {
        let announced = [Some(place("10.0.0.2:4000")), None];
        Fault { what: What::OneWay { second: 7 }, leg, sides, announced, port: 7070 }.to_string()
    };
    let (lan, wan) = (Side::Lan, Side::Wan);
    let said = |who: &str| format!("one way since second 7: nothing more came from {who}");
    assert_eq!(text([lan, wan], Leg::Caller), said("the phone 10.0.0.2"));
    assert_eq!(text([lan, wan], Leg::Callee), said("the far end"));
    assert_eq!(text([wan, lan], Leg::Callee), said("the phone"));
    assert_eq!(text([lan, lan], Leg::Caller), said("the calling phone 10.0.0.2"));
    assert_eq!(text([lan, lan], Leg::Callee), said("the called phone"));
}
