//! What the engine says of its calls while they run: who, since when, what each party's media came to so far, and what is wrong with it.
//!
//! [`Engine::call_stats`] gives one call at a time, so that whoever asks for all of them decides how many he takes in one turn of the
//! event loop. What it costs does not grow with what a call has carried: a relay's counters are read as they are.

use super::Engine;
use super::io::{Leg, LegCounters, RelayCmd, Side, Sink};
use super::verdict::{self, Fault, Sent};
use crate::limits::MAX_SECTIONS;
use crate::log_class::{self as class, log};
use crate::rtp::format::Media;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// One call as it is now. What is there for each party is the caller's first.
#[derive(Clone, Debug)]
pub struct CallStats<'a> {
    /// What names it among the calls that there are and were.
    pub id: Handle,
    /// The URIs of From and To of its first INVITE, cut after 64 bytes.
    pub names: [&'a [u8]; 2],
    /// The side of each party.
    pub sides: [Side; 2],
    /// The address that its signalling comes from.
    pub parties: [IpAddr; 2],
    /// When its first INVITE came; of one that began before we did, when we first heard of it.
    pub started: Instant,
    /// When it was answered.
    pub answered: Option<Instant>,
    /// When the first BYE passed that has not been refused.
    pub ended: Option<Instant>,
    /// Its media sections that are relayed.
    pub sections: heapless::Vec<SectionStats, MAX_SECTIONS>,
    /// The gravest fault so far, that of sections which are closed included.
    pub fault: Option<Fault>,
}

/// One media section as it is now.
#[derive(Clone, Copy, Debug)]
pub struct SectionStats {
    /// Its place in the session description, from zero.
    pub number: usize,
    /// What each party said it carries.
    pub media: [Media; 2],
    /// Our RTP port for each party.
    pub ports: [u16; 2],
    /// Where each party wants its RTP; `None` on hold by 0.0.0.0, and before it has said so.
    pub announced: [Option<SocketAddr>; 2],
    /// Whether the last description of each party was not for media both ways.
    pub held: [bool; 2],
    /// What came from each party.
    pub legs: [LegCounters; 2],
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// What there is, in the words of siproxd 0.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Streams of media that are relayed: one from each party, for each media section.
    pub streams: usize,
    /// Calls, those that ring included.
    pub calls: usize,
    /// Phones that are in a call.
    pub clients: usize,
    /// Registrations.
    pub registered: usize,
}

/// One stream of media.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The URI of the phone, cut after 64 bytes.
    pub client: &'a [u8],
    /// Cut after 64 bytes, too; empty for a call that began before we did.
    pub call_id: &'a [u8],
    /// Whether the phone calls, and is not called.
    pub is_call_outgoing: bool,
    /// Whether it goes from the phone.
    pub is_outgoing: bool,
    /// Our address that it leaves by; `None` where there is none any more.
    pub local: Option<IpAddr>,
    /// Where it goes; `None` before its receiver has said so.
    pub remote: Option<IpAddr>,
}

impl CallStats<'_> {
    /// Writes it into the log: a line for the call, and one for each section.
    pub fn log(&self, now: Instant) {
        let [from, to] = self.names.map(<[u8]>::escape_ascii);
        let since = |start: Instant| now.since(start).as_secs();
        let began = since(self.started);
        match self.answered.map(since) {
            Some(answered) => log::info!(
                target: class::SIP, "status: call from {from} to {to} began {began} s ago, answered {answered} s ago",
            ),
            None => {
                log::info!(target: class::SIP, "status: call from {from} to {to} began {began} s ago, not answered");
            }
        }
        self.sections.iter().for_each(|section| log::info!(target: class::SIP, "status: {section}"));
        if let Some(fault) = self.fault {
            log::info!(target: class::SIP, "status: so far {fault}");
        }
    }
}

impl fmt::Display for SectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "media section {}: ", self.number.saturating_add(1))?;
        for (name, leg) in [("caller", Leg::Caller), ("; callee", Leg::Callee)] {
            write!(f, "{name} at ")?;
            match self.announced[leg as usize] {
                Some(place) => write!(f, "{place}")?,
                None => f.write_str("an unknown place")?,
            }
            f.write_str(if self.held[leg as usize] { " (on hold)" } else { "" })?;
            write!(f, " to our port {}: {}", self.ports[leg as usize], Sent::of(&self.legs, leg))?;
        }
        let strangers = self.legs.iter().fold(0u32, |sum, leg| sum.saturating_add(leg.strangers));
        write!(f, "; strangers {strangers}")
    }
}

