//! Secrets in log lines, made unreadable before a line goes anywhere.
//!
//! Whoever reads a log shall not be able to register as a phone, or to listen to its media: of digests (RFC 7616 §3.4) goes the response,
//! of passwords all, of media keys (RFC 4568 §6.1, RFC 4567, RFC 8839 §5.4, RFC 8866 §5.12) the key. A line keeps its length.

/// Stands in the place of each byte of a secret.
const MASK: u8 = b'*';

/// What a secret stands right behind, in lower case. Each ends with one of [`ENDS`].
const NAMES: [&[u8]; 11] = [
    b"response=",
    b"rspauth=",
    b"inline:",
    b"ice-pwd:",
    b"ha1=",
    b"$ha1-md5$",
    b"$ha1-sha256$",
    b"$ha1-sha512-256$",
    b"passwd=",
    b"passwd = ",
    b"mikey ",
];

/// Names that white space may follow before their `=`, as in headers (RFC 3261 §25.1, EQUAL).
const SPACED: [&[u8]; 3] = [b"response", b"rspauth", b"ha1"];

/// Schemes of a header field whose credentials are a secret as a whole (RFC 7617 §2, RFC 6750 §2.1), and the end of the field's name.
const WHOLE: [&[u8]; 2] = [b"basic", b"bearer"];
const FIELD: &[u8] = b"uthorization";

/// What a session description's key is behind, at the beginning of its line (RFC 4566 §5.12).
const KEY: &[u8] = b"k=";

/// The last bytes of [`NAMES`] and [`KEY`].
const ENDS: &[u8] = b"=:$ ";

/// Schemes whose user may have a password behind a colon (RFC 3261 §19.1.1).
const SCHEMES: [&[u8]; 2] = [b"sip:", b"sips:"];

/// Makes the secrets of a line unreadable.
pub(super) fn mask(line: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = line.get(at..).and_then(|rest| rest.iter().position(|byte| ENDS.contains(byte))) {
        at += found + 1;
        let (before, behind) = line.split_at_mut(at);
        let ends_with = |name: &&[u8]| ends_with(before, name);
        if NAMES.iter().any(ends_with)
            || (ends_with(&KEY) && is_first(before))
            || is_parameter(before)
            || is_scheme(before)
        {
            mask_value(behind);
        } else if SCHEMES.iter().any(ends_with) {
            mask_password(behind);
        }
    }
}

fn ends_with(text: &[u8], name: &[u8]) -> bool {
    let tail = text.len().checked_sub(name.len()).and_then(|from| text.get(from..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name))
}

/// Whether it ends with one of [`SPACED`], white space and `=`.
fn is_parameter(text: &[u8]) -> bool {
    text.split_last()
        .is_some_and(|(last, rest)| *last == b'=' && SPACED.iter().any(|name| ends_with(rest.trim_ascii_end(), name)))
}

/// Whether it ends with a header field up to one of [`WHOLE`] and a space.
fn is_scheme(text: &[u8]) -> bool {
    let Some((b' ', text)) = text.split_last() else { return false };
    let Some(scheme) = WHOLE.iter().find(|scheme| ends_with(text, scheme)) else { return false };
    let before = text.get(..text.len().saturating_sub(scheme.len())).unwrap_or_default().trim_ascii_end();
    before.strip_suffix(b":").is_some_and(|name| ends_with(name.trim_ascii_end(), FIELD))
}

/// Whether [`KEY`] begins a line, as it is or as it is written where line ends are not kept.
fn is_first(text: &[u8]) -> bool {
    let before = text.get(..text.len().saturating_sub(KEY.len())).unwrap_or_default();
    [&b"\n"[..], b"\n\t", b"\\x0a", b"\\n"].iter().any(|end| before.ends_with(end))
}

