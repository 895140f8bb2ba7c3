//! Golden cases: messages in, messages out, as text in `tests/golden/NN_area/NN_case.txt`.
//!
//! A case is a list of steps. A line `== …` is something that happens; every `=> …` behind it is what must come out:
//!
//! ```text
//! == set max_bindings 1                      a setting, before the first message
//! == lan 10.0.0.2:5060                       a datagram from there, to our address on that side; its text follows
//! == wan 203.0.113.10:5060
//! == dns 203.0.113.10 | == dns none          the answer to the last query
//! == accept lan 10.0.0.2:40000               a TCP connection to our address on that side
//! == tcp lan 10.0.0.2:40000                    a message over the TCP connection with that peer
//! == opened 203.0.113.10:5060                … is open; `refused`: it could not be opened; `closed`
//! == zone provider.example 60 SRV 0 1 5060 one.provider.example   a record; from now on the nameserver answers by itself
//! == zone without one.provider.example | == zone silent | == zone answers
//! == realm Home 100:secret 101:$ha1-md5$…    phones must prove who they are; `*:secret` is everybody's
//! == wait 32000                              milliseconds
//! == address wan 198.51.100.7 | == address wan none
//! == taken 7070 7072                         ports that another program holds
//! == failed 203.0.113.10:5060                a datagram there could not be delivered
//! == idle                                    the relay opened last carried nothing for `rtp_timeout`
//! == restart                                 a new engine with the same key, and the bindings that the old one saved
//! == keep one                                keeps token, branch and Call-IDs as `{sx:one}`, `{branch:one}`, `{call-id:one}`
//! => lan 10.0.0.2:5060                       a datagram out
//! => tcp lan 10.0.0.2:40000 | => connect wan 203.0.113.10:5060 | => disconnect 0
//! => open lan:7074 wan:7080 | => aim caller 10.0.0.2:4000 | => close | => query provider.example
//! ```
//! In what goes out, `#N` stands for a branch, token or sealed Call-ID part; equal ones have the same number.
//! In what comes in, `{sx}` stands for the last token that went out, `{branch}` for the last branch, `{call-id}` for the
//! last Call-ID on that side, `{branch to ADDRESS}` for the last branch that went there, `{to-tag}` for the last To tag, `{nonce}` for the last nonce, `{digest ALGORITHM USER PASSWORD COUNT}`
//! for credentials with it in the realm Home (a count of 0: without qop), `{sdp ADDRESS PORT}` for a description with one audio section,
//! and `{length}` for the length of the body. Lines end with LF in the file and CRLF on the wire. `UPDATE=1 cargo test --test golden`
//! writes what comes out into the files; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::fmt::Write as _;
use rig::{Output, Rig, dns_answer, wire};
use siproxd::engine::io::{Leg, MediaReport, Prefix, RelayCmd};
use siproxd::engine::{ConnEvent, Input, Settings, Side};
use siproxd::time::Duration;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[test]
fn every_case_comes_out_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .flat_map(|area| std::fs::read_dir(area.unwrap().path()).unwrap())
        .map(|case| case.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no golden cases found");
    let mut failed = Vec::new();
    for case in &cases {
        let wanted = std::fs::read_to_string(case).unwrap();
        let got = run(&wanted);
        if got == wanted {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(case, &got).unwrap();
            println!("updated {}", case.display());
        } else {
            failed.push(format!("{}\n{}", case.display(), first_difference(&wanted, &got)));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

fn first_difference(wanted: &str, got: &str) -> String {
    let line = wanted.lines().zip(got.lines()).position(|(w, g)| w != g);
    let number = line.unwrap_or_else(|| wanted.lines().count().min(got.lines().count()));
    let show = |text: &str| text.lines().nth(number).unwrap_or("(end)").to_owned();
    format!("  line {}\n  wanted: {}\n  got:    {}", number + 1, show(wanted), show(got))
}

/// Runs a case and writes it anew with what really came out.
fn run(case: &str) -> String {
    // Most cases have no registration; those about `allow_domains` say so.
    let mut settings = rig::open_settings();
    let mut rig: Option<Rig> = None;
    let mut written = String::new();
    let mut aliases = Aliases::default();
    let mut last_query = Vec::new();
    let mut names = HashMap::<String, String>::new();
    let mut lines = case.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(event) = line.strip_prefix("== ") {
            let mut body = String::new();
            while let Some(next) = lines.next_if(|l| !l.starts_with("== ") && !l.starts_with("=> ")) {
                body.push_str(next);
                body.push('\n');
            }
            while lines.next_if(|l| !l.starts_with("== ")).is_some() {}
            let _ = write!(written, "{line}\n{body}");
            let words: Vec<&str> = event.split_whitespace().collect();
            match words[0] {
                "set" => {
                    set(&mut settings, &words[1..]);
                    continue;
                }
                "realm" => {
                    rig.get_or_insert_with(|| Rig::new(&settings)).accounts(words[1], &words[2..]);
                    continue;
                }
                "restart" => {
                    rig = rig.as_ref().map(|old| restarted(old, &settings));
                    continue;
                }
                "keep" => {
                    let last = names.iter().filter(|(name, _)| !name.contains(':'));
                    let kept: Vec<_> = last.map(|(n, value)| (format!("{n}:{}", words[1]), value.clone())).collect();
                    names.extend(kept);
                    continue;
                }
                _ => {}
            }
            let rig = rig.get_or_insert_with(|| Rig::new(&settings));
            let body = filled_in(&body, words[usize::from(words[0] == "tcp")], &names);
            let outputs = happen(rig, &words, &body, &last_query);
            for output in &outputs {
                if let Output::Query { bytes, .. } = output {
                    last_query.clone_from(bytes);
                }
                let text = describe(output);
                remember(&text, &mut names);
                written.push_str(&aliases.replace_in(&text));
            }
        } else {
            written.push_str(line);
            written.push('\n');
        }
    }
    written
}

/// The same engine after a restart: the key is kept, and so are the bindings.
fn restarted(old: &Rig, settings: &Settings) -> Rig {
    const UNIX_NOW: u64 = 1_700_000_000;
    let mut saved = String::new();
    old.engine.save_bindings(old.now, UNIX_NOW, &mut saved).unwrap();
    let mut new = Rig::new(settings);
    for line in saved.lines() {
        new.engine.restore_binding(line, new.now, UNIX_NOW).unwrap();
    }
    new
}

/// A message of the case with its names in braces replaced, on its way from `side`.
fn filled_in(body: &str, side: &str, names: &HashMap<String, String>) -> String {
    let mut body = body.to_owned();
    for (name, value) in names {
        // Call-IDs differ between the sides: `call-id` is that of the side that the message comes from.
        let (name, of_side) = name.split_once('@').unwrap_or((name, side));
        let (of_side, kept) = of_side.split_once(':').map_or((of_side, ""), |(of_side, kept)| (of_side, kept));
        if of_side == side {
            let colon = if kept.is_empty() { "" } else { ":" };
            body = body.replace(&format!("{{{name}{colon}{kept}}}"), value);
        }
    }
    while let Some((before, rest)) = body.split_once("{sdp ") {
        let (address, rest) = rest.split_once(' ').unwrap();
        let (port, rest) = rest.split_once('}').unwrap();
        body = format!(
            "{before}v=0\no=- 1 1 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\nm=audio {port} RTP/AVP 0{rest}"
        );
    }
    while let Some((before, rest)) = body.split_once("{digest ") {
        let (words, rest) = rest.split_once('}').unwrap();
        let nonce = names.get("nonce").map_or("invented", String::as_str);
        body = format!("{before}{}{rest}", credentials(words, nonce));
    }
    let length = body.split_once("\n\n").map_or(0, |(_, rest)| wire(rest).len());
    body.replace("{length}", &length.to_string())
}

/// Credentials for a REGISTER: algorithm, user, password, count.
fn credentials(words: &str, nonce: &str) -> String {
    use siproxd::sip::digest::{Algorithm, Credentials, Hash};
    let words: Vec<&str> = words.split(' ').collect();
    let algorithm = Algorithm::from_name(words[0].as_bytes()).unwrap();
    let count: u32 = words[3].parse().unwrap();
    let qop = if count > 0 { format!(", qop=auth, nc={count:08x}, cnonce=\"c\"") } else { String::new() };
    let written = |response: &str| {
        format!(
            "Digest username=\"{}\", realm=\"Home\", nonce=\"{nonce}\", uri=\"sip:10.0.0.1\", algorithm={}{qop}, response=\"{response}\"",
            words[1],
            algorithm.name()
        )
    };
    let ha1 = Hash::of_password(algorithm, words[1].as_bytes(), b"Home", words[2].as_bytes());
    let empty = written(&ha1.to_hex());
    let response = Credentials::parse(empty.as_bytes()).unwrap().expected(&ha1, b"REGISTER");
    written(&response.to_hex())
}

/// Keeps what the messages of a case may refer to.
fn remember(text: &str, names: &mut HashMap<String, String>) {
    let mut keep = |name: &str, value: Option<String>| value.map(|value| names.insert(name.to_owned(), value));
    keep("sx", after(text, ";sx="));
    keep("nonce", after(text, "nonce=\""));
    keep("branch", after(text, ";branch=z9hG4bKsx").map(|b| format!("z9hG4bKsx{b}")));
    let to_peer = text.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or_default();
    keep(&format!("branch to {to_peer}"), after(text, ";branch=z9hG4bKsx").map(|b| format!("z9hG4bKsx{b}")));
    let to = text.lines().find(|line| line.starts_with("To: "));
    keep("to-tag", to.and_then(|to| after(to, ";tag=")));
    if let Some(call_id) = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")) {
        let side = text.split_whitespace().skip(1).find(|word| *word != "tcp").unwrap_or_default();
        keep(&format!("call-id@{side}"), Some(call_id.to_owned()));
    }
}

/// Numbers in place of what is computed with our key: equal ones are seen to be equal, and no case changes when what goes
/// into a hash does.
#[derive(Default)]
struct Aliases(Vec<String>);

impl Aliases {
    /// What stands before a computed text, and the letters of one.
    const KINDS: [(&str, &str); 5] = [
        ("nonce=\"", "abcdefghijklmnopqrstuvwxyz234567"),
        ("branch=z9hG4bKsx", "0123456789abcdef."),
        (";sx=", "abcdefghijklmnopqrstuvwxyz234567"),
        (".x", "abcdefghijklmnopqrstuvwxyz234567"),
        (".y", "abcdefghijklmnopqrstuvwxyz234567"),
    ];
    /// Shorter ones are not computed.
    const SHORTEST: usize = 16;

    fn replace_in(&mut self, text: &str) -> String {
        Self::KINDS.iter().fold(text.to_owned(), |text, (mark, letters)| {
            let mut pieces = text.split(mark);
            let mut replaced = pieces.next().unwrap_or_default().to_owned();
            for piece in pieces {
                let end = piece.find(|c| !letters.contains(c)).unwrap_or(piece.len());
                let (computed, rest) = piece.split_at(end);
                replaced.push_str(mark);
                if computed.len() >= Self::SHORTEST {
                    let _ = write!(replaced, "#{}", self.number_of(computed));
                } else {
                    replaced.push_str(computed);
                }
                replaced.push_str(rest);
            }
            replaced
        })
    }

    fn number_of(&mut self, computed: &str) -> usize {
        let known = self.0.iter().position(|c| c == computed);
        known.unwrap_or_else(|| {
            self.0.push(computed.to_owned());
            self.0.len() - 1
        }) + 1
    }
}

fn after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect())
}

