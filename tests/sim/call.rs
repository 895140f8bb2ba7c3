//! The calls of a user agent: dialogs (RFC 3261 §12, §13) with a session description and RTP each.

use crate::agent::Agent;
use crate::rig::text;
use core::net::SocketAddr;
use siproxd::time::Instant;
use smoltcp::iface::SocketHandle;

/// Time between two RTP packets in milliseconds.
const PACKET_TIME: u64 = 40;
/// How long a party waits for the other one to hang up, as planned, before it does so itself, in seconds.
const PATIENCE: u32 = 40;
/// Where in an RTP packet the number of its call stands.
const RTP_HEADER: usize = 12;

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    CallerHangsUp,
    CalleeHangsUp,
    CallerCancels,
    CalleeRefuses,
}

/// What both parties of a call do. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub end: End,
    pub ring: u64,
    pub talk: u64,
    /// The callee moves its media to another port in the middle of the call.
    pub moves: bool,
    /// The provider's media comes from another port than it announced.
    pub symmetric: bool,
    /// The callee rings with a description: early media.
    pub early: bool,
}

/// What a party saw of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub established: bool,
    pub packets: u32,
    /// The final response to the INVITE, at the caller.
    pub status: u16,
    pub has_ended: bool,
    pub moved: bool,
}

/// A call of ours.
pub struct Call {
    pub number: usize,
    is_caller: bool,
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    version: u32,
    rtp: SocketHandle,
    /// From where RTP goes out; another socket than `rtp` for a symmetric NAT.
    out: SocketHandle,
    port: u16,
    peer: Option<SocketAddr>,
    sequence: u16,
    rtp_at: Option<Instant>,
    /// When the callee answers, or the caller cancels.
    act_at: Option<Instant>,
    move_at: Option<Instant>,
    hang_up_at: Option<Instant>,
    has_hung_up: bool,
    pub is_over: bool,
}

impl Call {
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.rtp_at, self.act_at, self.move_at, self.hang_up_at].into_iter().flatten().min()
    }

    fn lines(&self, contact: &str) -> String {
        let mut lines = String::new();
        for route in &self.routes {
            lines.push_str(&format!("Route: {route}\r\n"));
        }
        lines
            + &format!(
                "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nContact: <{contact}>\r\nSubject: {}\r\n",
                self.local, self.remote, self.call_id, self.number
            )
    }
}

impl Agent {
    fn new_call(&mut self, number: usize, is_caller: bool) -> Call {
        let port = self.next_port;
        self.next_port += 4;
        let rtp = self.stack.bind(Some(self.media_address), port);
        let is_symmetric = self.plans[number].symmetric && self.proxy.is_none();
        let out = if is_symmetric { self.stack.bind(Some(self.media_address), port + 2) } else { rtp };
        self.outcomes.entry(number).or_default().has_ended = false;
        Call {
            number,
            is_caller,
            call_id: String::new(),
            local: String::new(),
            remote: String::new(),
            target: String::new(),
            routes: Vec::new(),
            cseq: 1,
            version: 1,
            rtp,
            out,
            port,
            peer: None,
            sequence: 0,
            rtp_at: None,
            act_at: None,
            move_at: None,
            hang_up_at: None,
            has_hung_up: false,
            is_over: false,
        }
    }

    /// Calls `user` at `uri`.
    pub fn dial(&mut self, number: usize, user: &str, uri: &str) {
        let mut call = self.new_call(number, true);
        call.call_id = format!("{:x}@{}", self.random.next(), self.address);
        call.local = format!("<sip:{}@provider.example>;tag={:x}", self.user, self.random.next());
        call.remote = format!("<sip:{user}@provider.example>");
        call.target = uri.to_owned();
        let plan = self.plans[number];
        // Long before the callee would answer.
        let cancel_at = Instant::from_millis(self.now.as_millis() + plan.ring / 3);
        call.act_at = (plan.end == End::CallerCancels).then_some(cancel_at);
        let at = self.calls.len();
        let body = text::sdp(self.media_address.into(), call.port, 1);
        let lines = call.lines(&self.contact());
        self.calls.push(call);
        self.request("INVITE", 1, uri, &lines, &body, Some(at));
    }