impl Engine {
    /// How many calls, streams and phones there are. Compares each phone with all those before it.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let is_new = |(number, phone): &(usize, _)| self.phones_in_calls().take(*number).all(|other| other != *phone);
        Figures {
            streams: self.calls.relays.len().saturating_mul(2),
            calls: self.calls.calls.len(),
            clients: self.phones_in_calls().enumerate().filter(is_new).count(),
            registered: self.bindings.valid(),
        }
    }

    /// Address and name of each phone that is in a call, once for each call.
    fn phones_in_calls(&self) -> impl Iterator<Item = (IpAddr, &[u8])> {
        self.calls.calls.iter().flat_map(|(_, call)| {
            let of = move |leg: Leg| (call.sides[leg as usize] == Side::Lan).then_some(leg as usize);
            let legs = [of(Leg::Caller), of(Leg::Callee)].into_iter().flatten();
            legs.map(|leg| (call.parties[leg], call.names[leg].as_slice()))
        })
    }

    /// Tells `each` the streams of all calls.
    ///
    /// # Errors
    /// That of `each`, with which it ends.
    pub fn streams(&self, each: &mut dyn FnMut(&Stream<'_>) -> fmt::Result) -> fmt::Result {
        for (_, call) in self.calls.calls.iter() {
            let is_call_outgoing = call.sides[Leg::Caller as usize] == Side::Lan;
            let phone = if is_call_outgoing { Leg::Caller } else { Leg::Callee };
            for relay in call.relays.iter().flatten().filter_map(|relay| self.calls.relays.get(*relay)) {
                for sender in [Leg::Caller, Leg::Callee] {
                    let receiver = sender.other() as usize;
                    each(&Stream {
                        client: &call.names[phone as usize],
                        call_id: &call.call_id,
                        is_call_outgoing,
                        is_outgoing: sender == phone,
                        local: self.addresses.of(call.sides[receiver]),
                        remote: relay.aimed[receiver].and_then(|peer| Some(peer.rtp?.ip())),
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The first call that stands in place `from` of the table of calls or behind it, and the place behind that one; `None` where there
    /// is no more. The relay's counters come through `out`.
    pub fn call_stats(&self, from: usize, out: &mut dyn Sink) -> Option<(CallStats<'_>, usize)> {
        let (handle, call) = self.calls.calls.first_from(from)?;
        let mut sections = heapless::Vec::new();
        let mut fault = call.past.fault;
        for (number, relay) in call.relays.iter().enumerate() {
            let Some(section) =
                relay.and_then(|relay| self.section_stats(number, relay, call.answered_since(), call.bye_at, out))
            else {
                continue;
            };
            fault = verdict::graver(fault, section.fault);
            // A call has at most so many relays.
            let _ = sections.push(section);
        }
        let stats = CallStats {
            id: handle,
            names: call.names.each_ref().map(heapless::Vec::as_slice),
            sides: call.sides,
            parties: call.parties,
            started: call.started,
            answered: call.answered_since(),
            ended: call.bye_at,
            sections,
            fault,
        };
        Some((stats, handle.index().saturating_add(1)))
    }

    fn section_stats(
        &self,
        number: usize,
        handle: Handle,
        answered: Option<Instant>,
        ended: Option<Instant>,
        out: &mut dyn Sink,
    ) -> Option<SectionStats> {
        let relay = self.calls.relays.get(handle)?;
        // An edge that cannot count has none.
        let legs = out.relay(RelayCmd::Count { relay: handle }).unwrap_or_default();
        let of = |leg: Leg| relay.aimed[leg as usize];
        let peers = [of(Leg::Caller), of(Leg::Callee)];
        Some(SectionStats {
            number,
            media: peers.map(|peer| peer.map_or(Media::Unknown, |peer| peer.terms.media)),
            ports: relay.ports,
            announced: peers.map(|peer| peer?.rtp),
            held: relay.held(),
            legs,
            fault: answered.and_then(|answered| verdict::judge(relay, &legs, answered, ended)),
        })
    }
}
