use super::*;
use proptest::prelude::*;

/// Microseconds between two packets, and units of their clock.
const STEP: u64 = 20_000;
const UNITS: u32 = 160;

/// The delay of most tests (µs).
const DELAY: u64 = 80_000;

/// The payload type of keys.
const EVENT: u8 = 101;

/// A packet as the network brings it.
#[derive(Clone, Copy, Debug)]
struct Packet {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    marker: bool,
    payload_type: u8,
    /// Of a key, in units; zero where it is encrypted.
    duration: u16,
    /// When it was sent, and when it comes (µs).
    sent: u64,
    comes: u64,
}

/// What a party sends: talk of 20 ms packets, across the wraps of sequence number and time stamp.
struct Sender {
    packets: Vec<Packet>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    now: u64,
    /// Its own 20 ms, in µs.
    step: u64,
}

impl Sender {
    fn new() -> Self {
        let packets = Vec::new();
        Self { packets, sequence: 65_500, timestamp: u32::MAX - 1000, ssrc: 7, now: 1_000_000, step: STEP }
    }

    fn say(&mut self, payload_type: u8, marker: bool, transit: u64) {
        let &mut Self { sequence, timestamp, ssrc, now: sent, .. } = self;
        let (duration, comes) = (0, sent + transit);
        self.packets.push(Packet { sequence, timestamp, ssrc, marker, payload_type, duration, sent, comes });
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Speaks that many packets, each with a transit of its own.
    fn talk(&mut self, packets: u32, mut transit: impl FnMut() -> u64) {
        for _ in 0..packets {
            self.say(0, false, transit());
            self.timestamp = self.timestamp.wrapping_add(UNITS);
            self.now += self.step;
        }
    }

    /// Says nothing for that many packets; the clock goes on.
    fn pause(&mut self, packets: u32) {
        self.now += self.step * u64::from(packets);
        self.timestamp = self.timestamp.wrapping_add(packets * UNITS);
    }

    /// Presses a key: a packet each 20 ms with the same time stamp, the last one three times.
    fn press(&mut self, packets: u16, is_encrypted: bool, mut transit: impl FnMut() -> u64) {
        for number in 0..packets + 2 {
            self.say(EVENT, number == 0, transit());
            if let Some(packet) = self.packets.last_mut().filter(|_| !is_encrypted) {
                packet.duration = (number + 1).min(packets) * UNITS as u16;
            }
            if number + 1 < packets {
                self.now += self.step;
            }
        }
        let packets = u32::from(packets);
        self.timestamp = self.timestamp.wrapping_add(packets * UNITS);
        self.now += self.step;
    }
}

fn terms() -> Terms {
    let mut terms = Terms::default();
    terms.map(EVENT, Codec::Event);
    terms
}

fn due(playout: &mut Playout, packet: &Packet) -> u64 {
    let mut bytes = [0; 172];
    let length = if packet.duration > 0 { 16 } else { 172 };
    bytes[0] = 0x80;
    bytes[14..16].copy_from_slice(&packet.duration.to_be_bytes());
    bytes[1] = packet.payload_type | if packet.marker { 0x80 } else { 0 };
    bytes[2..4].copy_from_slice(&packet.sequence.to_be_bytes());
    bytes[4..8].copy_from_slice(&packet.timestamp.to_be_bytes());
    bytes[8..12].copy_from_slice(&packet.ssrc.to_be_bytes());
    playout.due(&bytes[..length], &terms(), Instant::from_micros(packet.comes)).as_micros()
}

/// Takes the packets in the order that they come in; gives them in the order that they were sent in, with the time that each is due at.
fn played(delay: u64, mut packets: Vec<Packet>) -> Vec<(Packet, u64)> {
    let mut playout = Playout::new(Duration::from_micros(delay));
    packets.sort_by_key(|packet| packet.comes);
    let mut played: Vec<_> = packets.iter().map(|packet| (*packet, due(&mut playout, packet))).collect();
    for (packet, due) in &played {
        assert!((packet.comes..=packet.comes + 2 * delay).contains(due), "{packet:?} {due}");
    }
    played.sort_by_key(|(packet, _)| (packet.sent, packet.sequence.wrapping_sub(30_000)));
    // As the queue does: one that comes after what is behind it does not keep that waiting, and nobody overtakes who still waits.
    for at in (0..played.len()).rev() {
        let comes = played[at].0.comes;
        let behind = played[at + 1..].iter().take(20).filter(|(packet, _)| packet.comes <= comes);
        let first = behind.map(|(_, due)| *due).min().unwrap_or(u64::MAX);
        played[at].1 = played[at].1.min(first.max(comes));
    }
    for at in 1..played.len() {
        let before = played[at - 1].1;
        if before > played[at].0.comes {
            played[at].1 = played[at].1.max(before);
        }
    }
    played
}

fn holds(played: &[(Packet, u64)]) -> Vec<u64> {
    played.iter().map(|(packet, due)| due - packet.comes).collect()
}

/// Jitter at the end as RFC 3550 §A.8 counts it, in microseconds.
fn jitter(moments: impl Iterator<Item = (u64, u64)>) -> f64 {
    let transits: Vec<i64> = moments.map(|(sent, moment)| moment as i64 - sent as i64).collect();
    transits.windows(2).fold(0.0, |jitter, pair| jitter + ((pair[1] - pair[0]).abs() as f64 - jitter) / 16.0)
}

/// Numbers below `bound` that look random (Knuth's MMIX constants).
fn random(bound: u64) -> impl FnMut() -> u64 {
    let mut state = 88_172_645_463_325_252u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    }
}

