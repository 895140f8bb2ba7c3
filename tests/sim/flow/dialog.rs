//! What the parties say to each other: from INVITE to BYE (RFC 3261 §12 to §15), as the plan of the call tells.
//!
//! ```text
//!   Calling ──2xx──▶ Established ──BYE, either way──▶ Over
//!   Called  ──ACK──▶     │
//!      └──refused, cancelled, silence──▶ Over
//! ```
//! What a party does in the middle of a call is in [`super::midcall`], the media in [`super::media`].

mod answered;

use super::draw::{Callee, Plan, Who};
use super::media::Media;
use super::party::{Owner, Party};
use crate::rig::text;
use siproxd::time::Instant;
use std::collections::BTreeSet;

/// How long a party waits for the other one to hang up, as planned, before it does so itself, in milliseconds.
const PATIENCE: u64 = 40_000;
/// A callee waits so long for PRACK (RFC 3262 §3: 64 × T1).
const PRACK_MILLIS: u64 = 32_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Calling,
    Called,
    Established,
    Over,
}

pub struct Call {
    pub number: usize,
    pub is_caller: bool,
    pub state: State,
    pub was_established: bool,
    /// The final status of the INVITE, as received or as sent.
    pub status: u16,
    /// A request had no answer: the other party may know better, for a while.
    pub gave_up: bool,
    pub changed_at: Instant,
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub target: String,
    pub routes: Vec<String>,
    pub cseq: u32,
    pub remote_cseq: u32,
    /// INVITEs of ours without an offer, by CSeq: their ACK has the answer.
    pub late: BTreeSet<u32>,
    pub media: Media,
    /// The callee answers.
    pub answer_at: Option<Instant>,
    pub cancel_at: Option<Instant>,
    pub act_at: Option<Instant>,
    pub hang_up_at: Option<Instant>,
    pub actions_left: u64,
    is_cancelled: bool,
    pub has_hung_up: bool,
    /// An ACK was sent for a 2xx to the first INVITE, if only to end the call.
    pub has_acknowledged: bool,
    was_redirected: bool,
    has_credentials: bool,
    /// The number of the reliable response that was taken last.
    rseq: u32,
    /// Until when PRACK is waited for.
    prack_until: Option<Instant>,
}

impl Call {
    pub fn next_timeout(&self) -> Option<Instant> {
        let times = [self.media.next_at, self.answer_at, self.cancel_at, self.act_at, self.hang_up_at];
        times.into_iter().flatten().min()
    }

    pub fn local_tag(&self) -> &str {
        text::param(&self.local, ";tag=")
    }

    pub fn lines(&self, contact: &str) -> String {
        let routes: String = self.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let Self { local, remote, call_id, number, .. } = self;
        format!(
            "{routes}From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nContact: <{contact}>\r\nSubject: {number}\r\n"
        )
    }
}

impl Party {
    fn new_call(&mut self, number: usize, is_caller: bool) -> Call {
        let is_symmetric = self.plan(number).symmetric && self.who == Who::Provider;
        Call {
            number,
            is_caller,
            state: if is_caller { State::Calling } else { State::Called },
            was_established: false,
            status: 0,
            gave_up: false,
            changed_at: self.now,
            call_id: String::new(),
            local: String::new(),
            remote: String::new(),
            target: String::new(),
            routes: Vec::new(),
            cseq: 0,
            remote_cseq: 0,
            late: BTreeSet::new(),
            media: self.new_media(is_symmetric),
            answer_at: None,
            cancel_at: None,
            act_at: None,
            hang_up_at: None,
            actions_left: self.plan(number).actions,
            is_cancelled: false,
            has_hung_up: false,
            has_acknowledged: false,
            was_redirected: false,
            has_credentials: false,
            rseq: 0,
            prack_until: None,
        }
    }

    /// Calls `user` at `uri`.
    pub fn dial(&mut self, number: usize, user: &str, uri: &str) {
        let plan = self.plan(number);
        let domain = if plan.is_own { "10.0.0.1" } else { "provider.example" };
        let mut call = self.new_call(number, true);
        call.call_id = format!("{:x}@{}", self.random.next(), self.address);
        call.local = format!("<sip:{}@{domain}>;tag={:x}", self.user, self.random.next());
        call.remote = format!("<sip:{user}@{domain}>");
        call.target = uri.to_owned();
        call.cancel_at = plan.cancel.map(|after| self.after(after));
        self.calls.push(call);
        self.invite(self.calls.len() - 1, &plan, "");
    }

