//! Header names, their compact forms, and header lines.

use crate::span::Span;

/// The headers that the proxy looks at; every other is [`HeaderId::Other`] and passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum HeaderId {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    MaxForwards,
    Route,
    RecordRoute,
    ContentLength,
    ContentType,
    ContentEncoding,
    Expires,
    MinExpires,
    Authorization,
    ProxyAuthorization,
    WwwAuthenticate,
    ProxyAuthenticate,
    AuthenticationInfo,
    Require,
    ProxyRequire,
    Supported,
    UserAgent,
    Server,
    Allow,
    Event,
    ReferTo,
    ReferredBy,
    Replaces,
    Path,
    ServiceRoute,
    Warning,
    RetryAfter,
    Diversion,
    PPreferredIdentity,
    PAssertedIdentity,
    HistoryInfo,
    SessionExpires,
    Subject,
    Other,
}

impl HeaderId {
    /// The header named `name`, long or compact, in any case (RFC 3261 §7.3.1, §7.3.3).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        if let [letter] = name {
            return Self::from_compact(letter.to_ascii_lowercase());
        }
        // The length first: it tells nearly all names apart, without a call.
        let is = |long: &str| long.len() == name.len() && long.as_bytes().eq_ignore_ascii_case(name);
        let known = NAMES.iter().find(|(long, _)| is(long));
        known.map_or(Self::Other, |(_, id)| *id)
    }

    /// The registered compact forms (RFC 3261 §7.3.3, RFC 6665 §8.4, RFC 3515 §2.1, RFC 3892 §2.1, RFC 4028 §4).
    const fn from_compact(letter: u8) -> Self {
        match letter {
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            _ => Self::Other,
        }
    }
}

/// One header line of a message.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Which header it is.
    pub id: HeaderId,
    /// The whole line with its folded continuations and its line end.
    pub line: Span,
    /// The name as written.
    pub name: Span,
    /// The value without blanks around it; folds inside are kept.
    pub value: Span,
}

const NAMES: [(&str, HeaderId); 39] = [
    ("Via", HeaderId::Via),
    ("From", HeaderId::From),
    ("To", HeaderId::To),
    ("Call-ID", HeaderId::CallId),
    ("CSeq", HeaderId::CSeq),
    ("Contact", HeaderId::Contact),
    ("Max-Forwards", HeaderId::MaxForwards),
    ("Route", HeaderId::Route),
    ("Record-Route", HeaderId::RecordRoute),
    ("Content-Length", HeaderId::ContentLength),
    ("Content-Type", HeaderId::ContentType),
    ("Content-Encoding", HeaderId::ContentEncoding),
    ("Expires", HeaderId::Expires),
    ("Min-Expires", HeaderId::MinExpires),
    ("Authorization", HeaderId::Authorization),
    ("Proxy-Authorization", HeaderId::ProxyAuthorization),
    ("WWW-Authenticate", HeaderId::WwwAuthenticate),
    ("Proxy-Authenticate", HeaderId::ProxyAuthenticate),
    ("Authentication-Info", HeaderId::AuthenticationInfo),
    ("Require", HeaderId::Require),
    ("Proxy-Require", HeaderId::ProxyRequire),
    ("Supported", HeaderId::Supported),
    ("User-Agent", HeaderId::UserAgent),
    ("Server", HeaderId::Server),
    ("Allow", HeaderId::Allow),
    ("Event", HeaderId::Event),
    ("Refer-To", HeaderId::ReferTo),
    ("Referred-By", HeaderId::ReferredBy),
    ("Replaces", HeaderId::Replaces),
    ("Path", HeaderId::Path),
    ("Service-Route", HeaderId::ServiceRoute),
    ("Warning", HeaderId::Warning),
    ("Retry-After", HeaderId::RetryAfter),
    ("Diversion", HeaderId::Diversion),
    ("P-Preferred-Identity", HeaderId::PPreferredIdentity),
    ("P-Asserted-Identity", HeaderId::PAssertedIdentity),
    ("History-Info", HeaderId::HistoryInfo),
    ("Session-Expires", HeaderId::SessionExpires),
    ("Subject", HeaderId::Subject),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_compact_in_any_case() {
        assert_eq!(HeaderId::from_name(b"cAlL-iD"), HeaderId::CallId);
        assert_eq!(HeaderId::from_name(b"I"), HeaderId::CallId);
        assert_eq!(HeaderId::from_name(b"v"), HeaderId::Via);
        for (long, id) in NAMES {
            assert_eq!(HeaderId::from_name(long.as_bytes()), id);
        }
        for other in [&b""[..], b"z", b"Vi", b"Via ", b"X-RTP-Stat"] {
            assert_eq!(HeaderId::from_name(other), HeaderId::Other);
        }
    }
}