#[test]
fn an_even_stream_is_held_for_the_delay() {
    let mut sender = Sender::new();
    sender.talk(1000, || 5_000);
    assert!(holds(&played(DELAY, sender.packets)).iter().all(|hold| *hold == DELAY));
}

#[test]
fn an_uneven_stream_leaves_evenly_and_in_order() {
    let mut sender = Sender::new();
    // Packets overtake each other.
    sender.talk(3000, random(60_000));
    let played = played(DELAY, sender.packets.clone());
    // What comes late by more than was ever seen is a matter of the first second.
    let settled = &played[100..];
    let before = jitter(settled.iter().map(|(packet, _)| (packet.sent, packet.comes)));
    let after = jitter(settled.iter().map(|(packet, due)| (packet.sent, *due)));
    assert!(before > 15_000.0 && after < 300.0, "{before} {after}");
    assert!(played.is_sorted_by_key(|(_, due)| *due));
    // From the first packet on it is never worse than what came.
    let first = jitter(played[..100].iter().map(|(packet, due)| (packet.sent, *due)));
    assert!(first < 1_000.0, "{first}");
}

#[test]
fn a_delay_that_is_too_short_takes_what_it_can() {
    let mut sender = Sender::new();
    sender.talk(3000, random(60_000));
    let played = played(20_000, sender.packets);
    let before = jitter(played.iter().map(|(packet, _)| (packet.sent, packet.comes)));
    let after = jitter(played.iter().map(|(packet, due)| (packet.sent, *due)));
    assert!(after < before, "{before} {after}");
}

#[test]
fn a_clock_that_is_one_percent_off_does_not_run_away() {
    for step in [STEP - STEP / 100, STEP + STEP / 100] {
        let mut sender = Sender { step, ..Sender::new() };
        // Ten minutes: unchecked, the delay would be off by six seconds.
        sender.talk(30_000, random(30_000));
        let played = played(DELAY, sender.packets);
        let held = holds(&played);
        let mean = held.iter().sum::<u64>() / held.len() as u64;
        // The lowest transit is up to two seconds old: 20 ms of a slow clock.
        assert!((DELAY - 38_000..DELAY).contains(&mean), "{step} {mean}");
        let most = held[200..].iter().max();
        assert!(most <= Some(&(DELAY + 15_000)), "{step} {most:?}");
        assert!(played.is_sorted_by_key(|(_, due)| *due));
        let after = jitter(played.iter().map(|(packet, due)| (packet.sent, *due)));
        assert!(after < 1_000.0, "{step} {after}");
    }
}

/// Four keys between words, on a way that takes `most` µs at most.
fn keys(is_encrypted: bool, most: u64) -> Vec<(Packet, u64)> {
    let mut sender = Sender::new();
    let mut transit = random(most);
    for _ in 0..10 {
        sender.talk(100, &mut transit);
        sender.press(12, is_encrypted, &mut transit);
    }
    sender.talk(100, &mut transit);
    played(DELAY, sender.packets)
}

