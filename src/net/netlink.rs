//! Frames and attributes of netlink, of whatever family (netlink(7)).
//!
//! Numbers of the frame are in the machine's byte order. What does not fit is skipped; nothing here can panic.

/// `struct nlmsghdr`.
pub(super) const NLMSG_HDRLEN: usize = 16;
/// `struct nlattr`.
pub(super) const NLA_HDRLEN: usize = 4;

pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;
pub(super) const NLM_F_REQUEST: u16 = 1;
pub(super) const NLM_F_ACK: u16 = 4;
pub(super) const NLM_F_DUMP: u16 = 0x300;

/// Set in the kind of an attribute that has attributes in it.
pub(super) const NLA_F_NESTED: u16 = 1 << 15;
/// The bits of an attribute's kind that are its number.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message: what its header says, and what is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    /// Sequence number of the request that it answers.
    pub(super) sequence: u32,
    /// Port of the socket that asked.
    pub(super) port: u32,
    pub(super) body: &'a [u8],
}

/// The messages of one datagram; ends at the first that does not fit.
pub(super) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let frame = Frame {
            kind: u16_at(rest, 4)?,
            flags: u16_at(rest, 6)?,
            sequence: u32_at(rest, 8)?,
            port: u32_at(rest, 12)?,
            body: rest.get(NLMSG_HDRLEN..length)?,
        };
        rest = rest.get(aligned(length)..).unwrap_or(&[]);
        Some(frame)
    })
}

/// Number and value of the attributes behind a fixed part of `skip` bytes.
pub(super) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(skip..).unwrap_or(&[]);
    core::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(NLA_HDRLEN..length)?;
        rest = rest.get(aligned(length)..).unwrap_or(&[]);
        Some((kind & NLA_TYPE_MASK, value))
    })
}

/// Messages and attributes start at multiples of four bytes.
pub(super) const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}
