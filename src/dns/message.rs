//! Queries and responses on the wire (RFC 1035 §4), as far as a stub resolver needs them.

use super::name::Name;
use super::records::{Addresses, Pointer, Pointers, Records, Transport};
use core::net::IpAddr;
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message::RecordSection;
use domain::base::name::{ParsedName, ToName};
use domain::base::wire::ParseError;
use domain::base::{Message, ParsedRecord};
use domain::rdata::{A, Aaaa, Cname, Naptr, Soa, Srv};

/// Bytes of the longest query: header, name, type and class.
pub(super) const MAX_QUERY: usize = HEADER + 255 + 4;

/// Bytes of a message header (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// Longest response that is read, in bytes. RFC 1035 §4.2.1 allows 512; some servers do not keep to it.
const MAX_RESPONSE: usize = 1500;
/// Aliases that are followed inside one response.
const MAX_ALIASES: usize = 8;
/// Seconds that a negative answer without SOA holds.
const NEGATIVE_SECONDS: u32 = 30;
/// Least and most seconds that a negative answer with SOA holds; RFC 2308 §5 allows hours, a caller does not.
const NEGATIVE_RANGE: (u32, u32) = (5, 300);

/// What makes a query hard to answer for anybody but the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secret {
    /// The message id.
    pub(super) id: u16,
    /// Bit n mod 64: the n-th letter or digit of the name is sent in upper case (draft-vixie-dnsext-dns0x20).
    pub(super) case: u64,
}

