//! Calls that go on after a restart: their relays are opened on the same ports, for what the parties were told holds.
//!
//! One line each, beside those of the bindings:
//!
//! ```text
//! call until=UNIX caller=lan,ADDRESS callee=wan,ADDRESS digest=HEX tag=HEX|- answered=0|1 invite=CSEQ from=URI to=URI RELAY…
//! RELAY:  relay=SECTION,BOUND,BOUND caller=PEER callee=PEER
//! BOUND:  PORT of IPv4, PORT/6 of IPv6, or PORT/46 of both
//! PEER:   RTP,RTCP,ALLOWED,…   each an address or -
//! ```
//! Their duration counts from the restart on. Nothing is kept of an offer that was under way: until the next one
//! the media stays as it was.

use super::call::{Call, Calls, Digest, Name, Past, Relay};
use super::io::{Leg, RelayCmd, Side, Sink};
use super::{Engine, RestoreError};
use crate::family::Family;
use crate::host::Host;
use crate::limits::MAX_SECTIONS;
use crate::log_class::{self as class, log};
use crate::rtp::latch::Peer;
use crate::time::Instant;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// How each line begins.
pub(super) const MARK: &str = "call ";

/// Seconds that we may have been away. Who hears nothing for longer has hung up.
const MAX_AWAY: u64 = 120;

impl Calls {
    /// Writes all calls, one line each.
    pub(super) fn save(&self, unix_now: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        for (_, call) in self.calls.iter() {
            let [from, to] = [&call.names[0], &call.names[1]].map(|name| word(name));
            write!(
                out,
                "{MARK}until={} caller={} callee={} digest={} tag=",
                unix_now.saturating_add(MAX_AWAY),
                Party(call.sides[0], call.parties[0]),
                Party(call.sides[1], call.parties[1]),
                Hex(&call.digest),
            )?;
            match &call.callee_tag {
                Some(tag) => write!(out, "{}", Hex(tag))?,
                None => out.write_str(NOTHING)?,
            }
            write!(out, " answered={} invite={} from={from} to={to}", u8::from(call.answered), call.invite_number)?;
            for (section, handle) in call.relays.iter().enumerate() {
                if let Some(relay) = handle.and_then(|handle| self.relays.get(handle)) {
                    let [caller, callee] = [Leg::Caller, Leg::Callee].map(|leg| Aimed(relay.target(leg)));
                    let [first, second] = [0, 1].map(|leg| Bound(relay.ports[leg], relay.bound[leg]));
                    write!(out, " relay={section},{first},{second} caller={caller} callee={callee}")?;
                }
            }
            out.write_char('\n')?;
        }
        Ok(())
    }
}

impl Engine {
    /// Takes back one line that [`Calls::save`] wrote. A relay whose ports are taken is left out.
    pub(super) fn restore_call(
        &mut self,
        line: &str,
        now: Instant,
        unix_now: u64,
        out: &mut dyn Sink,
    ) -> Result<(), RestoreError> {
        let mut fields = Fields(line.strip_prefix(MARK).ok_or(RestoreError::Syntax)?.split_ascii_whitespace());
        let (until, call) = fields.call(now).ok_or(RestoreError::Syntax)?;
        let relays = fields.relays().ok_or(RestoreError::Syntax)?;
        if until < unix_now {
            return Err(RestoreError::Expired);
        }
        if !self.is_as_saved(&call, &relays) {
            return Err(RestoreError::Foreign);
        }
        if self.calls.calls.len() >= self.settings().max_calls {
            return Err(RestoreError::Full);
        }
        if self.calls.has_twin(&call) {
            return Err(RestoreError::Double);
        }
        let sides = call.sides;
        let handle = self.calls.insert(call).ok_or(RestoreError::Full)?;
        for relay in relays {
            self.restore_relay(handle, &relay, sides, out);
        }
        Ok(())
    }

