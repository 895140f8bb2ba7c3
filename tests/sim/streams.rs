//! SIP over TCP at one host: its connections, each with the messages that come over it.
//!
//! The router's connections are numbered as those of the real edge, an index and a generation, and its limits hold; the other
//! hosts use the same.

use crate::net::Stack;
use core::net::SocketAddr;
use siproxd::engine::ConnId;
use siproxd::sip::framing::{Frame, Framer, PING};
use siproxd::table::Handle;
use siproxd::time::{Duration, Instant};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;
use std::collections::BTreeMap;

/// Connections that can be asked for at one moment and are not refused.
const BACKLOG: usize = 4;

/// What happened to a connection.
#[derive(Debug)]
pub enum Event {
    /// Somebody has connected to the stack of this number.
    Accepted(usize, SocketAddr),
    /// A connection of ours is open.
    Opened,
    /// A connection of ours was refused, or took too long.
    Failed,
    /// It is gone, by the peer.
    Closed,
    /// A message, or a ping.
    Message(Vec<u8>),
}

struct Stream {
    generation: u16,
    place: usize,
    socket: SocketHandle,
    peer: SocketAddr,
    is_open: bool,
    framer: Framer,
    held: Vec<u8>,
    queue: Vec<u8>,
    used: Instant,
}

/// The listeners and connections of a host, over one stack or two.
pub struct Streams {
    port: u16,
    connect_timeout: Duration,
    listeners: Vec<(usize, SocketHandle)>,
    list: BTreeMap<u16, Stream>,
    generations: BTreeMap<u16, u16>,
    /// Sockets whose end is not yet on the wire, or not yet acknowledged.
    ending: Vec<(usize, SocketHandle)>,
}

impl Streams {
    pub fn new(port: u16, connect_timeout: Duration) -> Self {
        Self {
            port,
            connect_timeout,
            listeners: Vec::new(),
            list: BTreeMap::new(),
            generations: BTreeMap::new(),
            ending: Vec::new(),
        }
    }

