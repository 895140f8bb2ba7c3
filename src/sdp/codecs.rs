//! Taking codecs out of a session description.

use super::{Description, Lines, Section, attribute, number, words};
use crate::sip::edit::{EditError, Edits};
use crate::span::Span;

/// The encodings of payload types that need no `a=rtpmap` (RFC 3551 §6, tables 4 and 5).
const STATIC: [(u8, &[u8]); 24] = [
    (0, b"PCMU"),
    (3, b"GSM"),
    (4, b"G723"),
    (5, b"DVI4"),
    (6, b"DVI4"),
    (7, b"LPC"),
    (8, b"PCMA"),
    (9, b"G722"),
    (10, b"L16"),
    (11, b"L16"),
    (12, b"QCELP"),
    (13, b"CN"),
    (14, b"MPA"),
    (15, b"G728"),
    (16, b"DVI4"),
    (17, b"DVI4"),
    (18, b"G729"),
    (25, b"CelB"),
    (26, b"JPEG"),
    (28, b"nv"),
    (31, b"H261"),
    (32, b"MPV"),
    (33, b"MP2T"),
    (34, b"H263"),
];

/// Payload types, one bit each.
type Types = [u32; 8];

fn has(types: &Types, number: u8) -> bool {
    types.get(usize::from(number >> 5)).is_some_and(|word| word & 1 << (number & 31) != 0)
}

fn put(types: &mut Types, number: u8) {
    if let Some(word) = types.get_mut(usize::from(number >> 5)) {
        *word |= 1 << (number & 31);
    }
}

/// Takes out the formats whose encoding is `unwanted`, by its name in `a=rtpmap`, or that of RFC 3551 where there is none, and those that only repeat
/// them: their payload types in `m=`, and their `a=rtpmap`, `a=fmtp` and `a=rtcp-fb`. A section in which nothing is left that could be heard or seen is
/// declined: its port becomes 0 (RFC 3264 §6), and its formats stay.
///
/// `sdp` was read from the same `bytes`.
///
/// # Errors
/// [`EditError`] where there is no room for the edits.
pub fn strip(
    bytes: &[u8],
    sdp: &Description,
    unwanted: &mut dyn FnMut(&[u8]) -> bool,
    edits: &mut Edits,
) -> Result<(), EditError> {
    sdp.sections.iter().filter(|section| is_rtp(bytes, section)).try_for_each(|section| {
        let (unwanted, media) = sorted(bytes, section, unwanted);
        match (is_any(bytes, section, &unwanted), is_any(bytes, section, &media)) {
            (true, true) => strip_section(bytes, section, &unwanted, edits),
            (true, false) if section.port != 0 => edits.replace(section.port_place, b"0"),
            _ => Ok(()),
        }
    })
}

/// The payload types of a section that are unwanted, and of the others those that can be heard or seen. Each line is read once: there may be
/// thousands of both formats and attributes.
fn sorted(bytes: &[u8], section: &Section, unwanted: &mut dyn FnMut(&[u8]) -> bool) -> (Types, Types) {
    let (mut known, mut bad, mut media) = (Types::default(), Types::default(), Types::default());
    let mut sort = |number, name: &[u8]| {
        // The first one counts.
        if has(&known, number) {
            return;
        }
        put(&mut known, number);
        if unwanted(name) {
            put(&mut bad, number);
        } else if !is_beside_media(name) {
            put(&mut media, number);
        }
    };
    for line in Lines::new(bytes, section.whole).flatten().filter(|line| line.kind == b'a') {
        if let Some((name, number, Some(word))) = about(bytes, line.value)
            && name.eq_ignore_ascii_case(b"rtpmap")
        {
            sort(number, word.of(bytes).split(|byte| *byte == b'/').next().unwrap_or_default());
        }
    }
    for number in payload_types(bytes, section) {
        let name = STATIC.iter().find(|(its, _)| *its == number).map(|(_, name)| *name);
        sort(number, name.unwrap_or_default());
    }
    if bad != Types::default() {
        add_tied(bytes, section, &mut bad);
    }
    (bad, media)
}