    /// A new call comes in.
    pub fn called(&mut self, invite: &str) -> usize {
        let number: usize = text::header(invite, "Subject").parse().unwrap();
        let uri = invite.split(' ').nth(1).unwrap();
        let wanted = self.contact();
        if self.proxy.is_some() && uri != wanted {
            self.violation("the request-URI is not the phone's Contact", invite);
        }
        let mut call = self.new_call(number, false);
        call.call_id = text::header(invite, "Call-ID").to_owned();
        call.local = format!("{};tag={:x}", text::header(invite, "To"), self.random.next());
        call.remote = text::header(invite, "From").to_owned();
        call.target = text::uri(text::header(invite, "Contact")).to_owned();
        call.routes = text::headers(invite, "Record-Route").into_iter().map(str::to_owned).collect();
        call.act_at = Some(Instant::from_millis(self.now.as_millis() + self.plans[number].ring));
        self.calls.push(call);
        let at = self.calls.len() - 1;
        self.aim(at, invite);
        at
    }

    /// Media goes where a description says. After BYE there is no relay that it could name.
    fn aim(&mut self, at: usize, message: &str) {
        if self.calls[at].is_over || self.calls[at].has_hung_up {
            return;
        }
        let Some(peer) = text::media(text::body(message)) else { return };
        let router_is_there = if self.proxy.is_some() { "10.0.0.1" } else { "198.51.100." };
        if !peer.0.to_string().starts_with(router_is_there) || !(7070..=7089).contains(&peer.1) {
            self.violation("the description does not name the relay", message);
        }
        self.calls[at].peer = Some(peer.into());
    }

    /// The call of a request in a dialog. What From and To say must be what they have always said.
    pub fn call_of(&mut self, message: &str) -> Option<usize> {
        let call_id = text::header(message, "Call-ID");
        let at = self.calls.iter().rposition(|c| c.call_id == call_id && !c.is_over)?;
        let call = &self.calls[at];
        let (from, to) = (text::header(message, "From"), text::header(message, "To"));
        let is_cancel = text::method(message) == "CANCEL";
        if !from.starts_with(&call.remote) || !(to == call.local || is_cancel && call.local.starts_with(to)) {
            let what = format!("From or To is not the dialog's: {} and {}", call.remote, call.local);
            self.violation(&what, message);
        }
        if self.proxy.is_some() && !text::headers(message, "Route").is_empty() {
            self.violation("a phone is shown a Route", message);
        }
        Some(at)
    }

    pub fn take_in_call(&mut self, server: usize, at: usize, method: &str) {
        let request = self.servers[server].request.clone();
        let tag = text::param(&self.calls[at].local, ";tag=").to_owned();
        match method {
            "INVITE" => {
                self.aim(at, &request);
                self.calls[at].version += 1;
                let call = &self.calls[at];
                let body = text::sdp(self.media_address.into(), call.port, call.version);
                let number = call.number;
                self.outcomes.entry(number).or_default().moved = true;
                let contact = format!("Contact: <{}>\r\n", self.contact());
                self.respond(server, "200 OK", &tag, &contact, &body);
            }
            "BYE" => {
                self.respond(server, "200 OK", &tag, "", "");
                self.over(at);
            }
            "CANCEL" => {
                self.respond(server, "200 OK", &tag, "", "");
                if self.calls[at].act_at.is_some()
                    && let Some(invite) = self.invite_server(at)
                {
                    self.respond(invite, "487 Request Terminated", &tag, "", "");
                    self.over(at);
                }
            }
            _ => self.respond(server, "200 OK", &tag, "", ""),
        }
    }

    /// A provisional response to an INVITE of ours.
    pub fn ringing(&mut self, at: usize, message: &str) {
        if !text::body(message).is_empty() {
            self.aim(at, message);
        }
    }

