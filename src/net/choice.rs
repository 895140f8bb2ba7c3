//! Which interfaces are LAN and WAN, where the configuration does not say it.
//!
//! * **WAN** is where the default route leads: that of IPv4 with the lowest metric, else that of IPv6. While there is none it stays the
//!   one it was, as between two dial-ins.
//! * **LAN** is an interface beside it that is up and has a private network (RFC 1918) or a unique local one (RFC 4193). Of several it is
//!   `br-lan`, else the one it was, else a bridge, else the one that the system knew first. Tunnels and what is for virtual machines and
//!   containers do not count. Where there is none, it is the WAN interface, if its network is private: one-armed. A public network is
//!   nobody's LAN: who is in it is a stranger.

use super::ifaddr::Addresses;
use super::rtnetlink::{DefaultRoute, LinkState};
use crate::engine::Side;
use crate::engine::io::Prefix;
use crate::family::Family;
use core::fmt;
use core::net::IpAddr;

/// The bridge of the LAN on OpenWrt.
const USUAL_LAN: &str = "br-lan";

/// What the interfaces of virtual machines and containers are called.
const OF_GUESTS: [&str; 9] = ["docker", "virbr", "veth", "vnet", "lxc", "lxd", "podman", "cni", "br-"];

/// Digits of the number in the name of a bridge that docker makes, behind `br-`.
const DOCKER_DIGITS: usize = 12;

/// An interface's name.
pub(super) type Name = heapless::String<15>;

/// One interface as the system tells of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: Name,
    pub(super) state: LinkState,
    pub(super) v4: Addresses,
    pub(super) v6: Addresses,
}

impl Link {
    /// The network that makes a LAN of it.
    fn private(&self) -> Option<Prefix> {
        let is_private = |prefix: &&Prefix| match prefix.address {
            IpAddr::V4(ip) => ip.is_private(),
            IpAddr::V6(ip) => ip.is_unique_local(),
        };
        self.v4.iter().chain(&self.v6).find(is_private).copied()
    }

    /// Whether it has an address that all the world can reach.
    fn is_public(&self) -> bool {
        let is_public = |prefix: &Prefix| match prefix.address {
            IpAddr::V4(ip) => !ip.is_private() && !ip.is_link_local(),
            IpAddr::V6(_) => false,
        };
        self.v4.iter().any(is_public)
    }

    fn is_for_guests(&self) -> bool {
        OF_GUESTS.iter().any(|prefix| match self.name.strip_prefix(prefix) {
            Some(rest) if *prefix == "br-" => {
                rest.len() == DOCKER_DIGITS && rest.bytes().all(|b| b.is_ascii_hexdigit())
            }
            rest => rest.is_some(),
        })
    }

    fn may_be_lan(&self) -> bool {
        let LinkState { is_up, is_loopback, is_point_to_point, .. } = self.state;
        is_up && !is_loopback && !is_point_to_point && !self.is_for_guests() && self.private().is_some()
    }
}

/// Why a side has its interface, or has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Why {
    /// The configuration says so.
    #[default]
    Named,
    /// The default route of this family leads there.
    Route(Family),
    /// It led there.
    LedThere,
    /// There is no default route.
    NoRoute,
    /// It has this network, and is a bridge or not.
    Private(Prefix, bool),
    /// It is the only one with a private network.
    OneArmed(Prefix),
    /// No interface has a private network.
    NoPrivate,
    /// The only one has a public network.
    Public,
}

