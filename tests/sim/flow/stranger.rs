//! A stranger on the WAN: scans, guesses, floods and injects. He must get nothing for it.

use crate::net::{Random, Stack};
use crate::streams::Streams;
use crate::world::WAN_ADDRESS;
use core::net::{Ipv4Addr, SocketAddr};
use siproxd::time::{Duration, Instant};
use smoltcp::iface::SocketHandle;

pub const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Stranger {
    pub stack: Stack,
    udp: SocketHandle,
    streams: Streams,
}

impl Stranger {
    pub fn new() -> Self {
        let mut stack = Stack::new(&[STRANGER]);
        let udp = stack.bind(None, 5060);
        Self { stack, udp, streams: Streams::new(5060, CONNECT_TIMEOUT) }
    }

    pub fn turn(&mut self, now: Instant) {
        self.stack.poll(now);
        let _ = self.streams.poll(core::slice::from_mut(&mut self.stack), now);
        self.stack.poll(now);
        self.streams.sweep(core::slice::from_mut(&mut self.stack));
    }

    /// Does a few things, as a seed says.
    pub fn attack(&mut self, seed: u64, now: Instant) {
        let mut random = Random::new(seed);
        let sip = SocketAddr::new(WAN_ADDRESS.into(), 5060);
        for _ in 0..random.between(1, 12) {
            match random.between(0, 5) {
                0 => {
                    let port = 7070 + random.between(0, 20) as u16;
                    let mut packet = vec![0x80, 0, 0, random.next() as u8];
                    packet.resize(40, 0xee);
                    for _ in 0..5 {
                        packet[3] = packet[3].wrapping_add(1);
                        self.stack.send(self.udp, SocketAddr::new(WAN_ADDRESS.into(), port), &packet);
                    }
                }
                1 => {
                    let stacks = core::slice::from_mut(&mut self.stack);
                    if let Some(id) = self.streams.connect(stacks, 0, sip, now) {
                        self.streams.send(stacks, id, message(&mut random).as_bytes(), now);
                    }
                }
                2 => {
                    let junk: Vec<u8> = (0..random.between(0, 200)).map(|_| random.next() as u8).collect();
                    self.stack.send(self.udp, sip, &junk);
                }
                _ => {
                    self.stack.send(self.udp, sip, message(&mut random).as_bytes());
                }
            }
        }
    }
}

fn message(random: &mut Random) -> String {
    let starts = [
        "OPTIONS sip:100@198.51.100.1 SIP/2.0",
        "INVITE sip:0044123@198.51.100.1 SIP/2.0",
        "INVITE sip:alice@198.51.100.1:5060;line=7;sx=aaaaaaaaaaaaaaaaaaaaaaaaaa SIP/2.0",
        "REGISTER sip:198.51.100.1 SIP/2.0",
        "BYE sip:alice@198.51.100.1 SIP/2.0",
        "CANCEL sip:alice@198.51.100.1 SIP/2.0",
        "SIP/2.0 200 OK",
        "SIP/2.0 401 Unauthorized",
        "NONSENSE sip:alice@10.0.0.2 SIP/2.0",
        "OPTIONS sip:100@198.51.100.1 SIP/3.0",
    ];
    let start = starts[random.between(0, starts.len() as u64) as usize];
    let method = start.split(' ').next().unwrap();
    let number = random.next();
    format!(
        "{start}\r\nVia: SIP/2.0/UDP {STRANGER}:5060;branch=z9hG4bK{number:x};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:100@1.1.1.1>;tag={number:x}\r\nTo: <sip:alice@provider.example>\r\nCall-ID: {number:x}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:100@{STRANGER}>\r\nContent-Length: 0\r\n\r\n"
    )
}
