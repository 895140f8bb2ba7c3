//! RTCP compound packets: the reports in them (RFC 3550 §6.4), or the word that it is not one we can read.
//!
//! A compound is judged as a whole (RFC 3550 §A.2) before anything in it counts. What SRTCP has encrypted (RFC 3711 §3.4) does not stand
//! that test: behind its first eight bytes no length adds up.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
/// The packet types that RFC 5761 §4 sets aside for RTCP.
const TYPES: core::ops::RangeInclusive<u8> = 192..=223;

/// Bytes of the header common to all packets, of a sender's information, and of one report block.
const HEADER: usize = 4;
const SSRC: usize = 4;
const SENDER_INFO: usize = 20;
const BLOCK: usize = 24;

/// Packets of one compound that are looked at: reports come first (RFC 3550 §6.1).
const MAX_PACKETS: usize = 16;

/// The sender's part of an SR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// Whose report it is.
    pub ssrc: u32,
    /// The middle 32 bits of its NTP time stamp, which come back as LSR.
    pub ntp_middle: u32,
    /// RTP packets that it has sent since it began.
    pub packets: u32,
}

/// One report block of an SR or RR: what its sender has heard of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Packets lost of the last interval, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; never negative here, duplicates are no gain.
    pub lost: u32,
    /// Interarrival jitter in the source's time stamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time stamp of the source's last SR; 0 is none.
    pub last_sr: u32,
    /// Time from that SR to this report, in 1/65536 s.
    pub delay: u32,
}

/// What a compound says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The sender's own.
    Sender(SenderReport),
    /// What it heard.
    Block(Block),
}

/// Reads a datagram; `None` where it is no compound of RTCP in the clear.
#[must_use]
pub fn reports(datagram: &[u8]) -> Option<impl Iterator<Item = Report> + '_> {
    is_whole(datagram).then(|| packets(datagram).take(MAX_PACKETS).flat_map(reports_of))
}

/// The validity check of RFC 3550 §A.2, without its demand that a report comes first: RFC 5506 lifts that.
fn is_whole(datagram: &[u8]) -> bool {
    const VERSION: u8 = 0xc0;
    const PADDING: u8 = 0x20;
    let mut rest = datagram;
    while let Some((flags, packet_type, packet)) = first(rest) {
        rest = rest.get(packet.len()..).unwrap_or_default();
        // Only the last one is padded.
        if flags & VERSION != 0x80 || !TYPES.contains(&packet_type) || (flags & PADDING != 0 && !rest.is_empty()) {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// First byte, packet type and all bytes of the packet that `rest` begins with; `None` where it is not whole.
fn first(rest: &[u8]) -> Option<(u8, u8, &[u8])> {
    let [flags, packet_type, high, low] = *rest.first_chunk::<HEADER>()?;
    let words = usize::from(u16::from_be_bytes([high, low])).saturating_add(1);
    Some((flags, packet_type, rest.get(..words.saturating_mul(4))?))
}

fn packets(datagram: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let packet = first(rest)?;
        rest = rest.get(packet.2.len()..)?;
        Some(packet)
    })
}

/// The reports of one packet.
fn reports_of((flags, packet_type, packet): (u8, u8, &[u8])) -> impl Iterator<Item = Report> {
    const COUNT: u8 = 0x1f;
    let body = packet.get(HEADER..).unwrap_or_default();
    let sender = (packet_type == SENDER_REPORT).then(|| sender_report(body)).flatten();
    let blocks = match packet_type {
        SENDER_REPORT => body.get(SSRC.saturating_add(SENDER_INFO)..),
        RECEIVER_REPORT => body.get(SSRC..),
        _ => None,
    };
    let blocks = blocks.unwrap_or_default().chunks_exact(BLOCK).take(usize::from(flags & COUNT));
    sender.map(Report::Sender).into_iter().chain(blocks.filter_map(block).map(Report::Block))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

fn sender_report(body: &[u8]) -> Option<SenderReport> {
    if body.len() < SSRC.saturating_add(SENDER_INFO) {
        return None;
    }
    Some(SenderReport { ssrc: word(body, 0)?, ntp_middle: word(body, 6)?, packets: word(body, 16)? })
}

fn block(bytes: &[u8]) -> Option<Block> {
    const NEGATIVE: u32 = 0x80_0000;
    let [fraction_lost, a, b, c] = *bytes.get(4..)?.first_chunk()?;
    let lost = u32::from_be_bytes([0, a, b, c]);
    Some(Block {
        ssrc: word(bytes, 0)?,
        fraction_lost,
        lost: if lost >= NEGATIVE { 0 } else { lost },
        jitter: word(bytes, 12)?,
        last_sr: word(bytes, 16)?,
        delay: word(bytes, 20)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An SR of source 1 with one block on source 2, and an SDES.
    fn compound() -> Vec<u8> {
        let mut bytes = vec![0x81, 200, 0, 12];
        let words = [1, 0xaaaa_1111, 0x2222_bbbb, 160, 5, 800, 2, 0x1900_0007, 99, 33, 0x1111_2222, 0x8000];
        bytes.extend(words.iter().flat_map(|word: &u32| word.to_be_bytes()));
        bytes.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Vec<Report>> {
        reports(bytes).map(Iterator::collect)
    }

    #[test]
    fn reads_both_halves_of_a_report() {
        let block = Block { ssrc: 2, fraction_lost: 0x19, lost: 7, jitter: 33, last_sr: 0x1111_2222, delay: 0x8000 };
        let sender = SenderReport { ssrc: 1, ntp_middle: 0x1111_2222, packets: 5 };
        assert_eq!(read(&compound()), Some(vec![Report::Sender(sender), Report::Block(block)]));
    }

    #[test]
    fn what_does_not_add_up_is_not_read() {
        let whole = compound();
        for length in 0..whole.len() {
            // What is left after the SR is whole, too.
            assert_eq!(read(&whole[..length]).is_some(), length == 52, "{length} bytes");
        }
        for (at, value) in [(0, 0x41), (1, 96), (3, 13), (3, 11), (0, 0xa1), (55, 3)] {
            let mut wrong = whole.clone();
            wrong[at] = value;
            assert_eq!(read(&wrong), None, "byte {at} is {value}");
        }
    }

    #[test]
    fn encrypted_reports_are_not_read() {
        let mut bytes = compound();
        for (at, byte) in bytes.iter_mut().enumerate().skip(8) {
            *byte ^= (at as u8).wrapping_mul(37) | 1;
        }
        bytes.extend([0x80, 0, 0, 1]);
        bytes.extend([9; 10]);
        assert_eq!(read(&bytes), None, "with a tag of 80 bits");
        bytes.extend([9; 6]);
        assert_eq!(read(&bytes), None, "with a tag of 128 bits");
        // A lone receiver report, whose length is in the clear and true.
        assert_eq!(read(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]), None);
    }

    #[test]
    fn a_count_beyond_the_packet_is_no_block() {
        let bytes = [0x9f, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(read(&bytes), Some(vec![]));
    }

    #[test]
    fn a_negative_loss_is_none() {
        let mut bytes = compound();
        bytes[33] = 0xff;
        let blocks = read(&bytes).expect("whole");
        assert!(matches!(blocks[1], Report::Block(Block { lost: 0, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), cuts in any::<[u8; 4]>()) {
            let _ = read(&bytes);
            // Nearer to what is read.
            for (at, byte) in [0x81, 200, 0, cuts[3]].into_iter().enumerate() {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            if let Some(found) = read(&bytes) {
                prop_assert!(found.len() <= 32 * MAX_PACKETS);
            }
        }
    }
}