/// What is chosen for a side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) side: Option<Side>,
    /// Empty where there is none.
    pub(super) name: Name,
    pub(super) why: Why,
    /// Others that could have been it.
    pub(super) others: heapless::Vec<Name, 4>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, directive) = match self.side {
            Some(Side::Wan) => ("WAN", "if_outbound"),
            _ => ("LAN", "if_inbound"),
        };
        let name = &self.name;
        match self.why {
            Why::Named => write!(f, "{network} is {name}, as {directive} says"),
            Why::Route(Family::V4) => write!(f, "{network} is {name}: the default route leads there"),
            Why::Route(Family::V6) => {
                write!(f, "{network} is {name}: the default route of IPv6 leads there, and there is none of IPv4")
            }
            Why::LedThere => write!(f, "{network} stays {name}, where the default route led; there is none now"),
            Why::NoRoute => {
                write!(f, "there is no {network} yet: it will be where the default route leads, once there is one")
            }
            Why::Private(network_of, is_bridge) => {
                let kind = if is_bridge { "a bridge" } else { "an interface" };
                write!(f, "{network} is {name}: {kind} with the private network of {network_of}")
            }
            Why::OneArmed(prefix) => {
                write!(
                    f,
                    "{network} is {name}, as the WAN is: no other interface has a private network, and it has that of {prefix}"
                )
            }
            Why::NoPrivate => write!(f, "there is no {network} yet: no interface has a private network"),
            Why::Public => write!(
                f,
                "there is no {network}: the only interface has a public network, in which anybody may be; set {directive} if the \
                 phones are there"
            ),
        }?;
        if let Some((first, rest)) = self.others.split_first() {
            write!(f, "; {directive} would take another, such as {first}")?;
            rest.iter().try_for_each(|other| write!(f, " or {other}"))?;
        }
        Ok(())
    }
}

/// Chooses for both sides; `named` are the names that the configuration has, empty where it has none, and `before` what was chosen last.
pub(super) fn choose(
    links: &[Link],
    routes: &[DefaultRoute],
    named: &[String; 2],
    before: &[Choice; 2],
) -> [Choice; 2] {
    let wan = choose_wan(links, routes, &named[Side::Wan as usize], &before[Side::Wan as usize]);
    let lan = choose_lan(links, &wan, &named[Side::Lan as usize], &before[Side::Lan as usize]);
    [lan, wan]
}

fn as_named(side: Side, name: &str) -> Option<Choice> {
    // The parser has measured it: it fits.
    let name = Name::try_from(name).ok().filter(|name| !name.is_empty())?;
    Some(Choice { side: Some(side), name, ..Choice::default() })
}

fn choose_wan(links: &[Link], routes: &[DefaultRoute], named: &str, before: &Choice) -> Choice {
    let side = Some(Side::Wan);
    let best = routes
        .iter()
        .filter_map(|route| Some((route, links.iter().find(|link| link.index == route.interface && link.state.is_up)?)))
        .min_by_key(|(route, _)| (route.family as usize, route.metric));
    if let Some(choice) = as_named(Side::Wan, named) {
        return choice;
    }
    match best {
        Some((route, link)) => {
            Choice { side, name: link.name.clone(), why: Why::Route(route.family), ..Choice::default() }
        }
        None if before.name.is_empty() => Choice { side, why: Why::NoRoute, ..Choice::default() },
        None => Choice { side, name: before.name.clone(), why: Why::LedThere, ..Choice::default() },
    }
}

fn choose_lan(links: &[Link], wan: &Choice, named: &str, before: &Choice) -> Choice {
    let side = Some(Side::Lan);
    if let Some(choice) = as_named(Side::Lan, named) {
        return choice;
    }
    let rank = |link: &&Link| {
        let is_usual = link.name == USUAL_LAN;
        let is_it = link.name == before.name && before.why != Why::Named;
        (!is_usual, !is_it, !link.state.is_running, !link.state.is_bridge, link.index)
    };
    let candidates = || links.iter().filter(|link| link.may_be_lan() && link.name != wan.name);
    let Some(best) = candidates().min_by_key(rank) else {
        let wan_link = links.iter().find(|link| link.name == wan.name && link.state.is_up);
        let why = match wan_link.map(|link| (link.private(), link.is_public())) {
            Some((Some(prefix), false)) => Why::OneArmed(prefix),
            Some((_, true)) => Why::Public,
            _ => Why::NoPrivate,
        };
        let name = if matches!(why, Why::OneArmed(_)) { wan.name.clone() } else { Name::new() };
        return Choice { side, name, why, ..Choice::default() };
    };
    let why = best.private().map_or(Why::NoPrivate, |prefix| Why::Private(prefix, best.state.is_bridge));
    let others = candidates().filter(|link| link.index != best.index).map(|link| link.name.clone()).take(4).collect();
    Choice { side, name: best.name.clone(), why, others }
}

#[cfg(test)]
mod tests;
