//! Datagrams to the media ports of a call: which kind, whose, and what they tell; compared with a plainer reckoning of the same.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::collections::BTreeSet;

use siproxd::engine::io::LegCounters;
use siproxd::engine::stats::SectionStats;
use siproxd::rtp::Kind;
use siproxd::rtp::format::{Codec, Media, Terms};
use siproxd::rtp::latch::{Latch, Latching, MAX_ALLOWED, Peer, Verdict};
use siproxd::rtp::quality::Quality;
use siproxd::rtp::rtcp::{Report, reports};
use siproxd::time::{Duration, Instant};

/// Who sends: the parties' announced ports, other ports of theirs, their second addresses, and strangers.
const PLACES: [&str; 8] = [
    "10.0.0.2:4000",
    "10.0.0.2:4444",
    "10.0.0.9:4000",
    "[2001:db8::2]:4000",
    "203.0.113.20:6000",
    "203.0.113.20:6001",
    "192.0.2.66:4000",
    "[2001:db8::66]:6000",
];

/// Jitter that is more than this (µs) is a jump, a round trip that is longer is none.
const MOST_JITTER: u32 = 1_000_000;
const LONGEST_TRIP: u32 = 10_000_000;
/// Numbers that a sender may have lost between two packets (RFC 3550 §A.1).
const MOST_LOST: u32 = 3000;
/// What is further behind is too late to be told from a repetition.
const WINDOW: i64 = 32;
/// Steps ahead that are never a new beginning, whenever they come.
const STEP: i64 = 100;

/// One leg of the call, and what is known of it in another way.
struct Leg {
    latch: Latch,
    latching: Latching,
    counters: LegCounters,
    announced: Peer,
    /// The source whose RTP was taken since the last description that changed something.
    taken: Option<SocketAddr>,
    /// RTP packets, their bytes, RTCP, and others that were taken from it.
    counted: [u64; 4],
    stream: Stream,
    now: Instant,
}

/// A stream as far as it is simple: one source, no jumps, no new description.
#[derive(Default)]
struct Stream {
    is_odd: bool,
    ssrc: u32,
    highest: i64,
    came: BTreeSet<i64>,
    duplicates: u32,
}

impl Stream {
    fn take(&mut self, sequence: u16, ssrc: u32) {
        if self.came.is_empty() {
            (self.ssrc, self.highest) = (ssrc, sequence.into());
            self.came.insert(sequence.into());
            return;
        }
        let step = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        self.is_odd |= ssrc != self.ssrc || step > STEP || step <= -WINDOW;
        let number = self.highest + step;
        // What is older than the first one was never waited for.
        if self.came.first().is_some_and(|first| number < *first) || !self.came.insert(number) {
            self.duplicates += 1;
        }
        self.highest = self.highest.max(number);
    }

    fn check(&self, heard: &Quality) {
        let Some(first) = self.came.first().filter(|_| !self.is_odd) else { return };
        let expected = self.highest - first + 1;
        assert_eq!(i64::from(heard.expected()), expected);
        assert_eq!(i64::from(heard.lost()), expected - self.came.len() as i64);
        assert_eq!((heard.duplicates, heard.sources), (self.duplicates, 1));
    }
}

impl Leg {
    fn new(latching: Latching) -> Self {
        Self {
            latch: Latch::new(latching),
            latching,
            counters: LegCounters::default(),
            announced: Peer::default(),
            taken: None,
            counted: [0; 4],
            stream: Stream::default(),
            now: Instant::ZERO,
        }
    }

    /// What each party's description says; as [`siproxd::net::relay`] acts on it.
    fn announce(&mut self, peer: &Peer) {
        let before = self.latch.rtp_destination();
        self.latch.announce(peer);
        let after = self.latch.rtp_destination();
        if *peer == self.announced {
            assert_eq!(before, after, "the same description again");
        } else if self.announced.rtp != peer.rtp || self.announced.allowed != peer.allowed {
            self.taken = None;
        }
        let is_allowed = |place: SocketAddr| peer.allowed.contains(&Some(place.ip()));
        assert!(after == peer.rtp || (after == before && after.is_some_and(is_allowed)), "{after:?}");
        self.announced = *peer;
    }