fn set(settings: &mut Settings, words: &[&str]) {
    let number = || words[1].parse::<usize>().unwrap();
    match words[0] {
        "max_bindings" => settings.max_bindings = number(),
        "max_calls" => settings.max_calls = number(),
        "topology_hiding" => settings.topology_hiding = number() != 0,
        "rtp_proxy_enable" => settings.rtp_proxy_enable = number() != 0,
        "default_expires" => settings.default_expires = number() as u32,
        "host_outbound" => settings.host_outbound = Some(words[1].parse().unwrap()),
        "wan_allow" | "lan_networks" => {
            let (address, length) = words[1].split_once('/').unwrap();
            let prefix = Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() };
            let list = if words[0] == "wan_allow" { &mut settings.wan_allow } else { &mut settings.lan_networks };
            list.push(prefix).unwrap();
        }
        "allow_domains" => {
            settings.allow_domains =
                words[1..].iter().filter(|w| **w != "none").map(|w| (*w).try_into().unwrap()).collect();
        }
        "sip_keepalive" => settings.sip_keepalive = number() as u32,
        "rtp_ports" => {
            settings.rtp_port_low = words[1].parse().unwrap();
            settings.rtp_port_high = words[2].parse().unwrap();
        }
        "outbound_proxy" => {
            settings.outbound_proxy = Some(siproxd::engine::settings::HostPort {
                host: heapless::String::try_from(words[1]).unwrap(),
                port: words[2].parse().unwrap(),
            });
        }
        "outbound_proxy_transport" => settings.outbound_proxy_transport = Some(siproxd::sip::via::Transport::Tcp),
        other => panic!("unknown setting {other}"),
    }
}

