//! Bindings: which phone is reached under which address-of-record (RFC 3261 §10).
//!
//! ```text
//!   REGISTER passes ──▶ Pending ──2xx──▶ Valid ──expiry, un-register──▶ gone
//!                          │                └──REGISTER passes──▶ Valid, with a refresh pending
//!                          └──any other final response, none──▶ gone
//! ```

mod saved;
pub mod stats;

use super::contact::Place;
use super::preference::Preference;
use crate::host::Host;
use crate::limits::{MAX_BINDINGS, MAX_GRANTED, MAX_URI};
use crate::sip::uri::Uri;
use crate::sip::via::Transport;
use crate::span::Span;
use crate::table::{Handle, Index, Slab};
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// A stored URI.
pub(super) type UriText = heapless::Vec<u8, MAX_URI>;

/// Seconds that a binding waits for the registrar's answer to its first REGISTER.
const PENDING_SECS: u32 = 40;

/// One phone under one address-of-record.
#[derive(Debug)]
pub(super) struct Binding {
    /// `user@host`, the host in lower case.
    pub(super) aor: UriText,
    /// The phone's Contact URI as it wrote it.
    pub(super) contact: UriText,
    /// The user part of `contact`, empty where it has none.
    contact_user: heapless::Vec<u8, 64>,
    /// Where the phone takes requests.
    pub(super) place: Place,
    /// The server that keeps it; `None` where that is ourselves.
    pub(super) registrar: Option<SocketAddr>,
    /// How that server is reached.
    pub(super) registrar_by: Transport,
    /// Whether that server is still to be found: siproxd 0.8 did not write it down.
    pub(super) is_imported: bool,
    /// Whether the phone is at another place than when it was registered last.
    has_moved: bool,
    /// Whether a 2xx came.
    pub(super) valid: bool,
    pub(super) expires_at: Instant,
    /// The REGISTER that made or refreshed it last, where we are the registrar.
    pub(super) request: Option<RequestMark>,
    /// What the phone prefers it by; only where we are the registrar.
    pub(super) preference: Option<Preference>,
    /// What its registrar calls it by.
    pub(super) gruus: super::gruu::Gruus,
    /// What its registrar said, where refreshes may be answered here.
    pub(super) granted: Option<Granted>,
    /// From when on the phone counts as gone, though its registrar still holds the binding; zero where that cannot be told.
    pub(super) silent_at: Instant,
    /// When it was made or refreshed last.
    pub(super) refreshed: Instant,
}

impl Binding {
    /// The phone has registered the same Contact from `place`, as `contact`.
    pub(super) fn move_to(&mut self, place: Place, contact: UriText) {
        self.has_moved |= self.place != place || self.contact != contact;
        (self.place, self.contact) = (place, contact);
    }

    /// The user part of the Contact, empty where it has none.
    pub(super) fn contact_user(&self) -> &[u8] {
        &self.contact_user
    }

    /// What phones of one address-of-record are chosen by: their preference, 1 where they name none, then who was refreshed
    /// last.
    pub(super) fn rank(&self) -> (Preference, Instant) {
        (self.preference.unwrap_or(Preference::ONE), self.refreshed)
    }

    /// Whether requests for it are sent to the phone.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        let is_silent = self.silent_at != Instant::ZERO && self.silent_at <= now;
        self.valid && self.expires_at > now && !is_silent
    }

    /// Whether `hostport` is that of the Contact, and none that the address-of-record has too.
    fn is_called(&self, hostport: &[u8]) -> bool {
        let own = Uri::parse(&self.contact, Span::from_usize(0, self.contact.len()));
        own.is_ok_and(|own| own.hostport.of(&self.contact).eq_ignore_ascii_case(hostport)) && self.domain() != hostport
    }

    /// The domain of the address-of-record, in lower case.
    pub(super) fn domain(&self) -> &[u8] {
        self.aor.rsplit(|b| *b == b'@').next().unwrap_or_default()
    }

    /// The user part of the address-of-record.
    pub(super) fn user(&self) -> &[u8] {
        self.aor.split(|b| *b == b'@').next().unwrap_or_default()
    }
}

