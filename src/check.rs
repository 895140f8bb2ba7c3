//! What `--check` says of a good configuration.

mod json;
mod system;

pub use json::Json;
pub use system::{networks, surroundings};

use crate::config::Config;
use crate::control;
use crate::engine::{Engine, Side};
use crate::limits::{MAX_CONNECTIONS, MAX_DATAGRAM, MAX_RELAYS, MAX_STREAM_BYTES};
use crate::log;
use crate::net::ifaddr::Watch;
use crate::net::relay::dejitter;
use crate::process::Powers;
use crate::time::{Duration, micros};
use core::fmt;

/// Bytes that the edge keeps for each relay; see [`MAX_RELAYS`].
const RELAY_BYTES: usize = 400;

/// Bytes that the edge keeps for each TCP connection besides what waits on it; see [`MAX_CONNECTIONS`].
const CONNECTION_BYTES: usize = 400;

/// Bytes of memory once every table is full and as much waits on connections as may. Until then the unused part takes none. Packets that
/// are held back come on top, see [`dejitter::bytes`].
pub const MEMORY_CEILING: usize = size_of::<Engine>()
    + MAX_RELAYS * RELAY_BYTES
    + MAX_CONNECTIONS * CONNECTION_BYTES
    + MAX_STREAM_BYTES
    + MAX_DATAGRAM
    + control::BYTES
    + log::STATIC_BYTES;

/// A summary of a configuration: how it will be used, and how far it reaches.
#[derive(Debug)]
pub struct Summary<'a>(pub &'a Config);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        if config.if_inbound.is_empty() || config.if_outbound.is_empty() {
            let mut watch = Watch::new(&config.if_inbound, &config.if_outbound);
            watch.first_look();
            for choice in [Side::Lan, Side::Wan].into_iter().filter_map(|side| watch.choice(side)) {
                writeln!(f, "{choice}")?;
            }
        } else {
            writeln!(f, "phones on {}, Internet on {}", config.if_inbound, config.if_outbound)?;
        }
        writeln!(f, "SIP port {}", config.sip_listen_port)?;
        if config.rtp_proxy_enable {
            let (low, high) = (config.rtp_port_low, config.rtp_port_high);
            let pairs = usize::from(high.saturating_sub(low) / 2) + 1;
            // On one interface both sides take theirs from the same ports.
            let is_one = !config.if_inbound.is_empty() && config.if_inbound == config.if_outbound;
            let calls = (if is_one { pairs / 2 } else { pairs }).min(config.max_calls);
            writeln!(f, "media on UDP ports {low} to {}: room for {calls} calls", high.saturating_add(1))?;
        } else {
            writeln!(f, "media is not relayed")?;
        }
        if let Some(user) = &config.user {
            writeln!(f, "started as root, runs as {user}{}", Powers::for_config(config))?;
        }
        writeln!(f, "at most {} registrations", config.max_bindings)?;
        let places = dejitter::places(config);
        if places > 0 {
            let [output, input] = dejitter::delays(config).map(Millis);
            writeln!(
                f,
                "media held back {input} ms towards the phones, {output} ms towards the Internet; room for {places} packets"
            )?;
        }
        let bytes = MEMORY_CEILING + dejitter::bytes(places);
        write!(f, "at most {} kB of tables", bytes.div_ceil(1024))?;
        let edge = [
            ("relays", MAX_RELAYS * RELAY_BYTES),
            ("TCP", MAX_CONNECTIONS * CONNECTION_BYTES + MAX_STREAM_BYTES),
            ("log", log::STATIC_BYTES),
            ("held media", dejitter::bytes(places)),
        ];
        let parts = Engine::TABLES.into_iter().chain(edge).filter(|(_, bytes)| *bytes > 0);
        parts.enumerate().try_for_each(|(place, (name, bytes))| {
            write!(f, "{} {name} {}", if place == 0 { ":" } else { "," }, bytes.div_ceil(1024))
        })
    }
}

/// Milliseconds with as many places as it takes. Numbers with a fraction of the language would take 14 KB on processors that have none.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = micros(self.0);
        let (mut fraction, mut places) = (micros % 1000, 3);
        write!(f, "{}", micros / 1000)?;
        if fraction == 0 {
            return Ok(());
        }
        while fraction % 10 == 0 {
            (fraction, places) = (fraction / 10, places - 1);
        }
        write!(f, ".{fraction:0places$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_the_places_they_need() {
        let shown = |micros| Millis(Duration::from_micros(micros)).to_string();
        assert_eq!([0, 40_000, 12_500, 1_050, 3].map(shown), ["0", "40", "12.5", "1.05", "0.003"]);
    }
}
