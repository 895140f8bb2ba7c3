//! A masquerading SIP proxy for NAT routers.
//!
//! Phones on a private network use it as outbound proxy. It rewrites SIP headers and session descriptions and relays
//! media, so that calls to and from the Internet work through NAT with nothing to set on the phone.
//!
//! Four layers, each knowing only the ones above it in this list:
//!
//! * **wire** ([`sip`], [`sdp`], [`rtp`], [`dns`], [`ere`]): bytes to meaning and back. No state, no input or output.
//! * **tables** ([`table`]): fixed-capacity storage. Sizes are in [`limits`].
//! * **engine** ([`engine`]): the proxy. It decides; it has no socket, no clock, and allocates nothing.
//! * **edge** ([`net`], [`control`], [`mod@log`], [`config`], [`process`]): sockets, the event loop, commands, files, signals, logs.
//!
//! A packet's way: `net/event_loop.rs` → `net/listener.rs` → [`engine::Engine::handle`] → `engine/request.rs` or
//! `engine/response.rs` → [`engine::Sink::send`] → `net/listener.rs`. Media goes from socket to socket in
//! `net/relay.rs` alone.

#![forbid(unsafe_code)]
// They panic where nothing can be written.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod accounts;
pub mod args;
pub mod check;
pub mod config;
pub mod control;
pub mod dns;
pub mod engine;
pub mod ere;
pub mod family;
mod host;
pub mod limits;
pub mod log;
pub mod log_class;
pub mod net;
pub mod process;
pub mod reload;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod span;
pub mod state;
pub mod stun;
pub mod table;
pub mod time;
pub mod version;
