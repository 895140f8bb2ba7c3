//! Names to addresses and servers without ever waiting: a stub resolver that is fed with answers (RFC 1035), and the way
//! from a SIP URI to its servers (RFC 3263).

mod cache;
pub mod locate;
mod message;
mod name;
mod query;
mod records;
pub mod resolver;

pub use locate::{Candidate, Candidates, Located, Target, Transports, locate};
pub use records::Transport;
pub use resolver::{Answer, Resolver, State};

use core::net::SocketAddr;

/// The sending half that the resolver is lent: one query to one server.
pub trait Transmit {
    /// Sends `query` to `server`.
    fn query(&mut self, server: SocketAddr, query: &[u8]);
}
