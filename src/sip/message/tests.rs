use super::*;
use crate::sip::{addr::NameAddr, params, uri::Uri, via::Via};
use proptest::prelude::*;

const INVITE: &str = "INVITE sip:b@example.com;x SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1;rport, SIP / 2.0 / UDP\r\n\t10.0.0.3\r\n\
    m : \"A, \\\"B\\\"\" <sip:a@10.0.0.2;x=1,2>;q=1\r\n ,,\r\n <sip:c@d>\r\n\
    From: <sip:a@example.com>;tag=1\r\n\
    To : sip:b@example.com\r\n\
    Call-ID: x@y\r\n\
    CSeq: 1 INVITE\r\n\
    Route: <sip:one;lr>,<sip:two;lr> , <sip:three;lr>\r\n\
    Subject: \r\n\
    Warning: 399 h \"a\\\x01b\"\r\n\
    l: 5\r\n\
    \r\n\
    v=0\r\n";

fn with_message<T>(text: &[u8], look: impl FnOnce(&Message<'_>) -> T) -> Result<T, ParseError> {
    let mut bytes = text.to_vec();
    let result = Message::parse(&mut bytes).map(|message| {
        assert_eq!(message.bytes(), &text[..message.bytes().len()]);
        look(&message)
    });
    assert_eq!(bytes, text);
    result
}

fn error(text: &str) -> Option<ParseError> {
    with_message(text.as_bytes(), |_| ()).err()
}

fn text<'a>(message: &Message<'a>, span: Span) -> &'a str {
    core::str::from_utf8(message.get(span)).unwrap()
}

#[test]
fn lines_are_exact() {
    with_message(INVITE.as_bytes(), |message| {
        assert_eq!(message.headers().len(), 10);
        let contact = message.header(HeaderId::Contact).unwrap();
        assert_eq!(text(message, contact.name), "m");
        assert!(
            text(message, contact.line).starts_with("m : ") && text(message, contact.line).ends_with("<sip:c@d>\r\n")
        );
        assert!(
            text(message, contact.value).starts_with("\"A, ") && text(message, contact.value).ends_with("<sip:c@d>")
        );
        assert_eq!(message.value(HeaderId::Subject), Some(&b""[..]));
        assert_eq!(message.value(HeaderId::To), Some(&b"sip:b@example.com"[..]));
        assert_eq!(message.value(HeaderId::Warning), Some(&b"399 h \"a\\\x01b\""[..]));
        assert_eq!(message.get(message.body()), b"v=0\r\n");
        assert_eq!(&message.bytes()[message.end_of_headers().into()..], b"\r\nv=0\r\n");
        assert_eq!(message.method(), Method::Invite);
        let lines: Vec<_> = message.headers().iter().map(|header| text(message, header.line)).collect();
        let head = INVITE.find('\n').unwrap() + 1;
        assert_eq!(lines.concat(), INVITE[head..message.end_of_headers().into()]);
    })
    .unwrap();
}

#[test]
fn elements_of_lists() {
    with_message(INVITE.as_bytes(), |message| {
        let listed = |id| message.elements(id).map(|e| (e.index, text(message, e.span))).collect::<Vec<_>>();
        let contacts = [(0, "\"A, \\\"B\\\"\" <sip:a@10.0.0.2;x=1,2>;q=1"), (1, "<sip:c@d>")];
        assert_eq!(listed(HeaderId::Contact), contacts);
        assert_eq!(listed(HeaderId::Via)[1], (1, "SIP / 2.0 / UDP\r\n\t10.0.0.3"));
        assert_eq!(listed(HeaderId::Subject), []);
        let cuts: Vec<_> = message.elements(HeaderId::Route).map(|e| text(message, e.cut)).collect();
        assert_eq!(cuts, ["<sip:one;lr>,", "<sip:two;lr> , ", " , <sip:three;lr>"]);
        let only = message.elements(HeaderId::From).next().unwrap();
        assert_eq!(text(message, only.cut), "From: <sip:a@example.com>;tag=1\r\n");
    })
    .unwrap();
}

#[test]
fn any_elements_can_be_deleted() {
    let names = ["one", "two", "three"];
    for picked in 0u8..8 {
        let left: Vec<_> =
            (0..3).filter(|i| picked & (1 << i) == 0).map(|i| format!("<sip:{};lr>", names[i])).collect();
        let mut bytes = INVITE.as_bytes().to_vec();
        let message = Message::parse(&mut bytes).unwrap();
        let mut edits = Edits::new();
        message.delete_elements(HeaderId::Route, &mut edits, |e| picked & (1 << e.index) != 0).unwrap();
        let mut result = edits.parts(message.bytes()).concat();
        let message = Message::parse(&mut result).unwrap();
        let found: Vec<_> = message.elements(HeaderId::Route).map(|e| text(&message, e.span).to_owned()).collect();
        assert_eq!(found, left);
        assert_eq!(message.header(HeaderId::Route).is_some(), !left.is_empty());
        let value = message.value(HeaderId::Route).unwrap_or_default();
        assert_eq!(value.iter().filter(|b| **b == b',').count(), left.len().saturating_sub(1));
    }
}