/// Adds the payload types that are nothing without one of these: first redundant ones, `a=fmtp:121 0/5` (RFC 2198 §5), then those that send
/// or repair others, `a=fmtp:97 apt=96` (RFC 4588 §8.6).
fn add_tied(bytes: &[u8], section: &Section, types: &mut Types) {
    for is_redundant in [true, false] {
        for line in Lines::new(bytes, section.whole).flatten().filter(|line| line.kind == b'a') {
            let Some((name, number, Some(first))) = about(bytes, line.value) else { continue };
            if !name.eq_ignore_ascii_case(b"fmtp") {
                continue;
            }
            let is_one = |word: &[u8]| payload_type(word).is_some_and(|number| has(types, number));
            let is_tied = if is_redundant {
                first.of(bytes).contains(&b'/') && first.of(bytes).split(|byte| *byte == b'/').any(is_one)
            } else {
                let rest = Span::new(first.start, line.value.end).of(bytes);
                let params = rest.split(|byte| matches!(byte, b';' | b' ' | b'\t'));
                params
                    .filter_map(|param| param.split_first_chunk())
                    .any(|(name, value): (&[u8; 4], _)| name.eq_ignore_ascii_case(b"apt=") && is_one(value))
            };
            if is_tied {
                put(types, number);
            }
        }
    }
}

/// Whether one of these is in `m=`.
fn is_any(bytes: &[u8], section: &Section, types: &Types) -> bool {
    payload_types(bytes, section).any(|number| has(types, number))
}

fn payload_types<'a>(bytes: &'a [u8], section: &Section) -> impl Iterator<Item = u8> + use<'a> {
    formats(bytes, section).filter_map(|format| payload_type(format.of(bytes)))
}

fn is_rtp(bytes: &[u8], section: &Section) -> bool {
    section.protocol.of(bytes).split(|byte| *byte == b'/').any(|part| part.eq_ignore_ascii_case(b"RTP"))
}

/// What goes with media, and is none by itself: keys, comfort noise, and packets sent again. The FEC of RFC 8627 is in use by the name of a
/// draft, too.
fn is_beside_media(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [b"telephone-event", b"CN", b"rtx", b"red", b"ulpfec", b"flexfec", b"flexfec-03"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The formats in `m=`.
fn formats<'a>(bytes: &'a [u8], section: &Section) -> impl Iterator<Item = Span> + use<'a> {
    let line = Lines::new(bytes, section.whole).flatten().next();
    // Behind media, port and protocol.
    line.into_iter().flat_map(move |line| words(bytes, line.value).skip(3))
}

fn payload_type(word: &[u8]) -> Option<u8> {
    u8::try_from(number(word)?).ok()
}

/// The payload type that an attribute is about, and the word behind it.
fn about(bytes: &[u8], value: Span) -> Option<(&[u8], u8, Option<Span>)> {
    let (name, place) = attribute(bytes, value);
    let mut words = words(bytes, place);
    Some((name, payload_type(words.next()?.of(bytes))?, words.next()))
}

