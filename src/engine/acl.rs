//! Access lists: `hosts_allow_reg`, `hosts_allow_sip` and `hosts_deny_sip`.
//!
//! ```text
//!   named in hosts_deny_sip ──yes──▶ not heard at all
//!       │no
//!   hosts_allow_sip is empty, names it, or hosts_allow_reg does ──no──▶ a phone, or a stranger with a token of ours: not heard
//!       │yes                                                            (the servers of our phones are, as always)
//!   REGISTER: hosts_allow_reg is empty, or names it ──no──▶ 403
//! ```
//! Whom `hosts_allow_sip` names on the WAN may call our phones, as with `wan_allow`. Networks of `hosts_allow_reg` are on the LAN
//! though no interface is in them, and so are phones behind another router there.
//!
//! A host may be named. Until the DNS has said where a name of `hosts_deny_sip` is, nobody is heard: he could be it. A name of the
//! others means nobody until then. Once known it stays where it was while the DNS is silent.

use super::guard::Origin;
use super::io::{Prefix, Sink};
use super::settings::{AccessList, Settings};
use super::{Engine, Queries, Side};
use crate::dns::Answer;
use crate::host::Host;
use crate::limits::{MAX_ACCESS_NAMES, MAX_NAME_ADDRESSES};
use crate::log_class::{self as class, log};
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Seconds after which names are looked at again; the resolver asks when their TTL is over.
const RECHECK_SECS: u32 = 10;

/// One of the three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Deny,
    Sip,
    Register,
}

impl List {
    const ALL: [Self; 3] = [Self::Deny, Self::Sip, Self::Register];

    const fn directive(self) -> &'static str {
        match self {
            Self::Deny => "hosts_deny_sip",
            Self::Sip => "hosts_allow_sip",
            Self::Register => "hosts_allow_reg",
        }
    }
}

/// Where the DNS has found one name.
#[derive(Debug, Default)]
struct Whereabouts {
    addresses: heapless::Vec<IpAddr, MAX_NAME_ADDRESSES>,
    /// Whether the DNS has said anything, be it that there is no such name.
    is_known: bool,
    /// That it cannot be found has been logged.
    is_missed: bool,
}

impl Whereabouts {
    const fn new() -> Self {
        Self { addresses: heapless::Vec::new(), is_known: false, is_missed: false }
    }
}

/// What is known of the names in the lists. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Acl {
    names: [[Whereabouts; MAX_ACCESS_NAMES]; 3],
    /// When names are looked at next.
    due: Instant,
}

impl Acl {
    pub(super) const fn new() -> Self {
        Self { names: [const { [const { Whereabouts::new() }; MAX_ACCESS_NAMES] }; 3], due: Instant::ZERO }
    }

    /// The lists have changed: what is known of names that stay is kept, and the others are looked up.
    pub(super) fn follow(&mut self, before: &Settings, now: &Settings) {
        for list in List::ALL {
            let old = &before.access_list(list).names;
            let mut known = core::mem::replace(&mut self.names[list as usize], [const { Whereabouts::new() }; _]);
            for (place, name) in self.names[list as usize].iter_mut().zip(&now.access_list(list).names) {
                let at = old.iter().position(|before| before.host == name.host);
                if let Some(found) = at.and_then(|at| known.get_mut(at)) {
                    *place = core::mem::take(found);
                }
            }
        }
        self.due = Instant::ZERO;
    }
}

/// Why somebody is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Named,
    /// A name in the list of those who are denied is not known yet.
    Unresolved,
    NotNamed,
}

impl Refusal {
    const fn text(self) -> &'static str {
        match self {
            Self::Named => "hosts_deny_sip names it",
            Self::Unresolved => "a name in hosts_deny_sip cannot be resolved yet, and could be it",
            Self::NotNamed => "neither hosts_allow_sip nor hosts_allow_reg names it",
        }
    }
}

impl Settings {
    const fn access_list(&self, list: List) -> &AccessList {
        match list {
            List::Deny => &self.hosts_deny_sip,
            List::Sip => &self.hosts_allow_sip,
            List::Register => &self.hosts_allow_reg,
        }
    }
}

impl Engine {
    fn access_list(&self, list: List) -> &AccessList {
        self.settings().access_list(list)
    }

    /// Whether a list names `ip`, as far as is known.
    pub(super) fn is_named(&self, list: List, ip: IpAddr) -> bool {
        let access = self.access_list(list);
        let ip = ip.to_canonical();
        access.networks.iter().any(|network| network.contains(ip))
            || access.names.iter().zip(&self.acl.names[list as usize]).any(|(name, found)| {
                found.addresses.iter().any(|address| {
                    // The length is one of IPv4 (as in siproxd 0.8); of IPv6 it is the address itself.
                    let length = if address.is_ipv4() { name.length } else { 128 };
                    Prefix { address: *address, length }.contains(ip)
                })
            })
    }

