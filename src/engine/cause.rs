//! Why a request is not forwarded: one cause, one status.
//!
//! `docs/answers.md` is this table for readers; [`super::answer`] sends it.

use crate::family::Family;

/// Seconds after which a caller may try again when something of ours is full.
pub(super) const RETRY_AFTER: u32 = 10;

/// Why a request is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A header that every request must have is missing or cannot be read.
    Malformed(&'static str),
    /// The request-URI has a scheme we do not route.
    Scheme,
    /// Proxy-Require names an extension we do not have.
    Extension,
    /// Max-Forwards has reached 0.
    TooManyHops,
    /// The request has been here before with the same target.
    Loop,
    /// The credentials of a REGISTER are wrong, or another user's.
    Forbidden,
    /// `hosts_allow_reg` does not name the phone that registers.
    NotAllowed,
    /// `plugin_blacklist`: the phone has failed to register too often.
    Blacklisted,
    /// A REGISTER asks for fewer seconds than this.
    IntervalTooBrief(u32),
    /// A REGISTER is older than the one that made the binding.
    OutOfOrder,
    /// A phone sends to a domain that is neither its provider's nor in `allow_domains`.
    DomainNotAllowed,
    /// The next hop asks for a password that is none of its business.
    ForeignChallenge,
    /// The user is registered neither here nor through us.
    UnknownUser,
    /// The phone was registered and is no longer.
    NotRegistered,
    /// The URI asks for a transport that we do not have.
    Transport,
    /// A name in the request does not exist in the DNS.
    NoSuchName,
    /// No nameserver answers.
    DnsSilent,
    /// The next hop sent no answer in time.
    NextHopSilent,
    /// The next hop refused the datagram, or there is no route to it.
    Unreachable,
    /// The side towards the next hop has no address.
    NoInterface,
    /// The next hop has an IPv6 address and we have none on its side, or the same with IPv4.
    OtherFamily,
    /// The table of bindings is full.
    BindingsFull,
    /// The table of transactions is full.
    TransactionsFull,
    /// `max_calls` calls are running.
    CallsFull,
    /// No free port in `rtp_port_low`..`rtp_port_high`.
    PortsExhausted,
    /// The ports of a running call are taken by another program in the family that a party moves to.
    PortTaken,
    /// As many relays as the system lets us have sockets for.
    FilesExhausted,
    /// The request is of another version of SIP than 2.0.
    Version,
    /// The session description cannot be understood.
    Description,
    /// The body is encoded, so that addresses in it can neither be found nor replaced.
    Encoding,
    /// The session description names an address of this family, and the router has none on the side it comes from.
    MediaFamily(Family),
    /// The message, or what must be kept of it, is too large.
    TooLarge,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: &'static str,
    /// Seconds for Retry-After, if it has one.
    pub retry_after: Option<u32>,
    /// Text of the Warning header (399), for the person with the phone.
    pub warning: Option<&'static str>,
}

