//! Branches of our own Via (RFC 3261 §16.6 step 8).
//!
//! `z9hG4bK` + `sx` + 24 hexadecimal digits that name the transaction + the number of the server that is tried, none for
//! the first + `.` + 8 digits that show a loop. Both are keyed hashes of
//! the request, so that a retransmission gets the same branch, also after a restart, with nothing kept.

use super::message::Received;
use crate::host::Host;
use crate::sip::HeaderId;
use crate::sip::token::{Key, hex};
use core::fmt::Write as _;
use core::net::IpAddr;

/// The magic cookie (RFC 3261 §8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";
/// What tells our branches from others'.
const MARK: &[u8] = b"sx";

/// The part of a branch that shows a loop.
pub(super) type LoopPart = [u8; 4];

/// Branch of our own Via, without the magic cookie.
pub(super) type BranchKey = [u8; 12];

/// A branch as text.
pub(super) type Text = heapless::String<48>;

/// The transaction part: the same for an INVITE, its CANCEL and the ACK of its final response other than 2xx.
pub(super) fn key(secret: &Key, received: &Received<'_>) -> BranchKey {
    let msg = received.msg;
    let head = &received.head;
    let mut source = heapless::Vec::<u8, 18>::new();
    // Sixteen bytes of the longest address and two of the port.
    let _ = match received.from.host() {
        IpAddr::V4(ip) => source.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => source.extend_from_slice(&ip.octets()),
    };
    // The ACK of an INVITE may come over another connection, from another port.
    let port = if received.on.is_reliable() { head.via.port.unwrap_or(0) } else { received.from.port() };
    let _ = source.extend_from_slice(&port.to_be_bytes());
    let number = head.cseq.number.to_be_bytes();
    let branch = received.branch_text();
    let is_unique = branch.strip_prefix(COOKIE).is_some_and(|rest| !rest.is_empty());
    let hash = if is_unique {
        secret.hash("branch", &[&source, branch, msg.get(head.call_id), msg.get(head.from_tag), &number])
    } else {
        // RFC 3261 §16.11, without what differs between an INVITE and its CANCEL or ACK.
        let via = msg.get(head.via_element.span);
        let uri = received.written_uri();
        secret.hash("branch-2543", &[&source, via, uri, msg.get(head.call_id), msg.get(head.from_tag), &number])
    };
    let mut key = BranchKey::default();
    key.copy_from_slice(&hash[..12]);
    key
}

/// The loop part: the same when a request comes back with the same target. The To tag is left out, unlike in RFC 3261 §16.6
/// step 8: the ACK of a failed INVITE has one, and the same branch as the INVITE.
pub(super) fn loop_part(secret: &Key, received: &Received<'_>) -> LoopPart {
    let msg = received.msg;
    let head = &received.head;
    let route = msg.value(HeaderId::Route).unwrap_or_default();
    let parts = [
        // As its sender wrote it: the ACK of a refusal, which no hook changes, has that of its INVITE.
        received.written_uri(),
        msg.get(head.from_tag),
        msg.get(head.call_id),
        &head.cseq.number.to_be_bytes(),
        route,
        // A call from one of our phones to another may come back from the provider with all of this unchanged.
        &[received.origin.side() as u8],
    ];
    let mut part = LoopPart::default();
    part.copy_from_slice(&secret.hash("loop", &parts)[..4]);
    part
}

/// The branch for a request on its way out.
pub(super) fn text(key: &BranchKey, attempt: u8, loop_part: &LoopPart) -> Text {
    let mut text = Text::new();
    // 7 + 2 + 24 + 3 + 1 + 8 characters of 48.
    let _ = write!(text, "z9hG4bKsx{}", hex(key));
    if attempt > 0 {
        let _ = write!(text, "{attempt}");
    }
    let _ = write!(text, ".{}", hex(loop_part));
    text
}

/// Reads a branch of ours: the transaction part, the attempt, and the loop part. `None` for anybody else's.
pub(super) fn parse(branch: &[u8]) -> Option<(BranchKey, u8, &[u8])> {
    let rest = branch.strip_prefix(COOKIE)?.strip_prefix(MARK)?;
    let (digits, rest) = rest.split_at_checked(24)?;
    let dot = rest.iter().position(|byte| *byte == b'.')?;
    let (attempt, loop_part) = (rest.get(..dot)?, rest.get(dot + 1..)?);
    let attempt = if attempt.is_empty() { 0 } else { core::str::from_utf8(attempt).ok()?.parse().ok()? };
    let mut key = BranchKey::default();
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let text = core::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some((key, attempt, loop_part))
}
