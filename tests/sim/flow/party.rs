//! A party of a flow: a SIP user agent over UDP or TCP, its transactions with the timers of RFC 3261 §17.
//!
//! Phones and the provider are the same; the provider is a registrar and a proxy besides (see [`super::provider`]). What is said in
//! a call is in [`super::dialog`].

mod received;
mod retransmission;

use super::account::Account;
use super::dialog::Call;
use super::draw::{Draw, Plan, Who};
use super::provider::Registrar;
use crate::agent::host_of;
use crate::net::{Random, Stack};
use crate::rig::text;
use crate::streams::{Event, Streams};
use core::net::{Ipv4Addr, SocketAddr};
use siproxd::engine::ConnId;
use siproxd::time::{Duration, Instant};
use smoltcp::iface::SocketHandle;
use std::rc::Rc;

/// RFC 3261 §17.1.1.1.
pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
/// Timers B, F, H and J: 64 × T1.
pub const TIMER_B: Duration = Duration::from_secs(32);
/// Timer C of a caller. The router's comes before it.
const TIMER_C: Duration = Duration::from_secs(240);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The way that a message came, and its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Udp(SocketAddr),
    Tcp(ConnId),
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The account of this number.
    Account(usize),
    /// The call of this number.
    Call(usize),
    /// Outside of all calls.
    Nobody,
}

/// A request that waits for its answer, or has it and takes retransmissions of it.
pub struct Client {
    pub branch: String,
    pub method: String,
    pub request: String,
    pub way: Way,
    pub to: SocketAddr,
    interval: Duration,
    resend_at: Option<Instant>,
    pub ends_at: Instant,
    pub is_final: bool,
    pub has_provisional: bool,
    pub owner: Owner,
}

/// A request that came, with what was answered last.
pub struct Server {
    pub branch: String,
    pub method: String,
    pub request: String,
    pub way: Way,
    pub response: String,
    interval: Duration,
    pub resend_at: Option<Instant>,
    pub ends_at: Instant,
    pub call: Option<usize>,
}

impl Server {
    pub fn is_answered(&self) -> bool {
        text::status(&self.response).is_some_and(|status| status >= 200)
    }
}

pub struct Party {
    pub who: Who,
    pub user: String,
    pub address: Ipv4Addr,
    pub media_address: Ipv4Addr,
    /// Where a phone sends everything; none for the provider.
    pub proxy: Option<SocketAddr>,
    pub is_tcp: bool,
    pub stack: Stack,
    pub udp: SocketHandle,
    pub streams: Streams,
    pub random: Random,
    pub draw: Rc<Draw>,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    pub calls: Vec<Call>,
    pub accounts: Vec<Account>,
    pub registrar: Option<Registrar>,
    pub next_port: u16,
    pub violations: Vec<String>,
    /// Whether the way to the router is so good that each request must get an answer.
    pub expects_answers: bool,
    /// Answers to MESSAGE and OPTIONS outside of calls.
    pub answers: Vec<u16>,
    pub now: Instant,
}

impl Party {
    pub fn new(who: Who, user: &str, address: Ipv4Addr, media: Ipv4Addr, draw: &Rc<Draw>, now: Instant) -> Self {
        let mut addresses = vec![address, media];
        addresses.dedup();
        let mut stack = Stack::new(&addresses);
        let udp = stack.bind(Some(address), 5060);
        let number = match who {
            Who::Phone(number) => number as u64,
            Who::Provider => 99,
        };
        Self {
            who,
            user: user.to_owned(),
            address,
            media_address: media,
            proxy: None,
            is_tcp: false,
            stack,
            udp,
            streams: Streams::new(5060, CONNECT_TIMEOUT),
            random: Random::new(draw.seed.wrapping_mul(101) ^ number),
            draw: draw.clone(),
            clients: Vec::new(),
            servers: Vec::new(),
            calls: Vec::new(),
            accounts: Vec::new(),
            registrar: None,
            next_port: 4000,
            violations: Vec::new(),
            expects_answers: false,
            answers: Vec::new(),
            now,
        }
    }

