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
    pub fn from_name(_name: &[u8]) -> Self {
        todo!()
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