impl Cause {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Scheme => "scheme",
            Self::Extension => "extension",
            Self::TooManyHops => "too-many-hops",
            Self::Loop => "loop",
            Self::Forbidden => "forbidden",
            Self::NotAllowed => "not-allowed",
            Self::Blacklisted => "blacklisted",
            Self::IntervalTooBrief(_) => "interval-too-brief",
            Self::OutOfOrder => "out-of-order",
            Self::DomainNotAllowed => "domain-not-allowed",
            Self::ForeignChallenge => "foreign-challenge",
            Self::UnknownUser => "unknown-user",
            Self::NotRegistered => "not-registered",
            Self::Transport => "transport",
            Self::NoSuchName => "no-such-name",
            Self::DnsSilent => "dns-silent",
            Self::NextHopSilent => "next-hop-silent",
            Self::Unreachable => "unreachable",
            Self::NoInterface => "no-interface",
            Self::OtherFamily => "other-family",
            Self::BindingsFull => "bindings-full",
            Self::TransactionsFull => "transactions-full",
            Self::CallsFull => "calls-full",
            Self::PortsExhausted => "ports-exhausted",
            Self::PortTaken => "port-taken",
            Self::FilesExhausted => "files-exhausted",
            Self::Version => "version",
            Self::Description => "description",
            Self::Encoding => "encoding",
            Self::MediaFamily(_) => "media-family",
            Self::TooLarge => "too-large",
        }
    }

    /// The answer to a request from a phone (`to_phone`), or from the WAN.
    #[must_use]
    pub fn wording(self, to_phone: bool) -> Wording {
        let say = |status, reason| Wording { status, reason, retry_after: None, warning: None };
        let warn = |status, reason, text| Wording { warning: Some(text), ..say(status, reason) };
        // RFC 3261 §21.5.4: a 503 with Retry-After makes a peer avoid the whole server, so that a provider gets 480 instead.
        let full = |text| {
            if to_phone {
                warn(503, "Service Unavailable", text)
            } else {
                Wording { retry_after: Some(RETRY_AFTER), ..say(480, "Temporarily Unavailable") }
            }
        };
        match self {
            Self::Malformed(what) => warn(400, "Bad Request", what),
            Self::Scheme => say(416, "Unsupported URI Scheme"),
            Self::Extension => say(420, "Bad Extension"),
            Self::TooManyHops => say(483, "Too Many Hops"),
            Self::Loop => say(482, "Loop Detected"),
            Self::Forbidden => say(403, "Forbidden"),
            Self::NotAllowed => {
                warn(403, "Forbidden", "The router lets this phone not register; hosts_allow_reg names who may")
            }
            Self::Blacklisted => warn(
                403,
                "Forbidden",
                "Registering has failed too often: the router waits before it lets this account try again",
            ),
            Self::IntervalTooBrief(_) => say(423, "Interval Too Brief"),
            Self::OutOfOrder => warn(500, "Server Internal Error", "A later REGISTER of this Call-ID came before"),
            Self::DomainNotAllowed => {
                warn(403, "Forbidden", "The router lets phones reach their providers only; allow_domains names others")
            }
            Self::ForeignChallenge => {
                warn(403, "Forbidden", "A server that is not the phone's own asks for its password")
            }
            Self::UnknownUser => say(404, "Not Found"),
            Self::NotRegistered => say(480, "Temporarily Unavailable"),
            Self::NoSuchName => warn(502, "Bad Gateway", "The domain does not exist in the DNS"),
            Self::Transport => warn(503, "Service Unavailable", "The router has no such transport"),
            Self::DnsSilent => warn(504, "Server Time-out", "No nameserver answers the router"),
            Self::NextHopSilent => warn(408, "Request Timeout", "The next server did not answer the router"),
            Self::Unreachable => warn(503, "Service Unavailable", "The next server cannot be reached"),
            Self::NoInterface => warn(503, "Service Unavailable", "The router has no Internet address now"),
            Self::OtherFamily => warn(
                503,
                "Service Unavailable",
                "The router cannot reach the next server: one has IPv4, the other IPv6",
            ),
            Self::BindingsFull => Wording {
                retry_after: Some(RETRY_AFTER),
                ..warn(503, "Service Unavailable", "The router holds as many registrations as max_bindings allows")
            },
            Self::TransactionsFull => full("The router is busy"),
            Self::CallsFull => full("The router carries as many calls as max_calls allows"),
            Self::PortsExhausted => full("No free RTP port between rtp_port_low and rtp_port_high"),
            Self::PortTaken => {
                full("Another program on the router has the ports of this call in the other address family")
            }
            Self::FilesExhausted => full("The router may open no more files"),
            Self::Description => warn(488, "Not Acceptable Here", "The router cannot read the session description"),
            Self::Encoding => warn(415, "Unsupported Media Type", "The router reads no encoded bodies"),
            Self::MediaFamily(Family::V4) => {
                warn(488, "Not Acceptable Here", "The router has no IPv4 address to send media from on this side")
            }
            Self::MediaFamily(Family::V6) => {
                warn(488, "Not Acceptable Here", "The router has no IPv6 address to send media from on this side")
            }
            Self::Version => say(505, "Version Not Supported"),
            Self::TooLarge => say(513, "Message Too Large"),
        }
    }

    /// The line for the log, with the remedy where there is one.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::Scheme => "the request-URI is not a sip: URI",
            Self::Extension => "Proxy-Require asks for an extension that a proxy here does not have",
            Self::TooManyHops => "Max-Forwards is used up",
            Self::Loop => "the request came back here: check outbound_proxy_host and the phone's registrar",
            Self::NotAllowed => "hosts_allow_reg does not name the phone",
            Self::Forbidden => {
                "wrong credentials: check the phone's user and password, proxy_auth_passwd and proxy_auth_pwfile"
            }
            Self::Blacklisted => "the phone is on the blacklist for failing to register: check its password",
            Self::IntervalTooBrief(_) => "the phone asks for too short a registration",
            Self::OutOfOrder => "the CSeq is not higher than that of the REGISTER before",
            Self::DomainNotAllowed => {
                "no phone is registered with that server: register one there, or add the domain to allow_domains"
            }
            Self::ForeignChallenge => "it is no server of the phone's account and asks for its password",
            Self::UnknownUser => "no phone is registered for this user",
            Self::NotRegistered => "the phone's registration has ended, or was not refreshed in time",
            Self::Transport => "the URI asks for a transport that siproxd does not have: set the phone to UDP",
            Self::NoSuchName => "the name does not exist in the DNS: check the phone's domain",
            Self::DnsSilent => "no nameserver answers: check the servers in resolv.conf",
            Self::NextHopSilent => "the next hop did not answer in 32 s",
            Self::Unreachable => "the next hop refused the datagram or there is no route to it",
            Self::NoInterface => "the interface has no address: check if_inbound, if_outbound and the line",
            Self::OtherFamily => "the next hop has IPv6 and this router IPv4 on that side, or the reverse",
            Self::BindingsFull => "the table of registrations is full: raise max_bindings",
            Self::TransactionsFull => "the table of transactions is full",
            Self::CallsFull => "as many calls as max_calls allows: raise max_calls",
            Self::PortsExhausted => "no free RTP port: widen rtp_port_low..rtp_port_high, 4 ports a call and side",
            Self::PortTaken => {
                "another program has the ports of the call in the other address family: keep rtp_port_low..rtp_port_high free of it"
            }
            Self::FilesExhausted => "no more files may be open: raise the limit (ulimit -n)",
            Self::Description => "the session description cannot be understood",
            Self::Encoding => "the body is encoded: switch its compression off",
            Self::MediaFamily(Family::V4) => {
                "the session description names an IPv4 address, and the router has none on that side"
            }
            Self::MediaFamily(Family::V6) => {
                "the session description names an IPv6 address, and the router has none on that side: give the interface one, or \
                 let the sender use IPv4"
            }
            Self::Version => "it is of another version of SIP than 2.0",
            Self::TooLarge => "the message is too large",
        }
    }

    /// Whether the cause is a shortage of ours, to be logged as a warning.
    pub(super) const fn is_shortage(self) -> bool {
        matches!(
            self,
            Self::BindingsFull
                | Self::TransactionsFull
                | Self::CallsFull
                | Self::PortsExhausted
                | Self::FilesExhausted
                | Self::DnsSilent
                | Self::NoInterface
        )
    }
}
