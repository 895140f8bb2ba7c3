//! TCP connections: whose they are, and which one a message takes (RFC 3261 §18).
//!
//! ```text
//!   accepted from a stranger ──▶ on trial ──a message with our token──▶ known
//!                                   └──5 s──▶ closed
//!   accepted from others, opened by us ──▶ known ──▶ gone
//! ```
//! An answer takes the connection of its request; only where that is gone, one is opened to where the Via says (RFC 3261 §18.2.2).
//! A request takes the connection that there is with its next hop. A phone connects from a port that it does not listen on, so
//! that its connection is found by the Contact it sent over it as well.

use super::Engine;
use super::cause::Cause;
use super::contact::Place;
use super::guard::Origin;
use super::io::{Channel, ConnEvent, ConnId, SendError, Side, Sink};
use super::message::{Provenance, Received};
use crate::host::Host;
use crate::limits::{MAX_CONNECTIONS, MAX_STRANGER_CONNECTIONS};
use crate::log_class as class;
use crate::sip::HeaderId;
use crate::sip::addr::NameAddr;
use crate::sip::uri::Uri;
use crate::sip::via::Transport;
use crate::time::Instant;
use core::net::SocketAddr;

/// Seconds in which a stranger's connection has to bring a message with a token of ours.
const TRIAL_SECS: u32 = 5;

/// Connections on trial from one address.
const TRIALS_OF_ONE: usize = 2;

#[derive(Debug)]
struct Connection {
    id: ConnId,
    /// Our address it is bound to, and the network it leads into.
    local: Side,
    interface: Side,
    remote: SocketAddr,
    /// Where the peer connected to, if not to us.
    meant_for: Option<SocketAddr>,
    /// Where the phone at the other end takes requests, as its Contact says.
    contact: Option<SocketAddr>,
    is_open: bool,
    /// Of a stranger: when it is closed.
    trial_ends: Option<Instant>,
}

/// The connections that the edge has. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Connections {
    list: heapless::Vec<Connection, { MAX_CONNECTIONS + 1 }>,
}

impl Connections {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn get(&self, id: ConnId) -> Option<&Connection> {
        self.list.iter().find(|c| c.id == id)
    }

    fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.list.iter_mut().find(|c| c.id == id)
    }

    fn add(&mut self, connection: Connection) {
        // The edge has given the place to a new connection: the old one is gone.
        self.list.retain(|c| c.id.index() != connection.id.index());
        // As many places as the edge has.
        let _ = self.list.push(connection);
    }

    fn remove(&mut self, id: ConnId) {
        self.list.retain(|c| c.id != id);
    }

    /// The connection with a peer that is there, or that takes requests there.
    pub(super) fn find(&self, to: SocketAddr) -> Option<Channel> {
        let known = |c: &&Connection| c.trial_ends.is_none();
        let of_peer = self.list.iter().filter(known).find(|c| c.remote == to);
        let found = of_peer.or_else(|| self.list.iter().filter(known).find(|c| c.contact == Some(to)));
        found.map(|c| Channel::tcp(c.local, c.id))
    }

    /// The open connection with a peer.
    pub(super) fn find_open(&self, to: SocketAddr) -> Option<Channel> {
        self.find(to).filter(|channel| self.is_open(*channel))
    }

    /// Whether a channel is ready to carry: the socket, or an open connection.
    pub(super) fn is_open(&self, channel: Channel) -> bool {
        channel.conn.is_none_or(|id| self.get(id).is_some_and(|c| c.is_open))
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.list.iter().filter_map(|c| c.trial_ends).min()
    }

    /// Closes the connections of strangers that have not proved themselves.
    pub(super) fn timeout(&mut self, now: Instant, out: &mut dyn Sink) {
        self.list.retain(|c| {
            let ends = c.trial_ends.is_some_and(|at| at <= now);
            if ends {
                log::debug!(target: class::ACL, "connection of stranger {} closed", c.remote);
                out.disconnect(c.id);
            }
            !ends
        });
    }
}

impl Engine {
    /// Whether a connection, idle for whatever time, is what calls for a registered phone come by: the phone's own, or that with its
    /// registrar.
    #[must_use]
    pub fn is_in_use(&self, conn: ConnId) -> bool {
        let Some(c) = self.connections.get(conn) else { return false };
        let is_of = |place: &Place| {
            place.transport == Transport::Tcp && (place.address == c.remote || c.contact == Some(place.address))
        };
        self.bindings.iter().any(|(_, b)| b.valid && (b.registrar == Some(c.remote) || is_of(&b.place)))
    }

    /// Takes a message, or a ping, that came over a connection.
    pub(super) fn stream(&mut self, conn: ConnId, bytes: &mut [u8], now: Instant, out: &mut dyn Sink) {
        if let Some(&Connection { local, interface, remote, meant_for, .. }) = self.connections.get(conn)
            && self.admits(interface, remote, bytes, now)
        {
            let on = Channel::tcp(local, conn);
            self.datagram(Provenance { on, interface, from: remote, meant_for }, bytes, now, out);
        }
    }

