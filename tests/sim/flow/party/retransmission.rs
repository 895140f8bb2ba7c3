//! What a party sends again, and what it gives up (RFC 3261 §17).

use super::{Party, T2};
use crate::rig::text;

impl Party {
    pub(super) fn retransmit(&mut self) {
        let now = self.now;
        for client in &mut self.clients {
            if client.resend_at.is_some_and(|at| at <= now) {
                client.interval *= 2;
                if client.method != "INVITE" {
                    client.interval = client.interval.min(T2);
                }
                client.resend_at = Some(now.after(client.interval));
                self.stack.send(self.udp, client.to, client.request.as_bytes());
            }
        }
        for at in 0..self.servers.len() {
            let server = &mut self.servers[at];
            if server.resend_at.is_some_and(|at| at <= now) {
                server.interval *= 2;
                if server.is_answered() {
                    server.interval = server.interval.min(T2);
                }
                server.resend_at = Some(now.after(server.interval));
                self.send_response(at);
            }
        }
        while let Some(at) = self.clients.iter().position(|c| c.ends_at <= now) {
            let client = self.clients.swap_remove(at);
            if !client.is_final {
                if self.expects_answers {
                    self.violation("no answer came", &client.request);
                }
                self.answered(&client, 408, "");
            }
        }
        while let Some(at) = self.servers.iter().position(|s| s.ends_at <= now) {
            let server = self.servers.swap_remove(at);
            let is_success = text::status(&server.response).is_some_and(|s| (200..300).contains(&s));
            if let (Some(call), true) = (server.call, server.resend_at.is_some() && is_success) {
                self.not_acknowledged(call);
            }
            if let (Some(call), "INVITE", false) = (server.call, server.method.as_str(), server.is_answered()) {
                // It has rung for too long, and nobody cares.
                self.calls[call].gave_up = true;
                self.over(call);
            }
        }
    }
}
