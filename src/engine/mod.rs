//! The proxy: decides what becomes of each message.
//!
//! Deterministic: no sockets, no clock, no operating system, no allocation. See [`io`] for the contract.
//!
//! A datagram is judged by its source in `guard`, parsed, and goes to `request` or `response`. A request finds its next hop in
//! `route` (from a phone) or by our token or its user (from the WAN), and is written and sent in `forward`. `registrar` has
//! REGISTER, `media` the session descriptions and relays, `answer` every answer of our own.

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
mod domain;
mod failover;
mod fork;
mod forward;
mod gruu;
mod guard;
mod hang_up;
mod hide;
mod hop;
pub mod io;
mod keepalive;
mod media;
mod mention;
mod message;
mod own;
mod parked;
mod port;
mod preference;
mod random;
mod reach;
mod registrar;
mod request;
mod response;
mod retransmit;
mod route;
mod saved_call;
mod sealed_via;
pub mod settings;
pub mod stats;
mod stored;
mod strict;
mod timer_c;
mod transaction;
mod turned_away;
pub mod verdict;

pub use cause::{Cause, Wording};
pub use io::{Channel, ConnEvent, ConnId, Input, Side, Sink};
pub use settings::Settings;

use crate::dns::Resolver;
use crate::dns::Transmit;
use crate::log_class as class;
use crate::sip::message::ParseError;
use crate::sip::reply::Reply;
use crate::sip::token::Key;
use crate::sip::via::Via;
use crate::sip::{HeaderId, Message, Method, StartLine};
use crate::table::Late;
use crate::time::Instant;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use guard::Origin;
use io::MediaReport;
use message::{Head, Received};

/// What a saved line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// A binding.
    Binding,
    /// A call.
    Call,
}

/// Why a saved line was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The line is not one that [`Engine::save`] wrote.
    Syntax,
    /// It has expired meanwhile.
    Expired,
    /// The table is full.
    Full,
    /// It is there already.
    Double,
    /// It names an address, or a port, that cannot be where it says.
    Foreign,
}

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
#[derive(Debug)]
pub struct Engine {
    key: Key,
    random: random::Random,
    settings: Late<Settings>,
    addresses: own::Addresses,
    domains: domain::Domains,
    avoided: failover::Avoided,
    buckets: bucket::Buckets,
    turned_away: turned_away::TurnedAway,
    resolver: Resolver,
    parked: parked::Parked,
    flows: keepalive::Flows,
    connections: connection::Connections,
    shortages: answer::Shortages,
    auth: auth::Auth,
    bindings: binding::Bindings,
    transactions: transaction::Transactions,
    calls: call::Calls,
}