/// Makes a value unreadable, up to what may follow one. White space and a quote, escaped or not, may stand before it.
fn mask_value(text: &mut [u8]) {
    let is_end =
        |byte: &u8| matches!(byte, b'"' | b'\\' | b',' | b';' | b'|' | b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'`');
    let is_before = |byte: &&u8| matches!(byte, b'"' | b'\\' | b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().take_while(is_before).count();
    // The next line is of something else, unless it is folded.
    if [&b"\n"[..], b"\n\t"].iter().any(|end| text.get(..start).is_some_and(|text| text.ends_with(end))) {
        return;
    }
    let value = text.get_mut(start..).unwrap_or_default();
    let end = value.iter().position(is_end).unwrap_or(value.len());
    value.get_mut(..end).unwrap_or_default().fill(MASK);
}

/// Makes the password of `user:password@host` unreadable.
fn mask_password(text: &mut [u8]) {
    let is_end = |byte: &u8| matches!(byte, b'@' | b'"' | b'<' | b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'?');
    let Some(end) = text.iter().position(is_end).filter(|end| text.get(*end) == Some(&b'@')) else {
        return;
    };
    let userinfo = text.get_mut(..end).unwrap_or_default();
    if let Some(colon) = userinfo.iter().position(|byte| *byte == b':') {
        userinfo.get_mut(colon + 1..).unwrap_or_default().fill(MASK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes);
        String::from_utf8(bytes).expect("text still")
    }

    #[test]
    fn secrets_cannot_be_read() {
        for (text, wanted) in [
            (
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"0123abcd\", qop=auth",
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"********\", qop=auth",
            ),
            ("Proxy-Authorization:Digest RESPONSE=0123, a", "Proxy-Authorization:Digest RESPONSE=****, a"),
            ("response=\\\"0123\\\", x", "response=\\\"****\\\", x"),
            ("Authorization: Basic YTpi\r\n", "Authorization: Basic ****\r\n"),
            ("Authorization :basic  YTpi\r\n", "Authorization :basic  ****\r\n"),
            ("Proxy-Authorization:\tBearer a.b-c", "Proxy-Authorization:\tBearer *****"),
            ("Authorization: Digest response = \"0123\", x=y", "Authorization: Digest response = \"****\", x=y"),
            ("Authorization: Digest response\n\t =\n\t \"0123\"", "Authorization: Digest response\n\t =\n\t \"****\""),
            ("Authentication-Info: rspauth=\"01\"", "Authentication-Info: rspauth=\"**\""),
            (
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNf+/=|2^20|1:4;inline:QUJD\n",
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:*******|2^20|1:4;inline:****\n",
            ),
            ("\n\ta=ice-pwd:asd88fgpdd\n", "\n\ta=ice-pwd:**********\n"),
            ("\n\tk=clear:secret\n\tk=prompt", "\n\tk=************\n\tk=******"),
            ("a=key-mgmt:mikey AQAFgM0X", "a=key-mgmt:mikey ********"),
            ("proxy_auth_passwd = geheim", "proxy_auth_passwd = ******"),
            ("alice $ha1-sha256$00ff", "alice $ha1-sha256$****"),
            ("INVITE sip:alice:geheim@b;x SIP/2.0", "INVITE sip:alice:******@b;x SIP/2.0"),
            ("<sips:a:b:c@h>", "<sips:a:***@h>"),
            ("a=ice-pwd:\n\ta=mid:0", "a=ice-pwd:\n\ta=mid:0"),
            // Cut.
            ("response=\"01", "response=\"**"),
            ("response=", "response="),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "INVITE sip:alice@10.0.0.2:5060;transport=udp SIP/2.0",
            "Contact: <sip:10.0.0.2:5060>, <sip:b@h>",
            "bark=loud ok=yes a=rtpmap:0 PCMU/8000",
            "12:00:00.000 INFO  reg a@b registered: phone 10.0.0.2:5060 at 203.0.113.10:5060 for 600 s",
            "no response from 192.0.2.1",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
