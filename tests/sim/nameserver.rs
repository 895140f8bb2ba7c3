//! A nameserver that knows `provider.example`, and can be silent.

use crate::net::Stack;
use crate::rig;
use core::net::Ipv4Addr;
use siproxd::time::Instant;
use smoltcp::iface::SocketHandle;

pub struct Nameserver {
    pub stack: Stack,
    socket: SocketHandle,
    provider: Ipv4Addr,
    pub is_silent: bool,
}

impl Nameserver {
    /// A nameserver at `address`, which says that the provider is at another.
    pub fn new(address: Ipv4Addr, provider: Ipv4Addr) -> Self {
        let mut stack = Stack::new(&[address]);
        let socket = stack.bind(None, 53);
        Self { stack, socket, provider, is_silent: false }
    }

    pub fn turn(&mut self, now: Instant) {
        self.stack.poll(now);
        while let Some((query, from)) = self.stack.receive(self.socket) {
            if !self.is_silent {
                self.stack.send(self.socket, from, &rig::dns_answer(&query, Some(self.provider.octets())));
            }
        }
        self.stack.poll(now);
    }
}
