//! What must come back with a response, sealed into our own Via.
//!
//! A transaction knows where the responses to its request go, and which Vias the far side must not see. Its table is full at times, and
//! empty after a restart; so the same is in the parameter `sx` of the Via that we put on, which comes back with each response (RFC 3261
//! §16.11: a stateless proxy finds in a response all that it needs). The seal is bound to Call-ID and CSeq, and that of a REGISTER to
//! its address-of-record, so that it opens for the responses to that request only; nobody else can read or make one. It opens no longer
//! than such a response is of use (`stamp`).
//!
//! ```text
//!   when it was made, 3 bytes | flags, 2 bytes | port and address of the sender | address of the next hop | the Vias that were hidden, packed
//! ```
//! Vias that are too long leave a Via without a seal: such a request needs its transaction.

use super::Engine;
use super::binding::{UriText, aor_text};
use super::guard::Origin;
use super::hop::Hop;
use super::io::Side;
use super::message::Received;
use crate::host::Host;
use crate::limits::MAX_SEALED_VIAS;
use crate::log_class as class;
use crate::sip::Method;
use crate::sip::token::{Letter, LetterText};
use crate::sip::via::Transport;
use crate::time::Instant;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

mod stamp;

pub(super) use stamp::Stamp;

/// The Via parameter, and what stands before its value.
const PARAM: &[u8] = b"sx";
pub(super) const SEAL_MARK: &str = ";sx=";
const LABEL: &str = "via";

/// What a response finds its way by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedVia {
    /// When it was made.
    stamp: Stamp,
    /// Where responses go.
    pub(super) upstream: SocketAddr,
    pub(super) upstream_by: Transport,
    /// Our address that the request came to.
    pub(super) upstream_local: Side,
    pub(super) from_phone: bool,
    /// Where the request went.
    pub(super) hop: IpAddr,
    pub(super) downstream_side: Side,
    /// Whether the far side sees only our Via.
    pub(super) hidden: bool,
    /// Whether the request had no To tag, and may have opened a dialog.
    pub(super) opens_dialog: bool,
    /// Whether the next hop may challenge the request.
    pub(super) own_server: bool,
    /// Whether a REGISTER ends the bindings that its 2xx does not name.
    pub(super) unregisters: bool,
    /// The Via lines that were hidden, each with its name and line end.
    pub(super) vias: Vias,
}

/// Via lines.
pub(super) type Vias = heapless::Vec<u8, MAX_SEALED_VIAS>;

impl SealedVia {
    const fn flags(&self) -> [u8; 2] {
        let first = bit(self.from_phone, 0)
            | bit(matches!(self.upstream_by, Transport::Tcp), 1)
            | bit(matches!(self.upstream_local, Side::Wan), 2)
            | bit(matches!(self.downstream_side, Side::Wan), 3)
            | bit(self.hidden, 4)
            | bit(self.opens_dialog, 5)
            | bit(self.own_server, 6)
            | bit(self.unregisters, 7);
        [first, bit(self.upstream.is_ipv6(), 0) | bit(self.hop.is_ipv6(), 1)]
    }

    fn write(&self, vias: &[u8]) -> Option<Letter> {
        let mut content = Letter::new();
        content.extend_from_slice(&self.stamp.to_bytes()).ok()?;
        content.extend_from_slice(&self.flags()).ok()?;
        content.extend_from_slice(&self.upstream.port().to_be_bytes()).ok()?;
        write_ip(self.upstream.host(), &mut content)?;
        write_ip(self.hop, &mut content)?;
        pack(vias, self.upstream.host(), &mut content)?;
        Some(content)
    }

    fn read(content: &[u8]) -> Option<Self> {
        let (stamp, rest) = content.split_first_chunk::<3>()?;
        let ([first, second, port @ ..], rest) = rest.split_first_chunk::<4>()?;
        let is = |number: u8| *first & (1u8 << number) != 0;
        let side = |number| if is(number) { Side::Wan } else { Side::Lan };
        let (upstream, rest) = read_ip(rest, second & 1 != 0)?;
        let (hop, packed) = read_ip(rest, second & 2 != 0)?;
        Some(Self {
            stamp: Stamp::from_bytes(*stamp),
            upstream: SocketAddr::new(upstream, u16::from_be_bytes(*port)),
            upstream_by: if is(1) { Transport::Tcp } else { Transport::Udp },
            upstream_local: side(2),
            from_phone: is(0),
            hop,
            downstream_side: side(3),
            hidden: is(4),
            opens_dialog: is(5),
            own_server: is(6),
            unregisters: is(7),
            vias: unpack(packed, upstream)?,
        })
    }
}