    /// The first INVITE, or the same again with what was missing.
    fn invite(&mut self, at: usize, plan: &Plan, more: &str) {
        let call = &mut self.calls[at];
        call.cseq += 1;
        let number = call.cseq;
        if plan.is_late {
            call.late.insert(number);
        }
        let body = if plan.is_late { String::new() } else { self.description(at) };
        let call = &self.calls[at];
        let lines = call.lines(&self.contact())
            + "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"
            + more;
        let target = call.target.clone();
        self.request("INVITE", number, &target, &lines, &body, Owner::Call(at));
    }

    /// A new call comes in.
    pub fn called(&mut self, server: usize) {
        let invite = self.servers[server].request.clone();
        let Ok(number) = text::header(&invite, "Subject").parse::<usize>() else {
            return self.violation("an INVITE that nobody sent", &invite);
        };
        let plan = self.plan(number);
        if let Some((status, lines)) = self.refuses(&invite, &plan) {
            return self.respond(server, status, "none", lines, "");
        }
        let wanted = self.contact();
        let uri = invite.split(' ').nth(1).unwrap();
        if self.proxy.is_some() && uri != wanted {
            self.violation("the request-URI is not the phone's Contact", &invite);
        }
        let mut call = self.new_call(number, false);
        call.call_id = text::header(&invite, "Call-ID").to_owned();
        call.local = format!("{};tag={:x}", text::header(&invite, "To"), self.random.next());
        call.remote = text::header(&invite, "From").to_owned();
        call.target = text::uri(text::header(&invite, "Contact")).to_owned();
        call.routes = text::headers(&invite, "Record-Route").into_iter().map(str::to_owned).collect();
        call.remote_cseq = text::cseq(&invite);
        call.was_redirected = !text::header(&invite, "X-Hop").is_empty();
        call.answer_at = Some(self.after(plan.ring));
        self.calls.push(call);
        let at = self.calls.len() - 1;
        self.servers[server].call = Some(at);
        if plan.callee == Callee::Mute {
            return self.over(at);
        }
        self.take_description(at, &invite);
        self.ring(server, at, &plan);
    }

    /// A provisional response with the tag of the dialog, with a description or without.
    fn ring(&mut self, server: usize, at: usize, plan: &Plan) {
        let is_reliable = plan.reliable && self.servers[server].request.contains("100rel");
        // A reliable response without an offer before it would have to bring one (RFC 3262 §5): left out here.
        let is_early = plan.early && !plan.is_late;
        let mut lines = format!("Contact: <{}>\r\n", self.contact());
        if is_reliable {
            lines.push_str("Require: 100rel\r\nRSeq: 1\r\n");
            self.calls[at].prack_until = Some(self.after(PRACK_MILLIS));
        }
        let body = if is_early { self.description(at) } else { String::new() };
        let status = if is_early { "183 Session Progress" } else { "180 Ringing" };
        let tag = self.calls[at].local_tag().to_owned();
        self.respond(server, status, &tag, &lines, &body);
        if is_reliable {
            self.repeat_reliably(server);
        }
        if is_early {
            self.start_media(at);
        }
    }

    /// The callee answers, as planned.
    fn answer(&mut self, at: usize) {
        let Some(server) = self.invite_server(at).filter(|at| !self.servers[*at].is_answered()) else { return };
        let plan = self.plan(self.calls[at].number);
        let call = &mut self.calls[at];
        let tag = call.local_tag().to_owned();
        let contact = format!("Contact: <{}>\r\n", self.contact());
        let refuse = |party: &mut Self, status: u16, reason: &str, lines: &str| {
            party.calls[at].status = status;
            party.respond(server, &format!("{status} {reason}"), &tag, lines, "");
            party.over(at);
        };
        let call = &mut self.calls[at];
        if let Some(until) = call.prack_until {
            if until <= self.now {
                call.gave_up = true;
                return refuse(self, 504, "No PRACK", "");
            }
            self.calls[at].answer_at = Some(self.after(200));
            return;
        }
        match plan.callee {
            Callee::Rings | Callee::Mute => return,
            Callee::Refuses(status) => return refuse(self, status, "No", ""),
            Callee::Redirects if !call.was_redirected => {
                let domain = if plan.is_own { "10.0.0.1" } else { "provider.example" };
                let lines = format!("Contact: <sip:{}@{domain}>\r\n", self.user);
                return refuse(self, 302, "Moved Temporarily", &lines);
            }
            Callee::Redirects | Callee::Answers => {}
        }
        let body = self.description(at);
        self.calls[at].status = 200;
        self.calls[at].media.awaits_answer = plan.is_late;
        self.respond(server, "200 OK", &tag, &contact, &body);
        self.start_media(at);
    }

    /// The INVITE of a call was cancelled.
    pub fn cancelled(&mut self, at: usize) {
        // One in the middle of a call leaves the call as it is.
        if self.calls[at].state == State::Called {
            self.calls[at].status = 487;
            self.over(at);
        }
    }

