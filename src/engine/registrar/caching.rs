//! Registration caching (`lan_expires`): phones refresh often, their registrars hear of it when it is time.
//!
//! ```text
//!   phone ──REGISTER, 600 s──▶ siproxd ──REGISTER, 600 s──▶ registrar
//!   phone ◀──200, 60 s──────── siproxd ◀──200, 600 s─────── registrar
//!   phone ──REGISTER──▶ siproxd ──200, 60 s──▶ phone         for the first 300 s
//!   phone ──REGISTER──▶ siproxd ──REGISTER──▶ registrar      after that
//! ```
//! * A refresh is answered here where the registrar would learn nothing new from it: it has said yes to one that looked the
//!   same to it (see [`SEEN_ALIKE`]), Call-ID, the phone's place and our own WAN address included, and half of the time that
//!   it granted is still to come. Whoever unregisters, asks what is bound, changes his Contact, or starts anew goes on to the
//!   registrar; so does the next refresh after a new WAN address, after a restart of ours, and while a registrar fails or
//!   the connection with it is gone. Credentials are not looked at: nothing is given that the registrar has not granted to
//!   this place.
//! * The other half is what there is left for trying again. A registrar that grants less than four times `lan_expires` is
//!   asked each time, and the phone sees what it said.
//! * Phones ask for what they are set to, or for what they were told the last time. Who asks for no more than `lan_expires`
//!   is taken to mean that, and his registrar is asked for `default_expires`.
//! * The phone that has once refreshed in time, and then does not for [`GRACE`] longer than it was told, counts as gone. Its
//!   binding stays, for its registrar holds it too, but calls for it are answered at once. Its next REGISTER brings it back.
//!   One that never keeps to what it is told is not held to it.

use super::super::binding::{Granted, GrantedText, Refresh};
use super::super::message::Received;
use super::super::own::octets;
use super::super::transaction::Registers;
use super::super::{Engine, Side, Sink};
use super::{Asked, Contact, aor_of, offer_of};
use crate::log_class as class;
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::reply::Reply;
use crate::sip::seconds::delta_seconds;
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Message, params};
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt::Write as _;

/// A registrar that grants less than so many times `lan_expires` is asked each time.
const WORTHWHILE: u32 = 4;
/// Seconds by which a refresh may be late before its phone counts as gone: Timer F (RFC 3261 §17.1.2.2), for which a phone may wait
/// for the answer to one.
const GRACE: u32 = 32;
/// Pieces of a REGISTER that the registrar sees; one with more is passed on.
const MAX_SEEN: usize = 64;

/// What differs from one refresh to the next and asks for nothing.
const SEEN_ALIKE: [HeaderId; 9] = [
    HeaderId::Via,
    HeaderId::MaxForwards,
    HeaderId::From,
    HeaderId::CSeq,
    HeaderId::Contact,
    HeaderId::Expires,
    HeaderId::Authorization,
    HeaderId::ProxyAuthorization,
    HeaderId::ContentLength,
];
/// What a 200 says that is of this one answer, or of no use to a phone.
const NOT_KEPT: [HeaderId; 14] = [
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::Contact,
    HeaderId::Expires,
    HeaderId::ContentLength,
    HeaderId::RecordRoute,
    HeaderId::AuthenticationInfo,
    HeaderId::Server,
    HeaderId::UserAgent,
    HeaderId::Allow,
    HeaderId::Warning,
];

