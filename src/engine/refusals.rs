//! Registrations that have failed lately, and why, for who sets up a phone: the phone itself seldom tells. One is forgotten once the phone
//! has registered.
//!
//! ```text
//!   REGISTER ──▶ 401, 407 to one without credentials, or stale=true: the phone goes on with it ──▶ nothing
//!            ├─▶ 2xx ──▶ forgotten
//!            └─▶ any other final response, of the registrar or our own ──▶ noted
//! ```
//! Phones choose what they send: the places are few, and none of them pushes out what others failed while it has one itself.

use super::Engine;
use super::binding::aor_text;
use super::cause::Cause;
use super::guard::Origin;
use super::message::Received;
use super::transaction::Transaction;
use crate::host::Host;
use crate::limits::MAX_REFUSALS;
use crate::sip::addr::NameAddr;
use crate::sip::digest::is_stale;
use crate::sip::{HeaderId, Message, Method};
use crate::table::Handle;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Bytes of an address-of-record; a longer one is cut.
const MAX_AOR: usize = 64;

/// Seconds after which a failure says nothing any more: the phone is gone, or is set up otherwise.
const LATELY: u64 = 24 * 3600;

/// A phone that has failed to register.
#[derive(Clone, Debug)]
pub struct RefusedRegister {
    /// The address-of-record in To, cut after 64 bytes.
    pub aor: heapless::Vec<u8, MAX_AOR>,
    /// Where the phone is.
    pub phone: SocketAddr,
    /// The server that refused; `None` where siproxd itself did.
    pub registrar: Option<SocketAddr>,
    /// What the phone was told; 408 where nobody answered.
    pub status: u16,
    /// When it was refused last.
    pub refused: Instant,
    /// How often since it has registered; 0 is an empty place.
    pub times: u32,
    /// Why we refused it.
    cause: Option<Cause>,
}

impl RefusedRegister {
    /// Why, for people.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.cause {
            Some(cause) => of_ours(cause),
            None => of_registrar(self.status),
        }
    }
}

/// What a refusal of our own means.
const fn of_ours(cause: Cause) -> &'static str {
    match cause {
        Cause::Forbidden => "the password is wrong, or the account is not known here",
        Cause::NextHopSilent => {
            "the registrar does not answer: check its name in the phone, and the Internet connection"
        }
        Cause::Unreachable => {
            "the registrar cannot be reached: check its name in the phone, and the Internet connection"
        }
        Cause::NoInterface => "the router has no Internet address now",
        other => other.remedy(),
    }
}

/// What a status means that came from a registrar (RFC 3261 §21).
const fn of_registrar(status: u16) -> &'static str {
    match status {
        300..=399 => "it sends the phone to another server, which is to be set in the phone",
        401 | 407 => "the password is wrong, or the account is not known there",
        403 => "the account may not register there: a wrong password, a locked account, or too many phones",
        404 | 410 | 604 => "the account is not known there: check the user name and the domain in the phone",
        405 | 501 => "it takes no registrations: check the registrar in the phone",
        408 | 504 => "it has no answer itself from what is behind it; try again later",
        423 => "the phone asks for too short a registration: raise its time to register",
        482 | 483 => "the request goes round in circles: check outbound proxy and registrar in the phone",
        503 => "it is overloaded, or under repair; try again later",
        500..=599 => "it has a fault of its own; try again later",
        _ => "it does not take what the phone asks for",
    }
}

/// The last [`MAX_REFUSALS`] of them, each in its place for as long as it is there. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Refusals {
    /// When the input came that is handled now.
    now: Instant,
    places: heapless::Vec<RefusedRegister, MAX_REFUSALS>,
}

impl Refusals {
    pub(super) const fn new() -> Self {
        Self { now: Instant::ZERO, places: heapless::Vec::new() }
    }

    pub(super) const fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    fn find(&self, aor: &[u8], phone: IpAddr) -> Option<usize> {
        self.places.iter().position(|it| it.times > 0 && it.aor == cut(aor) && it.phone.host() == phone)
    }

    /// Notes a failure. Where all places are taken the oldest one makes room, of the same phone if it has one.
    fn note(&mut self, aor: &[u8], phone: SocketAddr, by: Option<SocketAddr>, status: u16, cause: Option<Cause>) {
        let ip = phone.host();
        let known = self.find(aor, ip);
        let times = known.and_then(|at| self.places.get(at)).map_or(0, |it| it.times).saturating_add(1);
        // It is cut to what fits.
        let aor = heapless::Vec::from_slice(cut(aor)).unwrap_or_default();
        let refused = RefusedRegister { aor, phone, registrar: by, status, refused: self.now, times, cause };
        let at = known.or_else(|| self.places.iter().position(|it| it.times == 0)).or_else(|| {
            let all = self.places.iter().enumerate().filter(|_| self.places.is_full());
            all.min_by_key(|(_, it)| (it.phone.host() != ip, it.refused)).map(|(at, _)| at)
        });
        match at.and_then(|at| self.places.get_mut(at)) {
            Some(place) => *place = refused,
            // There is room.
            None => drop(self.places.push(refused)),
        }
    }

    /// The phone has registered.
    pub(super) fn forget(&mut self, aor: &[u8], phone: IpAddr) {
        if let Some(place) = self.find(aor, phone).and_then(|at| self.places.get_mut(at)) {
            place.times = 0;
        }
    }
}

fn cut(aor: &[u8]) -> &[u8] {
    aor.get(..MAX_AOR).unwrap_or(aor)
}

