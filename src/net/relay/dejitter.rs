//! Packets are held back until they are due, so that what comes unevenly leaves evenly.
//!
//! [`Playout`] says when each one is due, [`Pool`] keeps them until then, and [`Relay::release`] sends those whose time has come, in
//! whole milliseconds: the event loop wakes no more precisely. Held is RTP alone, and only between LAN and Internet; RTCP, STUN, DTLS and UDPTL pass.
//!
//! Nothing waits for room. Where the pool is full the first packet of the same stream goes early; where that stream has none waiting,
//! or only such as come after it, the new one goes at once. A stream that has more packets in the pool than it needs gets further places only
//! while half of the pool is free.

use super::leg::LegState;
use super::pool::{Pool, Queue};
use super::{Losses, Relay};
use crate::config::Config;
use crate::engine::Side;
use crate::engine::io::Leg;
use crate::limits::{MAX_HELD, MAX_HELD_DATAGRAM, MAX_RELAYS};
use crate::log_class::{NET, log};
use crate::rtp::playout::Playout;
use crate::time::{Duration, Instant, micros};

/// For how long packets are held, by the side that they come from: [`Side::Lan`] and [`Side::Wan`].
pub type Delays = [Duration; 2];

/// The time that a packet of audio stands for in streams with many of them: half of what is usual (RFC 3551 §4.2).
const PACKET_TIME: Duration = Duration::from_millis(10);

/// Bytes of a packet that waits, with what is known of it.
const HELD_BYTES: usize = MAX_HELD_DATAGRAM + 24;

/// Packets of one stream that wait: those of twice the delay, which none is held longer than.
const fn share(delay: Duration) -> usize {
    (2 * micros(delay)).div_ceil(micros(PACKET_TIME)) as usize
}

/// For how long packets are to be held.
#[must_use]
pub fn delays(config: &Config) -> Delays {
    [config.rtp_output_dejitter, config.rtp_input_dejitter].map(|delay| Duration::from_micros(delay.into()))
}

/// Places for the packets of all calls that there are ports for; zero where none is held.
#[must_use]
pub fn places(config: &Config) -> usize {
    let pairs = usize::from(config.rtp_port_high.saturating_sub(config.rtp_port_low) / 2) + 1;
    let calls = if config.rtp_proxy_enable { pairs.min(config.max_calls) } else { 0 };
    let packets: usize = delays(config).into_iter().map(share).sum();
    (packets * calls).min(MAX_HELD)
}

/// Bytes that these places take once they have all been used.
#[must_use]
pub const fn bytes(places: usize) -> usize {
    places * HELD_BYTES + if places > 0 { MAX_RELAYS * 2 * size_of::<Lane>() } else { 0 }
}

/// The packets of one party of one relay.
#[derive(Clone, Copy, Debug)]
struct Lane {
    playout: Playout,
    queue: Queue,
    /// Places that it needs; zero where it does not wait.
    share: usize,
}

/// What waits on all relays.
#[derive(Debug)]
pub(super) struct Dejitter {
    delays: Delays,
    pool: Pool,
    /// Two for each slot of the relay, as far as it was ever in use: what comes to the caller's leg, to the callee's.
    lanes: Vec<Lane>,
    /// When the next packet is due.
    next: Option<Instant>,
    /// Packets that went before they were due.
    early: u32,
    /// Whether it has been said that the pool is full.
    is_told: bool,
}

impl Dejitter {
    pub(super) fn new(delays: Delays, places: usize) -> Self {
        let lanes = Vec::with_capacity(MAX_RELAYS * 2);
        Self { delays, pool: Pool::new(places), lanes, next: None, early: 0, is_told: false }
    }

    /// A relay begins in this slot.
    pub(super) fn open(&mut self, slot: usize, sides: [Side; 2]) {
        self.close(slot);
        let lane = |from: Side, to: Side| {
            let delay = if from == to { Duration::ZERO } else { self.delays[from as usize] };
            Lane { playout: Playout::new(delay), queue: Queue::default(), share: share(delay) }
        };
        let lanes = [lane(sides[0], sides[1]), lane(sides[1], sides[0])];
        while self.lanes.len() < (slot + 1) * 2 {
            // Relays that were open before anything was to be held back go on as they began.
            self.lanes.push(lane(Side::Lan, Side::Lan));
        }
        self.lanes[slot * 2..][..2].copy_from_slice(&lanes);
    }

    /// What waits in this slot reaches nobody.
    pub(super) fn close(&mut self, slot: usize) {
        for lane in self.lanes.iter_mut().skip(slot * 2).take(2) {
            self.pool.clear(&mut lane.queue);
        }
    }

