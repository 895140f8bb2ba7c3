//! From the text of a directive to its value.

use super::kind::{Kind, Value};
use super::plugins::plugin;
use crate::engine::io::Prefix;
use crate::engine::settings::{AccessList, Domains, NamedHost, Prefixes};
use crate::limits::{MAX_ACCESS_NAMES, MAX_ALLOWED_DOMAINS, MAX_NAME, MAX_PREFIXES};
use core::net::IpAddr;

/// Bytes of an interface name: `IFNAMSIZ` of Linux without its final zero.
const MAX_INTERFACE: usize = 15;

/// The value that `text` stands for, or what is wrong with it.
pub(super) fn value(kind: Kind, text: &str) -> Result<Value<'_>, String> {
    if text.contains('\u{fffd}') {
        return Err("not UTF-8".to_owned());
    }
    match kind {
        Kind::Int { min, max } => match int(text)? {
            n if n < min || n > max => Err(format!("not from {min} to {max}")),
            n => Ok(Value::Int(n)),
        },
        Kind::Dscp => dscp(text).map(Value::Int),
        Kind::Text | Kind::Path | Kind::List => Ok(Value::Text(text)),
        Kind::Line(max) if text.len() > max => Err(format!("longer than {max} bytes")),
        Kind::Line(_) if text.contains(char::is_control) => Err("with a control character in it".to_owned()),
        Kind::Line(_) => Ok(Value::Text(text)),
        Kind::Interface if text.len() > MAX_INTERFACE => Err(format!("longer than {MAX_INTERFACE} characters")),
        Kind::Interface if text.contains(|c: char| c == '/' || c.is_whitespace()) => {
            Err("not the name of an interface".to_owned())
        }
        Kind::Host if text.len() > MAX_NAME => Err(format!("longer than {MAX_NAME} characters")),
        Kind::Host if text.contains(|c: char| c == '/' || c == ',' || c.is_whitespace()) => {
            Err("not a host name or address".to_owned())
        }
        // What looks like an address is one, mistyped: the DNS would be asked for it in vain.
        Kind::Host if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.parse::<IpAddr>().is_err() => {
            Err("neither an IP address nor a host name".to_owned())
        }
        Kind::Interface | Kind::Host => Ok(Value::Text(text)),
        Kind::Each(kind) => value(*kind, text),
        Kind::OneOf(words) if words.contains(&text) => Ok(Value::Text(text)),
        Kind::OneOf(words) => Err(format!("not one of {}", words.join(", "))),
        Kind::Address => text.parse().map(Value::Address).map_err(|_| "not an IP address".to_owned()),
        Kind::Networks => networks(text).map(Value::Networks),
        Kind::AccessList => access_list(text).map(Value::AccessList),
        Kind::Domains => domains(text).map(Value::Domains),
        Kind::Plugin => plugin(text).map(Value::Plugin),
    }
}

/// A number by the rules of C's `%i`, but nothing may follow it.
pub(crate) fn int(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(match radix {
            8 if digits.chars().all(|c| c.is_ascii_digit()) => "a number with a leading 0 is octal".to_owned(),
            _ => "not a number".to_owned(),
        });
    }
    let n = i64::from_str_radix(digits, radix).map_err(|_| "too large".to_owned())?;
    Ok(if text.starts_with('-') { -n } else { n })
}

/// A DSCP; who writes one in another way is told the number.
fn dscp(text: &str) -> Result<i64, String> {
    const HIGHEST: i64 = 63;
    if let Some(code_point) = code_point(&text.to_ascii_uppercase()) {
        return Err(format!("not a number; {text} is {code_point}"));
    }
    match int(text)? {
        n @ 0..=HIGHEST => Ok(n),
        // The upper six bits of the byte that was the type of service (RFC 2474 §3); 46 is 0xb8 there.
        n @ 64..=255 => Err(format!("not from 0 to 63; the DSCP in a TOS byte of {text} is {}", n >> 2)),
        _ => Err("not from 0 to 63".to_owned()),
    }
}

/// The code point of this name: EF (RFC 3246), CS0 to CS7 (RFC 2474 §4.2.2), AF11 to AF43 (RFC 2597 §6).
fn code_point(name: &str) -> Option<u32> {
    let digits = |digits: &str| digits.chars().map(|c| c.to_digit(10)).collect::<Option<Vec<_>>>();
    match name.split_at_checked(2)? {
        ("EF", "") => Some(46),
        ("CS", class) => match digits(class)?[..] {
            [class @ 0..=7] => Some(8 * class),
            _ => None,
        },
        ("AF", both) => match digits(both)?[..] {
            [class @ 1..=4, precedence @ 1..=3] => Some(8 * class + 2 * precedence),
            _ => None,
        },
        _ => None,
    }
}

fn domains(text: &str) -> Result<Domains, String> {
    let mut list = Domains::new();
    for item in items(text) {
        if item != "*" && item.contains(['*', '/', '@', ':']) && item.parse::<core::net::Ipv6Addr>().is_err() {
            return Err(format!("`{item}` is not a domain"));
        }
        // In a URI an IPv6 address stands in brackets.
        let host = if item.contains(':') { format!("[{item}]") } else { item.to_owned() };
        let host = heapless::String::try_from(host.trim_start_matches('.'))
            .map_err(|_| format!("longer than {MAX_NAME} characters"))?;
        list.push(host).map_err(|_| format!("more than {MAX_ALLOWED_DOMAINS} domains"))?;
    }
    Ok(list)
}

fn networks(text: &str) -> Result<Prefixes, String> {
    let mut list = Prefixes::new();
    for item in items(text) {
        let (address, length) = split_length(item);
        let address: IpAddr = address.parse().map_err(|_| format!("`{address}` is not an IP address"))?;
        list.push(network(item, address, length)?).map_err(|_| format!("more than {MAX_PREFIXES} networks"))?;
    }
    Ok(list)
}

fn access_list(text: &str) -> Result<AccessList, String> {
    let mut list = AccessList::new();
    for item in items(text) {
        let (host, length) = split_length(item);
        if let Ok(address) = host.parse() {
            let network = network(item, address, length)?;
            list.networks.push(network).map_err(|_| format!("more than {MAX_PREFIXES} networks"))?;
            continue;
        }
        // What looks like an address is one, mistyped: the DNS would be asked for it in vain.
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !is_name {
            return Err(format!("`{host}` is neither an IP address nor a host name"));
        }
        let length = length_of(item, length, 32)?;
        let host = host.try_into().map_err(|_| format!("longer than {MAX_NAME} characters"))?;
        let named = NamedHost { host, length };
        list.names.push(named).map_err(|_| format!("more than {MAX_ACCESS_NAMES} host names; give networks"))?;
    }
    Ok(list)
}

pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t']).filter(|item| !item.is_empty())
}

/// What stands before the slash, and behind it.
fn split_length(item: &str) -> (&str, Option<&str>) {
    item.split_once('/').map_or((item, None), |(address, length)| (address, Some(length)))
}

fn network(item: &str, address: IpAddr, length: Option<&str>) -> Result<Prefix, String> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Ok(Prefix { address, length: length_of(item, length, longest)? })
}

/// The length of a network, by default the longest one.
fn length_of(item: &str, length: Option<&str>, longest: u8) -> Result<u8, String> {
    let Some(text) = length else { return Ok(longest) };
    let length = text.parse().ok().filter(|length| *length <= longest);
    length.ok_or_else(|| format!("`{item}`: a length is from 0 to {longest}"))
}
