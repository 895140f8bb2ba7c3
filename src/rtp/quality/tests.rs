use super::*;
use proptest::prelude::*;

/// Microseconds between two packets, and units of their clock.
const STEP: u64 = 20_000;
const UNITS: u32 = 160;

/// A stream of one source, sent to a [`Quality`].
struct Stream {
    quality: Quality,
    terms: Terms,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    now: u64,
}

impl Stream {
    fn new() -> Self {
        let terms = Terms::default();
        let (quality, now) = (Quality::default(), 1_000_000);
        Self { quality, terms, ssrc: 7, sequence: 65_500, timestamp: u32::MAX - 1000, payload_type: 0, now }
    }

    fn send(&mut self, sequence: u16, timestamp: u32, marker: bool) {
        let mut packet = [0; 172];
        packet[0] = 0x80;
        packet[1] = self.payload_type | if marker { 0x80 } else { 0 };
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        self.quality.rtp(&packet, &self.terms, Instant::from_micros(self.now));
    }

    /// The next packet, `late` µs after its time.
    fn next(&mut self, late: u64) {
        self.now += late;
        self.send(self.sequence, self.timestamp, false);
        self.now -= late;
        self.pass(1, 1);
    }

    /// Time passes, in packets, while the sequence number rises.
    fn pass(&mut self, packets: u32, numbers: u16) {
        self.sequence = self.sequence.wrapping_add(numbers);
        self.timestamp = self.timestamp.wrapping_add(packets * UNITS);
        self.now += STEP * u64::from(packets);
    }

    fn talk(&mut self, packets: u32) {
        (0..packets).for_each(|_| self.next(0));
    }
}

#[test]
fn a_clean_stream_across_both_wraps() {
    let mut stream = Stream::new();
    stream.talk(500);
    let quality = stream.quality;
    assert_eq!((quality.packets, quality.bytes), (500, 500 * 172));
    assert_eq!((quality.lost(), quality.loss(), quality.duplicates, quality.sources), (0, 0, 0, 1));
    assert_eq!((quality.mean_jitter(), quality.worst_jitter, quality.gap), (Some(0), 0, 20_000));
    assert_eq!(quality.last.since(quality.first).as_millis(), 499 * 20);
    assert!(!quality.pauses);
    assert_eq!(quality.score(&Quality::default()), Some(440));
}

#[test]
fn loss_is_what_never_came() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.pass(5, 5);
    stream.talk(45);
    assert_eq!((stream.quality.lost(), stream.quality.loss()), (5, 500));
    assert_eq!(stream.quality.gap, 120_000);
}

#[test]
fn reordered_and_repeated_packets_are_not_lost() {
    let mut stream = Stream::new();
    stream.talk(10);
    let (sequence, timestamp) = (stream.sequence, stream.timestamp);
    stream.send(sequence.wrapping_add(1), timestamp.wrapping_add(UNITS), false);
    assert_eq!(stream.quality.lost(), 1);
    stream.send(sequence, timestamp, false);
    assert_eq!(stream.quality.lost(), 0);
    for _ in 0..5 {
        stream.send(sequence, timestamp, false);
    }
    stream.pass(2, 2);
    stream.pass(1, 1);
    stream.talk(10);
    assert_eq!((stream.quality.duplicates, stream.quality.lost()), (5, 1), "five repetitions make up for no loss");
    stream.send(stream.sequence.wrapping_sub(60), stream.timestamp.wrapping_sub(60 * UNITS), false);
    assert_eq!((stream.quality.duplicates, stream.quality.lost()), (6, 1), "too late to tell");
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    // §A.8 in floating point, over the same arrivals.
    let mut stream = Stream::new();
    let (mut wanted, mut sum, mut last) = (0.0f64, 0.0, None::<u64>);
    for packet in 0..1000u64 {
        let late = packet * packet % 7919 % 30_000;
        stream.next(late);
        if let Some(last) = last {
            wanted += ((late as f64 - last as f64).abs() - wanted) / 16.0;
            sum += wanted;
        }
        last = Some(late);
    }
    let got = f64::from(stream.quality.jitter) / 16.0;
    assert!((got - wanted).abs() < 2.0, "{got} for {wanted}");
    assert!((f64::from(stream.quality.mean_jitter().expect("a clock")) - sum / 999.0).abs() < 2.0);
}

