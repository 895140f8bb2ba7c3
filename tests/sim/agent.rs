//! A scripted SIP user agent: transactions over UDP with the timers of RFC 3261 §17, registration, and calls with media.
//!
//! Phones and the provider are the same agent; the provider is a registrar besides, and has no outbound proxy. What a call
//! does is written in its [`Plan`], which both parties know; its number travels in Subject and in every RTP packet.

use crate::call::{Call, Outcome, Plan};
use crate::net::{Random, Stack};
use crate::registration::{Binding, Registration};
use crate::rig::text;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use siproxd::time::{Duration, Instant};
use smoltcp::iface::SocketHandle;
use std::collections::BTreeMap;

/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Timers B, F, H and J: 64 × T1.
const TIMER_B: Duration = Duration::from_secs(32);
/// Timer C of a caller: a call that rings for ever is a failure of the simulation.
const TIMER_C: Duration = Duration::from_secs(200);

/// A request that waits for its answer, or has it and takes retransmissions of it.
pub struct Client {
    branch: String,
    method: String,
    pub request: String,
    to: SocketAddr,
    interval: Duration,
    resend_at: Option<Instant>,
    ends_at: Instant,
    is_final: bool,
    pub has_provisional: bool,
    /// The call that it belongs to; none for REGISTER.
    call: Option<usize>,
}

/// A request that came, with what was answered last.
pub struct Server {
    branch: String,
    method: String,
    pub request: String,
    from: SocketAddr,
    response: String,
    interval: Duration,
    resend_at: Option<Instant>,
    ends_at: Instant,
    call: Option<usize>,
}

pub struct Agent {
    pub user: String,
    pub address: Ipv4Addr,
    pub media_address: Ipv4Addr,
    /// Where a phone sends everything; none for the provider.
    pub proxy: Option<SocketAddr>,
    pub stack: Stack,
    sip: SocketHandle,
    pub random: Random,
    pub plans: Vec<Plan>,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    pub calls: Vec<Call>,
    pub outcomes: BTreeMap<usize, Outcome>,
    pub registration: Option<Registration>,
    pub bindings: Option<BTreeMap<String, Binding>>,
    pub next_port: u16,
    pub violations: Vec<String>,
    pub now: Instant,
}

impl Agent {
    /// A phone behind `proxy`.
    pub fn phone(
        user: &str,
        address: Ipv4Addr,
        proxy: SocketAddr,
        plans: &[Plan],
        random: Random,
        now: Instant,
    ) -> Self {
        let mut agent = Self::new(user, address, address, plans, random, now);
        agent.proxy = Some(proxy);
        let call_id = format!("{:x}@{address}", agent.random.next());
        agent.registration = Some(Registration::new(call_id, now));
        agent
    }

    /// The provider: a registrar, whose media is at another address.
    pub fn provider(
        user: &str,
        address: Ipv4Addr,
        media: Ipv4Addr,
        plans: &[Plan],
        random: Random,
        now: Instant,
    ) -> Self {
        let mut agent = Self::new(user, address, media, plans, random, now);
        agent.bindings = Some(BTreeMap::new());
        agent
    }

    fn new(user: &str, address: Ipv4Addr, media: Ipv4Addr, plans: &[Plan], random: Random, now: Instant) -> Self {
        let mut addresses = vec![address, media];
        addresses.dedup();
        let mut stack = Stack::new(&addresses);
        let sip = stack.bind(Some(address), 5060);
        Self {
            user: user.to_owned(),
            address,
            media_address: media,
            proxy: None,
            stack,
            sip,
            random,
            plans: plans.to_vec(),
            clients: Vec::new(),
            servers: Vec::new(),
            calls: Vec::new(),
            outcomes: BTreeMap::new(),
            registration: None,
            bindings: None,
            next_port: 4000,
            violations: Vec::new(),
            now,
        }
    }

    pub fn contact(&self) -> String {
        format!("sip:{}@{}:5060;line=7", self.user, self.address)
    }

    pub fn violation(&mut self, what: &str, message: &str) {
        self.violations.push(format!("{} at {}: {what}\n{message}", self.user, self.now.as_millis()));
    }

    pub fn turn(&mut self, now: Instant) {
        self.now = now;
        self.stack.poll(now);
        while let Some((bytes, from)) = self.stack.receive(self.sip) {
            if bytes != b"\r\n\r\n" && bytes != b"\r\n" {
                self.take(&String::from_utf8(bytes).unwrap(), from);
            }
        }
        self.retransmit();
        self.run_registration();
        self.run_calls();
        self.stack.poll(now);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let clients = self.clients.iter().flat_map(|c| [c.resend_at, Some(c.ends_at)]);
        let servers = self.servers.iter().flat_map(|s| [s.resend_at, Some(s.ends_at)]);
        let registration = self.registration.iter().map(Registration::next_timeout);
        let calls = self.calls.iter().map(Call::next_timeout);
        clients.chain(servers).chain(registration).chain(calls).flatten().min()
    }

