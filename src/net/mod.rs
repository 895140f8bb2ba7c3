//! The edge: sockets, the event loop, the interfaces of the router.
//!
//! * [`event_loop`]: waits for all sockets and calls the engine; `way_out` is the engine's [`crate::engine::Sink`].
//! * [`listener`]: the SIP sockets, one on each side.
//! * [`tcp`]: SIP over TCP, the connections and what waits on them.
//! * [`relay`]: media, from socket to socket. It knows nothing of SIP.
//! * [`ifaddr`]: what addresses the two interfaces have, by rtnetlink.
//! * [`conntrack`]: the system's connection tracking, and what of it stands in our way.

mod choice;
pub mod conntrack;
mod descriptors;
mod dscp;
pub mod event_loop;
pub mod ifaddr;
pub mod listener;
mod netlink;
pub mod relay;
mod resolv_conf;
mod rtnetlink;
pub mod tcp;
mod text;
mod transparency;
mod way_out;
