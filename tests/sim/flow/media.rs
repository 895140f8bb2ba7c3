//! The media of a call: one audio stream, whose every packet says which call and which party it is of.

use super::dialog::State;
use super::party::Party;
use crate::rig::text;
use core::net::SocketAddr;
use siproxd::time::Instant;
use smoltcp::iface::SocketHandle;

/// Time between two RTP packets in milliseconds.
pub const PACKET_TIME: u64 = 200;
/// Where in an RTP packet the number of its call stands; behind it, whether the caller sent it.
const RTP_HEADER: usize = 12;

/// A change that we have offered.
pub struct Change {
    holds: bool,
    socket: Option<(SocketHandle, u16)>,
}

pub struct Media {
    rtp: Option<SocketHandle>,
    /// From where RTP goes out, where that is another socket.
    out: Option<SocketHandle>,
    pub port: u16,
    pub version: u32,
    peer: Option<SocketAddr>,
    /// We have put the other party on hold; it has us.
    pub holds: bool,
    pub peer_holds: bool,
    pub change: Option<Change>,
    /// We have made an offer in a 2xx, and its answer comes with the ACK.
    pub awaits_answer: bool,
    sequence: u16,
    pub next_at: Option<Instant>,
    pub packets: u32,
    /// Those that came before the answer.
    pub early_packets: u32,
    pub heard_at: Option<Instant>,
    pub settled_at: Instant,
}

impl Party {
    pub fn new_media(&mut self, is_symmetric: bool) -> Media {
        let (rtp, port) = self.new_port();
        let out = is_symmetric.then(|| self.new_port().0);
        Media {
            rtp: Some(rtp),
            out,
            port,
            version: 1,
            peer: None,
            holds: false,
            peer_holds: false,
            change: None,
            awaits_answer: false,
            sequence: 0,
            next_at: None,
            packets: 0,
            early_packets: 0,
            heard_at: None,
            settled_at: self.now,
        }
    }

    fn new_port(&mut self) -> (SocketHandle, u16) {
        let port = self.next_port;
        self.next_port += 4;
        (self.stack.bind(Some(self.media_address), port), port)
    }

    /// Our session description as it is now, with the change that is offered.
    pub fn description(&self, at: usize) -> String {
        let media = &self.calls[at].media;
        let (mut holds, mut port) = (media.holds, media.port);
        if let Some(change) = &media.change {
            holds = change.holds;
            port = change.socket.map_or(port, |(_, port)| port);
        }
        let direction = match (holds, media.peer_holds) {
            (false, false) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (true, true) => "inactive",
        };
        text::sdp(self.media_address.into(), port, media.version) + &format!("a={direction}\r\n")
    }

    /// A new offer.
    pub fn offered(&mut self, at: usize, toggles: bool, moves: bool) -> String {
        let socket = moves.then(|| self.new_port());
        let media = &mut self.calls[at].media;
        media.version += 1;
        media.change = Some(Change { holds: media.holds != toggles, socket });
        self.description(at)
    }

    /// What we offered is accepted, or not.
    pub fn settle(&mut self, at: usize, is_accepted: bool) {
        let media = &mut self.calls[at].media;
        media.settled_at = self.now;
        let Some(Change { holds, socket }) = media.change.take() else { return };
        let unused = if is_accepted {
            media.holds = holds;
            match socket {
                Some((socket, port)) => {
                    media.port = port;
                    // What comes late to the old port is of this call still, and nobody's.
                    [media.rtp.replace(socket), media.out.take()]
                }
                None => [None, None],
            }
        } else {
            [socket.map(|(socket, _)| socket), None]
        };
        unused.into_iter().flatten().for_each(|socket| self.stack.close(socket));
    }

    /// Takes the other party's description. After BYE there is no relay that it could name.
    pub fn take_description(&mut self, at: usize, message: &str) {
        let call = &self.calls[at];
        let body = text::body(message);
        if call.state == State::Over || call.has_hung_up || body.is_empty() {
            return;
        }
        let Some(peer) = text::media(body) else { return self.violation("a description without media", message) };
        let router_is_there = if self.proxy.is_some() { "10.0.0.1" } else { "198.51.100." };
        let is_relay = peer.0.to_string().starts_with(router_is_there) && (7070..=7089).contains(&peer.1);
        if peer.1 != 0 && !is_relay && !self.draw.forgets_calls() {
            self.violation("the description does not name the relay", message);
        }
        let now = self.now;
        let media = &mut self.calls[at].media;
        media.peer = (peer.1 != 0).then_some(peer.into());
        media.peer_holds = body.contains("a=sendonly") || body.contains("a=inactive");
        media.settled_at = now;
    }

    pub fn start_media(&mut self, at: usize) {
        let now = self.now;
        self.calls[at].media.next_at.get_or_insert(now);
    }

    pub fn stop_sending(&mut self, at: usize) {
        self.calls[at].media.next_at = None;
    }

    pub fn stop_media(&mut self, at: usize) {
        self.settle(at, false);
        let media = &mut self.calls[at].media;
        media.next_at = None;
        for socket in [media.rtp.take(), media.out.take()].into_iter().flatten() {
            self.stack.close(socket);
        }
    }

    pub fn run_media(&mut self, at: usize) {
        self.take_packets(at);
        if self.calls[at].media.next_at.is_some_and(|at| at <= self.now) {
            self.calls[at].media.next_at = Some(self.after(PACKET_TIME));
            self.send_packet(at);
        }
    }

    fn send_packet(&mut self, at: usize) {
        let call = &mut self.calls[at];
        let media = &mut call.media;
        let Some(peer) = media.peer.filter(|_| !media.peer_holds) else { return };
        media.sequence = media.sequence.wrapping_add(1);
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&media.sequence.to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(&u32::from(media.port).to_be_bytes());
        packet.extend_from_slice(&[call.number as u8, u8::from(call.is_caller)]);
        packet.resize(40, 0xd5);
        if let Some(socket) = media.out.or(media.rtp) {
            self.stack.send(socket, peer, &packet);
        }
    }

    fn take_packets(&mut self, at: usize) {
        let call = &self.calls[at];
        let wanted = [call.number as u8, u8::from(!call.is_caller)];
        let moved = call.media.change.as_ref().and_then(|change| change.socket).map(|(socket, _)| socket);
        // What is learned from the source port of media comes back there.
        for socket in [call.media.rtp, call.media.out, moved].into_iter().flatten() {
            while let Some((packet, from)) = self.stack.receive(socket) {
                if packet.get(RTP_HEADER..RTP_HEADER + 2) != Some(&wanted) {
                    self.violation("media of another call", &format!("from {from}: {packet:?}"));
                }
                let now = self.now;
                let call = &mut self.calls[at];
                call.media.heard_at = Some(now);
                call.media.packets += 1;
                call.media.early_packets += u32::from(call.state == State::Calling);
            }
        }
    }
}
