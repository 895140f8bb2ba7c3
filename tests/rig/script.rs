//! Scripts: what happens to an engine, as text, in the language of the golden cases (`tests/golden.rs` tells it).
//!
//! A line `== …` begins an event, whatever follows up to the next one is the datagram. What is no part of the language makes
//! nothing happen and panics nowhere, so that any bytes are a script; who wants to know gets `None` or `false`.

use super::{Output, Rig, dns_answer};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use siproxd::config::Config;
use siproxd::engine::auth::{Account, Secret};
use siproxd::engine::io::{MediaReport, Prefix, RelayId};
use siproxd::engine::{Channel, ConnEvent, Input, Settings, Side};
use siproxd::sip::via::Transport;
use siproxd::time::Duration;
use std::collections::HashMap;
use std::path::Path;

/// Begins an event.
pub const MARK: &str = "== ";
/// Begins what must come out, which a script has no use for.
const OUTPUT: &str = "=> ";
const NAMESERVER: &str = "192.0.2.53:53";

/// One event: its words, and the datagram if it has one.
#[derive(Clone, Debug)]
pub struct Event {
    pub words: Vec<String>,
    pub body: String,
    /// The lines that it was read from.
    pub source: Vec<u8>,
}

impl Event {
    /// What happens.
    pub fn kind(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The side and the source of a message; `None` where the event is another.
    pub fn message(&self) -> Option<(Side, SocketAddr)> {
        let at = usize::from(self.kind() == "tcp");
        let side = match self.words.get(at)?.as_str() {
            "lan" => Side::Lan,
            "wan" => Side::Wan,
            _ => return None,
        };
        Some((side, self.words.get(at + 1)?.parse().ok()?))
    }
}

/// The events of a script. A byte is a character here, so that nothing is lost.
pub fn events(script: &[u8]) -> Vec<Event> {
    let text: String = script.iter().map(|byte| char::from(*byte)).collect();
    let mut events = Vec::<Event>::new();
    let mut output = true;
    for line in text.split_inclusive('\n') {
        if let Some(event) = line.strip_prefix(MARK) {
            let words = event.split_whitespace().map(str::to_owned).collect();
            events.push(Event { words, body: String::new(), source: bytes(line) });
            output = false;
        } else if line.starts_with(OUTPUT) {
            output = true;
        } else if let Some(event) = events.last_mut().filter(|_| !output) {
            event.body.push_str(line);
            event.source.extend(bytes(line));
        }
    }
    events
}

/// What stands before the first event.
pub fn preamble(script: &[u8]) -> &[u8] {
    let mark = |at: &usize| script[*at..].starts_with(MARK.as_bytes()) && (*at == 0 || script[*at - 1] == b'\n');
    &script[..(0..script.len()).find(mark).unwrap_or(script.len())]
}

/// Sets a directive; `false` where it is none that a script may set.
pub fn set(settings: &mut Settings, words: &[String]) -> bool {
    set_checked(settings, words).is_some()
}

fn set_checked(settings: &mut Settings, words: &[String]) -> Option<()> {
    let (name, values) = words.split_first()?;
    let value = values.first()?;
    let number = |n: usize| values.get(n)?.parse::<u32>().ok();
    match name.as_str() {
        "max_bindings" => settings.max_bindings = number(0)? as usize,
        "max_calls" => settings.max_calls = number(0)? as usize,
        "topology_hiding" => settings.topology_hiding = number(0)? != 0,
        "obscure_loops" => settings.obscure_loops = number(0)? != 0,
        "use_rport" => settings.use_rport = number(0)?.try_into().ok()?,
        "rtp_timeout_bye" => settings.rtp_timeout_bye = number(0)? != 0,
        "keep_dialogs" => settings.keep_dialogs = number(0)? != 0,
        "rtp_proxy_enable" => settings.rtp_proxy_enable = number(0)? != 0,
        "default_expires" => settings.default_expires = number(0)?,
        "ua_string" => settings.ua_string = values.join(" ").as_str().try_into().ok()?,
        "lan_expires" => settings.lan_expires = number(0)?,
        "sip_keepalive" => settings.sip_keepalive = number(0)?,
        "rtp_ports" => {
            // What the configuration's reader lets through: even ports that have one above.
            let even = |n| number(n)?.try_into().ok().filter(|port: &u16| *port > 0 && port.is_multiple_of(2));
            (settings.rtp_port_low, settings.rtp_port_high) = (even(0)?, even(1)?.max(even(0)?));
        }
        "host_outbound" => match value.parse() {
            Ok(ip) => settings.host_outbound = Some(ip),
            Err(_) => settings.host_outbound_name = value.as_str().try_into().ok()?,
        },
        "allow_domains" => {
            let domains = values.iter().filter(|domain| *domain != "none").map(|domain| domain.as_str().try_into());
            let domains: Result<Vec<_>, _> = domains.collect();
            settings.allow_domains.clear();
            settings.allow_domains.extend_from_slice(&domains.ok()?).ok()?;
        }
        "wan_allow" | "lan_networks" => {
            let (address, length) = value.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let length = length.parse().ok().filter(|length| *length <= bits)?;
            let list = if name == "wan_allow" { &mut settings.wan_allow } else { &mut settings.lan_networks };
            list.push(Prefix { address, length }).ok()?;
        }
        "hosts_allow_reg" | "hosts_allow_sip" | "hosts_deny_sip" => {
            let list = match name.as_str() {
                "hosts_allow_reg" => &mut settings.hosts_allow_reg,
                "hosts_allow_sip" => &mut settings.hosts_allow_sip,
                _ => &mut settings.hosts_deny_sip,
            };
            let (host, length) = value.split_once('/')?;
            let length = length.parse().ok().filter(|length| *length <= 128)?;
            match host.parse() {
                Ok(address) => list.networks.push(Prefix { address, length }).ok()?,
                Err(_) => {
                    let (host, length) = (host.try_into().ok()?, length.min(32));
                    list.names.push(siproxd::engine::settings::NamedHost { host, length }).ok()?;
                }
            }
        }
        "outbound_proxy" => {
            let (host, port) = (value.as_str().try_into().ok()?, number(1)?.try_into().ok()?);
            settings.outbound_proxy = Some(siproxd::engine::settings::HostPort { host, port });
        }
        "mask_host" => settings.masked_hosts.push(value, values.get(1)?).ok()?,
        "outbound_domain" => settings.outbound_domains.push(value, values.get(1)?, number(2)?.try_into().ok()?).ok()?,
        "outbound_proxy_transport" => settings.outbound_proxy_transport = Some(Transport::Tcp),
        _ => return None,
    }
    Some(())
}

/// A script that runs: an engine, and what later events may refer to.
pub struct Player {
    pub settings: Settings,
    pub rig: Rig,
    names: HashMap<String, String>,
    last_query: Vec<u8>,
    /// Relays that are open.
    pub relays: Vec<RelayId>,
    /// The last request to a STUN server.
    last_stun: Vec<u8>,
    /// The lines of a configuration that are about hooks.
    hooks: String,
}

impl Player {
    /// An engine on the bench with these settings.
    pub fn new(settings: Settings) -> Self {
        let rig = Rig::new(&settings);
        Self {
            settings,
            rig,
            names: HashMap::new(),
            last_query: Vec::new(),
            relays: Vec::new(),
            last_stun: Vec::new(),
            hooks: String::new(),
        }
    }

