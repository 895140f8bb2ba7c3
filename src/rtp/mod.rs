//! RTP and RTCP as the relay sees them: header checks, the learning of a peer's address, and how well it is heard. No payload
//! is read but the reports of RTCP, and how long keys last.

pub mod format;
pub mod latch;
pub mod mos;
pub mod playout;
pub mod quality;
pub mod rtcp;

/// What a datagram on a media port looks like (RFC 5761 §4, RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP (RFC 3550 §5.1).
    Rtp {
        /// Sequence number.
        sequence: u16,
        /// Synchronisation source.
        ssrc: u32,
    },
    /// RTCP (RFC 3550 §6.4), by its packet type 192 to 223.
    Rtcp,
    /// STUN (RFC 8489).
    Stun,
    /// DTLS (RFC 9147, RFC 6347).
    Dtls {
        /// Whether it opens a handshake: a ClientHello or a ServerHello.
        hello: bool,
    },
    /// Anything else, UDPTL for example.
    Other {
        /// The first two bytes: UDPTL's sequence number (T.38 §9.1); 0 where there are fewer.
        sequence: u16,
    },
}

/// Fixed part of an RTP header in bytes (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;
/// Smallest RTCP packet in bytes, header and SSRC (RFC 3550 §6.4.2).
const RTCP_HEADER: usize = 8;
/// Header of a STUN message in bytes (RFC 8489 §5).
const STUN_HEADER: usize = 20;
/// Bytes 4 to 7 of a STUN message (RFC 8489 §5).
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Header of a DTLS record in bytes (RFC 6347 §4.1).
const DTLS_HEADER: usize = 13;
/// DTLS content type of a handshake (RFC 6347 §4.1).
const DTLS_HANDSHAKE: u8 = 22;
/// The major version of DTLS 1.0 to 1.3 on the wire.
const DTLS_MAJOR: u8 = 254;

impl Kind {
    /// Classifies one datagram by its first byte (RFC 7983 §7) and by what the header of that protocol must hold.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Self {
        let known = match datagram.first() {
            Some(0..=3) => Self::stun(datagram),
            Some(20..=63) => Self::dtls(datagram),
            Some(128..=191) => Self::rtp_or_rtcp(datagram),
            _ => None,
        };
        let sequence = datagram.first_chunk().map_or(0, |head| u16::from_be_bytes(*head));
        known.unwrap_or(Self::Other { sequence })
    }

    /// A STUN message with the magic cookie; UDPTL and STUN share their first bytes, so the length has to be right.
    fn stun(datagram: &[u8]) -> Option<Self> {
        let [_, _, high, low, cookie @ .., _, _, _, _, _, _, _, _, _, _, _, _] =
            datagram.first_chunk::<STUN_HEADER>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let whole = datagram.len().checked_sub(STUN_HEADER) == Some(length);
        (*cookie == STUN_COOKIE && whole).then_some(Self::Stun)
    }

    /// A DTLS record with its 13-byte header.
    fn dtls(datagram: &[u8]) -> Option<Self> {
        const CLIENT_HELLO: u8 = 1;
        const SERVER_HELLO: u8 = 2;
        let [content, major, ..] = datagram.first_chunk::<DTLS_HEADER>()?;
        let opens = matches!(datagram.get(DTLS_HEADER), Some(&(CLIENT_HELLO | SERVER_HELLO)));
        (*major == DTLS_MAJOR).then_some(Self::Dtls { hello: *content == DTLS_HANDSHAKE && opens })
    }

    /// RTP version 2, or RTCP by its packet type (RFC 5761 §4).
    fn rtp_or_rtcp(datagram: &[u8]) -> Option<Self> {
        const CSRC_COUNT: u8 = 0x0f;
        const CSRC: usize = 4;
        if matches!(datagram.get(1), Some(192..=223)) {
            return (datagram.len() >= RTCP_HEADER).then_some(Self::Rtcp);
        }
        let [flags, _, s0, s1, _, _, _, _, ssrc @ ..] = datagram.first_chunk::<RTP_HEADER>()?;
        let sources = usize::from(flags & CSRC_COUNT).saturating_mul(CSRC);
        let whole = datagram.len() >= RTP_HEADER.saturating_add(sources);
        let sequence = u16::from_be_bytes([*s0, *s1]);
        whole.then_some(Self::Rtp { sequence, ssrc: u32::from_be_bytes(*ssrc) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp(flags: u8, len: usize) -> Vec<u8> {
        let mut packet = vec![flags, 0x80, 0x12, 0x34, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
        packet.resize(len, 0);
        packet
    }

    #[test]
    fn rtp_needs_its_whole_header() {
        assert_eq!(Kind::of(&rtp(0x80, 172)), Kind::Rtp { sequence: 0x1234, ssrc: 0xdead_beef });
        assert_eq!(Kind::of(&rtp(0x80, 11)), Kind::Other { sequence: 0x8080 });
        assert_eq!(Kind::of(&rtp(0x82, 20)), Kind::Rtp { sequence: 0x1234, ssrc: 0xdead_beef });
        assert_eq!(Kind::of(&rtp(0x82, 19)), Kind::Other { sequence: 0x8280 });
    }

    #[test]
    fn rtcp_goes_by_its_packet_type() {
        for packet_type in 192..=223 {
            assert_eq!(Kind::of(&[0x80, packet_type, 0, 1, 0, 0, 0, 1]), Kind::Rtcp);
        }
        assert_eq!(Kind::of(&[0x80, 200, 0, 0]), Kind::Other { sequence: 0x80c8 });
    }

    #[test]
    fn stun_needs_cookie_and_length() {
        let mut stun = vec![0, 1, 0, 0];
        stun.extend_from_slice(&STUN_COOKIE);
        stun.extend_from_slice(&[7; 12]);
        assert_eq!(Kind::of(&stun), Kind::Stun);
        stun.push(0);
        assert_eq!(Kind::of(&stun), Kind::Other { sequence: 1 }, "the length is wrong: it is UDPTL");
    }

    #[test]
    fn dtls_hello_is_told_from_other_records() {
        let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
        assert_eq!(Kind::of(&record), Kind::Dtls { hello: true });
        *record.last_mut().expect("not empty") = 11;
        assert_eq!(Kind::of(&record), Kind::Dtls { hello: false });
        record[0] = 23;
        assert_eq!(Kind::of(&record), Kind::Dtls { hello: false });
        record[1] = 3;
        assert_eq!(Kind::of(&record), Kind::Other { sequence: 0x1703 });
    }

    #[test]
    fn scraps_are_something_else() {
        assert_eq!(Kind::of(&[]), Kind::Other { sequence: 0 });
        assert_eq!(Kind::of(&[0x80]), Kind::Other { sequence: 0 });
        assert_eq!(Kind::of(&[64, 2]), Kind::Other { sequence: 0x4002 });
    }
}