#[test]
fn jitter_is_in_microseconds_at_every_clock() {
    for (codec, units) in [(Codec::Clock90k, 1800), (Codec::Opus, 960), (Codec::Clock44k, 882), (Codec::Clock16k, 320)]
    {
        let mut stream = Stream::new();
        stream.payload_type = 96;
        stream.terms.map(96, codec);
        for packet in 0..400u32 {
            stream.send(stream.sequence, packet.wrapping_mul(units), false);
            stream.sequence = stream.sequence.wrapping_add(1);
            stream.now += if packet % 2 == 0 { 18_000 } else { 22_000 };
        }
        let jitter = stream.quality.jitter >> 4;
        assert!((1950..=2000).contains(&jitter), "{codec:?}: {jitter}");
    }
}

#[test]
fn a_pause_is_neither_loss_nor_gap_nor_jitter() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.pass(150, 0);
    stream.send(stream.sequence, stream.timestamp, true);
    stream.pass(1, 1);
    stream.talk(50);
    // No marker, but the clock went on.
    stream.pass(200, 0);
    stream.talk(50);
    let quality = stream.quality;
    assert!(quality.pauses);
    assert_eq!((quality.lost(), quality.gap, quality.worst_jitter), (0, 20_000, 0));
}

#[test]
fn comfort_noise_is_a_pause() {
    let mut stream = Stream::new();
    stream.terms.list(0);
    stream.talk(50);
    stream.payload_type = 13;
    for _ in 0..10 {
        stream.next(0);
        stream.pass(9, 0);
    }
    stream.payload_type = 0;
    stream.talk(10);
    let quality = stream.quality;
    assert!(quality.pauses);
    assert_eq!((quality.lost(), quality.foreign, quality.worst_jitter), (0, 0, 0));
    assert_eq!(quality.codec, Codec::G711);
}

#[test]
fn what_stops_on_the_way_is_a_gap() {
    let mut stream = Stream::new();
    stream.talk(50);
    // Held up, then all at once.
    stream.now += 700_000;
    stream.talk(1);
    stream.now -= 700_000;
    stream.talk(50);
    assert_eq!(stream.quality.gap, 720_000);
    assert!(!stream.quality.pauses);
    // Lost.
    stream.pass(100, 100);
    stream.talk(1);
    assert_eq!(stream.quality.gap, 2_020_000);
}

#[test]
fn a_hold_is_no_gap() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.now += 60_000_000;
    stream.talk(50);
    assert_eq!((stream.quality.gap, stream.quality.worst_jitter, stream.quality.lost()), (20_000, 0, 0));
}

#[test]
fn what_is_sent_while_nobody_listens_is_not_lost() {
    let mut stream = Stream::new();
    stream.talk(50);
    // On hold: the party talks on, and what it says is for nobody.
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.pass(500, 500);
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.talk(50);
    let quality = stream.quality;
    assert_eq!((quality.lost(), quality.expected(), quality.sources), (0, 100, 1));
    // The other party takes it for a loss beyond us, and says so.
    let mut other = Quality::default();
    other.rtcp(&quality, &report(8, 1, Some([7, 500, 0, 0, 0, 0])), Instant::ZERO);
    assert_eq!((other.reported.map(|reported| reported.lost), quality.loss_at(&other)), (Some(500), 0));
    other.rtcp(&quality, &report(8, 1, Some([7, 510, 0, 0, 0, 0])), Instant::ZERO);
    assert_eq!(quality.loss_at(&other), 1000);
    // What is missing afterwards is.
    stream.pass(5, 5);
    stream.talk(5);
    assert_eq!(stream.quality.lost(), 5);
}