fn happen(rig: &mut Rig, words: &[&str], body: &str, last_query: &[u8]) -> Vec<Output> {
    match words[0] {
        "lan" => rig.datagram(Side::Lan, words[1].parse().unwrap(), &wire(body)),
        "wan" => rig.datagram(Side::Wan, words[1].parse().unwrap(), &wire(body)),
        "tcp" => rig.stream(words[2].parse().unwrap(), &wire(body)),
        "accept" => rig.accept(if words[1] == "lan" { Side::Lan } else { Side::Wan }, words[2].parse().unwrap()),
        "opened" => rig.connection(words[1].parse().unwrap(), ConnEvent::Opened),
        "refused" => rig.connection(words[1].parse().unwrap(), ConnEvent::Failed),
        "closed" => rig.connection(words[1].parse().unwrap(), ConnEvent::Closed),
        "dns" => {
            let address = words[1].parse::<core::net::Ipv4Addr>().ok().map(|ip| ip.octets());
            let answer = dns_answer(last_query, address);
            let mut outputs = rig.input(Input::Dns { from: "192.0.2.53:53".parse().unwrap(), bytes: &answer });
            outputs.extend(rig.wait(Duration::ZERO));
            outputs
        }
        "zone" => {
            let zone = rig.zone.get_or_insert_default();
            match words[1] {
                "silent" => zone.silent = true,
                "answers" => zone.silent = false,
                "without" => zone.remove(words[2]),
                _ => zone.add(&words[1..]),
            }
            Vec::new()
        }
        "wait" => rig.wait(Duration::from_millis(words[1].parse().unwrap())),
        "address" => {
            let side = if words[1] == "lan" { Side::Lan } else { Side::Wan };
            rig.address(side, Some(words[2]).filter(|a| *a != "none"));
            Vec::new()
        }
        "taken" => {
            rig.recorder.taken = words[1..].iter().map(|w| w.parse().unwrap()).collect();
            Vec::new()
        }
        "idle" => {
            let relay = rig.recorder.last_opened.expect("a relay was opened");
            rig.input(Input::Media(MediaReport::Idle(relay)))
        }
        "failed" => rig.input(Input::SendFailed { via: siproxd::engine::Channel::WAN, to: words[1].parse().unwrap() }),
        other => panic!("unknown event {other}"),
    }
}

