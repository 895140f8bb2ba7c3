//! The proxy: decides what becomes of each message.
//!
//! Deterministic: no sockets, no clock, no operating system, no allocation. See [`io`] for the contract.
//!
//! A datagram is judged by its source in `guard`, parsed, and goes to `request` or `response`. A request finds its next hop in
//! `route` (from a phone) or by our token or its user (from the WAN), and is written and sent in `forward`. `registrar` has
//! REGISTER, `media` the session descriptions and relays, `answer` every answer of our own.

mod acl;
mod answer;
pub mod auth;
mod binding;
mod body;
mod branch;
mod bucket;
mod call;
mod cause;
mod connection;
mod contact;
pub mod counters;
mod datagram;
mod domain;
pub mod drop_call;
mod failover;
mod fork;
mod forward;
mod gruu;
mod guard;
mod hang_up;
mod hide;
pub mod history;
pub mod hook;
mod hop;
mod import;
pub mod io;
mod keepalive;
mod mask;
mod media;
mod mention;
mod message;
mod outside;
mod own;
mod parked;
mod port;
mod preference;
mod random;
mod reach;
pub mod refusals;
mod registrar;
mod request;
mod response;
mod retransmit;
mod route;
mod saved;
mod saved_call;
mod sealed_via;
pub mod settings;
mod spiral;
pub mod stats;
mod stored;
mod strict;
mod timer_c;
mod transaction;
mod turned_away;
mod user_agent;
pub mod verdict;

pub use binding::stats as binding_stats;
pub use cause::{Cause, Wording};
pub use hook::HookSettings;
pub use io::{Channel, ConnEvent, ConnId, Input, Side, Sink};
pub use saved::{RestoreError, Restored};
pub use settings::Settings;

use crate::dns::Resolver;
use crate::dns::Transmit;
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::sip::token::Key;
use crate::table::Late;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};
use io::MediaReport;
use message::Provenance;

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bindings, those that wait for their registrar included.
    pub bindings: usize,
    /// Transactions.
    pub transactions: usize,
    /// Calls with media.
    pub calls: usize,
    /// Relays, one for each media section.
    pub relays: usize,
    /// TCP connections.
    pub connections: usize,
}

/// The proxy engine. Its constructor is `const` and its defined bytes are all zero: it belongs in a static.
///
/// The small parts come first: on MIPS what lies within 32 KB of the start is reached by one instruction, and the rest by four.
#[derive(Debug)]
#[repr(C)]
pub struct Engine {
    key: Key,
    random: random::Random,
    /// What the wall clock said where our own clock began, in seconds.
    clock_origin: u64,
    /// Whether a binding waits for the DNS to name its registrar.
    has_imports: bool,
    addresses: own::Addresses,
    /// The address that the Internet knew us by before, and when that ended.
    left: Late<(IpAddr, Instant)>,
    shortages: answer::Shortages,
    counters: counters::Counters,
    settings: Late<Settings>,
    outside: outside::Outside,
    avoided: failover::Avoided,
    flows: keepalive::Flows,
    turned_away: turned_away::TurnedAway,
    acl: acl::Acl,
    domains: domain::Domains,
    buckets: bucket::Buckets,
    connections: connection::Connections,
    bindings: binding::Bindings,
    transactions: transaction::Transactions,
    calls: call::Calls,
    resolver: Resolver,
    auth: auth::Auth,
    parked: parked::Parked,
    history: history::History,
    refusals: refusals::Refusals,
    hooks: hook::Hooks,
}