#[test]
fn a_late_packet_of_before_a_hold_is_no_loss() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.pass(1, 1);
    stream.talk(1);
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.send(stream.sequence.wrapping_sub(2), stream.timestamp.wrapping_sub(2 * UNITS), false);
    stream.pass(3, 3);
    stream.talk(50);
    assert_eq!((stream.quality.lost(), stream.quality.duplicates), (0, 0));
}

#[test]
fn a_clock_that_is_not_known_has_no_jitter() {
    for codec in [Codec::Unknown, Codec::of_name(b"odd", 12_345)] {
        let mut stream = Stream::new();
        stream.payload_type = 120;
        stream.terms.map(120, codec);
        for packet in 0..100u32 {
            // Opus, whose description had too many others before it.
            stream.send(stream.sequence, packet.wrapping_mul(960), false);
            stream.sequence = stream.sequence.wrapping_add(1);
            stream.now += STEP;
        }
        // Silence: nothing tells whether it was meant.
        stream.now += 5_000_000;
        stream.talk(10);
        let quality = stream.quality;
        assert_eq!((quality.mean_jitter(), quality.worst_jitter, quality.gap, quality.pauses), (None, 0, 20_000, true));
        // Numbers are missing: that is a gap whatever the clock.
        stream.pass(100, 100);
        stream.talk(1);
        assert_eq!(stream.quality.gap, 2_020_000);
    }
}

#[test]
fn a_change_of_clocks_is_no_jitter() {
    let mut stream = Stream::new();
    stream.terms.map(96, Codec::Clock16k);
    stream.talk(50);
    stream.payload_type = 96;
    stream.timestamp = stream.timestamp.wrapping_add(4000);
    stream.talk(1);
    assert_eq!((stream.quality.worst_jitter, stream.quality.codec), (0, Codec::Clock16k));
}

#[test]
fn a_clock_that_stands_still_in_pauses_has_no_jitter() {
    let mut stream = Stream::new();
    for _ in 0..20 {
        stream.talk(50);
        stream.now += 600_000;
        stream.send(stream.sequence, stream.timestamp, true);
        stream.pass(1, 1);
    }
    let quality = stream.quality;
    assert_eq!((quality.worst_jitter, quality.gap, quality.lost(), quality.pauses), (0, 20_000, 0, true));
}

#[test]
fn two_sources_in_turn_are_no_loss() {
    let (mut stream, mut sequences) = (Stream::new(), [100u16, 60_000]);
    for packet in 0..400 {
        let which = packet % 2;
        (stream.ssrc, sequences[which]) = (which as u32, sequences[which].wrapping_add(1));
        stream.send(sequences[which], packet as u32 * 80, false);
        stream.now += STEP / 2;
    }
    assert_eq!((stream.quality.lost(), stream.quality.mean_jitter(), stream.quality.duplicates), (0, None, 0));
}

#[test]
fn the_packets_of_a_key_share_a_time_stamp() {
    let mut stream = Stream::new();
    stream.terms.list(0);
    stream.terms.list(101);
    stream.terms.map(101, Codec::Event);
    stream.talk(50);
    stream.payload_type = 101;
    let start = stream.timestamp;
    for packet in 0..10 {
        stream.send(stream.sequence, start, packet == 0);
        stream.pass(1, 1);
    }
    for _ in 0..2 {
        // The end is sent three times at once.
        stream.send(stream.sequence, start, false);
        stream.sequence = stream.sequence.wrapping_add(1);
    }
    stream.payload_type = 0;
    stream.talk(50);
    let quality = stream.quality;
    assert_eq!((quality.lost(), quality.worst_jitter, quality.foreign), (0, 0, 0));
    assert_eq!(quality.codec, Codec::G711);
}

