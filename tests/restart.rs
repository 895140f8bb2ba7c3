//! What is saved for a restart can be read again, and nothing else does harm.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod rig;

use proptest::prelude::*;
use rig::dns::Zone;
use rig::{Output, Rig, open_settings, wire};
use siproxd::engine::io::RelayCmd;
use siproxd::engine::settings::HostPort;
use siproxd::engine::{RestoreError, Restored, Settings, Side};

const UNIX_NOW: u64 = 1_700_000_000;

/// A call with two sections, answered.
fn talking() -> Rig {
    let mut rig = Rig::new(&open_settings());
    let sdp = |ip: &str| {
        wire(&format!(
            "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\n"
        ))
    };
    let message = |start: &str, via: &str, to_tag: &str, body: &[u8]| {
        let head = format!(
            "{start}\nVia: {via}\nFrom: <sip:alice@a>;tag=1\nTo: <sip:bob@b>{to_tag}\nCall-ID: c\nCSeq: 1 INVITE\n\
             Contact: <sip:x@{}>\nContent-Type: application/sdp\nContent-Length: {}\n\n",
            if to_tag.is_empty() { "10.0.0.2" } else { "203.0.113.10" },
            body.len()
        );
        [wire(&head), body.to_vec()].concat()
    };
    let via = "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1;rport";
    let invite = message("INVITE sip:bob@203.0.113.10 SIP/2.0", via, "", &sdp("10.0.0.2"));
    let outputs = rig.datagram(Side::Lan, "10.0.0.2:5060".parse().unwrap(), &invite);
    let sent = rig::sent(&outputs);
    let answer = message("SIP/2.0 200 OK", rig::text::header(&sent[0], "Via"), ";tag=2", &sdp("203.0.113.10"));
    rig.datagram(Side::Wan, "203.0.113.10:5060".parse().unwrap(), &answer);
    assert_eq!(rig.engine.usage().relays, 2);
    rig
}

fn saved(rig: &Rig) -> String {
    let mut text = String::new();
    rig.engine.save(rig.now, UNIX_NOW, &mut text).unwrap();
    text
}

fn restore(rig: &mut Rig, line: &str, unix_now: u64) -> Result<Restored, RestoreError> {
    rig.engine.restore(line, rig.now, unix_now, &mut rig.recorder)
}

#[test]
fn a_call_is_saved_as_it_was_restored() {
    let text = saved(&talking());
    let mut rig = Rig::new(&open_settings());
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!(saved(&rig), text);
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (2, 2));
    let aimed = rig.recorder.outputs.iter().filter(|o| matches!(o, Output::Relay(RelayCmd::Retarget { .. }))).count();
    assert_eq!(aimed, 4);
}

#[test]
fn a_call_has_an_end_all_the_same() {
    let text = saved(&talking());
    let mut rig = Rig::new(&Settings { max_calls: 1, ..open_settings() });
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW + 121), Err(RestoreError::Expired));
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW + 120), Ok(Restored::Call));
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Err(RestoreError::Full));
}

#[test]
fn a_relay_whose_ports_are_taken_is_left_out() {
    let text = saved(&talking());
    let port: u16 = text.split("relay=1,").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let mut rig = Rig::new(&open_settings());
    rig.recorder.taken.push(port);
    assert_eq!(restore(&mut rig, text.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (1, 1));
    // A second call that names the same ports.
    let digest = text.split("digest=").nth(1).unwrap().split(' ').next().unwrap();
    let other = text.replace(digest, &"0".repeat(32));
    assert_eq!(restore(&mut rig, other.trim_end(), UNIX_NOW), Ok(Restored::Call));
    assert_eq!((rig.engine.usage().relays, rig.recorder.open), (1, 1));
}

#[test]
fn a_call_that_cannot_have_been_one_is_not_taken_back() {
    let text = saved(&talking());
    let text = text.trim_end();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}: {text}");
        text.replace(from, to)
    };
    let port = text.split("relay=0,").nth(1).unwrap().split(',').next().unwrap();
    let refused = [
        // Aimed at hosts that no description may name: this one, the LAN from the WAN, a stranger from the LAN, everybody.
        (with("203.0.113.10:4000", "127.0.0.1:80"), RestoreError::Foreign),
        (with("203.0.113.10:4000", "10.0.0.7:80"), RestoreError::Foreign),
        (with("203.0.113.10:4001", "[::ffff:10.0.0.7]:80"), RestoreError::Foreign),
        (with("10.0.0.2:4000", "192.0.2.9:4000"), RestoreError::Foreign),
        (with("10.0.0.2:4000", "224.0.0.1:4000"), RestoreError::Foreign),
        (with("203.0.113.10:4000", "203.0.113.10:0"), RestoreError::Foreign),
        (with(",203.0.113.10 ", ",10.0.0.7 "), RestoreError::Foreign),
        (with("callee=wan,203.0.113.10", "callee=wan,10.0.0.7"), RestoreError::Foreign),
        (with("callee=wan,203.0.113.10", "callee=wan,127.0.0.1"), RestoreError::Foreign),
        (with("caller=lan,10.0.0.2", "caller=lan,192.0.2.9"), RestoreError::Foreign),
        // Ports of other services.
        (with(&format!("relay=0,{port}"), "relay=0,22"), RestoreError::Foreign),
        (with(&format!("relay=0,{port}"), "relay=0,70000"), RestoreError::Syntax),
        // Two relays for one section, of which the call would forget one.
        (with("relay=1,", "relay=0,"), RestoreError::Syntax),
        (with("relay=1,", "relay=8,"), RestoreError::Syntax),
        // Torn.
        (text[..text.len() - 4].to_owned(), RestoreError::Syntax),
        (text.split(" relay=1").next().unwrap().to_owned() + " relay=1,7070", RestoreError::Syntax),
    ];
    for (line, why) in refused {
        let mut rig = Rig::new(&open_settings());
        assert_eq!(restore(&mut rig, &line, UNIX_NOW), Err(why), "{line}");
        assert_eq!((rig.engine.usage().calls, rig.engine.ports_in_use(), rig.recorder.open), (0, 0, 0), "{line}");
    }
    let mut rig = Rig::new(&open_settings());
    assert_eq!(restore(&mut rig, text, UNIX_NOW), Ok(Restored::Call));
    assert_eq!(restore(&mut rig, text, UNIX_NOW), Err(RestoreError::Double));
    assert_eq!((rig.engine.usage().calls, rig.recorder.open), (1, 2));
}