#[test]
fn keys_keep_their_order_and_their_distances() {
    assert!(keys(false, 60_000).is_sorted_by_key(|(_, due)| *due));
    // With packets that do not overtake each other.
    let played = keys(false, 15_000);
    // They are as even as what is said around them: but for the repetitions of the last packet, which are held for as long as it is.
    let settled = played[100..].iter().filter(|(packet, _)| packet.payload_type != EVENT || packet.duration < 12 * 160);
    for (one, other) in settled.clone().zip(settled.skip(1)) {
        let (sent, left) = (other.0.sent - one.0.sent, other.1 - one.1);
        assert!(sent.abs_diff(left) < 2_000, "{one:?} {other:?}");
    }
}

#[test]
fn keys_that_cannot_be_read_keep_their_distances_as_they_came() {
    assert!(keys(true, 60_000).is_sorted_by_key(|(_, due)| *due));
    let played = keys(true, 15_000);
    assert!(played.is_sorted_by_key(|(_, due)| *due));
    for key in played.chunks(114).filter_map(|chunk| chunk.get(100..)) {
        for pair in key.windows(2) {
            let came = pair[1].0.comes - pair[0].0.comes.min(pair[1].0.comes);
            // The last ones, where one came late, make way for the first word afterwards.
            assert!(came.abs_diff(pair[1].1 - pair[0].1) < 15_000, "{pair:?}");
        }
    }
}

#[test]
fn keys_beside_speech_neither_wait_longer_nor_delay_it() {
    let mut sender = Sender::new();
    for round in 0..20 {
        sender.talk(10, || 0);
        let (key, held) = (sender.timestamp, 15);
        for _ in 0..held {
            let now = core::mem::replace(&mut sender.timestamp, key);
            sender.say(EVENT, round == 0, 0);
            sender.timestamp = now;
            sender.talk(1, || 0);
        }
    }
    assert!(holds(&played(DELAY, sender.packets)).iter().all(|hold| *hold == DELAY));
}

#[test]
fn what_comes_too_late_goes_at_once() {
    let mut playout = Playout::new(Duration::from_micros(DELAY));
    let mut sender = Sender::new();
    sender.talk(100, || 0);
    sender.packets[90].comes += DELAY + 30_000;
    sender.packets[95].comes += DELAY / 2;
    sender.packets.sort_by_key(|packet| packet.comes);
    for packet in &sender.packets {
        let due = due(&mut playout, packet);
        assert_eq!(due, packet.comes.max(packet.sent + DELAY), "{packet:?}");
    }
}

#[test]
fn a_pause_changes_nothing_if_the_clock_goes_on() {
    let mut sender = Sender::new();
    for _ in 0..5 {
        sender.talk(100, || 3_000);
        sender.pause(1000);
    }
    assert!(holds(&played(DELAY, sender.packets)).iter().all(|hold| *hold == DELAY));
}

#[test]
fn after_a_pause_of_the_clock_the_marked_packet_begins_anew() {
    let mut sender = Sender::new();
    for _ in 0..5 {
        sender.talk(100, || 3_000);
        sender.now += 700_000;
        sender.say(0, true, 3_000);
        sender.pause(1);
    }
    assert!(holds(&played(DELAY, sender.packets)).iter().all(|hold| *hold == DELAY));
}

#[test]
fn an_unmarked_pause_of_the_clock_is_over_in_two_seconds() {
    let mut sender = Sender::new();
    sender.talk(100, || 3_000);
    sender.now += 700_000;
    sender.talk(300, || 3_000);
    let held = holds(&played(DELAY, sender.packets));
    assert!(held[100..160].iter().all(|hold| *hold == 0), "one cannot tell it from packets that are late");
    assert!(held[215..].iter().all(|hold| *hold == DELAY));
}

#[test]
fn a_new_source_or_a_jump_begins_anew() {
    let changes: [fn(&mut Sender); 4] = [
        |sender| (sender.ssrc, sender.sequence) = (8, 4),
        |sender| sender.timestamp = sender.timestamp.wrapping_sub(1 << 20),
        |sender| sender.timestamp = sender.timestamp.wrapping_add(1 << 30),
        |sender| sender.now += 1_500_000,
    ];
    for change in changes {
        let mut sender = Sender::new();
        sender.talk(100, || 3_000);
        change(&mut sender);
        sender.talk(100, || 20_000);
        let held = holds(&played(DELAY, sender.packets));
        assert!(held.iter().all(|hold| *hold == DELAY), "{held:?}");
    }
}

