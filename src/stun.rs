//! STUN (RFC 8489, and what servers of RFC 3489 make of it): Binding requests, and the address in their answers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What tells a request apart from others.
pub type Transaction = [u8; 12];

/// RFC 8489 §5. A server of RFC 3489 takes it for a part of the transaction.
const COOKIE: u32 = 0x2112_A442;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
/// The header: type, length, cookie, transaction.
const HEADER: usize = 20;
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// The same in drafts, and in servers that were written by them.
const XOR_MAPPED_ADDRESS_OF_DRAFTS: u16 = 0x8020;

/// A Binding request.
#[must_use]
pub fn request(transaction: &Transaction) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let fields = REQUEST.to_be_bytes().into_iter().chain([0, 0]).chain(COOKIE.to_be_bytes()).chain(*transaction);
    bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
    bytes
}

/// Whether a datagram is the successful answer to a request, whatever is in it.
#[must_use]
pub fn is_answer(bytes: &[u8], transaction: &Transaction) -> bool {
    let (kind, cookie) = (SUCCESS.to_be_bytes(), COOKIE.to_be_bytes());
    let fields: [(usize, &[u8]); 3] = [(0, &kind), (4, &cookie), (8, transaction)];
    fields.into_iter().all(|(at, field)| bytes.get(at..).is_some_and(|rest| rest.starts_with(field)))
}

/// The address by which the server knows us, in an answer to a request with this transaction.
#[must_use]
pub fn mapped_address(bytes: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    if !is_answer(bytes, transaction) {
        return None;
    }
    let length = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let mut rest = bytes.get(HEADER..)?.get(..usize::from(length))?;
    let mut plain = None;
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        let [kind, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let value = behind.get(..usize::from(length))?;
        match kind {
            // A NAT that changes addresses in what passes finds none here.
            XOR_MAPPED_ADDRESS | XOR_MAPPED_ADDRESS_OF_DRAFTS => return address(value, Some(transaction)),
            MAPPED_ADDRESS => plain = address(value, None),
            _ => {}
        }
        // To the next multiple of four.
        rest = behind.get(usize::from(length).checked_next_multiple_of(4)?..).unwrap_or_default();
    }
    plain
}

/// RFC 8489 §14.1, §14.2: a zero, the family, the port and the address, in the latter form with a mask.
fn address(value: &[u8], masked: Option<&Transaction>) -> Option<SocketAddr> {
    let ([_, family, port @ ..], rest) = value.split_first_chunk::<4>()?;
    let mut mask = [0u8; 16];
    if let Some(transaction) = masked {
        let bytes = COOKIE.to_be_bytes().into_iter().chain(*transaction);
        mask.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    }
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(unmasked::<4>(rest, &mask)?)),
        2 => IpAddr::V6(Ipv6Addr::from(unmasked::<16>(rest, &mask)?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(unmasked::<2>(port, &mask)?)))
}

fn unmasked<const N: usize>(bytes: &[u8], mask: &[u8; 16]) -> Option<[u8; N]> {
    let mut plain = *bytes.first_chunk::<N>()?;
    plain.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Transaction = *b"abcdefghijkl";

    /// An answer with these attributes.
    fn answer(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&(value.len() as u16).to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut bytes = request(&ID).to_vec();
        bytes[..2].copy_from_slice(&SUCCESS.to_be_bytes());
        bytes[2..4].copy_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn mapped(attributes: &[(u16, &[u8])]) -> Option<String> {
        mapped_address(&answer(attributes), &ID).map(|at| at.to_string())
    }

    #[test]
    fn a_request_is_a_header() {
        assert_eq!(request(&ID), *b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl");
    }

    #[test]
    fn addresses_plain_and_masked() {
        let plain = [0, 1, 0x13, 0xc4, 203, 0, 113, 7];
        let masked = [0, 1, 0x13 ^ 0x21, 0xc4 ^ 0x12, 203 ^ 0x21, 0x12, 113 ^ 0xa4, 7 ^ 0x42];
        let want = Some("203.0.113.7:5060".to_owned());
        assert_eq!(mapped(&[(1, &plain)]), want);
        assert_eq!(mapped(&[(0x20, &masked)]), want);
        assert_eq!(mapped(&[(0x8022, b"a text"), (0x8020, &masked)]), want);
        assert_eq!(mapped(&[(1, &[0, 1, 0, 0, 10, 0, 0, 1]), (0x20, &masked)]), want, "the masked one counts");
        let mut six = vec![0, 2, 0x13, 0xc4];
        six.extend("2001:db8::7".parse::<Ipv6Addr>().expect("an address").octets());
        assert_eq!(mapped(&[(1, &six)]).as_deref(), Some("[2001:db8::7]:5060"));
    }

    /// The example of RFC 5769 §2.2, by its own transaction.
    #[test]
    fn the_answer_of_rfc_5769() {
        let id: Transaction = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";
        let mut bytes = b"\x01\x01\x00\x1c\x21\x12\xa4\x42".to_vec();
        bytes.extend(id);
        bytes.extend(b"\x80\x22\x00\x0btest vector \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
        assert_eq!(mapped_address(&bytes, &id).map(|at| at.to_string()).as_deref(), Some("192.0.2.1:32853"));
    }

    #[test]
    fn what_is_no_answer() {
        let good = answer(&[(1, &[0, 1, 0, 0, 1, 2, 3, 4])]);
        assert!(mapped_address(&good, b"abcdefghijkm").is_none());
        for length in 0..good.len() {
            assert!(mapped_address(&good[..length], &ID).is_none(), "{length}");
        }
        assert_eq!(mapped(&[]), None);
        assert_eq!(mapped(&[(1, &[0, 3, 0, 0, 1, 2, 3, 4])]), None);
        assert_eq!(mapped(&[(1, &[0, 1, 0])]), None);
        let mut refused = good;
        refused[1] = 0x11;
        assert!(!is_answer(&refused, &ID) && mapped_address(&refused, &ID).is_none());
    }
}
