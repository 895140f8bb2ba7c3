//! The event loop's part for the control socket: what it knows of the daemon goes into answers.

use super::{CONTROL, EventLoop};
use crate::check::MEMORY_CEILING;
use crate::control::json::Line;
use crate::control::request::{Command, Refusal};
use crate::control::server::Server;
use crate::control::socket::ControlSocket;
use crate::control::{Identity, Job, Source, Step, answer, begin};
use crate::engine::Engine;
use crate::engine::counters::COUNTS;
use crate::engine::io::Side;
use crate::host::Host;
use crate::limits::{MAX_BINDINGS, MAX_CALLS, MAX_CONNECTIONS, MAX_RELAYS, MAX_TRANSACTIONS};
use crate::log::tail::Tail;
use crate::log_class::{PROCESS, log};
use crate::net::relay::dejitter;
use crate::time::Instant;
use mio::event::Event;
use std::io;

/// The socket, and what is told of the daemon besides its tables.
#[derive(Debug)]
pub(super) struct Control {
    server: Server,
    identity: Identity,
    started: Instant,
}

impl EventLoop {
    /// Serves a control socket from now on.
    ///
    /// # Errors
    /// Those of epoll.
    pub fn serve(&mut self, socket: ControlSocket, identity: Identity) -> io::Result<()> {
        crate::log::keep_for_tails();
        log::info!(target: PROCESS, "control socket {}", socket.path().display());
        let server = Server::new(socket, self.poll.registry().try_clone()?, CONTROL)?;
        self.control = Some(Box::new(Control { server, identity, started: self.clock.now() }));
        Ok(())
    }

    /// Notes an event of the control socket or a client.
    pub(super) fn control_ready(&mut self, event: &Event) {
        if let Some(control) = &mut self.control {
            control.server.ready(event);
        }
    }

    /// Goes on with what clients ask for.
    pub(super) fn turn_control(&mut self, engine: &mut Engine) {
        let Some(mut control) = self.control.take() else { return };
        let Control { server, identity, started } = &mut *control;
        let (now, started) = (self.out.now, *started);
        server.turn(now, &mut Answers { event_loop: self, engine, identity, started, now });
        self.control = Some(control);
    }

    /// When clients want a turn though no event comes.
    pub(super) fn next_control(&self) -> Option<Instant> {
        self.control.as_ref()?.server.next_timeout()
    }
}

/// All that answers are made from.
struct Answers<'a> {
    event_loop: &'a mut EventLoop,
    engine: &'a mut Engine,
    identity: &'a Identity,
    started: Instant,
    now: Instant,
}

impl Source for Answers<'_> {
    fn step(&mut self, job: &mut Job, line: &mut Line<'_>) -> Step {
        match job.command {
            Command::Status if job.lines == 0 => self.status(line),
            Command::Status => return Step::Done,
            Command::Stats if job.lines == 0 => self.stats(line),
            Command::Stats => return Step::Done,
            Command::Drop(call) if job.lines == 0 => {
                let Some(dropped) = self.engine.drop_call(call, self.now, &mut self.event_loop.out) else {
                    return Step::Refused(Refusal::NoSuchCall);
                };
                begin(line, "dropped");
                line.text("call", &call);
                line.value("byes", dropped.byes);
                line.value("cancelled", dropped.cancelled);
            }
            Command::Drop(_) => return Step::Done,
            Command::Log(after) => return log_line(job, after, line),
            Command::Debug { classes, seconds } if job.lines == 0 => {
                let debug = &mut self.event_loop.extra_debug;
                debug.set(classes, seconds, self.now);
                begin(line, "debug");
                line.value("classes", debug.classes());
                line.value("remaining", debug.remaining(self.now));
            }
            Command::Debug { .. } => return Step::Done,
            Command::Reload => {
                if job.lines == 0 && job.reload.is_none() {
                    job.reload = Some(self.event_loop.reload(self.engine));
                }
                let Some(reload) = &job.reload else { return Step::Done };
                if !answer::reload(line, reload, job.from) {
                    return Step::Done;
                }
                job.from += 1;
            }
            Command::Bindings => {
                let Some((binding, next)) = self.engine.binding_stats(job.from, self.now) else { return Step::Done };
                answer::binding(line, &binding, self.now);
                job.from = next;
            }
            Command::Refusals => {
                let Some((refused, next)) = self.engine.refused_register(job.from, self.now) else { return Step::Done };
                answer::refusal(line, refused, self.now);
                job.from = next;
            }
            Command::Calls => {
                let Some((call, next)) = self.engine.call_stats(job.from, &mut self.event_loop.out) else {
                    return Step::Done;
                };
                answer::call(line, &call, self.now);
                job.from = next;
            }
            Command::History => {
                let Some(call) = self.engine.ended_call(job.from) else { return Step::Done };
                answer::ended(line, call, self.now);
                job.from += 1;
            }
        }
        Step::More
    }
}

/// The next line of the log.
fn log_line(job: &mut Job, after: Option<u64>, line: &mut Line<'_>) -> Step {
    if job.tail.is_none() {
        job.tail = after.map_or_else(Tail::new, |place| Some(Tail::behind(place)));
    }
    let Some(tail) = &mut job.tail else { return Step::Refused(Refusal::Busy) };
    let mut text = heapless::Vec::new();
    if !tail.next_line(&mut text) {
        return if tail.is_over() { Step::Done } else { Step::Wait };
    }
    begin(line, "log");
    line.bytes("line", &text);
    line.value("at", tail.position());
    Step::More
}

