//! What a flow is: everything that one seed decides before the first packet.

use crate::net::{Link, Random};
use core::fmt;
use siproxd::engine::Settings;
use siproxd::engine::settings::HostPort;
use siproxd::sip::via::Transport;

pub const PHONES: usize = 3;
pub const USERS: [&str; PHONES] = ["alice", "carol", "dave"];

/// A party of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Phone(usize),
    /// The provider's own user, `bob`.
    Provider,
}

/// What the party that is called does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    Answers,
    Refuses(u16),
    /// Sends the caller to another URI of its own, and answers there.
    Redirects,
    /// Lets it ring for ever.
    Rings,
    /// Says nothing at all to an INVITE.
    Mute,
}

/// Who hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Caller,
    Callee,
    /// At once.
    Both,
}

/// A call. Times in milliseconds.
#[derive(Clone, Debug)]
pub struct Plan {
    pub at: u64,
    pub from: Who,
    pub to: Who,
    /// Both are registered at the router itself, and call by its domain.
    pub is_own: bool,
    /// The INVITE has no offer.
    pub is_late: bool,
    pub callee: Callee,
    pub ring: u64,
    /// The callee rings with a session description.
    pub early: bool,
    /// It rings reliably (RFC 3262).
    pub reliable: bool,
    pub cancel: Option<u64>,
    /// The provider asks for the password first.
    pub challenged: bool,
    pub talk: u64,
    pub ends: Ends,
    /// What each party does in the middle of it, at most.
    pub actions: u64,
    /// The provider's media comes from another port than it announced.
    pub symmetric: bool,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes on the WAN for so many milliseconds.
    WanDark(u64),
    /// A phone is gone for so long.
    PhoneDark(usize, u64),
    /// The WAN address is lost, and another one comes after so long.
    NewWan(u64),
    /// The router's clock leaps forward by so many seconds.
    Leap(u32),
    Restart,
    /// The router's TCP connections of one side break.
    Break(usize),
    /// The provider refuses TCP connections for so long, and breaks those that it has.
    Refuse(u64),
    DnsSilent(u64),
}

/// What a phone does besides calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    Refresh(usize),
    /// Takes its registration at the provider back, and registers again after so many milliseconds.
    Away(usize, u64),
    Message(Who, Who),
    Options(Who, Who),
    Stranger(u64),
}

/// How the provider is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Udp,
    /// The phones write `;transport=tcp`.
    Tcp,
    /// `outbound_proxy_transport = tcp`.
    TcpByProxy,
}

pub struct Draw {
    pub seed: u64,
    /// The LAN and the WAN.
    pub links: [Link; 2],
    pub phones_tcp: [bool; PHONES],
    pub provider: Provider,
    /// The provider sends over the connection that the router has opened; else it opens its own.
    pub reuses: bool,
    /// The router is behind another NAT.
    pub is_behind_nat: bool,
    pub max_calls: usize,
    pub max_bindings: usize,
    pub plans: Vec<Plan>,
    pub faults: Vec<(u64, Fault)>,
    pub chores: Vec<(u64, Chore)>,
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, links, phones_tcp, provider, reuses, is_behind_nat, max_calls, max_bindings, .. } = self;
        writeln!(f, "seed {seed}: {links:?}")?;
        writeln!(
            f,
            "phones on TCP {phones_tcp:?}, provider {provider:?}, it reuses connections: {reuses}, NAT: {is_behind_nat}"
        )?;
        writeln!(f, "max_calls {max_calls}, max_bindings {max_bindings}")?;
        self.plans.iter().enumerate().try_for_each(|(number, plan)| writeln!(f, "{number}: {plan:?}"))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault:?}"))?;
        self.chores.iter().try_for_each(|chore| writeln!(f, "{chore:?}"))
    }
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xf10e);
        let random = &mut random;
        let loss = if random.chance(55) { 0 } else { random.between(1, 26) };
        let lan_loss = if random.chance(50) { 0 } else { loss / 5 };
        let jitter = |random: &mut Random, most| if random.chance(40) { 0 } else { random.between(1, most) };
        let duplication = |random: &mut Random| if random.chance(50) { 0 } else { random.between(1, 10) };
        let lan = Link { latency: 1, jitter: jitter(random, 8), loss: lan_loss, duplication: duplication(random) };
        let wan = Link { latency: 15, jitter: jitter(random, 150), loss, duplication: duplication(random) };
        let provider = match random.between(0, 10) {
            0..5 => Provider::Udp,
            5..8 => Provider::Tcp,
            _ => Provider::TcpByProxy,
        };
        let mut draw = Self {
            seed,
            links: [lan, wan],
            phones_tcp: core::array::from_fn(|_| random.chance(35)),
            provider,
            reuses: random.chance(75),
            is_behind_nat: false,
            max_calls: if random.chance(12) { random.between(1, 3) as usize } else { 64 },
            max_bindings: if random.chance(8) { random.between(2, 6) as usize } else { 64 },
            plans: Vec::new(),
            faults: Vec::new(),
            chores: Vec::new(),
        };
        // A NAT lets in what it was shown the way by: not a connection of the provider's own.
        draw.is_behind_nat = random.chance(20) && (draw.provider == Provider::Udp || draw.reuses);
        let calls = random.between(2, 6);
        draw.plans = (0..calls).map(|_| plan(random)).collect();
        if random.chance(45) {
            let count = random.between(1, 4);
            draw.faults = (0..count).map(|_| (random.between(0, 14_000), fault(random))).collect();
        }
        let count = random.between(0, 6);
        draw.chores = (0..count).map(|_| (random.between(0, 14_000), chore(random))).collect();
        draw
    }

    pub fn settings(&self) -> Settings {
        let mut settings =
            Settings { max_calls: self.max_calls, max_bindings: self.max_bindings, ..Settings::default() };
        if self.is_behind_nat {
            settings.host_outbound = Some(super::world::WAN_ADDRESS.into());
        }
        if self.provider == Provider::TcpByProxy {
            settings.outbound_proxy = Some(HostPort { host: "provider.example".try_into().unwrap(), port: 0 });
            settings.outbound_proxy_transport = Some(Transport::Tcp);
        }
        settings
    }

    pub fn is_lossless(&self) -> bool {
        self.links.iter().all(|link| link.loss == 0)
    }

    /// Nothing goes wrong: every party must see what was planned.
    pub fn is_clean(&self) -> bool {
        self.is_lossless() && self.faults.is_empty()
    }

    /// There is room for every call and every registration.
    pub fn is_roomy(&self) -> bool {
        self.max_calls >= self.plans.len() * 2 + 2 && self.max_bindings >= 2 * PHONES
    }
}

