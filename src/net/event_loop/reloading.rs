//! The event loop's part for a reload: the configuration is read again and, where nothing is wrong with it, applied as a whole.
//!
//! Running calls and bindings stay as they are. What a call was begun with it keeps: its ports, its DSCP, how its packets are held back.

use super::{EventLoop, StartError};
use crate::accounts::{self, Accounts};
use crate::check;
use crate::config::{Config, Report};
use crate::engine::Engine;
use crate::log_class::log;
use crate::net::conntrack::OwnPorts;
use crate::net::descriptors;
use crate::net::relay::{Relay, dejitter};
use crate::net::tcp::Timeouts;
use crate::reload::Reload;
use crate::time::Duration;

impl EventLoop {
    /// Reads the configuration again, and applies what does not need a restart; or nothing of it, where something is wrong. What came
    /// of it is logged, and returned.
    pub fn reload(&mut self, engine: &mut Engine) -> Reload {
        let result = match self.try_reload(engine) {
            Ok(result) => result,
            Err(report) => Reload { report, ..Reload::default() },
        };
        result.log();
        result
    }

    fn try_reload(&mut self, engine: &mut Engine) -> Result<Reload, Report> {
        let (wanted, mut report) = self.source.read()?;
        let file = self.source.name();
        // What could fail is done first; from `apply` on nothing does.
        let config = wanted.with_what_stays_of(&self.config, file)?;
        accounts::check(&config, &mut report);
        check::networks(&wanted, &mut report);
        report.sort();
        if report.is_fatal() {
            return Err(report);
        }
        let accounts = Accounts::read(&config).map_err(|error| Report::of_error(file, error.to_string()))?;
        let debug = self.debug_address(&config);
        if let Some(address) = debug {
            self.move_debug_port(address)
                .map_err(|error: StartError| Report::of_error(self.source.name(), error.to_string()))?;
        } else if config.debug_port == 0 {
            self.debug_port = None;
        }
        let result = Reload::of(report, wanted.changes(&self.config));
        accounts.give_to(engine);
        engine.configure(&config.engine_settings());
        engine.set_hooks(&config.hook_settings());
        self.apply(config);
        self.load_blacklist(engine);
        Ok(result)
    }

    /// Brings all but the engine to a new configuration.
    fn apply(&mut self, config: Config) {
        let now = self.out.now;
        let before = core::mem::replace(&mut self.config, config.into());
        let config = &self.config;
        crate::log::set_debug_level(config.debug_level);
        crate::log::set_silence(config.silence_log);
        set_timerslack(config);
        self.statistics.configure(config, now);
        self.saving.set_interval(config.autosave_registrations, now);
        self.moderation.set_distance(Duration::from_micros(config.rtp_coalesce.into()));
        self.out.listener.set_dscp(config.sip_dscp);
        self.out.tcp.configure(config.sip_dscp, timeouts(config));
        configure_relay(&mut self.out.relay, config, descriptors::raise_limit(config));
        if (before.rtp_port_low, before.rtp_port_high) != (config.rtp_port_low, config.rtp_port_high) {
            self.conntrack.set_ports(own_ports(&self.config));
            self.say_ports();
        }
    }

    pub(super) fn say_ports(&self) {
        let Config { rtp_proxy_enable, rtp_port_low, rtp_port_high, .. } = *self.config;
        if rtp_proxy_enable {
            log::info!(target: super::NET, "relaying media on UDP ports {rtp_port_low} to {}", rtp_port_high + 1);
        }
    }
}

/// Sets what relays are opened with from now on, and how long silence may last on all of them.
pub(super) fn configure_relay(relay: &mut Relay, config: &Config, (room, connects): (usize, bool)) {
    relay.set_timeout(Duration::from_secs(config.rtp_timeout.into()));
    relay.set_latching(config.rtp_latching);
    relay.set_dscp(config.rtp_dscp);
    relay.set_room(room);
    relay.set_connecting(connects);
    relay.set_dejitter(dejitter::delays(config), dejitter::places(config));
}

pub(super) const fn own_ports(config: &Config) -> OwnPorts {
    OwnPorts { sip: config.sip_listen_port, media: [config.rtp_port_low, config.rtp_port_high.saturating_add(1)] }
}

pub(super) fn timeouts(config: &Config) -> Timeouts {
    Timeouts {
        idle: Duration::from_secs(config.tcp_timeout.into()),
        connect: Duration::from_millis(config.tcp_connect_timeout.into()),
        keepalive: Duration::from_secs(config.tcp_keepalive.into()),
    }
}

/// Asks the system to end waits in time, where they are short.
pub(super) fn set_timerslack(config: &Config) {
    if config.rtp_coalesce > 0 {
        // A wish: else it may end a wait 50 µs late (PR_SET_TIMERSLACK, in nanoseconds).
        let _ = nix::sys::prctl::set_timerslack(1);
    }
}