#[test]
fn the_packets_of_a_picture_share_a_time_stamp() {
    let mut stream = Stream::new();
    stream.payload_type = 34;
    for picture in 0..100u32 {
        for part in 0..8 {
            stream.send(stream.sequence, picture * 3000, part == 7);
            stream.sequence = stream.sequence.wrapping_add(1);
            stream.now += 1000;
        }
        stream.now += 25_333;
    }
    assert!(stream.quality.worst_jitter < 10, "{}", stream.quality.worst_jitter);
    assert_eq!(stream.quality.lost(), 0);
}

#[test]
fn a_new_source_begins_anew() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.pass(2, 2);
    stream.talk(50);
    (stream.ssrc, stream.sequence, stream.timestamp) = (8, 3, 99);
    stream.now += 500_000;
    stream.talk(50);
    let quality = stream.quality;
    assert_eq!((quality.sources, quality.lost(), quality.worst_jitter), (2, 2, 0));
    // The same source with other numbers, as after a restart of the sender.
    (stream.sequence, stream.timestamp) = (30_000, 5);
    stream.talk(50);
    assert_eq!((stream.quality.sources, stream.quality.lost()), (3, 2));
}

#[test]
fn a_stray_sequence_number_changes_nothing() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.send(stream.sequence.wrapping_add(20_000), stream.timestamp, false);
    stream.talk(50);
    assert_eq!((stream.quality.sources, stream.quality.lost()), (1, 0));
}

#[test]
fn a_format_that_nobody_announced_is_counted() {
    let mut stream = Stream::new();
    stream.terms.list(0);
    stream.talk(100);
    stream.payload_type = 18;
    stream.talk(10);
    assert_eq!((stream.quality.foreign, stream.quality.foreign_type, stream.quality.codec), (10, 18, Codec::G729));
    stream.terms.list(18);
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.talk(10);
    assert_eq!(stream.quality.foreign, 10);
}

#[test]
fn what_is_on_its_way_when_the_codec_changes_is_no_fault() {
    let mut stream = Stream::new();
    stream.terms.list(0);
    stream.talk(100);
    // Ten times the other party wants another codec, and each time hears the old one for a second.
    for turn in 0..10 {
        stream.terms = Terms::default();
        stream.terms.list(if turn % 2 == 0 { 8 } else { 0 });
        stream.quality.renegotiated(Instant::from_micros(stream.now));
        stream.talk(50);
        stream.payload_type = if turn % 2 == 0 { 8 } else { 0 };
        stream.talk(200);
    }
    assert_eq!(stream.quality.foreign, 0);
    // Who keeps to the old one is found out after two seconds.
    stream.terms = Terms::default();
    stream.terms.list(3);
    stream.quality.renegotiated(Instant::from_micros(stream.now));
    stream.talk(150);
    assert_eq!((stream.quality.foreign, stream.quality.foreign_type), (50, 0));
}

#[test]
fn comfort_noise_comes_when_it_likes() {
    let mut stream = Stream::new();
    stream.talk(50);
    stream.payload_type = 13;
    // Its clock stands still, and no packet behind it has a marker.
    for pause in 1..40u64 {
        stream.now += 150_000 * (1 + pause % 5);
        stream.send(stream.sequence, stream.timestamp, false);
        stream.sequence = stream.sequence.wrapping_add(1);
    }
    stream.now += 2_500_000;
    stream.payload_type = 0;
    stream.talk(100);
    let quality = stream.quality;
    assert_eq!((quality.gap, quality.worst_jitter, quality.lost()), (20_000, 0, 0));
}

