//! RTP load for the benchmark: sends 50 packets a second each way through a relay and counts what arrives.
//!
//! `load SECONDS` reads the legs from standard input, one in each line: `LOCAL_ADDRESS:PORT RELAY_ADDRESS:PORT`, a call's
//! two legs one after the other. What one leg sends must come to the other. Prints `sent N counted N received N`:
//! the first packets of a leg are sent and not counted, so that a relay learns where its peers are.

use core::net::SocketAddr;
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, BufRead};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Instant;

/// 20 ms of G.711 in each packet (RFC 3551 §4.2).
const INTERVAL: Duration = Duration::from_millis(20);
const PACKET: usize = 172;

/// Packets that are late are counted for so long after the last one was sent.
const GRACE: Duration = Duration::from_millis(300);

/// Packets that a leg sends before they count.
const WARM_UP: u16 = 10;

struct Leg {
    socket: UdpSocket,
    relay: SocketAddr,
    packet: [u8; PACKET],
    sequence: u16,
}

impl Leg {
    fn new(number: usize, line: &str) -> Result<Self, Box<dyn core::error::Error>> {
        let (local, relay) = line.split_once(' ').ok_or("two addresses, please")?;
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        let mut packet = [0xd5; PACKET];
        packet[0] = 0x80;
        packet[1] = 8;
        packet[8..12].copy_from_slice(&(number as u32).to_be_bytes());
        Ok(Self { socket, relay: relay.trim().parse()?, packet, sequence: 0 })
    }

    fn send(&mut self) {
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        let _ = self.socket.send_to(&self.packet, self.relay);
    }

    /// Packets of the other leg that have arrived and are counted.
    fn receive(&self, other: usize) -> u64 {
        let mut buffer = [0; 2048];
        let mut count = 0;
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(PACKET) => {
                    let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
                    let whose = u32::from_be_bytes([buffer[8], buffer[9], buffer[10], buffer[11]]);
                    count += u64::from(sequence >= WARM_UP && whose as usize == other);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return count,
                Err(_) => {}
            }
        }
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let seconds = std::env::args().skip(1).find(|word| word != "--bench").ok_or("usage: load SECONDS")?;
    let rounds = seconds.parse::<u16>()? * 50 + WARM_UP;
    let lines = io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    let legs = lines.iter().enumerate().map(|(number, line)| Leg::new(number, line));
    let mut legs = legs.collect::<Result<Vec<_>, _>>()?;
    let mut poll = Poll::new()?;
    for (number, leg) in legs.iter().enumerate() {
        poll.registry().register(&mut SourceFd(&leg.socket.as_raw_fd()), Token(number), Interest::READABLE)?;
    }
    println!("ready");
    let mut events = Events::with_capacity(1024);
    let mut received = 0;
    let start = Instant::now();
    let all = u64::from(rounds) * legs.len() as u64;
    let mut sent = 0;
    // Calls are not in step with each other: the legs' packets are spread evenly over the interval.
    let due = |sent: u64| INTERVAL.mul_f64(sent as f64 / legs.len() as f64);
    let due: Vec<Duration> = (0..legs.len() as u64).map(due).collect();
    let mut finished = None;
    loop {
        let now = start.elapsed();
        while sent < all {
            let (round, number) = (sent / legs.len() as u64, (sent % legs.len() as u64) as usize);
            if INTERVAL * round as u32 + due[number] > now {
                break;
            }
            legs[number].send();
            sent += 1;
        }
        if sent == all {
            match finished {
                None => finished = Some(now),
                Some(end) if now - end > GRACE => break,
                Some(_) => {}
            }
        }
        poll.poll(&mut events, Some(Duration::from_millis(1)))?;
        for event in &events {
            let number = event.token().0;
            received += legs[number].receive(number ^ 1);
        }
    }
    println!("sent {all} counted {} received {received}", all - u64::from(WARM_UP) * legs.len() as u64);
    Ok(())
}
