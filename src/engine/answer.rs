//! Our own answers: one cause, one status.
//!
//! `docs/answers.md` is this table for readers. An ACK or a response is never answered, nor is a stranger on the WAN; that is
//! decided by [`super::Engine::answer`], not by whoever finds the cause.

use super::branch::BranchKey;
use super::guard::Origin;
use super::message::Received;
use super::{Engine, Sink, branch};
use crate::log_class as class;
use crate::sip::reply::{Reply, ReplyError};
use crate::sip::{HeaderId, Method};
use core::net::SocketAddr;

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
    /// The request is of another version of SIP than 2.0.
    Version,
    /// The session description cannot be understood.
    Description,
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
            Self::Description => warn(488, "Not Acceptable Here", "The router cannot read the session description"),
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
            Self::Forbidden => {
                "wrong credentials: check the phone's user and password, proxy_auth_passwd and proxy_auth_pwfile"
            }
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
            Self::Description => "the session description cannot be understood",
            Self::Version => "it is of another version of SIP than 2.0",
            Self::TooLarge => "the message is too large",
        }
    }

    /// Whether the cause is a shortage of ours, to be logged as a warning.
    const fn is_shortage(self) -> bool {
        matches!(
            self,
            Self::BindingsFull
                | Self::TransactionsFull
                | Self::CallsFull
                | Self::PortsExhausted
                | Self::DnsSilent
                | Self::NoInterface
        )
    }
}

impl Engine {
    /// Answers a request that is not forwarded, if it may be answered at all, and logs why.
    pub(super) fn answer(&mut self, received: &Received<'_>, cause: Cause, out: &mut dyn Sink) {
        let wording = cause.wording(received.origin == Origin::Phone);
        let (method, from) = (received.method_name(), received.from);
        if cause.is_shortage() {
            self.shortages.report(cause, from);
        } else {
            log::info!(target: class::SIP, "{method} from {from}: {}: {}", wording.status, cause.remedy());
        }
        if received.head.method == Method::Ack || received.origin == Origin::Stranger {
            return;
        }
        let tag = self.to_tag(received);
        let sent = Self::send_answer(received, cause, wording, &tag, out).or_else(|_| {
            // Without the words behind it the status may still fit.
            let mut bare = Reply::new(received.msg, from, wording.status, wording.reason, &tag)?;
            Self::send_reply(received, &mut bare, out)
        });
        if sent.is_err() {
            log::warn!(target: class::SIP, "{method} from {from} is too large to be answered");
        }
    }

    /// Logs a shortage of which only a part of a request suffers.
    pub(super) fn report_shortage(&mut self, cause: Cause, from: SocketAddr) {
        if cause.is_shortage() {
            self.shortages.report(cause, from);
        }
    }

    /// Sends an answer with everything that its cause says.
    fn send_answer(
        received: &Received<'_>,
        cause: Cause,
        wording: Wording,
        tag: &str,
        out: &mut dyn Sink,
    ) -> Result<(), ReplyError> {
        let mut reply = Reply::new(received.msg, received.from, wording.status, wording.reason, tag)?;
        if let Some(seconds) = wording.retry_after {
            reply.header("Retry-After", format_args!("{seconds}"))?;
        }
        if let Some(text) = wording.warning {
            reply.header("Warning", format_args!("399 siproxd \"{text}\""))?;
        }
        if let Cause::IntervalTooBrief(seconds) = cause {
            reply.header("Min-Expires", format_args!("{seconds}"))?;
        }
        if cause == Cause::Extension {
            let lines = received.msg.headers().iter().filter(|line| line.id == HeaderId::ProxyRequire);
            for line in lines.filter(|line| !line.value.is_empty()) {
                reply.header("Unsupported", format_args!("{}", received.msg.get(line.value).escape_ascii()))?;
            }
        }
        Self::send_reply(received, &mut reply, out)
    }

    /// Answers 200 to a request that asks about ourselves (RFC 3261 §11.2).
    pub(super) fn answer_options(&mut self, received: &Received<'_>, out: &mut dyn Sink) {
        let tag = self.to_tag(received);
        let sent = Reply::new(received.msg, received.from, 200, "OK", &tag).and_then(|mut reply| {
            reply.header("Allow", format_args!("INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, PUBLISH"))?;
            reply.header("Accept", format_args!("application/sdp"))?;
            Self::send_reply(received, &mut reply, out)
        });
        if sent.is_err() {
            log::warn!(target: class::SIP, "OPTIONS from {} is too large to be answered", received.from);
        }
    }

    /// Answers 100 to a retransmitted INVITE whose next hop has answered already (RFC 3261 §17.2.1).
    pub(super) fn answer_trying(received: &Received<'_>, out: &mut dyn Sink) {
        let sent = Reply::new(received.msg, received.from, 100, "Trying", "")
            .and_then(|mut reply| Self::send_reply(received, &mut reply, out));
        if sent.is_err() {
            log::warn!(target: class::SIP, "INVITE from {} is too large to be answered", received.from);
        }
    }

    /// Ends an answer and sends it back to where the request came from.
    pub(super) fn send_reply(received: &Received<'_>, reply: &mut Reply, out: &mut dyn Sink) -> Result<(), ReplyError> {
        let bytes = reply.finish()?;
        if let Err(error) = out.send(received.on, received.reply_to(), &[bytes]) {
            log::info!(target: class::NET, "answer to {} not sent: {error:?}", received.reply_to());
        }
        Ok(())
    }

    /// The To tag of our answers to a request: the same for its retransmissions (RFC 3261 §8.2.6.2), and for the ACK.
    pub(super) fn to_tag(&self, received: &Received<'_>) -> heapless::String<32> {
        self.tag_of(&branch::key(&self.key, received))
    }

    /// The To tag of our answers to the request with the branch `key`.
    pub(super) fn tag_of(&self, key: &BranchKey) -> heapless::String<32> {
        crate::sip::token::hex(&self.key.hash("to-tag", &[key])[..8])
    }
}

/// Which shortages have been logged in this episode: once when it begins, and how often when it is over.
#[derive(Debug)]
pub(super) struct Shortages {
    counts: heapless::Vec<(Cause, u32), 8>,
}

impl Shortages {
    pub(super) const fn new() -> Self {
        Self { counts: heapless::Vec::new() }
    }

    fn report(&mut self, cause: Cause, from: SocketAddr) {
        if self.begins(cause) {
            log::warn!(target: class::SIP, "request from {from} refused: {}", cause.remedy());
        }
    }

    /// Counts a shortage; whether an episode begins with it.
    pub(super) fn begins(&mut self, cause: Cause) -> bool {
        if let Some(entry) = self.counts.iter_mut().find(|entry| entry.0 == cause) {
            entry.1 = entry.1.saturating_add(1);
            return false;
        }
        // Eight places for six causes.
        let _ = self.counts.push((cause, 1));
        true
    }

    /// The shortage is over: the next one is logged again.
    pub(super) fn over(&mut self, cause: Cause) {
        if let Some(at) = self.counts.iter().position(|entry| entry.0 == cause) {
            let (_, count) = self.counts.swap_remove(at);
            if count > 1 {
                log::warn!(target: class::SIP, "over, after {count} requests: {}", cause.remedy());
            }
        }
    }
}