fn plan(random: &mut Random) -> Plan {
    let phone = random.between(0, PHONES as u64) as usize;
    let other = (phone + 1 + random.between(0, PHONES as u64 - 1) as usize) % PHONES;
    let (from, to, is_own) = match random.between(0, 10) {
        0..4 => (Who::Phone(phone), Who::Provider, false),
        4..7 => (Who::Provider, Who::Phone(phone), false),
        7..9 => (Who::Phone(phone), Who::Phone(other), false),
        _ => (Who::Phone(phone), Who::Phone(other), true),
    };
    const REFUSALS: [u16; 9] = [404, 415, 480, 486, 488, 500, 503, 600, 603];
    let callee = match random.between(0, 100) {
        0..12 => Callee::Refuses(REFUSALS[random.between(0, 9) as usize]),
        12..17 => Callee::Redirects,
        17..23 => Callee::Rings,
        23..26 => Callee::Mute,
        _ => Callee::Answers,
    };
    let ring = random.between(0, 2500);
    let cancels = random.chance(if callee == Callee::Rings { 80 } else { 15 });
    Plan {
        at: random.between(0, 9000),
        from,
        to,
        is_own,
        is_late: random.chance(20),
        callee,
        ring,
        early: random.chance(35),
        reliable: random.chance(25),
        // Near the answer, so that they cross.
        cancel: cancels.then(|| if random.chance(50) { random.between(0, 2500) } else { ring + random.between(0, 60) }),
        challenged: !is_own && from != Who::Provider && random.chance(30),
        talk: random.between(800, 6000),
        ends: [Ends::Caller, Ends::Callee, Ends::Both][random.between(0, 3) as usize],
        actions: random.between(0, 5),
        symmetric: random.chance(20),
    }
}

fn fault(random: &mut Random) -> Fault {
    match random.between(0, 10) {
        0 => Fault::WanDark(random.between(500, 20_000)),
        1 | 2 => Fault::PhoneDark(random.between(0, PHONES as u64) as usize, random.between(500, 40_000)),
        3 => Fault::NewWan(random.between(0, 4000)),
        4 => Fault::Leap(random.between(1, 600) as u32),
        5 | 6 => Fault::Restart,
        7 => Fault::Break(random.between(0, 2) as usize),
        8 => Fault::Refuse(random.between(1000, 20_000)),
        _ => Fault::DnsSilent(random.between(1000, 60_000)),
    }
}

fn chore(random: &mut Random) -> Chore {
    let phone = random.between(0, PHONES as u64) as usize;
    let (from, to) =
        if random.chance(50) { (Who::Phone(phone), Who::Provider) } else { (Who::Provider, Who::Phone(phone)) };
    match random.between(0, 8) {
        0 | 1 => Chore::Refresh(phone),
        2 => Chore::Away(phone, random.between(500, 6000)),
        3 => Chore::Message(from, to),
        4 => Chore::Options(from, to),
        _ => Chore::Stranger(random.next()),
    }
}
