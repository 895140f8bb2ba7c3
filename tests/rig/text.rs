//! SIP as text, as far as a scripted party needs it: one header field a line, no folding, long names.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]

use core::fmt::Write as _;
use core::net::IpAddr;

/// The values of all header fields called `name`.
pub fn headers<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
    let value = |line: &'m str| line.strip_prefix(name)?.strip_prefix(": ");
    head.split("\r\n").skip(1).filter_map(value).collect()
}

/// The value of the first header field called `name`, empty where there is none.
pub fn header<'m>(message: &'m str, name: &str) -> &'m str {
    headers(message, name).first().copied().unwrap_or("")
}

/// The status code of a response; `None` for a request.
pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The method of a request, or of what a response answers.
pub fn method(message: &str) -> &str {
    header(message, "CSeq").split(' ').nth(1).unwrap_or("")
}

/// The CSeq number.
pub fn cseq(message: &str) -> u32 {
    header(message, "CSeq").split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What stands behind the empty line.
pub fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The value of a parameter such as `;branch=` in a header field's value or a URI.
pub fn param<'m>(value: &'m str, mark: &str) -> &'m str {
    let rest = value.split_once(mark).map_or("", |(_, rest)| rest);
    rest.split([';', '>', ',', ' ']).next().unwrap_or("")
}

/// The URI between angle brackets.
pub fn uri(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(uri, _)| uri)
}

/// A message of a start line, lines that end with CRLF each, and a body: a session description, if the lines do not say otherwise.
pub fn message(start: &str, lines: &str, body: &str) -> String {
    let content_type =
        if body.is_empty() || lines.contains("Content-Type: ") { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{start}\r\n{lines}{content_type}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The answer to `request` (RFC 3261 §8.2.6.2); `more` has further lines, each with its end.
pub fn answer(request: &str, status: &str, to_tag: &str, more: &str, body: &str) -> String {
    let mut lines = String::new();
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in headers(request, name) {
            let is_new_to = name == "To" && !value.contains(";tag=") && status != "100 Trying";
            let tag = if is_new_to { format!(";tag={to_tag}") } else { String::new() };
            let _ = write!(lines, "{name}: {value}{tag}\r\n");
        }
    }
    message(&format!("SIP/2.0 {status}"), &(lines + more), body)
}

/// A session description with one audio stream.
pub fn sdp(address: IpAddr, port: u16, version: u32) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:{} IN IP4 {address}\r\n",
        port + 1
    )
}

/// The address and port of the first media section of a session description.
pub fn media(sdp: &str) -> Option<(IpAddr, u16)> {
    let address = sdp.split("\r\n").find_map(|line| line.strip_prefix("c=IN IP4 "))?.parse().ok()?;
    let port = sdp.split("\r\n").find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?.parse().ok()?;
    Some((address, port))
}
