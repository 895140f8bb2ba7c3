//! Our own answers: who gets one, and what is in it besides the status that [`super::cause`] has.
//!
//! An ACK or a response is never answered, nor is a stranger on the WAN; that is decided by [`super::Engine::answer`], not by
//! whoever finds the cause.

use super::branch::BranchKey;
use super::cause::{Cause, Wording};
use super::guard::Origin;
use super::message::Received;
use super::{Engine, Sink, branch};
use crate::log_class::{self as class, log};
use crate::sip::reply::{Reply, ReplyError};
use crate::sip::{HeaderId, Method};
use core::net::SocketAddr;

impl Engine {
    /// Answers a request that is not forwarded, if it may be answered at all, and logs why.
    pub(super) fn answer(&mut self, received: &Received<'_>, cause: Cause, out: &mut dyn Sink) {
        self.counters.refuse(cause);
        let wording = cause.wording(received.origin == Origin::Phone);
        self.note_refused(received, wording.status, cause);
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
        if cause == Cause::Encoding {
            // RFC 3261 §21.4.13: so that it comes again without.
            reply.header("Accept-Encoding", format_args!("identity"))?;
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
        if super::hang_up::is_nowhere(received.on) {
            return Ok(());
        }
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
        // Eight places for seven causes.
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