    /// A datagram that came to this leg's RTP or RTCP port; `true` where it is relayed.
    fn datagram(&mut self, from: SocketAddr, is_rtcp: bool, bytes: &[u8], other: &Self) -> bool {
        let kind = if is_rtcp { Kind::Rtcp } else { classified(bytes) };
        let before = (self.latch.rtp_destination(), self.latch.rtcp_destination());
        let verdict = if is_rtcp { self.latch.rtcp(from) } else { self.latch.rtp(from, kind) };
        let after = (self.latch.rtp_destination(), self.latch.rtcp_destination());
        let is_allowed = self.announced.allowed.contains(&Some(from.ip()));
        assert_eq!(verdict == Verdict::Stranger, !is_allowed);
        if before != after {
            assert_eq!((verdict, after.0), (Verdict::Accept, Some(from)));
            assert_eq!((self.latching, self.taken), (Latching::Restricted, None));
            let is_announced = self.announced.rtp == Some(from);
            let speaks = match kind {
                Kind::Rtp { .. } | Kind::Other { .. } | Kind::Dtls { hello: true } => true,
                Kind::Dtls { hello: false } => is_announced,
                Kind::Rtcp | Kind::Stun => false,
            };
            assert!(speaks && !is_rtcp, "{kind:?} makes no peer");
        }
        if let (Some(taken), Verdict::Accept, false) = (self.taken, verdict, is_rtcp) {
            assert_eq!(taken, from, "the port is known");
        }
        let destination = other.destination(is_rtcp);
        if verdict == Verdict::Accept && destination.is_some() {
            self.accept(from, kind, is_rtcp, bytes, other);
            return true;
        }
        match verdict {
            Verdict::Stranger => self.counters.drop_stranger(from),
            Verdict::Unproven => self.counters.drop_unproven(from),
            Verdict::Accept => {}
        }
        if verdict == Verdict::Accept && matches!(kind, Kind::Rtp { .. }) {
            self.fix(from);
        }
        false
    }

    fn destination(&self, is_rtcp: bool) -> Option<SocketAddr> {
        if is_rtcp { self.latch.rtcp_destination() } else { self.latch.rtp_destination() }
    }

    fn fix(&mut self, from: SocketAddr) {
        if self.latching == Latching::Restricted {
            self.taken = Some(from);
            assert_eq!(self.latch.rtp_destination(), Some(from));
        }
    }

    fn accept(&mut self, from: SocketAddr, kind: Kind, is_rtcp: bool, bytes: &[u8], other: &Self) {
        let heard = &mut self.counters.heard;
        match kind {
            Kind::Rtp { sequence, ssrc } => {
                heard.rtp(bytes, &other.announced.terms, self.now);
                self.counted[0] += 1;
                self.counted[1] += bytes.len() as u64;
                self.stream.take(sequence, ssrc);
                self.fix(from);
            }
            Kind::Rtcp => {
                heard.rtcp(&other.counters.heard, bytes, self.now);
                self.counted[2] += 1;
            }
            _ => {
                heard.other();
                self.counted[3] += 1;
            }
        }
        assert!(!is_rtcp || kind == Kind::Rtcp);
        self.stream.check(&self.counters.heard);
        self.check(other);
    }

