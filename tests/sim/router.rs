//! The router: the engine behind smoltcp sockets, and a small relay.

use crate::net::Stack;
use core::net::{Ipv4Addr, SocketAddr};
use siproxd::engine::io::{Leg, LegCounters, MediaReport, Prefix, RelayCmd, RelayError, RelayId, SendError};
use siproxd::engine::{Channel, Engine, Input, Settings, Side, Sink};
use siproxd::rtp::Kind;
use siproxd::rtp::latch::{Latch, Verdict};
use siproxd::sip::token::Key;
use siproxd::time::{Duration, Instant};
use smoltcp::iface::SocketHandle;
use std::collections::BTreeMap;

pub const LAN_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const SIP_PORT: u16 = 5060;
/// `rtp_timeout`: a relay without media is reported after this long.
const RTP_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two looks for idle relays.
const SWEEP: Duration = Duration::from_secs(5);

pub struct Router {
    pub engine: Box<Engine>,
    pub edge: Edge,
    sweep_at: Instant,
}

/// The engine's way out.
pub struct Edge {
    pub stacks: [Stack; 2],
    sip: [SocketHandle; 2],
    dns: SocketHandle,
    relays: BTreeMap<usize, Relay>,
    /// Ports that other programs hold.
    taken: Vec<u16>,
    wan: Option<Ipv4Addr>,
    now: Instant,
    /// Relays that had to be closed because nobody hung up.
    pub idle_reports: usize,
    pub violations: Vec<String>,
}

struct Relay {
    id: RelayId,
    sides: [Side; 2],
    ports: [u16; 2],
    /// RTP and RTCP of each leg.
    sockets: [[SocketHandle; 2]; 2],
    latches: [Latch; 2],
    counters: [LegCounters; 2],
    used: Instant,
}

impl Router {
    pub fn new(seed: u64, settings: &Settings, wan: Ipv4Addr, nameserver: SocketAddr, now: Instant) -> Self {
        let mut stacks = [Stack::new(&[LAN_ADDRESS]), Stack::new(&[wan])];
        let sip = [stacks[0].bind(None, SIP_PORT), stacks[1].bind(None, SIP_PORT)];
        let dns = stacks[1].bind(None, 20_053);
        let taken = vec![settings.rtp_port_low + (seed as u16 % 4) * 2];
        let edge = Edge {
            stacks,
            sip,
            dns,
            relays: BTreeMap::new(),
            taken,
            wan: Some(wan),
            now,
            idle_reports: 0,
            violations: Vec::new(),
        };
        let mut router = Self { engine: Box::new(Engine::new()), edge, sweep_at: now };
        router.engine.seed(Key::new([seed as u8; 32]), seed);
        router.engine.configure(settings);
        router.tell_address(Side::Lan, Some(LAN_ADDRESS));
        router.tell_address(Side::Wan, Some(wan));
        router.tell(Input::Nameservers(&[nameserver]));
        router
    }

    /// The WAN interface gets another address, or loses it.
    pub fn set_wan(&mut self, address: Option<Ipv4Addr>) {
        let list: Vec<_> = address.into_iter().collect();
        self.edge.stacks[1].set_addresses(&list);
        self.edge.wan = address;
        self.tell_address(Side::Wan, address);
    }

    fn tell_address(&mut self, side: Side, address: Option<Ipv4Addr>) {
        let addrs: Vec<_> = address.iter().map(|a| Prefix { address: (*a).into(), length: 24 }).collect();
        self.tell(Input::Address { side, addrs: &addrs });
    }

    fn tell(&mut self, input: Input<'_>) {
        let now = self.edge.now;
        self.engine.handle(input, now, &mut self.edge);
    }

    pub fn turn(&mut self, now: Instant) {
        self.edge.now = now;
        self.edge.stacks.iter_mut().for_each(|stack| stack.poll(now));
        for side in [Side::Lan, Side::Wan] {
            let socket = self.edge.sip[side as usize];
            while let Some((mut bytes, from)) = self.edge.stacks[side as usize].receive(socket) {
                self.tell(Input::Datagram { on: Channel::on(side), interface: side, from, bytes: &mut bytes });
            }
        }
        while let Some((bytes, from)) = self.edge.stacks[1].receive(self.edge.dns) {
            self.tell(Input::Dns { from, bytes: &bytes });
        }
        self.edge.relay_media();
        if self.engine.next_timeout().is_some_and(|at| at <= now) {
            self.tell(Input::Timeout);
            if self.engine.next_timeout().is_some_and(|at| at <= now) {
                self.edge.violations.push("a timeout is due again at once".to_owned());
            }
        }
        if self.sweep_at <= now {
            self.sweep_at = now.after(SWEEP);
            for id in self.edge.idle_relays() {
                self.edge.idle_reports += 1;
                self.tell(Input::Media(MediaReport::Idle(id)));
            }
        }
        self.edge.stacks.iter_mut().for_each(|stack| stack.poll(now));
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let sweep = (!self.edge.relays.is_empty()).then_some(self.sweep_at);
        [self.engine.next_timeout(), sweep].into_iter().flatten().min()
    }

