//! What the engine remembers of registrations that failed: each cause, what is none, and what makes it forget.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use rig::script::{Player, events};
use siproxd::engine::Settings;
use siproxd::engine::io::Prefix;
use siproxd::limits::MAX_REFUSALS;
use siproxd::time::Duration;

/// The phone and its registrar.
const PHONE: &str = "10.0.0.2:5060";
const REGISTRAR: &str = "203.0.113.10:5060";

/// A REGISTER of alice, its CSeq, and further header lines.
fn register(host: &str, number: u32, more: &str) -> String {
    format!(
        "== lan {PHONE}\nREGISTER sip:{host} SIP/2.0\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{number};rport\nMax-Forwards: 70\n\
         From: <sip:alice@{host}>;tag=a\nTo: <sip:alice@{host}>\nCall-ID: reg\nCSeq: {number} REGISTER\n\
         Contact: <sip:alice@{PHONE}>;expires=600\n{more}Content-Length: {{length}}\n\n"
    )
}

/// The same with a password.
fn with_password(number: u32) -> String {
    let password =
        "Authorization: Digest username=\"alice\", realm=\"p\", nonce=\"n\", uri=\"sip:x\", response=\"00\"\n";
    register("203.0.113.10", number, password)
}

/// What the registrar says to it.
fn answer(status: u16, number: u32, more: &str) -> String {
    format!(
        "== wan {REGISTRAR}\nSIP/2.0 {status} Words\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={{branch}};rport\n\
         From: <sip:alice@203.0.113.10>;tag=a\nTo: <sip:alice@203.0.113.10>;tag=t\nCall-ID: reg\nCSeq: {number} REGISTER\n\
         {more}Content-Length: {{length}}\n\n"
    )
}

/// Lets all of it happen.
fn play(player: &mut Player, script: &str) {
    for event in events(script.as_bytes()) {
        assert!(player.happen(&event).is_some(), "this cannot happen: {}", String::from_utf8_lossy(&event.source));
    }
}

/// The refusals there are: address-of-record, registrar, status, how often.
fn refused(player: &Player) -> Vec<(String, String, u16, u32)> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some((it, next)) = player.rig.engine.refused_register(from, player.rig.now) {
        assert_eq!(it.phone.to_string(), PHONE);
        assert!(!it.reason().is_empty());
        let registrar = it.registrar.map_or("own".to_owned(), |server| server.to_string());
        found.push((String::from_utf8_lossy(&it.aor).into_owned(), registrar, it.status, it.times));
        from = next;
    }
    found
}

