//! RTP load for the benchmark: sends media through a relay, counts what arrives and how late.
//!
//! `load paced SECONDS` sends 50 packets a second from each leg. `load full SECONDS WINDOW` sends as much as the relay takes:
//! each leg has WINDOW packets on the way, and each that arrives is followed by another one.
//!
//! The legs come from standard input, one in each line: `LOCAL_ADDRESS:PORT RELAY_ADDRESS:PORT`, a call's two legs one after
//! the other. What one leg sends must come to the other. When all are open, `ready` is printed and a relay may learn from the first
//! packets where its peers are; they do not count. Then `begin`, and at the end
//! `sent N received N nanoseconds N p50 NANOSECONDS p99 NANOSECONDS`: how long it took, and the time from sending to reading.

use core::net::SocketAddr;
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io::{self, BufRead, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

type Failure = Box<dyn core::error::Error>;

/// 20 ms of G.711 in each packet (RFC 3551 §4.2).
const INTERVAL: Duration = Duration::from_millis(20);
const PACKET: usize = 172;

/// Packets that are late are waited for so long after the last one was sent.
const GRACE: Duration = Duration::from_millis(300);

/// Packets that each leg sends before they count: more than a relay needs to know a port and to settle.
const WARM_UP: u16 = 30;

/// What is due is looked for so often at most. What is sent in lumps makes a relay look better than it is; network cards make such
/// small ones too.
const TICK: Duration = Duration::from_micros(100);

/// Most packets in one system call.
const BATCH: usize = 16;

const TIMER: Token = Token(usize::MAX);

struct Leg {
    socket: UdpSocket,
    /// Sequence number, time stamp and the moment of sending are written anew for each packet.
    packets: [[u8; PACKET]; BATCH],
    sequence: u16,
}

impl Leg {
    fn new(number: usize, line: &str) -> Result<Self, Failure> {
        let (local, relay) = line.split_once(' ').ok_or("two addresses, please")?;
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        // What comes from elsewhere than the port that the call was told does not arrive.
        socket.connect(relay.trim().parse::<SocketAddr>()?)?;
        let mut packet = [0xd5; PACKET];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[8..12].copy_from_slice(&(number as u32).to_be_bytes());
        Ok(Self { socket, packets: [packet; BATCH], sequence: 0 })
    }

    /// Writes the next packet into its place.
    fn prepare(&mut self, place: usize, now: Duration) {
        let packet = &mut self.packets[place];
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        packet[12..20].copy_from_slice(&(now.as_nanos() as u64).to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
    }
}

struct Load {
    legs: Vec<Leg>,
    poll: Poll,
    events: Events,
    /// Ticks as packets are due.
    timer: TimerFd,
    start: Instant,
    buffers: Box<[[u8; 2048]; BATCH]>,
    receive: MultiHeaders<SockaddrStorage>,
    send: MultiHeaders<SockaddrStorage>,
    /// From sending to reading, of each packet that counts.
    delays: Vec<u32>,
    sent: u64,
}

impl Load {
    fn new(lines: &[String]) -> Result<Self, Failure> {
        let legs = lines.iter().enumerate().map(|(number, line)| Leg::new(number, line));
        let legs = legs.collect::<Result<Vec<_>, _>>()?;
        let poll = Poll::new()?;
        for (number, leg) in legs.iter().enumerate() {
            poll.registry().register(&mut SourceFd(&leg.socket.as_raw_fd()), Token(number), Interest::READABLE)?;
        }
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self {
            legs,
            poll,
            timer,
            events: Events::with_capacity(1024),
            start: Instant::now(),
            buffers: Box::new([[0; 2048]; BATCH]),
            receive: MultiHeaders::preallocate(BATCH, None),
            send: MultiHeaders::preallocate(BATCH, None),
            delays: Vec::with_capacity(1 << 22),
            sent: 0,
        })
    }

    fn send(&mut self, number: usize, count: usize) {
        let leg = &mut self.legs[number];
        let now = self.start.elapsed();
        (0..count).for_each(|place| leg.prepare(place, now));
        self.sent += count as u64;
        if count == 1 {
            let _ = leg.socket.send(&leg.packets[0]);
            return;
        }
        let slices: Vec<[IoSlice<'_>; 1]> = leg.packets[..count].iter().map(|packet| [IoSlice::new(packet)]).collect();
        let _ = sendmmsg(
            leg.socket.as_raw_fd(),
            &mut self.send,
            &slices,
            &[None::<SockaddrStorage>; BATCH][..count],
            [],
            MsgFlags::empty(),
        );
    }

    /// Takes what the other leg has sent; the number of packets.
    fn receive(&mut self, number: usize) -> usize {
        let mut count = 0;
        loop {
            let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let fd = self.legs[number].socket.as_raw_fd();
            let lengths: heapless::Vec<usize, BATCH> =
                match recvmmsg(fd, &mut self.receive, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
                    Ok(messages) => messages.map(|message| message.bytes).collect(),
                    Err(nix::errno::Errno::EAGAIN) => return count,
                    // What an earlier packet met with.
                    Err(_) => continue,
                };
            let now = self.start.elapsed().as_nanos() as u64;
            for (buffer, _) in self.buffers.iter().zip(&lengths).filter(|(_, length)| **length == PACKET) {
                let field =
                    |at: usize| u32::from_be_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]);
                if field(8) as usize == number ^ 1 {
                    count += 1;
                    let sent = u64::from(field(12)) << 32 | u64::from(field(16));
                    self.delays.push(u32::try_from(now - sent).unwrap_or(u32::MAX));
                }
            }
            if !lengths.is_full() {
                return count;
            }
        }
    }

    /// Waits for packets and takes them; `answer` is called for each leg that had some, with their number.
    fn turn(&mut self, timeout: Duration, mut answer: impl FnMut(&mut Self, usize, usize)) -> io::Result<()> {
        let mut events = core::mem::replace(&mut self.events, Events::with_capacity(0));
        self.poll.poll(&mut events, Some(timeout))?;
        for event in &events {
            if event.token() == TIMER {
                // Or it would not go on; an error is that there is nothing to read.
                let _ = self.timer.wait();
                continue;
            }
            let number = event.token().0;
            let count = self.receive(number);
            answer(self, number, count);
        }
        self.events = events;
        Ok(())
    }

    /// Sends `rounds` packets from each leg, one in each interval.
    fn paced(&mut self, rounds: u32) -> io::Result<()> {
        let legs = self.legs.len() as u64;
        // Calls are not in step with each other: the legs' packets are spread evenly over the interval.
        let due: Vec<Duration> = (0..legs).map(|number| INTERVAL.mul_f64(number as f64 / legs as f64)).collect();
        let tick = TimeSpec::from_duration((INTERVAL / legs as u32).max(TICK));
        self.timer.set(Expiration::Interval(tick), TimerSetTimeFlags::empty())?;
        let (begin, first) = (self.start.elapsed(), self.sent);
        loop {
            let now = self.start.elapsed() - begin;
            while self.sent - first < u64::from(rounds) * legs {
                let next = self.sent - first;
                let (round, number) = ((next / legs) as u32, (next % legs) as usize);
                if INTERVAL * round + due[number] > now {
                    break;
                }
                self.send(number, 1);
            }
            if INTERVAL * rounds + GRACE < now {
                self.timer.unset()?;
                return Ok(());
            }
            self.turn(GRACE, |_, _, _| ())?;
        }
    }

    /// Keeps `window` packets of each leg on the way.
    fn full(&mut self, time: Duration, window: usize) -> io::Result<Duration> {
        let begin = self.start.elapsed();
        for number in 0..self.legs.len() {
            self.send(number, window);
        }
        while self.start.elapsed() - begin < time {
            self.turn(GRACE, |load, number, count| {
                if count > 0 {
                    load.send(number ^ 1, count.min(BATCH));
                }
            })?;
        }
        let taken = self.start.elapsed() - begin;
        let last = self.start.elapsed() + GRACE;
        while self.start.elapsed() < last {
            self.turn(Duration::from_millis(20), |_, _, _| ())?;
        }
        Ok(taken)
    }
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let lines = io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    let mut load = Load::new(&lines)?;
    println!("ready");
    load.paced(u32::from(WARM_UP))?;
    load.delays.clear();
    load.sent = 0;
    println!("begin");
    let taken = match words[..] {
        ["paced", seconds] => {
            let seconds: u32 = seconds.parse()?;
            load.paced(seconds * (1000 / INTERVAL.as_millis() as u32))?;
            Duration::from_secs(seconds.into())
        }
        ["full", seconds, window] => load.full(Duration::from_secs(seconds.parse()?), window.parse()?)?,
        _ => return Err("usage: load paced SECONDS | load full SECONDS WINDOW".into()),
    };
    load.delays.sort_unstable();
    let received = load.delays.len();
    let percentile = |hundredths: usize| load.delays.get(received * hundredths / 100).copied().unwrap_or(0);
    let (sent, taken) = (load.sent, taken.as_nanos());
    println!("sent {sent} received {received} nanoseconds {taken} p50 {} p99 {}", percentile(50), percentile(99));
    Ok(())
}