    /// What must be so when all calls are over and all bindings have expired.
    pub fn check_is_empty(&mut self) {
        let usage = self.engine.usage();
        if usage != Default::default() {
            self.edge.violations.push(format!("the engine still holds {usage:?}"));
        }
        let sockets = self.edge.stacks.iter().map(Stack::socket_count).sum::<usize>();
        if !self.edge.relays.is_empty() || sockets != 3 {
            self.edge.violations.push(format!("{} relays and {sockets} sockets are open", self.edge.relays.len()));
        }
    }
}

impl Edge {
    fn is_taken(&self, side: Side, port: u16) -> bool {
        let used = |relay: &Relay| relay.sides.iter().zip(relay.ports).any(|leg| leg == (&side, port));
        self.taken.contains(&port) || self.relays.values().any(used)
    }

    fn idle_relays(&self) -> Vec<RelayId> {
        self.relays.values().filter(|r| self.now.since(r.used) >= RTP_TIMEOUT).map(|r| r.id).collect()
    }

    fn relay_media(&mut self) {
        let Self { relays, stacks, now, .. } = self;
        for relay in relays.values_mut() {
            for leg in [Leg::Caller, Leg::Callee] {
                for (channel, socket) in relay.sockets[leg as usize].into_iter().enumerate() {
                    while let Some((bytes, from)) = stacks[relay.sides[leg as usize] as usize].receive(socket) {
                        relay.pass(leg, channel == 1, from, &bytes, *now, stacks);
                    }
                }
            }
        }
    }
}

impl Relay {
    fn pass(&mut self, leg: Leg, rtcp: bool, from: SocketAddr, bytes: &[u8], now: Instant, stacks: &mut [Stack; 2]) {
        let other = leg.other() as usize;
        let latch = &mut self.latches[leg as usize];
        let verdict = if rtcp { latch.rtcp(from) } else { latch.rtp(from, Kind::of(bytes)) };
        let counters = &mut self.counters[leg as usize];
        match verdict {
            Verdict::Accept => {
                counters.packets += 1;
                counters.bytes += bytes.len() as u64;
                self.used = now;
                let latch = &self.latches[other];
                let to = if rtcp { latch.rtcp_destination() } else { latch.rtp_destination() };
                if let Some(to) = to {
                    stacks[self.sides[other] as usize].send(self.sockets[other][usize::from(rtcp)], to, bytes);
                }
            }
            Verdict::Stranger => counters.strangers += 1,
            Verdict::Unproven => {}
        }
    }
}

impl Sink for Edge {
    fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        if via.local == Side::Wan && self.wan.is_none() {
            return Err(SendError::NoAddress);
        }
        let side = via.local as usize;
        if self.stacks[side].send(self.sip[side], to, &parts.concat()) { Ok(()) } else { Err(SendError::Busy) }
    }

    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        match cmd {
            RelayCmd::Open { relay: id, sides, ports } => {
                if self.relays.contains_key(&id.index()) {
                    self.violations.push(format!("{id:?} is opened twice"));
                }
                if self.wan.is_none() && sides.contains(&Side::Wan) {
                    return Err(RelayError::NoAddress(Side::Wan));
                }
                for leg in [Leg::Caller, Leg::Callee] {
                    if self.is_taken(sides[leg as usize], ports[leg as usize]) {
                        return Err(RelayError::PortTaken(leg));
                    }
                }
                let sockets = [0, 1].map(|leg| {
                    let stack: &mut Stack = &mut self.stacks[sides[leg] as usize];
                    [stack.bind(None, ports[leg]), stack.bind(None, ports[leg] + 1)]
                });
                let relay = Relay {
                    id,
                    sides,
                    ports,
                    sockets,
                    latches: [Latch::new(); 2],
                    counters: Default::default(),
                    used: self.now,
                };
                self.relays.insert(id.index(), relay);
                Ok(Default::default())
            }
            RelayCmd::Retarget { relay: id, leg, peer } => {
                match self.relays.get_mut(&id.index()).filter(|relay| relay.id == id) {
                    Some(relay) => relay.latches[leg as usize].announce(&peer),
                    None => self.violations.push(format!("{id:?} is aimed and not open")),
                }
                Ok(Default::default())
            }
            RelayCmd::Close { relay: id } => {
                let Some(relay) = self.relays.remove(&id.index()).filter(|relay| relay.id == id) else {
                    self.violations.push(format!("{id:?} is closed and not open"));
                    return Ok(Default::default());
                };
                for (side, sockets) in relay.sides.into_iter().zip(relay.sockets) {
                    sockets.into_iter().for_each(|socket| self.stacks[side as usize].close(socket));
                }
                Ok(relay.counters)
            }
        }
    }

    fn query(&mut self, server: SocketAddr, bytes: &[u8]) {
        self.stacks[1].send(self.dns, server, bytes);
    }
}
