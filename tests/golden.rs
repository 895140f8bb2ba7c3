//! Golden cases: messages in, messages out, as text in `tests/golden/NN_area/NN_case.txt`.
//!
//! A case is a list of steps. A line `== …` is something that happens; every `=> …` behind it is what must come out:
//!
//! ```text
//! == set max_bindings 1                      a setting, before the first message
//! == lan 10.0.0.2:5060                       a datagram from there, to our address on that side; its text follows
//! == lan 10.0.0.2:5060 for 203.0.113.10:5060 one that was sent there, and that the router took for us
//! == wan 203.0.113.10:5060
//! == dns 203.0.113.10 | == dns none          the answer to the last query
//! == accept lan 10.0.0.2:40000               a TCP connection to our address on that side, or `for` another
//! == tcp lan 10.0.0.2:40000                    a message over the TCP connection with that peer
//! == opened 203.0.113.10:5060                … is open; `refused`: it could not be opened; `closed`
//! == zone provider.example 60 SRV 0 1 5060 one.provider.example   a record; from now on the nameserver answers by itself
//! == zone without one.provider.example | == zone silent | == zone answers
//! == hook load_plugin plugin_prefix.la       one more line of the configuration, about hooks; it acts if all so far are right
//! == hook plugin_prefix_akey 0
//! == realm Home 100:secret 101:$ha1-md5$…    phones must prove who they are; `*:secret` is everybody's
//! == wait 32000                              milliseconds
//! == address wan 198.51.100.7 | == address wan none | == address wan 198.51.100.1 2001:db8:1::1
//! == taken 7070 7072                         ports that another program holds
//! == files none | == files enough            whether more files may be open
//! == failed 203.0.113.10:5060                a datagram there could not be delivered
//! == stun 203.0.113.53:3478 198.51.100.7:5060 the answer to the last request to a STUN server, from there, with that address
//! == drop                                    the first call is dropped from the control socket
//! == idle                                    the relay opened last carried nothing for `rtp_timeout`
//! == restart                                 a new engine with the same key, and the bindings and calls that the old one saved
//! == keep one                                keeps them as `{sx:one}`, `{via:one}`, `{branch:one}`, `{call-id:one}`
//! => lan 10.0.0.2:5060                       a datagram out
//! => tcp lan 10.0.0.2:40000 | => connect wan 203.0.113.10:5060 | => disconnect 0
//! => open lan:7074 wan6:7080 | => add caller IPv6 | => aim caller 10.0.0.2:4000 | => close | => query provider.example
//! ```
//! In what goes out, `#N` stands for a branch, token or sealed Call-ID part; equal ones have the same number.
//! What is sealed into our Via is not shown. In what comes in, `{via}` stands for the last Via that went out, seal and all, `{sx}` for
//! the last token in another header, `{branch}` for the last branch, `{branch to ADDRESS}` and `{via to ADDRESS}` for the last that went
//! there in a request, `{call-id}` for the last Call-ID on that side, `{to-tag}` for the last To tag, `{nonce}` for the last nonce,
//! `{digest ALGORITHM USER PASSWORD COUNT}`
//! for credentials with it in the realm Home (a count of 0: without qop), `{sdp ADDRESS PORT}` for a description with one audio section,
//! and `{length}` for the length of the body. Lines end with LF in the file and CRLF on the wire. `UPDATE=1 cargo test --test golden`
//! writes what comes out into the files; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use core::fmt::Write as _;
use rig::Output;
use rig::script::{Player, events, is_stun, preamble, set, without_seals};
use siproxd::engine::Side;
use siproxd::engine::io::{Leg, RelayCmd};
use siproxd::family::Family;
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
    let mut player: Option<Player> = None;
    let mut written = String::from_utf8_lossy(preamble(case.as_bytes())).into_owned();
    let mut aliases = Aliases::default();
    for event in events(case.as_bytes()) {
        let source = String::from_utf8(event.source.clone()).unwrap();
        written.push_str(&source);
        if event.kind() == "set" {
            let settings = player.as_mut().map_or(&mut settings, |player| &mut player.settings);
            assert!(set(settings, &event.words[1..]), "no such setting: {source}");
            continue;
        }
        let player = player.get_or_insert_with(|| Player::new(settings.clone()));
        let outputs = player.happen(&event).unwrap_or_else(|| panic!("this cannot happen: {source}"));
        for output in &outputs {
            written.push_str(&aliases.replace_in(&describe(output)));
        }
    }
    written
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

fn side(side: Side) -> &'static str {
    if side == Side::Lan { "lan" } else { "wan" }
}

fn in_family(family: Family) -> &'static str {
    if family == Family::V4 { "" } else { "6" }
}

fn describe(output: &Output) -> String {
    match output {
        Output::Sent { via, to, bytes } if is_stun(bytes) => format!("=> stun {} {to}\n", side(via.local)),
        Output::Sent { via, to, bytes } => {
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            let end = if text.ends_with('\n') { "" } else { "\n" };
            let tcp = if via.is_reliable() { "tcp " } else { "" };
            format!("=> {tcp}{} {to}\n{}{end}", side(via.local), without_seals(&text))
        }
        Output::Connect { side: from, to, .. } => format!("=> connect {} {to}\n", side(*from)),
        Output::Disconnect { conn } => format!("=> disconnect {}\n", conn.index()),
        Output::Relay(RelayCmd::Open { sides, families, ports, .. }) => {
            let [caller, callee] = families.map(in_family);
            format!("=> open {}{caller}:{} {}{callee}:{}\n", side(sides[0]), ports[0], side(sides[1]), ports[1])
        }
        Output::Relay(RelayCmd::AddFamily { leg, family, .. }) => {
            let leg = if *leg == Leg::Caller { "caller" } else { "callee" };
            format!("=> add {leg} {family}\n")
        }
        Output::Relay(RelayCmd::Retarget { leg, peer, .. }) => {
            let leg = if *leg == Leg::Caller { "caller" } else { "callee" };
            let place = |at: Option<core::net::SocketAddr>| at.map_or("nowhere".to_owned(), |a| a.to_string());
            let allowed: Vec<_> = peer.allowed.iter().flatten().map(ToString::to_string).collect();
            format!("=> aim {leg} rtp {} rtcp {} from {}\n", place(peer.rtp), place(peer.rtcp), allowed.join(" "))
        }
        Output::Relay(RelayCmd::Count { .. }) => "=> count\n".to_owned(),
        Output::Relay(RelayCmd::Close { .. }) => "=> close\n".to_owned(),
        Output::Query { bytes, .. } => format!("=> query {}\n", rig::dns::question(bytes).0),
    }
}
