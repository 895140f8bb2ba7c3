//! The event loop's part for TCP: connections to accept, messages to read, and what became of connections.

use super::EventLoop;
use crate::engine::Engine;
use crate::engine::io::{ConnId, Input, Side};
use crate::net::tcp;
use crate::sip::framing::{Frame, PING};

impl EventLoop {
    /// Takes a budget of connections and messages over TCP, and what is due on connections.
    pub(super) fn tcp(&mut self, engine: &mut Engine) {
        let now = self.out.now;
        for side in [Side::Lan, Side::Wan] {
            for _ in 0..tcp::ACCEPT_BUDGET {
                // What became of older connections goes before news of one that has the place now.
                self.tell_connections(engine);
                let Some((conn, event)) = self.out.tcp.accept(side, now) else { break };
                self.tell_connections(engine);
                self.tell(engine, Input::Conn { conn, event });
                self.out.tcp.make_room();
            }
        }
        for _ in 0..tcp::READ_BUDGET {
            self.tell_connections(engine);
            let Some(conn) = self.out.tcp.next_readable() else { break };
            self.stream(engine, conn);
        }
        if self.out.tcp.next_timeout().is_some_and(|at| at <= now) {
            self.out.tcp.timeout(now);
            while let Some(conn) = self.out.tcp.next_idle(now) {
                self.out.tcp.settle_idle(conn, engine.is_in_use(conn), now);
            }
        }
        self.tell_connections(engine);
    }

    fn tell_connections(&mut self, engine: &mut Engine) {
        while let Some((conn, event)) = self.out.tcp.next_event() {
            self.tell(engine, Input::Conn { conn, event });
        }
    }

    /// Reads from a connection once.
    fn stream(&mut self, engine: &mut Engine, conn: ConnId) {
        let Self { out, buffer, .. } = self;
        let now = out.now;
        let end = out.tcp.receive(conn, &mut buffer[..]);
        let mut at = 0;
        while let Some(frame) = out.tcp.frame(conn, buffer.get(at..end).unwrap_or_default(), now) {
            let mut ping = *PING;
            let (length, bytes) = match frame {
                Frame::Message(length) => (length, buffer.get_mut(at..at + length).unwrap_or_default()),
                Frame::Ping(length) => (length, &mut ping[..]),
                Frame::Blank(length) => (length, &mut [][..]),
                Frame::Partial => break,
            };
            if !bytes.is_empty() {
                engine.handle(Input::Stream { conn, bytes }, now, out);
            }
            at += length;
        }
        if end > 0 {
            out.tcp.hold(conn, buffer.get(at..end).unwrap_or_default());
        }
    }
}
