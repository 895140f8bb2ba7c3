//! The whole engine: a script of what happens, in the language of the golden cases.

use super::rig::script::{Event, Player, events, set};
use super::rig::{Output, Rig, open_settings};
use core::net::IpAddr;
use siproxd::engine::io::MediaReport;
use siproxd::engine::{Input, Side};
use siproxd::limits::{MAX_BINDINGS, MAX_CALLS, MAX_RELAYS, MAX_TRANSACTIONS};
use siproxd::sip::{HeaderId, Message, StartLine};
use siproxd::time::Duration;

/// Events of one script that happen; the rest is left out, so that no input takes long.
const MOST_EVENTS: usize = 60;
/// Longest time in milliseconds that one event lets pass: over an hour, the usual life of a registration.
const LONGEST_WAIT: u64 = 4_000_000;
/// Longer than any transaction lasts (Timer C and Timer B, RFC 3261 §16.6 and §17.1.1.2).
const ALL_OVER: Duration = Duration::from_secs(400);
/// Who nobody has called, and who has no registration: nothing in a script but the event's own line names him.
const STRANGER: &str = "192.0.2.66";
/// What addresses on the LAN begin with, as the rig has it.
const PRIVATE: &[u8] = b"10.0.0.";

/// Plays a script. A stranger gets nothing, what goes to the WAN are SIP messages, no table is above its limit, relays that
/// are known are relays that are open, and in the end no transaction and no relay is left.
pub fn engine(data: &[u8]) {
    super::quiet();
    let mut settings = open_settings();
    let mut events = events(data);
    events.retain(|event| event.kind() != "set" || !set(&mut settings, &event.words[1..]));
    events.retain(|event| event.kind() != "wait" || is_short(event));
    let hiding = settings.topology_hiding;
    let is_named = |event: &Event| {
        let in_words = event.message().is_none() && event.kind() != "accept";
        event.body.contains(STRANGER) || (in_words && event.words.iter().any(|word| word.contains(STRANGER)))
    };
    let stranger_is_one =
        settings.wan_allow.is_empty() && settings.lan_networks.is_empty() && !events.iter().any(is_named);
    let mut player = Player::new(settings);
    let mut seen_private = false;
    for event in events.iter().take(MOST_EVENTS) {
        let source = event.message();
        let datagram = player.datagram(event);
        // No router has an address of its LAN on the WAN.
        let on_wan = event.kind() == "address" && event.words.get(1).is_some_and(|side| side != "lan");
        if on_wan && event.words.iter().any(|word| word.parse().is_ok_and(is_lan)) {
            continue;
        }
        // An address of the LAN cannot come in from the WAN.
        if source.is_some_and(|(side, from)| (side == Side::Lan) != is_lan(from.ip())) {
            continue;
        }
        let by_phone = source.is_some_and(|(side, _)| side == Side::Lan);
        seen_private |= !by_phone && datagram.windows(PRIVATE.len()).any(|w| w == PRIVATE);
        let Some(outputs) = player.happen(event) else { continue };
        let is_stranger = source.is_some_and(|(_, from)| from.ip().to_string() == STRANGER);
        let has_ours = datagram.to_ascii_lowercase().windows(2).any(|w| w == b"sx");
        if is_stranger && stranger_is_one && !has_ours {
            assert!(!outputs.iter().any(|o| matches!(o, Output::Sent { .. })), "a stranger was answered");
        }
        check(&outputs, hiding && by_phone && !seen_private);
        check_tables(&player.rig);
    }
    let outputs = player.rig.wait(ALL_OVER);
    check(&outputs, false);
    // All that is left are calls whose BYE never came: the relay ends them.
    for relay in player.relays.clone() {
        player.rig.input(Input::Media(MediaReport::Idle(relay)));
    }
    player.rig.wait(ALL_OVER);
    check_tables(&player.rig);
    let usage = player.rig.engine.usage();
    // A call whose media was all declined may wait for its BYE: it makes room for the first that needs it.
    assert_eq!((usage.transactions, usage.relays), (0, 0), "something is left: {usage:?}");
}

fn is_short(wait: &Event) -> bool {
    wait.words.get(1).and_then(|millis| millis.parse::<u64>().ok()).is_some_and(|millis| millis <= LONGEST_WAIT)
}

fn is_lan(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets().starts_with(&[10, 0, 0]))
}

fn check_tables(rig: &Rig) {
    let usage = rig.engine.usage();
    assert_eq!(usage.relays, rig.recorder.open, "relays known and relays open");
    assert!(usage.bindings <= MAX_BINDINGS && usage.transactions <= MAX_TRANSACTIONS);
    assert!(usage.calls <= MAX_CALLS && usage.relays <= MAX_RELAYS);
}

fn check(outputs: &[Output], secret: bool) {
    for output in outputs {
        let Output::Sent { via, bytes, .. } = output else { continue };
        if via.local == Side::Lan || bytes.iter().all(|b| b"\r\n".contains(b)) {
            continue;
        }
        let mut copy = bytes.clone();
        let msg = Message::parse(&mut copy)
            .unwrap_or_else(|error| panic!("{error:?} in what went to the WAN: {}", bytes.escape_ascii()));
        if secret {
            let is_response = matches!(msg.start(), StartLine::Response { .. });
            for header in msg.headers() {
                let is_spared = match header.id {
                    // One changed byte makes them wrong.
                    HeaderId::Authorization | HeaderId::ProxyAuthorization => true,
                    // Copied from the request, which came from there: a phone that changes them tells on itself.
                    HeaderId::Via | HeaderId::From | HeaderId::To | HeaderId::RecordRoute => is_response,
                    _ => false,
                };
                let value = msg.get(header.value);
                assert!(
                    is_spared || !holds_private_address(value),
                    "a private address went to the WAN: {}",
                    bytes.escape_ascii()
                );
            }
        }
    }
}

/// Whether there is an address of the LAN in its usual form.
fn holds_private_address(text: &[u8]) -> bool {
    (0..text.len()).any(|at| private_address_at(text, at).is_some())
}

/// The length of the address of the LAN at `at`, in its usual form; `510.0.0.2`, `10.0.0.256` and `10.0.0.02` are none. The
/// digits of an escape (`%40`) may stand before it.
pub(super) fn private_address_at(text: &[u8], at: usize) -> Option<usize> {
    let last = text[at..].strip_prefix(PRIVATE)?;
    let digits: String = last.iter().take_while(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
    let is_octet = digits.parse::<u8>().is_ok_and(|octet| octet.to_string() == digits);
    let escaped = matches!(text[..at], [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let goes_on = text[..at].last().is_some_and(u8::is_ascii_digit) && !escaped;
    (is_octet && !goes_on).then_some(PRIVATE.len() + digits.len())
}
