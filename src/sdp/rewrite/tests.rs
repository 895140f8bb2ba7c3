use super::super::SdpError;
use super::*;
use crate::limits::MAX_SECTIONS;
use proptest::prelude::*;

const OURS: &str = "203.0.113.1";
const OURS_V6: &str = "2001:db8::1";

fn apply(text: &str, address: &str, decisions: &[Decision]) -> Result<String, SdpError> {
    let bytes = text.as_bytes();
    let sdp = Description::parse(bytes, Span::from_usize(0, bytes.len()))?;
    let mut edits = Box::new(Edits::new());
    rewrite(bytes, &sdp, address.parse().expect("an address"), decisions, &mut edits).expect("room");
    let out = edits.parts(bytes).concat();
    assert_eq!(out.len(), edits.edited_len(sdp.whole));
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn relay(port: u16) -> Decision {
    Decision::Relay(SocketAddr::new(OURS.parse().expect("an address"), port))
}

fn relay_v6(port: u16) -> Decision {
    Decision::Relay(SocketAddr::new(OURS_V6.parse().expect("an address"), port))
}

/// Rewrites `text`, with CRLF for each line end, and compares.
fn check(text: &str, decisions: &[Decision], expected: &str) {
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let out = apply(&crlf(text), OURS, decisions).expect("valid");
    assert_eq!(out, crlf(expected));
}

#[test]
fn baresip() {
    check(
        "v=0\no=- 3895621347 1209537216 IN IP4 10.0.1.20\ns=-\nc=IN IP4 10.0.1.20\nt=0 0\na=tool:baresip 1.0.0\n\
         m=audio 17662 RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n\
         a=fmtp:101 0-15\na=rtcp:17663\na=sendrecv\na=label:1\na=ptime:20\n",
        &[relay(7070)],
        "v=0\no=- 3895621347 1209537216 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\na=tool:baresip 1.0.0\n\
         m=audio 7070 RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n\
         a=fmtp:101 0-15\na=rtcp:7071\na=sendrecv\na=label:1\na=ptime:20\n",
    );
}

#[test]
fn linphone_with_ice_and_video() {
    check(
        "v=0\no=alice 1212 3403 IN IP4 192.168.1.50\ns=Talk\nc=IN IP4 192.168.1.50\nt=0 0\n\
         a=ice-pwd:6d0ee1d1a1a0c1b2\na=ice-ufrag:8f3a\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL\n\
         a=group:BUNDLE as vs\nm=audio 7078 RTP/AVP 96 0 8 101\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\n\
         a=mid:as\na=candidate:1 1 UDP 2130706303 192.168.1.50 7078 typ host\n\
         a=candidate:1 2 UDP 2130706302 192.168.1.50 7079 typ host\n\
         a=candidate:2 1 UDP 1694498687 198.51.100.9 43211 typ srflx raddr 192.168.1.50 rport 7078\n\
         a=rtcp-fb:* trr-int 1000\nm=video 9078 RTP/AVP 97\na=rtpmap:97 VP8/90000\na=mid:vs\n\
         a=remote-candidates:1 192.168.1.50 9078\n",
        &[relay(7070), Decision::Decline],
        "v=0\no=alice 1212 3403 IN IP4 203.0.113.1\ns=Talk\nc=IN IP4 203.0.113.1\nt=0 0\n\
         a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL\n\
         m=audio 7070 RTP/AVP 96 0 8 101\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\n\
         a=mid:as\na=rtcp-fb:* trr-int 1000\nm=video 0 RTP/AVP 97\na=rtpmap:97 VP8/90000\na=mid:vs\n",
    );
}

#[test]
fn snom_with_srtp_and_a_connection_per_section() {
    check(
        "v=0\no=root 1821375346 1821375346 IN IP4 10.0.1.30\ns=call\nt=0 0\nm=audio 51842 RTP/SAVP 9 8 0\n\
         c=IN IP4 10.0.1.30\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:Zm9vYmFy\na=rtcp:51843 IN IP4 10.0.1.30\n\
         a=ptime:20\n",
        &[relay(7072)],
        "v=0\no=root 1821375346 1821375346 IN IP4 203.0.113.1\ns=call\nt=0 0\nm=audio 7072 RTP/SAVP 9 8 0\n\
         c=IN IP4 203.0.113.1\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:Zm9vYmFy\na=rtcp:7073 IN IP4 203.0.113.1\n\
         a=ptime:20\n",
    );
}

#[test]
fn grandstream_with_fax() {
    check(
        "v=0\no=8001 8000 8001 IN IP4 10.0.1.40\ns=SIP Call\nc=IN IP4 10.0.1.40\nt=0 0\nm=audio 0 RTP/AVP 0\n\
         m=image 5004 udptl t38\na=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n",
        &[Decision::Keep, relay(7074)],
        "v=0\no=8001 8000 8001 IN IP4 203.0.113.1\ns=SIP Call\nc=IN IP4 203.0.113.1\nt=0 0\nm=audio 0 RTP/AVP 0\n\
         m=image 7074 udptl t38\na=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n",
    );
}

#[test]
fn a_bundle_is_untied() {
    check(
        "v=0\no=- 1 2 IN IP4 10.0.1.50\ns=-\nt=0 0\na=group:BUNDLE a v\na=Group: bundle x\na=group:LS a v\nm=audio 9 UDP/TLS/RTP/SAVPF 111\n\
         c=IN IP4 10.0.1.50\na=rtcp:9 IN IP4 0.0.0.0\na=mid:a\na=rtcp-mux\na=setup:actpass\na=fingerprint:sha-256 12:DF\n\
         m=video 0 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 10.0.1.50\na=bundle-only\na=mid:v\n",
        &[relay(7070), Decision::Keep],
        "v=0\no=- 1 2 IN IP4 203.0.113.1\ns=-\nt=0 0\na=group:LS a v\nm=audio 7070 UDP/TLS/RTP/SAVPF 111\n\
         c=IN IP4 203.0.113.1\na=rtcp:7070 IN IP4 203.0.113.1\na=mid:a\na=rtcp-mux\na=setup:actpass\na=fingerprint:sha-256 12:DF\n\
         m=video 0 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 203.0.113.1\na=mid:v\n",
    );
}

#[test]
fn sections_beyond_the_last_are_declined() {
    let sections = |port: u16| format!("m=audio {port} RTP/AVP 0\n").repeat(MAX_SECTIONS);
    let beyond = |port: &str, ours: &str, rest: &str| {
        format!("m=video {port} RTP/AVP 31\nc=IN IP4 {ours}\n{rest}m=audio 0 RTP/AVP 0\n")
    };
    check(
        &format!("v=0\nc=IN IP4 10.0.0.1\n{}{}", sections(4000), beyond("5000/2", "10.0.0.2", "a=rtcp:5003\n")),
        &[relay(7070); MAX_SECTIONS],
        &format!("v=0\nc=IN IP4 203.0.113.1\n{}{}", sections(7070), beyond("0", OURS, "")),
    );
}

#[test]
fn hold_by_an_unspecified_address_stays() {
    check(
        "v=0\no=- 1 2 IN IP4 0.0.0.0\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 5004 RTP/AVP 0\na=inactive\n",
        &[relay(7070)],
        "v=0\no=- 1 2 IN IP4 203.0.113.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 7070 RTP/AVP 0\na=inactive\n",
    );
}

#[test]
fn the_other_family_is_told_to_send_nowhere_in_its_own_words() {
    let hold = |c: &str| format!("v=0\no=- 1 2 IN IP4 10.0.0.1\ns=-\nt=0 0\nm=audio 5004 RTP/AVP 0\nc=IN {c}\n");
    let held = |c: &str| format!("v=0\no=- 1 2 IN IP4 203.0.113.1\ns=-\nt=0 0\nm=audio 7070 RTP/AVP 0\nc=IN {c}\n");
    check(&hold("IP4 0.0.0.0"), &[relay_v6(7070)], &held("IP6 ::"));
    check(&hold("IP6 ::"), &[relay(7070)], &held("IP4 0.0.0.0"));
    check(&hold("IP6 ::ffff:0.0.0.0"), &[relay(7070)], &held("IP4 0.0.0.0"));
    check(&hold("IP6 ::/3"), &[relay_v6(7070)], &held("IP6 ::"));
}

#[test]
fn sections_of_two_families_have_an_address_each() {
    check(
        "v=0\no=- 1 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na=sendrecv\n\
         m=video 5006 RTP/AVP 31\ni=Door\nb=AS:64\nm=video 0 RTP/AVP 31\nm=video 5008 RTP/AVP 31\nc=IN IP6 fd00::1\n\
         m=video 5010 RTP/AVP 31",
        &[relay_v6(7070), relay(7072), Decision::Keep, relay_v6(7074), relay(7076)],
        "v=0\no=- 1 2 IN IP4 203.0.113.1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\nm=audio 7070 RTP/AVP 0\na=sendrecv\n\
         m=video 7072 RTP/AVP 31\ni=Door\nc=IN IP4 203.0.113.1\nb=AS:64\nm=video 0 RTP/AVP 31\nm=video 7074 RTP/AVP 31\n\
         c=IN IP6 2001:db8::1\nm=video 7076 RTP/AVP 31\nc=IN IP4 203.0.113.1",
    );
    check(
        "v=0\nc=IN IP4 0.0.0.0\nm=audio 5004 RTP/AVP 0\nm=video 5006 RTP/AVP 31\n",
        &[relay(7070), relay_v6(7072)],
        "v=0\nc=IN IP4 0.0.0.0\nm=audio 7070 RTP/AVP 0\nm=video 7072 RTP/AVP 31\nc=IN IP6 ::\n",
    );
}

#[test]
fn a_connection_by_name_is_not_told_twice() {
    let head =
        "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.2\nt=0 0\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\n";
    let ours = "v=0\no=- 1 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\nm=audio 7070 RTP/AVP 0\nm=audio 7074 RTP/AVP 0\n";
    for lines in ["c=IN IP4 phone.example\n", "i=x\nc=IN IP4 phone.example\n", "b=AS:64\nc=IN IP4 phone.example\n"] {
        let before = lines.split_inclusive('\n').filter(|line| !line.starts_with("c=")).collect::<String>();
        // An `i=` belongs before the `c=`, all else after it (RFC 8866 §5).
        let (info, rest) = if before.starts_with("i=") { (&before[..], "") } else { ("", &before[..]) };
        check(
            &format!("{head}{lines}"),
            &[relay(7070), relay_v6(7074)],
            &format!("{ours}{info}c=IN IP6 2001:db8::1\n{rest}"),
        );
    }
}

#[test]
fn what_nobody_decided_on_is_declined_and_tells_nothing() {
    check(
        "v=0\no=- 1 1 IN IP4 phone.lan\nc=IN IP4 10.0.0.1/127\nc=IN IP4 10.0.0.2\na=source-filter: incl IN IP4 * 10.0.0.3\n\
         a=rtcp:1 IN IP4 10.0.0.1\nm=audio 5004/2 RTP/AVP 0\na=rtcp:5005 IN IP4 10.0.0.1\na=alt:1 1 : x y 10.0.0.1 5004\n\
         m=audio 5008/2 RTP/AVP 0\nc=IN IP4 10.0.0.4\na=rtcp:junk 10.0.0.1\na=altc:1 IP4 10.0.0.1 5004\nc=IN IP6 fe80::1\n\
         m=message 2855 TCP/MSRP *\nc=ATM NSAP 47\nc=X\n"
            .replace("2855", "0")
            .as_str(),
        &[Decision::Decline, relay(7070), relay(7072)],
        "v=0\no=- 1 1 IN IP4 203.0.113.1\nc=IN IP4 203.0.113.1\n\
         m=audio 0 RTP/AVP 0\n\
         m=audio 7070 RTP/AVP 0\nc=IN IP4 203.0.113.1\na=rtcp:7071 IN IP4 203.0.113.1\n\
         m=message 0 TCP/MSRP *\nc=IN IP4 203.0.113.1\n",
    );
}

#[test]
fn the_address_type_follows_the_address() {
    let out = apply(
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 5004 RTP/AVP 0\na=rtcp:5005 IN IP4 10.0.0.1",
        "2001:db8::1",
        &[relay_v6(7070)],
    );
    let expected = "v=0\nc=IN IP6 2001:db8::1\nm=audio 7070 RTP/AVP 0\na=rtcp:7071 IN IP6 2001:db8::1";
    assert_eq!(out.as_deref(), Ok(expected), "and a missing line end stays missing");
}

#[test]
fn a_hundred_candidates_are_one_edit() {
    let candidates = "a=candidate:1 1 UDP 1 10.0.0.1 5004 typ host\n".repeat(500);
    let text = format!("v=0\nc=IN IP4 10.0.0.1\nm=audio 5004 RTP/AVP 0\n{candidates}a=sendrecv\n");
    let out = apply(&text, OURS, &[relay(7070)]);
    assert_eq!(out.as_deref(), Ok("v=0\nc=IN IP4 203.0.113.1\nm=audio 7070 RTP/AVP 0\na=sendrecv\n"));
}

#[test]
fn too_many_edits_are_an_error() {
    let text = format!("v=0\n{}", "a=ice-lite\na=x\n".repeat(1000));
    let sdp = Description::parse(text.as_bytes(), Span::from_usize(0, text.len())).expect("valid");
    let mut edits = Box::new(Edits::new());
    let address = OURS.parse().expect("an address");
    assert_eq!(rewrite(text.as_bytes(), &sdp, address, &[], &mut edits), Err(EditError::Full));
}

/// Lines of a phone at 10.x.x.x, some of them damaged.
fn any_line() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        3 => any::<[u8; 3]>().prop_map(|[b, c, d]| format!("10.{b}.{c}.{d}")),
        1 => Just("0.0.0.0".to_owned()),
        1 => Just("fe80::10".to_owned()),
        1 => Just("10.0.0.1/127".to_owned()),
        1 => Just("10.host.lan".to_owned()),
    ];
    let blank = prop_oneof![4 => Just(" "), 1 => Just("  "), 1 => Just("\t")];
    let kind = prop_oneof![5 => Just("IP4"), 1 => Just("IP6"), 1 => Just("ip4"), 1 => Just("X")];
    let connection = (address, kind, blank).prop_map(|(address, kind, blank)| format!("IN{blank}{kind} {address}"));
    let end = prop_oneof![4 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\r\n\r\n")];
    let line = (connection, any::<u16>(), 0..17).prop_map(|(connection, port, shape)| match shape {
        0 => format!("o=- 1 1 {connection}"),
        1 | 2 => format!("c={connection}"),
        3..=5 => format!("m=audio {port} RTP/AVP 0"),
        6 => format!("m=audio {port}/2 RTP/AVP 0"),
        7 => "m=image 0 udptl t38".to_owned(),
        8 => format!("a=rtcp:{port} {connection}"),
        9 => format!("a=rtcp: {port}"),
        10 => format!("A=rtcp:{port}"),
        11 => format!("a=candidate:1 1 UDP {port} 10.0.0.1 {port} typ host"),
        12 => "a=ICE-mismatch".to_owned(),
        13 => format!("a=source-filter:incl {connection} 10.0.0.1"),
        14 => format!("a=rtcp:{connection}"),
        15 => "a=rtcp-mux".to_owned(),
        _ => "a=sendrecv".to_owned(),
    });
    (line, end).prop_map(|(line, end)| format!("{line}{end}"))
}

