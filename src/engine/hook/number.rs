//! What the hooks have in common that rewrite numbers: which calls they are for, and the 302 in place of a rewrite.
//!
//! By default a number is rewritten in the request-URI as the call passes, which asks nothing of the phone. From stays, and so does To:
//! no proxy changes them (RFC 3261 §16.6). The URI of To is no part of a dialog (§12), but peers of RFC 2543 compare it, so that who
//! rewrote it would have to do so in every request of the dialog, and take it back in every response. Only what begins a call is
//! rewritten: in a dialog the request-URI is what the far end has asked for. A CANCEL has the number of its INVITE, and becomes what that
//! became (§9.1); the ACK of a refusal takes what went out from the transaction (§17.1.1.3).
//!
//! With `redirect_numbers` a phone gets a 302 with the number to call, as from siproxd 0.8, and calls again. A parameter in the URI says
//! that it has been rewritten; it is taken out before that call leaves.

use super::{At, Engine, Received};
use crate::engine::guard::Origin;
use crate::engine::io::Sink;
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::sip::edit::Edits;
use crate::sip::reply::Reply;
use crate::sip::uri::{Scheme, Uri};

/// The URI parameter that says which hook has redirected a call.
const REDIRECTED: &[u8] = b"redirected";

/// The request-URI of a call that a phone begins, or takes back, and that has a number which may be rewritten.
pub(super) fn called(at: &At<'_>) -> Option<Uri> {
    let uri = begun(at.received)?;
    let is_redirected = uri.param(at.bytes(), REDIRECTED).is_some();
    // One that we have answered with a redirection has gone nowhere.
    let is_gone = at.settings().redirect && at.received.head.method == Method::Cancel;
    // The Contact of a phone here, which another one was given.
    let is_place = at.engine.place_in(at.bytes(), &uri).is_some();
    (uri.user.is_some() && !is_redirected && !is_gone && !is_place).then_some(uri)
}

fn begun(received: &Received<'_>) -> Option<Uri> {
    let is_call = matches!(received.head.method, Method::Invite | Method::Cancel);
    // A response has no request-URI.
    if received.origin != Origin::Phone || !is_call || !received.head.to_tag.is_empty() {
        return None;
    }
    Uri::parse(received.msg.bytes(), received.request_uri()).ok().filter(|uri| uri.scheme != Scheme::Other)
}

impl Engine {
    /// Whether a call whose number has been rewritten is to be redirected. One that is under way has begun before `redirect_numbers` was set.
    pub(super) fn is_to_be_redirected(&self, received: &Received<'_>) -> bool {
        self.hooks.settings.redirect
            && received.head.method == Method::Invite
            && !self.is_under_way(received)
            && begun(received).is_some_and(|uri| {
                let written = received.written_uri();
                let was_redirected =
                    written.windows(REDIRECTED.len()).any(|window| window.eq_ignore_ascii_case(REDIRECTED));
                uri.whole.of(received.msg.bytes()) != written && !was_redirected
            })
    }

    /// Takes out of the request-URI what our redirection has put in.
    pub(super) fn drop_redirected(&self, received: &Received<'_>, edits: &mut Edits) -> bool {
        if !self.hooks.settings.redirect {
            return false;
        }
        // No other hook changes such a URI, so that one that is changed has lost the parameter already.
        let uri = begun(received).filter(|uri| uri.whole.of(received.msg.bytes()) == received.written_uri());
        let param = uri.and_then(|uri| uri.param(received.msg.bytes(), REDIRECTED));
        // It is one edit.
        param.is_some_and(|param| edits.delete(param.whole).is_ok())
    }

    /// Answers a call with the number to call in its place.
    pub(super) fn redirect(&self, received: &Received<'_>, uri: &[u8], by: &str, out: &mut dyn Sink) {
        log::info!(target: class::SIP, "call from {} redirected by plugin_{by}", received.from);
        self.answer_moved(received, &[uri, b";redirected=", by.as_bytes()], out);
    }

    /// Answers a call with 302, and a URI in parts.
    pub(super) fn answer_moved(&self, received: &Received<'_>, uri: &[&[u8]], out: &mut dyn Sink) {
        let tag = self.to_tag(received);
        let sent = Reply::new(received.msg, received.from, 302, "Moved Temporarily", &tag).and_then(|mut reply| {
            reply.raw(b"Contact: <")?;
            uri.iter().try_for_each(|part| reply.raw(part))?;
            reply.raw(b">\r\n")?;
            Self::send_reply(received, &mut reply, out)
        });
        if sent.is_err() {
            log::warn!(target: class::SIP, "INVITE from {} is too large to be answered", received.from);
        }
    }
}
