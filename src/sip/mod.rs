//! SIP messages: bytes in, places of meaning out, and edits back to bytes (RFC 3261 §7, §25).
//!
//! Nothing here keeps state. A [`Message`] borrows the datagram and holds spans; typed values ([`uri::Uri`], [`via::Via`] …)
//! are parsed on demand from those spans, whose offsets always count from the first byte of the message, so that an
//! [`edit::Edits`] can cut and insert at them.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod addr;
pub mod cseq;
pub mod digest;
pub mod edit;
pub mod framing;
pub mod header;
pub(crate) mod lex;
pub mod message;
mod normalise;
pub mod params;
pub mod reply;
pub mod seconds;
pub mod start;
pub mod token;
pub mod uri;
pub mod via;

pub use header::{Header, HeaderId};
pub use message::{Message, ParseError};
pub use start::{Method, StartLine};
