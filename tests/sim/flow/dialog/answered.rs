//! What a party does with the answers to its INVITE, and with what acknowledges its own.

use super::{PATIENCE, State};
use crate::flow::draw::Ends;
use crate::flow::party::{Client, Party};
use crate::rig::text;

impl Party {
    /// A final response to a request of ours in a call; 408 and no message where none came.
    pub fn call_answered(&mut self, at: usize, client: &Client, status: u16, message: &str) {
        let call = &mut self.calls[at];
        call.changed_at = self.now;
        if message.is_empty() {
            call.gave_up = true;
        }
        let is_first = call.state == State::Calling;
        match client.method.as_str() {
            "INVITE" if is_first => self.invite_answered(at, status, message),
            "INVITE" | "UPDATE" => self.offer_answered(at, client, status, message),
            "BYE" => self.over(at),
            "PRACK" | "CANCEL" => {}
            _ if matches!(status, 408 | 481) => self.hang_up(at),
            _ => {}
        }
    }

    pub(super) fn invite_answered(&mut self, at: usize, status: u16, message: &str) {
        let call = &mut self.calls[at];
        call.status = status;
        let plan = self.draw.plans[call.number].clone();
        match status {
            200..300 => {
                self.open_dialog(at, message);
                self.take_description(at, message);
                self.established(at);
                self.acknowledge(at, message);
                if self.calls[at].is_cancelled {
                    // The answer was faster than CANCEL.
                    self.hang_up(at);
                }
            }
            300..=399 | 401 | 407 if !self.calls[at].is_cancelled => {
                let call = &mut self.calls[at];
                let may_again = if status < 400 { &mut call.was_redirected } else { &mut call.has_credentials };
                if core::mem::replace(may_again, true) {
                    return self.over(at);
                }
                call.remote = call.remote.split(";tag=").next().unwrap().to_owned();
                call.routes.clear();
                call.rseq = 0;
                if status < 400 {
                    let contact = text::uri(text::header(message, "Contact")).to_owned();
                    match self.resolve(&contact) {
                        Some(target) => self.calls[at].target = target,
                        None => return self.over(at),
                    }
                }
                let call = &self.calls[at];
                let hop = if call.was_redirected { "X-Hop: 1\r\n" } else { "" };
                let credentials =
                    "Proxy-Authorization: Digest username=\"me\", realm=\"provider.example\", response=\"1\"\r\n";
                let credentials = if call.has_credentials { credentials } else { "" };
                self.invite(at, &plan, &format!("{hop}{credentials}"));
            }
            _ => self.over(at),
        }
    }

    /// A 2xx to an INVITE that has its final response: it is acknowledged, and a call that is over ended (RFC 3261 §13.2.2.4).
    pub fn late_success(&mut self, message: &str) {
        let call_id = text::header(message, "Call-ID");
        let Some(at) = self.calls.iter().rposition(|c| c.is_caller && c.call_id == call_id) else { return };
        if self.calls[at].was_established {
            return self.acknowledge(at, message);
        }
        self.open_dialog(at, message);
        self.acknowledge(at, message);
        if !core::mem::replace(&mut self.calls[at].has_hung_up, true) {
            self.send_bye(at);
        }
    }

    /// The ACK of a 2xx, for every time that it comes.
    pub fn acknowledge(&mut self, at: usize, message: &str) {
        let number = text::cseq(message);
        self.calls[at].has_acknowledged = true;
        let body = if self.calls[at].late.contains(&number) { self.description(at) } else { String::new() };
        let call = &self.calls[at];
        let (target, lines) = (call.target.clone(), call.lines(&self.contact()));
        let branch = self.new_branch();
        let (to, is_tcp) = self.next_hop(&target, &format!("\r\n{lines}"));
        let via = self.via(is_tcp, &branch);
        let lines = format!("{via}Max-Forwards: 70\r\nCSeq: {number} ACK\r\n{lines}");
        let ack = text::message(&format!("ACK {target} SIP/2.0"), &lines, &body);
        let _ = self.send_to(to, is_tcp, &ack);
    }

    /// The ACK of our 2xx has come.
    pub fn acknowledged(&mut self, at: usize, ack: &str, is_first: bool) {
        let uri = ack.split(' ').nth(1).unwrap();
        if uri != self.contact() {
            self.violation("the ACK is not for the Contact", ack);
        }
        let call = &mut self.calls[at];
        if !is_first || call.state == State::Over {
            return;
        }
        call.changed_at = self.now;
        if core::mem::take(&mut call.media.awaits_answer) {
            self.take_description(at, ack);
        }
        if self.calls[at].state == State::Called {
            self.established(at);
        }
    }

    /// No ACK came in 64 × T1: the session ends (RFC 3261 §13.3.1.4).
    pub fn not_acknowledged(&mut self, at: usize) {
        if self.calls[at].state != State::Over {
            self.calls[at].gave_up = true;
            self.hang_up(at);
        }
    }

    pub(super) fn established(&mut self, at: usize) {
        let gap = self.random.between(200, 1200);
        let (act_at, now) = (self.after(gap), self.now);
        let plan = self.plan(self.calls[at].number);
        let hangs_up = plan.ends == Ends::Both || (plan.ends == Ends::Caller) == self.calls[at].is_caller;
        let hang_up_at = self.after(plan.talk + if hangs_up { 0 } else { PATIENCE });
        let call = &mut self.calls[at];
        call.state = State::Established;
        call.was_established = true;
        call.changed_at = now;
        (call.answer_at, call.cancel_at) = (None, None);
        call.act_at = (call.actions_left > 0).then_some(act_at);
        call.hang_up_at = Some(hang_up_at);
        self.start_media(at);
    }
}
