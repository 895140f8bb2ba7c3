//! The world of a simulation: two phones, the router, the provider, a nameserver, and a clock that jumps from event to event.

use crate::agent::Agent;
use crate::call::{End, Outcome, Plan};
use crate::nameserver::Nameserver;
use crate::net::{self, Link, Random};
use crate::router::{LAN_ADDRESS, Router, SIP_PORT};
use core::cmp::Reverse;
use core::net::{Ipv4Addr, SocketAddr};
use siproxd::engine::Settings;
use siproxd::time::Instant;
use std::collections::BinaryHeap;

pub const WAN_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub const PROVIDER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub const MEDIA_SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
pub const NAMESERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// How often a person dials again.
const MAX_DIALS: usize = 5;

/// A host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    Router,
    Phone(usize),
    Provider,
    Nameserver,
}

/// A packet on its way, ordered by arrival; the number keeps the order of equals.
type Packet = (Instant, u64, Host, usize, Vec<u8>);

pub struct World {
    pub now: Instant,
    pub random: Random,
    /// The LAN and the WAN.
    links: [Link; 2],
    packets: BinaryHeap<Reverse<Packet>>,
    sent: u64,
    pub router: Router,
    pub phones: [Agent; 2],
    pub provider: Agent,
    nameserver: Nameserver,
    /// What was seen on the wire that must not be.
    violations: Vec<String>,
    is_verbose: bool,
}

/// Who calls: a phone the provider's user, or he a phone.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    pub number: usize,
    pub phone: usize,
    pub is_outgoing: bool,
}

impl World {
    /// A world in which the WAN loses `loss` per cent, and the LAN a fifth of that.
    pub fn new(seed: u64, loss: u64, plans: &[Plan]) -> Self {
        let now = Instant::from_millis(1_000_000);
        let mut random = Random::new(seed);
        let is_bad = u64::from(loss > 0);
        let links = [
            Link { latency: 1, jitter: 5 * is_bad, loss: loss / 5, duplication: 2 * is_bad },
            Link { latency: 15, jitter: 120 * is_bad, loss, duplication: 5 * is_bad },
        ];
        let nameserver_at = SocketAddr::new(NAMESERVER.into(), 53);
        let router = Router::new(seed, &Settings::default(), WAN_ADDRESS, nameserver_at, now);
        let proxy = SocketAddr::new(LAN_ADDRESS.into(), SIP_PORT);
        let mut part = || Random::new(random.next());
        let mut phone = |user: &str, last| {
            let address = Ipv4Addr::new(10, 0, 0, last);
            Agent::phone(user, address, proxy, plans, part(), now)
        };
        let phones = [phone("alice", 2), phone("carol", 3)];
        let provider = Agent::provider("bob", PROVIDER, MEDIA_SERVER, plans, Random::new(random.next()), now);
        Self {
            now,
            random,
            links,
            packets: BinaryHeap::new(),
            sent: 0,
            router,
            phones,
            provider,
            nameserver: Nameserver::new(NAMESERVER, PROVIDER),
            violations: Vec::new(),
            is_verbose: std::env::var_os("SIM_SEED").is_some(),
        }
    }

    pub fn set_nameserver_silent(&mut self, is_silent: bool) {
        self.nameserver.is_silent = is_silent;
    }

    /// Lets `secs` seconds pass.
    pub fn wait(&mut self, secs: u32) {
        self.run(secs, |_| false);
    }

    /// Runs until `is_done`, at most `secs` seconds; whether it was.
    pub fn run(&mut self, secs: u32, is_done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now.after_secs(secs);
        // Whatever was scripted since takes effect.
        for host in [Host::Router, Host::Phone(0), Host::Phone(1), Host::Provider, Host::Nameserver] {
            self.turn(host);
        }
        while !is_done(self) {
            let next = self.next_event().filter(|at| *at <= end);
            let Some(next) = next else {
                self.now = end;
                return is_done(self);
            };
            self.now = self.now.max(next);
            self.step();
        }
        true
    }

    fn next_event(&self) -> Option<Instant> {
        let agents = self.phones.iter().chain([&self.provider]).map(Agent::next_timeout);
        let packet = self.packets.peek().map(|Reverse(packet)| packet.0);
        agents.chain([packet, self.router.next_timeout()]).flatten().min()
    }