    /// The datagram of an event, as it goes on the wire.
    pub fn datagram(&self, event: &Event) -> Vec<u8> {
        let side = event.words.get(usize::from(event.kind() == "tcp")).map_or("", String::as_str);
        bytes(&wire_lines(&self.filled_in(&event.body, side)))
    }

    /// Lets an event happen; `None` where it is none.
    pub fn happen(&mut self, event: &Event) -> Option<Vec<Output>> {
        let words: Vec<&str> = event.words.iter().map(String::as_str).collect();
        let meant_for = |at: usize| (*words.get(at)? == "for").then(|| words.get(at + 1)?.parse().ok()).flatten();
        let address = || words.get(1).and_then(|word| word.parse::<SocketAddr>().ok());
        let outputs = match *words.first()? {
            "lan" | "wan" => {
                let (side, from) = event.message()?;
                self.rig.taken(side, from, meant_for(2), &self.datagram(event))
            }
            "tcp" => {
                let (_, from) = event.message().filter(|(_, from)| self.rig.recorder.connection(*from).is_some())?;
                self.rig.stream(from, &self.datagram(event))
            }
            "accept" => {
                let side = if *words.get(1)? == "lan" { Side::Lan } else { Side::Wan };
                let from: SocketAddr = words.get(2)?.parse().ok()?;
                self.rig.recorder.connection(from).is_none().then(|| self.rig.accept_taken(side, from, meant_for(3)))?
            }
            "opened" | "refused" | "closed" => {
                let peer = address().filter(|peer| self.rig.recorder.connection(*peer).is_some())?;
                let event = match words[0] {
                    "opened" => ConnEvent::Opened,
                    "refused" => ConnEvent::Failed,
                    _ => ConnEvent::Closed,
                };
                self.rig.connection(peer, event)
            }
            "dns" => {
                let host = words.get(1).and_then(|word| word.parse::<Ipv4Addr>().ok()).map(|ip| ip.octets());
                let answer = (!self.last_query.is_empty()).then(|| dns_answer(&self.last_query, host))?;
                self.dns(&answer)
            }
            "records" => {
                // The header's flags and counts, and all that stands behind the question.
                let (flags, records) =
                    bytes(&event.body).split_at_checked(10).map(|(a, b)| (a.to_vec(), b.to_vec()))?;
                let (id, question) = (self.last_query.get(..2)?, self.last_query.get(12..)?);
                let answer = [id, &flags, question, &records].concat();
                self.dns(&answer)
            }
            "zone" => {
                let zone = self.rig.zone.get_or_insert_default();
                match (*words.get(1)?, words.get(2)) {
                    ("silent", _) => zone.silent = true,
                    ("answers", _) => zone.silent = false,
                    ("without", Some(name)) => zone.remove(name),
                    _ if is_record(&words[1..]) => zone.add(&words[1..]),
                    _ => return None,
                }
                Vec::new()
            }
            "realm" => {
                let accounts: Option<Vec<Account<'_>>> = words.get(2..)?.iter().map(|word| account(word)).collect();
                // A realm that cannot stand in a header is refused.
                let _ = self.rig.engine.set_accounts(words[1], &mut accounts?.into_iter());
                Vec::new()
            }
            "wait" => {
                let millis = words.get(1).and_then(|word| word.parse::<u64>().ok())?;
                self.rig.wait(Duration::from_millis(millis))
            }
            "address" => {
                let side = if *words.get(1)? == "lan" { Side::Lan } else { Side::Wan };
                self.rig.address(side, words[2..].iter().copied().filter(|word| word.parse::<IpAddr>().is_ok()));
                Vec::new()
            }
            "taken" => {
                self.rig.recorder.taken = words[1..].iter().filter_map(|word| word.parse().ok()).collect();
                Vec::new()
            }
            "files" => {
                self.rig.recorder.no_files = *words.get(1)? == "none";
                Vec::new()
            }
            "idle" => {
                let relay = self.rig.recorder.last_opened?;
                self.rig.input(Input::Media(MediaReport::Idle(relay)))
            }
            "drop" => {
                let Rig { engine, recorder, now, .. } = &mut self.rig;
                let call = engine.call_stats(0, recorder)?.0.id;
                // What it says of itself is for the test of the edge.
                engine.drop_call(call, *now, recorder)?;
                core::mem::take(&mut recorder.outputs)
            }
            "stun" => {
                let (from, mapped) = (address()?, words.get(2)?.parse::<SocketAddr>().ok()?);
                let answer = stun_answer(&self.last_stun, mapped)?;
                self.rig.datagram(Side::Wan, from, &answer)
            }
            "failed" => self.rig.input(Input::SendFailed { via: Channel::WAN, to: address()? }),
            "hook" => {
                let line = words.get(1).filter(|name| name.contains("plugin") || **name == "redirect_numbers")?;
                self.hooks += &format!("{line} = {}\n", words[2..].join(" "));
                self.set_hooks();
                Vec::new()
            }
            "restart" => self.restart(),
            "keep" => {
                let mark = *words.get(1)?;
                let last = self.names.iter().filter(|(name, _)| !name.contains(':'));
                let kept: Vec<_> = last.map(|(n, value)| (format!("{n}:{mark}"), value.clone())).collect();
                self.names.extend(kept);
                Vec::new()
            }
            _ => return None,
        };
        self.remember(&outputs);
        Some(outputs)
    }

