//! Forking: a request for an address-of-record rings all of its phones at once (RFC 3261 §16.6, §16.7).
//!
//! ```text
//!   request ──▶ sender's transaction ─┬▶ branch ──▶ phone 1 ──486──▶ acknowledged and kept: the best so far
//!                                     ├▶ branch ──▶ phone 2 ──180──▶ passed on
//!                                     └▶ branch ──▶ phone 3 ──200──▶ passed on; the others are cancelled
//!   every branch is over without a 2xx ──▶ the best response goes to the sender
//! ```
//! * The sender's transaction stands under the branch of its request, each phone's under one made from that and the phone's place. What
//!   ties them together is [`Part`]; there is no other table, so that a fork takes as many transactions as it has phones, and one.
//! * Provisional responses but 100 pass, each with its own To tag. A 2xx passes at once. Of the others the best one passes when all
//!   are over: a 6xx, which cancels the rest, else the lowest class. Challenges of several phones are joined.
//! * An INVITE gets a 100 at once, and each branch over UDP is sent again by us: one phone's 180 must not end the repetitions that
//!   another one needs. A branch that finds no place among the kept messages lives on the sender's own repetitions.
//! * A CANCEL waits for the phone's first response (RFC 3261 §9.1). A phone that has said nothing is not waited for then.
//! * INVITE and MESSAGE ring everybody; any other request goes to the phone with the highest preference, and of these to the one
//!   refreshed last. A request in a dialog whose user alone names it goes to the phone that the call is with.

use super::branch::{BranchKey, LoopPart};
use super::call::Found;
use super::cause::Cause;
use super::contact::Place;
use super::guard::Origin;
use super::hop::Hop;
use super::io::{Channel, Leg, Side, Sink};
use super::message::Received;
use super::stored::Stored;
use super::transaction::{Part, Registers, State, Transaction, Transactions};
use super::{Engine, branch};
use crate::host::Host;
use crate::limits::MAX_BRANCHES;
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::edit::Edits;
use crate::sip::uri::Uri;
use crate::sip::{HeaderId, Method};
use crate::table::Handle;
use crate::time::Instant;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

mod best;
mod cancel;

type Phones = heapless::Vec<Handle, MAX_BRANCHES>;

impl Transactions {
    /// Whether the call rings a phone at `ip`.
    pub(super) fn rings(&self, call: Handle, ip: IpAddr) -> bool {
        self.slab
            .find(|t| t.call == Some(call) && t.downstream.host() == ip && matches!(t.part, Part::Branch(_)))
            .is_some()
    }

    /// The sender's transaction under `key`.
    fn sender(&self, key: &BranchKey) -> Option<Handle> {
        self.find(key, false).filter(|handle| self.get(*handle).is_some_and(|t| t.part.is_sender()))
    }

    /// The next branch from `number` on that has said nothing and lives on the sender's repetitions.
    fn next_unrepeated(&self, sender: Handle, number: usize) -> Option<Handle> {
        let waits = |t: &Transaction| t.part == Part::Branch(sender) && t.state == State::Trying && !t.cancelled;
        let branches = self.slab.iter().filter(|(handle, t)| handle.index() >= number && waits(t));
        let mut silent = branches.map(|(handle, _)| handle);
        silent.find(|handle| !self.is_repeated(*handle))
    }
}

impl Engine {
    /// Sends a request for `user` to the phones of the address-of-record of `binding`, the one that a look-up chose.
    pub(super) fn send_to_bindings(
        &mut self,
        received: &Received<'_>,
        user: &[u8],
        binding: Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let in_dialog = !received.head.to_tag.is_empty();
        let phones = self.phones_of(received, user, binding, now);
        let one = match phones.first() {
            Some(first) if !in_dialog => *first,
            _ => phones.iter().copied().find(|phone| self.is_in_call(received, *phone)).unwrap_or(binding),
        };
        let rings_all = matches!(received.head.method, Method::Invite | Method::Message);
        if in_dialog || !rings_all || phones.len() < 2 {
            return self.send_to_binding(received, one, now, out);
        }
        let key = branch::key(&self.key, received);
        // Without its Vias no answer of ours could be written.
        let Some(stored) = Stored::of(received) else {
            log::info!(target: class::SIP, "{} from {} rings one phone only: it is too large", received.method_name(), received.from);
            return self.send_to_binding(received, one, now, out);
        };
        match self.open_fork(received, key, stored, now) {
            Some(sender) => self.ring(received, sender, &key, &phones, now, out),
            // It may pass without.
            None => self.send_to_binding(received, one, now, out),
        }
    }

