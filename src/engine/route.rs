//! Where a phone's request goes (RFC 3261 §16.5, §16.6 steps 6 and 7).
//!
//! The first Route that is not ours; else the outbound proxy; else the request-URI.

use super::answer::Cause;
use super::io::{Side, Sink};
use super::message::Received;
use super::{Engine, Queries};
use crate::dns::Answer;
use crate::sip::HeaderId;
use crate::sip::addr::NameAddr;
use crate::sip::message::Element;
use crate::sip::uri::{DEFAULT_PORT, Scheme, Uri};
use crate::time::Instant;
use core::net::SocketAddr;

/// Where a request is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To this address.
    Address(SocketAddr),
    /// It names one of our own addresses: it is for a phone that is registered here, or for ourselves.
    Ourselves,
}

/// Why there is no target now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unroutable {
    /// A name is being looked up.
    Pending,
    /// It cannot be routed.
    Because(Cause),
}

impl Engine {
    /// The target of a phone's request.
    pub(super) fn route(
        &mut self,
        received: &Received<'_>,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Result<Target, Unroutable> {
        let bytes = received.msg.bytes();
        if let Some(uri) = self.first_foreign_route(received) {
            return self.target_of(bytes, &uri, now, out);
        }
        let uri = Uri::parse(bytes, received.request_uri())
            .map_err(|_| Unroutable::Because(Cause::Malformed("the request-URI cannot be read")))?;
        if let Some(place) = self.place_in(bytes, &uri) {
            return Ok(Target::Address(place.address));
        }
        if self.is_own_uri(bytes, &uri) {
            return Ok(Target::Ourselves);
        }
        if let Some(proxy) = self.settings().outbound_proxy.clone() {
            let found = self.lookup(proxy.host.as_bytes(), proxy.port, now, out)?;
            self.outbound_proxy_ips.clear();
            let _ = self.outbound_proxy_ips.push(found.ip());
            return Ok(Target::Address(found));
        }
        self.target_of(bytes, &uri, now, out)
    }

    /// The first Route element that does not name us.
    pub(super) fn first_foreign_route(&self, received: &Received<'_>) -> Option<Uri> {
        let bytes = received.msg.bytes();
        let element = received.msg.elements(HeaderId::Route).find(|element| !self.is_own_route(bytes, element))?;
        Uri::parse(bytes, NameAddr::parse(bytes, element.span).ok()?.uri).ok()
    }

    fn target_of(&mut self, bytes: &[u8], uri: &Uri, now: Instant, out: &mut dyn Sink) -> Result<Target, Unroutable> {
        if uri.scheme != Scheme::Sip {
            return Err(Unroutable::Because(Cause::Scheme));
        }
        let port = uri.port.unwrap_or(DEFAULT_PORT);
        let address = self.lookup(uri.host.of(bytes), port, now, out)?;
        if self.is_own_address(address) {
            return Ok(Target::Ourselves);
        }
        Ok(Target::Address(address))
    }

    /// The address of a host: itself, or what the resolver knows.
    fn lookup(&mut self, host: &[u8], port: u16, now: Instant, out: &mut dyn Sink) -> Result<SocketAddr, Unroutable> {
        if let Some(ip) = crate::sip::uri::parse_ip(host) {
            return Ok(SocketAddr::new(ip, port));
        }
        match self.resolver.resolve(host, now, &mut Queries(out)) {
            Answer::Addresses(list) => {
                self.shortages.over(Cause::DnsSilent);
                list.first().map(|ip| SocketAddr::new(*ip, port)).ok_or(Unroutable::Because(Cause::NoSuchName))
            }
            Answer::Pending => Err(Unroutable::Pending),
            Answer::NoSuchName => Err(Unroutable::Because(Cause::NoSuchName)),
            Answer::ServersSilent if self.own(Side::Wan).is_none() => Err(Unroutable::Because(Cause::NoInterface)),
            Answer::ServersSilent | Answer::Refused => Err(Unroutable::Because(Cause::DnsSilent)),
        }
    }

    /// Whether a URI names us: one of our addresses with the SIP port.
    pub(super) fn is_own_uri(&self, bytes: &[u8], uri: &Uri) -> bool {
        let address = uri.ip(bytes).map(|ip| SocketAddr::new(ip, uri.port.unwrap_or(DEFAULT_PORT)));
        address.is_some_and(|address| self.is_own_address(address))
    }

    /// Whether an element of Route or Record-Route names us.
    pub(super) fn is_own_route(&self, bytes: &[u8], element: &Element) -> bool {
        NameAddr::parse(bytes, element.span)
            .and_then(|route| Uri::parse(bytes, route.uri))
            .is_ok_and(|uri| self.is_own_uri(bytes, &uri))
    }

    fn is_own_address(&self, address: SocketAddr) -> bool {
        let own_ip = self.addresses.is_own(address.ip()) || self.settings().host_outbound == Some(address.ip());
        own_ip && address.port() == self.settings().sip_listen_port
    }

    /// The side on which an address is.
    pub(super) fn side_of(&self, address: SocketAddr) -> Side {
        if self.is_lan(address.ip()) { Side::Lan } else { Side::Wan }
    }
}