    fn dns(&mut self, answer: &[u8]) -> Vec<Output> {
        let from = NAMESERVER.parse().unwrap();
        let mut outputs = self.rig.input(Input::Dns { from, bytes: answer });
        outputs.extend(self.rig.wait(Duration::ZERO));
        outputs
    }

    /// Has the hooks act that the lines so far make, as far as they are right.
    fn set_hooks(&mut self) {
        if let Ok((config, _)) = Config::parse(Path::new("hooks.conf"), self.hooks.as_bytes()) {
            self.rig.engine.set_hooks(&config.hook_settings());
        }
    }

    /// The same engine after a restart: the key is kept, and so are bindings and calls. The edge closes what was open.
    fn restart(&mut self) -> Vec<Output> {
        const UNIX_NOW: u64 = 1_700_000_000;
        let mut saved = String::new();
        self.rig.engine.save(self.rig.now, UNIX_NOW, &mut saved).unwrap();
        let now = self.rig.now;
        let addresses = core::mem::take(&mut self.rig.addresses);
        self.rig = Rig::new(&self.settings);
        self.rig.now = now;
        self.set_hooks();
        for (side, addrs) in [Side::Lan, Side::Wan].into_iter().zip(addresses) {
            self.rig.input(Input::Address { side, addrs: &addrs });
            self.rig.addresses[side as usize] = addrs;
        }
        self.relays.clear();
        for line in saved.lines() {
            // One that does not fit, or that has expired in this very second, is left out: the next message shows it.
            let Rig { engine, recorder, .. } = &mut self.rig;
            let _ = engine.restore(line, now, UNIX_NOW, recorder);
        }
        core::mem::take(&mut self.rig.recorder.outputs)
    }

