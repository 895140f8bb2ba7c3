//! Names to addresses without ever waiting: a stub resolver that is fed with answers (RFC 1035).

mod message;
pub mod resolver;

pub use resolver::{Answer, Resolver};
