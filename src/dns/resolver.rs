//! The stub resolver: a fixed cache, queries with retries, and no socket of its own.

use crate::limits::{MAX_NAME_ADDRESSES, MAX_NAMESERVERS};
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// What is known about a name now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its addresses, in the order of the answer. The last good answer stays in use while the servers are silent.
    Addresses(heapless::Vec<IpAddr, MAX_NAME_ADDRESSES>),
    /// A query is under way; ask again after the next [`Resolver::response`] or timeout.
    Pending,
    /// The name does not exist or has no address (RFC 2308).
    NoSuchName,
    /// No server answered, or none is configured.
    ServersSilent,
    /// The cache is full of names in use, or the name is longer than 253 bytes or not a name.
    Refused,
}

/// The sending half that the resolver is lent: one query to one server.
pub trait Transmit {
    /// Sends `query` to `server`.
    fn query(&mut self, server: SocketAddr, query: &[u8]);
}

/// The resolver. Starts as all zero bytes.
#[derive(Debug)]
pub struct Resolver {
    // filled in by the implementation
    _private: (),
}

impl Resolver {
    /// An empty resolver without servers.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
    /// Sets the servers (at most [`MAX_NAMESERVERS`] are taken) and the seed of query ids.
    pub fn configure(&mut self, _servers: &[SocketAddr], _seed: u64) {
        let _ = MAX_NAMESERVERS;
        todo!()
    }
    /// The addresses of `name`, starting a query where it is not known.
    pub fn resolve(&mut self, _name: &[u8], _now: Instant, _out: &mut dyn Transmit) -> Answer {
        todo!()
    }
    /// Takes a datagram from a server; `true` where it settled a name.
    pub fn response(&mut self, _from: SocketAddr, _bytes: &[u8], _now: Instant) -> bool {
        todo!()
    }
    /// When something is due: a retry, or the end of the last one.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        todo!()
    }
    /// Does what is due; `true` where a name was given up.
    pub fn timeout(&mut self, _now: Instant, _out: &mut dyn Transmit) -> bool {
        todo!()
    }
}