    /// A message with its names in braces replaced, on its way from `side`.
    fn filled_in(&self, body: &str, side: &str) -> String {
        let mut body = body.to_owned();
        for (name, value) in &self.names {
            // Call-IDs differ between the sides: `call-id` is that of the side that the message comes from.
            let (name, of_side) = name.split_once('@').unwrap_or((name, side));
            let (of_side, kept) = of_side.split_once(':').map_or((of_side, ""), |(of_side, kept)| (of_side, kept));
            if of_side == side {
                let colon = if kept.is_empty() { "" } else { ":" };
                body = body.replace(&format!("{{{name}{colon}{kept}}}"), value);
            }
        }
        while let Some((before, rest)) = body.split_once("{sdp ") {
            let Some((address, rest)) = rest.split_once(' ') else { break };
            let Some((port, rest)) = rest.split_once('}') else { break };
            body = format!(
                "{before}v=0\no=- 1 1 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\nm=audio {port} RTP/AVP 0{rest}"
            );
        }
        while let Some((before, rest)) = body.split_once("{digest ") {
            let Some((words, rest)) = rest.split_once('}') else { break };
            let nonce = self.names.get("nonce").map_or("invented", String::as_str);
            let Some(credentials) = credentials(words, nonce) else { break };
            body = format!("{before}{credentials}{rest}");
        }
        let length = body.split_once("\n\n").map_or(0, |(_, rest)| wire_lines(rest).chars().count());
        body.replace("{length}", &length.to_string())
    }

    /// Keeps what later events may refer to.
    fn remember(&mut self, outputs: &[Output]) {
        use siproxd::engine::io::RelayCmd;
        for output in outputs {
            match output {
                Output::Query { bytes, .. } => self.last_query.clone_from(bytes),
                Output::Relay(RelayCmd::Open { relay, .. }) => self.relays.push(*relay),
                Output::Relay(RelayCmd::Close { relay }) => self.relays.retain(|open| open != relay),
                Output::Relay(RelayCmd::AddFamily { .. } | RelayCmd::Retarget { .. } | RelayCmd::Count { .. })
                | Output::Connect { .. }
                | Output::Disconnect { .. } => {}
                Output::Sent { bytes, .. } if is_stun(bytes) => self.last_stun.clone_from(bytes),
                Output::Sent { via, to, bytes } => {
                    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                    let side = if via.local == Side::Lan { "lan" } else { "wan" };
                    self.remember_text(&text.replace("\r\n", "\n"), side, *to);
                }
            }
        }
    }

