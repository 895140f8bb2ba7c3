//! What the configuration tells the engine.

use super::io::{Prefix, Side};
use crate::limits::{
    MAX_ACCESS_NAMES, MAX_ALLOWED_DOMAINS, MAX_BINDINGS, MAX_CALLS, MAX_MASKED_HOSTS, MAX_NAME, MAX_OUTBOUND_DOMAINS,
    MAX_PREFIXES, MAX_UA_STRING,
};
use crate::sip::via::Transport;
use core::fmt::Write as _;
use core::net::IpAddr;

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address as written.
    pub host: heapless::String<MAX_NAME>,
    /// Port; 0 where none is given: then the DNS names the servers (RFC 3263).
    pub port: u16,
}

/// The outbound proxies of single domains. Starts as all zero bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundDomains {
    /// `domain host port`, a line each.
    lines: heapless::String<MAX_OUTBOUND_DOMAINS>,
}

impl OutboundDomains {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: heapless::String::new() }
    }

    /// Adds a domain with its proxy; `port` is 0 where the DNS names it. Neither name has a blank.
    ///
    /// # Errors
    /// There is no room; then nothing is added.
    pub fn push(&mut self, domain: &str, host: &str, port: u16) -> Result<(), CapacityError> {
        let before = self.lines.len();
        writeln!(self.lines, "{domain} {host} {port}").map_err(|_| {
            self.lines.truncate(before);
            CapacityError
        })
    }

    /// The proxy of a domain; the first where there are several.
    #[must_use]
    pub fn find(&self, domain: &[u8]) -> Option<HostPort> {
        let mut lines = self.lines.lines().map(|line| line.splitn(3, ' '));
        let mut words = lines.find_map(|mut words| {
            words.next().is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(domain)).then_some(words)
        })?;
        let host = heapless::String::try_from(words.next()?).ok()?;
        Some(HostPort { host, port: words.next()?.parse().ok()? })
    }
}

/// Hosts of addresses-of-record, and what the outside knows each by. Starts as all zero bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedHosts {
    /// `mask_host masked_host`, a line each.
    lines: heapless::String<MAX_MASKED_HOSTS>,
}

impl MaskedHosts {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: heapless::String::new() }
    }

    /// Adds a host with what it is known by. Neither has a blank.
    ///
    /// # Errors
    /// There is no room; then nothing is added.
    pub fn push(&mut self, mask: &str, masked: &str) -> Result<(), CapacityError> {
        let before = self.lines.len();
        writeln!(self.lines, "{mask} {masked}").map_err(|_| {
            self.lines.truncate(before);
            CapacityError
        })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What a `mask_host` is known by; the first where there are several.
    #[must_use]
    pub fn of_mask(&self, host: &[u8]) -> Option<&str> {
        self.pairs().find(|(mask, _)| mask.as_bytes().eq_ignore_ascii_case(host)).map(|(_, masked)| masked)
    }

    /// Each `mask_host` that is known by this `masked_host`.
    pub fn of_masked<'a>(&'a self, host: &'a [u8]) -> impl Iterator<Item = &'a str> {
        self.pairs().filter(|(_, masked)| masked.as_bytes().eq_ignore_ascii_case(host)).map(|(mask, _)| mask)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.lines().filter_map(|line| line.split_once(' '))
    }
}

impl Default for OutboundDomains {
    fn default() -> Self {
        Self::new()
    }
}

/// There is no room for another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityError;

/// A list of networks.
pub type Prefixes = heapless::Vec<Prefix, MAX_PREFIXES>;

/// A host by name in an [`AccessList`], and how many bits of its addresses count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedHost {
    /// Its name.
    pub host: heapless::String<MAX_NAME>,
    /// Bits of an IPv4 address that count, at most 32; those of an IPv6 address count all.
    pub length: u8,
}

/// An access list: networks, and hosts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    /// Networks.
    pub networks: Prefixes,
    /// Hosts by name.
    pub names: heapless::Vec<NamedHost, MAX_ACCESS_NAMES>,
}

impl AccessList {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { networks: Prefixes::new(), names: heapless::Vec::new() }
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.names.is_empty()
    }

    /// Adds the entries of another list.
    ///
    /// # Errors
    /// There is no room; a part may have been added.
    pub fn add(&mut self, more: &Self) -> Result<(), CapacityError> {
        self.networks.extend_from_slice(&more.networks).map_err(|_| CapacityError)?;
        self.names.extend_from_slice(&more.names).map_err(|_| CapacityError)
    }
}