    /// What holds of the figures whatever was sent.
    fn check(&self, other: &Self) {
        let heard = &self.counters.heard;
        let counted = [heard.packets.into(), heard.bytes, heard.rtcp.into(), heard.others.into()];
        assert_eq!(counted, self.counted);
        assert!(heard.lost() <= heard.expected() && heard.loss() <= 10_000);
        assert!(heard.loss_at(&other.counters.heard) <= 10_000);
        assert!(u64::from(heard.expected()) <= u64::from(heard.packets) * u64::from(MOST_LOST));
        assert!(heard.unreadable <= heard.rtcp);
        let parts = [heard.duplicates, heard.foreign, heard.sources];
        assert!(parts.iter().all(|part| *part <= heard.packets) && (heard.sources > 0) == (heard.packets > 0));
        let jitter = heard.mean_jitter().unwrap_or(0);
        assert!(jitter <= heard.worst_jitter && heard.worst_jitter <= MOST_JITTER);
        assert!(heard.round_trip.is_none_or(|trip| trip < LONGEST_TRIP));
        assert!(heard.reported.is_none_or(|reported| reported.lost < 1 << 23));
        if heard.packets > 0 {
            assert!(heard.first <= heard.last && heard.last <= self.now);
            assert!(u64::from(heard.gap) <= heard.last.since(heard.first).as_micros() as u64);
        }
        let score = heard.score(&other.counters.heard);
        assert!(score.is_none_or(|score| (100..=450).contains(&score)));
        let [strangers, unproven] = self.counters.dropped_since();
        assert!(strangers <= self.counters.strangers && unproven <= self.counters.unproven);
    }
}

/// The kind of a datagram, which its first bytes must bear out.
fn classified(bytes: &[u8]) -> Kind {
    let kind = Kind::of(bytes);
    let (first, second) = (bytes.first().copied().unwrap_or(0xff), bytes.get(1).copied().unwrap_or(0));
    match kind {
        Kind::Rtp { .. } => assert!(bytes.len() >= 12 && first >> 6 == 2 && !(192..=223).contains(&second)),
        Kind::Rtcp => assert!(bytes.len() >= 8 && first >> 6 == 2 && (192..=223).contains(&second)),
        Kind::Stun => assert!(bytes.len() >= 20 && first < 4),
        Kind::Dtls { .. } => assert!(bytes.len() >= 13 && (20..64).contains(&first)),
        Kind::Other { .. } => {}
    }
    let found = reports(bytes).map_or(0, |found| {
        let mut count = 0;
        for report in found {
            count += 1;
            assert!(!matches!(report, Report::Block(block) if block.lost >= 1 << 23));
        }
        count
    });
    assert!(found * 20 <= bytes.len(), "{found} reports in {} bytes", bytes.len());
    kind
}