    /// A final response to a request of ours in a call; 408 and no message where none came.
    pub fn call_answered(&mut self, at: usize, method: &str, status: u16, message: &str) {
        let call = &mut self.calls[at];
        let number = call.number;
        match (method, status) {
            ("INVITE", 200..300) => {
                if call.remote.contains(";tag=") {
                    // The answer to a re-INVITE.
                    self.aim(at, message);
                    return self.acknowledge(at, message);
                }
                call.remote = text::header(message, "To").to_owned();
                call.target = text::uri(text::header(message, "Contact")).to_owned();
                call.routes = text::headers(message, "Record-Route").into_iter().rev().map(str::to_owned).collect();
                self.aim(at, message);
                self.outcomes.entry(number).or_default().status = status;
                self.acknowledge(at, message);
                self.established(at);
                if self.plans[number].end == End::CallerCancels {
                    // The answer was faster than CANCEL.
                    self.calls[at].hang_up_at = Some(self.now);
                }
            }
            ("INVITE", _) if !call.remote.contains(";tag=") => {
                self.outcomes.entry(number).or_default().status = status;
                self.over(at);
            }
            ("BYE", _) => self.over(at),
            _ => {}
        }
    }

    /// The ACK of a 2xx, for every time that it comes.
    pub fn acknowledge(&mut self, at: usize, message: &str) {
        let call = &self.calls[at];
        let number = text::header(message, "CSeq").split(' ').next().unwrap();
        let branch = format!("z9hG4bK{:016x}", self.random.next());
        let lines = format!(
            "Via: SIP/2.0/UDP {}:5060;branch={branch};rport\r\nMax-Forwards: 70\r\nCSeq: {number} ACK\r\n{}",
            self.address,
            call.lines(&self.contact())
        );
        let target = call.target.clone();
        let ack = text::message(&format!("ACK {target} SIP/2.0"), &lines, "");
        self.send_to_next_hop(&target, &ack);
    }

    /// The ACK of our 2xx has come.
    pub fn acknowledged(&mut self, at: usize, ack: &str) {
        let uri = ack.split(' ').nth(1).unwrap();
        if uri != self.contact() {
            self.violation("the ACK is not for the Contact", ack);
        }
        if !self.calls[at].is_over && !self.outcomes[&self.calls[at].number].established {
            self.established(at);
        }
    }

    /// No ACK came in 64 × T1: the session ends (RFC 3261 §13.3.1.4).
    pub fn not_acknowledged(&mut self, at: usize) {
        if !self.calls[at].is_over {
            self.calls[at].hang_up_at = Some(self.now);
        }
    }

    fn established(&mut self, at: usize) {
        let now = self.now;
        let call = &mut self.calls[at];
        let plan = self.plans[call.number];
        self.outcomes.entry(call.number).or_default().established = true;
        call.rtp_at = Some(now);
        call.act_at = None;
        let hangs_up = (plan.end == End::CallerHangsUp) == call.is_caller;
        let patience = if hangs_up { now } else { now.after_secs(PATIENCE) };
        call.hang_up_at = Some(Instant::from_millis(patience.as_millis() + plan.talk));
        if plan.moves && !call.is_caller {
            // Before the half of it, so that there is time for media after the move.
            call.move_at = Some(Instant::from_millis(now.as_millis() + plan.talk / 3));
        }
    }

    fn over(&mut self, at: usize) {
        let call = &mut self.calls[at];
        if call.is_over {
            return;
        }
        call.is_over = true;
        (call.rtp_at, call.act_at, call.move_at, call.hang_up_at) = (None, None, None, None);
        let (rtp, out, number) = (call.rtp, call.out, call.number);
        self.stack.close(rtp);
        if out != rtp {
            self.stack.close(out);
        }
        self.outcomes.entry(number).or_default().has_ended = true;
    }

