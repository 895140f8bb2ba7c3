//! What a party does with the messages that come.

use super::{Client, Owner, Party, Server, T1, TIMER_B, TIMER_C, Way};
use crate::rig::text;

impl Party {
    pub(super) fn take(&mut self, message: &str, way: Way) {
        if text::header(message, "Content-Length") != text::body(message).len().to_string() {
            self.violation("Content-Length is wrong", message);
        }
        let is_private = |text: &str| text.contains("10.0.0.") || text.contains("100.64.");
        if self.proxy.is_none() && is_private(message) {
            self.violation("a private address has left", message);
        }
        match text::status(message) {
            Some(status) => self.take_response(message, status),
            None => self.take_request(message, way),
        }
    }

    pub(super) fn take_response(&mut self, message: &str, status: u16) {
        let vias = text::headers(message, "Via");
        let branch = vias.first().map_or("", |via| text::param(via, ";branch="));
        let method = text::method(message);
        let Some(at) = self.clients.iter().position(|c| c.branch == branch && c.method == method) else {
            if vias.len() > 1 && self.registrar.is_some() {
                self.pass_back(message);
            } else if method == "INVITE" && (200..300).contains(&status) {
                self.late_success(message);
            }
            return;
        };
        let request = self.clients[at].request.clone();
        for name in ["From", "Call-ID", "CSeq"] {
            if text::header(message, name) != text::header(&request, name) {
                self.violation(&format!("{name} is not what the request had"), message);
            }
        }
        let own_to = text::header(&request, "To");
        if vias.len() != 1 || !text::header(message, "To").starts_with(own_to) {
            self.violation("Via or To is not what the request had", message);
        }
        let client = &mut self.clients[at];
        let (is_invite, owner) = (client.method == "INVITE", client.owner);
        if status < 200 {
            if !client.is_final {
                let is_first = !client.has_provisional;
                client.has_provisional = true;
                if is_invite {
                    client.resend_at = None;
                    if is_first {
                        client.ends_at = self.now.after(TIMER_C);
                    }
                }
                if let Owner::Call(call) = owner
                    && status > 100
                {
                    self.ringing(call, message);
                }
            }
            return;
        }
        let is_first = !client.is_final;
        client.is_final = true;
        client.resend_at = None;
        if is_first {
            client.ends_at = self.now.after(TIMER_B);
        }
        if is_invite && status >= 300 {
            let ack = Self::of_invite(&request, "ACK", text::header(message, "To"));
            let (to, way) = (client.to, client.way);
            let _ = self.send_to(to, matches!(way, Way::Tcp(_)), &ack);
        }
        if is_first {
            let client = self.clients.swap_remove(at);
            self.answered(&client, status, message);
            self.clients.push(client);
        } else if matches!(owner, Owner::Call(_)) && is_invite && status < 300 {
            // Once more, or behind a refusal of the router's own.
            self.late_success(message);
        }
    }

    /// The final response to a request of ours; 408 with no message where none came.
    pub(super) fn answered(&mut self, client: &Client, status: u16, message: &str) {
        match client.owner {
            Owner::Call(call) => self.call_answered(call, client, status, message),
            Owner::Account(account) => self.registered(account, status, message),
            Owner::Nobody => self.answers.push(status),
        }
    }

    pub(super) fn take_request(&mut self, message: &str, way: Way) {
        // RFC 3261 §18.2.1 and RFC 3581 §4: where it really came from.
        let from = match way {
            Way::Udp(from) => Some(from),
            Way::Tcp(id) => self.streams.peer(id),
        };
        let seen = from.map_or(String::new(), |from| format!(";rport={};received={}", from.port(), from.ip()));
        let message = &message.replacen(";rport", &seen, 1);
        let method = text::method(message).to_owned();
        let branch = text::param(text::header(message, "Via"), ";branch=").to_owned();
        if self.registrar.is_some() && self.pass_on(message, &branch) {
            return;
        }
        if method == "ACK" {
            return self.take_ack(message, &branch);
        }
        if let Some(at) = self.servers.iter().position(|s| s.branch == branch && s.method == method) {
            self.servers[at].way = way;
            if !self.servers[at].response.is_empty() {
                self.send_response(at);
            }
            return;
        }
        if self.proxy.is_none() && text::headers(message, "Via").len() != 1 {
            self.violation("a request shows more than the router's Via", message);
        }
        self.servers.push(Server {
            branch,
            method: method.clone(),
            request: message.to_owned(),
            way,
            response: String::new(),
            interval: T1,
            resend_at: None,
            ends_at: self.now.after(if method == "INVITE" { TIMER_C } else { TIMER_B }),
            call: None,
        });
        let at = self.servers.len() - 1;
        match method.as_str() {
            "REGISTER" => self.take_register(at, way),
            "INVITE" if !text::header(message, "To").contains(";tag=") => self.called(at),
            "MESSAGE" | "OPTIONS" if !text::header(message, "To").contains(";tag=") => {
                self.respond(at, "200 OK", "out", "", "");
            }
            "CANCEL" => self.take_cancel(at),
            _ => match self.call_of(message) {
                Some(call) => {
                    self.servers[at].call = Some(call);
                    self.take_in_call(at, call, &method);
                }
                None => self.respond(at, "481 Call/Transaction Does Not Exist", "none", "", ""),
            },
        }
    }

    /// The ACK of a refusal has the branch of its INVITE; that of a 2xx is found by its dialog.
    pub(super) fn take_ack(&mut self, message: &str, branch: &str) {
        let number = text::header(message, "CSeq").split(' ').next().unwrap();
        let call_id = text::header(message, "Call-ID");
        let is_it = |s: &Server| {
            let is_invite = s.method == "INVITE" && s.is_answered();
            let same = text::header(&s.request, "Call-ID") == call_id
                && text::header(&s.request, "CSeq").split(' ').next() == Some(number);
            is_invite && (s.branch == branch || same && text::status(&s.response).is_some_and(|s| s < 300))
        };
        let Some(server) = self.servers.iter_mut().find(|s| is_it(s)) else { return };
        let is_first = server.resend_at.take().is_some();
        if let (Some(call), Some(200..300)) = (server.call, text::status(&server.response)) {
            self.acknowledged(call, message, is_first);
        }
    }

    /// CANCEL ends the INVITE with its branch that has no final answer yet (RFC 3261 §9.2).
    pub(super) fn take_cancel(&mut self, at: usize) {
        let branch = &self.servers[at].branch;
        let Some(invite) = self.servers.iter().position(|s| s.branch == *branch && s.method == "INVITE") else {
            return self.respond(at, "481 Call/Transaction Does Not Exist", "none", "", "");
        };
        let tag = self.servers[invite].call.map(|call| self.calls[call].local_tag().to_owned());
        let tag = tag.unwrap_or_else(|| "none".to_owned());
        self.respond(at, "200 OK", &tag, "", "");
        if !self.servers[invite].is_answered() {
            self.respond(invite, "487 Request Terminated", &tag, "", "");
            if let Some(call) = self.servers[invite].call {
                self.cancelled(call);
            }
        }
    }
}
