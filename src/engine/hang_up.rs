//! Hanging up for the parties of a call whose media is dead (`rtp_timeout_bye`): a BYE to each of them.
//!
//! ```text
//!   no media for rtp_timeout ──▶ the call ends here, its ports are closed
//!                                  └──▶ BYE to each party, again until it is answered or 32 s are over (Timer E, F)
//! ```
//! Each BYE is that which the other party would send: it is made from what that one knows of the dialog (RFC 3261 §12.2.1.1), and goes
//! the way of any BYE, so that names, Call-IDs and routes are those of its receiver. Its answer ends here, whatever it says: a party
//! that asks for a password for it, or knows nothing of the call, is left alone.
//!
//! What is known of a dialog is not saved: a call that was taken back after a restart gets its BYEs once an INVITE has passed in it.

use super::Engine;
use super::binding::UriText;
use super::call::Found;
use super::io::{Channel, ConnId, Leg, Sink};
use super::message::{Provenance, Received};
use super::own::HostAndPort;
use super::response::Back;
use crate::limits::{MAX_DIALOG, MAX_KEPT_BYTES, MAX_URI};
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::message::Element;
use crate::sip::seconds::delta_seconds;
use crate::sip::uri::DEFAULT_PORT;
use crate::sip::{HeaderId, Message, Method};
use crate::table::Handle;
use crate::time::Instant;
use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

/// Where requests of our own come from: no connection is so named. What would go back there ends here.
const NOWHERE: ConnId = ConnId::from_parts(u16::MAX, 0);

/// A BYE: what is kept, and five lines.
type Bye = heapless::Vec<u8, { MAX_DIALOG + MAX_URI + 320 }>;

/// What one party of a call knows of its dialog, as far as its BYE needs it.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Its remote target: the URI of the last Contact that was sent to it. Empty where there is none, or it is too long.
    target: UriText,
    /// Route, From, To and Call-ID of its requests, as lines. Empty before the call is answered, or where they are too long.
    lines: heapless::Vec<u8, MAX_DIALOG>,
    /// The highest CSeq number of its requests so far.
    number: u32,
}

/// Why a call is hung up for its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its media is dead.
    NoMedia,
    /// Somebody on the router wants it to end.
    Dropped,
}

impl Why {
    /// For the log.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NoMedia => "no media for rtp_timeout seconds, both parties get a BYE",
            Self::Dropped => "dropped from the control socket",
        }
    }

    /// For the parties, by Q.850 (RFC 3326 §2): recovery on timer expiry, normal call clearing.
    const fn reason(self) -> &'static str {
        match self {
            Self::NoMedia => "Q.850;cause=102;text=\"no media\"",
            Self::Dropped => "Q.850;cause=16;text=\"ended at the router\"",
        }
    }
}

/// Whether what would be sent here is for ourselves.
pub(super) fn is_nowhere(channel: Channel) -> bool {
    channel.conn == Some(NOWHERE)
}

impl Engine {
    /// A request has passed: its number counts, what refreshes the target brings a Contact, and after a BYE nobody need say anything.
    /// `parts` is the request as it was sent.
    pub(super) fn note_request(
        &mut self,
        received: &Received<'_>,
        found: Option<Found>,
        parts: &[&[u8]],
        now: Instant,
    ) {
        let Some(found) = found.filter(|found| found.same_dialog) else { return };
        let is_kept = self.settings().keep_dialogs;
        let Some(call) = self.calls.calls.get_mut(found.call) else { return };
        let cseq = &received.head.cseq;
        if cseq.method == Method::Bye {
            call.bye_at = call.bye_at.or(Some(now));
        }
        if !is_kept {
            return;
        }
        let half = &mut call.halves[found.sender as usize];
        half.number = half.number.max(cseq.number);
        if refreshes_target(cseq.method) {
            with_head(parts, |sent| note_target(&mut call.halves[found.sender.other() as usize], sent));
        }
    }

    /// A 2xx has passed: it may refresh the target and the session, and says whom a dialog is between. `parts` is the response as it was
    /// sent.
    pub(super) fn note_accepted(&mut self, received: &Received<'_>, back: &Back, parts: &[&[u8]], now: Instant) {
        let Some(handle) = back.call.filter(|_| refreshes_target(received.head.cseq.method)) else { return };
        let Some(found) = self.found_for_response(received, back, handle).filter(|found| found.same_dialog) else {
            return;
        };
        let session = received.msg.value(HeaderId::SessionExpires).and_then(session_expires);
        if let Some(call) = self.calls.calls.get_mut(handle) {
            call.refreshed_until = session.map_or(Instant::ZERO, |seconds| now.after_secs(seconds));
        }
        if !self.settings().keep_dialogs {
            return;
        }
        let mut of_asker = None;
        let mut target = Half::default();
        with_head(parts, |sent| {
            note_target(&mut target, sent);
            of_asker = self.lines(sent, true);
        });
        let of_answerer = self.lines(received.msg, false);
        let Some(call) = self.calls.calls.get_mut(handle) else { return };
        let asker = &mut call.halves[found.sender.other() as usize];
        if !target.target.is_empty() {
            asker.target = target.target;
        }
        fill(asker, of_asker);
        fill(&mut call.halves[found.sender as usize], of_answerer);
    }