/// Bytes, of which there is always one more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.next(), self.next()])
    }

    fn long(&mut self) -> u32 {
        u32::from(self.word()) << 16 | u32::from(self.word())
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

fn place(number: u8) -> SocketAddr {
    PLACES[usize::from(number) % PLACES.len()].parse().unwrap()
}

/// A description: where RTP goes, who else may send, what is taken.
fn description(bytes: &mut Bytes<'_>) -> Peer {
    let (at, more, what) = (bytes.next(), bytes.next(), bytes.next());
    let rtp = (at & 0x80 == 0).then(|| place(at));
    let mut allowed = [None; MAX_ALLOWED];
    allowed[0] = rtp.map(|rtp| rtp.ip());
    allowed[1] = (more & 1 != 0).then(|| place(more >> 1).ip());
    let above = rtp.map(|rtp| SocketAddr::new(rtp.ip(), rtp.port() + 1));
    let mut terms = Terms::NOTHING;
    terms.media = [Media::Unknown, Media::Audio, Media::OtherRtp, Media::NoRtp][usize::from(what & 3)];
    (terms.mute, terms.deaf) = (what & 4 != 0, what & 8 != 0);
    for number in 0..(what >> 4) {
        let payload_type = if number == 0 { 0 } else { bytes.next() };
        terms.list(payload_type);
        if number > 0 {
            let clocks = [8000, 48_000, 90_000, 44_100, 7];
            terms.map(payload_type, Codec::of_name(b"x", clocks[usize::from(payload_type) % clocks.len()]));
        }
    }
    Peer {
        allowed,
        rtp,
        rtcp: if more & 0x80 == 0 { above } else { rtp },
        rtcp_mux: more & 0x40 != 0,
        family: None,
        ours: false,
        terms,
    }
}

/// A datagram: any bytes, or near to what is meant.
fn datagram(kind: u8, bytes: &mut Bytes<'_>, sequence: &mut u16) -> Vec<u8> {
    match kind % 4 {
        0 => {
            let count = bytes.next().into();
            bytes.take(count)
        }
        1 | 2 => {
            let (step, payload_type, ssrc) = (bytes.next(), bytes.next(), bytes.next());
            *sequence = sequence.wrapping_add(i16::from(step as i8) as u16);
            let timestamp = if kind % 4 == 1 { u32::from(*sequence).wrapping_mul(160) } else { bytes.long() };
            let head = [[0x80, payload_type], sequence.to_be_bytes()].concat();
            [&head[..], &timestamp.to_be_bytes(), &[0, 0, 0, ssrc & 3], &[0xd5; 160]].concat()
        }
        _ => {
            let (ssrc, source, lost, ntp) = (bytes.next() & 3, bytes.next() & 3, bytes.word(), bytes.next());
            let sender = [ssrc.into(), 0, u32::from(ntp) << 16, 0, u32::from(lost), 0];
            let block = [source.into(), lost.into(), 0, bytes.long(), u32::from(bytes.next()), bytes.long()];
            let head = [0x81, 200, 0, 12];
            let words = sender.iter().chain(&block).flat_map(|word| word.to_be_bytes());
            head.into_iter().chain(words).collect()
        }
    }
}

/// A call of two legs: the first byte says how ports are learned, then each step is a description or a datagram. What would be relayed
/// and counted by [`siproxd::net::relay`] is here.
pub fn rtp(data: &[u8]) {
    let mut bytes = Bytes(data);
    let latching = if bytes.next() & 1 == 0 { Latching::Restricted } else { Latching::Off };
    let mut legs = [Leg::new(latching), Leg::new(latching)];
    let mut now = Instant::from_millis(1000);
    let mut sequences = [65_530, 65_530];
    while !bytes.0.is_empty() {
        let (what, time) = (bytes.next(), bytes.next());
        // From nothing to 40 ms, and now and then to minutes.
        let passed = if time < 0xf0 { u64::from(time) * 167 } else { u64::from(bytes.word()) * 20_000 };
        now = now.after(Duration::from_micros(passed));
        legs.iter_mut().for_each(|leg| leg.now = now);
        let [one, two] = &mut legs;
        let (number, leg, other) = if what & 1 == 0 { (0, one, two) } else { (1, two, one) };
        if what & 0xc0 == 0xc0 {
            let peer = description(&mut bytes);
            if peer != leg.announced {
                leg.counters.aimed = now;
                for leg in [&mut *leg, &mut *other] {
                    leg.counters.heard.renegotiated(now);
                    leg.stream.is_odd |= !leg.stream.came.is_empty();
                }
            }
            leg.announce(&peer);
        } else {
            let from = place(what >> 1);
            let datagram = datagram(what >> 4, &mut bytes, &mut sequences[number]);
            leg.datagram(from, time & 1 == 0 && what & 0x40 != 0, &datagram, other);
        }
        leg.check(other);
    }
    told(&legs, now);
}

/// What is said of the call: one line without anything that a terminal would take for a command.
fn told(legs: &[Leg; 2], now: Instant) {
    let section = SectionStats {
        number: 0,
        media: legs.each_ref().map(|leg| leg.announced.terms.media),
        ports: [7070, 7080],
        announced: legs.each_ref().map(|leg| leg.announced.rtp),
        held: [false, true],
        legs: legs.each_ref().map(|leg| LegCounters { taken: now, ..leg.counters }),
        fault: None,
    };
    let mut line = String::new();
    write!(line, "{section}").unwrap();
    assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && line.len() < 700, "{line}");
}
