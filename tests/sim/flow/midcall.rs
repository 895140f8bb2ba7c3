//! What happens in the middle of a call: hold, another port, new offers either way and at once, and what is no offer.

use super::dialog::State;
use super::party::{Client, Owner, Party};
use crate::rig::text;

/// How many in a hundred re-INVITEs are refused.
const REFUSED: u64 = 15;

impl Party {
    /// Whether an offer of either party waits for its answer, or an INVITE for its ACK.
    fn is_offering(&self, at: usize) -> bool {
        let invites = self.servers.iter().filter(|s| s.call == Some(at) && s.method == "INVITE");
        self.calls[at].media.change.is_some()
            || self.calls[at].media.awaits_answer
            || invites.into_iter().any(|s| !s.is_answered() || s.resend_at.is_some())
            || self.invite_client(at).is_some()
    }

    /// Does one thing, and says when the next one comes.
    pub fn act(&mut self, at: usize) {
        if self.calls[at].state != State::Established || self.calls[at].has_hung_up {
            return;
        }
        let gap = self.random.between(300, 1500);
        let next = self.after(gap);
        let call = &mut self.calls[at];
        call.actions_left = call.actions_left.saturating_sub(1);
        call.act_at = (call.actions_left > 0).then_some(next);
        let what = self.random.between(0, 10);
        if what < 5 && self.is_offering(at) {
            return;
        }
        match what {
            0 | 1 => self.offer(at, "INVITE", true, false),
            2 => self.offer(at, "INVITE", false, true),
            3 => self.offer_late(at),
            4 => {
                let holds = self.random.chance(50);
                self.offer(at, "UPDATE", holds, false)
            }
            5 => self.say(at, "UPDATE", "", ""),
            6 => self.say(at, "INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n"),
            7 => self.say(at, "MESSAGE", "Content-Type: text/plain\r\n", "hello"),
            8 => self.say(at, "OPTIONS", "", ""),
            _ => self.say(at, "REFER", "Refer-To: <sip:bob@provider.example>\r\n", ""),
        };
    }

    /// Sends a request in the dialog, and gives its CSeq number.
    fn say(&mut self, at: usize, method: &str, more: &str, body: &str) -> u32 {
        let contact = self.contact();
        let call = &mut self.calls[at];
        call.cseq += 1;
        call.changed_at = self.now;
        let (number, target) = (call.cseq, call.target.clone());
        let lines = call.lines(&contact) + more;
        self.request(method, number, &target, &lines, body, Owner::Call(at));
        number
    }

    /// An offer: hold or resume, or another port.
    fn offer(&mut self, at: usize, method: &str, toggles: bool, moves: bool) -> u32 {
        let body = self.offered(at, toggles, moves);
        self.say(at, method, "", &body)
    }

    /// A re-INVITE without an offer: the other party makes one.
    fn offer_late(&mut self, at: usize) -> u32 {
        let _ = self.offered(at, false, false);
        let number = self.say(at, "INVITE", "", "");
        self.calls[at].late.insert(number);
        number
    }

    /// A request in a call of ours.
    pub fn take_in_call(&mut self, server: usize, at: usize, method: &str) {
        let request = self.servers[server].request.clone();
        let number = text::cseq(&request);
        let tag = self.calls[at].local_tag().to_owned();
        let call = &mut self.calls[at];
        if number <= call.remote_cseq {
            return self.respond(server, "500 Out Of Order", &tag, "", "");
        }
        call.remote_cseq = number;
        call.changed_at = self.now;
        match method {
            "INVITE" | "UPDATE" => self.take_offer(server, at, method),
            "BYE" => {
                self.respond(server, "200 OK", &tag, "", "");
                self.end_early(at);
                self.over(at);
            }
            "PRACK" => self.take_prack(server, at),
            "REFER" => {
                self.respond(server, "202 Accepted", &tag, &format!("Contact: <{}>\r\n", self.contact()), "");
                let lines = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n\
                             Content-Type: message/sipfrag\r\n";
                if !self.calls[at].has_hung_up {
                    self.say(at, "NOTIFY", lines, "SIP/2.0 603 Declined\r\n");
                }
            }
            _ => self.respond(server, "200 OK", &tag, "", ""),
        }
    }

    /// BYE before the first INVITE was answered answers that one too (RFC 3261 §15.1.2).
    fn end_early(&mut self, at: usize) {
        let Some(invite) = self.invite_server(at).filter(|at| !self.servers[*at].is_answered()) else { return };
        let tag = self.calls[at].local_tag().to_owned();
        self.respond(invite, "487 Request Terminated", &tag, "", "");
    }

    fn take_offer(&mut self, server: usize, at: usize, method: &str) {
        let request = self.servers[server].request.clone();
        let tag = self.calls[at].local_tag().to_owned();
        let contact = format!("Contact: <{}>\r\n", self.contact());
        let has_offer = !text::body(&request).is_empty();
        if method == "UPDATE" && !has_offer {
            return self.respond(server, "200 OK", &tag, &contact, "");
        }
        let is_unanswered = |s: &super::party::Server| s.call == Some(at) && s.method == "INVITE" && !s.is_answered();
        if self.servers.iter().enumerate().any(|(other, s)| other != server && is_unanswered(s)) {
            return self.respond(server, "500 One At A Time", &tag, "Retry-After: 1\r\n", "");
        }
        // RFC 3261 §14.2, RFC 3311 §5.2: both parties at once.
        if self.calls[at].media.change.is_some() || self.calls[at].media.awaits_answer {
            return self.respond(server, "491 Request Pending", &tag, "", "");
        }
        if self.random.chance(REFUSED) {
            return self.respond(server, "488 Not Acceptable Here", &tag, "", "");
        }
        if has_offer {
            self.take_description(at, &request);
        } else {
            self.calls[at].media.awaits_answer = true;
        }
        self.calls[at].media.version += 1;
        let body = self.description(at);
        self.respond(server, "200 OK", &tag, &contact, &body);
    }

    /// The answer to an offer of ours in a running call.
    pub fn offer_answered(&mut self, at: usize, client: &Client, status: u16, message: &str) {
        let is_invite = client.method == "INVITE";
        if self.calls[at].state == State::Over {
            if is_invite && (200..300).contains(&status) {
                self.acknowledge(at, message);
            }
            return;
        }
        if is_invite || !text::body(&client.request).is_empty() {
            self.settle(at, (200..300).contains(&status));
        }
        match status {
            200..300 => {
                self.take_description(at, message);
                if is_invite {
                    self.acknowledge(at, message);
                }
            }
            408 | 481 => self.hang_up(at),
            491 => {
                // RFC 3261 §14.1: later, and not both at the same time.
                let wait = if self.calls[at].is_caller {
                    self.random.between(2100, 4000)
                } else {
                    self.random.between(0, 2000)
                };
                self.calls[at].actions_left += 1;
                self.calls[at].act_at = Some(self.after(wait));
            }
            _ => {}
        }
    }
}
