//! An engine on a bench: inputs by hand, outputs recorded. LAN 10.0.0.1/24, WAN 198.51.100.1/24.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses a part of the rig")]

pub mod dns;
pub mod script;
pub mod text;

pub use dns::dns_answer;

use core::net::{IpAddr, SocketAddr};
use dns::{Zone, question};
use siproxd::engine::auth::{Account, Secret};
use siproxd::engine::io::{LegCounters, Prefix, RelayCmd, RelayError, RelayId, SendError};
use siproxd::engine::{Channel, ConnEvent, ConnId, Engine, Input, Settings, Side, Sink};
use siproxd::sip::token::Key;
use siproxd::table::Handle;
use siproxd::time::{Duration, Instant};

/// Runs a closure.
pub type Around = fn(&mut dyn FnMut());

/// What is put around each call of the engine, and around what the bench does meanwhile; set before the first one.
pub static AROUND: std::sync::OnceLock<[Around; 2]> = std::sync::OnceLock::new();

/// Runs what the bench does while the engine is at work.
fn aside<R>(work: impl FnOnce() -> R) -> R {
    around(1, work)
}

fn around<R>(which: usize, work: impl FnOnce() -> R) -> R {
    let (mut work, mut result) = (Some(work), None);
    let mut run = || result = work.take().map(|work| work());
    match AROUND.get() {
        Some(hooks) => hooks[which](&mut run),
        None => run(),
    }
    result.unwrap()
}

/// What came out of the engine.
#[derive(Clone, Debug)]
pub enum Output {
    /// A TCP connection is to be opened.
    Connect { conn: ConnId, side: Side, to: SocketAddr },
    /// A TCP connection is closed.
    Disconnect { conn: ConnId },
    /// A datagram, or a message over a connection.
    Sent { via: Channel, to: SocketAddr, bytes: Vec<u8> },
    /// A relay command.
    Relay(RelayCmd),
    /// A query to a nameserver.
    Query { server: SocketAddr, bytes: Vec<u8> },
}

/// Records what comes out.
#[derive(Default)]
pub struct Recorder {
    pub outputs: Vec<Output>,
    /// Ports that other programs hold.
    pub taken: Vec<u16>,
    /// Whether no more files may be open.
    pub no_files: bool,
    /// Connections that were made, with their local side and peer; `None` for those that are gone.
    pub connections: Vec<Option<(Side, SocketAddr)>>,
    /// The relay that was opened last.
    pub last_opened: Option<RelayId>,
    /// Relays that are open now.
    pub open: usize,
    /// The ports of each that was opened.
    pub ports: Vec<(RelayId, [u16; 2])>,
    /// What each leg has taken when it is counted, or closed.
    pub counters: [LegCounters; 2],
}

impl Sink for Recorder {
    fn send(&mut self, via: Channel, to: SocketAddr, parts: &[&[u8]]) -> Result<(), SendError> {
        let to = match via.conn {
            Some(conn) => self.connections[conn.index()].ok_or(SendError::Closed)?.1,
            None => to,
        };
        aside(|| self.outputs.push(Output::Sent { via, to, bytes: parts.concat() }));
        Ok(())
    }

    fn connect(&mut self, side: Side, to: SocketAddr) -> Result<ConnId, SendError> {
        Ok(aside(|| {
            let conn = self.open(side, to);
            self.outputs.push(Output::Connect { conn, side, to });
            conn
        }))
    }

    fn disconnect(&mut self, conn: ConnId) {
        self.connections[conn.index()] = None;
        aside(|| self.outputs.push(Output::Disconnect { conn }));
    }

    fn relay(&mut self, cmd: RelayCmd) -> Result<[LegCounters; 2], RelayError> {
        use siproxd::engine::io::Leg;
        if let RelayCmd::Open { relay, ports, .. } = cmd {
            if self.no_files {
                return Err(RelayError::Resources);
            }
            for (leg, port) in [Leg::Caller, Leg::Callee].into_iter().zip(ports) {
                if self.taken.contains(&port) {
                    return Err(RelayError::PortTaken(leg));
                }
            }
            self.last_opened = Some(relay);
            self.open += 1;
            aside(|| self.ports.push((relay, ports)));
        }
        if let RelayCmd::AddFamily { relay, leg, .. } = cmd
            && let Some((_, ports)) = self.ports.iter().rfind(|(open, _)| *open == relay)
            && self.taken.contains(&ports[leg as usize])
        {
            return Err(RelayError::PortTaken(leg));
        }
        if matches!(cmd, RelayCmd::Close { .. }) {
            self.open -= 1;
        }
        aside(|| self.outputs.push(Output::Relay(cmd)));
        match cmd {
            RelayCmd::Count { .. } | RelayCmd::Close { .. } => Ok(self.counters),
            RelayCmd::Open { .. } | RelayCmd::AddFamily { .. } | RelayCmd::Retarget { .. } => Ok(Default::default()),
        }
    }

    fn query(&mut self, server: SocketAddr, bytes: &[u8]) {
        aside(|| self.outputs.push(Output::Query { server, bytes: bytes.to_vec() }));
    }
}

impl Recorder {
    fn open(&mut self, side: Side, to: SocketAddr) -> ConnId {
        self.connections.push(Some((side, to)));
        Handle::from_parts(self.connections.len() as u16 - 1, 1)
    }

    /// The connection with a peer.
    pub fn connection(&self, peer: SocketAddr) -> Option<ConnId> {
        let place = self.connections.iter().rposition(|c| c.is_some_and(|(_, to)| to == peer))?;
        Some(Handle::from_parts(place as u16, 1))
    }
}

