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
//! == wait 32000                              milliseconds
//! == address wan 198.51.100.7 | == address wan none
//! == taken 7070 7072                         ports that another program holds
//! => lan 10.0.0.2:5060                       a datagram out
//! => tcp lan 10.0.0.2:40000 | => connect wan 203.0.113.10:5060 | => disconnect 0
//! => open lan:7074 wan:7080 | => aim caller 10.0.0.2:4000 | => close | => query provider.example
//! ```
//! In what comes in, `{sx}` stands for the last token that went out, `{branch}` for the last branch, `{call-id}` for the
//! last Call-ID on that side, and `{length}` for the length of the body. Lines end with LF in the file and CRLF on the wire. `UPDATE=1 cargo test --test golden`
//! writes what comes out into the files; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::fmt::Write as _;
use rig::{Output, Rig, dns_answer, wire};
use siproxd::engine::io::{Leg, RelayCmd};
use siproxd::engine::{ConnEvent, Input, Settings, Side};
use siproxd::time::Duration;
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
    let mut settings = Settings::default();
    let mut rig: Option<Rig> = None;
    let mut written = String::new();
    let mut last_query = Vec::new();
    let (mut token, mut branch) = (String::new(), String::new());
    let mut call_ids = std::collections::HashMap::new();
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
            if words[0] == "set" {
                set(&mut settings, &words[1..]);
                continue;
            }
            let rig = rig.get_or_insert_with(|| Rig::new(&settings));
            let body = body
                .replace("{sx}", &token)
                .replace("{branch}", &branch)
                .replace("{call-id}", call_ids.get(words[usize::from(words[0] == "tcp")]).map_or("", String::as_str));
            let length = body.split_once("\n\n").map_or(0, |(_, rest)| wire(rest).len());
            let body = body.replace("{length}", &length.to_string());
            let outputs = happen(rig, &words, &body, &last_query);
            for output in &outputs {
                if let Output::Query { bytes, .. } = output {
                    last_query.clone_from(bytes);
                }
                let text = describe(output);
                token = after(&text, ";sx=").unwrap_or(token);
                branch = after(&text, ";branch=z9hG4bKsx").map_or(branch, |b| format!("z9hG4bKsx{b}"));
                if let Some(line) = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")) {
                    let side = text.split_whitespace().skip(1).find(|word| *word != "tcp").unwrap_or_default();
                    call_ids.insert(side.to_owned(), line.to_owned());
                }
                written.push_str(&text);
            }
        } else {
            written.push_str(line);
            written.push('\n');
        }
    }
    written
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
        "outbound_proxy_transport" => settings.outbound_proxy_transport = siproxd::sip::via::Transport::Tcp,
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
        Output::Query { bytes, .. } => {
            let mut name = String::new();
            let mut at = 12;
            while bytes[at] != 0 {
                let len = usize::from(bytes[at]);
                name.push_str(&String::from_utf8_lossy(&bytes[at + 1..=at + len]).to_ascii_lowercase());
                name.push('.');
                at += len + 1;
            }
            format!("=> query {}\n", name.trim_end_matches('.'))
        }
    }
}