#[test]
fn one_or_the_first_few_can_be_cut_out() {
    for picked in [0b000u8, 0b001, 0b010, 0b100, 0b011] {
        let mut bytes = INVITE.as_bytes().to_vec();
        let message = Message::parse(&mut bytes).unwrap();
        let mut edits = Edits::new();
        for element in message.elements(HeaderId::Route).filter(|e| picked & (1 << e.index) != 0) {
            edits.delete(element.cut).unwrap();
        }
        let mut result = edits.parts(message.bytes()).concat();
        let message = Message::parse(&mut result).unwrap();
        let left = 3 - picked.count_ones() as usize;
        assert_eq!(message.elements(HeaderId::Route).count(), left, "{picked}");
        let commas = message.value(HeaderId::Route).unwrap().iter().filter(|b| **b == b',').count();
        assert_eq!(commas, left - 1, "{picked}");
    }
}

#[test]
fn leading_empty_lines_and_bare_line_feeds() {
    with_message(b"\r\n\r\nSIP/2.0 200 OK\nCSeq: 1 BYE\nA: b\n c\n\nbody", |message| {
        assert_eq!((message.leading(), message.start_line()), (Span::new(0, 4), Span::new(4, 18)));
        assert_eq!(message.method(), Method::Bye);
        assert_eq!(text(message, message.headers()[1].line), "A: b\n c\n");
        assert_eq!(message.get(message.body()), b"body");
        assert_eq!(&message.bytes()[message.end_of_headers().into()..], b"\nbody");
    })
    .unwrap();
}

#[test]
fn content_length_bounds_the_body() {
    let with = |lines: &str| format!("OPTIONS sip:h SIP/2.0\r\n{lines}\r\nbody");
    let body = |lines: &str| {
        with_message(with(lines).as_bytes(), |m| (text(m, m.body()).to_owned(), m.bytes().len())).map(|(body, len)| {
            assert_eq!(len, with(lines).len() - 4 + body.len());
            body
        })
    };
    assert_eq!(body("").as_deref(), Ok("body"));
    assert_eq!(body("l: 3\r\n").as_deref(), Ok("bod"));
    assert_eq!(body("l: 0\r\nContent-Length: 00\r\n").as_deref(), Ok(""));
    for bad in ["5", "-1", "", "4 4", "4, 4", "99999999999", "65536", "0x4"] {
        assert_eq!(body(&format!("l: {bad}\r\n")), Err(ParseError::ContentLength), "{bad}");
    }
    assert_eq!(body("l: 3\r\nl: 4\r\n"), Err(ParseError::ContentLength));
}

#[test]
fn a_fault_that_can_be_answered() {
    let mut bytes = b"OPTIONS sip:h SIP/3.0\r\nl: 9\r\n\r\nbody".to_vec();
    let (message, fault) = Message::parse_head(&mut bytes).unwrap();
    assert_eq!((message.get(message.body()), fault), (&b"body"[..], Some(ParseError::Version)));
    let mut bytes = b"OPTIONS sip:h SIP/2.0\r\nl: 9\r\n\r\nbody".to_vec();
    assert_eq!(Message::parse_head(&mut bytes).unwrap().1, Some(ParseError::ContentLength));
    let text = b"OPTIONS sip:h SIP/2.0\r\nA : b\r\nl: 9\r\n";
    let mut bytes = text.to_vec();
    let (message, fault) = Message::parse_head(&mut bytes).unwrap();
    assert_eq!((message.value(HeaderId::ContentLength), fault), (Some(&b"9"[..]), Some(ParseError::NoEmptyLine)));
    assert_eq!(bytes, text);
}