    /// Whether a saved call can have been one of ours: each party where its side is, its media aimed where signalling could have
    /// aimed it, and its ports among those for media.
    fn is_as_saved(&self, call: &Call, relays: &Relays) -> bool {
        if self.addresses.of(Side::Lan).is_none() {
            // Nothing can be told yet.
            return true;
        }
        let is_party = |leg: usize| {
            let ip = call.parties[leg];
            let is_here = self.is_place_of_phone(ip);
            // A server on the WAN may have a private address (see `Self::peer_of`).
            let may_be_there = !is_here && !ip.is_multicast() && !ip.is_unspecified();
            if call.sides[leg] == Side::Lan { is_here } else { may_be_there }
        };
        let range = self.settings().rtp_port_low..=self.settings().rtp_port_high;
        (0..2).all(is_party)
            && relays.iter().all(|relay| {
                let is_aimed = |leg: usize| {
                    let Some(peer) = relay.aimed[leg] else { return true };
                    let places = [peer.rtp, peer.rtcp].into_iter().flatten();
                    let (side, party) = (call.sides[leg], call.parties[leg]);
                    let is_right = |place| self.was_of_relay(place, side) || self.may_be_media(place, side, party);
                    let may_send = |ip| self.is_at_relay(ip, side) || self.may_be_host(ip, side, party);
                    places.clone().all(is_right)
                        && places.map(|place| place.host()).chain(peer.allowed.into_iter().flatten()).all(may_send)
                };
                (0..2).all(is_aimed) && relay.ports.iter().all(|port| range.contains(port))
            })
    }

    fn restore_relay(&mut self, call: crate::table::Handle, saved: &SavedRelay, sides: [Side; 2], out: &mut dyn Sink) {
        let SavedRelay { section, ports, bound, mut aimed } = *saved;
        for (peer, side) in aimed.iter_mut().zip(sides) {
            if let Some(peer) = peer {
                peer.ours = [peer.rtp, peer.rtcp].into_iter().flatten().any(|place| self.was_of_relay(place, side));
            }
        }
        let families = bound.map(|[v4, _]| if v4 { Family::V4 } else { Family::V6 });
        let opened_with = families.map(|family| [family == Family::V4, family == Family::V6]);
        let relay = Relay { call, sides, ports, bound: opened_with, pending: [None; 2], aimed, offered: false };
        let Ok(handle) = self.calls.relays.insert(relay) else { return };
        let claimed = [0, 1].map(|leg| self.calls.ports.claim(sides[leg], ports[leg]));
        let open = RelayCmd::Open { relay: handle, sides, families, ports };
        let opened = claimed == [true; 2] && out.relay(open).is_ok();
        if !opened {
            log::warn!(target: class::RTP, "ports {} and {} of a call before the restart are taken: its media is lost", ports[0], ports[1]);
            for leg in [0, 1] {
                if claimed[leg] {
                    self.calls.ports.give_back(sides[leg], ports[leg]);
                }
            }
            self.calls.relays.remove(handle);
            return;
        }
        for (leg, [v4, v6]) in [Leg::Caller, Leg::Callee].into_iter().zip(bound) {
            // Without the other one what goes by the first goes on.
            if v4 && v6 {
                let _ = self.add_family(handle, leg, Family::V6, out);
            }
        }
        for leg in [Leg::Caller, Leg::Callee] {
            if let Some(peer) = self.calls.relays.get(handle).and_then(|relay| relay.target(leg)) {
                super::media::aim(handle, leg, peer, out);
            }
        }
        if let Some(call) = self.calls.calls.get_mut(call) {
            while call.relays.len() <= section && call.relays.push(None).is_ok() {}
            if let Some(place) = call.relays.get_mut(section) {
                *place = Some(handle);
            }
        }
    }
}

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// A name as one word.
fn word(name: &[u8]) -> &str {
    let text = core::str::from_utf8(name).unwrap_or(NOTHING);
    if text.is_empty() || text.contains(char::is_whitespace) { NOTHING } else { text }
}

struct Party(Side, IpAddr);

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", if self.0 == Side::Lan { "lan" } else { "wan" }, self.1)
    }
}

struct Hex<'a>(&'a Digest);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::sip::token::hex(self.0))
    }
}

/// The port of a leg, with the families it is bound to unless that is IPv4 alone.
struct Bound(u16, [bool; 2]);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(port, [v4, v6]) = *self;
        write!(f, "{port}")?;
        match (v4, v6) {
            (_, false) => Ok(()),
            (false, true) => f.write_str("/6"),
            (true, true) => f.write_str("/46"),
        }
    }
}

struct Aimed(Option<Peer>);

impl fmt::Display for Aimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(peer) = self.0 else { return f.write_str(NOTHING) };
        for (place, end) in [(peer.rtp, ","), (peer.rtcp, "")] {
            match place {
                Some(place) => write!(f, "{place}{end}")?,
                None => write!(f, "{NOTHING}{end}")?,
            }
        }
        peer.allowed.iter().flatten().try_for_each(|ip| write!(f, ",{ip}"))
    }
}