    /// Sends a request in a new transaction. `lines` have all but Via, Max-Forwards and CSeq.
    pub fn request(
        &mut self,
        method: &str,
        number: u32,
        uri: &str,
        lines: &str,
        body: &str,
        call: Option<usize>,
    ) -> usize {
        let branch = format!("z9hG4bK{:016x}", self.random.next());
        let to = self.proxy.unwrap_or_else(|| host_of(uri));
        let lines = format!(
            "Via: SIP/2.0/UDP {}:5060;branch={branch};rport\r\nMax-Forwards: 70\r\nCSeq: {number} {method}\r\n{lines}",
            self.address
        );
        let request = text::message(&format!("{method} {uri} SIP/2.0"), &lines, body);
        self.stack.send(self.sip, to, request.as_bytes());
        self.clients.push(Client {
            branch,
            method: method.to_owned(),
            request,
            to,
            interval: T1,
            resend_at: Some(self.now.after(T1)),
            ends_at: self.now.after(TIMER_B),
            is_final: false,
            has_provisional: false,
            call,
        });
        self.clients.len() - 1
    }

    /// Sends what has no transaction of its own: the ACK of a 2xx, and CANCEL and ACK with their INVITE's branch.
    pub fn send_to_next_hop(&mut self, uri: &str, message: &str) {
        let to = self.proxy.unwrap_or_else(|| host_of(uri));
        self.stack.send(self.sip, to, message.as_bytes());
    }

    /// A request with the same branch and target as `invite` (RFC 3261 §9.1, §17.1.1.3); `to` is the To of the answer.
    fn of_invite(invite: &str, method: &str, to: &str) -> String {
        let uri = invite.split(' ').nth(1).unwrap();
        let number = text::header(invite, "CSeq").split(' ').next().unwrap();
        let mut lines = format!("Via: {}\r\nMax-Forwards: 70\r\n", text::header(invite, "Via"));
        for route in text::headers(invite, "Route") {
            lines.push_str(&format!("Route: {route}\r\n"));
        }
        let (from, call_id) = (text::header(invite, "From"), text::header(invite, "Call-ID"));
        lines.push_str(&format!("From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n"));
        text::message(&format!("{method} {uri} SIP/2.0"), &lines, "")
    }

    /// Cancels the INVITE of a call, if it may be: after a provisional response and before a final one.
    pub fn cancel(&mut self, call: usize) -> bool {
        let invite = self
            .clients
            .iter()
            .position(|c| c.call == Some(call) && c.method == "INVITE" && c.has_provisional && !c.is_final);
        let Some(at) = invite else { return false };
        let invite = &mut self.clients[at];
        let request = Self::of_invite(&invite.request, "CANCEL", text::header(&invite.request, "To"));
        // RFC 3261 §9.1: without a final response 64 × T1 after the CANCEL the INVITE counts as cancelled.
        invite.ends_at = self.now.after(TIMER_B);
        let (branch, to) = (invite.branch.clone(), invite.to);
        self.stack.send(self.sip, to, request.as_bytes());
        self.clients.push(Client {
            branch,
            method: "CANCEL".to_owned(),
            request,
            to,
            interval: T1,
            resend_at: Some(self.now.after(T1)),
            ends_at: self.now.after(TIMER_B),
            is_final: false,
            has_provisional: false,
            call: Some(call),
        });
        true
    }

    /// Answers the request of server transaction `at`. A final answer to INVITE is sent again until its ACK comes.
    pub fn respond(&mut self, at: usize, status: &str, to_tag: &str, more: &str, body: &str) {
        let now = self.now;
        let server = &mut self.servers[at];
        server.response = text::answer(&server.request, status, to_tag, more, body);
        if server.method == "INVITE" && !status.starts_with('1') {
            server.interval = T1;
            server.resend_at = Some(now.after(T1));
            server.ends_at = now.after(TIMER_B);
        }
        self.stack.send(self.sip, server.from, server.response.as_bytes());
    }

    /// The INVITE of a call that waits for its answer.
    pub fn invite_server(&self, call: usize) -> Option<usize> {
        self.servers.iter().rposition(|s| s.call == Some(call) && s.method == "INVITE")
    }

