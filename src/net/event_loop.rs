//! The event loop: waits for all sockets, tells the engine, carries out what it decides.
//!
//! One thread. Each turn takes at most a budget from each socket; a socket that has more is taken up again in the next
//! turn, which then does not wait. Apart from start and end, a turn allocates nothing.

mod addresses;
mod blacklist;
mod clock;
mod control;
mod debug;
mod dns;
mod extra_debug;
mod list;
mod media;
mod reloading;
mod saving;
mod statistics;
mod status;
mod streams;

use super::conntrack::Conntrack;
use super::descriptors;
use super::ifaddr::{self, Addresses, Watch};
use super::listener::{self, Arrival, BindError, Listener};
use super::relay::{self, Relay};
use super::resolv_conf::ResolvConf;
use super::tcp::{self, Tcp};
use super::way_out::{WayOut, resolver_socket};
use crate::config::{Config, Source};
use crate::engine::Engine;
use crate::engine::io::{Channel, Input, MediaReport, Side};
use crate::limits::MAX_DATAGRAM;
use crate::log::debug_port::DebugPort;
use crate::log_class::{NET, PROCESS};
use crate::process::{Signal, Signals};
use crate::state;
use crate::time::{Duration, Instant};
use clock::Clock;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use extra_debug::ExtraDebug;
use list::List;
use media::{Moderation, is_media};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use saving::Saving;
use statistics::Statistics;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

const SIGNALS: Token = Token(0);
const NETLINK: Token = Token(1);
const SIP: [Token; 2] = [Token(2), Token(3)];
const RESOLVER: [Token; 2] = [Token(4), Token(5)];
const TCP: [Token; 2] = [Token(6), Token(7)];
/// The debug port has the tokens from here on.
const DEBUG_PORT: usize = 16;
/// The control socket has those from here up to the relay's.
const CONTROL: usize = 32;

/// Events taken from the system in one turn.
const EVENTS: usize = 256;

/// Where the system keeps its nameservers (resolv.conf(5)).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Why the event loop could not start.
#[derive(Debug)]
pub enum StartError {
    /// A SIP socket could not be bound.
    Sip(BindError),
    /// The debug port could not be bound.
    DebugPort(SocketAddr, io::Error),
    /// The system has no epoll, no descriptors or no memory for us.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(error) => error.fmt(f),
            Self::DebugPort(address, error) => write!(f, "cannot open debug_port on {address} (TCP): {error}"),
            Self::System(error) => write!(f, "cannot start the event loop: {error}"),
        }
    }
}

impl core::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// The event loop with all its sockets.
#[derive(Debug)]
pub struct EventLoop {
    config: Rc<Config>,
    source: Source,
    poll: Poll,
    clock: Clock,
    out: WayOut,
    watch: Watch,
    conntrack: Conntrack,
    /// The addresses that the engine was last told of; `None` before the first time.
    told: [Option<Addresses>; 2],
    debug_port: Option<DebugPort>,
    extra_debug: ExtraDebug,
    control: Option<Box<control::Control>>,
    resolv_conf: ResolvConf,
    /// SIP sockets that used up their budget.
    sip_pending: [bool; 2],
    /// When there is something to do besides media, as of the last turn that had something else; `None` is at once.
    due: Option<Instant>,
    moderation: Moderation,
    /// Where in the table of calls the next one is that SIGUSR1 has asked for.
    status_from: Option<usize>,
    recheck_at: Instant,
    sweep_at: Instant,
    saving: Saving,
    statistics: Statistics,
    blacklist: blacklist::Blacklist,
    buffer: Box<[u8; MAX_DATAGRAM]>,
}

