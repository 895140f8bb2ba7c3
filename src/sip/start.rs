//! Start lines and methods (RFC 3261 §7.1, §7.2).

use crate::span::Span;

/// A request's method. An unknown one is a method all the same, and is proxied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,
    Update,
    Info,
    Subscribe,
    Notify,
    Refer,
    Message,
    Publish,
    Other,
}

impl Method {
    /// The method written `name`; methods are case-sensitive (RFC 3261 §7.1).
    #[must_use]
    pub fn from_name(_name: &[u8]) -> Self {
        todo!()
    }
}

/// The first line of a message.
#[derive(Clone, Copy, Debug)]
pub enum StartLine {
    /// `METHOD request-uri SIP/2.0`
    Request {
        /// What is asked for.
        method: Method,
        /// The method as written.
        name: Span,
        /// The request-URI.
        uri: Span,
    },
    /// `SIP/2.0 status reason`
    Response {
        /// The status code, 100 to 699.
        status: u16,
        /// The reason phrase.
        reason: Span,
    },
}