/// A relay of a saved call.
struct SavedRelay {
    section: usize,
    ports: [u16; 2],
    bound: [[bool; 2]; 2],
    aimed: [Option<Peer>; 2],
}

type Relays = heapless::Vec<SavedRelay, MAX_SECTIONS>;

/// The fields of a line, in their order; `None` wherever one is not as it was written.
struct Fields<'a>(core::str::SplitAsciiWhitespace<'a>);

impl Fields<'_> {
    fn text(&mut self, name: &str) -> Option<&str> {
        self.0.next()?.strip_prefix(name)?.strip_prefix('=')
    }

    fn value<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    fn party(&mut self, name: &str) -> Option<(Side, IpAddr)> {
        let (side, ip) = self.text(name)?.split_once(',')?;
        let side = match side {
            "lan" => Side::Lan,
            "wan" => Side::Wan,
            _ => return None,
        };
        Some((side, ip.parse().ok()?))
    }

    fn digest(&mut self, name: &str) -> Option<Option<Digest>> {
        let text = self.text(name)?;
        if text == NOTHING {
            return Some(None);
        }
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
        Some(Some(number.to_be_bytes()))
    }

    fn name(&mut self, name: &str) -> Option<Name> {
        Name::from_slice(self.text(name)?.as_bytes()).ok()
    }

    /// Until when a call may be taken back, in the wall clock's seconds, and the call without its relays.
    fn call(&mut self, now: Instant) -> Option<(u64, Call)> {
        let until = self.value("until")?;
        let (caller, callee) = (self.party("caller")?, self.party("callee")?);
        let digest = self.digest("digest")??;
        let callee_tag = self.digest("tag")?;
        let answered = self.value::<u8>("answered")? == 1;
        let invite_number = self.value("invite")?;
        let names = [self.name("from")?, self.name("to")?];
        let (sides, parties) = ([caller.0, callee.0], [caller.1, callee.1]);
        let relays = heapless::Vec::new();
        // Its branches are gone with their transactions.
        let (forked, started, answered_at, past) = (false, now, now, Past::default());
        let (refreshed_until, halves) = (Instant::ZERO, Default::default());
        let call = Call {
            digest,
            sides,
            parties,
            answered,
            answered_at,
            bye_at: None,
            was_challenged: false,
            rings: false,
            past,
            forked,
            callee_tag,
            early_tag: None,
            caller_offered: true,
            invite_number,
            relays,
            started,
            refreshed_until,
            halves,
            names,
            call_id: Name::new(),
        };
        Some((until, call))
    }

    /// The relays, which end the line: one for a section.
    fn relays(&mut self) -> Option<Relays> {
        let mut relays = Relays::new();
        while self.0.clone().next().is_some() {
            let relay = self.relay().filter(|new| relays.iter().all(|relay| relay.section != new.section))?;
            relays.push(relay).ok()?;
        }
        Some(relays)
    }

    fn relay(&mut self) -> Option<SavedRelay> {
        let mut words = self.text("relay")?.split(',');
        let section = words.next()?.parse().ok()?;
        let [(first, at_first), (second, at_second)] = [bound(words.next()?)?, bound(words.next()?)?];
        let (ports, bound) = ([first, second], [at_first, at_second]);
        let is_right = section < MAX_SECTIONS && ports.iter().all(|port| *port != 0 && port % 2 == 0);
        let aimed = [self.peer("caller")?, self.peer("callee")?];
        is_right.then_some(SavedRelay { section, ports, bound, aimed })
    }

    fn peer(&mut self, name: &str) -> Option<Option<Peer>> {
        let text = self.text(name)?;
        if text == NOTHING {
            return Some(None);
        }
        let mut words = text.split(',');
        let mut place = || {
            let word = words.next()?;
            if word == NOTHING { Some(None) } else { word.parse().ok().map(Some) }
        };
        let mut peer = Peer { rtp: place()?, rtcp: place()?, ..Peer::default() };
        peer.family = peer.rtp.map(|there| Family::of(there.host()));
        for (allowed, word) in peer.allowed.iter_mut().zip(words) {
            *allowed = Some(word.parse().ok()?);
        }
        Some(Some(peer))
    }
}

/// The port and the families of [`Bound`].
fn bound(word: &str) -> Option<(u16, [bool; 2])> {
    let (port, families) = word.split_once('/').unwrap_or((word, "4"));
    let families = match families {
        "4" => [true, false],
        "6" => [false, true],
        "46" => [true, true],
        _ => return None,
    };
    Some((port.parse().ok()?, families))
}