    /// The call of a request in a dialog. What From and To say must be what they have always said.
    pub fn call_of(&mut self, message: &str) -> Option<usize> {
        let call_id = text::header(message, "Call-ID");
        let is_it = |c: &Call| c.call_id == call_id && c.state != State::Over;
        let at = self.calls.iter().rposition(is_it)?;
        let call = &self.calls[at];
        let (from, to) = (text::header(message, "From"), text::header(message, "To"));
        if !from.starts_with(&call.remote) || to != call.local {
            let what = format!("From or To is not the dialog's: {} and {}", call.remote, call.local);
            self.violation(&what, message);
        }
        if self.proxy.is_some() && text::headers(message, "Route").iter().any(|route| route.contains("10.0.0.1")) {
            self.violation("a phone is shown the router's Route", message);
        }
        Some(at)
    }

    /// A provisional response to an INVITE of ours, not 100.
    pub fn ringing(&mut self, at: usize, message: &str) {
        let call = &mut self.calls[at];
        if call.state != State::Calling {
            return;
        }
        self.take_description(at, message);
        let rseq = text::header(message, "RSeq").parse().unwrap_or(0);
        let call = &mut self.calls[at];
        if rseq > call.rseq {
            call.rseq = rseq;
            let invite = text::cseq(message);
            self.open_dialog(at, message);
            let call = &mut self.calls[at];
            call.cseq += 1;
            let (number, target) = (call.cseq, call.target.clone());
            let lines = self.calls[at].lines(&self.contact()) + &format!("RAck: {rseq} {invite} INVITE\r\n");
            self.request("PRACK", number, &target, &lines, "", Owner::Call(at));
        }
    }

    /// PRACK: the reliable response has arrived.
    pub fn take_prack(&mut self, server: usize, at: usize) {
        let is_known = self.calls[at].prack_until.take().is_some();
        let tag = self.calls[at].local_tag().to_owned();
        let status = if is_known { "200 OK" } else { "481 No Such Response" };
        self.respond(server, status, &tag, "", "");
        if let Some(invite) = self.invite_server(at).filter(|at| !self.servers[*at].is_answered()) {
            self.servers[invite].resend_at = None;
        }
    }

    /// What a response says of the dialog (RFC 3261 §12.1.2).
    fn open_dialog(&mut self, at: usize, message: &str) {
        let call = &mut self.calls[at];
        call.remote = text::header(message, "To").to_owned();
        call.target = text::uri(text::header(message, "Contact")).to_owned();
        call.routes = text::headers(message, "Record-Route").into_iter().rev().map(str::to_owned).collect();
    }

    /// Ends a call as soon as possible.
    pub fn hang_up(&mut self, at: usize) {
        self.calls[at].hang_up_at = Some(self.now);
    }

    pub fn over(&mut self, at: usize) {
        let call = &mut self.calls[at];
        if call.state == State::Over {
            return;
        }
        call.state = State::Over;
        call.changed_at = self.now;
        (call.answer_at, call.cancel_at, call.act_at, call.hang_up_at) = (None, None, None, None);
        self.stop_media(at);
        // A 2xx is not repeated for a call that is over.
        for server in self.servers.iter_mut().filter(|s| s.call == Some(at) && s.response.starts_with("SIP/2.0 2")) {
            server.resend_at = None;
        }
    }

    pub fn run_calls(&mut self) {
        let now = self.now;
        for at in 0..self.calls.len() {
            self.run_media(at);
            let due = |time: &mut Option<Instant>| time.take_if(|at| *at <= now).is_some();
            if due(&mut self.calls[at].answer_at) {
                self.answer(at);
            }
            if due(&mut self.calls[at].cancel_at) && self.calls[at].state == State::Calling {
                if self.cancel(at) {
                    self.calls[at].is_cancelled = true;
                } else {
                    self.calls[at].cancel_at = Some(self.after(100));
                }
            }
            if due(&mut self.calls[at].act_at) {
                self.act(at);
            }
            if due(&mut self.calls[at].hang_up_at) && !core::mem::replace(&mut self.calls[at].has_hung_up, true) {
                self.calls[at].act_at = None;
                self.calls[at].changed_at = now;
                self.stop_sending(at);
                self.send_bye(at);
            }
        }
    }

    fn send_bye(&mut self, at: usize) {
        let call = &mut self.calls[at];
        call.cseq += 1;
        let (number, target) = (call.cseq, call.target.clone());
        let seen = format!("X-RTP-Stat: LA={}:{}\r\n", self.media_address, self.calls[at].media.port);
        let lines = self.calls[at].lines(&self.contact()) + &seen;
        self.request("BYE", number, &target, &lines, "", Owner::Call(at));
    }
}
