//! `plugin_stun`: our public address is found out with a STUN server (RFC 8489), where siproxd stands behind another NAT.
//!
//! ```text
//!   due ──▶ the name is looked up ──▶ request ──answer──▶ the address is ours for `plugin_stun_period` seconds ──▶ due
//!                                       └─no answer, three times──▶ the next server; after the last one a pause
//! ```
//! Requests leave by the SIP port, so that it is the way of SIP that is asked about. An answer counts only from the server that was asked, with
//! the transaction it was asked with. While no server answers, the address that was found last stays; before there is one, that of the
//! interface is used.

use super::{Hook, HookSettings, Raw};
use crate::dns::Answer;
use crate::engine::io::{Channel, Side, Sink};
use crate::engine::{Engine, Queries};
use crate::family::Family;
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::stun::{Transaction, is_answer, mapped_address, request};
use crate::table::Late;
use crate::time::{Duration, Instant};
use core::net::SocketAddr;

pub(super) struct Stun;

impl Hook for Stun {
    fn raw(&self, engine: &mut Engine, datagram: &Raw<'_>, now: Instant) -> bool {
        engine.take_stun(datagram, now)
    }

    fn next_timeout(&self, engine: &Engine) -> Option<Instant> {
        engine.next_stun_timeout()
    }

    fn timer(&self, engine: &mut Engine, now: Instant, out: &mut dyn Sink) {
        engine.stun_timeout(now, out);
    }
}

/// Requests to one server, each twice as long after the one before (RFC 8489 §6.2.1), from a second on.
const TRIES: u8 = 3;
const FIRST_WAIT_SECS: u32 = 1;
/// Until the servers are asked again of which none has answered.
const PAUSE: Duration = Duration::from_secs(10);
/// Until the name of a server is looked at again that is being looked up.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of the servers. Starts as all zero bytes.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// When there is something to do.
    due: Instant,
    /// The server that is asked, from 0.
    server: usize,
    /// Requests to it so far.
    tries: u8,
    transaction: Transaction,
    /// Where the request went that waits for its answer.
    asked: Late<SocketAddr>,
    /// Whether it has been logged that none answers.
    is_missed: bool,
}

impl Inquiry {
    pub(in crate::engine) const fn new() -> Self {
        Self { due: Instant::ZERO, server: 0, tries: 0, transaction: [0; 12], asked: Late::new(), is_missed: false }
    }

    /// Asks again at once: the WAN is another.
    pub(in crate::engine) fn begin(&mut self) {
        *self = Self { is_missed: self.is_missed, ..Self::new() };
    }
}

impl Engine {
    /// Other servers are asked at once, and with another period so are the same; what was found out stays as long as any are asked.
    pub(super) fn stun_changes(&mut self, new: &HookSettings) {
        let old = &self.hooks.settings;
        if (&old.stun_servers, old.stun_port) != (&new.stun_servers, new.stun_port) {
            self.hooks.stun = Inquiry::new();
            if new.stun_servers.is_empty() {
                self.forget_outside();
            }
        } else if old.stun_period != new.stun_period && self.hooks.stun.asked.get().is_none() {
            self.hooks.stun.due = Instant::ZERO;
        }
    }

    /// When a STUN server is to be asked.
    fn next_stun_timeout(&self) -> Option<Instant> {
        let is_on = !self.hooks.settings.stun_servers.is_empty() && self.addresses.of(Side::Wan).is_some();
        is_on.then_some(self.hooks.stun.due)
    }

    /// Asks a server.
    fn stun_timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        let stun = &mut self.hooks.stun;
        if stun.tries >= TRIES {
            self.give_up_server(now);
            return;
        }
        let Some(family) = self.addresses.of(Side::Wan).map(Family::of) else { return };
        let mut servers = self.hooks.settings.stun_servers.lines();
        let Some(name) = servers.nth(self.hooks.stun.server) else { return };
        let to = match name.parse() {
            Ok(ip) => Some(ip),
            Err(_) => match self.resolver.resolve_family(name.as_bytes(), family, now, &mut Queries(out)) {
                Answer::Addresses(addresses) => addresses.first().copied(),
                Answer::Pending => {
                    self.hooks.stun.due = now.after(LOOK);
                    return;
                }
                Answer::NoSuchName | Answer::ServersSilent | Answer::Refused => None,
            },
        };
        let Some(to) = to.map(|ip| SocketAddr::new(ip, self.hooks.settings.stun_port)) else {
            self.give_up_server(now);
            return;
        };
        // Anew for each: who has seen one knows nothing of the next.
        let random = [self.random.next(), self.random.next()];
        let hash = self.key.hash("stun", &[&random[0].to_be_bytes(), &random[1].to_be_bytes()]);
        let stun = &mut self.hooks.stun;
        stun.transaction.copy_from_slice(&hash[..12]);
        stun.asked.set(to);
        stun.due = now.after_secs(FIRST_WAIT_SECS << stun.tries);
        stun.tries += 1;
        // One that cannot be sent is as good as lost.
        let _ = out.send(Channel::WAN, to, &[&request(&stun.transaction)]);
    }

    /// The server that is asked has not answered: the next one is.
    fn give_up_server(&mut self, now: Instant) {
        let count = self.hooks.settings.stun_servers.lines().count();
        let stun = &mut self.hooks.stun;
        (stun.tries, stun.asked) = (0, Late::new());
        stun.server += 1;
        if stun.server < count {
            return;
        }
        (stun.server, stun.due) = (0, now.after(PAUSE));
        if !core::mem::replace(&mut stun.is_missed, true) {
            log::warn!(target: class::NET, "no STUN server answers: our public address stays as it is");
        }
        self.count_hook("plugin_stun", [1, 0, 1]);
    }

    /// Takes a datagram that is the answer of a STUN server; `false` for any other.
    fn take_stun(&mut self, &Raw { interface, from, bytes }: &Raw<'_>, now: Instant) -> bool {
        let stun = &self.hooks.stun;
        let is_ours = interface == Side::Wan && stun.asked.get() == Some(&from) && is_answer(bytes, &stun.transaction);
        if !is_ours {
            return false;
        }
        let is_public = |ip| Family::of(ip) == Family::of(from.host()) && self.is_one_host(ip) && !self.is_inside(ip);
        let Some(mapped) = mapped_address(bytes, &stun.transaction).filter(|mapped| is_public(mapped.host())) else {
            log::warn!(target: class::NET, "STUN server {from} tells no address of the Internet");
            self.give_up_server(now);
            return true;
        };
        let (period, before) = (self.hooks.settings.stun_period, self.own(Side::Wan));
        let is_new = self.set_outside(mapped.host());
        self.note_left(before, now);
        if is_new {
            log::info!(target: class::NET, "STUN server {from} knows us by {}", mapped.host());
        }
        let port = self.settings().sip_listen_port;
        if is_new && mapped.port() != port {
            log::warn!(target: class::NET, "a NAT before us makes SIP port {port} port {}: have it forward {port} to this host", mapped.port());
        }
        // It is asked again, not the first one.
        let server = self.hooks.stun.server;
        self.hooks.stun = Inquiry { server, due: now.after_secs(period), ..Inquiry::new() };
        self.count_hook("plugin_stun", [1, u32::from(is_new), 0]);
        true
    }
}