impl EventLoop {
    /// Opens all sockets. An interface without an address is waited for while running; nothing else is.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(config: Rc<Config>, source: Source) -> Result<Self, StartError> {
        let room = descriptors::raise_limit(&config);
        reloading::set_timerslack(&config);
        let poll = Poll::new()?;
        let mut watch = Watch::new(&config.if_inbound, &config.if_outbound);
        watch.register(poll.registry(), NETLINK)?;
        watch.first_look();
        let mut listener = Listener::new(poll.registry().try_clone()?, SIP, config.sip_listen_port, config.sip_dscp);
        let mut tcp = Tcp::new(
            poll.registry().try_clone()?,
            TCP,
            config.sip_listen_port,
            config.sip_dscp,
            reloading::timeouts(&config),
        );
        if config.transparent {
            listener.be_transparent();
            tcp.be_transparent();
        }
        let mut relay = Relay::new(poll.registry().try_clone()?, Duration::ZERO);
        reloading::configure_relay(&mut relay, &config, room);
        let resolver = [
            resolver_socket(poll.registry(), RESOLVER[0], (Ipv4Addr::UNSPECIFIED, 0).into()),
            resolver_socket(poll.registry(), RESOLVER[1], (Ipv6Addr::UNSPECIFIED, 0).into()),
        ];
        let mut resolv_conf = ResolvConf::new(RESOLV_CONF);
        resolv_conf.keep();
        let clock = Clock::start();
        let now = clock.now();
        let mut this = Self {
            conntrack: Conntrack::new(reloading::own_ports(&config)),
            saving: Saving::new(config.autosave_registrations, now),
            statistics: Statistics::new(&config, now),
            blacklist: blacklist::Blacklist::default(),
            moderation: Moderation::new(Duration::from_micros(config.rtp_coalesce.into())),
            config,
            source,
            poll,
            clock,
            out: WayOut { listener, tcp, relay, resolver, now },
            watch,
            told: Default::default(),
            debug_port: None,
            extra_debug: ExtraDebug::default(),
            control: None,
            resolv_conf,
            sip_pending: [false; 2],
            due: None,
            status_from: None,
            recheck_at: now.after(ifaddr::RECHECK_INTERVAL),
            sweep_at: now.after(relay::SWEEP_INTERVAL),
            buffer: Box::new([0; MAX_DATAGRAM]),
        };
        this.take_addresses().map_err(StartError::Sip)?;
        this.open_debug_port()?;
        this.say_ports();
        Ok(this)
    }

    /// Tells the engine the time, and gives it what `registration_file` holds.
    pub fn load(&mut self, engine: &mut Engine) {
        self.out.now = self.clock.now();
        engine.set_wall_clock(state::unix_now(), self.out.now);
        if let Some(path) = self.config.registration_file.clone() {
            // What is no place of a phone is told by them.
            self.tell_addresses(engine);
            // Which server keeps a registration of siproxd 0.8 is asked of them.
            self.tell_nameservers(engine);
            state::load(engine, &path, self.out.now, &mut self.out);
        }
        self.load_blacklist(engine);
    }

    /// Runs until a signal ends it; saves bindings and calls then.
    ///
    /// # Errors
    /// Those of epoll, none of which is expected.
    pub fn run(&mut self, engine: &mut Engine, signals: &mut Signals) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&signals.as_raw_fd()), SIGNALS, Interest::READABLE)?;
        self.out.now = self.clock.now();
        self.saving.is_done(engine);
        self.tell_addresses(engine);
        self.tell_nameservers(engine);
        let mut events = Events::with_capacity(EVENTS);
        let mut wait = self.wait(engine);
        loop {
            match self.poll.poll(&mut events, Some(wait)) {
                // After a stop (SIGSTOP) time has passed and nothing has been read: what came meanwhile goes first.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    wait = self.wait(engine);
                    continue;
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            self.out.now = self.clock.now();
            if self.is_media_only(&events) {
                wait = self.media_only(&events);
                continue;
            }
            for event in &events {
                match event.token() {
                    SIGNALS => {
                        for signal in &mut *signals {
                            match signal {
                                Signal::Terminate => {
                                    self.save(engine, true);
                                    self.save_blacklist(engine, true);
                                    log::logger().flush();
                                    return Ok(());
                                }
                                Signal::Status => {
                                    self.begin_status(engine);
                                    self.tell_statistics(engine, true);
                                }
                                Signal::Hangup => drop(self.reload(engine)),
                                Signal::User => {}
                            }
                        }
                    }
                    token if is_media(token) => {}
                    token if token.0 & tcp::TOKEN_FLAG != 0 || TCP.contains(&token) => self.out.tcp.ready(event),
                    NETLINK => {
                        if self.watch.ready() {
                            self.address_change(engine);
                        }
                    }
                    token @ (Token(2) | Token(3)) => {
                        let side = if token == SIP[0] { Side::Lan } else { Side::Wan };
                        if event.is_error() {
                            self.out.listener.note_error(side);
                        }
                        self.sip_pending[side as usize] = true;
                    }
                    token @ (Token(4) | Token(5)) => self.dns(engine, usize::from(token == RESOLVER[1])),
                    token if token.0 >= CONTROL => self.control_ready(event),
                    Token(token) => {
                        if let Some(port) = &mut self.debug_port {
                            port.ready(token, self.poll.registry());
                        }
                    }
                }
            }
            self.signalling(engine);
            // After what came with it: the answer that opens a stream goes before the stream's first packet.
            self.relay_media(events.iter());
            self.turn(engine);
            wait = self.wait(engine);
        }
    }

    /// Takes a budget of messages from each SIP socket that has some.
    fn signalling(&mut self, engine: &mut Engine) {
        for side in [Side::Lan, Side::Wan] {
            if self.sip_pending[side as usize] {
                self.sip_pending[side as usize] = self.sip(engine, side);
            }
        }
        self.tcp(engine);
    }

    /// What is done in each turn besides the events.
    fn turn(&mut self, engine: &mut Engine) {
        if self.status_from.is_some() {
            self.go_on_with_status(engine);
        }
        let now = self.out.now;
        if engine.next_timeout().is_some_and(|at| at <= now) {
            self.tell(engine, Input::Timeout);
        }
        if self.sweep_at <= now {
            // Who was kept from running has read little of what came meanwhile: silence then says nothing.
            let is_late = now.since(self.sweep_at) >= relay::SWEEP_INTERVAL;
            self.sweep_at = now.after(relay::SWEEP_INTERVAL);
            while !is_late && let Some(relay) = self.out.relay.next_idle(now) {
                self.tell(engine, Input::Media(MediaReport::Idle(relay)));
            }
        }
        if self.recheck_at <= now {
            self.recheck_at = now.after(ifaddr::RECHECK_INTERVAL);
            self.out.tcp.recheck();
            if self.watch.recheck() || self.is_incomplete() {
                self.address_change(engine);
            }
            self.tell_nameservers(engine);
        }
        self.save_if_due(engine);
        self.save_blacklist(engine, false);
        self.tell_statistics(engine, false);
        self.extra_debug.turn(now);
        self.turn_control(engine);
        crate::log::turn();
        if let Some(port) = &mut self.debug_port {
            port.pump();
        }
    }

    /// How long to wait for events.
    fn wait(&mut self, engine: &Engine) -> Duration {
        self.due = None;
        if self.sip_pending.contains(&true) || self.status_from.is_some() || self.out.tcp.is_pending() {
            return Duration::ZERO;
        }
        let sweep = if self.out.relay.is_empty() { self.recheck_at } else { self.sweep_at };
        let others = [
            engine.next_timeout(),
            self.saving.next_timeout(self.out.relay.is_empty()),
            self.statistics.next_timeout(),
            self.blacklist.next_timeout(),
            self.out.tcp.next_timeout(),
            self.extra_debug.next_timeout(),
            self.next_control(),
        ];
        let due = others.into_iter().flatten().fold(self.recheck_at.min(sweep), Instant::min);
        self.due = Some(due);
        self.media_wait(due, self.clock.now())
    }

    fn tell(&mut self, engine: &mut Engine, input: Input<'_>) {
        let now = self.out.now;
        engine.handle(input, now, &mut self.out);
    }

    /// Takes a budget of datagrams from a SIP socket; `true` where there may be more.
    fn sip(&mut self, engine: &mut Engine, side: Side) -> bool {
        let Self { out, buffer, .. } = self;
        let now = out.now;
        for _ in 0..listener::BUDGET {
            let input = match out.listener.receive(side, &mut buffer[..]) {
                Arrival::Datagram { interface, from, meant_for, length } => match buffer.get_mut(..length) {
                    Some(bytes) => Input::Datagram { on: Channel::on(side), interface, from, meant_for, bytes },
                    None => continue,
                },
                Arrival::SendFailed { to } => Input::SendFailed { via: Channel::on(side), to },
                Arrival::Nothing => return false,
            };
            engine.handle(input, now, out);
        }
        true
    }
}