    fn remember_text(&mut self, text: &str, side: &str, to: SocketAddr) {
        let names = &mut self.names;
        let mut keep = |name: &str, value: Option<String>| value.map(|value| names.insert(name.to_owned(), value));
        keep("nonce", after(text, "nonce=\""));
        keep("sx", after(&without_seals(text), ";sx="));
        let via = text.lines().find_map(|line| line.strip_prefix("Via: ")).map(str::to_owned);
        keep(&format!("via to {to}"), via.clone().filter(|via| via.contains(";branch=z9hG4bKsx")));
        keep("via", via);
        let branch = after(text, ";branch=z9hG4bKsx").map(|b| format!("z9hG4bKsx{b}"));
        keep(&format!("branch to {to}"), branch.clone());
        keep("branch", branch);
        let to = text.lines().find(|line| line.starts_with("To: "));
        keep("to-tag", to.and_then(|to| after(to, ";tag=")));
        let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
        keep(&format!("call-id@{side}"), call_id.map(str::to_owned));
    }
}

/// A message without what is sealed into the Vias.
pub fn without_seals(text: &str) -> String {
    let shown = |line: &str| match line.split_once(";sx=") {
        Some((before, rest)) if line.starts_with("Via: ") => {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(rest.len());
            format!("{before}{}", &rest[end..])
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(shown).collect()
}

/// Credentials for a REGISTER: algorithm, user, password, count.
fn credentials(words: &str, nonce: &str) -> Option<String> {
    use siproxd::sip::digest::{Algorithm, Credentials, Hash};
    let [algorithm, user, password, count] = words.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let algorithm = Algorithm::from_name(algorithm.as_bytes())?;
    let count: u32 = count.parse().ok()?;
    let qop = if count > 0 { format!(", qop=auth, nc={count:08x}, cnonce=\"c\"") } else { String::new() };
    let written = |response: &str| {
        let name = algorithm.name();
        format!(
            "Digest username=\"{user}\", realm=\"Home\", nonce=\"{nonce}\", uri=\"sip:10.0.0.1\", algorithm={name}{qop}, response=\"{response}\""
        )
    };
    let ha1 = Hash::of_password(algorithm, user.as_bytes(), b"Home", password.as_bytes());
    let empty = written(&ha1.to_hex());
    let response = Credentials::parse(empty.as_bytes()).ok()?.expected(&ha1, b"REGISTER");
    Some(written(&response.to_hex()))
}

/// Lines that end with CRLF; a line that ends with CRLF in the script has the bare LF.
fn wire_lines(text: &str) -> String {
    let lines: Vec<_> = text.split("\r\n").map(|part| part.replace('\n', "\r\n")).collect();
    lines.join("\n")
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

fn after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect())
}

/// Whether a datagram is a request to a STUN server.
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x00\x01\x00\x00\x21\x12\xa4\x42")
}

/// The answer of a STUN server that sees a request come from there.
fn stun_answer(request: &[u8], mapped: SocketAddr) -> Option<Vec<u8>> {
    let SocketAddr::V4(mapped) = mapped else { return None };
    let port = (mapped.port() ^ 0x2112).to_be_bytes();
    let ip = (mapped.ip().to_bits() ^ 0x2112_a442).to_be_bytes();
    let header = [b"\x01\x01\x00\x0c", request.get(4..20)?].concat();
    Some([&header[..], b"\x00\x20\x00\x08\x00\x01", &port, &ip].concat())
}

/// An account as the script writes it, `USER:PASSWORD` or `USER:$ha1-md5$HEX`; `*` is every user.
fn account(word: &str) -> Option<Account<'_>> {
    let (user, secret) = word.split_once(':')?;
    Some(Account { user: Some(user).filter(|user| *user != "*"), secret: Secret::parse(secret)? })
}

/// Whether a zone takes these words as a record.
fn is_record(words: &[&str]) -> bool {
    let is_name = |name: &str| name.split('.').all(|label| label.len() < 64) && name.len() < 250;
    let numbers = |from: usize, to: usize| words[from..to].iter().all(|word| word.parse::<u16>().is_ok());
    words.len() > 3
        && is_name(words[0])
        && words[1].parse::<u32>().is_ok()
        && match words[2] {
            "A" => words[3].parse::<Ipv4Addr>().is_ok(),
            "AAAA" => words[3].parse::<core::net::Ipv6Addr>().is_ok(),
            "CNAME" => is_name(words[3]),
            "SRV" => words.len() > 6 && numbers(3, 6) && is_name(words[6]),
            "NAPTR" => words.len() > 6 && numbers(3, 5) && words[5].len() < 256 && is_name(words[6]),
            _ => false,
        }
}