#[test]
fn numbers_that_run_away_are_a_new_beginning() {
    let mut stream = Stream::new();
    stream.talk(50);
    // Within the 3,000 of RFC 3550, and 20 ms after the packet before: nobody has sent so much.
    stream.sequence = stream.sequence.wrapping_add(1500);
    stream.timestamp = stream.timestamp.wrapping_add(77_777);
    stream.talk(50);
    let quality = stream.quality;
    assert_eq!((quality.lost(), quality.sources, quality.worst_jitter), (0, 2, 0));
    // The other party, which goes by RFC 3550, takes it for a loss.
    let mut other = Quality::default();
    other.rtcp(&quality, &report(8, 1, Some([7, 50, 0, 0, 0, 0])), Instant::ZERO);
    assert_eq!((other.reported.map(|reported| reported.lost), quality.loss_at(&other)), (Some(50), 0));
    // Two minutes in a lift are a loss.
    stream.pass(1500, 1500);
    stream.talk(1);
    assert_eq!(stream.quality.lost(), 1500);
}

#[test]
fn who_says_that_he_has_sent_no_more_pauses() {
    let still = |before: u32, sent: u32, after: u64| {
        let mut stream = Stream::new();
        stream.talk(50);
        let other = Quality::default();
        let mut sender = report(7, 1, None);
        sender[20..24].copy_from_slice(&before.to_be_bytes());
        stream.quality.rtcp(&other, &sender, Instant::from_micros(stream.now));
        sender[20..24].copy_from_slice(&sent.to_be_bytes());
        stream.quality.rtcp(&other, &sender, Instant::from_micros(stream.now + after));
        stream.quality.pauses
    };
    assert!(still(50, 50, 5_000_000));
    assert!(still(50, 60, 5_000_000), "keepalives, or what came before we listened");
    assert!(!still(50, 300, 5_000_000), "it sends, and is not heard");
    assert!(!still(50, 50, 500_000), "it was heard just now");
    // It had sent much before we listened, and sends no more.
    assert!(still(5000, 5000, 5_000_000));
    assert!(!still(5000, 5250, 5_000_000));
}

/// An SR of `ssrc` with the middle of its NTP time stamp, and perhaps a block.
fn report(ssrc: u32, ntp_middle: u32, block: Option<[u32; 6]>) -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6];
    if block.is_some() {
        (bytes[0], bytes[3]) = (0x81, 12);
    }
    let words = [ssrc, ntp_middle >> 16, ntp_middle << 16, 0, 0, 0];
    bytes.extend(words.iter().chain(block.iter().flatten()).flat_map(|word| word.to_be_bytes()));
    bytes
}

#[test]
fn the_round_trip_is_read_as_it_passes() {
    let (mut one, mut other) = (Stream::new(), Stream::new());
    other.ssrc = 8;
    one.talk(10);
    other.talk(10);
    let at = Instant::from_micros;
    one.quality.rtcp(&other.quality, &report(7, 0xabcd_1234, None), at(5_000_000));
    // Back after 530 ms, of which the other party says it took half a second.
    let block = [7, 0x4000_0005, 0, 80, 0xabcd_1234, 0x8000];
    other.quality.rtcp(&one.quality, &report(8, 1, Some(block)), at(5_530_000));
    assert_eq!(other.quality.round_trip, Some(30_000));
    assert_eq!(one.quality.round_trip, None);
    assert_eq!(other.quality.reported, Some(Reported { lost: 5, worst: 0x40, jitter: 10_000 }));
    // Of somebody else, and of a report that never passed; one that took longer than it can have.
    other.quality.rtcp(&one.quality, &report(8, 1, Some([9, 0x4000_0009, 0, 80, 0xabcd_1234, 0])), at(6_000_000));
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, 0x1111, 0])), at(6_000_000));
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, 0xabcd_1234, u32::MAX])), at(6_000_000));
    assert_eq!(other.quality.round_trip, Some(30_000));
    assert_eq!((other.quality.rtcp, other.quality.unreadable), (4, 0));
    // Nobody loses more than there was, or sends an SR before it is sent.
    let before = other.quality.reported;
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 11, 0, 80, 0xabcd_1234, 1])), at(5_100_000));
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x7f_ffff, 0, 80, 0xabcd_1234, 1])), at(6_000_000));
    assert_eq!((other.quality.round_trip, other.quality.reported), (Some(30_000), before));
    // Nor does a source hear itself.
    one.quality.rtcp(&other.quality, &report(7, 2, Some([7, 5, 0, 80, 0xabcd_1234, 1])), at(6_000_000));
    assert_eq!((one.quality.round_trip, one.quality.reported), (None, None));
    // Who says the same time again of the same SR has not measured it.
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, 0xabcd_1234, 1])), at(9_000_000));
    assert_eq!(other.quality.round_trip, Some(30_000));
    // A party that does not measure how long it took says zero.
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, 0xabcd_1234, 0])), at(9_000_000));
    assert_eq!(other.quality.round_trip, Some(30_000));
    // Clocks tick: half a second may be 499.9 ms; but not 480.
    for (ntp, passed, wanted) in [(0x9000, 480_000, 30_000), (0x9001, 499_900, 0)] {
        one.quality.rtcp(&other.quality, &report(7, ntp, None), at(9_000_000));
        other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, ntp, 0x8000])), at(9_000_000 + passed));
        assert_eq!(other.quality.round_trip, Some(wanted));
    }
    // It may say so of an SR that came just now.
    one.quality.rtcp(&other.quality, &report(7, 0x5678, None), at(9_500_000));
    other.quality.rtcp(&one.quality, &report(8, 1, Some([7, 0x5, 0, 80, 0x5678, 0])), at(9_502_000));
    assert_eq!(other.quality.round_trip, Some(2_000));
    // What the other party says it lost counts, and so does the way.
    assert!(one.quality.score(&other.quality) < one.quality.score(&Quality::default()));
}