    /// Whether a message is not to be read, by the access lists and its source. It is logged.
    pub(super) fn is_denied(&mut self, origin: Origin, from: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        // A server is a stranger until it has accepted our phone's first REGISTER. Others' responses are for no request of ours.
        let is_answer = origin == Origin::Stranger && bytes.starts_with(b"SIP/2.0 ");
        let may_send = origin == Origin::Known || is_answer;
        let Some(refusal) = self.refusal(may_send, from.host()) else { return false };
        let side = if origin == Origin::Phone { Side::Lan } else { Side::Wan };
        // Strangers are many, and nobody waits for them.
        if origin != Origin::Stranger && self.turned_away.is_new(side, from.host(), now) {
            log::warn!(target: class::ACL, "all from {} dropped: {}", from.host(), refusal.text());
        } else {
            log::debug!(target: class::ACL, "datagram from {from} dropped: {}", refusal.text());
        }
        true
    }

    /// Why `ip` is not heard; `may_send` where he need not be named for that.
    fn refusal(&self, may_send: bool, ip: IpAddr) -> Option<Refusal> {
        let settings = self.settings();
        if self.is_named(List::Deny, ip) {
            return Some(Refusal::Named);
        }
        let mut denied = settings.hosts_deny_sip.names.iter().zip(&self.acl.names[List::Deny as usize]);
        if denied.any(|(_, found)| !found.is_known) {
            return Some(Refusal::Unresolved);
        }
        let may_send = may_send
            || settings.hosts_allow_sip.is_empty()
            || self.is_named(List::Sip, ip)
            || self.is_named(List::Register, ip);
        if may_send { None } else { Some(Refusal::NotNamed) }
    }

    /// Whether a phone may register from `ip`.
    pub(super) fn may_register(&self, ip: IpAddr) -> bool {
        self.settings().hosts_allow_reg.is_empty() || self.is_named(List::Register, ip)
    }

    /// Whether `ip` is in a network of `hosts_allow_reg`, and is reached by the LAN for that reason. That everybody may register says
    /// nothing about where he is, and who is beside our WAN interface is there.
    pub(super) fn is_lan_by_list(&self, ip: IpAddr) -> bool {
        let mut networks = self.settings().hosts_allow_reg.networks.iter();
        networks.any(|network| network.length > 0 && network.contains(ip)) && !self.addresses.is_on_wan_interface(ip)
    }

    /// When names are to be looked at.
    pub(super) fn next_access_timeout(&self) -> Option<Instant> {
        let has_names = List::ALL.into_iter().any(|list| !self.access_list(list).names.is_empty());
        has_names.then_some(self.acl.due)
    }

    /// Looks at the names that are in the lists, if it is time.
    pub(super) fn access_timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        if self.next_access_timeout().is_some_and(|due| due <= now) {
            self.look_at_access_names(now, out);
        }
    }

    /// Takes what the DNS says of the names in the lists, and asks it where it is time.
    pub(super) fn look_at_access_names(&mut self, now: Instant, out: &mut dyn Sink) {
        self.acl.due = now.after_secs(RECHECK_SECS);
        for list in List::ALL {
            for at in 0..self.access_list(list).names.len() {
                let Some(host) = self.access_list(list).names.get(at).map(|name| name.host.clone()) else { continue };
                let answer = self.resolver.resolve(host.as_bytes(), now, &mut Queries(out));
                if let Some(found) = self.acl.names[list as usize].get_mut(at) {
                    found.take(list, &host, answer);
                }
            }
        }
    }
}

impl Whereabouts {
    fn take(&mut self, list: List, host: &str, answer: Answer) {
        let problem = match answer {
            Answer::Addresses(addresses) => {
                self.addresses = addresses;
                self.is_known = true;
                None
            }
            Answer::Pending => return,
            Answer::NoSuchName => {
                self.addresses.clear();
                self.is_known = true;
                Some("there is no such name, so that it means nobody")
            }
            Answer::ServersSilent if self.is_known => Some("no nameserver answers; it stays where it was"),
            Answer::ServersSilent if list == List::Deny => {
                Some("no nameserver answers; until one does, nobody is heard")
            }
            Answer::ServersSilent => Some("no nameserver answers; until one does, it means nobody"),
            Answer::Refused => Some("it is no name, or there are too many"),
        };
        match problem {
            Some(problem) if !self.is_missed => {
                log::warn!(target: class::ACL, "{} has {host}: {problem}", list.directive());
            }
            None if self.is_missed => log::info!(target: class::ACL, "{} has {host}: it is found", list.directive()),
            _ => {}
        }
        self.is_missed = problem.is_some();
    }
}