    /// The phones of an address-of-record, best first: those at the registrar of `binding`, without the sender itself. Where the
    /// user is that of a Contact, as a provider writes it that drops our token, those with the same one.
    fn phones_of(&self, received: &Received<'_>, user: &[u8], binding: Handle, now: Instant) -> Phones {
        let mut phones = Phones::new();
        let Some(chosen) = self.bindings.get(binding) else { return phones };
        let is_aor = chosen.registrar.is_none() && chosen.user() == user;
        let mut left_out = 0;
        for (handle, b) in self.bindings.of_aor(&chosen.aor) {
            let is_live = b.is_live(now) && b.registrar == chosen.registrar;
            let is_meant = is_aor || b.contact_user() == chosen.contact_user();
            if !is_live || !is_meant || is_place_of(received, b.place) {
                continue;
            }
            let of = |phone: &Handle| self.bindings.get(*phone);
            if let Some(same) = phones.iter().position(|p| of(p).is_some_and(|p| p.place.address == b.place.address)) {
                if of(&phones[same]).is_some_and(|p| p.rank() >= b.rank()) {
                    continue;
                }
                phones.remove(same);
            }
            let at = phones.iter().position(|p| of(p).is_some_and(|p| p.rank() < b.rank()));
            if phones.is_full() {
                left_out += 1;
                if at.is_none() {
                    continue;
                }
                phones.pop();
            }
            // A place has just been made, and `at` is in the list or its end.
            let _ = phones.insert(at.unwrap_or(phones.len()), handle);
        }
        if left_out > 0 {
            log::info!(target: class::SIP, "{}: {left_out} phones more than the {MAX_BRANCHES} that can ring", chosen.aor.escape_ascii());
        }
        phones
    }

    /// Whether the call of a request in a dialog is with this phone.
    fn is_in_call(&self, received: &Received<'_>, phone: Handle) -> bool {
        let Some(place) = self.bindings.get(phone).map(|b| b.place.address) else { return false };
        let side = received.origin.side();
        let mapped = self.mapped_call_id(received, side, Side::Lan, &self.secrets(place.host()));
        let Ok(mapped) = mapped else { return false };
        let call_id = mapped.as_deref().unwrap_or(received.msg.get(received.head.call_id));
        let between = self.between(received, call_id, (side, received.from.host()), (Side::Lan, place.host()));
        let found = self.calls.find(&between, &self.transactions).filter(|found| found.same_dialog);
        found.and_then(|found| Some(self.calls.calls.get(found.call)?.parties.contains(&place.host()))) == Some(true)
    }

