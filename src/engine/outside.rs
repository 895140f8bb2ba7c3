//! `host_outbound`: the address by which the Internet knows us where the one of `if_outbound` is another, given as such or by name.
//!
//! `plugin_stun` finds it out in place of that (`hook/stun.rs`). A name is looked up by the resolver that all names use, for each family that the WAN interface has, and again when its TTL is over;
//! nothing waits for it. The last address that it had stays in use while the DNS is silent or knows it no more. Until it is known
//! for the family that SIP goes by, it is as if the WAN had no address. An address of this host's own networks does not count.

use super::io::{Side, Sink};
use super::media::is_private;
use super::{Engine, Queries};
use crate::dns::Answer;
use crate::family::Family;
use crate::log_class::{self as class, log};
use crate::table::Late;
use crate::time::Instant;
use core::net::IpAddr;

/// Seconds after which the name is looked at again; the resolver asks when its TTL is over.
const RECHECK_SECS: u32 = 5;

/// What is known of the name. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Outside {
    /// Its address in each family.
    found: [Late<IpAddr>; 2],
    /// That it cannot be found has been logged.
    is_missed: bool,
    /// When it is looked at next.
    due: Instant,
}

impl Outside {
    pub(super) const fn new() -> Self {
        Self { found: [Late::new(), Late::new()], is_missed: false, due: Instant::ZERO }
    }

    /// Looks at the name at the next timeout, which is due at once: the WAN is another.
    pub(super) const fn look_again(&mut self) {
        self.due = Instant::ZERO;
    }
}

impl Engine {
    /// The address of a family by which the Internet knows us, where that is not the one of the interface.
    fn outside_of(&self, family: Family) -> Option<IpAddr> {
        let given = self.settings().host_outbound.filter(|ip| Family::of(*ip) == family);
        given.or_else(|| self.outside.found[family as usize].get().copied())
    }

    /// Whether the Internet knows us by `ip`, which no interface may have.
    pub(super) fn is_outside(&self, ip: IpAddr) -> bool {
        Family::BOTH.into_iter().any(|family| self.outside_of(family) == Some(ip))
    }

    /// The address that stands for us in messages to `side`.
    pub(super) fn own(&self, side: Side) -> Option<IpAddr> {
        let interface = self.addresses.of(side)?;
        match side {
            Side::Lan => Some(interface),
            Side::Wan => self.settings().host_outbound.or_else(|| self.own_of(side, Family::of(interface))),
        }
    }

    /// The address that stands for us in media towards `side`, of a family; `None` where we have none there.
    pub(super) fn own_of(&self, side: Side, family: Family) -> Option<IpAddr> {
        let interface = self.addresses.of_family(side, family)?;
        if side == Side::Lan {
            return Some(interface);
        }
        // What is not the family of SIP need not have the name: IPv6 seldom goes through NAT.
        let is_first = self.addresses.of(side).is_some_and(|first| Family::of(first) == family);
        let is_needed = is_first && !self.settings().host_outbound_name.is_empty();
        self.outside_of(family).or_else(|| (!is_needed).then_some(interface))
    }

    /// The name of `host_outbound`, and what it is known to be; `None` where it is no name.
    #[must_use]
    pub fn host_outbound_name(&self) -> Option<(&str, Option<IpAddr>)> {
        let name = self.settings().host_outbound_name.as_str();
        (!name.is_empty()).then(|| (name, self.own(Side::Wan)))
    }

    /// When the name of `host_outbound` is to be looked at.
    pub(super) fn next_outside_timeout(&self) -> Option<Instant> {
        let has_name = self.settings.get().is_some_and(|settings| !settings.host_outbound_name.is_empty());
        (has_name && self.addresses.of(Side::Wan).is_some()).then_some(self.outside.due)
    }

    /// Looks at the name of `host_outbound`, if it is time.
    pub(super) fn outside_timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        if self.next_outside_timeout().is_some_and(|due| due <= now) {
            self.look_outside(now, out);
        }
    }

    /// Takes what the DNS says of the name of `host_outbound`, and asks it where it is time.
    pub(super) fn look_outside(&mut self, now: Instant, out: &mut dyn Sink) {
        let name = self.settings().host_outbound_name.clone();
        if name.is_empty() {
            return;
        }
        self.outside.due = now.after_secs(RECHECK_SECS);
        let Some(first) = self.addresses.of(Side::Wan).map(Family::of) else { return };
        for family in Family::BOTH {
            if self.addresses.of_family(Side::Wan, family).is_none() {
                continue;
            }
            let answer = self.resolver.resolve_family(name.as_bytes(), family, now, &mut Queries(out));
            let before = self.own(Side::Wan);
            self.take_outside(&name, family, answer, family == first);
            self.note_left(before, now);
        }
    }

    /// Takes the address by which a STUN server knows us; whether it is another than before. That of the interface itself is not kept: it
    /// goes when the interface has another.
    pub(super) fn set_outside(&mut self, ip: IpAddr) -> bool {
        let (family, before) = (Family::of(ip), self.own_of(Side::Wan, Family::of(ip)));
        let mut found = Late::new();
        if self.addresses.of_family(Side::Wan, family) != Some(ip) {
            found.set(ip);
        }
        self.outside.found[family as usize] = found;
        before != Some(ip)
    }

    /// Forgets what was found out, but for what a name has.
    pub(super) fn forget_outside(&mut self) {
        if self.settings().host_outbound_name.is_empty() {
            self.outside = Outside::new();
        }
    }

    /// Whether the Internet cannot know us by `ip`: a nameserver of the home may tell the home another address than the Internet.
    pub(super) fn is_inside(&self, ip: IpAddr) -> bool {
        let is_ours = || self.is_lan(ip) || self.addresses.is_on_wan_interface(ip);
        ip.is_loopback()
            || ip.is_unspecified()
            || ip.is_multicast()
            || self.addresses.is_on_lan_interface(ip)
            || (is_private(ip) && is_ours())
    }

    fn take_outside(&mut self, name: &str, family: Family, answer: Answer, is_first: bool) {
        let found = self.outside.found[family as usize].get().copied();
        let problem = match answer {
            Answer::Pending => return,
            // Of several, the one in use stays as long as it is one of them.
            Answer::Addresses(addresses) => {
                let mut good = addresses.iter().filter(|ip| !self.is_inside(**ip));
                match good.clone().find(|ip| Some(**ip) == found).or(good.next()) {
                    Some(ip) => {
                        if found != Some(*ip) {
                            log::info!(target: class::NET, "host_outbound {name} is {ip}");
                        }
                        self.outside.found[family as usize].set(*ip);
                        None
                    }
                    None if addresses.is_empty() => Some("has no address"),
                    None => Some("has no address beyond our own networks"),
                }
            }
            Answer::NoSuchName => Some("has no address"),
            Answer::ServersSilent => Some("cannot be looked up, no nameserver answers"),
            Answer::Refused => Some("is no name, or there are too many"),
        };
        if !is_first {
            return;
        }
        match (problem, found) {
            (Some(_), _) if self.outside.is_missed => {}
            (Some(problem), Some(ip)) => {
                log::warn!(target: class::NET, "host_outbound {name} {problem} of {family}; it stays {ip}");
            }
            (Some(problem), None) => {
                log::warn!(target: class::NET, "host_outbound {name} {problem} of {family}: requests to the Internet are refused until it has one");
            }
            (None, _) => {}
        }
        self.outside.is_missed = problem.is_some();
    }
}