impl Answers<'_> {
    fn status(&self, line: &mut Line<'_>) {
        let config = &self.event_loop.config;
        begin(line, "status");
        line.text("version", &env!("CARGO_PKG_VERSION"));
        line.value("pid", std::process::id());
        if let Some(instance) = &self.identity.instance {
            line.text("instance", instance);
        }
        line.text("config", &self.identity.config.display());
        line.value("uptime", self.now.since(self.started).as_secs());
        line.value("sip_port", config.sip_listen_port);
        self.side(line, "lan", Side::Lan, self.event_loop.watch.name(Side::Lan));
        self.side(line, "wan", Side::Wan, self.event_loop.watch.name(Side::Wan));
        if let Some(address) = config.host_outbound {
            line.text("host_outbound", &address);
        } else if let Some((name, found)) = self.engine.host_outbound_name() {
            match found {
                Some(address) => line.text("host_outbound", &format_args!("{name} ({address})")),
                None => line.text("host_outbound", &format_args!("{name} (not known yet)")),
            }
        }
        self.tables(line);
        if config.rtp_proxy_enable {
            line.object("rtp_ports");
            line.value("low", config.rtp_port_low);
            line.value("high", config.rtp_port_high.saturating_add(1));
            line.end_object();
        }
        self.memory(line);
        self.debug(line);
        self.dns(line);
        self.problems(line);
    }

    fn memory(&self, line: &mut Line<'_>) {
        line.object("memory");
        if let Some(used) = crate::process::resident() {
            line.value("used", used);
        }
        let held = dejitter::bytes(dejitter::places(&self.event_loop.config));
        line.value("limit", MEMORY_CEILING.saturating_add(held));
        line.end_object();
    }

    /// What is debugged, and where that can be read.
    fn debug(&self, line: &mut Line<'_>) {
        let EventLoop { config, extra_debug, debug_port, .. } = &*self.event_loop;
        line.object("debug");
        line.value("level", config.debug_level);
        line.value("temporary", extra_debug.classes());
        line.value("remaining", extra_debug.remaining(self.now));
        line.end_object();
        if let Some(address) = debug_port.as_ref().and_then(|port| port.local_addr().ok()) {
            line.object("debug_port");
            line.value("port", address.port());
            line.text("address", &address.host());
            line.end_object();
        }
    }

    /// What keeps it from its work now.
    fn problems(&self, line: &mut Line<'_>) {
        line.array("problems");
        for side in [Side::Lan, Side::Wan] {
            let interface = self.event_loop.watch.name(side);
            if self.event_loop.watch.interface(side).addresses.is_empty() {
                line.text("", &format_args!("{} interface {interface} has no address", side.name()));
            }
        }
        let dns = self.engine.dns_state(self.now);
        if dns.servers.is_empty() {
            line.text("", &"there is no nameserver in /etc/resolv.conf");
        } else if dns.silent > 0 {
            line.text("", &format_args!("no nameserver answers for {} names", dns.silent));
        }
        line.end_array();
    }

    fn side(&self, line: &mut Line<'_>, name: &str, side: Side, interface: &str) {
        line.object(name);
        line.text("interface", &interface);
        line.array("addresses");
        self.event_loop.watch.interface(side).addresses.iter().for_each(|address| line.text("", address));
        line.end_array();
        line.end_object();
    }

    fn stats(&self, line: &mut Line<'_>) {
        begin(line, "stats");
        line.text("version", &env!("CARGO_PKG_VERSION"));
        line.value("uptime", self.now.since(self.started).as_secs());
        line.object("counters");
        let counters = self.engine.counters();
        COUNTS.iter().for_each(|(name, count)| line.value(name, counters.of(*count)));
        let relay = &self.event_loop.out.relay;
        let losses = relay.losses();
        for (name, count) in [
            ("media_packets", relay.taken()),
            ("media_unproven", losses.unproven),
            ("media_unsent", losses.unsent),
            ("media_oversized", losses.oversized),
        ] {
            line.value(name, count);
        }
        line.end_object();
        line.object("refused");
        counters.refused().for_each(|(name, count)| line.value(name, count));
        line.end_object();
        line.object("hooks");
        for (name, counts) in self.engine.hook_counts() {
            line.object(name);
            line.value("hits", counts.hits);
            line.value("rewrites", counts.rewrites);
            line.value("refusals", counts.refusals);
            line.end_object();
        }
        line.end_object();
        self.tables(line);
    }

    /// How full each table is.
    fn tables(&self, line: &mut Line<'_>) {
        let config = &self.event_loop.config;
        let (usage, ports) = (self.engine.usage(), self.engine.ports_in_use());
        let (low, high) = (config.rtp_port_low, config.rtp_port_high);
        let pairs = usize::from(high.saturating_sub(low) / 2) + 1;
        // Each interface has all of them.
        let watch = &self.event_loop.watch;
        let all_ports = if watch.name(Side::Lan) == watch.name(Side::Wan) { pairs } else { 2 * pairs };
        line.object("tables");
        for (name, used, limit) in [
            ("calls", usage.calls, config.max_calls.min(MAX_CALLS)),
            ("bindings", usage.bindings, config.max_bindings.min(MAX_BINDINGS)),
            ("transactions", usage.transactions, MAX_TRANSACTIONS),
            ("connections", usage.connections, MAX_CONNECTIONS),
            ("media", usage.relays, MAX_RELAYS),
            ("rtp_ports", ports, all_ports),
        ] {
            line.object(name);
            line.value("used", used);
            line.value("limit", limit);
            line.end_object();
        }
        line.end_object();
    }

    fn dns(&self, line: &mut Line<'_>) {
        let state = self.engine.dns_state(self.now);
        line.object("dns");
        line.array("servers");
        state.servers.iter().for_each(|server| line.text("", server));
        line.end_array();
        line.value("names", state.names);
        line.value("silent", state.silent);
        if let Some(heard) = state.heard {
            line.value("answered", self.now.since(heard).as_secs());
        }
        line.end_object();
    }
}