#[test]
fn a_binding_that_cannot_have_been_one_is_not_taken_back() {
    let line = |place: &str, contact: &str, more: &str| {
        format!(
            "expires={} place={place} renamed=0 registrar=203.0.113.10:5060 aor=a@b contact={contact}{more}",
            UNIX_NOW + 600
        )
    };
    let at = "10.0.0.2:5060";
    for (line, why) in [
        (line("192.0.2.9:53", "sip:a@192.0.2.9", ""), RestoreError::Foreign),
        (line("255.255.255.255:5060", "sip:a@h", ""), RestoreError::Foreign),
        (line("10.0.0.2:0", "sip:a@10.0.0.2", ""), RestoreError::Syntax),
        (line("10.0.0.2:70000", "sip:a@10.0.0.2", ""), RestoreError::Syntax),
        (line(at, "http://10.0.0.2", ""), RestoreError::Syntax),
        (line(at, "sip:", ""), RestoreError::Syntax),
        (line(at, "sip:a@10.0.0.2", " q=9"), RestoreError::Syntax),
        (line(at, "sip:a@10.0.0.2", " more"), RestoreError::Syntax),
        (line(at, "sip:a@10.0.0.2", "").replace("10:5060 aor", "10:0 aor"), RestoreError::Syntax),
        (line(at, &format!("sip:{}@h", "a".repeat(300)), ""), RestoreError::Syntax),
    ] {
        let mut rig = Rig::new(&open_settings());
        assert_eq!(restore(&mut rig, &line, UNIX_NOW), Err(why), "{line}");
        assert_eq!(rig.engine.usage().bindings, 0, "{line}");
    }
}

/// What a server sends after the binding that it keeps has ended.
fn is_answered(rig: &mut Rig) -> bool {
    let text = wire(
        "OPTIONS sip:198.51.100.1 SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK9\nFrom: <sip:p@h>;tag=1\n\
         To: <sip:h>\nCall-ID: o\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n",
    );
    !rig.datagram(Side::Wan, "203.0.113.10:5060".parse().unwrap(), &text).is_empty()
}

#[test]
fn a_binding_that_is_there_twice_ends_once() {
    let mut rig = Rig::new(&Settings { sip_keepalive: 0, ..open_settings() });
    let line = format!(
        "expires={} place=10.0.0.2:5060 renamed=0 registrar=203.0.113.10:5060 aor=a@b contact=sip:a@10.0.0.2",
        UNIX_NOW + 60
    );
    assert!(!is_answered(&mut rig));
    assert_eq!(restore(&mut rig, &line, UNIX_NOW), Ok(Restored::Binding));
    assert_eq!(restore(&mut rig, &line, UNIX_NOW), Err(RestoreError::Double));
    assert!(is_answered(&mut rig));
    rig.wait(siproxd::time::Duration::from_secs(61));
    assert_eq!(rig.engine.usage().bindings, 0);
    assert!(!is_answered(&mut rig), "its server is a stranger again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_line_does_no_harm(at in any::<proptest::sample::Index>(), with in "[ -~]{0,3}", cut in any::<bool>()) {
        let text = saved(&talking());
        let at = at.index(text.len());
        let rest = if cut { "" } else { text.get(at + 1..).unwrap_or("") };
        let mut rig = Rig::new(&open_settings());
        let _ = restore(&mut rig, &format!("{}{with}{rest}", &text[..at]), UNIX_NOW);
        prop_assert_eq!(rig.engine.usage().relays, rig.recorder.open);
    }
}