impl Engine {
    /// An engine that knows nothing yet; see [`Engine::configure`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            key: Key::new([0; 32]),
            random: random::Random::new(),
            clock_origin: 0,
            has_imports: false,
            addresses: own::Addresses::new(),
            left: Late::new(),
            shortages: answer::Shortages::new(),
            counters: counters::Counters::new(),
            settings: Late::new(),
            outside: outside::Outside::new(),
            avoided: failover::Avoided::new(),
            flows: keepalive::Flows::new(),
            turned_away: turned_away::TurnedAway::new(),
            acl: acl::Acl::new(),
            domains: domain::Domains::new(),
            buckets: bucket::Buckets::new(),
            connections: connection::Connections::new(),
            bindings: binding::Bindings::new(),
            transactions: transaction::Transactions::new(),
            calls: call::Calls::new(),
            resolver: Resolver::new(),
            auth: auth::Auth::new(),
            parked: parked::Parked::new(),
            history: history::History::new(),
            refusals: refusals::Refusals::new(),
            hooks: hook::Hooks::new(),
        }
    }

    /// Bytes of the largest tables, for people.
    pub const TABLES: [(&'static str, usize); 5] = [
        ("registrations", size_of::<binding::Bindings>()),
        ("calls", size_of::<call::Calls>()),
        ("transactions", size_of::<transaction::Transactions>()),
        ("accounts", size_of::<auth::Auth>()),
        ("names", size_of::<Resolver>()),
    ];

    /// Sets the key of tokens and branches, and the seed of random choices. Call once, before any input.
    pub fn seed(&mut self, key: Key, seed: u64) {
        self.key = key;
        self.random.seed(seed);
    }

    /// Tells what the wall clock says `now`, in seconds. Call once, before any input: what is sealed with a time is then good across a
    /// restart.
    pub const fn set_wall_clock(&mut self, unix_now: u64, now: Instant) {
        self.clock_origin = unix_now.saturating_sub(now.as_millis() / 1000);
    }

    /// Sets the configuration, at first and whenever it changes. Before the first call every input is ignored.
    ///
    /// Bindings and calls stay, also where there are more than may be now.
    pub fn configure(&mut self, settings: &Settings) {
        self.acl.follow(self.settings.get().unwrap_or(&UNCONFIGURED), settings);
        if self.settings().sip_keepalive != settings.sip_keepalive {
            self.flows.ping_soon();
        }
        if self.settings().host_outbound_name != settings.host_outbound_name {
            self.outside = outside::Outside::new();
        }
        self.settings.set(settings.clone());
    }

    /// Takes what the DNS says of the names that the configuration has.
    fn look_at_names(&mut self, now: Instant, out: &mut dyn Sink) {
        self.look_at_access_names(now, out);
        self.look_outside(now, out);
    }

    /// Takes one input and acts on it through `out`. Work is bounded by the size of the input and of the tables.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut dyn Sink) {
        if self.settings.get().is_none() {
            return;
        }
        self.refusals.set_now(now);
        match input {
            Input::Datagram { on, interface, from, meant_for, bytes } => {
                if !self.is_of_hook(interface, from, bytes, now) && self.admits(interface, from, bytes, now) {
                    self.datagram(Provenance { on, interface, from, meant_for }, bytes, now, out);
                }
            }
            Input::Stream { conn, bytes } => self.stream(conn, bytes, now, out),
            Input::Conn { conn, event } => self.connection(conn, event, now, out),
            Input::SendFailed { to, .. } => self.unreachable(to, now, out),
            Input::Media(MediaReport::Idle(relay)) => self.media_idle(relay, now, out),
            Input::Dns { from, bytes } => {
                if self.resolver.response(from, bytes, now) {
                    self.look_up_again(now, out);
                    self.look_at_names(now, out);
                    self.unpark(now, out);
                }
            }
            Input::Address { side, addrs } => self.address(side, addrs, now),
            Input::Nameservers(servers) => {
                let seed = self.random.next();
                self.resolver.configure(servers, seed);
                self.look_at_names(now, out);
            }
            Input::Timeout => self.timeout(now, out),
        }
    }

    /// When [`Input::Timeout`] is wanted next; `None` while nothing is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let keepalive = self.settings.get().map_or(0, |s| s.sip_keepalive);
        [
            self.transactions.next_timeout(),
            self.bindings.next_timeout(),
            self.resolver.next_timeout(),
            self.flows.next_timeout(keepalive),
            self.connections.next_timeout(),
            self.next_access_timeout(),
            self.next_outside_timeout(),
            self.next_hook_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How full the tables are now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            bindings: self.bindings.len(),
            transactions: self.transactions.len(),
            calls: self.calls.calls.len(),
            relays: self.calls.relays.len(),
            connections: self.connections.len(),
        }
    }

    /// RTP ports in use now, two for each relay. Looks through all there are.
    #[must_use]
    pub fn ports_in_use(&self) -> usize {
        self.calls.ports.len()
    }

    /// How name resolution is.
    #[must_use]
    pub fn dns_state(&self, now: Instant) -> crate::dns::State<'_> {
        self.resolver.state(now)
    }

    fn address(&mut self, side: Side, addrs: &[io::Prefix], now: Instant) {
        let before = self.own(Side::Wan);
        if self.addresses.set(side, addrs) {
            self.note_left(before, now);
            self.resolver.start_again();
            self.outside.look_again();
            if side == Side::Wan {
                self.hooks.stun.begin();
            }
            match self.addresses.of(side) {
                Some(ip) => log::info!(target: class::NET, "{} address is {ip}", side.name()),
                None => log::warn!(target: class::NET, "{} has no address: requests to it are refused", side.name()),
            }
        }
    }

    /// The next hop refused a datagram: whoever waits for its answer is told now, or goes on to another.
    fn unreachable(&mut self, to: SocketAddr, now: Instant, out: &mut dyn Sink) {
        self.server_failed(to, now);
        while let Some(t) = self.transactions.pop_unreachable(to) {
            self.give_up(&t, Cause::Unreachable, now, out);
        }
        self.transactions.repeat_now(now);
        self.retransmit(now, out);
    }

    fn timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        self.cancel_what_rings(now, out);
        self.retransmit(now, out);
        while let Some(t) = self.transactions.pop_expired(now) {
            if t.state != transaction::State::Completed {
                if t.from_phone && t.state == transaction::State::Trying {
                    self.server_failed(t.downstream, now);
                    if t.registers.leaves {
                        self.stop_leaving();
                    }
                }
                self.give_up(&t, Cause::NextHopSilent, now, out);
            }
        }
        while let Some(binding) = self.bindings.pop_expired(now) {
            self.binding_ended(&binding, "expired");
        }
        if self.resolver.next_timeout().is_some_and(|at| at <= now) && self.resolver.timeout(now, &mut Queries(out)) {
            self.look_at_names(now, out);
            self.unpark(now, out);
        }
        self.access_timeout(now, out);
        self.outside_timeout(now, out);
        self.hook_timeout(now, out);
        let keepalive = self.settings().sip_keepalive;
        self.flows.timeout(keepalive, &self.connections, now, out);
        self.connections.timeout(now, out);
    }

    /// A transaction ends without a final response from its next hop: the sender gets ours.
    fn give_up(&mut self, t: &transaction::Transaction, cause: Cause, now: Instant, out: &mut dyn Sink) {
        if hang_up::is_nowhere(t.upstream_on) {
            return;
        }
        if let transaction::Part::Branch(sender) = t.part {
            return self.branch_failed(sender, t, cause, now, out);
        }
        log::warn!(target: class::SIP, "no answer from {}: {}", t.downstream, cause.remedy());
        self.counters.refuse(cause);
        let wording = cause.wording(t.from_phone);
        self.note_register_given_up(t, wording.status, cause);
        let tag = self.tag_of(&t.key);
        // On the WAN a 408 to anything but INVITE is one of many that come too late (RFC 4320 §4.2).
        let may_say = t.from_phone || t.method == Method::Invite || wording.status != 408;
        if may_say && let Some(reply) = t.stored.reply(wording.status, wording.reason, wording.warning, &tag) {
            // The sender's own timer ends its transaction if this is lost.
            let _ = self.send_again(t.upstream_on, t.upstream, &[&reply], out);
        }
        if let Some(call) = t.call {
            let answered = self.calls.calls.get(call).is_some_and(|c| c.answered);
            if t.method == if answered { Method::Bye } else { Method::Invite } {
                self.end_call(call, format_args!("no answer"), now, out);
            } else {
                self.discard_pending(call, None, now, out);
            }
        }
    }

    /// Handles again what waited for a name. What must wait on is parked again.
    fn unpark(&mut self, now: Instant, out: &mut dyn Sink) {
        for _ in 0..self.parked.len() {
            let Some(mut waiting) = self.parked.pop() else { break };
            self.parked.is_resumed = true;
            self.datagram(waiting.provenance, &mut waiting.bytes, now, out);
        }
        self.parked.is_resumed = false;
    }

    fn settings(&self) -> &Settings {
        // `handle` lets nothing through before `configure`.
        self.settings.get().unwrap_or(&UNCONFIGURED)
    }

    /// Our address and SIP port for Via, Contact and Record-Route on `side`.
    fn sent_by(&self, side: Side) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.own(side)?, self.settings().sip_listen_port))
    }
}

/// What holds before [`Engine::configure`].
static UNCONFIGURED: Settings = Settings::DEFAULT;

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// The resolver's queries leave by the engine's sink.
struct Queries<'a>(&'a mut dyn Sink);

impl Transmit for Queries<'_> {
    fn query(&mut self, server: SocketAddr, query: &[u8]) {
        self.0.query(server, query);
    }
}