/// Shows what the engine logs, in the output of a failing test.
struct Printer;

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        aside(|| println!("[{}] {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// Settings with which phones may send to any domain without a registration there.
#[allow(dead_code, reason = "not every test needs them")]
pub fn open_settings() -> Settings {
    let mut settings = Settings::default();
    settings.allow_domains.push("*".try_into().unwrap()).unwrap();
    settings
}

/// The bench.
pub struct Rig {
    pub engine: Box<Engine>,
    pub recorder: Recorder,
    pub now: Instant,
    /// What the nameserver answers by itself. Without it, it has no SRV and NAPTR, and queries for addresses come out.
    pub zone: Option<Zone>,
    /// What each side has.
    pub addresses: [Vec<Prefix>; 2],
}

impl Rig {
    /// An engine with both addresses and one nameserver, 192.0.2.53.
    pub fn new(settings: &Settings) -> Self {
        if log::set_logger(&Printer).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        let mut rig = Self {
            engine: Box::new(Engine::new()),
            recorder: Recorder::default(),
            now: Instant::from_millis(1_000_000),
            zone: None,
            addresses: Default::default(),
        };
        rig.engine.seed(Key::new([7; 32]), 42);
        rig.engine.configure(settings);
        rig.address(Side::Lan, Some("10.0.0.1"));
        rig.address(Side::Wan, Some("198.51.100.1"));
        rig.input(Input::Nameservers(&["192.0.2.53:53".parse().unwrap()]));
        rig
    }

    /// Makes phones prove who they are: `USER:PASSWORD` or `USER:$ha1-md5$HEX`, `*` for every user.
    pub fn accounts(&mut self, realm: &str, accounts: &[&str]) {
        let mut accounts = accounts.iter().map(|account| {
            let (user, secret) = account.split_once(':').unwrap();
            Account { user: Some(user).filter(|user| *user != "*"), secret: Secret::parse(secret).unwrap() }
        });
        self.engine.set_accounts(realm, &mut accounts).unwrap();
    }

    /// Hands one input in and gives what came out.
    pub fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        around(0, || self.engine.handle(input, self.now, &mut self.recorder));
        let mut outputs = Vec::new();
        for output in core::mem::take(&mut self.recorder.outputs) {
            let answer = match (&output, &self.zone) {
                (Output::Query { bytes, .. }, Some(zone)) => zone.answer(bytes),
                (Output::Query { bytes, .. }, None) if question(bytes).1 > 28 => Some(dns_answer(bytes, Some([0; 4]))),
                _ => {
                    outputs.push(output);
                    continue;
                }
            };
            if let Some(bytes) = answer {
                outputs.extend(self.input(Input::Dns { from: "192.0.2.53:53".parse().unwrap(), bytes: &bytes }));
                if self.engine.next_timeout().is_some_and(|at| at <= self.now) {
                    outputs.extend(self.input(Input::Timeout));
                }
            }
        }
        outputs
    }

    /// A datagram from the LAN or the WAN, to our address there.
    pub fn datagram(&mut self, side: Side, from: SocketAddr, bytes: &[u8]) -> Vec<Output> {
        self.taken(side, from, None, bytes)
    }

    /// A datagram that the router took on its way elsewhere.
    pub fn taken(&mut self, side: Side, from: SocketAddr, meant_for: Option<SocketAddr>, bytes: &[u8]) -> Vec<Output> {
        let mut bytes = bytes.to_vec();
        self.input(Input::Datagram { on: Channel::on(side), interface: side, from, meant_for, bytes: &mut bytes })
    }

    /// Somebody connects to our address on a side.
    pub fn accept(&mut self, side: Side, from: SocketAddr) -> Vec<Output> {
        self.accept_taken(side, from, None)
    }

    /// Somebody connects, and if to another than us, then the router takes it for us.
    pub fn accept_taken(&mut self, side: Side, from: SocketAddr, meant_for: Option<SocketAddr>) -> Vec<Output> {
        let conn = self.recorder.open(side, from);
        self.input(Input::Conn { conn, event: ConnEvent::Accepted { local: side, interface: side, from, meant_for } })
    }

    /// A message over the connection with `from`.
    pub fn stream(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<Output> {
        let conn = self.recorder.connection(from).unwrap();
        self.input(Input::Stream { conn, bytes: &mut bytes.to_vec() })
    }

    /// What becomes of the connection with `peer`.
    pub fn connection(&mut self, peer: SocketAddr, event: ConnEvent) -> Vec<Output> {
        let conn = self.recorder.connection(peer).unwrap();
        if event != ConnEvent::Opened {
            self.recorder.connections[conn.index()] = None;
        }
        self.input(Input::Conn { conn, event })
    }

    /// Sets or takes away our address on a side.
    pub fn address<'a>(&mut self, side: Side, addresses: impl IntoIterator<Item = &'a str>) {
        let addrs: Vec<_> = addresses
            .into_iter()
            .map(|text| text.parse::<IpAddr>().unwrap())
            .map(|address| Prefix { address, length: if address.is_ipv4() { 24 } else { 64 } })
            .collect();
        self.input(Input::Address { side, addrs: &addrs });
        self.addresses[side as usize] = addrs;
    }

    /// Lets time pass, with every timeout on its way.
    pub fn wait(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now.after(time);
        let mut all = Vec::new();
        while let Some(next) = self.engine.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(next);
            all.extend(self.input(Input::Timeout));
        }
        self.now = end;
        all
    }
}

/// The datagrams among outputs, as text.
pub fn sent(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .filter_map(|o| match o {
            Output::Sent { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        })
        .collect()
}

/// A message written with bare line feeds, as it goes on the wire.
pub fn wire(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}