    pub fn set_listening(&mut self, is_wanted: bool) {
        self.streams.set_listening(core::slice::from_mut(&mut self.stack), is_wanted);
        if !is_wanted {
            let stacks = core::slice::from_mut(&mut self.stack);
            self.streams.ids().into_iter().for_each(|id| self.streams.abort(stacks, id));
        }
    }

    pub fn plan(&self, number: usize) -> Plan {
        self.draw.plans[number].clone()
    }

    pub fn contact(&self) -> String {
        let transport = if self.is_tcp { ";transport=tcp" } else { "" };
        format!("sip:{}@{}:5060;line=7{transport}", self.user, self.address)
    }

    /// The time after so many milliseconds.
    pub fn after(&self, millis: u64) -> Instant {
        Instant::from_millis(self.now.as_millis() + millis)
    }

    pub fn violation(&mut self, what: &str, message: &str) {
        self.violations.push(format!("{} at {}: {what}\n{message}", self.user, self.now.as_millis()));
    }

    pub fn turn(&mut self, now: Instant) {
        self.now = now;
        self.stack.poll(now);
        while let Some((bytes, from)) = self.stack.receive(self.udp) {
            self.arrived(bytes, Way::Udp(from));
        }
        let events = self.streams.poll(core::slice::from_mut(&mut self.stack), now);
        for (id, event) in events {
            if let Event::Message(bytes) = event {
                self.arrived(bytes, Way::Tcp(id));
            }
        }
        self.retransmit();
        self.run_accounts();
        self.run_calls();
        self.stack.poll(now);
        self.streams.sweep(core::slice::from_mut(&mut self.stack));
    }