fn side(side: Side) -> &'static str {
    if side == Side::Lan { "lan" } else { "wan" }
}

fn describe(output: &Output) -> String {
    match output {
        Output::Sent { via, to, bytes } => {
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            let end = if text.ends_with('\n') { "" } else { "\n" };
            let tcp = if via.is_reliable() { "tcp " } else { "" };
            format!("=> {tcp}{} {to}\n{text}{end}", side(via.local))
        }
        Output::Connect { side: from, to, .. } => format!("=> connect {} {to}\n", side(*from)),
        Output::Disconnect { conn } => format!("=> disconnect {}\n", conn.index()),
        Output::Relay(RelayCmd::Open { sides, ports, .. }) => {
            format!("=> open {}:{} {}:{}\n", side(sides[0]), ports[0], side(sides[1]), ports[1])
        }
        Output::Relay(RelayCmd::Retarget { leg, peer, .. }) => {
            let leg = if *leg == Leg::Caller { "caller" } else { "callee" };
            let place = |at: Option<core::net::SocketAddr>| at.map_or("nowhere".to_owned(), |a| a.to_string());
            let allowed: Vec<_> = peer.allowed.iter().flatten().map(ToString::to_string).collect();
            format!("=> aim {leg} rtp {} rtcp {} from {}\n", place(peer.rtp), place(peer.rtcp), allowed.join(" "))
        }
        Output::Relay(RelayCmd::Close { .. }) => "=> close\n".to_owned(),
        Output::Query { bytes, .. } => format!("=> query {}\n", rig::dns::question(bytes).0),
    }
}