    /// Takes what became of a connection.
    pub(super) fn connection(&mut self, conn: ConnId, event: ConnEvent, now: Instant, out: &mut dyn Sink) {
        match event {
            ConnEvent::Accepted { local, interface, from, meant_for } => {
                let connection = Connection {
                    id: conn,
                    local,
                    interface,
                    remote: from,
                    meant_for,
                    contact: None,
                    is_open: true,
                    trial_ends: None,
                };
                self.accepted(connection, now, out);
            }
            ConnEvent::Opened => {
                if let Some(c) = self.connections.get_mut(conn) {
                    c.is_open = true;
                }
            }
            ConnEvent::Failed | ConnEvent::Closed => {
                let refused_by = self.connections.get(conn).map(|c| c.remote).filter(|_| event == ConnEvent::Failed);
                self.connections.remove(conn);
                // A server that has another way in has not failed.
                if !self.fall_back(conn, now)
                    && let Some(server) = refused_by
                {
                    self.server_failed(server, now);
                }
                while let Some(t) = self.transactions.pop_broken(conn) {
                    self.give_up(&t, Cause::Unreachable, now, out);
                }
                self.transactions.repeat_now(now);
                self.retransmit(now, out);
            }
        }
    }

    fn accepted(&mut self, mut connection: Connection, now: Instant, out: &mut dyn Sink) {
        let Connection { id, interface, remote: from, .. } = connection;
        let origin = self.origin(interface, from);
        if self.is_denied(origin, from, &[], now) {
            return out.disconnect(id);
        }
        let is_stranger = origin == Origin::Stranger;
        if is_stranger {
            let others = self.connections.list.iter().filter(|c| c.trial_ends.is_some());
            let of_one = others.clone().filter(|c| c.remote.host() == from.host()).count();
            // Nobody we know loses his connection to a stranger.
            let is_full = self.connections.list.len() >= MAX_CONNECTIONS;
            if is_full || others.count() >= MAX_STRANGER_CONNECTIONS || of_one >= TRIALS_OF_ONE {
                log::debug!(target: class::ACL, "connection of stranger {from} closed: there are too many");
                return out.disconnect(id);
            }
            connection.trial_ends = Some(now.after_secs(TRIAL_SECS));
        }
        self.connections.add(connection);
    }

    /// A stranger has sent a message with a token of ours: its connection may stay.
    pub(super) fn end_trial(&mut self, on: Channel) {
        if let Some(c) = on.conn.and_then(|conn| self.connections.get_mut(conn)) {
            c.trial_ends = None;
        }
    }

    /// Notes where a phone takes requests that it has a connection for. Only an address of its own counts.
    pub(super) fn note_contact(&mut self, received: &Received<'_>) {
        let (Some(conn), Origin::Phone) = (received.on.conn, received.origin) else { return };
        let bytes = received.msg.bytes();
        let place = received.msg.elements(HeaderId::Contact).find_map(|element| {
            let contact = NameAddr::parse(bytes, element.span).ok()?;
            let uri = Uri::parse(bytes, contact.uri).ok()?;
            Some(Place::of(bytes, &uri, received.from, Transport::Tcp))
        });
        let Some(address) = place.filter(|place| !place.renamed).map(|place| place.address) else { return };
        for c in &mut self.connections.list {
            if c.id == conn {
                c.contact = Some(address);
            } else if c.contact == Some(address) {
                // It has connected anew.
                c.contact = None;
            }
        }
    }

    /// The channel to a next hop: the socket, the connection that there is, or a new one.
    pub(super) fn channel_to(
        &mut self,
        side: Side,
        to: SocketAddr,
        transport: Transport,
        out: &mut dyn Sink,
    ) -> Result<Channel, SendError> {
        if transport != Transport::Tcp {
            return Ok(Channel::on(side));
        }
        if let Some(channel) = self.connections.find(to) {
            return Ok(channel);
        }
        let id = out.connect(side, to)?;
        self.connections.add(Connection {
            id,
            local: side,
            interface: side,
            remote: to,
            meant_for: None,
            contact: None,
            is_open: false,
            trial_ends: None,
        });
        Ok(Channel::tcp(side, id))
    }

    /// Sends over a channel; where that is a connection that is gone, over a new one. Gives the channel that was taken.
    pub(super) fn send_again(
        &mut self,
        via: Channel,
        to: SocketAddr,
        parts: &[&[u8]],
        out: &mut dyn Sink,
    ) -> Result<Channel, SendError> {
        match (out.send(via, to, parts), via.conn) {
            (Err(SendError::Closed), Some(conn)) => {
                self.connections.remove(conn);
                let channel = self.channel_to(via.local, to, Transport::Tcp, out)?;
                out.send(channel, to, parts).map(|()| channel)
            }
            (result, _) => result.map(|()| via),
        }
    }
}