impl Engine {
    /// Answers a REGISTER that only refreshes what its registrar has granted for longer; `false` where it must go there.
    pub(in crate::engine) fn answer_refresh(
        &mut self,
        received: &Received<'_>,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        let lan_expires = self.settings().lan_expires;
        // The copy of one that has gone there goes the same way.
        if lan_expires == 0 || self.is_under_way(received) {
            return false;
        }
        let (Ok(asked), Ok(aor)) = (self.asked(received), aor_of(received)) else { return false };
        let Some((refresh, contact)) = self.refresh_of(received, &asked) else { return false };
        let Some(handle) = self.bindings.find(&offer_of(received.msg, contact, &aor)) else { return false };
        let Some(binding) = self.bindings.get(handle) else { return false };
        let Some(granted) = binding.granted.as_ref().filter(|it| it.to.seen == refresh.seen) else { return false };
        let left = binding.expires_at.since(now).as_secs();
        if left <= u64::from(granted.secs / 2) || !self.is_reached(binding.registrar, binding.registrar_by, now) {
            return false;
        }
        let told = refresh.asked.min(lan_expires);
        let (of_contact, lines) = granted.text.parts();
        let mut secs = heapless::String::<10>::new();
        // Ten digits hold any.
        let _ = write!(secs, "{told}");
        let tag = self.to_tag(received);
        let sent = Reply::new(received.msg, received.from, 200, "OK", &tag).and_then(|mut reply| {
            for piece in
                [b"Contact: <", &binding.contact[..], b">;expires=", secs.as_bytes(), of_contact, b"\r\n", lines]
            {
                reply.raw(piece)?;
            }
            Self::send_reply(received, &mut reply, out)
        });
        if sent.is_err() {
            return false;
        }
        log::debug!(target: class::REG, "{}: refresh answered, {left} s are left", aor.escape_ascii());
        // A copy of the REGISTER that went to the registrar does not tell that the phone keeps to what it is told.
        let is_in_time = binding.silent_at != Instant::ZERO || refresh.cseq != granted.to.cseq;
        if let Some(binding) = self.bindings.get_mut(handle).filter(|_| is_in_time) {
            binding.refreshed = now;
            binding.silent_at = now.after_secs(told.saturating_add(GRACE));
        }
        true
    }

    /// Whether a registrar can tell us of calls, as far as we know.
    fn is_reached(&self, registrar: Option<core::net::SocketAddr>, by: Transport, now: Instant) -> bool {
        registrar.is_some_and(|server| {
            !self.is_avoided(server, now) && (by != Transport::Tcp || self.connections.find_open(server).is_some())
        })
    }