    pub fn run_calls(&mut self) {
        let now = self.now;
        for at in 0..self.calls.len() {
            if self.calls[at].is_over {
                continue;
            }
            self.take_media(at);
            let due = |time: &mut Option<Instant>| time.take_if(|at| *at <= now).is_some();
            if due(&mut self.calls[at].rtp_at) {
                self.send_media(at);
            }
            if due(&mut self.calls[at].act_at) {
                if self.calls[at].is_caller {
                    if !self.cancel(at) {
                        self.calls[at].act_at = Some(now.after_secs(1));
                    }
                } else {
                    self.act(at);
                }
            }
            if due(&mut self.calls[at].move_at) {
                self.move_media(at);
            }
            if due(&mut self.calls[at].hang_up_at) {
                let call = &mut self.calls[at];
                call.cseq += 1;
                call.has_hung_up = true;
                call.rtp_at = None;
                call.move_at = None;
                let (number, target) = (call.cseq, call.target.clone());
                let seen = format!("X-RTP-Stat: LA={}:{}\r\n", self.media_address, call.port);
                let lines = self.calls[at].lines(&self.contact()) + &seen;
                self.request("BYE", number, &target, &lines, "", Some(at));
            }
        }
    }

    /// The callee rings at once, and answers when its time has come.
    fn act(&mut self, at: usize) {
        let Some(server) = self.invite_server(at) else { return };
        let call = &self.calls[at];
        let plan = self.plans[call.number];
        let tag = text::param(&call.local, ";tag=").to_owned();
        let body = text::sdp(self.media_address.into(), call.port, 1);
        let contact = format!("Contact: <{}>\r\n", self.contact());
        if plan.end == End::CalleeRefuses {
            self.respond(server, "486 Busy Here", &tag, "", "");
            return self.over(at);
        }
        self.respond(server, "200 OK", &tag, &contact, &body);
        self.calls[at].rtp_at = Some(self.now);
    }

    /// A provisional response with the tag of the dialog, which the caller waits for.
    pub fn ring(&mut self, server: usize, at: usize) {
        let call = &self.calls[at];
        let plan = self.plans[call.number];
        let tag = text::param(&call.local, ";tag=").to_owned();
        let contact = format!("Contact: <{}>\r\n", self.contact());
        let body = if plan.early { text::sdp(self.media_address.into(), call.port, 1) } else { String::new() };
        let status = if plan.early { "183 Session Progress" } else { "180 Ringing" };
        self.respond(server, status, &tag, &contact, &body);
    }

    /// A re-INVITE with another port.
    fn move_media(&mut self, at: usize) {
        let port = self.next_port;
        self.next_port += 4;
        let rtp = self.stack.bind(Some(self.media_address), port);
        let contact = self.contact();
        let call = &mut self.calls[at];
        let (old_rtp, old_out) = (call.rtp, call.out);
        (call.rtp, call.out, call.port) = (rtp, rtp, port);
        call.cseq += 1;
        call.version += 1;
        let (number, target) = (call.cseq, call.target.clone());
        let body = text::sdp(self.media_address.into(), port, call.version);
        let lines = call.lines(&contact);
        self.stack.close(old_rtp);
        if old_out != old_rtp {
            self.stack.close(old_out);
        }
        self.request("INVITE", number, &target, &lines, &body, Some(at));
    }

    fn send_media(&mut self, at: usize) {
        let call = &mut self.calls[at];
        call.rtp_at = Some(Instant::from_millis(self.now.as_millis() + PACKET_TIME));
        let Some(peer) = call.peer else { return };
        call.sequence = call.sequence.wrapping_add(1);
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&call.sequence.to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(&(call.port as u32).to_be_bytes());
        packet.push(call.number as u8);
        packet.resize(60, 0xd5);
        let out = call.out;
        self.stack.send(out, peer, &packet);
    }

    fn take_media(&mut self, at: usize) {
        let Call { rtp, out, number, .. } = self.calls[at];
        // What is learned from the source port of media comes back there.
        for socket in [rtp, out] {
            while let Some((packet, from)) = self.stack.receive(socket) {
                if packet.get(RTP_HEADER) != Some(&(number as u8)) {
                    self.violation("media of another call", &format!("from {from}: {packet:?}"));
                }
                self.outcomes.entry(number).or_default().packets += 1;
            }
        }
    }
}