/// Composes a query for the records of type `kind` of `name`, with recursion desired.
pub(super) fn query(name: &Name, kind: Rtype, secret: Secret) -> heapless::Vec<u8, MAX_QUERY> {
    const RECURSION_DESIRED: u8 = 1;
    let mut query = heapless::Vec::new();
    // MAX_QUERY is the sum of all that is put in here: nothing of it can fail.
    let mut put = |bytes: &[u8]| _ = query.extend_from_slice(bytes);
    put(&secret.id.to_be_bytes());
    put(&[RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut bits = secret.case;
    for label in name.labels() {
        put(&[u8::try_from(label.len()).unwrap_or_default()]);
        for byte in label {
            put(&[if bits & 1 == 1 { byte.to_ascii_uppercase() } else { *byte }]);
            bits = bits.rotate_right(1);
        }
    }
    put(&[0]);
    put(&kind.to_int().to_be_bytes());
    put(&Class::IN.to_int().to_be_bytes());
    query
}

/// What a response says.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
pub(super) enum Response {
    /// Records, and the seconds for which they hold.
    Records(Records, u32),
    /// The name is there, but has no record of this type; for so many seconds.
    NoData(u32),
    /// There is no such name; for so many seconds.
    NoSuchName(u32),
    /// The server cannot or will not say.
    Failed,
}

/// The message id of a response.
pub(super) fn id(response: &[u8]) -> Option<u16> {
    response.first_chunk().map(|id| u16::from_be_bytes(*id))
}

/// Reads the response to `query`; `None` where it is not one, or is malformed.
pub(super) fn read(response: &[u8], query: &[u8]) -> Option<Response> {
    // Byte for byte, for the case of the letters is part of the secret.
    let question = query.get(HEADER..)?;
    if response.len() > MAX_RESPONSE || !response.get(HEADER..)?.starts_with(question) {
        return None;
    }
    let message = Message::from_octets(response).ok()?;
    let header = message.header();
    let ours = header.qr() && header.opcode() == Opcode::QUERY && message.header_counts().qdcount() == 1;
    if !ours || id(response) != id(query) {
        return None;
    }
    match header.rcode() {
        Rcode::NXDOMAIN => Some(Response::NoSuchName(negative_seconds(&message))),
        Rcode::NOERROR => match records(&message).ok()? {
            Some((records, Some(seconds))) => Some(Response::Records(records, seconds)),
            Some(_) if !header.tc() => Some(Response::NoData(negative_seconds(&message))),
            _ => Some(Response::Failed),
        },
        _ => Some(Response::Failed),
    }
}

/// The records at the end of the chain of aliases, and the least TTL on the way, `None` where there is no record of the
/// type that was asked for; no records for too long a chain.
fn records(message: &Message<&[u8]>) -> Result<Option<(Records, Option<u32>)>, ParseError> {
    let question = message.sole_question()?;
    let mut owner = *question.qname();
    let mut seconds = u32::MAX;
    for _ in 0..=MAX_ALIASES {
        let Some((next, ttl)) = alias(message.answer()?, &owner)? else {
            let mut found = match question.qtype() {
                Rtype::SRV | Rtype::NAPTR => Records::Pointers(Pointers::default()),
                _ => Records::Addresses(Addresses::new()),
            };
            let mut any = false;
            for record in message.answer()? {
                let record = record?;
                let fits = record.class() == Class::IN && record.rtype() == question.qtype();
                if fits && record.owner().name_eq(&owner) && take(&record, &mut found)? {
                    any = true;
                    seconds = seconds.min(record.ttl().as_secs());
                }
            }
            return Ok(Some((found, any.then_some(seconds))));
        };
        owner = next;
        seconds = seconds.min(ttl);
    }
    Ok(None)
}

/// Takes a record into the list; `false` for an address that is none. What is over the capacity is the end of the list.
fn take(record: &ParsedRecord<'_, &[u8]>, found: &mut Records) -> Result<bool, ParseError> {
    match found {
        Records::Addresses(addresses) => {
            // An unspecified address, the way filters say no, would lead back to this machine.
            let Some(address) = address(record)?.filter(|address| !address.is_unspecified()) else { return Ok(false) };
            _ = addresses.push(address);
        }
        Records::Pointers(pointers) => {
            if let Some(srv) = record.to_record::<Srv<ParsedName<&[u8]>>>()? {
                let srv = srv.data();
                let target = Name::of_record(srv.target());
                pointers.push(Pointer::srv(srv.priority(), srv.weight(), srv.port()), target.as_ref());
            } else if let Some(naptr) = record.to_record::<Naptr<&[u8], ParsedName<&[u8]>>>()? {
                let naptr = naptr.data();
                // Rules of other services, ENUM's for one, stand under the same name (RFC 3263 §4.1).
                if let (b"s" | b"S", Some(transport)) =
                    (naptr.flags().as_slice(), transport(naptr.services().as_slice()))
                    && let Some(target) = Name::of_record(naptr.replacement())
                {
                    pointers.push(Pointer::naptr(naptr.order(), naptr.preference(), transport), Some(&target));
                }
            }
        }
    }
    Ok(true)
}

/// The transport of a service field (RFC 3263 §4.1, §10).
fn transport(service: &[u8]) -> Option<Transport> {
    const SERVICES: [(&[u8], Transport); 3] =
        [(b"SIP+D2U", Transport::Udp), (b"SIP+D2T", Transport::Tcp), (b"SIPS+D2T", Transport::Tls)];
    SERVICES.iter().find(|(name, _)| service.eq_ignore_ascii_case(name)).map(|(_, transport)| *transport)
}

/// The address in a record of type A or AAAA.
fn address(record: &ParsedRecord<'_, &[u8]>) -> Result<Option<IpAddr>, ParseError> {
    if let Some(a) = record.to_record::<A>()? {
        return Ok(Some(IpAddr::V4(a.data().addr())));
    }
    Ok(record.to_record::<Aaaa>()?.map(|aaaa| IpAddr::V6(aaaa.data().addr())))
}

/// A name that another one stands for, and for how many seconds.
type Alias<'a> = (ParsedName<&'a [u8]>, u32);

/// What `owner` is an alias of.
fn alias<'a>(
    answer: RecordSection<'a, &'a [u8]>,
    owner: &ParsedName<&'a [u8]>,
) -> Result<Option<Alias<'a>>, ParseError> {
    for record in answer.limit_to_in::<Cname<ParsedName<&[u8]>>>() {
        let record = record?;
        if record.owner().name_eq(owner) {
            return Ok(Some((*record.data().cname(), record.ttl().as_secs())));
        }
    }
    Ok(None)
}

/// For how long a negative answer holds (RFC 2308 §5).
fn negative_seconds(message: &Message<&[u8]>) -> u32 {
    let Ok(authority) = message.authority() else { return NEGATIVE_SECONDS };
    let soa = authority.limit_to_in::<Soa<ParsedName<&[u8]>>>().flatten().next();
    let (least, most) = NEGATIVE_RANGE;
    soa.map_or(NEGATIVE_SECONDS, |soa| soa.ttl().as_secs().min(soa.data().minimum().as_secs()).clamp(least, most))
}