/// What a registrar of the name, or the proxy before it, is found for a phone that siproxd 0.8 knew; a server is answered once it is.
#[test]
fn who_keeps_a_registration_of_siproxd_08_is_asked_of_the_dns() {
    let proxy = HostPort { host: "proxy.example".try_into().unwrap(), port: 5070 };
    for (outbound_proxy, name, at) in
        [(None, "provider.example", "203.0.113.10:5060"), (Some(proxy), "proxy.example", "203.0.113.10:5070")]
    {
        let mut rig = Rig::new(&Settings { outbound_proxy, sip_keepalive: 0, ..open_settings() });
        rig.zone = Some(Zone::default());
        rig.zone.as_mut().unwrap().add(&[name, "60", "A", "203.0.113.10"]);
        let uris = ("sip:a@10.0.0.2", "sip:a@Provider.example");
        let import = |rig: &mut Rig| rig.engine.import(uris, UNIX_NOW + 60, rig.now, UNIX_NOW, &mut rig.recorder);
        assert_eq!(import(&mut rig), Ok(Restored::Binding));
        assert_eq!(import(&mut rig), Err(RestoreError::Double));
        assert!(saved(&rig).contains(" registrar=? aor=a@provider.example contact=sip:a@10.0.0.2"), "{}", saved(&rig));
        let phones = rig.engine.phones_version();
        assert!(!is_answered(&mut rig), "nobody is known yet");
        let outputs = rig.input(siproxd::engine::io::Input::Timeout);
        assert!(outputs.is_empty(), "{outputs:?}");
        assert!(saved(&rig).contains(&format!(" registrar={at} ")), "{}", saved(&rig));
        assert_ne!(rig.engine.phones_version(), phones);
        assert!(is_answered(&mut rig));
        // And the same from a file that was saved in between.
        let line = saved(&rig).replace(&format!("registrar={at}"), "registrar=?");
        let mut again = Rig::new(&open_settings());
        again.zone = rig.zone.take();
        if name == "provider.example" {
            assert_eq!(restore(&mut again, line.trim_end(), UNIX_NOW), Ok(Restored::Binding));
            again.input(siproxd::engine::io::Input::Timeout);
            assert!(saved(&again).contains(&format!(" registrar={at} ")), "{}", saved(&again));
        }
    }
}

#[test]
fn a_binding_of_siproxd_08_that_cannot_have_been_one_is_not_taken() {
    for (contact, aor, expires, why) in [
        ("sip:a@phone.example", "sip:a@b", UNIX_NOW + 60, RestoreError::Foreign),
        ("sip:a@192.0.2.9", "sip:a@b", UNIX_NOW + 60, RestoreError::Foreign),
        ("sip:a@10.0.0.2", "sip:a@b", UNIX_NOW, RestoreError::Expired),
        ("sip:a@10.0.0.2", "sip:b", UNIX_NOW + 60, RestoreError::Syntax),
        ("tel:1", "sip:a@b", UNIX_NOW + 60, RestoreError::Syntax),
        ("", "", UNIX_NOW + 60, RestoreError::Syntax),
        ("sip:a@10.0.0.2", "sip:a@b", u64::MAX, RestoreError::Syntax),
    ] {
        let mut rig = Rig::new(&open_settings());
        let taken = rig.engine.import((contact, aor), expires, rig.now, UNIX_NOW, &mut rig.recorder);
        assert_eq!((taken, rig.engine.usage().bindings), (Err(why), 0), "{contact} {aor}");
    }
}

/// What makes a phone known, unknown, or found elsewhere is told from a refresh.
#[test]
fn a_refresh_changes_no_phone() {
    let mut rig = Rig::new(&open_settings());
    let mut cseq = 0;
    let mut register = |rig: &mut Rig, port: u16, expires: u32| {
        cseq += 1;
        let text = wire(&format!(
            "REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:{port};branch=z9hG4bK{cseq}\nFrom: <sip:a@10.0.0.1>;tag=1\n\
             To: <sip:a@10.0.0.1>\nCall-ID: r\nCSeq: {cseq} REGISTER\nContact: <sip:a@10.0.0.2:{port}>\nExpires: {expires}\n\
             Content-Length: 0\n\n"
        ));
        let before = (rig.engine.saved_version(), rig.engine.phones_version());
        rig.datagram(Side::Lan, format!("10.0.0.2:{port}").parse().unwrap(), &text);
        (rig.engine.saved_version() != before.0, rig.engine.phones_version() != before.1)
    };
    assert_eq!(register(&mut rig, 5060, 600), (true, true), "new");
    assert_eq!(register(&mut rig, 5060, 600), (true, false), "refreshed");
    assert_eq!(register(&mut rig, 5062, 600), (true, true), "elsewhere, too");
    assert_eq!(register(&mut rig, 5062, 0), (true, true), "gone");
}