#[test]
fn a_standstill_of_the_line_is_made_good_within_seconds() {
    for stood in [300_000, 1_800_000] {
        let mut sender = Sender::new();
        sender.talk(1000, || 3_000);
        let from = sender.packets[300].sent;
        // What was sent meanwhile comes at its end, all at once.
        for packet in &mut sender.packets {
            if packet.sent >= from {
                packet.comes = packet.comes.max(from + stood);
            }
        }
        let held = holds(&played(DELAY, sender.packets));
        assert!(held[..300].iter().all(|hold| *hold == DELAY));
        assert!(held.iter().all(|hold| *hold <= 2 * DELAY));
        assert!(held[600..].iter().all(|hold| *hold == DELAY), "{stood}: {:?}", &held[600..]);
    }
}

#[test]
fn a_longer_or_a_shorter_way_is_followed() {
    for (before, after) in [(10_000, 250_000), (250_000, 10_000)] {
        let mut sender = Sender::new();
        sender.talk(300, || before);
        sender.talk(400, || after);
        let played = played(DELAY, sender.packets);
        let held = holds(&played);
        assert!(held[..280].iter().all(|hold| *hold == DELAY));
        assert!(held[550..].iter().all(|hold| *hold == DELAY), "{before}: {:?}", &held[550..]);
    }
}

#[test]
fn what_has_no_known_clock_goes_at_once_but_never_ahead() {
    let mut sender = Sender::new();
    for _ in 0..3 {
        sender.say(120, false, 0);
        sender.pause(1);
    }
    let silent = sender.packets.len();
    sender.talk(50, || 0);
    sender.say(120, false, 0);
    let played = played(DELAY, sender.packets);
    let held = holds(&played);
    assert!(held[..silent].iter().all(|hold| *hold == 0));
    assert_eq!(held.last(), Some(&DELAY), "it stays behind what waits");
}

#[test]
fn another_clock_begins_anew() {
    let mut playout = Playout::new(Duration::from_micros(DELAY));
    let mut terms = Terms::default();
    terms.map(96, Codec::Opus);
    let mut timestamp = 0u32;
    for number in 0..200u16 {
        // RFC 7160: G.711 for two seconds, then Opus with six times as many units.
        let (payload_type, units) = if number < 100 { (0, 160) } else { (96, 960) };
        let mut packet = [0; 40];
        packet[..4].copy_from_slice(&[0x80, payload_type, (number >> 8) as u8, number as u8]);
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        let now = Instant::from_micros(1_000_000 + u64::from(number) * STEP);
        let hold = playout.due(&packet, &terms, now).since(now);
        // A unit of 48,000 is no whole number of microseconds.
        assert!(hold.abs_diff(Duration::from_micros(DELAY)) < Duration::from_micros(5), "{number}: {hold:?}");
        timestamp += units;
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_due_soon_and_in_order(
        packets in prop::collection::vec((any::<[u8; 12]>(), prop_oneof![0u64..30_000, 0u64..3_000_000], 0u16..4, any::<bool>()), 1..200),
        delay in 0u64..1_500_000,
    ) {
        let mut playout = Playout::new(Duration::from_micros(delay));
        let (mut now, mut newest, mut newest_due) = (0, None, 0);
        for (number, (mut packet, elapsed, step, is_like_the_last)) in packets.into_iter().enumerate() {
            now += elapsed;
            if is_like_the_last {
                packet[..2].copy_from_slice(&[0x80, 0]);
                packet[2..4].copy_from_slice(&(number as u16 * 2 + step).to_be_bytes());
                packet[4..8].copy_from_slice(&((now / 125) as u32).to_be_bytes());
                packet[8..].copy_from_slice(&[0; 4]);
            }
            let due = playout.due(&packet, &terms(), Instant::from_micros(now)).as_micros();
            prop_assert!((now..=now + 2 * delay).contains(&due), "{now} {due}");
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            let is_behind = newest.is_some_and(|(ssrc, newest): (u32, u16)| {
                ssrc.to_be_bytes() == packet[8..] && newest.wrapping_sub(sequence) <= MAX_MISORDER
            });
            if !is_behind {
                prop_assert!(due >= newest_due);
                newest = Some((u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]), sequence));
                newest_due = due;
            }
        }
    }
}