    /// Takes an RTP packet that came to a leg on its way out of `to`; `false` where it is to go on at once.
    pub(super) fn hold(&mut self, way: Way<'_>, packet: &[u8], number: (u16, u32), now: Instant) -> bool {
        let Self { pool, lanes, .. } = self;
        let Some(lane) = lanes.get_mut(way.slot * 2 + way.leg as usize).filter(|lane| lane.share > 0) else {
            return false;
        };
        let (sequence, ssrc) = number;
        let due = lane.playout.due(packet, &way.to.latch.peer().terms, now);
        // What is due now does not wait for the next millisecond.
        let due = if due > now { whole_millis(due) } else { due };
        if lane.queue.length == 0 && due <= now {
            return false;
        }
        if packet.len() > MAX_HELD_DATAGRAM {
            while let Some(first) = pool.pop(&mut lane.queue) {
                way.to.send_held(first, way.losses);
            }
            return false;
        }
        let is_full = pool.held >= pool.room();
        if is_full || usize::from(lane.queue.length) >= lane.share && pool.held * 2 >= pool.room() {
            self.early = self.early.wrapping_add(1);
            if !core::mem::replace(&mut self.is_told, true) {
                let (held, room) = (pool.held, pool.room());
                log::warn!(target: NET, "dejitter: {held} of {room} places are taken; some packets go on before their time");
            }
            if pool.goes_first(&lane.queue, sequence, ssrc) {
                return false;
            }
            if let Some(first) = pool.pop(&mut lane.queue) {
                way.to.send_held(first, way.losses);
            }
        }
        let is_held = pool.put(&mut lane.queue, packet, sequence, ssrc, due);
        self.next = [self.next, pool.first_due(&lane.queue)].into_iter().flatten().min();
        is_held
    }
}

/// Where a packet is on its way from and to.
pub(super) struct Way<'a> {
    pub(super) slot: usize,
    /// The leg that it came to.
    pub(super) leg: Leg,
    /// The other one.
    pub(super) to: &'a LegState,
    pub(super) losses: &'a mut Losses,
}

impl LegState {
    /// Sends a packet that has waited; where there is nowhere to send it any more it is counted as one that never had a destination.
    fn send_held(&self, packet: &[u8], losses: &mut Losses) {
        match self.way_out(false) {
            Some(way_out) if way_out.send(packet) => {}
            Some(_) => losses.unsent = losses.unsent.wrapping_add(1),
            None => losses.unproven = losses.unproven.wrapping_add(1),
        }
    }
}

impl Relay {
    /// Holds RTP of relays that are opened from now on back for these times, in so many places; without places nothing is held. Those
    /// that are open go on as they began.
    pub fn set_dejitter(&mut self, delays: Delays, places: usize) {
        match &mut self.dejitter {
            Some(dejitter) => {
                dejitter.delays = if places > 0 { delays } else { Delays::default() };
                dejitter.pool.make_room(places);
            }
            None => self.dejitter = (places > 0).then(|| Dejitter::new(delays, places)),
        }
    }

    /// When [`Self::release`] is to be called next.
    #[must_use]
    pub fn next_release(&self) -> Option<Instant> {
        self.dejitter.as_ref()?.next
    }

    /// Sends what was held back and is due.
    pub fn release(&mut self, now: Instant) {
        let Self { slots, losses, dejitter: Some(dejitter), .. } = self else { return };
        if dejitter.next.is_none_or(|next| next > now) {
            return;
        }
        let Dejitter { pool, lanes, .. } = dejitter;
        let mut next = None;
        for (index, lane) in lanes.iter_mut().enumerate() {
            while let Some(due) = pool.first_due(&lane.queue) {
                if due > now {
                    next = Some(next.map_or(due, |next: Instant| next.min(due)));
                    break;
                }
                let open = slots.get_mut(index / 2).and_then(|slot| slot.open.as_mut());
                let to = open.map(|open| &open.legs[1 - index % 2]);
                if let (Some(packet), Some(to)) = (pool.pop(&mut lane.queue), to) {
                    to.send_held(packet, losses);
                }
            }
        }
        dejitter.next = next;
        dejitter.is_told &= pool.held * 2 >= pool.room();
    }

    /// Packets that wait, places for them, and packets that went before they were due because there was none; `None` where none is
    /// held back.
    #[must_use]
    pub fn held(&self) -> Option<(usize, usize, u32)> {
        self.dejitter.as_ref().map(|dejitter| (dejitter.pool.held, dejitter.pool.room(), dejitter.early))
    }
}

/// The nearest whole millisecond.
fn whole_millis(moment: Instant) -> Instant {
    Instant::from_millis((moment.as_micros() + 500) / 1000)
}
