//! What becomes of each message: the table of `docs/torture.md`.

use Then::{Answered, Dropped, Forwarded};

/// What the proxy does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It goes on, and what is not ours to change is the same.
    Forwarded,
    /// It is answered with this status.
    Answered(u16),
    /// Nothing comes out.
    Dropped,
}

/// One message.
pub(crate) struct Case {
    /// The name of its file, which is the RFC's own.
    pub(crate) name: &'static str,
    /// Its section in the RFC.
    pub(crate) section: &'static str,
    /// What is odd about it, and what the RFC asks for.
    pub(crate) asks: &'static str,
    /// Whether the parser takes it for a whole message.
    pub(crate) parses: bool,
    /// From a phone on the LAN.
    pub(crate) from_phone: Then,
    /// From a server on the WAN that we know, for the user of a phone that is registered.
    pub(crate) from_wan: Then,
    /// Why so.
    pub(crate) why: &'static str,
}

#[rustfmt::skip]
const fn case(
    name: &'static str, section: &'static str, asks: &'static str, parses: bool,
    from_phone: Then, from_wan: Then, why: &'static str,
) -> Case {
    Case { name, section, asks, parses, from_phone, from_wan, why }
}

/// Why a REGISTER never passes from the WAN.
const REGISTER: &str = "a REGISTER from the WAN is dropped, whatever is in it";
/// Why a response alone never passes.
const RESPONSE: &str = "alone it answers no request of ours; with our branch on top it passes";

