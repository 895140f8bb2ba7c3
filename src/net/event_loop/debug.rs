//! The event loop's part for the debug port: it is opened, and moves with our LAN address and with its directives.

use super::{DEBUG_PORT, EventLoop, StartError};
use crate::config::Config;
use crate::engine::io::Side;
use crate::log::debug_port::DebugPort;
use crate::log_class::{NET, log};
use core::net::SocketAddr;

impl EventLoop {
    /// Opens the debug port on `debug_bind`, else on our LAN address once there is one.
    pub(super) fn open_debug_port(&mut self) -> Result<(), StartError> {
        match self.debug_address(&self.config) {
            Some(address) => self.move_debug_port(address),
            None => Ok(()),
        }
    }

    /// Where the debug port of a configuration is to be; `None` where there is none, or no LAN address yet.
    pub(super) fn debug_address(&self, config: &Config) -> Option<SocketAddr> {
        let lan = self.watch.interface(Side::Lan).address();
        let address = SocketAddr::new(config.debug_bind.or(lan)?, config.debug_port);
        (address.port() != 0).then_some(address)
    }

    /// Has the debug port on `address`; its readers stay. With an error it is where it was.
    pub(super) fn move_debug_port(&mut self, address: SocketAddr) -> Result<(), StartError> {
        let fail = |error| StartError::DebugPort(address, error);
        let registry = self.poll.registry();
        match &mut self.debug_port {
            Some(port) if port.local_addr().ok() == Some(address) => return Ok(()),
            Some(port) => port.move_to(address, registry).map_err(fail)?,
            None => {
                let mut port = DebugPort::bind(address).map_err(fail)?;
                port.register(registry, DEBUG_PORT)?;
                self.debug_port = Some(port);
            }
        }
        log::info!(target: NET, "debug_port: the log can be read on {address} (TCP)");
        Ok(())
    }
}