/// A list of domains.
pub type Domains = heapless::Vec<heapless::String<MAX_NAME>, MAX_ALLOWED_DOMAINS>;

/// The directives that the engine acts on, with the names and units of `siproxd.conf`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sip_listen_port`
    pub sip_listen_port: u16,
    /// `host_outbound`, where it is an address.
    pub host_outbound: Option<IpAddr>,
    /// `host_outbound`, where it is a name; else empty.
    pub host_outbound_name: heapless::String<MAX_NAME>,
    /// `rtp_proxy_enable`
    pub rtp_proxy_enable: bool,
    /// `rtp_port_low`, even.
    pub rtp_port_low: u16,
    /// `rtp_port_high`, even: the last RTP port; its RTCP port is one above.
    pub rtp_port_high: u16,
    /// Whether enough is kept of each dialog to hang up for its parties.
    pub keep_dialogs: bool,
    /// `rtp_timeout_bye`
    pub rtp_timeout_bye: bool,
    /// `default_expires`, seconds.
    pub default_expires: u32,
    /// `lan_expires`, seconds; 0 is off.
    pub lan_expires: u32,
    /// `outbound_proxy_host` and `outbound_proxy_port`
    pub outbound_proxy: Option<HostPort>,
    /// `outbound_proxy_transport`; `None`: as the DNS says.
    pub outbound_proxy_transport: Option<Transport>,
    /// `outbound_domain_name`, `outbound_domain_host` and `outbound_domain_port`
    pub outbound_domains: OutboundDomains,
    /// `topology_hiding`
    pub topology_hiding: bool,
    /// `obscure_loops`; acts with `topology_hiding` alone.
    pub obscure_loops: bool,
    /// `use_rport`: bit 0 towards phones, bit 1 towards the Internet.
    pub use_rport: u8,
    /// `ua_string`; empty where there is none.
    pub ua_string: heapless::String<MAX_UA_STRING>,
    /// `sip_keepalive`, seconds; 0 is off.
    pub sip_keepalive: u32,
    /// `lan_networks`; empty: the prefixes of `if_inbound`.
    pub lan_networks: Prefixes,
    /// `wan_allow`
    pub wan_allow: Prefixes,
    /// `hosts_allow_reg`
    pub hosts_allow_reg: AccessList,
    /// `hosts_allow_sip`
    pub hosts_allow_sip: AccessList,
    /// `hosts_deny_sip`
    pub hosts_deny_sip: AccessList,
    /// `allow_domains`; `*` allows all.
    pub allow_domains: Domains,
    /// `mask_host` and `masked_host`
    pub masked_hosts: MaskedHosts,
    /// `max_calls`
    pub max_calls: usize,
    /// `max_bindings`
    pub max_bindings: usize,
}

impl Settings {
    /// What holds without any directive.
    pub const DEFAULT: Self = Self {
        sip_listen_port: 5060,
        host_outbound: None,
        host_outbound_name: heapless::String::new(),
        rtp_proxy_enable: true,
        rtp_port_low: 7070,
        rtp_port_high: 7088,
        keep_dialogs: true,
        rtp_timeout_bye: false,
        default_expires: 3600,
        lan_expires: 0,
        outbound_proxy: None,
        outbound_proxy_transport: None,
        outbound_domains: OutboundDomains::new(),
        topology_hiding: true,
        obscure_loops: false,
        use_rport: 3,
        ua_string: heapless::String::new(),
        sip_keepalive: 25,
        lan_networks: Prefixes::new(),
        wan_allow: Prefixes::new(),
        hosts_allow_reg: AccessList::new(),
        hosts_allow_sip: AccessList::new(),
        hosts_deny_sip: AccessList::new(),
        allow_domains: Domains::new(),
        masked_hosts: MaskedHosts::new(),
        max_calls: MAX_CALLS,
        max_bindings: MAX_BINDINGS,
    };

    /// The parameter of our Via that asks for answers at the port that a request left from, where `use_rport` has it (RFC 3581 §3).
    pub(super) const fn rport_towards(&self, side: Side) -> &'static str {
        if self.use_rport & 1 << side as u8 == 0 { "" } else { ";rport" }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
