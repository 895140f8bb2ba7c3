//! Messages of rtnetlink, read and written by hand within bounds (rtnetlink(7)).
//!
//! What does not fit its frame is skipped; nothing here can panic.

use super::netlink::{
    Frame, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN, attributes, frames, u32_at,
};
use crate::engine::io::Prefix;
use crate::family::Family;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Multicast groups that tell of links and of addresses of both families.
pub(super) const GROUPS: u32 = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

/// Length of a dump request in bytes.
pub(super) const REQUEST: usize = NLMSG_HDRLEN + 16;

/// Multicast groups that tell of routes of both families.
pub(super) const ROUTE_GROUPS: u32 = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg`.
const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;
const RTMSG: usize = 12;

const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;

const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RT_TABLE_MAIN: u32 = 254;
const RTN_UNICAST: u8 = 1;
/// The first next hop's interface in `RTA_MULTIPATH` (`struct rtnexthop`).
const RTNH_IFINDEX: usize = 4;

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_POINTOPOINT: u32 = 1 << 4;
const IFF_RUNNING: u32 = 1 << 6;
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const RT_SCOPE_UNIVERSE: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    /// All links.
    Links,
    /// All addresses.
    Addresses,
    /// All routes.
    Routes,
}

/// A request for all objects of a kind; the answers carry `sequence`.
pub(super) fn request(dump: Dump, sequence: u32) -> [u8; REQUEST] {
    let kind = match dump {
        Dump::Links => RTM_GETLINK,
        Dump::Addresses => RTM_GETADDR,
        Dump::Routes => RTM_GETROUTE,
    };
    let mut bytes = [0; REQUEST];
    bytes[..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Sequence number of the request that it answers.
    pub(super) sequence: u32,
    /// Port of the socket that asked.
    pub(super) port: u32,
    /// The dump was disturbed by a change and must be repeated.
    pub(super) interrupted: bool,
    /// What it says.
    pub(super) body: Body<'a>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    /// A link exists.
    Link {
        /// Its number.
        index: u32,
        /// Its name, without the closing zero byte.
        name: &'a [u8],
        /// What it is, and how it is.
        state: LinkState,
    },
    /// A default route of the main table.
    DefaultRoute(DefaultRoute),
    /// An interface has an address.
    Address {
        /// The interface's number.
        index: u32,
        /// The address and the length of its network.
        prefix: Prefix,
        /// It can be put into messages: not tentative, deprecated, temporary, or of the link only.
        usable: bool,
    },
    /// Something was removed.
    Removed,
    /// The dump is complete.
    Done,
    /// The request failed.
    Error,
    /// Anything else.
    Other,
}

/// What a link is, and how it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the system")]
pub(super) struct LinkState {
    /// Administratively up.
    pub(super) is_up: bool,
    /// It has a carrier; a bridge, a port that has one.
    pub(super) is_running: bool,
    /// It leads to this host.
    pub(super) is_loopback: bool,
    /// A tunnel, or a line to a provider.
    pub(super) is_point_to_point: bool,
    /// Several links in one network.
    pub(super) is_bridge: bool,
}

/// Where packets go that no other route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DefaultRoute {
    /// Of which packets.
    pub(super) family: Family,
    /// The number of the interface that they leave by.
    pub(super) interface: u32,
    /// The route with the lowest counts.
    pub(super) metric: u32,
}

/// The messages of one datagram; ends at the first that does not fit.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    frames(bytes).map(|Frame { kind, flags, sequence, port, body }| Message {
        sequence,
        port,
        interrupted: flags & NLM_F_DUMP_INTR != 0,
        body: match kind {
            RTM_NEWLINK => link(body),
            RTM_NEWADDR => address(body).unwrap_or(Body::Other),
            RTM_NEWROUTE => default_route(body).map_or(Body::Other, Body::DefaultRoute),
            RTM_DELLINK | RTM_DELADDR | RTM_DELROUTE => Body::Removed,
            NLMSG_DONE => Body::Done,
            NLMSG_ERROR => Body::Error,
            _ => Body::Other,
        },
    })
}

fn link(body: &[u8]) -> Body<'_> {
    let (Some(index), Some(flags)) = (u32_at(body, 4), u32_at(body, 8)) else { return Body::Other };
    let name = attributes(body, IFINFOMSG).find(|(kind, _)| *kind == IFLA_IFNAME).map_or(&[][..], |(_, name)| name);
    let name = name.split(|&byte| byte == 0).next().unwrap_or(&[]);
    let info = attributes(body, IFINFOMSG).find(|(kind, _)| *kind == IFLA_LINKINFO).map_or(&[][..], |(_, info)| info);
    let kind = attributes(info, 0).find(|(kind, _)| *kind == IFLA_INFO_KIND).map_or(&[][..], |(_, kind)| kind);
    let state = LinkState {
        is_up: flags & IFF_UP != 0,
        is_running: flags & IFF_RUNNING != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        is_point_to_point: flags & IFF_POINTOPOINT != 0,
        is_bridge: kind.strip_suffix(b"\0").unwrap_or(kind) == b"bridge",
    };
    Body::Link { index, name, state }
}

fn default_route(body: &[u8]) -> Option<DefaultRoute> {
    let [family, length, _, _, table, _, _, kind] = *body.get(..8)?.first_chunk()?;
    let family = match family {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        _ => return None,
    };
    let (mut table, mut interface, mut metric) = (u32::from(table), None, 0);
    for (kind, value) in attributes(body, RTMSG) {
        match kind {
            RTA_OIF => interface = u32_at(value, 0),
            RTA_MULTIPATH => interface = interface.or(u32_at(value, RTNH_IFINDEX)),
            RTA_PRIORITY => metric = u32_at(value, 0).unwrap_or(0),
            RTA_TABLE => table = u32_at(value, 0).unwrap_or(table),
            _ => {}
        }
    }
    let is_default = length == 0 && kind == RTN_UNICAST && table == RT_TABLE_MAIN;
    Some(DefaultRoute { family, interface: interface.filter(|_| is_default)?, metric })
}

fn address(body: &[u8]) -> Option<Body<'_>> {
    let [family, length, flags, scope] = *body.get(..4)?.first_chunk()?;
    let index = u32_at(body, 4)?;
    let mut flags = u32::from(flags);
    let (mut local, mut other) = (None, None);
    for (kind, value) in attributes(body, IFADDRMSG) {
        match kind {
            // On a point-to-point link IFA_ADDRESS is the far end and IFA_LOCAL is ours.
            IFA_LOCAL => local = ip(family, value),
            IFA_ADDRESS => other = ip(family, value),
            IFA_FLAGS => flags = u32_at(value, 0).unwrap_or(flags),
            _ => {}
        }
    }
    let address = local.or(other)?;
    let passing = IFA_F_TEMPORARY | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE;
    let (usable, longest) = match address {
        IpAddr::V4(_) => (true, 32),
        IpAddr::V6(_) => (scope == RT_SCOPE_UNIVERSE && flags & passing == 0, 128),
    };
    Some(Body::Address { index, prefix: Prefix { address, length: length.min(longest) }, usable })
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        AF_INET6 => value.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::netlink::{NLA_HDRLEN, aligned};
    use super::*;
    use proptest::prelude::*;

    /// One message; the parts are given in this machine's byte order, so that the test holds on every machine.
    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((NLMSG_HDRLEN + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(4242u32.to_ne_bytes());
        bytes.extend(body);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((NLA_HDRLEN + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn link_body(index: u32, flags: u32, name: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(attribute(1, &[0; 6]));
        body.extend(attribute(IFLA_IFNAME, name));
        body
    }

    fn address_body(head: [u8; 4], index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = head.to_vec();
        body.extend(index.to_ne_bytes());
        body.extend(attributes.concat());
        body
    }

    fn bodies(bytes: &[u8]) -> Vec<Body<'_>> {
        messages(bytes).map(|message| message.body).collect()
    }

    #[test]
    fn links_and_the_end_of_the_dump() {
        let mut bytes = message(RTM_NEWLINK, 2, &link_body(3, 0x1043, b"br-lan\0"));
        bytes.extend(message(RTM_NEWLINK, 2 | NLM_F_DUMP_INTR, &link_body(4, 0x1002, b"wan\0")));
        bytes.extend(message(NLMSG_DONE, 2, &[0; 4]));
        let none = LinkState::default();
        assert_eq!(
            bodies(&bytes),
            [
                Body::Link { index: 3, name: b"br-lan", state: LinkState { is_up: true, is_running: true, ..none } },
                Body::Link { index: 4, name: b"wan", state: none },
                Body::Done
            ]
        );
        let all: Vec<_> = messages(&bytes).collect();
        assert!(all.iter().all(|message| message.sequence == 7 && message.port == 4242));
        assert_eq!(all.iter().map(|message| message.interrupted).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_point_to_point_link_has_our_own_address() {
        let peer = attribute(IFA_ADDRESS, &[192, 0, 2, 1]);
        let ours = attribute(IFA_LOCAL, &[203, 0, 113, 9]);
        let bytes = message(RTM_NEWADDR, 0, &address_body([AF_INET, 32, 0x80, 0], 5, &[peer, ours]));
        let prefix = Prefix { address: [203, 0, 113, 9].into(), length: 32 };
        assert_eq!(bodies(&bytes), [Body::Address { index: 5, prefix, usable: true }]);
    }

    #[test]
    fn ipv6_addresses_that_pass_are_not_usable() {
        let octets: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let usable = |scope: u8, short: u8, long: Option<u32>| {
            let mut attributes = vec![attribute(IFA_ADDRESS, &octets)];
            attributes.extend(long.map(|flags| attribute(IFA_FLAGS, &flags.to_ne_bytes())));
            let bytes = message(RTM_NEWADDR, 0, &address_body([AF_INET6, 64, short, scope], 5, &attributes));
            matches!(bodies(&bytes)[..], [Body::Address { usable: true, .. }])
        };
        assert!(usable(0, 0x80, None));
        assert!(!usable(253, 0x80, None));
        assert!(!usable(0, 0xc0, None));
        assert!(!usable(0, 0x80, Some(0x80 | IFA_F_DEPRECATED)));
        assert!(!usable(0, 0x80, Some(0x300 | IFA_F_TEMPORARY)));
    }

    #[test]
    fn a_bridge_and_default_routes() {
        let mut body = link_body(3, 0x1043, b"br-lan\0");
        body.extend(attribute(IFLA_LINKINFO | 1 << 15, &attribute(IFLA_INFO_KIND, b"bridge\0")));
        let bytes = message(RTM_NEWLINK, 2, &body);
        assert!(matches!(bodies(&bytes)[..], [Body::Link { state: LinkState { is_bridge: true, .. }, .. }]));
        let route = |family: u8, length: u8, table: u8, kind: u8, attributes: &[Vec<u8>]| {
            let mut body = vec![family, length, 0, 0, table, 3, 0, kind, 0, 0, 0, 0];
            body.extend(attributes.concat());
            message(RTM_NEWROUTE, 2, &body)
        };
        let out = attribute(RTA_OIF, &7u32.to_ne_bytes());
        let metric = attribute(RTA_PRIORITY, &100u32.to_ne_bytes());
        let found = |bytes: &[u8]| match bodies(bytes)[..] {
            [Body::DefaultRoute(route)] => Some(route),
            _ => None,
        };
        let wanted = DefaultRoute { family: Family::V4, interface: 7, metric: 100 };
        assert_eq!(found(&route(AF_INET, 0, 254, 1, &[out.clone(), metric])), Some(wanted));
        let hops = [[16u8, 0, 0, 0], 9u32.to_ne_bytes(), [0; 4], [0; 4]].concat();
        let wanted = DefaultRoute { family: Family::V6, interface: 9, metric: 0 };
        assert_eq!(found(&route(AF_INET6, 0, 254, 1, &[attribute(RTA_MULTIPATH, &hops)])), Some(wanted));
        for (length, table, kind) in [(8, 254, 1), (0, 200, 1), (0, 254, 7)] {
            assert_eq!(found(&route(AF_INET, length, table, kind, core::slice::from_ref(&out))), None);
        }
        let other = attribute(RTA_TABLE, &1000u32.to_ne_bytes());
        assert_eq!(found(&route(AF_INET, 0, 254, 1, &[out, other])), None);
    }

    #[test]
    fn a_message_longer_than_the_datagram_ends_it() {
        let mut bytes = message(NLMSG_DONE, 0, &[0; 4]);
        bytes[..4].copy_from_slice(&64u32.to_ne_bytes());
        assert_eq!(bodies(&bytes), []);
        bytes[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert_eq!(bodies(&bytes), []);
    }

    proptest! {
        #[test]
        fn random_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / NLMSG_HDRLEN);
        }

        #[test]
        fn damaged_messages_end(at in 0usize..80, value: u8) {
            let mut bytes = message(RTM_NEWLINK, 2, &link_body(3, 0x1043, b"br-lan\0"));
            let octets = attribute(IFA_ADDRESS, &[192, 0, 2, 1]);
            bytes.extend(message(RTM_NEWADDR, 0, &address_body([AF_INET, 24, 0, 0], 5, &[octets])));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            prop_assert!(messages(&bytes).count() <= 6);
        }
    }
}