/// What that of alice's phone looks like.
fn alice(registrar: &str, status: u16, times: u32) -> Vec<(String, String, u16, u32)> {
    vec![("alice@203.0.113.10".to_owned(), registrar.to_owned(), status, times)]
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"p\", nonce=\"n\"\n";
const STALE: &str = "WWW-Authenticate: Digest realm=\"p\", nonce=\"m\", stale=TRUE\n";

#[test]
fn a_challenge_is_a_refusal_only_where_the_password_was_there() {
    let mut player = Player::new(rig::open_settings());
    play(&mut player, &(register("203.0.113.10", 1, "") + &answer(401, 1, CHALLENGE)));
    assert_eq!(refused(&player), []);
    play(&mut player, &(with_password(2) + &answer(401, 2, STALE)));
    assert_eq!(refused(&player), []);
    play(&mut player, &(with_password(3) + &answer(401, 3, CHALLENGE)));
    assert_eq!(refused(&player), alice(REGISTRAR, 401, 1));
    let (found, _) = player.rig.engine.refused_register(0, player.rig.now).unwrap();
    assert_eq!(found.reason(), "the password is wrong, or the account is not known there");
    // What comes again is one answer; the next challenge changes nothing.
    play(&mut player, &(answer(401, 3, CHALLENGE) + &register("203.0.113.10", 4, "") + &answer(401, 4, CHALLENGE)));
    assert_eq!(refused(&player), alice(REGISTRAR, 401, 1));
    play(&mut player, &(with_password(5) + &answer(403, 5, "")));
    assert_eq!(refused(&player), alice(REGISTRAR, 403, 2));
    play(&mut player, &(with_password(6) + &answer(200, 6, "")));
    assert_eq!(refused(&player), []);
    play(&mut player, &(with_password(7) + &answer(503, 7, "")));
    assert_eq!(refused(&player), alice(REGISTRAR, 503, 1));
}

#[test]
fn who_does_not_answer_is_told_as_408_and_a_day_later_no_more() {
    let mut player = Player::new(rig::open_settings());
    play(&mut player, &(register("203.0.113.10", 1, "") + "== wait 30000\n"));
    assert_eq!(refused(&player), []);
    play(&mut player, "== wait 2000\n");
    assert_eq!(refused(&player), alice(REGISTRAR, 408, 1));
    let soon = player.rig.now.after(Duration::from_secs(23 * 3600));
    assert!(player.rig.engine.refused_register(0, soon).is_some());
    let later = player.rig.now.after(Duration::from_secs(24 * 3600));
    assert!(player.rig.engine.refused_register(0, later).is_none());
    play(&mut player, &(register("203.0.113.10", 2, "") + &format!("== failed {REGISTRAR}\n")));
    assert_eq!(refused(&player), alice(REGISTRAR, 503, 2));
}

#[test]
fn what_siproxd_refuses_itself_is_told_too() {
    let full = Settings { max_bindings: 0, ..rig::open_settings() };
    let mut nobody = rig::open_settings();
    nobody.hosts_allow_reg.networks.push(Prefix { address: [10, 9, 0, 0].into(), length: 16 }).unwrap();
    for (settings, before, host, after, status) in [
        (full, "", "203.0.113.10", "", 503),
        (rig::open_settings(), "== address wan none\n", "203.0.113.10", "", 503),
        (rig::open_settings(), "", "nowhere.example", "== dns none\n", 502),
        (nobody, "", "203.0.113.10", "", 403),
    ] {
        let mut player = Player::new(settings);
        play(&mut player, &(before.to_owned() + &register(host, 1, "") + after));
        assert_eq!(refused(&player), [(format!("alice@{host}"), "own".to_owned(), status, 1)]);
    }
}

#[test]
fn at_our_own_registrar_it_is_the_wrong_password_and_no_challenge() {
    let mut player = Player::new(rig::open_settings());
    let send = |number, more: &str| register("10.0.0.1", number, more);
    let credentials = |password| format!("Authorization: {{digest MD5 alice {password} 1}}\n");
    play(&mut player, &("== realm Home alice:secret\n".to_owned() + &send(1, "")));
    assert_eq!(refused(&player), []);
    play(&mut player, &send(2, &credentials("wrong")));
    assert_eq!(refused(&player), [("alice@10.0.0.1".to_owned(), "own".to_owned(), 403, 1)]);
    // Those for somebody else are answered by a challenge, each time.
    play(
        &mut player,
        &send(
            3,
            "Authorization: Digest username=\"alice\", realm=\"other\", nonce=\"n\", uri=\"x\", response=\"00000000000000000000000000000000\"\n",
        ),
    );
    assert_eq!(refused(&player), [("alice@10.0.0.1".to_owned(), "own".to_owned(), 401, 2)]);
    play(&mut player, &send(4, &credentials("secret")));
    assert_eq!(refused(&player), []);
}

#[test]
fn a_flood_of_accounts_fills_the_places_and_no_more() {
    let mut player = Player::new(Settings { max_bindings: 0, ..rig::open_settings() });
    for number in 0..200u32 {
        play(&mut player, &(register(&format!("203.0.113.{}", number % 250), number + 1, "") + "== wait 1000\n"));
    }
    let found = refused(&player);
    assert_eq!(found.len(), MAX_REFUSALS);
    assert!(found.iter().any(|(aor, ..)| aor == "alice@203.0.113.199"), "{found:?}");
    assert!(!found.iter().any(|(aor, ..)| aor == "alice@203.0.113.100"), "{found:?}");
}
