//! Where a phone's request goes (RFC 3261 §16.5, §16.6 steps 6 and 7).
//!
//! Where the router took it on its way to a server, that server. Else the first Route that is not ours; else the outbound proxy, that of the From's domain before the general one; else the request-URI. What it names becomes a list of servers by
//! RFC 3263 (see [`crate::dns::locate()`]). At the head of the list comes the server that keeps the phone's registration,
//! where the request goes to the same domain: it knows the phone. Servers that failed lately come last (see `failover`).

use super::cause::Cause;
use super::contact::Place;
use super::hop::Spare;
use super::io::{Side, Sink};
use super::message::Received;
use super::settings::HostPort;
use super::{Engine, Queries};
use crate::dns::{self, Candidate, Candidates, Located, Transport, Transports};
use crate::host::Host;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::message::Element;
use crate::sip::uri::{DEFAULT_PORT, Scheme, Uri, parse_ip};
use crate::sip::via;
use crate::sip::{HeaderId, Method};
use crate::span::Span;
use crate::time::Instant;
use core::net::SocketAddr;

/// The transports that requests leave by.
pub(super) const TRANSPORTS: Transports = Transports { tcp: true, tls: false };

/// Where a request is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
pub(super) enum Target {
    /// To a server or a phone.
    Server {
        /// The one to be tried first.
        to: SocketAddr,
        /// How it is reached, and so are the others.
        transport: via::Transport,
        /// Those to be tried after it.
        spare: Spare,
    },
    /// To a phone of ours, by our token in the request-URI.
    Phone(Place),
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
        if let Some(to) = self.meant_for(received) {
            return Ok(Target::Server { to, transport: received.on.kind(), spare: Spare::default() });
        }
        if let Some(uri) = self.first_foreign_route(received) {
            return self.target_of(received, &uri, now, out);
        }
        let uri = Uri::parse(bytes, received.request_uri())
            .map_err(|_| Unroutable::Because(Cause::Malformed("the request-URI cannot be read")))?;
        if let Some(place) = self.place_in(bytes, &uri) {
            return Ok(Target::Phone(place));
        }
        let is_ours = self.is_own_uri(bytes, &uri) || self.phone_of_masked(bytes, &uri, now).is_some();
        if is_ours && !self.has_own_maddr(bytes, &uri) {
            return Ok(Target::Ourselves);
        }
        // A place on the LAN is reached without the proxy, which could not lead back to it.
        let is_on_lan = uri.ip(bytes).is_some_and(|ip| self.is_lan(ip));
        if let Some((proxy, transport)) = self.outbound_proxy(received).filter(|_| !is_on_lan) {
            let port = (proxy.port != 0).then_some(proxy.port);
            let target = dns::Target { host: proxy.host.as_bytes(), port, transport };
            // Through the proxy go all registrations, whatever their domain.
            let pinned = self.registrar_of_sender(received, None, (port, transport), now);
            let (candidates, more) = self.locate(received, target, pinned, now, out)?;
            self.note_proxy(&proxy.host, (port, transport), &candidates, more, now);
            return self.first_of(received, transport, candidates, more, now);
        }
        self.target_of(received, &uri, now, out)
    }

    /// Where a phone sent a request that the router took for us: it has found its next hop itself, and no proxy of ours goes before it.
    /// What names a phone of ours needs no server.
    pub(super) fn meant_for(&self, received: &Received<'_>) -> Option<SocketAddr> {
        let to = received
            .meant_for
            .filter(|to| self.side_of(*to) == Side::Wan && !self.addresses.is_broadcast(to.host()))?;
        let bytes = received.msg.bytes();
        let names_phone =
            Uri::parse(bytes, received.request_uri()).is_ok_and(|uri| self.place_in(bytes, &uri).is_some());
        (!names_phone && !to.host().is_multicast() && !self.is_own_address(to)).then_some(to)
    }

    /// The outbound proxy for a phone's request, by the domain of its From, and how it is reached.
    pub(super) fn outbound_proxy(&self, received: &Received<'_>) -> Option<(HostPort, Option<Transport>)> {
        let from = Uri::parse(received.msg.bytes(), received.head.from.uri);
        self.proxy_of_domain(from.map_or(&[][..], |from| from.host.of(received.msg.bytes())))
    }

    /// The outbound proxy for phones of a domain, and how it is reached.
    pub(super) fn proxy_of_domain(&self, domain: &[u8]) -> Option<(HostPort, Option<Transport>)> {
        let settings = self.settings();
        match settings.outbound_domains.find(domain) {
            Some(proxy) => Some((proxy, None)),
            None => Some((settings.outbound_proxy.clone()?, settings.outbound_proxy_transport.map(of_dns))),
        }
    }

    /// The first Route element that does not name us.
    pub(super) fn first_foreign_route(&self, received: &Received<'_>) -> Option<Uri> {
        let bytes = received.msg.bytes();
        let element = received.msg.elements(HeaderId::Route).find(|element| !self.is_own_route(bytes, element))?;
        Uri::parse(bytes, NameAddr::parse(bytes, element.span).ok()?.uri).ok()
    }

    fn target_of(
        &mut self,
        received: &Received<'_>,
        uri: &Uri,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Result<Target, Unroutable> {
        if uri.scheme != Scheme::Sip {
            return Err(Unroutable::Because(Cause::Scheme));
        }
        let bytes = received.msg.bytes();
        let transport = transport_of(bytes, uri).map_err(Unroutable::Because)?;
        let host = self.located_host(bytes, uri).of(bytes);
        let target = if self.has_own_maddr(bytes, uri) {
            dns::Target { host, port: None, transport: None }
        } else {
            dns::Target { host, port: uri.port, transport }
        };
        let pinned = self.registrar_of_sender(received, Some(target.host), (uri.port, transport), now);
        let (candidates, more) = self.locate(received, target, pinned, now, out)?;
        self.first_of(received, transport, candidates, more, now)
    }

    /// The server that keeps the registration under which a phone sends a request, where it is in `domain`, has `port` and is on the
    /// transport that is written.
    fn registrar_of_sender(
        &self,
        received: &Received<'_>,
        domain: Option<&[u8]>,
        (port, written): (Option<u16>, Option<Transport>),
        now: Instant,
    ) -> Option<(SocketAddr, Transport)> {
        let aor = super::binding::aor_text(received.msg.bytes(), received.head.from.uri)?;
        let host = aor.rsplit(|byte| *byte == b'@').next()?;
        if domain.is_some_and(|domain| !domain.eq_ignore_ascii_case(host)) {
            return None;
        }
        let (registrar, transport) = self.bindings.registrar_of(&aor, received.from.host(), now)?;
        let transport = of_dns(transport);
        let fits = port.is_none_or(|port| port == registrar.port()) && written.is_none_or(|it| it == transport);
        fits.then_some((registrar, transport))
    }

    /// The servers of a target, with the one that is pinned first, and whether more are being looked up.
    fn locate(
        &mut self,
        received: &Received<'_>,
        target: dns::Target<'_>,
        pinned: Option<(SocketAddr, Transport)>,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Result<(Candidates, bool), Unroutable> {
        let registers = received.head.method == Method::Register;
        // One Call-ID, one choice among servers of equal priority: a dialog stays together, and so does a registration.
        let [seed @ .., _, _, _, _, _, _, _, _] = self.key.hash("server", &[received.msg.get(received.head.call_id)]);
        let located =
            dns::locate(&mut self.resolver, target, TRANSPORTS, u64::from_be_bytes(seed), now, &mut Queries(out));
        let (mut candidates, more) = match located {
            Located::Candidates { list, more } => {
                self.shortages.over(Cause::DnsSilent);
                (list, more)
            }
            // The pinned server will do without the DNS, but for a registration, which may have to move away from it.
            Located::Pending if pinned.is_some() && !registers => (Candidates::new(), true),
            Located::ServersSilent | Located::Refused if pinned.is_some() => (Candidates::new(), false),
            Located::Pending => return Err(Unroutable::Pending),
            Located::NoSuchName => return Err(Unroutable::Because(Cause::NoSuchName)),
            Located::NoTransport => return Err(Unroutable::Because(Cause::Transport)),
            Located::ServersSilent if self.own(Side::Wan).is_none() => {
                return Err(Unroutable::Because(Cause::NoInterface));
            }
            Located::ServersSilent | Located::Refused => return Err(Unroutable::Because(Cause::DnsSilent)),
        };
        if let Some((address, transport)) = pinned {
            let place = candidates.iter().position(|candidate| candidate.address == address);
            if let Some(place) = place {
                candidates.get_mut(..=place).unwrap_or_default().rotate_right(1);
            } else if !registers || candidates.is_empty() {
                candidates.truncate(crate::limits::MAX_NAME_ADDRESSES - 1);
                // A place has just been made.
                let _ = candidates.insert(0, Candidate { transport, address });
            }
        }
        Ok((candidates, more))
    }

    /// The first of a target's servers, and those behind it. A large request goes to one on TCP, where there is one and the URI does
    /// not say otherwise (RFC 3261 §18.1.1).
    fn first_of(
        &self,
        received: &Received<'_>,
        written: Option<Transport>,
        mut candidates: Candidates,
        more: bool,
        now: Instant,
    ) -> Result<Target, Unroutable> {
        let is_tcp = |candidate: &Candidate| candidate.transport == Transport::Tcp;
        let prefers_udp = candidates.first().is_some_and(|first| !is_tcp(first));
        let is_large = written.is_none() && received.msg.bytes().len() > super::retransmit::LARGE;
        let or_udp = is_large && prefers_udp && candidates.iter().any(is_tcp);
        if or_udp {
            candidates.retain(is_tcp);
        }
        let (first, mut spare) = self.choose(&candidates, more, now).ok_or(Unroutable::Because(Cause::NoSuchName))?;
        let to = first.address;
        spare.or_udp = or_udp;
        if self.is_own_address(to) {
            return Ok(Target::Ourselves);
        }
        spare.list.retain(|server| !self.is_own_address(*server));
        Ok(Target::Server { to, transport: of_sip(first.transport), spare })
    }

    /// The host that a URI leads to: that of `maddr`, unless it names us.
    pub(super) fn located_host(&self, bytes: &[u8], uri: &Uri) -> Span {
        maddr_of(bytes, uri).filter(|_| !self.has_own_maddr(bytes, uri)).unwrap_or(uri.host)
    }

    /// Whether a URI names us: one of our addresses with the SIP port.
    pub(super) fn is_own_uri(&self, bytes: &[u8], uri: &Uri) -> bool {
        let host = maddr_of(bytes, uri).unwrap_or(uri.host);
        let address = parse_ip(host.of(bytes)).map(|ip| SocketAddr::new(ip, uri.port.unwrap_or(DEFAULT_PORT)));
        address.is_some_and(|address| self.is_own_address(address))
    }

    /// Whether a URI has come here by its `maddr` alone: without that it leads to its host (RFC 3261 §16.4).
    fn has_own_maddr(&self, bytes: &[u8], uri: &Uri) -> bool {
        maddr_of(bytes, uri).is_some()
            && self.is_own_uri(bytes, uri)
            && !uri.ip(bytes).is_some_and(|ip| self.addresses.is_own(ip))
    }

    /// Takes out of the request-URI a `maddr` that names us, with the port and transport that belong to it (RFC 3261 §16.4).
    pub(super) fn drop_own_maddr(&self, received: &Received<'_>, edits: &mut Edits) -> Result<(), EditError> {
        let bytes = received.msg.bytes();
        let Ok(uri) = Uri::parse(bytes, received.request_uri()) else { return Ok(()) };
        if edits.touches(uri.whole) || !self.has_own_maddr(bytes, &uri) {
            return Ok(());
        }
        edits.delete(Span::new(uri.host.end, uri.hostport.end))?;
        let params = [b"maddr".as_slice(), b"transport"].into_iter().filter_map(|name| uri.param(bytes, name));
        params.map(|param| param.whole).try_for_each(|param| edits.delete(param))
    }

    /// Whether an element of Route or Record-Route names us.
    pub(super) fn is_own_route(&self, bytes: &[u8], element: &Element) -> bool {
        NameAddr::parse(bytes, element.span)
            .and_then(|route| Uri::parse(bytes, route.uri))
            .is_ok_and(|uri| self.is_own_uri(bytes, &uri))
    }

    pub(super) fn is_own_address(&self, address: SocketAddr) -> bool {
        let own_ip = self.addresses.is_own(address.host()) || self.is_outside(address.host());
        own_ip && address.port() == self.settings().sip_listen_port
    }

    /// The side on which an address is.
    pub(super) fn side_of(&self, address: SocketAddr) -> Side {
        if self.is_lan(address.host()) { Side::Lan } else { Side::Wan }
    }
}

fn maddr_of(bytes: &[u8], uri: &Uri) -> Option<Span> {
    uri.param(bytes, b"maddr")?.value
}

/// The transport that a URI asks for (RFC 3261 §19.1.1). What asks for secrecy is not sent in the clear.
pub(super) fn transport_of(bytes: &[u8], uri: &Uri) -> Result<Option<Transport>, Cause> {
    let Some(value) = uri.param(bytes, b"transport").and_then(|param| param.value) else { return Ok(None) };
    match value.of(bytes) {
        text if text.eq_ignore_ascii_case(b"udp") => Ok(Some(Transport::Udp)),
        text if text.eq_ignore_ascii_case(b"tcp") => Ok(Some(Transport::Tcp)),
        text if text.eq_ignore_ascii_case(b"tls") => Ok(Some(Transport::Tls)),
        _ => Err(Cause::Transport),
    }
}

const fn of_dns(transport: via::Transport) -> Transport {
    match transport {
        via::Transport::Tcp => Transport::Tcp,
        via::Transport::Tls => Transport::Tls,
        via::Transport::Udp | via::Transport::Other => Transport::Udp,
    }
}

pub(super) const fn of_sip(transport: Transport) -> via::Transport {
    match transport {
        Transport::Udp => via::Transport::Udp,
        Transport::Tcp => via::Transport::Tcp,
        Transport::Tls => via::Transport::Tls,
    }
}