    fn retransmit(&mut self) {
        let now = self.now;
        for client in &mut self.clients {
            if client.resend_at.is_some_and(|at| at <= now) {
                client.interval *= 2;
                if client.method != "INVITE" {
                    client.interval = client.interval.min(T2);
                }
                client.resend_at = Some(now.after(client.interval));
                self.stack.send(self.sip, client.to, client.request.as_bytes());
            }
        }
        for server in &mut self.servers {
            if server.resend_at.is_some_and(|at| at <= now) {
                server.interval = (server.interval * 2).min(T2);
                server.resend_at = Some(now.after(server.interval));
                self.stack.send(self.sip, server.from, server.response.as_bytes());
            }
        }
        while let Some(at) = self.clients.iter().position(|c| c.ends_at <= now) {
            let client = self.clients.swap_remove(at);
            if !client.is_final {
                self.answered(&client, 408, "");
            }
        }
        while let Some(at) = self.servers.iter().position(|s| s.ends_at <= now) {
            let server = self.servers.swap_remove(at);
            if let (Some(call), true) = (server.call, server.resend_at.is_some()) {
                self.not_acknowledged(call);
            }
        }
    }

    fn take(&mut self, message: &str, from: SocketAddr) {
        if text::header(message, "Content-Length") != text::body(message).len().to_string() {
            self.violation("Content-Length is wrong", message);
        }
        if self.proxy.is_none() && text::status(message).is_none() && text::headers(message, "Via").len() != 1 {
            self.violation("a request shows more than the router's Via", message);
        }
        match text::status(message) {
            Some(status) => self.take_response(message, status),
            None => self.take_request(message, from),
        }
    }

    fn take_response(&mut self, message: &str, status: u16) {
        let vias = text::headers(message, "Via");
        let branch = vias.first().map_or("", |via| text::param(via, ";branch="));
        let method = text::method(message);
        let Some(at) = self.clients.iter().position(|c| c.branch == branch && c.method == method) else { return };
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
        let is_invite = client.method == "INVITE";
        if status < 200 {
            if !client.is_final {
                client.has_provisional = true;
                if is_invite && client.resend_at.take().is_some() {
                    client.ends_at = self.now.after(TIMER_C);
                }
                if let Some(call) = client.call.filter(|_| status > 100) {
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
            let to = client.to;
            self.stack.send(self.sip, to, ack.as_bytes());
        }
        let call = client.call;
        if is_first {
            let client = self.clients.swap_remove(at);
            self.answered(&client, status, message);
            self.clients.push(client);
        } else if let (Some(call), true) = (call, is_invite && status < 300) {
            self.acknowledge(call, message);
        }
    }

    /// The final response to a request of ours; 408 with no message where none came.
    fn answered(&mut self, client: &Client, status: u16, message: &str) {
        match client.call {
            Some(call) => self.call_answered(call, &client.method, status, message),
            None => self.registered(status, message),
        }
    }

    fn take_request(&mut self, message: &str, from: SocketAddr) {
        let method = text::method(message).to_owned();
        let call_id = text::header(message, "Call-ID");
        let number = text::header(message, "CSeq").split(' ').next().unwrap();
        if method == "ACK" {
            let is_it = |s: &Server| {
                s.method == "INVITE"
                    && text::header(&s.request, "Call-ID") == call_id
                    && text::header(&s.request, "CSeq").split(' ').next() == Some(number)
            };
            if let Some(server) = self.servers.iter_mut().find(|s| is_it(s)) {
                server.resend_at = None;
                if let (Some(call), Some(200..300)) = (server.call, text::status(&server.response)) {
                    self.acknowledged(call, message);
                }
            }
            return;
        }
        let branch = text::param(text::header(message, "Via"), ";branch=").to_owned();
        if let Some(server) = self.servers.iter().find(|s| s.branch == branch && s.method == method) {
            if !server.response.is_empty() {
                self.stack.send(self.sip, server.from, server.response.as_bytes());
            }
            return;
        }
        self.servers.push(Server {
            branch,
            method: method.clone(),
            request: message.to_owned(),
            from,
            response: String::new(),
            interval: T1,
            resend_at: None,
            ends_at: self.now.after(if method == "INVITE" { TIMER_C } else { TIMER_B }),
            call: None,
        });
        let at = self.servers.len() - 1;
        match method.as_str() {
            "REGISTER" => self.take_register(at),
            "INVITE" if !text::header(message, "To").contains(";tag=") => {
                let call = self.called(message);
                self.servers[at].call = Some(call);
                self.ring(at, call);
            }
            _ => match self.call_of(message) {
                Some(call) => {
                    self.servers[at].call = Some(call);
                    self.take_in_call(at, call, &method);
                }
                None => self.respond(at, "481 Call/Transaction Does Not Exist", "none", "", ""),
            },
        }
    }
}

/// The host and port of a SIP URI with an address.
pub fn host_of(uri: &str) -> SocketAddr {
    let host = uri.trim_start_matches("sip:").split('@').next_back().unwrap().split(';').next().unwrap();
    let full = if host.contains(':') { host.to_owned() } else { format!("{host}:5060") };
    full.parse().unwrap_or_else(|_| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1))
}