fn strip_section(bytes: &[u8], section: &Section, types: &Types, edits: &mut Edits) -> Result<(), EditError> {
    let mut end = section.protocol.end;
    for format in formats(bytes, section) {
        if payload_type(format.of(bytes)).is_some_and(|number| has(types, number)) {
            edits.delete(Span::new(end, format.end))?;
        }
        end = format.end;
    }
    for line in Lines::new(bytes, section.whole).flatten().filter(|line| line.kind == b'a') {
        let is_its = about(bytes, line.value).is_some_and(|(name, number, _)| {
            let names: [&[u8]; 3] = [b"rtpmap", b"fmtp", b"rtcp-fb"];
            has(types, number) && names.iter().any(|known| name.eq_ignore_ascii_case(known))
        });
        if is_its {
            edits.delete(line.whole)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(words: &[&str], sections: &str) -> String {
        let head = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n";
        let text = format!("{head}{}", sections.replace('\n', "\r\n"));
        let sdp = Description::parse(text.as_bytes(), Span::from_usize(0, text.len())).expect("a description");
        let mut edits = Edits::new();
        let mut unwanted = |name: &[u8]| {
            let name = String::from_utf8_lossy(name).to_lowercase();
            words.iter().any(|word| name.contains(&word.to_lowercase()))
        };
        strip(text.as_bytes(), &sdp, &mut unwanted, &mut edits).expect("it fits");
        let made = String::from_utf8(edits.parts(text.as_bytes()).concat()).expect("UTF-8");
        made.strip_prefix(head).expect("the head stays").replace("\r\n", "\n")
    }

    #[test]
    fn however_many_formats_each_is_looked_up_once() {
        let formats: String = (0..10_000).map(|number| format!(" {}", 96 + number % 32)).collect();
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP{formats}\r\n{}",
            "a=x\r\n".repeat(4_000)
        );
        let sdp = Description::parse(text.as_bytes(), Span::from_usize(0, text.len())).expect("a description");
        let mut lookups = 0;
        let mut unwanted = |_: &[u8]| {
            lookups += 1;
            false
        };
        strip(text.as_bytes(), &sdp, &mut unwanted, &mut Edits::new()).expect("it fits");
        assert_eq!(lookups, 32);
    }

    #[test]
    fn payload_types_and_attributes() {
        let audio = "m=audio 4000 RTP/AVP 18 0 96 101\na=rtpmap:18 G729/8000\na=fmtp:18 annexb=no\na=rtpmap:96 opus/48000/2\n\
                     a=rtcp-fb:96 nack\na=rtcp-fb:* ccm\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=sendrecv\n";
        assert_eq!(
            stripped(&["g729", "OPUS"], audio),
            "m=audio 4000 RTP/AVP 0 101\na=rtcp-fb:* ccm\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=sendrecv\n"
        );
        assert_eq!(stripped(&["G722"], audio), audio);
    }

    #[test]
    fn static_types_go_by_their_name() {
        assert_eq!(stripped(&["pcma", "gsm"], "m=audio 4000 RTP/AVP 8 3 0\n"), "m=audio 4000 RTP/AVP 0\n");
        // One that is mapped otherwise is what it says.
        let mapped = "m=audio 4000 RTP/AVP 18 0\na=rtpmap:18 G729A/8000\n";
        assert_eq!(stripped(&["G729A"], mapped), "m=audio 4000 RTP/AVP 0\n");
    }

    #[test]
    fn a_section_without_a_codec_is_declined() {
        let keys = "m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\nm=video 4002 RTP/AVP 31\n";
        assert_eq!(stripped(&["PCMU"], keys), keys.replace("audio 4000", "audio 0"));
        assert_eq!(stripped(&["H261", "event"], keys), "m=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 31\n");
        let declined = "m=audio 0 RTP/AVP 0\n";
        assert_eq!(stripped(&["PCMU"], declined), declined);
    }

    #[test]
    fn what_only_repeats_a_codec_goes_with_it() {
        let video = "m=video 4000 RTP/AVPF 96 97 98 99 100 35\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\n\
                     a=fmtp:97 rtx-time=3000; APT=96\na=rtpmap:98 H264/90000\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\n\
                     a=rtpmap:100 ulpfec/90000\na=rtpmap:35 flexfec-03/90000\na=fmtp:35 repair-window=10000000\n";
        assert_eq!(
            stripped(&["VP8"], video),
            "m=video 4000 RTP/AVPF 98 99 100 35\na=rtpmap:98 H264/90000\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\n\
             a=rtpmap:100 ulpfec/90000\na=rtpmap:35 flexfec-03/90000\na=fmtp:35 repair-window=10000000\n"
        );
        assert_eq!(
            stripped(&["VP8", "H264"], video),
            video.replace("video 4000", "video 0"),
            "none of the rest can be seen"
        );
        let redundant = "m=audio 4000 RTP/AVP 63 111 0 64\na=rtpmap:111 opus/48000/2\na=fmtp:64 apt=63\na=rtpmap:64 rtx/48000\n\
                         a=rtpmap:63 red/48000/2\na=fmtp:63 111/111\na=fmtp:0 96\n";
        assert_eq!(stripped(&["opus"], redundant), "m=audio 4000 RTP/AVP 0\na=fmtp:0 96\n");
    }

    #[test]
    fn what_is_no_rtp_stays() {
        let image = "m=image 4000 udptl t38\nm=audio 4002 RTP/AVP x 300 8\n";
        assert_eq!(stripped(&["t38", ""], image), image.replace("audio 4002", "audio 0"));
    }
}
