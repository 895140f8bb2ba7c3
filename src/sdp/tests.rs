use super::*;
use proptest::prelude::*;

/// Reads a description that stands behind `HEAD` in a message.
fn parse(text: &str) -> Result<Description, SdpError> {
    Description::parse(message(text).as_bytes(), body(text))
}

const HEAD: &str = "INVITE sip:b@example.net SIP/2.0\r\n\r\n";

fn message(text: &str) -> String {
    format!("{HEAD}{text}trailing bytes of another message")
}

fn body(text: &str) -> Span {
    Span::from_usize(HEAD.len(), HEAD.len() + text.len())
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

const PLAIN: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 10.1.1.2\r\ns=-\r\nc=IN IP4 10.1.1.3\r\nt=0 0\r\n\
                     a=sendonly\r\nm=audio 49170/2 RTP/AVP 0 8\r\na=rtcp:49200 IN IP4 10.1.1.4\r\na=rtcp-mux\r\n\
                     m=video 0 RTP/SAVPF 31\r\nc=IN IP6 2001:db8::5\r\na=inactive\r\n";

#[test]
fn the_places_are_those_of_the_message() {
    let text = message(PLAIN);
    let bytes = text.as_bytes();
    let sdp = parse(PLAIN).expect("valid");
    let origin = sdp.origin.expect("o=");
    assert_eq!((origin.place.of(bytes), Some(origin.address)), (&b"IP4 10.1.1.2"[..], ip("10.1.1.2")));
    let connection = sdp.connection.expect("c=");
    assert_eq!((connection.place.of(bytes), Some(connection.address)), (&b"IP4 10.1.1.3"[..], ip("10.1.1.3")));
    assert_eq!(sdp.whole, body(PLAIN));

    let [audio, video] = &sdp.sections[..] else { panic!("two sections") };
    assert_eq!((audio.port, audio.port_place.of(bytes)), (49170, &b"49170"[..]));
    assert_eq!(audio.protocol.of(bytes), b"RTP/AVP");
    assert!(audio.connection.is_none());
    assert_eq!(audio.address, ip("10.1.1.3"));
    assert!(audio.rtcp_mux);
    assert_eq!(audio.direction, Direction::SendOnly, "the session's");
    let rtcp = audio.rtcp.expect("a=rtcp");
    assert_eq!(rtcp.place.of(bytes), b"49200 IN IP4 10.1.1.4");
    assert_eq!((rtcp.port, rtcp.address), (49200, ip("10.1.1.4")));
    assert!(audio.whole.of(bytes).starts_with(b"m=audio") && audio.whole.of(bytes).ends_with(b"a=rtcp-mux\r\n"));

    assert_eq!(video.port, 0);
    assert_eq!(video.connection.expect("c=").place.of(bytes), b"IP6 2001:db8::5");
    assert_eq!(video.address, ip("2001:db8::5"));
    assert_eq!(video.direction, Direction::Inactive);
    assert!(!video.rtcp_mux && video.rtcp.is_none());
    assert_eq!(video.whole.end, sdp.whole.end);
}

#[test]
fn an_address_of_ipv4_mapped_into_ipv6_is_that_of_ipv4() {
    let cases = [
        ("IP4 192.0.2.1", ip("192.0.2.1")),
        ("IP6 ::FFFF:c000:201/3", ip("192.0.2.1")),
        ("IP4 2001:db8::1", ip("2001:db8::1")),
        ("IP6 ::ffff:0.0.0.0", ip("0.0.0.0")),
        ("IP6 ::192.0.2.1", ip("::192.0.2.1")),
        ("IP6 fe80::1%eth0", None),
    ];
    for (place, address) in cases {
        let text = format!("v=0\r\nc=IN {place}\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:2 IN {place}\r\n");
        let section = parse(&text).expect("valid").sections[0];
        assert_eq!((section.address, section.rtcp.and_then(|rtcp| rtcp.address)), (address, address), "{place}");
    }
}

#[test]
fn line_ends_and_blank_lines_do_not_matter() {
    let spoilt = [
        PLAIN.replace("\r\n", "\n"),
        PLAIN.replace("\r\n", "\r"),
        PLAIN.replace("\r\n", "\r\n\r\n"),
        PLAIN.trim_end().to_owned(),
        format!("{PLAIN} \r\n"),
        PLAIN.replace(" IN ", "  in\t").replace("IP4 ", "ip4  ").replace("10.1.1.3", "10.1.1.3 "),
    ];
    for text in spoilt {
        let sdp = parse(&text).expect(&text);
        assert_eq!(sdp.sections.len(), 2, "{text}");
        assert_eq!(sdp.sections[0].address, ip("10.1.1.3"), "{text}");
        assert_eq!(sdp.origin.expect("o=").address, ip("10.1.1.2").expect("some"));
    }
}

#[test]
fn lines_may_come_in_any_order() {
    let sdp = parse(
        "c=IN IP4 10.1.1.3\na=recvonly\nx=unknown\nm=audio 5004 RTP/AVP 0\na=sendrecv\no=- 1 1 IN IP4 10.1.1.2\nv=0\n",
    );
    let sdp = sdp.expect("valid");
    assert_eq!(sdp.sections[0].address, ip("10.1.1.3"));
    assert_eq!(sdp.sections[0].direction, Direction::SendRecv);
    assert!(sdp.origin.is_some());
}

#[test]
fn a_description_without_sections_is_one() {
    let sdp = parse("v=0\r\n").expect("valid");
    assert!(sdp.sections.is_empty() && sdp.origin.is_none() && sdp.connection.is_none());
}

#[test]
fn multicast_suffixes_belong_to_the_place() {
    let text = "v=0\nc=IN IP4 224.2.1.1/127/3\nm=audio 5004 RTP/AVP 0\n";
    let connection = parse(text).expect("valid").connection.expect("c=");
    assert_eq!(connection.address, ip("224.2.1.1").expect("some"));
    assert_eq!(connection.place.of(message(text).as_bytes()), b"IP4 224.2.1.1/127/3");
}

#[test]
fn only_the_first_connection_of_a_section_counts() {
    let sdp = parse("v=0\nm=audio 5004 RTP/AVP 0\nc=IN IP4 10.0.0.1\nc=IN IP4 10.0.0.2\n").expect("valid");
    assert_eq!(sdp.sections[0].address, ip("10.0.0.1"));
}

#[test]
fn what_is_no_description_is_refused() {
    for text in [
        "",
        "m=audio 5004 RTP/AVP 0\n",
        "v=1\n",
        "v=0\nhello\n",
        "v=0\n=x\n",
        "v=0\nm=audio\n",
        "v=0\nm=audio 5004\n",
        "v=0\nm=audio x RTP/AVP 0\n",
        "v=0\nm=audio -1 RTP/AVP 0\n",
        "v=0\nm=audio 65536 RTP/AVP 0\n",
        "v=0\nm=audio 5004x RTP/AVP 0\n",
        "v=0\no=alice\n",
        "v=0\no=alice 1 1 ATM NSAP 47.0091\n",
    ] {
        assert_eq!(parse(text).err(), Some(SdpError::Syntax), "{text}");
    }
}

#[test]
fn a_section_with_a_port_needs_an_address() {
    let session = "v=0\nc=IN IP4 10.0.0.1\n";
    for text in [
        "v=0\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nc=ATM NSAP 47.0091\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nc=IN IP4\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nc=\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nm=audio 5004 RTP/AVP 0\nm=video 5006 RTP/AVP 31\nc=IN IP4 10.0.0.1\n",
        &format!("{session}m=audio 5004 RTP/AVP 0\nc=ATM NSAP 47.0091\n"),
    ] {
        assert_eq!(parse(text).err(), Some(SdpError::NoAddress), "{text}");
    }
    assert!(parse("v=0\nm=audio 0 RTP/AVP 0\n").is_ok(), "a declined one needs none");
    assert!(parse(&format!("{session}m=audio 5004 RTP/AVP 0\n")).is_ok());
    assert!(parse("v=0\nc=IN IP4 0.0.0.0\nm=audio 5004 RTP/AVP 0\n").is_ok(), "hold");
    assert!(parse("v=0\no=- 1 1 IN IP4 phone.lan\n").expect("valid").origin.is_some(), "a host name in o= is replaced");
}

#[test]
fn a_host_name_is_an_address_that_is_not_known() {
    for text in [
        "v=0\nc=IN IP4 phone.example.net\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nc=IN IP4 10.0.0.01\nm=audio 5004 RTP/AVP 0\n",
        "v=0\nc=IN IP4 10.0.0.1\nm=audio 5004 RTP/AVP 0\nc=IN IP6 phone.example.net\n",
    ] {
        assert_eq!(parse(text).expect("valid").sections[0].address, None, "{text}");
    }
}

#[test]
fn what_is_too_much_is_left_out() {
    let text = format!(
        "v=0\nc=IN IP4 10.0.0.1\n{}m=audio 5006 RTP/AVP 0\nc=IN IP4 10.0.0.2\na=inactive\na=rtcp:1\nm=audio 0 RTP/AVP 0\n",
        "m=audio 5004 RTP/AVP 0\n".repeat(MAX_SECTIONS)
    );
    let sdp = parse(&text).expect("valid");
    assert_eq!(sdp.sections.len(), MAX_SECTIONS);
    let last = sdp.sections.last().expect("some");
    assert_eq!((last.address, last.direction, last.rtcp.is_some()), (ip("10.0.0.1"), Direction::SendRecv, false));
    assert_eq!(last.whole.of(message(&text).as_bytes()), b"m=audio 5004 RTP/AVP 0\n");
    assert_eq!(parse(&format!("{text}m=audio\n")).err(), Some(SdpError::Syntax));
    assert_eq!(parse(&text.replace("v=0", "v=1")).err(), Some(SdpError::Syntax));
    assert_eq!(
        parse(&format!("{text}o=- 1 1 IN X 10.0.0.2\n")).err(),
        Some(SdpError::Syntax),
        "its address could not be hidden"
    );
}

#[test]
fn rtcp_is_read_with_and_without_address() {
    let rtcp =
        |value: &str| parse(&format!("v=0\nm=audio 0 RTP/AVP 0\na=rtcp{value}\n")).expect("valid").sections[0].rtcp;
    assert_eq!(rtcp(":5005").map(|rtcp| (rtcp.port, rtcp.address)), Some((5005, None)));
    assert_eq!(rtcp(": 5005 IN IP6 ::1 ").map(|rtcp| (rtcp.port, rtcp.address)), Some((5005, ip("::1"))));
    for value in ["", ":", ":x", ":65536", "-mux", "-fb:* nack"] {
        assert!(rtcp(value).is_none(), "{value}");
    }
}

#[test]
fn ice_attributes_are_known_by_name() {
    for name in ["candidate", "Candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ICE-pwd", "ice-lite"]
    {
        assert!(is_ice_attribute(name.as_bytes()), "{name}");
    }
    for name in ["", "ice", "icecream", "candidates", "rtcp", "setup"] {
        assert!(!is_ice_attribute(name.as_bytes()), "{name}");
    }
}

#[test]
fn a_body_outside_the_message_is_no_description() {
    assert!(Description::parse(b"v=0\n", Span::new(0, 500)).is_err());
    assert!(Description::parse(b"v=0\n", Span::new(500, 600)).is_err());
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        _ = Description::parse(&body, Span::from_usize(0, body.len()));
    }
}
