//! When a server fails a request: on to the next one (RFC 3263 §4.3, RFC 3261 §16.7).
//!
//! A phone on UDP repeats its request until it hears something, and the repetition goes to the next server. For one on TCP
//! we repeat it (see `retransmit`):
//!
//! ```text
//!   request ──▶ server 1 ──silence, ICMP error, 503──▶ avoided for 30 s (or Retry-After)
//!   repetition ──────────▶ server 2, under a branch of its own
//!   other requests ──────▶ server 2 at once
//! ```
//! * Silence is no response of any kind for [`INVITE_PATIENCE`] or [`PATIENCE`]. It is looked at when a repetition comes,
//!   so that a server is never left while the phone does not ask.
//! * With an ICMP error or a 503 before any provisional response, the failure is kept from the phone while there is
//!   another server. Behind a provisional response an INVITE is not repeated: the phone is told, and its next attempt goes
//!   to the next server.
//! * Each server is a client transaction of its own: the number of the attempt stands in the branch, beside the part that
//!   finds our one entry. What a server that was left says later is told from that: its final response is acknowledged, its
//!   provisional one to an INVITE brings it a CANCEL, its 2xx is passed on.
//! * The phone has one transaction through all of it, and its time is not prolonged.
//! * A server that is avoided comes last, not never: where all are, that which has been for longest is tried. A response
//!   from it ends that.
//! * 503 goes on as 500: to the receiver, 503 would mean this router.

use super::Engine;
use super::hop::{Hop, Spare};
use super::io::{Channel, Side, Sink};
use super::message::Received;
use super::own::HostAndPort;
use super::transaction::State;
use crate::dns::{Candidate, Candidates};
use crate::log_class::{self as class, log};
use crate::sip::{HeaderId, Message, Method};
use crate::table::Handle;
use crate::time::{Duration, Instant};
use core::fmt::Write as _;
use core::net::SocketAddr;

/// How long a server may be silent to an INVITE, which a proxy answers with 100 within 200 ms (RFC 3261 §17.2.1): past three
/// copies, and before the fourth after 3.5 s.
const INVITE_PATIENCE: Duration = Duration::from_secs(3);
/// How long a server may be silent to any other request: 8 × T1. A slow one says 100 by then (RFC 4320 §4.1).
const PATIENCE: Duration = Duration::from_secs(4);
/// Seconds for which a server that failed is avoided.
const AVOID_SECONDS: u32 = 30;
/// Most seconds of a Retry-After that are taken at its word.
const MAX_RETRY_AFTER: u32 = 600;
/// Servers that are avoided at one time. 48 bytes each.
const MAX_AVOIDED: usize = 32;

/// A message of our own to a server: a start line and seven headers.
type Short = heapless::Vec<u8, 2048>;

/// Servers that have failed, until when they are avoided. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Avoided {
    list: heapless::Vec<(SocketAddr, Instant), MAX_AVOIDED>,
}

impl Avoided {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new() }
    }

    /// Avoids `server` for so many seconds. In a full table the one whose time ends first is forgotten.
    fn add(&mut self, server: SocketAddr, secs: u32, now: Instant) {
        self.remove(server);
        self.list.retain(|(_, until)| *until > now);
        if self.list.is_full()
            && let Some((first, _)) = self.list.iter().enumerate().min_by_key(|(_, (_, until))| *until)
        {
            self.list.swap_remove(first);
        }
        // A place has just been made.
        let _ = self.list.push((server, now.after_secs(secs)));
    }

    fn remove(&mut self, server: SocketAddr) {
        self.list.retain(|(avoided, _)| *avoided != server);
    }

    /// Until when `server` is avoided.
    fn until(&self, server: SocketAddr, now: Instant) -> Option<Instant> {
        self.list.iter().find(|(avoided, until)| *avoided == server && *until > now).map(|(_, until)| *until)
    }
}