    /// What a REGISTER refreshes; `None` where it asks for anything but one Contact, or `lan_expires` is off.
    pub(super) fn refresh_of<'a>(&self, received: &Received<'_>, asked: &'a Asked) -> Option<(Refresh, &'a Contact)> {
        let msg = received.msg;
        let Asked::Contacts(contacts) = asked else { return None };
        let [contact] = contacts.as_slice() else { return None };
        let is_only = msg.elements(HeaderId::Contact).count() == 1 && msg.body().is_empty();
        if self.settings().lan_expires == 0 || contact.expires == 0 || !is_only {
            return None;
        }
        let (own, token) = (octets(self.own(Side::Wan)?), self.seal(contact.place));
        let mut seen = heapless::Vec::<&[u8], MAX_SEEN>::new();
        let first = [&own[..], token.as_bytes(), msg.get(received.request_uri()), msg.get(contact.uri.whole)];
        seen.extend_from_slice(&first).ok()?;
        for param in params::iter(msg.bytes(), contact.addr.params).filter(|it| !is_expires(msg, it.name)) {
            seen.push(msg.get(param.whole)).ok()?;
        }
        for header in msg.headers().iter().filter(|it| !SEEN_ALIKE.contains(&it.id) && !is_clock(msg, it)) {
            seen.push(msg.get(header.line)).ok()?;
        }
        let hash = self.key.hash("refresh", &seen);
        let seen = *hash.first_chunk()?;
        Some((Refresh { seen, asked: contact.expires, cseq: received.head.cseq.number }, contact))
    }

    /// For how many seconds the registrar of a refresh is asked.
    pub(super) fn seconds_upstream(&self, refresh: Refresh) -> u32 {
        let settings = self.settings();
        if refresh.asked > settings.lan_expires { refresh.asked } else { refresh.asked.max(settings.default_expires) }
    }

    /// A REGISTER goes to the registrar: until that has answered, no other is answered here.
    pub(super) fn refresh_goes_on(&mut self, received: &Received<'_>, registers: &Registers, aor: &[u8], now: Instant) {
        if self.is_under_way(received) {
            return;
        }
        let lan_expires = self.settings().lan_expires;
        for (handle, _) in &registers.bindings {
            if let Some(binding) = self.bindings.get_mut(*handle) {
                binding.granted = None;
                if binding.silent_at != Instant::ZERO {
                    binding.silent_at = now.after_secs(lan_expires.saturating_add(GRACE));
                }
            }
        }
        if registers.removes_all {
            self.bindings.forget_granted(aor);
        }
    }

    /// Notes what a registrar granted, for the refreshes to come.
    pub(super) fn note_granted(&mut self, msg: &Message<'_>, handle: Handle, registers: &Registers, now: Instant) {
        let granted = self.worth_keeping(msg, registers);
        let lan_expires = self.settings().lan_expires;
        let Some(binding) = self.bindings.get_mut(handle) else { return };
        if granted.is_none() {
            binding.silent_at = Instant::ZERO;
        } else if binding.silent_at != Instant::ZERO {
            binding.silent_at = now.after_secs(lan_expires.saturating_add(GRACE));
        }
        binding.granted = granted;
    }

    /// What a 2xx grants, where it is enough for refreshes to be answered here.
    fn worth_keeping(&self, msg: &Message<'_>, registers: &Registers) -> Option<Granted> {
        let (to, [(handle, asked)]) = (registers.refresh?, &registers.bindings[..]) else { return None };
        let binding = self.bindings.get(*handle)?;
        let secs = self.granted(msg, *handle).unwrap_or(*asked);
        if secs < self.settings().lan_expires.saturating_mul(WORTHWHILE) || !msg.body().is_empty() {
            return None;
        }
        let mut text = GrantedText::default();
        if let Some(addr) = self.contacts_of(msg, binding).next() {
            for param in params::iter(msg.bytes(), addr.params).filter(|it| !is_expires(msg, it.name)) {
                text.param(msg.get(param.whole))?;
            }
        }
        for header in msg.headers().iter().filter(|it| !NOT_KEPT.contains(&it.id) && !is_clock(msg, it)) {
            text.line(msg.get(header.line))?;
        }
        Some(Granted { to, secs, text })
    }

    /// Edits the expiry in a 2xx, so that the phone comes back after `lan_expires`; it never sees more than it asked for.
    pub(in crate::engine) fn shorten_expiry(
        &self,
        msg: &Message<'_>,
        registers: &Registers,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let (Some(refresh), [(handle, asked)]) = (registers.refresh, &registers.bindings[..]) else { return Ok(()) };
        let Some(binding) = self.bindings.get(*handle) else { return Ok(()) };
        let granted = self.granted(msg, *handle).unwrap_or(*asked);
        let is_kept = self.worth_keeping(msg, registers).is_some();
        let told = refresh.asked.min(if is_kept { self.settings().lan_expires } else { granted });
        if told >= granted {
            return Ok(());
        }
        let in_header = msg.header(HeaderId::Expires).map(|header| header.value);
        let in_contacts = self.contacts_of(msg, binding).filter_map(|addr| addr.param(msg.bytes(), b"expires")?.value);
        let mut is_named = false;
        for place in in_header.into_iter().chain(in_contacts) {
            is_named = true;
            if delta_seconds(msg.get(place)).is_none_or(|secs| secs > told) {
                edits.replace_fmt(place, format_args!("{told}"))?;
            }
        }
        if is_named {
            return Ok(());
        }
        edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("Expires: {told}\r\n"))
    }
}

fn is_expires(msg: &Message<'_>, name: Span) -> bool {
    msg.get(name).eq_ignore_ascii_case(b"expires")
}

/// Whether a header tells the time of its message.
fn is_clock(msg: &Message<'_>, header: &Header) -> bool {
    let name = msg.get(header.name);
    name.eq_ignore_ascii_case(b"Date") || name.eq_ignore_ascii_case(b"Timestamp")
}