fn any_decision() -> impl Strategy<Value = Decision> {
    prop_oneof![Just(Decision::Decline), any::<u16>().prop_map(relay), any::<u16>().prop_map(relay_v6)]
}

proptest! {
    #[test]
    fn only_our_address_is_left(
        lines in proptest::collection::vec(any_line(), 0..30),
        decisions in proptest::collection::vec(any_decision(), 0..8),
    ) {
        let text = format!("v=0\r\n{}", lines.concat());
        let Ok(out) = apply(&text, OURS, &decisions) else { return Ok(()) };
        prop_assert!(!out.contains("10.") && !out.contains("fe80"), "{out}");
        let parsed = Description::parse(out.as_bytes(), Span::from_usize(0, out.len()));
        let sdp = parsed.map_err(|error| TestCaseError::fail(format!("{error:?}: {out}")))?;
        let given = [OURS, "0.0.0.0", OURS_V6, "::"].map(|address| address.parse().expect("an address"));
        for section in &sdp.sections {
            prop_assert!(section.address.is_none_or(|address| given.contains(&address)), "{out}");
        }
        for (section, decision) in sdp.sections.iter().zip(decisions.iter().chain(core::iter::repeat(&Decision::Decline))) {
            let place = if let Decision::Relay(at) = decision { *at } else { SocketAddr::from(([0; 4], 0)) };
            prop_assert!(section.port == 0 || section.port == place.port(), "{out}");
            let nobody = Family::of(place.ip()).unspecified();
            let is_there = |ip: IpAddr| section.port == 0 || ip == place.ip() || ip == nobody;
            prop_assert!(section.address.is_none_or(is_there), "{out}");
        }
    }

    #[test]
    fn no_damage_panics(
        lines in proptest::collection::vec(any_line(), 0..20),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = format!("v=0\r\n{}", lines.concat()).into_bytes();
        for (at, byte) in damage {
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        let Ok(sdp) = Description::parse(&bytes, Span::from_usize(0, bytes.len())) else { return Ok(()) };
        let mut edits = Box::new(Edits::new());
        prop_assert!(rewrite(&bytes, &sdp, OURS.parse().expect("an address"), &[relay(7070)], &mut edits).is_ok());
    }
}