    /// Takes connections, on every stack that has an address, or refuses them.
    pub fn set_listening(&mut self, stacks: &mut [Stack], is_wanted: bool) {
        for (place, socket) in core::mem::take(&mut self.listeners) {
            stacks[place].close(socket);
        }
        if is_wanted {
            for (place, stack) in stacks.iter_mut().enumerate() {
                self.listeners.extend((0..BACKLOG).map(|_| (place, stack.listen(self.port))));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Sockets that end and are not gone yet.
    pub fn ending(&self) -> usize {
        self.ending.len()
    }

    pub fn listening(&self) -> usize {
        self.listeners.len()
    }

    pub fn ids(&self) -> Vec<ConnId> {
        self.list.iter().map(|(index, stream)| Handle::from_parts(*index, stream.generation)).collect()
    }

    fn get(&self, id: ConnId) -> Option<&Stream> {
        self.list.get(&(id.index() as u16)).filter(|stream| stream.generation == id.generation())
    }

    fn get_mut(&mut self, id: ConnId) -> Option<&mut Stream> {
        self.list.get_mut(&(id.index() as u16)).filter(|stream| stream.generation == id.generation())
    }

    pub fn peer(&self, id: ConnId) -> Option<SocketAddr> {
        self.get(id).map(|stream| stream.peer)
    }

    /// The stack that a connection is on.
    pub fn place(&self, id: ConnId) -> Option<usize> {
        self.get(id).map(|stream| stream.place)
    }

    /// The connection that was idle longest of some.
    pub fn oldest(&self, is_one: impl Fn(SocketAddr) -> bool) -> Option<ConnId> {
        self.ids()
            .into_iter()
            .filter(|id| self.peer(*id).is_some_and(&is_one))
            .min_by_key(|id| self.get(*id).map(|s| s.used))
    }

    /// A connection with a peer; of several the latest.
    pub fn find(&self, is_wanted: impl Fn(SocketAddr) -> bool) -> Option<ConnId> {
        let found = self.list.iter().filter(|(_, stream)| is_wanted(stream.peer)).max_by_key(|(_, stream)| stream.used);
        found.map(|(index, stream)| Handle::from_parts(*index, stream.generation))
    }

    fn add(&mut self, place: usize, socket: SocketHandle, peer: SocketAddr, is_open: bool, now: Instant) -> ConnId {
        let index = (0..).find(|index| !self.list.contains_key(index)).unwrap();
        let generation = self.generations.entry(index).or_default();
        *generation += 1;
        let generation = *generation;
        let (framer, held, queue) = (Framer::new(), Vec::new(), Vec::new());
        self.list.insert(index, Stream { generation, place, socket, peer, is_open, framer, held, queue, used: now });
        Handle::from_parts(index, generation)
    }

    pub fn connect(&mut self, stacks: &mut [Stack], place: usize, to: SocketAddr, now: Instant) -> Option<ConnId> {
        let from = stacks[place].address()?;
        let socket = stacks[place].connect(from, to)?;
        Some(self.add(place, socket, to, false, now))
    }

    /// Sends, or queues until the connection is open; `false` where there is no such connection.
    pub fn send(&mut self, stacks: &mut [Stack], id: ConnId, bytes: &[u8], now: Instant) -> bool {
        let Some(stream) = self.get_mut(id) else { return false };
        stream.used = now;
        stream.queue.extend_from_slice(bytes);
        stream.flush(stacks);
        true
    }

    /// Ends a connection in good order.
    pub fn close(&mut self, stacks: &mut [Stack], id: ConnId) {
        self.end(stacks, id, false);
    }

    /// Ends a connection with a RST.
    pub fn abort(&mut self, stacks: &mut [Stack], id: ConnId) {
        self.end(stacks, id, true);
    }

    fn end(&mut self, stacks: &mut [Stack], id: ConnId, is_rude: bool) {
        if self.get(id).is_none() {
            return;
        }
        let Some(stream) = self.list.remove(&(id.index() as u16)) else { return };
        let socket = stacks[stream.place].stream(stream.socket);
        if is_rude || !stream.is_open {
            socket.abort();
        } else {
            socket.close();
        }
        self.ending.push((stream.place, stream.socket));
    }

    /// Connections that have carried nothing for `time`.
    pub fn idle(&self, time: Duration, now: Instant) -> Vec<ConnId> {
        self.ids()
            .into_iter()
            .filter(|id| self.get(*id).is_some_and(|s| s.is_open && s.used.after(time) <= now))
            .collect()
    }

    pub fn touch(&mut self, id: ConnId, now: Instant) {
        if let Some(stream) = self.get_mut(id) {
            stream.used = now;
        }
    }

    /// When a connection has taken too long to open, or to be used again.
    pub fn next_timeout(&self, idle: Option<Duration>) -> Option<Instant> {
        let due = |s: &Stream| {
            if s.is_open { idle.map(|idle| s.used.after(idle)) } else { Some(s.used.after(self.connect_timeout)) }
        };
        self.list.values().filter_map(due).min()
    }

    /// Takes what happened since, in the order of connections. The stacks were polled just before.
    pub fn poll(&mut self, stacks: &mut [Stack], now: Instant) -> Vec<(ConnId, Event)> {
        let mut events = Vec::new();
        for at in 0..self.listeners.len() {
            let (place, socket) = self.listeners[at];
            let state = stacks[place].stream(socket).state();
            if matches!(state, State::Listen | State::SynReceived) {
                continue;
            }
            self.listeners[at].1 = stacks[place].listen(self.port);
            let Some(peer) = stacks[place].stream(socket).remote_endpoint() else {
                stacks[place].close(socket);
                continue;
            };
            let smoltcp::wire::IpAddress::Ipv4(ip) = peer.addr;
            let peer = SocketAddr::new(ip.into(), peer.port);
            events.push((self.add(place, socket, peer, true, now), Event::Accepted(place, peer)));
        }
        for id in self.ids() {
            self.poll_one(stacks, id, now, &mut events);
        }
        events
    }

    /// Forgets the sockets that have ended. The stacks were polled just before.
    pub fn sweep(&mut self, stacks: &mut [Stack]) {
        self.ending.retain(|(place, socket)| {
            let stream = stacks[*place].stream(*socket);
            // What nobody will read is thrown away, so that the end comes.
            let _ = stream.recv(|bytes| (bytes.len(), ()));
            let is_over = stream.state() == State::Closed;
            if is_over {
                stacks[*place].close(*socket);
            }
            !is_over
        });
    }

    fn poll_one(&mut self, stacks: &mut [Stack], id: ConnId, now: Instant, events: &mut Vec<(ConnId, Event)>) {
        let connect_timeout = self.connect_timeout;
        let Some(stream) = self.get_mut(id) else { return };
        let socket = stacks[stream.place].stream(stream.socket);
        if !stream.is_open && socket.may_send() {
            stream.is_open = true;
            stream.used = now;
            events.push((id, Event::Opened));
        }
        let socket = stacks[stream.place].stream(stream.socket);
        while socket.can_recv() {
            let _ = socket.recv(|bytes| {
                stream.held.extend_from_slice(bytes);
                (bytes.len(), ())
            });
        }
        let (may_recv, is_active) = (socket.may_recv(), socket.is_active());
        let mut is_readable = true;
        loop {
            let (length, bytes) = match stream.framer.next(&stream.held) {
                Ok(Frame::Message(length)) => (length, stream.held[..length].to_vec()),
                Ok(Frame::Ping(length)) => (length, PING.to_vec()),
                Ok(Frame::Blank(length)) => (length, Vec::new()),
                Ok(Frame::Partial) => break,
                Err(_) => {
                    is_readable = false;
                    break;
                }
            };
            stream.held.drain(..length);
            if !bytes.is_empty() {
                stream.used = now;
                events.push((id, Event::Message(bytes)));
            }
        }
        stream.flush(stacks);
        let is_late = !stream.is_open && stream.used.after(connect_timeout) <= now;
        if !is_active || is_late || !is_readable || (stream.is_open && !may_recv) {
            let event = if stream.is_open { Event::Closed } else { Event::Failed };
            events.push((id, event));
            self.end(stacks, id, is_late || !is_readable);
        }
    }
}

impl Stream {
    fn flush(&mut self, stacks: &mut [Stack]) {
        if self.is_open {
            let taken = stacks[self.place].stream(self.socket).send_slice(&self.queue).unwrap_or(0);
            self.queue.drain(..taken);
        }
    }
}