impl Engine {
    /// The seal for the Via of a request that leaves by `hop` with `call_id`, made at `stamp`; `vias` are the lines that are `hidden`.
    /// Empty where they are too long.
    pub(super) fn seal_via(
        &self,
        received: &Received<'_>,
        (hop, stamp): (&Hop, Stamp),
        hidden: bool,
        vias: &[u8],
        call_id: &[u8],
    ) -> LetterText {
        let sealed = SealedVia {
            stamp,
            upstream: received.reply_to(),
            upstream_by: received.on.kind(),
            upstream_local: received.on.local,
            from_phone: received.origin == Origin::Phone,
            hop: hop.to.host(),
            downstream_side: hop.side,
            hidden,
            opens_dialog: hop.of_invite.map_or(received.head.to_tag.is_empty(), |invite| invite.opens_dialog),
            own_server: hop.own_server,
            unregisters: hop.registers.is_end(),
            vias: Vias::new(),
        };
        let Some(content) = sealed.write(vias) else { return LetterText::new() };
        let aor = aor_of_register(received);
        let context = [call_id, &received.head.cseq.number.to_be_bytes(), method_name(received), &aor];
        self.key.seal_letter(LABEL, &context, &content)
    }

    /// What is sealed into the topmost Via of a response; `None` where that is none of ours, of another request, or too old.
    pub(super) fn open_via(&self, response: &Received<'_>, now: Instant) -> Option<SealedVia> {
        let bytes = response.msg.bytes();
        let text = response.head.via.param(bytes, PARAM)?.value?.of(bytes);
        let number = response.head.cseq.number.to_be_bytes();
        let aor = aor_of_register(response);
        let context = [response.msg.get(response.head.call_id), &number, method_name(response), &aor];
        let sealed = SealedVia::read(&self.key.open_letter(LABEL, &context, text)?)?;
        let is_over = sealed.stamp.is_over(response.head.cseq.method, self.stamp(now));
        if is_over {
            log::debug!(target: class::PROXY, "the request that the response from {} is for is long over", response.from);
        }
        (!is_over).then_some(sealed)
    }

    /// The stamp of a seal that is made now.
    pub(super) const fn stamp(&self, now: Instant) -> Stamp {
        Stamp::of(now, self.clock_origin)
    }
}

/// The method in the context of a seal. CANCEL and ACK have the Via of their INVITE (RFC 3261 §9.1, §17.1.1.3).
fn method_name<'m>(received: &Received<'m>) -> &'m [u8] {
    match received.head.method {
        Method::Ack | Method::Cancel => b"INVITE",
        _ => received.msg.get(received.head.cseq.name),
    }
}

/// The address-of-record in the context of a REGISTER's seal, so that no registrar can answer for another's account.
fn aor_of_register(received: &Received<'_>) -> UriText {
    let is_register = received.head.cseq.method == Method::Register;
    let aor = is_register.then(|| aor_text(received.msg.bytes(), received.head.to.uri));
    aor.flatten().unwrap_or_default()
}

const fn bit(set: bool, number: u8) -> u8 {
    (set as u8) << number
}

fn write_ip(ip: IpAddr, content: &mut Letter) -> Option<()> {
    match ip {
        IpAddr::V4(ip) => content.extend_from_slice(&ip.octets()).ok(),
        IpAddr::V6(ip) => content.extend_from_slice(&ip.octets()).ok(),
    }
}

fn read_ip(content: &[u8], is_v6: bool) -> Option<(IpAddr, &[u8])> {
    if is_v6 {
        let (ip, rest) = content.split_first_chunk::<16>()?;
        return Some((IpAddr::V6(Ipv6Addr::from(*ip)), rest));
    }
    let (ip, rest) = content.split_first_chunk::<4>()?;
    Some((IpAddr::V4(Ipv4Addr::from(*ip)), rest))
}

