//! Where a phone may send to, and whose challenges it may see.
//!
//! A request outside of a dialog goes to the servers of the phone's registrations, to those that serve other phones here, to the
//! outbound proxy, to other phones, and to `allow_domains`; nowhere else, so that a phone that was taken over cannot call through
//! whom it likes. A REGISTER may go anywhere: that is how a registration begins. Requests in a dialog go where the dialog is.
//!
//! A challenge (401, 407) reaches a phone only from the servers of its own account. A party to a call that challenges the BYE
//! would otherwise be given a digest of the account's password, to be tried against at leisure.

use super::Engine;
use super::cause::Cause;
use super::io::{Side, Sink};
use super::message::Received;
use crate::log_class as class;
use crate::sip::Method;
use crate::sip::uri::Uri;
use crate::table::Handle;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To a server of the phone's account, which may ask for its password.
    Account,
    /// To somebody else, who may not.
    Others,
    /// No further.
    Refused,
}

impl Engine {
    /// Whether a phone's request may go to the server `to`, which its request-URI or Route names.
    pub(super) fn reach(&self, received: &Received<'_>, to: SocketAddr, now: Instant) -> Reach {
        let ip = to.ip();
        if received.head.method == Method::Register
            || self.side_of(to) == Side::Lan
            || self.is_proxy_of(received, ip)
            || self.settings().wan_allow.iter().any(|prefix| prefix.contains(ip))
        {
            return Reach::Account;
        }
        let bytes = received.msg.bytes();
        let uri = self.first_foreign_route(received).or_else(|| Uri::parse(bytes, received.request_uri()).ok());
        let host = uri.map_or(&[][..], |uri| uri.host.of(bytes));
        let from_host = Uri::parse(bytes, received.head.from.uri).map_or(&[][..], |from| from.host.of(bytes));
        let in_dialog = !received.head.to_tag.is_empty();
        let is_own = self.serves_phone(received, host, ip, now);
        if is_own || (in_dialog && (self.is_known(ip) || host.eq_ignore_ascii_case(from_host))) {
            return Reach::Account;
        }
        if !in_dialog && !self.is_known(ip) && !self.is_allowed_domain(host) {
            return Reach::Refused;
        }
        if host.eq_ignore_ascii_case(from_host) { Reach::Account } else { Reach::Others }
    }

    /// Whether `ip`, or the domain `host`, keeps a registration of the phone that sends a request.
    fn serves_phone(&self, received: &Received<'_>, host: &[u8], ip: IpAddr, now: Instant) -> bool {
        let phone = received.from.ip();
        let serves = |registrar: SocketAddr, aor: &[u8]| {
            let domain = aor.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
            registrar.ip() == ip || domain.eq_ignore_ascii_case(host) || self.is_beside(ip, registrar.ip())
        };
        let aor = super::binding::aor_text(received.msg.bytes(), received.head.from.uri);
        let of_sender = aor.and_then(|aor| Some(serves(self.bindings.registrar_of(&aor, phone, now)?.0, &aor)));
        // A phone with several accounts may call through another than that of its From: only then is the table searched.
        of_sender == Some(true)
            || self.bindings.iter().any(|(_, binding)| {
                binding.valid
                    && binding.expires_at > now
                    && binding.place.address.ip() == phone
                    && binding.registrar.is_some_and(|registrar| serves(registrar, &binding.aor))
            })
    }

    /// Whether `ip` is one of the outbound proxy that a phone's request would go to.
    fn is_proxy_of(&self, received: &Received<'_>, ip: IpAddr) -> bool {
        let proxy = self.outbound_proxy(received);
        proxy.is_some_and(|(proxy, _)| self.domains.is_proxy(ip, Some(self.proxy_name(&proxy.host))))
    }

    /// Whether the DNS names two addresses as servers of one domain.
    fn is_beside(&self, ip: IpAddr, other: IpAddr) -> bool {
        self.domains.has_beside(ip, |beside| beside == other)
    }

    /// Whether `host` is in `allow_domains`, or below a domain there.
    fn is_allowed_domain(&self, host: &[u8]) -> bool {
        self.settings().allow_domains.iter().any(|domain| {
            let above = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
            domain == "*"
                || above.is_some_and(|(below, host)| {
                    host.eq_ignore_ascii_case(domain.as_bytes()) && (below.is_empty() || below.ends_with(b"."))
                })
        })
    }

    /// Takes a challenge; `true` where it ends here. One from the next hop itself ends the request: the phone is told.
    pub(super) fn is_foreign_challenge(
        &mut self,
        received: &Received<'_>,
        status: u16,
        handle: Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        let Some(t) = self.transactions.get(handle) else { return false };
        if !matches!(status, 401 | 407) || !t.from_phone || t.downstream_side == Side::Lan {
            return false;
        }
        let hop = t.downstream.ip();
        if self.may_challenge(received, hop, t.own_server) {
            return false;
        }
        Self::log_foreign_challenge(received, status, t.upstream);
        if self.is_from_hop(received, hop)
            && let Some(t) = self.transactions.remove(handle)
        {
            if t.method == Method::Invite {
                self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out);
            }
            self.give_up(&t, Cause::ForeignChallenge, now, out);
        }
        true
    }

    /// Whether a challenge may reach the phone: it comes from where the request went, and that is a server of its account.
    pub(super) fn may_challenge(&self, received: &Received<'_>, hop: IpAddr, own_server: bool) -> bool {
        own_server && self.is_from_hop(received, hop)
    }

    /// Whether a response comes from the server that the request went to, or from one beside it.
    fn is_from_hop(&self, received: &Received<'_>, hop: IpAddr) -> bool {
        let from = received.from.ip();
        from == hop || self.is_beside(from, hop)
    }

    pub(super) fn log_foreign_challenge(received: &Received<'_>, status: u16, phone: SocketAddr) {
        log::warn!(
            target: class::ACL,
            "{status} from {} dropped: no server of the account of {phone}, which would give away a digest of its password",
            received.from,
        );
    }
}