#[test]
fn what_is_no_message() {
    let line = "OPTIONS sip:h SIP/2.0\r\n";
    let keepalives = ["", "\r\n\r\n", "\0\0\0\0", "GET / HTTP/1.1\r\n\r\n", "OPTIONS sip:h SIP/2.0"];
    for text in keepalives {
        assert_eq!(error(text), Some(ParseError::NotSip), "{text:?}");
    }
    let unreadable = [
        "",
        "A: b",
        "A: b\n",
        "A\r\n",
        "A\r\n\r\n",
        ": b\r\n\r\n",
        " A: b\r\n\r\n",
        "A: \x01\r\n\r\n",
        "A: b\rc\r\n\r\n",
    ];
    for text in
        unreadable.into_iter().chain(["A#: b\r\n\r\n", "$&^|: b\r\n\r\n", "A\r\n : b\r\n\r\n", "A b: c\r\n\r\n"])
    {
        assert_eq!(error(&format!("{line}{text}")), Some(ParseError::Headers), "{text:?}");
    }
    assert_eq!(error("OPTIONS sip:h SIP/2.1\r\n\r\n"), Some(ParseError::Version));
    assert_eq!(error(&format!("{line}\r\n")), None);
    let lines = |count| format!("{line}{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(error(&lines(MAX_HEADER_LINES)), None);
    assert_eq!(error(&lines(MAX_HEADER_LINES + 1)), Some(ParseError::TooManyHeaders));
    let folded = |count| format!("{line}{}\r\n", "a: b\r\n c\r\n".repeat(count));
    assert_eq!(error(&folded(MAX_HEADER_LINES)), None);
    assert_eq!(error(&folded(MAX_HEADER_LINES + 1)), Some(ParseError::TooManyHeaders));
}

#[test]
fn the_largest_datagram() {
    let mut text = b"OPTIONS sip:h SIP/2.0\r\nA: ".to_vec();
    text.resize(MAX_DATAGRAM - 4, b'x');
    text.extend(b"\r\n\r\n");
    let look = |m: &Message<'_>| (m.headers()[0].line.end, m.end_of_headers(), m.body());
    assert_eq!(with_message(&text, look), Ok((65_533, 65_533, Span::at(65_535))));
    text.push(b'x');
    assert_eq!(with_message(&text, look), Err(ParseError::NotSip));
}

/// Asks everything of a message, with every element read as every typed value, and looks whether all spans are inside.
fn exercise(text: &[u8]) -> Result<(), ParseError> {
    with_message(text, |message| {
        let bytes = message.bytes();
        let inside =
            |span: Span, of: Span| assert!(of.start <= span.start && span.start <= span.end && span.end <= of.end);
        let all = Span::from_usize(0, bytes.len());
        let mut at = None;
        for header in message.headers() {
            inside(header.line, all);
            inside(header.name, header.line);
            inside(header.value, header.line);
            assert_eq!(at.unwrap_or(header.line.start), header.line.start);
            at = Some(header.line.end);
        }
        assert_eq!(at.unwrap_or(message.end_of_headers()), message.end_of_headers());
        inside(message.body(), all);
        let _ = (message.method(), message.start());
        if let StartLine::Request { uri, .. } = message.start() {
            let _ = Uri::parse(bytes, uri);
        }
        for id in
            [HeaderId::Via, HeaderId::Contact, HeaderId::From, HeaderId::Route, HeaderId::Warning, HeaderId::Other]
        {
            let mut edits = Edits::new();
            for element in message.elements(id) {
                let value = message.headers()[element.line].value;
                inside(element.span, value);
                assert!(!element.span.is_empty());
                inside(element.cut, message.headers()[element.line].line);
                let _ = CSeq::parse(bytes, element.span);
                if let Ok(via) = Via::parse(bytes, element.span) {
                    inside(via.sent_by, element.span);
                    inside(via.params, element.span);
                    let _ = via.branch(bytes);
                    via.fill_received(bytes, ([1, 2, 3, 4], 5).into(), &mut edits).unwrap();
                }
                if let Ok(addr) = NameAddr::parse(bytes, element.span) {
                    [addr.display, addr.uri, addr.params].into_iter().for_each(|span| inside(span, element.span));
                    if let Ok(uri) = Uri::parse(bytes, addr.uri) {
                        [uri.host, uri.hostport, uri.params, uri.headers]
                            .into_iter()
                            .for_each(|span| inside(span, addr.uri));
                    }
                    for param in params::iter(bytes, addr.params) {
                        inside(param.whole, addr.params);
                        inside(param.name, param.whole);
                        inside(param.value.unwrap_or(param.name), param.whole);
                    }
                }
            }
            edits.clear();
            message.delete_elements(id, &mut edits, |element| element.index % 2 == 0).unwrap();
            edits.clear();
            message.delete_elements(id, &mut edits, |_| true).unwrap();
        }
    })
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = exercise(&text);
        let _ = exercise(&[b"BYE a SIP/2.0\r\n", &text[..], b"\r\n\r\n"].concat());
    }

    #[test]
    fn mutated_messages_do_no_harm(
        changes in proptest::collection::vec(
            (
                any::<proptest::sample::Index>(),
                0usize..4,
                proptest::collection::vec(
                    prop_oneof![proptest::sample::select(b" \t\r\n,;:=<>\"\\@[]?/\x00".to_vec()), any::<u8>()], 0..4
                ),
            ),
            0..8,
        )
    ) {
        let mut text = INVITE.as_bytes().to_vec();
        for (at, cut, put) in changes {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, put);
        }
        let _ = exercise(&text);
    }
}