    /// Delivers what has arrived and lets every host act whose time has come.
    fn step(&mut self) {
        let mut hosts = std::collections::BTreeSet::new();
        while self.packets.peek().is_some_and(|Reverse(packet)| packet.0 <= self.now) {
            let Some(Reverse((_, _, host, side, packet))) = self.packets.pop() else { break };
            self.stack(host, side).arrive(packet);
            hosts.insert(host);
        }
        let now = self.now;
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for (number, phone) in self.phones.iter().enumerate() {
            if is_due(phone.next_timeout()) {
                hosts.insert(Host::Phone(number));
            }
        }
        if is_due(self.provider.next_timeout()) {
            hosts.insert(Host::Provider);
        }
        if is_due(self.router.next_timeout()) {
            hosts.insert(Host::Router);
        }
        for host in hosts {
            self.turn(host);
        }
    }

    fn stack(&mut self, host: Host, side: usize) -> &mut net::Stack {
        match host {
            Host::Router => &mut self.router.edge.stacks[side],
            Host::Phone(number) => &mut self.phones[number].stack,
            Host::Provider => &mut self.provider.stack,
            Host::Nameserver => &mut self.nameserver.stack,
        }
    }

    fn turn(&mut self, host: Host) {
        let now = self.now;
        match host {
            Host::Router => self.router.turn(now),
            Host::Phone(number) => self.phones[number].turn(now),
            Host::Provider => self.provider.turn(now),
            Host::Nameserver => self.nameserver.turn(now),
        }
        let sides: &[usize] = match host {
            Host::Router => &[0, 1],
            Host::Phone(_) => &[0],
            Host::Provider | Host::Nameserver => &[1],
        };
        for side in sides {
            for packet in self.stack(host, *side).take_packets() {
                self.send(host, *side, packet);
            }
        }
    }

    /// Puts a packet on a link.
    fn send(&mut self, from: Host, side: usize, packet: Vec<u8>) {
        self.look_at(from, side, &packet);
        let Some(to) = net::destination(&packet) else { return };
        let hosts = [Host::Router, Host::Phone(0), Host::Phone(1), Host::Provider, Host::Nameserver];
        let is_there = |host: &Host| match host {
            Host::Router => true,
            Host::Phone(_) => side == 0,
            Host::Provider | Host::Nameserver => side == 1,
        };
        let receiver =
            hosts.into_iter().filter(is_there).find(|host| *host != from && self.stack(*host, side).has_address(to));
        let Some(receiver) = receiver else { return };
        for at in self.links[side].arrivals(self.now, &mut self.random) {
            self.sent += 1;
            self.packets.push(Reverse((at, self.sent, receiver, side, packet.clone())));
        }
    }

    /// What every packet is looked at for: no address of the LAN leaves in SIP.
    fn look_at(&mut self, from: Host, side: usize, packet: &[u8]) {
        let Some(packet) = net::seen(packet) else { return };
        if packet.from.port() != SIP_PORT && packet.to.port() != SIP_PORT {
            return;
        }
        let text = String::from_utf8_lossy(packet.payload);
        if self.is_verbose {
            let name = if side == 0 { "LAN" } else { "WAN" };
            println!("-- {} {name} from {from:?}\n{text}", self.now.as_millis());
        }
        if from == Host::Router && side == 1 && text.contains("10.0.0.") {
            self.violations.push(format!("an address of the LAN leaves at {}:\n{text}", self.now.as_millis()));
        }
    }

    /// Waits until both phones are registered.
    pub fn register(&mut self) {
        let is_registered = |phone: &Agent| phone.registration.as_ref().is_some_and(|r| r.is_registered);
        if !self.run(120, |world| world.phones.iter().all(is_registered)) {
            self.violations.push("the phones could not register".to_owned());
        }
    }

    /// Makes all these calls at once, each again where it failed for want of an answer, until they are over.
    pub fn call(&mut self, dials: &[Dial]) {
        let mut left = dials.to_vec();
        for _ in 0..MAX_DIALS {
            for dial in &left {
                self.dial(*dial);
                let gap = self.random.between(0, 500);
                self.run_millis(gap);
            }
            let is_over = |world: &Self| {
                let agents = world.phones.iter().chain([&world.provider]);
                agents.flat_map(|a| &a.calls).all(|call| call.is_over)
            };
            if !self.run(400, is_over) {
                self.violations.push(format!("calls do not end: {left:?}"));
            }
            left.retain(|dial| self.is_wanted_again(*dial));
        }
    }