impl Engine {
    /// The server to try first, and those to try after it: candidates in their order, without those that are avoided. Where
    /// all are, the first is that which has been for longest.
    pub(super) fn choose(&self, candidates: &Candidates, more: bool, now: Instant) -> Option<(Candidate, Spare)> {
        let mut well = candidates.iter().filter(|candidate| self.avoided.until(candidate.address, now).is_none());
        match well.next() {
            Some(first) => {
                // The Contact names the transport, so that a request keeps to one.
                let same = well.filter(|candidate| candidate.transport == first.transport);
                let list = same.map(|candidate| candidate.address).collect();
                Some((*first, Spare { list, more, ..Spare::default() }))
            }
            None => Some((
                *candidates.iter().min_by_key(|candidate| self.avoided.until(candidate.address, now))?,
                Spare { more, ..Spare::default() },
            )),
        }
    }

    /// Sends a repeated request to where it went before, or to the next server where that one has failed it.
    pub(super) fn same_or_next_server(&mut self, handle: Handle, hop: &mut Hop, now: Instant) {
        let Some(t) = self.transactions.get(handle) else { return };
        let (current, side, transport) = (t.downstream, t.downstream_side, t.downstream_on.kind());
        let patience = if t.method == Method::Invite { INVITE_PATIENCE } else { PATIENCE };
        let is_silent = t.state == State::Trying && now.since(t.tried_at) >= patience;
        if t.from_phone && side == Side::Wan && (t.failed || is_silent) {
            if !t.failed {
                self.avoided.add(current, AVOID_SECONDS, now);
            }
            let next = core::iter::once(hop.to).chain(hop.spare.list.iter().copied()).find(|server| *server != current);
            if let Some(next) = next {
                log::info!(target: class::PROXY, "{current} fails {}: on to {next}", t.stored.call_id.of(&t.stored.text).escape_ascii());
                hop.to = next;
                hop.side = self.side_of(next);
                hop.spare.list.retain(|server| *server != next && *server != current);
                return self.transactions.move_on(handle, (next, hop.side), hop.spare.is_any(), now);
            }
            self.transactions.stay(handle);
        }
        (hop.to, hop.side, hop.transport) = (current, side, transport);
    }

    /// Whether a server has failed lately.
    pub(super) fn is_avoided(&self, server: SocketAddr, now: Instant) -> bool {
        self.avoided.until(server, now).is_some()
    }

    /// A server did not answer, or refused a datagram.
    pub(super) fn server_failed(&mut self, server: SocketAddr, now: Instant) {
        if self.side_of(server) == Side::Wan {
            self.avoided.add(server, AVOID_SECONDS, now);
        }
    }

    /// Takes note of a response from a server; `true` where it ends here.
    pub(super) fn is_kept_from_phone(
        &mut self,
        received: &Received<'_>,
        status: u16,
        attempt: u8,
        handle: Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        let Some(t) = self.transactions.get(handle).filter(|t| t.downstream_side == Side::Wan) else { return false };
        let is_invite = t.method == Method::Invite;
        if attempt != t.attempt {
            log::info!(target: class::PROXY, "{} answers {status} after it was left", received.from);
            match status {
                100..=199 if is_invite => {
                    self.send_beside(received, Method::Cancel, (received.on, received.from, &[]), out);
                }
                300.. if is_invite => self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out),
                _ => {}
            }
            return !(200..300).contains(&status);
        }
        let (server, is_open, was_failed, others) = (t.downstream, t.state == State::Trying, t.failed, t.others);
        let (upstream, downstream, comes_again) = (t.upstream_on, t.downstream_on, self.transactions.comes_again(t));
        if status != 503 {
            self.avoided.remove(server);
            return false;
        }
        self.avoided.add(server, retry_after(received.msg), now);
        // Who will not repeat his INVITE, after a 100 of ours, is told.
        let is_final = !comes_again || (is_invite && downstream.is_reliable() && !upstream.is_reliable());
        if !is_open || !(others || was_failed) || is_final {
            return false;
        }
        log::info!(target: class::PROXY, "{server} answers 503: the phone's next copy goes to another server");
        self.transactions.fail(handle);
        self.transactions.repeat_now(now);
        if is_invite {
            self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out);
        }
        true
    }

    /// Sends the ACK or CANCEL of an INVITE to the next hop whose response to it does not reach the sender. Given are the channel,
    /// the next hop, and the INVITE's request-URI, empty where it is not known.
    pub(super) fn send_beside(
        &self,
        response: &Received<'_>,
        method: Method,
        (on, to, uri): (Channel, SocketAddr, &[u8]),
        out: &mut dyn Sink,
    ) {
        let Some(own) = self.sent_by(response.origin.side()) else { return };
        let rport = self.settings().rport_towards(response.origin.side());
        let Some(short) = short(response, method, (on, to, uri), (own, rport)) else { return };
        if let Err(error) = out.send(on, to, &[&short]) {
            // The server repeats its response, and with it comes the next chance.
            log::debug!(target: class::NET, "to {to} not sent: {error:?}");
        }
    }
}