    fn open_fork(&mut self, received: &Received<'_>, key: BranchKey, stored: Stored, now: Instant) -> Option<Handle> {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let sender = Transaction {
            key,
            loop_part: LoopPart::default(),
            method: received.head.method,
            state: State::Trying,
            final_status: 0,
            deadline: now,
            attempt: 0,
            tried_at: now,
            others: false,
            failed: false,
            cancelled: false,
            part: Part::Sender { best: 0 },
            upstream: received.reply_to(),
            upstream_on: received.on,
            from_phone: received.origin.side() == Side::Lan,
            downstream: nowhere,
            downstream_side: Side::Lan,
            downstream_on: Channel::LAN,
            hidden: false,
            opens_dialog: true,
            stamp: self.stamp(now),
            registers: Registers::default(),
            own_server: true,
            call: None,
            request_uri: super::binding::UriText::new(),
            stored,
            kept: None,
        };
        if !self.transactions.insert(sender, now) {
            return None;
        }
        self.transactions.find(&key, false)
    }

    /// Sends a request to each phone. With none that it can be sent to it is answered.
    fn ring(
        &mut self,
        received: &Received<'_>,
        sender: Handle,
        key: &BranchKey,
        phones: &[Handle],
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let (mut rung, mut unrepeated, mut failed) = (0, 0, None);
        for phone in phones {
            let Some(binding) = self.bindings.get(*phone) else { continue };
            let place = binding.place;
            let mut edits = Edits::new();
            if edits.replace(received.request_uri(), &binding.contact).is_err() {
                failed = Some(Cause::TooLarge);
                continue;
            }
            let branch_key = self.branch_key(key, place);
            let own_server = received.origin != Origin::Phone;
            let hop =
                Hop { transport: place.transport, fork: Some(sender), own_server, ..Hop::to(place.address, Side::Lan) };
            if let Err(cause) = self.write_and_send(received, &hop, branch_key, None, &mut edits, now, out) {
                log::info!(target: class::SIP, "{} to phone {} not sent: {}", received.method_name(), place.address, cause.remedy());
                self.note_failure(sender, cause);
                failed = Some(cause);
                continue;
            }
            rung += 1;
            let Some(branch) = self.transactions.find(&branch_key, false) else { continue };
            unrepeated += usize::from(!self.transactions.is_repeated(branch));
            self.share_call(sender, branch);
        }
        if rung == 0 {
            self.transactions.remove(sender);
            return match (failed, phones.first()) {
                (Some(Cause::TransactionsFull), Some(first)) => self.send_to_binding(received, *first, now, out),
                _ => self.answer(received, failed.unwrap_or(Cause::NotRegistered), out),
            };
        }
        if let Some(cause) = failed {
            self.report_shortage(cause, received.from);
        }
        log::debug!(target: class::SIP, "{} from {} rings {rung} phones", received.method_name(), received.from);
        if received.head.method == Method::Invite && unrepeated == 0 {
            self.transactions.answered(sender, 100, now);
            Self::answer_trying(received, out);
        }
    }

    /// The branch to a phone: the same for a repetition, also after a restart.
    fn branch_key(&self, sender: &BranchKey, place: Place) -> BranchKey {
        let port = place.address.port().to_be_bytes();
        let ip = match place.address.host() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let hash = self.key.hash("fork", &[sender, &ip.octets(), &port]);
        let mut key = BranchKey::default();
        key.copy_from_slice(&hash[..12]);
        key
    }

    /// The call that the first branch has made is that of all.
    fn share_call(&mut self, sender: Handle, branch: Handle) {
        let Some(call) = self.transactions.get(branch).filter(|t| t.method == Method::Invite).and_then(|t| t.call)
        else {
            return;
        };
        if let Some(t) = self.transactions.slab.get_mut(sender) {
            t.call = Some(call);
        }
        if let Some(call) = self.calls.calls.get_mut(call) {
            call.forked = true;
        }
    }

    /// The call of a fork, for a message of its INVITE. Once it is answered nothing of that changes the media.
    pub(super) fn call_of_fork(&self, call: Option<Handle>, sender: Leg) -> Option<Found> {
        let call = call?;
        let answered = self.calls.calls.get(call)?.answered;
        Some(Found { call, sender, same_dialog: !answered, callee: None })
    }

    /// Takes a request that rings phones already: who says nothing gets it again. `false` where it is new.
    pub(super) fn repeat_on_branches(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) -> bool {
        if !matches!(received.head.method, Method::Invite | Method::Message) {
            return false;
        }
        let Some(sender) = self.transactions.sender(&branch::key(&self.key, received)) else { return false };
        if self.transactions.get(sender).is_none_or(|t| t.method != received.head.method || t.state != State::Trying) {
            return self.absorb_request(received, sender, out);
        }
        let mut number = 0;
        while let Some(branch) = self.transactions.next_unrepeated(sender, number) {
            number = branch.index() + 1;
            let Some(t) = self.transactions.get(branch) else { break };
            let (key, mut edits) = (t.key, Edits::new());
            let hop = Hop {
                transport: t.downstream_on.kind(),
                fork: Some(sender),
                own_server: t.own_server,
                ..Hop::to(t.downstream, t.downstream_side)
            };
            let sent = match edits.replace(received.request_uri(), &t.request_uri) {
                Ok(()) => self.write_and_send(received, &hop, key, Some(branch), &mut edits, now, out),
                Err(_) => Err(Cause::TooLarge),
            };
            if let Err(cause) = sent
                && self.transactions.get(branch).is_none()
            {
                self.note_failure(sender, cause);
            }
        }
        self.end_if_over(sender, now, out);
        true
    }
}

/// Whether a request comes from the phone at `place`.
fn is_place_of(received: &Received<'_>, place: Place) -> bool {
    if received.origin != Origin::Phone {
        return false;
    }
    let bytes = received.msg.bytes();
    place.address == received.from
        || received.msg.elements(HeaderId::Contact).any(|element| {
            NameAddr::parse(bytes, element.span)
                .and_then(|contact| Uri::parse(bytes, contact.uri))
                .is_ok_and(|uri| Place::of(bytes, &uri, received.from, received.on.kind()).address == place.address)
        })
}