    fn run_millis(&mut self, millis: u64) {
        let end = Instant::from_millis(self.now.as_millis() + millis);
        self.run(1, |world| world.next_event().is_none_or(|at| at > end));
        self.now = end;
    }

    fn dial(&mut self, dial: Dial) {
        self.phones.iter_mut().chain([&mut self.provider]).for_each(|agent| agent.now = self.now);
        if dial.is_outgoing {
            self.phones[dial.phone].dial(dial.number, "bob", "sip:bob@provider.example");
            return;
        }
        let user = self.phones[dial.phone].user.clone();
        match self.provider.contact_of(&user).map(str::to_owned) {
            Some(contact) => self.provider.dial(dial.number, &user, &contact),
            None => self.provider.outcomes.entry(dial.number).or_default().status = 480,
        }
    }

    /// The outcome at the caller and at the callee.
    fn outcomes(&self, dial: Dial) -> [Outcome; 2] {
        let at = |agent: &Agent| agent.outcomes.get(&dial.number).copied().unwrap_or_default();
        let (phone, provider) = (at(&self.phones[dial.phone]), at(&self.provider));
        if dial.is_outgoing { [phone, provider] } else { [provider, phone] }
    }

    fn is_wanted_again(&self, dial: Dial) -> bool {
        let [caller, callee] = self.outcomes(dial);
        let is_talk = matches!(self.provider.plans[dial.number].end, End::CallerHangsUp | End::CalleeHangsUp);
        is_talk && !(caller.established && callee.established)
    }

    /// What must be so of a call that is over. On a good network nearly every packet of media arrives.
    pub fn check_call(&mut self, dial: Dial, is_lossless: bool) {
        let plan = self.provider.plans[dial.number];
        let outcomes = self.outcomes(dial);
        let mut wrong = |what: &str| self.violations.push(format!("{what}: {dial:?} {plan:?} {outcomes:?}"));
        let [caller, callee] = outcomes;
        match plan.end {
            End::CallerHangsUp | End::CalleeHangsUp => {
                if !(caller.established && callee.established) {
                    wrong("not established at both parties");
                }
                let sent = plan.talk as u32 / 40;
                let wanted = match (is_lossless, plan.moves || plan.symmetric) {
                    (true, _) => sent * 4 / 5,
                    (false, false) => sent / 4,
                    // Lost until the other party has heard of the move, or the relay has learned the port.
                    (false, true) => u32::from(!(plan.moves && plan.symmetric)),
                };
                if caller.packets < wanted || callee.packets < wanted {
                    wrong("too little media");
                }
                if is_lossless && plan.moves && !caller.moved {
                    wrong("the move did not arrive");
                }
            }
            End::CalleeRefuses if !matches!(caller.status, 486 | 408) || caller.status == 408 && is_lossless => {
                wrong("refused with another status");
            }
            End::CallerCancels if is_lossless && caller.status != 487 => wrong("cancelled with another status"),
            End::CallerCancels | End::CalleeRefuses => {}
        }
        if outcomes.iter().any(|o| o.packets + 1 > 0 && !o.has_ended && o.established) {
            wrong("not over");
        }
    }

    /// Lets everything expire and gives all that was wrong.
    pub fn finish(mut self, is_lossless: bool) -> Vec<String> {
        self.wait(45);
        if self.router.edge.idle_reports > 0 {
            self.violations.push("a relay was left open".to_owned());
        }
        if is_lossless && self.router.engine.usage().relays > 0 {
            self.violations.push("a relay is open after the last call".to_owned());
        }
        // One phone says goodbye, the other one is switched off.
        self.phones[0].now = self.now;
        self.phones[0].unregister();
        self.phones[1].stop_refreshing();
        self.wait(40);
        let phone = &mut self.phones[0];
        if let Some(registration) = &phone.registration
            && is_lossless
            && registration.is_registered
        {
            phone.violation("not un-registered", "");
        }
        phone.stop_refreshing();
        self.wait(600);
        self.router.check_is_empty();
        for agent in self.phones.iter_mut().chain([&mut self.provider]) {
            let (clients, servers) = (agent.clients.len(), agent.servers.len());
            if clients + servers > 0 {
                agent.violation(&format!("{clients} client and {servers} server transactions did not end"), "");
            }
            self.violations.append(&mut agent.violations);
        }
        self.violations.append(&mut self.router.edge.violations);
        self.violations
    }
}