impl Engine {
    /// An engine that knows nothing yet; see [`Engine::configure`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            key: Key::new([0; 32]),
            random: random::Random::new(),
            settings: Late::new(),
            addresses: own::Addresses::new(),
            domains: domain::Domains::new(),
            avoided: failover::Avoided::new(),
            buckets: bucket::Buckets::new(),
            turned_away: turned_away::TurnedAway::new(),
            resolver: Resolver::new(),
            parked: parked::Parked::new(),
            flows: keepalive::Flows::new(),
            connections: connection::Connections::new(),
            shortages: answer::Shortages::new(),
            auth: auth::Auth::new(),
            bindings: binding::Bindings::new(),
            transactions: transaction::Transactions::new(),
            calls: call::Calls::new(),
        }
    }

    /// Sets the key of tokens and branches, and the seed of random choices. Call once, before any input.
    pub fn seed(&mut self, key: Key, seed: u64) {
        self.key = key;
        self.random.seed(seed);
    }

    /// Sets the configuration. Before the first call every input is ignored.
    pub fn configure(&mut self, settings: &Settings) {
        self.settings.set(settings.clone());
    }

    /// Takes one input and acts on it through `out`. Work is bounded by the size of the input and of the tables.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut dyn Sink) {
        if self.settings.get().is_none() {
            return;
        }
        match input {
            Input::Datagram { on, interface, from, bytes } => {
                if self.admits(interface, from, bytes, now) {
                    self.datagram(on, interface, from, bytes, now, out);
                }
            }
            Input::Stream { conn, bytes } => self.stream(conn, bytes, now, out),
            Input::Conn { conn, event } => self.connection(conn, event, now, out),
            Input::SendFailed { to, .. } => self.unreachable(to, now, out),
            Input::Media(MediaReport::Idle(relay)) => self.media_idle(relay, now, out),
            Input::Dns { from, bytes } => {
                if self.resolver.response(from, bytes, now) {
                    self.look_up_again(now, out);
                    self.unpark(now, out);
                }
            }
            Input::Address { side, addrs } => self.address(side, addrs),
            Input::Nameservers(servers) => {
                let seed = self.random.next();
                self.resolver.configure(servers, seed);
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
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Writes what is to outlive a restart, one line each: the valid bindings, and the calls. `unix_now` is the wall clock in seconds, for
    /// the expiry times.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save(&self, now: Instant, unix_now: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        self.bindings.save(now, unix_now, out)?;
        self.calls.save(unix_now, out)
    }

    /// Takes back one line that [`Self::save`] wrote, and opens through `out` what a call had open.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(
        &mut self,
        line: &str,
        now: Instant,
        unix_now: u64,
        out: &mut dyn Sink,
    ) -> Result<Restored, RestoreError> {
        if line.starts_with(saved_call::MARK) {
            return self.restore_call(line, now, unix_now, out).map(|()| Restored::Call);
        }
        if self.bindings.len() >= self.settings.get().map_or(0, |s| s.max_bindings) {
            return Err(RestoreError::Full);
        }
        let handle = self.bindings.restore(line, now, unix_now)?;
        let place = self.bindings.get(handle).map(|b| b.place.address.ip());
        // Without an address on the LAN nothing can be told yet; see `forward`.
        if self.addresses.of(Side::Lan).is_some() && !place.is_some_and(|ip| self.is_place_of_phone(ip)) {
            self.bindings.remove(handle);
            return Err(RestoreError::Foreign);
        }
        if let Some(server) = self.bindings.get(handle).and_then(|b| b.registrar)
            && !self.flows.add(server)
        {
            log::warn!(target: class::REG, "no room to keep the way from {server} open: too many servers");
        }
        Ok(Restored::Binding)
    }

    /// A number that changes with what [`Self::save`] writes: what was saved under the same number needs no saving.
    #[must_use]
    pub fn saved_version(&self) -> u32 {
        self.bindings.version().wrapping_add(self.calls.version)
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

    fn datagram(
        &mut self,
        on: Channel,
        interface: Side,
        from: SocketAddr,
        bytes: &mut [u8],
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let mut origin = self.origin(interface, from);
        if keepalive::is_keepalive(bytes) {
            if let Some(pong) = keepalive::pong(bytes)
                && (origin == Origin::Phone || (on.is_reliable() && origin == Origin::Known))
            {
                // A pong that is lost costs nothing: the phone pings again.
                let _ = out.send(on, from, &[pong]);
            }
            return;
        }
        let length = if origin == Origin::Stranger { None } else { self.undo_strict_route(bytes) };
        let length = length.unwrap_or(bytes.len());
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        let (msg, fault) = match Message::parse_head(bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                log::debug!(target: class::SIP, "datagram from {from} dropped: {error:?}");
                return;
            }
        };
        if origin == Origin::Stranger && self.has_our_token(&msg) {
            origin = Origin::Known;
            self.end_trial(on);
        }
        if origin == Origin::Known && matches!(msg.start(), StartLine::Request { method: Method::Register, .. }) {
            log::warn!(target: class::ACL, "REGISTER from {from} on the WAN dropped: phones register from the LAN");
            return;
        }
        let head = match fault {
            Some(ParseError::Version) => Err(Cause::Version),
            Some(ParseError::ContentLength) => Err(Cause::Malformed("Content-Length does not fit the body")),
            Some(_) => Err(Cause::Malformed("there is no empty line behind the headers")),
            None => Head::read(&msg).map_err(Cause::Malformed),
        };
        let head = match head {
            Ok(head) => head,
            Err(cause) => return self.malformed(&msg, on, from, origin, cause, out),
        };
        let received = Received { msg: &msg, head, on, from, origin };
        self.note_contact(&received);
        match msg.start() {
            StartLine::Request { .. } => self.request(&received, interface, now, out),
            StartLine::Response { .. } => self.response(&received, now, out),
        }
    }

    /// Whether a request-URI is one that we handed out: whoever has it may use it.
    fn has_our_token(&self, msg: &Message<'_>) -> bool {
        let StartLine::Request { uri, .. } = msg.start() else { return false };
        crate::sip::uri::Uri::parse(msg.bytes(), uri).is_ok_and(|uri| self.place_in(msg.bytes(), &uri).is_some())
    }

    /// A request that cannot be read: it is answered as far as it has what an answer must copy.
    fn malformed(
        &mut self,
        msg: &Message<'_>,
        on: Channel,
        from: SocketAddr,
        origin: Origin,
        cause: Cause,
        out: &mut dyn Sink,
    ) {
        log::info!(target: class::SIP, "message from {from} dropped: {}", cause.remedy());
        let StartLine::Request { method, .. } = msg.start() else { return };
        if origin == Origin::Stranger || method == Method::Ack {
            return;
        }
        let wording = cause.wording(origin == Origin::Phone);
        let hash = self.key.hash("to-tag", &[msg.bytes()]);
        let tag = crate::sip::token::hex(&hash[..8]);
        if let Ok(mut reply) = Reply::to_malformed(msg, from, wording.status, wording.reason, &tag)
            && wording
                .warning
                .is_none_or(|text| reply.header("Warning", format_args!("399 siproxd \"{text}\"")).is_ok())
            && let Ok(bytes) = reply.finish()
        {
            let via = msg.elements(HeaderId::Via).next().and_then(|top| Via::parse(msg.bytes(), top.span).ok());
            let to = via.map_or(from, |via| message::reply_to(msg.bytes(), &via, from, origin));
            // Nothing else can be done for a request like this one.
            let _ = out.send(on, to, &[bytes]);
        }
    }

    fn address(&mut self, side: Side, addrs: &[io::Prefix]) {
        if self.addresses.set(side, addrs) {
            self.resolver.start_again();
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
                }
                self.give_up(&t, Cause::NextHopSilent, now, out);
            }
        }
        while let Some(binding) = self.bindings.pop_expired(now) {
            self.binding_ended(&binding, "expired");
        }
        if self.resolver.next_timeout().is_some_and(|at| at <= now) && self.resolver.timeout(now, &mut Queries(out)) {
            self.unpark(now, out);
        }
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
        let wording = cause.wording(t.from_phone);
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
                self.end_call(call, "no answer", now, out);
            } else {
                self.discard_pending(call, None, now, out);
            }
        }
    }

    /// Handles again what waited for a name. What must wait on is parked again.
    fn unpark(&mut self, now: Instant, out: &mut dyn Sink) {
        for _ in 0..self.parked.len() {
            let Some(mut waiting) = self.parked.pop() else { return };
            self.datagram(waiting.on, waiting.interface, waiting.from, &mut waiting.bytes, now, out);
        }
    }

    fn settings(&self) -> &Settings {
        // `handle` lets nothing through before `configure`.
        self.settings.get().unwrap_or(&UNCONFIGURED)
    }

    /// The address that stands for us in messages to `side`.
    fn own(&self, side: Side) -> Option<IpAddr> {
        let interface = self.addresses.of(side)?;
        Some(if side == Side::Wan { self.settings().host_outbound.unwrap_or(interface) } else { interface })
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