    /// What a party's requests say of the dialog that a 2xx confirms: Route from our own element on, From, To and Call-ID.
    fn lines(&self, msg: &Message<'_>, is_asker: bool) -> Option<heapless::Vec<u8, MAX_DIALOG>> {
        let mut lines = heapless::Vec::new();
        let mut add = |parts: [&[u8]; 2]| {
            parts.iter().chain(&[&b"\r\n"[..]]).try_for_each(|part| lines.extend_from_slice(part)).ok()
        };
        let is_own = |element: &Element| self.is_own_route(msg.bytes(), element);
        let routes = || msg.elements(HeaderId::RecordRoute);
        let count = routes().count();
        // What is between the party and us has been gone through. Who was asked reads the list from the top (RFC 3261 §12.1.1), who has
        // asked from the end (§12.1.2).
        let in_order = |n: usize| routes().nth(if is_asker { count.checked_sub(n.checked_add(1)?)? } else { n });
        let first = (0..count).find(|n| in_order(*n).as_ref().is_some_and(is_own)).unwrap_or(count);
        for element in (first..count).filter_map(in_order) {
            add([b"Route: ", msg.get(element.span)])?;
        }
        let (from, to) = if is_asker { (HeaderId::From, HeaderId::To) } else { (HeaderId::To, HeaderId::From) };
        add([b"From: ", msg.value(from)?])?;
        add([b"To: ", msg.value(to)?])?;
        add([b"Call-ID: ", msg.value(HeaderId::CallId)?])?;
        Some(lines)
    }

    /// Ends a call, and says BYE to both parties; how many got one.
    pub(super) fn hang_up(&mut self, handle: Handle, why: Why, now: Instant, out: &mut dyn Sink) -> u8 {
        let Some(call) = self.calls.calls.get_mut(handle) else { return 0 };
        let (halves, sides, parties) = (core::mem::take(&mut call.halves), call.sides, call.parties);
        self.end_call(handle, format_args!("{}", why.words()), now, out);
        let mut said = 0u8;
        for leg in [Leg::Caller, Leg::Callee] {
            let (half, side, party) = (&halves[leg as usize], sides[leg as usize], parties[leg as usize]);
            let branch = self.key.hash("bye", &[&half.lines, &[leg as u8]]);
            match bye(half, party, why, &crate::sip::token::hex(&branch)) {
                Some(mut bytes) => {
                    let from = SocketAddr::new(party, DEFAULT_PORT);
                    let nowhere =
                        Provenance { on: Channel::tcp(side, NOWHERE), interface: side, from, meant_for: None };
                    self.datagram(nowhere, &mut bytes, now, out);
                    said = said.saturating_add(1);
                }
                None => {
                    let other = parties[leg.other() as usize];
                    log::info!(target: class::SIP, "no BYE to {other}: not enough is known of its dialog");
                }
            }
        }
        said
    }

    /// A response to a BYE of our own.
    pub(super) fn own_bye_answered(&mut self, handle: Handle, status: u16, now: Instant) {
        self.transactions.answered(handle, status, now);
        if status >= 200 {
            self.transactions.forget(handle);
            log::debug!(target: class::SIP, "our BYE is answered: {status}");
        }
    }
}

/// Methods whose Contact is the new remote target (RFC 3261 §12.2, RFC 3311 §5.1).
const fn refreshes_target(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// Calls `read` with a message that was sent, if its headers are not too long.
fn with_head(parts: &[&[u8]], read: impl FnOnce(&Message<'_>)) {
    let mut bytes = heapless::Vec::<u8, MAX_KEPT_BYTES>::new();
    for part in parts {
        let room = bytes.capacity().saturating_sub(bytes.len());
        // As much as there is room for: the headers come first.
        let _ = bytes.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
    }
    let is_whole = bytes.windows(4).any(|end| end == b"\r\n\r\n");
    if let Ok((msg, _)) = Message::parse_head(&mut bytes)
        && is_whole
    {
        read(&msg);
    }
}

fn note_target(half: &mut Half, sent: &Message<'_>) {
    let contact = sent.elements(HeaderId::Contact).next();
    if let Some(contact) = contact.and_then(|contact| NameAddr::parse(sent.bytes(), contact.span).ok()) {
        half.target = UriText::from_slice(sent.get(contact.uri)).unwrap_or_default();
    }
}

/// The route set and the names of a dialog stay as they were first.
fn fill(half: &mut Half, lines: Option<heapless::Vec<u8, MAX_DIALOG>>) {
    if half.lines.is_empty() {
        half.lines = lines.unwrap_or_default();
    }
}

/// Seconds of `Session-Expires: 1800;refresher=uac` (RFC 4028 §4).
fn session_expires(value: &[u8]) -> Option<u32> {
    let digits = value.split(|byte| *byte == b';').next()?.trim_ascii();
    delta_seconds(digits)
}

/// The BYE that a party at `party` would send.
fn bye(half: &Half, party: IpAddr, why: Why, branch: &str) -> Option<Bye> {
    if half.target.is_empty() || half.lines.is_empty() {
        return None;
    }
    let mut bye = Bye::new();
    bye.extend_from_slice(b"BYE ").ok()?;
    bye.extend_from_slice(&half.target).ok()?;
    let via = HostAndPort(SocketAddr::new(party, DEFAULT_PORT));
    write!(bye, " SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n").ok()?;
    bye.extend_from_slice(&half.lines).ok()?;
    let number = half.number.checked_add(1)?;
    write!(bye, "CSeq: {number} BYE\r\nReason: {}\r\nContent-Length: 0\r\n\r\n", why.reason()).ok()?;
    Some(bye)
}