/// RFC 4475.
#[rustfmt::skip]
pub(crate) const RFC_4475: [Case; 49] = [
    case("wsinv", "3.1.1.1", "folds and blanks in every place where they may be; valid", true, Forwarded, Forwarded, "every fold and blank of what is not ours to change stays"),
    case("intmeth", "3.1.1.2", "a method, a URI, quoted controls, a header name of all characters there are; valid", true, Forwarded, Forwarded, "an unknown method is proxied like any"),
    case("esc01", "3.1.1.3", "escapes in URIs that must not be undone; valid", true, Forwarded, Forwarded, "escapes are compared and passed on as they are"),
    case("escnull", "3.1.1.4", "%00 in URIs; valid", true, Forwarded, Dropped, REGISTER),
    case("esc02", "3.1.1.5", "% in a method and in a header name is no escape; valid", true, Forwarded, Forwarded, "`RE%47IST%45R` is not REGISTER, `C%6Fntact` is not Contact"),
    case("lwsdisp", "3.1.1.6", "no blank between display name and `<`; valid", true, Forwarded, Forwarded, "as it is"),
    case("longreq", "3.1.1.7", "34 Vias and long values; valid", true, Forwarded, Forwarded, "towards the WAN the Vias are kept back and come again with the answer"),
    case("dblreq", "3.1.1.8", "a second request behind the end of the first; over UDP it is to be ignored", true, Forwarded, Dropped, "what is behind Content-Length is cut off; a REGISTER from the WAN is dropped"),
    case("semiuri", "3.1.1.9", "semicolons and an escaped @ in the user; valid", true, Forwarded, Forwarded, "only the @ ends a user"),
    case("transports", "3.1.1.10", "Vias with five transports; valid", true, Forwarded, Forwarded, "the transport of a Via below the top is not ours to judge"),
    case("mpart01", "3.1.1.11", "a multipart body with binary octets; valid", true, Forwarded, Forwarded, "the body is never touched; its Route has no `lr`, so that its URI becomes the request-URI"),
    case("unreason", "3.1.1.12", "a reason phrase in UTF-8; valid", true, Dropped, Dropped, RESPONSE),
    case("noreason", "3.1.1.13", "no reason phrase; valid", true, Dropped, Dropped, RESPONSE),
    case("badinv01", "3.1.2.1", "separators with nothing between them; 400", true, Answered(400), Answered(400), "a Via that is only a separator is none"),
    case("clerr", "3.1.2.2", "Content-Length larger than the datagram; 400", false, Answered(400), Answered(400), "a part of the body is lost"),
    case("ncl", "3.1.2.3", "negative Content-Length; 400", false, Answered(400), Answered(400), "it is no number"),
    case("scalar02", "3.1.2.4", "CSeq of 2^65, Expires and expires beyond 32 bits; 400 for the CSeq", true, Answered(400), Dropped, REGISTER),
    case("scalarlg", "3.1.2.5", "a response with such a CSeq; dropped", true, Dropped, Dropped, "no response with a CSeq that cannot be read passes"),
    case("quotbal", "3.1.2.6", "a quote in To that is not closed; 400", true, Answered(400), Answered(400), "To cannot be read"),
    case("ltgtruri", "3.1.2.7", "request-URI in <>; 400, or read without them", true, Answered(400), Answered(400), "we refuse: a proxy must not pass the brackets on"),
    case("lwsruri", "3.1.2.8", "a blank in the request-URI; 400", true, Answered(400), Answered(400), "no URI has blanks"),
    case("lwsstart", "3.1.2.9", "more than one blank in the request line; 400, or read as one", true, Answered(400), Answered(400), "we refuse: a proxy must not pass the blanks on"),
    case("trws", "3.1.2.10", "blanks at the end of the request line; 400, or cut off", true, Forwarded, Forwarded, "a common slip: the blanks are cut off, since a proxy must not pass them on"),
    case("escruri", "3.1.2.11", "header fields in the request-URI; 400, or cut off", true, Answered(400), Answered(400), "we refuse: they might be meant, and may not be obeyed"),
    case("baddate", "3.1.2.12", "a Date with a time zone other than GMT; 400, or ignored", true, Forwarded, Forwarded, "no proxy needs to read Date"),
    case("regbadct", "3.1.2.13", "a Contact with a question mark and no <>; 400, or read as if in <>", true, Answered(400), Dropped, "where the URI ends is a guess; a REGISTER from the WAN is dropped"),
    case("badaspec", "3.1.2.14", "blanks between < and > in To; 400, or read without them", true, Answered(400), Answered(400), "we refuse: a proxy must not pass the error on"),
    case("baddn", "3.1.2.15", "a comma in a display name without quotes; 400, or read as if in quotes. The archive's file also lacks the empty line", false, Answered(400), Answered(400), "we refuse, with the empty line as without it: a proxy must not pass the error on"),
    case("badvers", "3.1.2.16", "SIP/7.0; 505", false, Answered(505), Answered(505), "as asked"),
    case("mismatch01", "3.1.2.17", "OPTIONS with INVITE in CSeq; 400", true, Answered(400), Answered(400), "as asked"),
    case("mismatch02", "3.1.2.18", "an unknown method with INVITE in CSeq; 400, or 501 from whoever must know the method", true, Answered(400), Answered(400), "a proxy need not know a method"),
    case("bigcode", "3.1.2.19", "a response with status 4294967301; dropped", false, Dropped, Dropped, "it is no status, in particular not 5"),
    case("badbranch", "3.2.1", "the magic cookie with nothing behind it; 400, or matched as in RFC 2543", true, Forwarded, Forwarded, "matched as in RFC 2543"),
    case("insuf", "3.3.1", "no From, To, Call-ID; must not break, ideally 400", true, Answered(400), Answered(400), "the answer copies what there is"),
    case("unkscm", "3.3.2", "an unknown scheme in the request-URI; 416", true, Answered(416), Answered(416), "as asked; an outbound proxy would get it"),
    case("novelsc", "3.3.3", "a known scheme that is no SIP; 416", true, Answered(416), Answered(416), "as asked; an outbound proxy would get it"),
    case("unksm2", "3.3.4", "other schemes in To, From and Contact; a proxy passes it on, a registrar says 400", true, Forwarded, Dropped, "we pass it on and bind nothing; for our own domain we are the registrar and say 400"),
    case("bext01", "3.3.5", "Proxy-Require of an unknown extension; 420", true, Answered(420), Answered(420), "as asked, with Unsupported; Require is not for proxies"),
    case("invut", "3.3.6", "an unknown Content-Type; 415 from the user agent", true, Forwarded, Forwarded, "a body is for the far end"),
    case("regaut01", "3.3.7", "an unknown scheme in Authorization; a registrar challenges", true, Forwarded, Dropped, REGISTER),
    case("multi01", "3.3.8", "two of Call-ID, CSeq, From, To, Max-Forwards; 400", true, Answered(400), Answered(400), "each may be there once"),
    case("mcl01", "3.3.9", "two different Content-Lengths; 400", false, Answered(400), Answered(400), "as asked"),
    case("bcast", "3.3.10", "a response with a broadcast address in its second Via; dropped, and not sent there", true, Dropped, Dropped, "responses go where their request came from, never to an address in a Via"),
    case("zeromf", "3.3.11", "OPTIONS with Max-Forwards 0; 483, or an answer", true, Answered(200), Answered(200), "whom an OPTIONS reaches last may answer it (RFC 3261 §11)"),
    case("cparam01", "3.3.12", "an unknown parameter of the Contact header; valid", true, Forwarded, Dropped, REGISTER),
    case("cparam02", "3.3.13", "an unknown parameter of the Contact's URI; valid", true, Forwarded, Dropped, REGISTER),
    case("regescrt", "3.3.14", "an escaped header field in the Contact's URI; valid, and kept", true, Forwarded, Dropped, REGISTER),
    case("sdp01", "3.3.15", "an Accept that excludes session descriptions; 406 from the user agent", true, Forwarded, Forwarded, "Accept is for the far end"),
    case("inv2543", "3.4.1", "an INVITE of RFC 2543: no tag, no branch, no Max-Forwards, no Content-Length; valid", true, Forwarded, Forwarded, "Max-Forwards is added, and the body is all the rest"),
];