    fn arrived(&mut self, bytes: Vec<u8>, way: Way) {
        if bytes != b"\r\n\r\n" && bytes != b"\r\n" {
            self.take(&String::from_utf8(bytes).unwrap(), way);
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        let clients = self.clients.iter().flat_map(|c| [c.resend_at, Some(c.ends_at)]);
        let servers = self.servers.iter().flat_map(|s| [s.resend_at, Some(s.ends_at)]);
        let accounts = self.accounts.iter().map(|a| a.at);
        let calls = self.calls.iter().map(Call::next_timeout);
        let own = clients.chain(servers).chain(accounts).chain(calls);
        own.chain([self.stack.next_timeout(), self.streams.next_timeout(None)]).flatten().min()
    }

    /// Sends to a next hop over TCP or UDP, and says which way that was.
    pub fn send_to(&mut self, to: SocketAddr, is_tcp: bool, message: &str) -> Option<Way> {
        if !is_tcp {
            self.stack.send(self.udp, to, message.as_bytes());
            return Some(Way::Udp(to));
        }
        let reuses = self.proxy.is_some() || self.draw.reuses;
        let of_peer = self.streams.find(|peer| peer == to || reuses && peer.ip() == to.ip());
        let stacks = core::slice::from_mut(&mut self.stack);
        let id = of_peer.or_else(|| self.streams.connect(stacks, 0, to, self.now))?;
        self.streams.send(stacks, id, message.as_bytes(), self.now).then_some(Way::Tcp(id))
    }

    /// The next hop of a request, and whether it is on TCP.
    pub fn next_hop(&self, uri: &str, lines: &str) -> (SocketAddr, bool) {
        if let Some(proxy) = self.proxy {
            return (proxy, self.is_tcp);
        }
        let routes = text::headers(lines, "Route");
        let uri = routes.first().map_or(uri, |route| text::uri(route));
        (host_of(uri), uri.contains("transport=tcp"))
    }

    pub fn via(&self, is_tcp: bool, branch: &str) -> String {
        let transport = if is_tcp { "TCP" } else { "UDP" };
        format!("Via: SIP/2.0/{transport} {}:5060;branch={branch};rport\r\n", self.address)
    }

    pub fn new_branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.random.next())
    }

    /// Sends a request in a new transaction. `lines` have all but Via, Max-Forwards and CSeq.
    pub fn request(&mut self, method: &str, number: u32, uri: &str, lines: &str, body: &str, owner: Owner) -> usize {
        let branch = self.new_branch();
        let (to, is_tcp) = self.next_hop(uri, &format!("\r\n{lines}"));
        let via = self.via(is_tcp, &branch);
        let lines = format!("{via}Max-Forwards: 70\r\nCSeq: {number} {method}\r\n{lines}");
        let request = text::message(&format!("{method} {uri} SIP/2.0"), &lines, body);
        let way = self.send_to(to, is_tcp, &request).unwrap_or(Way::Udp(to));
        self.add_client(branch, method, request, way, to, owner)
    }

    fn add_client(
        &mut self,
        branch: String,
        method: &str,
        request: String,
        way: Way,
        to: SocketAddr,
        owner: Owner,
    ) -> usize {
        self.clients.push(Client {
            branch,
            method: method.to_owned(),
            request,
            way,
            to,
            interval: T1,
            resend_at: matches!(way, Way::Udp(_)).then(|| self.now.after(T1)),
            ends_at: self.now.after(TIMER_B),
            is_final: false,
            has_provisional: false,
            owner,
        });
        self.clients.len() - 1
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

    /// The INVITE of a call that has no final response.
    pub fn invite_client(&self, call: usize) -> Option<usize> {
        self.clients.iter().position(|c| c.owner == Owner::Call(call) && c.method == "INVITE" && !c.is_final)
    }

    /// Cancels the INVITE of a call, if it may be: after a provisional response and before a final one.
    pub fn cancel(&mut self, call: usize) -> bool {
        let Some(at) = self.invite_client(call).filter(|at| self.clients[*at].has_provisional) else { return false };
        let invite = &mut self.clients[at];
        let request = Self::of_invite(&invite.request, "CANCEL", text::header(&invite.request, "To"));
        // RFC 3261 §9.1: without a final response 64 × T1 after the CANCEL the INVITE counts as cancelled.
        invite.ends_at = self.now.after(TIMER_B);
        let (branch, to, way) = (invite.branch.clone(), invite.to, invite.way);
        let way = self.send_to(to, matches!(way, Way::Tcp(_)), &request).unwrap_or(way);
        self.add_client(branch, "CANCEL", request, way, to, Owner::Call(call));
        true
    }

    /// Answers the request of server transaction `at`. A final answer to INVITE is sent again until its ACK comes: a 2xx by any
    /// transport, another one over UDP.
    pub fn respond(&mut self, at: usize, status: &str, to_tag: &str, more: &str, body: &str) {
        let now = self.now;
        let server = &mut self.servers[at];
        server.response = text::answer(&server.request, status, to_tag, more, body);
        if server.method == "INVITE" && !status.starts_with('1') {
            server.interval = T1;
            let is_repeated = status.starts_with('2') || matches!(server.way, Way::Udp(_));
            server.resend_at = is_repeated.then(|| now.after(T1));
            server.ends_at = now.after(TIMER_B);
        }
        self.send_response(at);
    }

    /// Lets a provisional response be sent again until it is acknowledged (RFC 3262 §3).
    pub fn repeat_reliably(&mut self, at: usize) {
        self.servers[at].interval = T1;
        self.servers[at].resend_at = Some(self.now.after(T1));
    }

    fn send_response(&mut self, at: usize) {
        let Server { way, response, .. } = &self.servers[at];
        let (way, response) = (*way, response.clone());
        if let Some(new) = self.send_back(way, &response) {
            self.servers[at].way = new;
        }
    }

    /// Sends a response the way that its request came; where a connection is gone, over another (RFC 3261 §18.2.2).
    pub fn send_back(&mut self, way: Way, response: &str) -> Option<Way> {
        match way {
            Way::Udp(to) => {
                self.stack.send(self.udp, to, response.as_bytes());
                Some(way)
            }
            Way::Tcp(id) => {
                let stacks = core::slice::from_mut(&mut self.stack);
                if self.streams.send(stacks, id, response.as_bytes(), self.now) {
                    return Some(way);
                }
                let via = text::header(response, "Via");
                let sent_by = via.split([' ', ';']).nth(1)?.parse().ok()?;
                self.send_to(sent_by, true, response)
            }
        }
    }

    /// The INVITE that a call was made by, or a later one that is not answered yet.
    pub fn invite_server(&self, call: usize) -> Option<usize> {
        self.servers.iter().rposition(|s| s.call == Some(call) && s.method == "INVITE")
    }
}
