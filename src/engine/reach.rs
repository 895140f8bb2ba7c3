//! Where a phone may send to, and whose challenges it may see.
//!
//! A request outside of a dialog goes to the servers of the phone's registrations, to those that serve other phones here, to the
//! outbound proxy, to other phones, and to `allow_domains`; nowhere else, so that a phone that was taken over cannot call through
//! whom it likes. A REGISTER may go anywhere: that is how a registration begins. Requests in a dialog go where the dialog is.
//!
//! A challenge (401, 407) reaches a phone only from the servers of its own account, and so does anything else that a digest is
//! computed from. A party to a call that challenges the BYE would otherwise be given a digest of the account's password, to be tried
//! against at leisure. The phone beside it is such a party too.

use super::Engine;
use super::call::NO_INVITE;
use super::cause::Cause;
use super::io::{Leg, Side, Sink};
use super::message::Received;
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::uri::Uri;
use crate::sip::{HeaderId, Method};
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
        let ip = to.host();
        if received.head.method == Method::Register || self.is_proxy_of(received, ip) {
            return Reach::Account;
        }
        let bytes = received.msg.bytes();
        let uri = self.first_foreign_route(received).or_else(|| Uri::parse(bytes, received.request_uri()).ok());
        // The name that leads there: a `maddr` goes before it.
        let host = uri.map_or(&[][..], |uri| self.located_host(bytes, &uri).of(bytes));
        // Where the phone has found the address itself, no name vouches for it.
        let host = if self.meant_for(received).is_some() { &[][..] } else { host };
        if self.serves_phone(received, host, ip, now) {
            return Reach::Account;
        }
        let in_dialog = !received.head.to_tag.is_empty();
        let may_go = in_dialog || self.side_of(to) == Side::Lan || self.is_known(ip) || self.is_allowed_domain(host);
        if !may_go {
            return Reach::Refused;
        }
        let from_host = Uri::parse(bytes, received.head.from.uri).map_or(&[][..], |from| from.host.of(bytes));
        // Whoever calls a phone chooses what it is called by, and so its From in that dialog.
        let is_own_name = host.eq_ignore_ascii_case(from_host) && (!in_dialog || self.is_caller(received, to));
        if is_own_name { Reach::Account } else { Reach::Others }
    }

    /// Whether the phone that sends a request in a dialog has begun the call, as far as we have seen: a call that was under way when it
    /// was first heard of may have been begun by the other party.
    fn is_caller(&self, received: &Received<'_>, to: SocketAddr) -> bool {
        let sender = (Side::Lan, received.from.host());
        let call_id = received.msg.get(received.head.call_id);
        let between = self.between(received, call_id, sender, (self.side_of(to), to.host()));
        let found = self.calls.find(&between, &self.transactions).filter(|found| found.sender == Leg::Caller);
        found.and_then(|found| self.calls.calls.get(found.call)).is_some_and(|call| call.invite_number != NO_INVITE)
    }

    /// Whether `ip`, or the domain `host`, keeps a registration of the phone that sends a request.
    fn serves_phone(&self, received: &Received<'_>, host: &[u8], ip: IpAddr, now: Instant) -> bool {
        let phone = received.from.host();
        // A phone with several accounts may call through another than that of its From.
        self.bindings.iter().any(|(_, b)| {
            b.valid
                && b.expires_at > now
                && b.place.address.host() == phone
                && b.registrar.is_some()
                && (b.domain().eq_ignore_ascii_case(host) || self.is_server_of(b, ip))
        })
    }

    /// Whether `ip` is one of the outbound proxy that a phone's request would go to.
    fn is_proxy_of(&self, received: &Received<'_>, ip: IpAddr) -> bool {
        let proxy = self.outbound_proxy(received);
        proxy.is_some_and(|(proxy, _)| self.domains.is_proxy(ip, Some(self.proxy_name(&proxy.host))))
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
        let (phone, hop, own_server) = (t.upstream, t.downstream.host(), t.own_server);
        if !matches!(status, 401 | 407) || !t.from_phone || self.may_challenge(received, phone.host(), hop, own_server)
        {
            return false;
        }
        let fork = t.part.fork();
        Self::log_foreign_challenge(received, status, phone);
        if !self.is_from_hop(received, phone.host(), hop) {
            return true;
        }
        if let Some(sender) = fork {
            self.refused_on_branch((sender, handle), status, Cause::ForeignChallenge, now, out);
        } else if let Some(t) = self.transactions.remove(handle) {
            if t.method == Method::Invite {
                self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out);
            }
            self.give_up(&t, Cause::ForeignChallenge, now, out);
        }
        true
    }

    /// Whether a challenge may reach the phone: it comes from where the request went, and that is a server of its account.
    pub(super) fn may_challenge(&self, received: &Received<'_>, phone: IpAddr, hop: IpAddr, own_server: bool) -> bool {
        own_server && self.is_from_hop(received, phone, hop)
    }

    /// Whether a response comes from the server that the request of a phone went to, or from another one of its account.
    pub(super) fn is_from_hop(&self, received: &Received<'_>, phone: IpAddr, hop: IpAddr) -> bool {
        let from = received.from.host();
        from == hop
            || self.domains.are_one_proxy(from, hop)
            || self.bindings.iter().any(|(_, b)| {
                b.valid && b.place.address.host() == phone && self.is_server_of(b, from) && self.is_server_of(b, hop)
            })
    }

    /// Takes out of a response what would have the phone compute a digest, where its sender may not ask for one: a challenge in another
    /// status than 401 and 407 (RFC 3329 has one in 494), and the next nonce (RFC 7615).
    pub(super) fn drop_foreign_challenges(
        &self,
        received: &Received<'_>,
        phone: IpAddr,
        (hop, own_server): (IpAddr, bool),
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        if self.may_challenge(received, phone, hop, own_server) {
            return Ok(());
        }
        let msg = received.msg;
        let is_challenge = |header: &&Header| match header.id {
            HeaderId::WwwAuthenticate | HeaderId::ProxyAuthenticate | HeaderId::AuthenticationInfo => true,
            HeaderId::Other => msg.get(header.name).eq_ignore_ascii_case(b"Proxy-Authentication-Info"),
            _ => false,
        };
        msg.headers().iter().filter(is_challenge).try_for_each(|header| edits.delete(header.line))
    }

    pub(super) fn log_foreign_challenge(received: &Received<'_>, status: u16, phone: SocketAddr) {
        log::warn!(
            target: class::ACL,
            "{status} from {} dropped: no server of the account of {phone}, which would give away a digest of its password",
            received.from,
        );
    }
}
