//! The router: the engine behind smoltcp sockets, and a small relay.

use crate::net::Stack;
use crate::streams::{Event, Streams};
use core::net::{Ipv4Addr, SocketAddr};
use siproxd::engine::io::{Leg, LegCounters, MediaReport, Prefix, RelayCmd, RelayError, RelayId, SendError};
use siproxd::engine::{Channel, ConnEvent, ConnId, Engine, Input, Settings, Side, Sink};
use siproxd::limits::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE, MAX_TRANSACTIONS};
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

/// `tcp_timeout`, shorter than by default.
const TCP_TIMEOUT: Duration = Duration::from_secs(60);
/// `tcp_connect_timeout`.
const TCP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Router {
    pub engine: Box<Engine>,
    pub edge: Edge,
    settings: Settings,
    nameserver: SocketAddr,
    seed: u64,
    sweep_at: Instant,
    /// How far its clock is ahead of the world's, in milliseconds: it was asleep, or its clock leapt.
    skew: u64,
}

/// The engine's way out.
pub struct Edge {
    pub stacks: [Stack; 2],
    sip: [SocketHandle; 2],
    dns: SocketHandle,
    streams: Streams,
    /// What the engine was not told yet.
    lost: Vec<(ConnId, ConnEvent)>,
    relays: BTreeMap<usize, Relay>,
    /// Relays opened and closed since the start.
    counts: [usize; 2],
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
        let mut streams = Streams::new(SIP_PORT, TCP_CONNECT_TIMEOUT);
        streams.set_listening(&mut stacks, true);
        let taken = vec![settings.rtp_port_low + (seed as u16 % 4) * 2];
        let edge = Edge {
            stacks,
            sip,
            dns,
            streams,
            lost: Vec::new(),
            relays: BTreeMap::new(),
            counts: [0; 2],
            taken,
            wan: Some(wan),
            now,
            idle_reports: 0,
            violations: Vec::new(),
        };
        let (engine, settings) = (Box::new(Engine::new()), settings.clone());
        let mut router = Self { engine, edge, settings, nameserver, seed, sweep_at: now, skew: 0 };
        router.start();
        router
    }

    fn start(&mut self) {
        self.engine.seed(Key::new([self.seed as u8; 32]), self.seed);
        self.engine.configure(&self.settings);
        self.tell_address(Side::Lan, Some(LAN_ADDRESS));
        self.tell_address(Side::Wan, self.edge.wan);
        self.tell(Input::Nameservers(&[self.nameserver]));
    }

    /// The program ends, without a word to anybody, and starts again with its key, its bindings and its calls.
    pub fn restart(&mut self) {
        // Seconds of the wall clock; the engine's clock goes on as after a quick restart.
        const UNIX_NOW: u64 = 1_700_000_000;
        let mut saved = String::new();
        self.engine.save(self.edge.now, UNIX_NOW, &mut saved).unwrap();
        let Edge { stacks, streams, relays, .. } = &mut self.edge;
        streams.ids().into_iter().for_each(|id| streams.abort(stacks, id));
        for relay in core::mem::take(relays).into_values() {
            relay.close(stacks);
        }
        self.edge.lost.clear();
        self.edge.counts = [0; 2];
        *self.engine = Engine::new();
        self.seed += 1 << 32;
        self.start();
        for line in saved.lines() {
            if let Err(error) = self.engine.restore(line, self.edge.now, UNIX_NOW, &mut self.edge) {
                self.edge.violations.push(format!("{error:?} for the saved line {line}"));
            }
        }
    }

    /// It is so late now, for what is done to the router from outside.
    pub fn set_now(&mut self, now: Instant) {
        self.edge.now = Instant::from_millis(now.as_millis() + self.skew);
    }

    /// Whether no relay and no connection is left.
    pub fn is_quiet(&self) -> bool {
        self.edge.relays.is_empty() && self.edge.streams.len() + self.edge.streams.ending() == 0
    }

    /// The router's clock leaps: everything that was to happen meanwhile is due at once.
    pub fn leap(&mut self, secs: u32) {
        self.skew += u64::from(secs) * 1000;
    }

    /// Breaks every connection of one side, as a firewall does that has lost its state.
    pub fn break_connections(&mut self, side: Side) {
        let Edge { stacks, streams, lost, .. } = &mut self.edge;
        for id in streams.ids() {
            if streams.place(id) == Some(side as usize) {
                streams.abort(stacks, id);
                lost.push((id, ConnEvent::Closed));
            }
        }
    }

    /// The WAN interface gets another address, or loses it.
    pub fn set_wan(&mut self, address: Option<Ipv4Addr>) {
        let list: Vec<_> = address.into_iter().collect();
        self.edge.stacks[1].set_addresses(&list);
        self.edge.wan = address;
        self.break_connections(Side::Wan);
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
        self.set_now(now);
        let clock = self.edge.now;
        self.edge.stacks.iter_mut().for_each(|stack| stack.poll(now));
        for side in [Side::Lan, Side::Wan] {
            let socket = self.edge.sip[side as usize];
            while let Some((mut bytes, from)) = self.edge.stacks[side as usize].receive(socket) {
                self.tell(Input::Datagram {
                    on: Channel::on(side),
                    interface: side,
                    from,
                    meant_for: None,
                    bytes: &mut bytes,
                });
            }
        }
        self.connections();
        while let Some((bytes, from)) = self.edge.stacks[1].receive(self.edge.dns) {
            self.tell(Input::Dns { from, bytes: &bytes });
        }
        self.edge.relay_media();
        if self.engine.next_timeout().is_some_and(|at| at <= clock) {
            self.tell(Input::Timeout);
            if self.engine.next_timeout().is_some_and(|at| at <= clock) {
                self.edge.violations.push("a timeout is due again at once".to_owned());
            }
        }
        if self.sweep_at <= clock {
            self.sweep_at = clock.after(SWEEP);
            for id in self.edge.idle_relays() {
                self.tell(Input::Media(MediaReport::Idle(id)));
                match self.edge.relays.get_mut(&id.index()) {
                    // It rings still: the engine keeps it.
                    Some(relay) => relay.used = clock,
                    None => self.edge.idle_reports += 1,
                }
            }
        }
        self.tell_lost();
        self.edge.stacks.iter_mut().for_each(|stack| stack.poll(now));
        let Edge { stacks, streams, .. } = &mut self.edge;
        streams.sweep(stacks);
        self.check_limits();
    }

    /// What happened to connections, and what came over them.
    fn connections(&mut self) {
        self.tell_lost();
        let (clock, Edge { stacks, streams, .. }) = (self.edge.now, &mut self.edge);
        for (conn, event) in streams.poll(stacks, clock) {
            self.tell_lost();
            let event = match event {
                Event::Message(mut bytes) => {
                    self.tell(Input::Stream { conn, bytes: &mut bytes });
                    continue;
                }
                Event::Accepted(place, from) => {
                    let side = if place == 0 { Side::Lan } else { Side::Wan };
                    self.edge.make_room(MAX_CONNECTIONS_OF_ONE, |peer| peer.ip() == from.ip());
                    self.tell_lost();
                    let event = ConnEvent::Accepted { local: side, interface: side, from, meant_for: None };
                    self.tell(Input::Conn { conn, event });
                    self.edge.make_room(MAX_CONNECTIONS, |_| true);
                    continue;
                }
                Event::Opened => ConnEvent::Opened,
                Event::Failed => ConnEvent::Failed,
                Event::Closed => ConnEvent::Closed,
            };
            self.tell(Input::Conn { conn, event });
        }
        for conn in self.edge.streams.idle(TCP_TIMEOUT, clock) {
            if self.engine.is_in_use(conn) {
                self.edge.streams.touch(conn, clock);
            } else {
                self.edge.lose(conn);
            }
        }
        self.tell_lost();
    }

    fn tell_lost(&mut self) {
        while !self.edge.lost.is_empty() {
            let (conn, event) = self.edge.lost.remove(0);
            self.tell(Input::Conn { conn, event });
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let sweep = (!self.edge.relays.is_empty()).then_some(self.sweep_at);
        let own = [self.engine.next_timeout(), sweep, self.edge.streams.next_timeout(Some(TCP_TIMEOUT))];
        let own = own.into_iter().flatten().min();
        let own = own.map(|at| Instant::from_millis(at.as_millis().saturating_sub(self.skew)));
        let stacks = self.edge.stacks.iter().filter_map(Stack::next_timeout);
        stacks.chain(own).min()
    }

    /// What must be so at every moment: each table is within its limit, and the engine knows what the edge has.
    fn check_limits(&mut self) {
        let (usage, settings) = (self.engine.usage(), &self.settings);
        let ports = usize::from(settings.rtp_port_high - settings.rtp_port_low) / 2 + 1;
        let edge = &mut self.edge;
        let connections = edge.streams.len();
        let is_within = usage.bindings <= settings.max_bindings
            && usage.calls <= settings.max_calls
            && usage.relays <= ports
            && usage.transactions <= MAX_TRANSACTIONS
            && usage.connections <= MAX_CONNECTIONS;
        let agrees = usage.relays == edge.relays.len() && usage.connections == connections;
        let balance = edge.counts[0].checked_sub(edge.counts[1]) == Some(edge.relays.len());
        if !(is_within && agrees && balance) && edge.violations.len() < 10 {
            let (now, relays) = (edge.now.as_millis(), edge.relays.len());
            edge.violations
                .push(format!("at {now}: {usage:?}; {connections} connections, {relays} relays, {:?}", edge.counts));
        }
    }

    /// What must be so when all calls are over and all bindings have expired.
    pub fn check_is_empty(&mut self) {
        let usage = self.engine.usage();
        if usage != Default::default() {
            self.edge.violations.push(format!("the engine still holds {usage:?}"));
        }
        let ports = self.engine.ports_in_use();
        if ports > 0 {
            self.edge.violations.push(format!("{ports} RTP ports were not given back"));
        }
        let sockets = self.edge.stacks.iter().map(Stack::socket_count).sum::<usize>();
        let streams = &self.edge.streams;
        if !self.edge.relays.is_empty() || sockets != 3 + streams.listening() || streams.len() + streams.ending() > 0 {
            let (relays, open, ending) = (self.edge.relays.len(), streams.len(), streams.ending());
            let what = format!("{relays} relays, {sockets} sockets, {open} connections and {ending} ending are open");
            self.edge.violations.push(what);
        }
    }
}