/// What tells a REGISTER from the ones before and behind it (RFC 3261 §10.3 step 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestMark {
    /// A hash of its Call-ID.
    pub(super) call_id: [u8; 8],
    /// Its CSeq number.
    pub(super) cseq: u32,
    /// A hash of all of it, which a retransmission shares.
    pub(super) whole: [u8; 8],
}

impl RequestMark {
    /// Whether this one may change what `last` left.
    pub(super) fn may_follow(&self, last: &Self) -> bool {
        self.call_id != last.call_id || self.cseq > last.cseq || self == last
    }
}

/// A REGISTER that binds one Contact and asks for nothing else; see [`super::registrar`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Refresh {
    /// A hash of what the registrar sees of it.
    pub(super) seen: [u8; 8],
    /// Seconds that the phone asks for.
    pub(super) asked: u32,
    pub(super) cseq: u32,
}

/// What a registrar granted to a [`Refresh`].
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) to: Refresh,
    /// Seconds.
    pub(super) secs: u32,
    pub(super) text: GrantedText,
}

/// What a registrar's 200 said that a phone needs: the parameters of its Contact, and header lines.
#[derive(Debug, Default)]
pub(super) struct GrantedText {
    text: heapless::Vec<u8, MAX_GRANTED>,
    /// Bytes of the parameters.
    params: usize,
}

impl GrantedText {
    /// Adds a parameter of the Contact; `None` where it does not fit.
    pub(super) fn param(&mut self, text: &[u8]) -> Option<()> {
        self.line(text)?;
        self.params = self.text.len();
        Some(())
    }

    /// Adds a header line, behind all parameters; `None` where it does not fit.
    pub(super) fn line(&mut self, text: &[u8]) -> Option<()> {
        self.text.extend_from_slice(text).ok()
    }

    /// The parameters, and the header lines.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        self.text.split_at_checked(self.params).unwrap_or_default()
    }
}

/// The table of bindings. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Bindings {
    slab: Slab<Binding, MAX_BINDINGS>,
    /// By the user part of the address-of-record, and again by that of the Contact where it differs.
    by_user: Index<{ 4 * MAX_BINDINGS }>,
    version: u32,
    /// As `version`, without refreshes that change nothing but the time.
    phones: u32,
    /// The earliest expiry, or an earlier moment; zero where there is none.
    next: Instant,
}

/// What [`Bindings::offer`] is given.
pub(super) struct Offer<'a> {
    pub(super) aor: &'a [u8],
    pub(super) contact: &'a [u8],
    pub(super) contact_user: &'a [u8],
    pub(super) place: Place,
}

