//! The world of a flow: three phones, the router, the provider, a nameserver and a stranger, the links between them and what goes
//! wrong with those, and a clock that jumps from event to event.

use super::account::Account;
use super::draw::{Draw, PHONES, Provider, USERS, Who};
use super::nat::Nat;
use super::party::Party;
use super::stranger::{STRANGER, Stranger};
use crate::nameserver::Nameserver;
use crate::net::{self, Random, Seen, Stack};
use crate::router::{LAN_ADDRESS, Router, SIP_PORT};
use crate::world::{MEDIA_SERVER, NAMESERVER, PROVIDER};
use core::cmp::Reverse;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use siproxd::time::Instant;
use std::collections::{BTreeSet, BinaryHeap};
use std::rc::Rc;

pub use crate::world::WAN_ADDRESS;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    Router,
    Phone(usize),
    Provider,
    Nameserver,
    Stranger,
}

const HOSTS: [Host; 4 + PHONES] =
    [Host::Router, Host::Phone(0), Host::Phone(1), Host::Phone(2), Host::Provider, Host::Nameserver, Host::Stranger];

impl Host {
    const fn is_on(self, side: usize) -> bool {
        match self {
            Self::Router => true,
            Self::Phone(_) => side == 0,
            Self::Provider | Self::Nameserver | Self::Stranger => side == 1,
        }
    }
}

/// Steps in one moment, after which nothing will ever come of it.
const STUCK: usize = 1000;

/// A packet on its way, ordered by arrival; the number keeps the order of equals.
type Packet = (Instant, u64, Host, usize, Vec<u8>);

pub struct World {
    pub now: Instant,
    pub draw: Rc<Draw>,
    random: Random,
    packets: BinaryHeap<Reverse<Packet>>,
    sent: u64,
    pub router: Router,
    pub phones: Vec<Party>,
    pub provider: Party,
    pub nameserver: Nameserver,
    pub stranger: Stranger,
    nat: Option<Nat>,
    /// Until when nothing passes on the WAN, and to and from each phone.
    pub wan_dark_until: Instant,
    pub phones_dark_until: [Instant; PHONES],
    pub violations: Vec<String>,
    /// Time stands still: nothing more is played.
    is_stuck: bool,
    is_verbose: bool,
}

impl World {
    pub fn new(draw: Draw) -> Self {
        let draw = Rc::new(draw);
        let now = Instant::from_millis(1_000_000);
        let nat = draw.is_behind_nat.then(Nat::new);
        let wan = nat.as_ref().map_or(WAN_ADDRESS, |nat| nat.inside);
        let nameserver_at = SocketAddr::new(NAMESERVER.into(), 53);
        let router = Router::new(draw.seed, &draw.settings(), wan, nameserver_at, now);
        let phones = (0..PHONES).map(|number| phone(&draw, number, now)).collect();
        let mut provider = Party::new(Who::Provider, "bob", PROVIDER, MEDIA_SERVER, &draw, now);
        provider.registrar = Some(Default::default());
        provider.is_tcp = draw.provider != Provider::Udp;
        provider.set_listening(provider.is_tcp);
        provider.expects_answers = draw.is_clean();
        Self {
            now,
            random: Random::new(draw.seed),
            draw,
            packets: BinaryHeap::new(),
            sent: 0,
            router,
            phones,
            provider,
            nameserver: Nameserver::new(NAMESERVER, PROVIDER),
            stranger: Stranger::new(),
            nat,
            wan_dark_until: Instant::ZERO,
            phones_dark_until: [Instant::ZERO; PHONES],
            violations: Vec::new(),
            is_stuck: false,
            is_verbose: std::env::var_os("SIM_SEED").is_some(),
        }
    }