/// RFC 5118.
#[rustfmt::skip]
pub(crate) const RFC_5118: [Case; 12] = [
    case("ipv6-good", "4.1", "an IPv6 reference as request-URI; valid", true, Forwarded, Dropped, REGISTER),
    case("ipv6-bad", "4.2", "an IPv6 address without brackets; 400", true, Answered(400), Dropped, "it is no host; a REGISTER from the WAN is dropped"),
    case("port-ambiguous", "4.3", "what was meant as a port is a part of the address; valid", true, Forwarded, Dropped, "it goes where it says, to port 5060; a REGISTER from the WAN is dropped"),
    case("port-unambiguous", "4.4", "a port behind the brackets; valid", true, Forwarded, Dropped, REGISTER),
    case("via-received-param-with-delim", "4.5", "brackets in `received`; to be accepted", true, Forwarded, Forwarded, "`received` of the top Via is ours to write, and is never believed"),
    case("via-received-param-no-delim", "4.5", "no brackets in `received`; valid", true, Forwarded, Answered(200), "`received` of the top Via is ours to write, and is never believed; an OPTIONS without a user is for ourselves"),
    case("ipv6-in-sdp", "4.6", "IPv6 addresses in the session description; valid", true, Forwarded, Forwarded, "they are replaced by ours like any"),
    case("mult-ip-in-header", "4.7", "IPv4 and IPv6 in one list of Vias; valid", true, Forwarded, Forwarded, "only the top Via is ours to complete"),
    case("mult-ip-in-sdp", "4.8", "a media section with IPv4 and one with IPv6; valid", true, Forwarded, Forwarded, "each is relayed on its own; the bench has no IPv4 address and declines that section (`16_media/59_sections_of_two_families` has both)"),
    case("ipv4-mapped-ipv6", "4.9", "IPv4-mapped IPv6 addresses; valid", true, Answered(488), Answered(488), "they count as the IPv4 addresses they are, and the bench has none; with one it is forwarded (`16_media/58_mapped_addresses`)"),
    case("ipv6-bug-abnf-3-colons", "4.10", "three colons, by a mistake in the grammar of RFC 3261; may be accepted", true, Answered(400), Answered(400), "we refuse: it is no address"),
    case("ipv6-correct-abnf-2-colons", "4.10", "the same with two; valid", true, Forwarded, Forwarded, "as it is"),
];