impl Bindings {
    pub(super) const fn new() -> Self {
        Self { slab: Slab::new(), by_user: Index::new(), version: 0, phones: 0, next: Instant::ZERO }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// How many are valid. Looks through all there are.
    pub(super) fn valid(&self) -> usize {
        self.slab.iter().filter(|(_, binding)| binding.valid).count()
    }

    /// A number that changes with the valid bindings and their times.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// A number that changes with which phones are registered, where they are and which server keeps them.
    pub(super) fn phones(&self) -> u32 {
        self.phones
    }

    /// A binding is another one now, beyond its time.
    pub(super) fn note_change(&mut self) {
        self.version = self.version.wrapping_add(1);
        self.phones = self.phones.wrapping_add(1);
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Binding> {
        self.slab.get(handle)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Binding> {
        self.slab.get_mut(handle)
    }

    pub(super) fn first_from(&self, index: usize) -> Option<(Handle, &Binding)> {
        self.slab.first_from(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &Binding)> {
        self.slab.iter()
    }

    /// The binding of this address-of-record for this Contact: the same URI, or the same user at the same place. Another
    /// host's is never meant: one that is not even accepted by the registrar could take over the phone's calls.
    pub(super) fn find(&self, offer: &Offer<'_>) -> Option<Handle> {
        self.of_user(user_of(offer.aor)).find(|handle| {
            self.slab.get(*handle).is_some_and(|b| {
                b.aor == offer.aor
                    && b.place.address.host() == offer.place.address.host()
                    && (b.contact == offer.contact || (b.place == offer.place && b.contact_user == offer.contact_user))
            })
        })
    }

    /// The bindings of this address-of-record, valid or not.
    pub(super) fn of_aor(&self, aor: &[u8]) -> impl Iterator<Item = (Handle, &Binding)> {
        self.of_user(user_of(aor))
            .filter_map(|handle| Some((handle, self.slab.get(handle)?)))
            .filter(move |(_, b)| b.aor == aor)
    }

    /// Adds a binding that is not valid yet; `None` where the table is full or a URI too long.
    pub(super) fn offer(&mut self, offer: &Offer<'_>, now: Instant) -> Option<Handle> {
        let binding = Binding {
            aor: heapless::Vec::from_slice(offer.aor).ok()?,
            contact: heapless::Vec::from_slice(offer.contact).ok()?,
            contact_user: heapless::Vec::from_slice(offer.contact_user).unwrap_or_default(),
            place: offer.place,
            registrar: None,
            registrar_by: Transport::Udp,
            is_imported: false,
            has_moved: false,
            valid: false,
            expires_at: now.after_secs(PENDING_SECS),
            request: None,
            preference: None,
            gruus: Default::default(),
            granted: None,
            silent_at: Instant::ZERO,
            refreshed: now,
        };
        let expires_at = binding.expires_at;
        let (aor_hash, contact_hash) = (hash_of(binding.user()), hash_of(&binding.contact_user));
        let handle = self.slab.insert(binding).ok()?;
        self.by_user.insert(aor_hash, handle);
        if contact_hash != aor_hash {
            self.by_user.insert(contact_hash, handle);
        }
        self.expect(expires_at);
        Some(handle)
    }

    /// The registrar has accepted a binding for `secs` seconds.
    pub(super) fn confirm(&mut self, handle: Handle, registrar: Option<SocketAddr>, secs: u32, now: Instant) {
        let expires_at = now.after_secs(secs);
        if let Some(b) = self.slab.get_mut(handle) {
            let is_other = !b.valid || b.has_moved || b.registrar != registrar;
            (b.valid, b.has_moved, b.is_imported) = (true, false, false);
            b.registrar = registrar;
            b.expires_at = expires_at;
            b.refreshed = now;
            self.version = self.version.wrapping_add(1);
            self.phones = self.phones.wrapping_add(u32::from(is_other));
            self.expect(expires_at);
        }
    }

    /// Forgets what a registrar granted to an address-of-record.
    pub(super) fn forget_granted(&mut self, aor: &[u8]) {
        self.slab.iter_mut().map(|(_, b)| b).filter(|b| b.aor == aor).for_each(|b| b.granted = None);
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Binding> {
        let b = self.slab.remove(handle)?;
        let (aor_hash, contact_hash) = (hash_of(b.user()), hash_of(&b.contact_user));
        self.by_user.remove(aor_hash, handle);
        if contact_hash != aor_hash {
            self.by_user.remove(contact_hash, handle);
        }
        if b.valid {
            self.note_change();
        }
        Some(b)
    }

    /// The bindings for this user of a Contact and this place, valid or not.
    pub(super) fn of_contact(&self, user: &[u8], place: SocketAddr) -> impl Iterator<Item = &Binding> {
        let found = self.of_user(user).filter_map(|handle| self.slab.get(handle));
        found.filter(move |b| b.contact_user == user && b.place.address == place)
    }

    fn of_user(&self, user: &[u8]) -> impl Iterator<Item = Handle> + '_ {
        self.by_user.lookup(hash_of(user))
    }

    /// The valid binding that a request for `user` from `server` is for; `None` stands for ourselves. One kept by the asking server
    /// goes before others, the user of a Contact before that of an address-of-record, and of several the one refreshed last.
    pub(super) fn lookup(&self, user: &[u8], server: Option<IpAddr>, now: Instant) -> Option<Handle> {
        self.of_user(user)
            .filter_map(|handle| Some((handle, self.slab.get(handle)?)))
            .filter(|(_, b)| b.is_live(now) && (b.user() == user || b.contact_user == user))
            .max_by_key(|(_, b)| (b.registrar.map(|r| r.host()) == server, b.contact_user == user, b.refreshed))
            .map(|(handle, _)| handle)
    }

    /// The server that keeps the binding of this address-of-record for a phone at `phone`, that refreshed last of several.
    pub(super) fn registrar_of(&self, aor: &[u8], phone: IpAddr, now: Instant) -> Option<(SocketAddr, Transport)> {
        let binding = self
            .of_user(user_of(aor))
            .filter_map(|handle| self.slab.get(handle))
            .filter(|b| b.valid && b.expires_at > now && b.aor == aor && b.place.address.host() == phone)
            .max_by_key(|b| b.refreshed)?;
        Some((binding.registrar?, binding.registrar_by))
    }

    /// A valid binding of the phone at `place`, that of `user` before any other.
    pub(super) fn at_place(&self, user: &[u8], place: Place, now: Instant) -> Option<Handle> {
        let live = |b: &Binding| b.is_live(now) && b.place.address == place.address;
        self.of_user(user)
            .find(|handle| self.slab.get(*handle).is_some_and(|b| live(b) && b.contact_user == user))
            .or_else(|| self.slab.find(live))
    }

    /// The valid binding of `user` whose phone a URI names by its place, or by `host:port` as in its Contact where that is another. Without a
    /// port the user tells which of several at one address is meant.
    pub(super) fn named(
        &self,
        user: &[u8],
        hostport: &[u8],
        address: Option<SocketAddr>,
        port: Option<u16>,
    ) -> Option<&Binding> {
        let is_at = |b: &Binding| b.valid && Some(b.place.address) == address;
        self.of_user(user)
            .filter_map(|handle| self.slab.get(handle))
            .filter(|b| b.valid && (b.user() == user || b.contact_user == user))
            .filter(|b| {
                let same_host =
                    port.is_none() && address.is_some_and(|address| address.host() == b.place.address.host());
                is_at(b) || same_host || (b.place.renamed && b.is_called(hostport))
            })
            .max_by_key(|b| (is_at(b), b.contact_user == user))
    }

    /// A valid binding of a phone at `address`, whatever its user. Looks through the whole table.
    pub(super) fn at_address(&self, address: SocketAddr) -> Option<&Binding> {
        self.slab.get(self.slab.find(|b| b.valid && b.place.address == address)?)
    }

    /// Whether any binding, valid or not, is for `user`.
    pub(super) fn knows(&self, user: &[u8]) -> bool {
        self.of_user(user).next().is_some()
    }

    fn expect(&mut self, at: Instant) {
        if self.next == Instant::ZERO || at < self.next {
            self.next = at;
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        (!self.slab.is_empty() && self.next != Instant::ZERO).then_some(self.next)
    }

    /// Removes one binding whose time is up; `None` when no more is due, and the next expiry is known.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Binding> {
        if self.next == Instant::ZERO || now < self.next {
            return None;
        }
        if let Some(due) = self.slab.find(|b| b.expires_at <= now) {
            return self.remove(due);
        }
        self.next = self.slab.iter().map(|(_, b)| b.expires_at).min().unwrap_or(Instant::ZERO);
        None
    }
}

/// The address-of-record that a URI names: `user@host`, the host in lower case; `None` where it has no user or is too long.
pub(super) fn aor_text(bytes: &[u8], uri: Span) -> Option<UriText> {
    let uri = Uri::parse(bytes, uri).ok()?;
    let mut text = UriText::from_slice(uri.user?.of(bytes)).ok()?;
    text.push(b'@').ok()?;
    for byte in uri.host.of(bytes) {
        text.push(byte.to_ascii_lowercase()).ok()?;
    }
    Some(text)
}

fn user_of(aor: &[u8]) -> &[u8] {
    aor.split(|b| *b == b'@').next().unwrap_or_default()
}

/// FNV-1a. Phones choose the users; a phone that makes them collide slows down its own router only.
fn hash_of(user: &[u8]) -> u32 {
    user.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