    pub fn party(&mut self, who: Who) -> &mut Party {
        match who {
            Who::Phone(number) => &mut self.phones[number],
            Who::Provider => &mut self.provider,
        }
    }

    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        self.phones.iter().chain([&self.provider])
    }

    pub fn parties_mut(&mut self) -> impl Iterator<Item = &mut Party> {
        self.phones.iter_mut().chain([&mut self.provider])
    }

    /// The router gets another WAN address, or loses it.
    pub fn set_wan(&mut self, outside: Option<Ipv4Addr>) {
        match &mut self.nat {
            // The router behind a NAT is told nothing; its address is a setting.
            Some(_) => {}
            None => self.router.set_wan(outside),
        }
    }

    /// Runs until `is_done`, at most `millis` milliseconds; whether it was.
    pub fn run(&mut self, millis: u64, is_done: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::from_millis(self.now.as_millis() + millis);
        // Whatever was done from outside takes effect.
        HOSTS.into_iter().for_each(|host| self.turn(host));
        let mut steps = 0;
        while !is_done(self) {
            let Some(next) = self.next_event().filter(|at| *at <= end && !self.is_stuck) else {
                self.now = end;
                return is_done(self);
            };
            let is_stuck = next <= self.now;
            self.now = self.now.max(next);
            self.step();
            steps = if is_stuck { steps + 1 } else { 0 };
            if steps > STUCK {
                self.violations.push(format!("time stands still at {}", self.now.as_millis()));
                self.is_stuck = true;
            }
        }
        true
    }

    fn next_event(&self) -> Option<Instant> {
        let packet = self.packets.peek().map(|Reverse(packet)| packet.0);
        HOSTS.into_iter().map(|host| self.next_timeout(host)).chain([packet]).flatten().min()
    }

    fn next_timeout(&self, host: Host) -> Option<Instant> {
        match host {
            Host::Router => self.router.next_timeout(),
            Host::Phone(number) => self.phones[number].next_timeout(),
            Host::Provider => self.provider.next_timeout(),
            Host::Nameserver | Host::Stranger => None,
        }
    }

    /// Delivers what has arrived and lets every host act whose time has come.
    fn step(&mut self) {
        let now = self.now;
        let is_due = |host: &Host| self.next_timeout(*host).is_some_and(|at| at <= now);
        let mut hosts: BTreeSet<Host> = HOSTS.into_iter().filter(is_due).collect();
        while self.packets.peek().is_some_and(|Reverse(packet)| packet.0 <= now) {
            let Some(Reverse((_, _, host, side, packet))) = self.packets.pop() else { break };
            self.show(host, side, &packet);
            self.stack(host, side).arrive(packet);
            hosts.insert(host);
        }
        hosts.into_iter().for_each(|host| self.turn(host));
    }

    fn stack(&mut self, host: Host, side: usize) -> &mut Stack {
        match host {
            Host::Router => &mut self.router.edge.stacks[side],
            Host::Phone(number) => &mut self.phones[number].stack,
            Host::Provider => &mut self.provider.stack,
            Host::Nameserver => &mut self.nameserver.stack,
            Host::Stranger => &mut self.stranger.stack,
        }
    }

    fn turn(&mut self, host: Host) {
        let now = self.now;
        match host {
            Host::Router => self.router.turn(now),
            Host::Phone(number) => self.phones[number].turn(now),
            Host::Provider => self.provider.turn(now),
            Host::Nameserver => self.nameserver.turn(now),
            Host::Stranger => self.stranger.turn(now),
        }
        for side in [0, 1].into_iter().filter(|side| host.is_on(*side)) {
            for packet in self.stack(host, side).take_packets() {
                self.send(host, side, packet);
            }
        }
    }

    fn is_dark(&self, host: Host, side: usize) -> bool {
        match host {
            Host::Phone(number) => self.now < self.phones_dark_until[number],
            _ => side == 1 && self.now < self.wan_dark_until,
        }
    }

    /// Puts a packet on a link.
    fn send(&mut self, from: Host, side: usize, mut packet: Vec<u8>) {
        if let Some(nat) = self.nat.as_mut().filter(|_| side == 1) {
            let now = self.now;
            let leaves = from != Host::Router || nat.out(&mut packet, now);
            if !leaves || !nat.into(&mut packet, now) {
                return;
            }
        }
        self.look_at(from, side, &packet);
        let Some(to) = net::destination(&packet) else { return };
        if from == Host::Router && self.stack(Host::Router, side).has_address(to) {
            // Two parties behind one router: it is on both ends.
            self.sent += 1;
            return self.packets.push(Reverse((self.now, self.sent, Host::Router, side, packet)));
        }
        let is_receiver = |world: &mut Self, host: &Host| {
            host.is_on(side) && *host != from && world.stack(*host, side).has_address(to)
        };
        let Some(receiver) = HOSTS.into_iter().find(|host| is_receiver(self, host)) else { return };
        if self.is_dark(from, side) || self.is_dark(receiver, side) {
            return;
        }
        for at in self.draw.links[side].arrivals(self.now, &mut self.random) {
            self.sent += 1;
            self.packets.push(Reverse((at, self.sent, receiver, side, packet.clone())));
        }
    }

    /// What every packet that leaves the router on the WAN is looked at for: no private address, and nothing for a stranger.
    fn look_at(&mut self, from: Host, side: usize, packet: &[u8]) {
        let Some(seen) = net::seen(packet).filter(|_| from == Host::Router && side == 1) else { return };
        let mut wrong = |what: &str| {
            let text = String::from_utf8_lossy(seen.payload);
            self.violations.push(format!("{what} at {}: {} {}\n{text}", self.now.as_millis(), seen.from, seen.to));
        };
        let IpAddr::V4(to) = seen.to.ip() else { return };
        if to.is_private() {
            wrong("a packet for a private address leaves");
        }
        if to == STRANGER && !seen.payload.is_empty() {
            wrong("a stranger gets an answer");
        }
        let is_signalling = seen.from.port() == SIP_PORT || seen.to.port() == SIP_PORT;
        if is_signalling && PRIVATE.iter().any(|part| seen.payload.windows(part.len()).any(|w| w == *part)) {
            wrong("a private address leaves");
        }
    }

    /// Shows a message that arrives, when a seed is replayed.
    fn show(&self, to: Host, side: usize, packet: &[u8]) {
        let Some(Seen { is_udp, from, to: port, payload, .. }) = net::seen(packet).filter(|_| self.is_verbose) else {
            return;
        };
        let is_signalling = from.port() == SIP_PORT || port.port() == SIP_PORT;
        if is_signalling && !payload.is_empty() {
            let (network, kind) = (["LAN", "WAN"][side], if is_udp { "UDP" } else { "TCP" });
            println!(
                "-- {} {network} {kind} {from} to {to:?}\n{}",
                self.now.as_millis(),
                String::from_utf8_lossy(payload)
            );
        }
    }
}

/// The beginnings of all private addresses there are.
const PRIVATE: [&[u8]; 2] = [b"10.0.0.", b"100.64."];

fn phone(draw: &Rc<Draw>, number: usize, now: Instant) -> Party {
    let address = Ipv4Addr::new(10, 0, 0, 2 + number as u8);
    let mut phone = Party::new(Who::Phone(number), USERS[number], address, address, draw, now);
    phone.proxy = Some(SocketAddr::new(LAN_ADDRESS.into(), SIP_PORT));
    phone.is_tcp = draw.phones_tcp[number];
    phone.set_listening(phone.is_tcp);
    phone.expects_answers = draw.links[0].loss == 0 && draw.faults.iter().all(|(_, fault)| fault.spares_phones());
    let uri =
        if draw.provider == Provider::Tcp { "sip:provider.example;transport=tcp" } else { "sip:provider.example" };
    for (domain, uri) in [("provider.example", uri), ("10.0.0.1", "sip:10.0.0.1")] {
        let call_id = format!("{:x}@{address}", phone.random.next());
        phone.accounts.push(Account::new(domain, uri, call_id, now));
    }
    phone
}