#[test]
fn what_srtcp_hides_is_not_guessed() {
    let (mut one, other) = (Stream::new(), Stream::new());
    let mut bytes = report(7, 1, None);
    bytes.extend([0x80, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    one.quality.rtcp(&other.quality, &bytes, Instant::ZERO);
    assert_eq!((one.quality.rtcp, one.quality.unreadable), (1, 1));
    assert_eq!((one.quality.round_trip, one.quality.reported), (None, None));
}

/// What comes to pass: a header, and µs since the one before.
fn packets() -> impl Strategy<Value = Vec<(u16, u32, u8, u8, u32)>> {
    let near = (0u16..8, 0u32..2000, 0u8..3, 0u8..2, 0u32..100_000);
    let far = (any::<u16>(), any::<u32>(), any::<u8>(), any::<u8>(), any::<u32>());
    proptest::collection::vec(prop_oneof![9 => near, 1 => far], 1..200)
}

proptest! {
    #[test]
    fn nothing_makes_a_number_absurd(packets in packets()) {
        let mut stream = Stream::new();
        for (sequence, timestamp, payload_type, ssrc, passed) in packets {
            stream.payload_type = payload_type & 0x7f;
            stream.ssrc = ssrc.into();
            stream.now += u64::from(passed);
            stream.send(sequence, timestamp, payload_type > 0x7f);
            let quality = &stream.quality;
            prop_assert!(quality.lost() <= quality.expected && quality.loss() <= 10_000);
            prop_assert!(quality.received <= quality.packets);
            prop_assert!(quality.worst_jitter <= MAX_JUMP as u32 && quality.mean_jitter() <= Some(quality.worst_jitter));
            let _ = quality.score(quality);
        }
    }

    #[test]
    fn any_order_and_any_repetition_is_no_loss(order in proptest::collection::vec(0u16..20, 0..100)) {
        let mut stream = Stream::new();
        stream.send(0, 0, false);
        for sequence in order.into_iter().chain(0..20) {
            stream.send(sequence, u32::from(sequence) * UNITS, false);
        }
        prop_assert_eq!(stream.quality.lost(), 0);
    }

    #[test]
    fn any_datagram_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut quality = Quality::default();
        quality.rtp(&bytes, &Terms::default(), Instant::ZERO);
        let other = quality;
        quality.rtcp(&other, &bytes, Instant::ZERO);
    }
}