/// What nearly every Via is made of: each is packed into one byte, the first into 1, and so on. The sender's own address comes last.
const WORDS: [&[u8]; 6] =
    [b"Via: SIP/2.0/UDP ", b"Via: SIP/2.0/TCP ", b";branch=z9hG4bK", b";rport=", b";received=", b"\r\n"];
/// No text has these bytes, which stand for words.
const CODES: core::ops::RangeInclusive<u8> = 1..=7;

/// The text of an address.
fn text_of(ip: IpAddr) -> heapless::String<40> {
    let mut text = heapless::String::new();
    // The longest is of 39 characters.
    let _ = write!(text, "{ip}");
    text
}

fn pack(text: &[u8], sender: IpAddr, packed: &mut Letter) -> Option<()> {
    let sender = text_of(sender);
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        let words = WORDS.iter().copied().chain([sender.as_bytes()]);
        let found = words.zip(CODES).find_map(|(word, code)| Some((code, rest.strip_prefix(word)?)));
        let (byte, behind) = match found {
            Some(found) => found,
            None if CODES.contains(first) => return None,
            None => (*first, others),
        };
        packed.push(byte).ok()?;
        rest = behind;
    }
    Some(())
}

fn unpack(packed: &[u8], sender: IpAddr) -> Option<Vias> {
    let sender = text_of(sender);
    let mut text = Vias::new();
    for byte in packed {
        let word = match CODES.clone().position(|code| code == *byte) {
            Some(number) => WORDS.get(number).copied().unwrap_or(sender.as_bytes()),
            None => core::slice::from_ref(byte),
        };
        text.extend_from_slice(word).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(upstream: &str, hop: &str, flags: u8) -> SealedVia {
        let is = |number: u8| flags & (1 << number) != 0;
        let side = |number| if is(number) { Side::Wan } else { Side::Lan };
        SealedVia {
            stamp: Stamp::default(),
            upstream: upstream.parse().unwrap(),
            upstream_by: if is(1) { Transport::Tcp } else { Transport::Udp },
            upstream_local: side(2),
            from_phone: is(0),
            hop: hop.parse().unwrap(),
            downstream_side: side(3),
            hidden: is(4),
            opens_dialog: is(5),
            own_server: is(6),
            unregisters: is(7),
            vias: Vias::new(),
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let vias =
            "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1;rport=5060;received=10.0.0.2\r\nVia: SIP/2.0/TLS h;a\r\n";
        for number in 0..8 {
            for (upstream, hop) in [("10.0.0.2:5060", "2001:db8::1"), ("[2001:db8::2]:65535", "203.0.113.1")] {
                let mut sealed = sealed(upstream, hop, 1 << number);
                let content = sealed.write(vias.as_bytes()).unwrap();
                sealed.vias = Vias::from_slice(vias.as_bytes()).unwrap();
                assert_eq!(SealedVia::read(&content), Some(sealed));
                for length in 0..11 {
                    assert_eq!(SealedVia::read(&content[..length]), None);
                }
            }
        }
    }

    #[test]
    fn one_via_of_a_phone_is_short() {
        let via = "Via: SIP/2.0/UDP 192.168.100.102:5060;branch=z9hG4bK-524287-1---0123456789abcdef;rport=5060;received=192.168.100.102\r\n";
        let content = sealed("192.168.100.102:5060", "203.0.113.10", 0).write(via.as_bytes()).unwrap();
        assert_eq!(content.len(), 3 + 2 + 6 + 4 + 44, "of {} characters", via.len());
    }

    #[test]
    fn what_cannot_be_packed_is_not_sealed() {
        assert!(sealed("10.0.0.2:5060", "10.0.0.1", 0).write(b"Via: \x03").is_none());
        assert!(sealed("10.0.0.2:5060", "10.0.0.1", 0).write(&[b'a'; 400]).is_none());
        // More than is kept: a seal of another version of this program, say.
        assert!(unpack(&[1; MAX_SEALED_VIAS], IpAddr::V4(Ipv4Addr::LOCALHOST)).is_none());
    }
}
