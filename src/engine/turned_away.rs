//! Strangers who call our phones: dropped, and logged with the line that would admit them.
//!
//! A provider that sends calls from an address that no registration and no DNS record names is a stranger to us. Without a line in
//! the log nobody could find out why calls do not come in.

use super::{Engine, Side};
use crate::host::Host;
use crate::limits::MAX_TURNED_AWAY;
use crate::log_class::{self as class, log};
use crate::sip::uri::Uri;
use crate::span::Span;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Seconds without a call from a source after which its next one is logged again: scanners come back sooner.
const EPISODE_SECS: u32 = 3600;
/// Bytes of a start line that are looked at: a method, a URI that fits a Contact, and the version.
pub(super) const MAX_START_LINE: usize = 1024;

/// Sources that were logged, until when they stay silent.
type Sources = heapless::Vec<(IpAddr, Instant), MAX_TURNED_AWAY>;

/// Those on the LAN, and those on the Internet, which must not use up the places of the others. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct TurnedAway {
    on: [Sources; 2],
}

impl TurnedAway {
    pub(super) const fn new() -> Self {
        Self { on: [Sources::new(), Sources::new()] }
    }

    /// Whether a source is to be logged now. With all places of its side taken it is not: no flood of forged sources fills the log.
    pub(super) fn is_new(&mut self, side: Side, source: IpAddr, now: Instant) -> bool {
        let list = &mut self.on[side as usize];
        let until = now.after_secs(EPISODE_SECS);
        if let Some(entry) = list.iter_mut().find(|(ip, _)| *ip == source) {
            return core::mem::replace(&mut entry.1, until) <= now;
        }
        if list.is_full() {
            list.retain(|(_, silent_until)| *silent_until > now);
        }
        list.push((source, until)).is_ok()
    }
}

impl Engine {
    /// A stranger's datagram is dropped: an INVITE for a phone of ours is worth a line, once an episode.
    pub(super) fn turn_away(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let user = invited_user(bytes).filter(|user| self.bindings.lookup(user, Some(from.host()), now).is_some());
        match user {
            Some(user) if self.turned_away.is_new(Side::Wan, from.host(), now) => log::warn!(
                target: class::ACL,
                "INVITE from {from} for {} dropped: not a server that a phone is registered with; to admit it: wan_allow = {}",
                user.escape_ascii(),
                from.host()
            ),
            _ => log::debug!(target: class::ACL, "datagram from stranger {from} dropped"),
        }
    }

    /// A datagram came by the LAN's interface from nowhere on the LAN: from behind another router, most likely.
    pub(super) fn turn_away_on_lan(&mut self, from: SocketAddr, now: Instant) {
        let ip = from.host();
        if self.turned_away.is_new(Side::Lan, ip, now) {
            log::warn!(
                target: class::ACL,
                "all from {ip} on the LAN dropped: it is in no network of if_inbound; to admit it: hosts_allow_reg = {ip}, or lan_networks with all that is yours"
            );
        } else {
            log::debug!(target: class::ACL, "datagram from {from} on the LAN dropped");
        }
    }
}

/// The user in the request-URI of an INVITE.
fn invited_user(bytes: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"INVITE ";
    let line = bytes.get(..bytes.len().min(MAX_START_LINE))?.split(|byte| *byte == b'\n').next()?;
    let end = line.strip_prefix(NAME)?.iter().position(|byte| *byte == b' ')?.checked_add(NAME.len())?;
    let uri = Uri::parse(line, Span::from_usize(NAME.len(), end)).ok()?;
    Some(uri.user?.of(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn the_user_is_found_without_parsing_the_message() {
        assert_eq!(invited_user(b"INVITE sip:alice@198.51.100.1 SIP/2.0\r\n"), Some(&b"alice"[..]));
        assert_eq!(invited_user(b"INVITE sip:198.51.100.1 SIP/2.0\r\n"), None);
        assert_eq!(invited_user(b"OPTIONS sip:alice@198.51.100.1 SIP/2.0\r\n"), None);
        assert_eq!(invited_user(b"INVITE sip:alice@198.51.100.1"), None);
        assert_eq!(invited_user(b"INVITE "), None);
        assert_eq!(invited_user(&[&b"INVITE sip:"[..], &[b'a'; 2000], b"@x SIP/2.0"].concat()), None);
    }

    #[test]
    fn a_source_is_logged_once_an_episode() {
        let ip = |n: u8| IpAddr::from(Ipv4Addr::new(192, 0, 2, n));
        let mut table = TurnedAway::new();
        let mut is_new = |side, n, secs| table.is_new(side, ip(n), Instant::from_millis(1).after_secs(secs));
        assert!(is_new(Side::Wan, 1, 0) && !is_new(Side::Wan, 1, 3599));
        assert!(!is_new(Side::Wan, 1, 3601), "it never stopped");
        assert!(is_new(Side::Wan, 1, 10_000));
        let others = (2..100).filter(|n| is_new(Side::Wan, *n, 10_000)).count();
        assert_eq!(others, MAX_TURNED_AWAY - 1);
        assert!(is_new(Side::Lan, 2, 10_000), "the LAN has places of its own");
        assert!(is_new(Side::Wan, 200, 20_000), "old episodes make room");
    }
}
