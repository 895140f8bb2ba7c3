//! Tokens, branches and sealed Call-IDs that we did not hand out.

use super::rig::{Output, Rig, open_settings};
use siproxd::engine::Side;
use siproxd::sip::token::{Key, MAX_CONTENT, MAX_TEXT, hex};

/// A token that anybody makes up opens nothing, one of ours gives its content back, in capitals too; and who sends one
/// that is made up gets nothing, whether as token, as branch or as Call-ID.
pub fn token(data: &[u8]) {
    let key = Key::new([7; 32]);
    assert!(key.open("contact", data).is_none(), "forged");
    let sealed = key.seal("contact", data);
    assert_eq!(sealed.is_empty(), data.len() > MAX_CONTENT);
    if !sealed.is_empty() {
        assert!(sealed.len() <= MAX_TEXT);
        assert_eq!(key.open("contact", sealed.as_bytes()).unwrap().as_slice(), data);
        assert_eq!(key.open("contact", sealed.to_ascii_uppercase().as_bytes()).unwrap().as_slice(), data);
        assert!(key.open("other", sealed.as_bytes()).is_none());
    }
    assert_eq!(hex(data).len(), data.len().min(16) * 2);
    if data.contains(&b'\n') || data.contains(&b'\r') {
        return;
    }
    super::quiet();
    let mut rig = Rig::new(&open_settings());
    let stranger = "192.0.2.66:5060".parse().unwrap();
    let places: [[&[u8]; 2]; 4] = [
        [b"OPTIONS sip:alice@198.51.100.1;sx=", b" SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKw"],
        [b"OPTIONS sip:", b"@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKw"],
        [b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKsx", b""],
        [b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=", b".0011223344"],
    ];
    for [before, behind] in places {
        let rest = b"\r\nFrom: <sip:b@192.0.2.66>;tag=b\r\nTo: <sip:a@198.51.100.1>\r\nCall-ID: .x";
        let end = b".\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        let message = [before, data, behind, rest, data, end].concat();
        let outputs = rig.datagram(Side::Wan, stranger, &message);
        assert!(!outputs.iter().any(|output| matches!(output, Output::Sent { .. })), "a stranger was answered");
        let _ = rig.datagram(Side::Lan, "10.0.0.2:5060".parse().unwrap(), &message);
    }
}