impl Edge {
    /// Closes the connection that was idle longest of too many.
    fn make_room(&mut self, most: usize, is_one: impl Fn(SocketAddr) -> bool) {
        let peers = self.streams.ids().into_iter().filter(|id| self.streams.peer(*id).is_some_and(&is_one));
        if peers.count() > most
            && let Some(oldest) = self.streams.oldest(is_one)
        {
            self.lose(oldest);
        }
    }

    fn lose(&mut self, conn: ConnId) {
        self.streams.close(&mut self.stacks, conn);
        self.lost.push((conn, ConnEvent::Closed));
    }

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
    fn close(&self, stacks: &mut [Stack; 2]) {
        for (side, sockets) in self.sides.into_iter().zip(self.sockets) {
            sockets.into_iter().for_each(|socket| stacks[side as usize].close(socket));
        }
    }

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
        if let Some(conn) = via.conn {
            let is_sent = self.streams.send(&mut self.stacks, conn, &parts.concat(), self.now);
            return if is_sent { Ok(()) } else { Err(SendError::Closed) };
        }
        let side = via.local as usize;
        if self.stacks[side].send(self.sip[side], to, &parts.concat()) { Ok(()) } else { Err(SendError::Busy) }
    }

    fn connect(&mut self, side: Side, to: SocketAddr) -> Result<ConnId, SendError> {
        if side == Side::Wan && self.wan.is_none() {
            return Err(SendError::NoAddress);
        }
        self.make_room(MAX_CONNECTIONS - 1, |_| true);
        self.streams.connect(&mut self.stacks, side as usize, to, self.now).ok_or(SendError::Unreachable)
    }

    fn disconnect(&mut self, conn: ConnId) {
        self.streams.close(&mut self.stacks, conn);
    }

    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        match cmd {
            RelayCmd::Open { relay: id, sides, ports, .. } => {
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
                    latches: [Latch::default(); 2],
                    counters: Default::default(),
                    used: self.now,
                };
                self.relays.insert(id.index(), relay);
                self.counts[0] += 1;
                Ok(Default::default())
            }
            // All of this network is IPv4.
            RelayCmd::AddFamily { leg, .. } => {
                let side = self.relays.values().next().map_or(Side::Wan, |relay| relay.sides[leg as usize]);
                Err(RelayError::NoAddress(side))
            }
            RelayCmd::Retarget { relay: id, leg, peer } => {
                match self.relays.get_mut(&id.index()).filter(|relay| relay.id == id) {
                    Some(relay) => relay.latches[leg as usize].announce(&peer),
                    None => self.violations.push(format!("{id:?} is aimed and not open")),
                }
                Ok(Default::default())
            }
            RelayCmd::Count { relay: id } => match self.relays.get(&id.index()).filter(|relay| relay.id == id) {
                Some(relay) => Ok(relay.counters),
                None => {
                    self.violations.push(format!("{id:?} is counted and not open"));
                    Ok(Default::default())
                }
            },
            RelayCmd::Close { relay: id } => {
                let Some(relay) = self.relays.remove(&id.index()).filter(|relay| relay.id == id) else {
                    self.violations.push(format!("{id:?} is closed and not open"));
                    return Ok(Default::default());
                };
                self.counts[1] += 1;
                relay.close(&mut self.stacks);
                Ok(relay.counters)
            }
        }
    }

    fn query(&mut self, server: SocketAddr, bytes: &[u8]) {
        self.stacks[1].send(self.dns, server, bytes);
    }
}