/// The address-of-record of a transaction's request.
fn aor_of(t: &Transaction) -> Option<super::binding::UriText> {
    let to = NameAddr::parse(&t.stored.text, t.stored.to).ok()?;
    aor_text(&t.stored.text, to.uri)
}

impl Engine {
    /// A registration that has failed lately, from the place `from` on, and the place behind it.
    #[must_use]
    pub fn refused_register(&self, from: usize, now: Instant) -> Option<(&RefusedRegister, usize)> {
        let mut places = self.refusals.places.iter().enumerate().skip(from);
        let (at, it) = places.find(|(_, it)| it.times > 0 && now.since(it.refused).as_secs() < LATELY)?;
        Some((it, at.saturating_add(1)))
    }

    /// We have refused a request with `status`: a phone's REGISTER is noted.
    pub(super) fn note_refused(&mut self, received: &Received<'_>, status: u16, cause: Cause) {
        if received.head.method != Method::Register || received.origin != Origin::Phone {
            return;
        }
        if let Some(aor) = aor_text(received.msg.bytes(), received.head.to.uri) {
            self.refusals.note(&aor, received.from, None, status, Some(cause));
        }
    }

    /// A forwarded request got a final response, its first.
    pub(super) fn note_register_answered(&mut self, transaction: Handle, status: u16, msg: &Message<'_>) {
        let t = self.transactions.get(transaction).filter(|t| t.method == Method::Register && t.from_phone);
        let Some((t, aor)) = t.and_then(|t| Some((t, aor_of(t)?))) else { return };
        match status {
            200..300 => self.refusals.forget(&aor, t.upstream.host()),
            // What the phone answers with its password.
            401 | 407 if !t.registers.has_credentials || is_new_nonce(msg) => {}
            _ => self.refusals.note(&aor, t.upstream, Some(t.downstream), status, None),
        }
    }

    /// A forwarded request got no final response, and the sender ours.
    pub(super) fn note_register_given_up(&mut self, t: &Transaction, status: u16, cause: Cause) {
        if t.method == Method::Register
            && t.from_phone
            && let Some(aor) = aor_of(t)
        {
            self.refusals.note(&aor, t.upstream, Some(t.downstream), status, Some(cause));
        }
    }
}

/// Whether a challenge says that the password was right and the nonce too old (RFC 7616 §3.3).
fn is_new_nonce(msg: &Message<'_>) -> bool {
    let ids = [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate];
    msg.headers().iter().any(|header| ids.contains(&header.id) && is_stale(msg.get(header.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    fn listed(refusals: &Refusals) -> Vec<(String, u8, u32)> {
        let host = |phone: SocketAddr| match phone.host() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        };
        let taken = refusals.places.iter().filter(|it| it.times > 0);
        taken.map(|it| (String::from_utf8_lossy(&it.aor).into_owned(), host(it.phone), it.times)).collect()
    }

    #[test]
    fn a_phone_has_one_place_until_it_registers() {
        let mut refusals = Refusals::new();
        for port in [5060, 40_000, 40_001] {
            refusals.note(b"alice@example.org", at(2, port), None, 403, Some(Cause::NotAllowed));
        }
        refusals.note(b"alice@example.org", at(3, 5060), Some(at(9, 5060)), 401, None);
        let [alice, other] = [2, 3].map(|host| ("alice@example.org".to_owned(), host, if host == 2 { 3 } else { 1 }));
        assert_eq!(listed(&refusals), [alice, other.clone()]);
        assert_eq!(refusals.places[0].phone.port(), 40_001);
        refusals.forget(b"alice@example.org", at(2, 0).host());
        refusals.forget(b"bob@example.org", at(3, 0).host());
        assert_eq!(listed(&refusals), core::slice::from_ref(&other));
        refusals.note(b"bob@example.org", at(2, 5060), None, 503, Some(Cause::NoInterface));
        assert_eq!(listed(&refusals), [("bob@example.org".to_owned(), 2, 1), other]);
    }

    #[test]
    fn a_phone_with_many_accounts_pushes_nobody_out_and_others_the_oldest() {
        let mut refusals = Refusals::new();
        refusals.note(b"alice", at(2, 5060), None, 403, None);
        for number in 0..1000u32 {
            refusals.set_now(Instant::from_millis(number.into()));
            refusals.note(format!("u{number}").as_bytes(), at(3, 5060), None, 403, None);
        }
        let found = listed(&refusals);
        assert_eq!(found.len(), MAX_REFUSALS);
        assert!(found.iter().any(|(aor, ..)| aor == "alice") && found.iter().any(|(aor, ..)| aor == "u999"));
        refusals.note(b"bob", at(4, 5060), None, 403, None);
        let found = listed(&refusals);
        assert!(!found.iter().any(|(aor, ..)| aor == "alice") && found.iter().any(|(aor, ..)| aor == "bob"));
    }

    #[test]
    fn a_long_address_is_cut() {
        let mut refusals = Refusals::new();
        let long = [&[b'a'; 70][..], b"@example.org"].concat();
        for _ in 0..2 {
            refusals.note(&long, at(2, 5060), None, 403, None);
        }
        assert_eq!(listed(&refusals), [("a".repeat(MAX_AOR), 2, 2)]);
        refusals.forget(&long, at(2, 1).host());
        assert!(listed(&refusals).is_empty());
    }

    #[test]
    fn every_status_has_words() {
        for status in 300..700 {
            assert!(!of_registrar(status).is_empty());
        }
        assert_eq!(of_registrar(407), of_registrar(401));
        assert_ne!(of_registrar(503), of_registrar(500));
    }
}