/// An ACK or CANCEL from the response that it is for (RFC 3261 §9.1, §17.1.1.3). Servers find its INVITE by the branch.
fn short(
    response: &Received<'_>,
    method: Method,
    (on, to, uri): (Channel, SocketAddr, &[u8]),
    (own, rport): (SocketAddr, &str),
) -> Option<Short> {
    let msg = response.msg;
    let name = if method == Method::Ack { "ACK" } else { "CANCEL" };
    let mut short = Short::new();
    write!(short, "{name} ").ok()?;
    if uri.is_empty() {
        write!(short, "sip:{}", HostAndPort(to)).ok()?;
    }
    short.extend_from_slice(uri).ok()?;
    write!(short, " SIP/2.0\r\nVia: SIP/2.0/{} {};branch=", on.name(), HostAndPort(own)).ok()?;
    short.extend_from_slice(response.branch_text()).ok()?;
    write!(short, "{rport}\r\nMax-Forwards: 70\r\nFrom: ").ok()?;
    short.extend_from_slice(msg.value(HeaderId::From)?).ok()?;
    short.extend_from_slice(b"\r\nTo: ").ok()?;
    let party = msg.header(HeaderId::To)?.value;
    // The INVITE had no tag, and a CANCEL has what it had.
    match response.head.to.param(msg.bytes(), b"tag").filter(|_| method == Method::Cancel) {
        Some(tag) => {
            short.extend_from_slice(crate::span::Span::new(party.start, tag.whole.start).of(msg.bytes())).ok()?;
            short.extend_from_slice(crate::span::Span::new(tag.whole.end, party.end).of(msg.bytes())).ok()?;
        }
        None => short.extend_from_slice(party.of(msg.bytes())).ok()?,
    }
    short.extend_from_slice(b"\r\nCall-ID: ").ok()?;
    short.extend_from_slice(msg.get(response.head.call_id)).ok()?;
    write!(short, "\r\nCSeq: {} {name}\r\nContent-Length: 0\r\n\r\n", response.head.cseq.number).ok()?;
    Some(short)
}

/// For how many seconds a server that says 503 is avoided (RFC 3261 §21.5.4).
fn retry_after(msg: &Message<'_>) -> u32 {
    let Some(text) = msg.value(HeaderId::RetryAfter) else { return AVOID_SECONDS };
    let digits = text.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
    crate::sip::seconds::delta_seconds(digits).map_or(AVOID_SECONDS, |secs| secs.clamp(1, MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5060))
    }

    #[test]
    fn avoiding_ends() {
        let (mut avoided, start) = (Avoided::new(), Instant::from_millis(1000));
        avoided.add(server(1), 30, start);
        avoided.add(server(1), 10, start);
        assert_eq!(avoided.until(server(1), start), Some(start.after_secs(10)));
        assert_eq!(avoided.until(server(1), start.after_secs(10)), None);
        assert_eq!(avoided.until(server(2), start), None);
        avoided.remove(server(1));
        assert_eq!(avoided.until(server(1), start), None);
    }

    #[test]
    fn a_full_table_forgets_what_ends_first() {
        let (mut avoided, start) = (Avoided::new(), Instant::from_millis(1000));
        for last in 0..40 {
            avoided.add(server(last), 100 - u32::from(last), start);
        }
        assert_eq!(avoided.list.len(), MAX_AVOIDED);
        assert!(avoided.until(server(0), start).is_some() && avoided.until(server(39), start).is_some());
        assert!(avoided.until(server(31), start).is_none());
    }
}
