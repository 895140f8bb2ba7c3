//! What a media section says besides addresses: its formats and its direction.

use super::{Direction, Lines, Section, attribute, number, words};
use crate::rtp::format::{Codec, Media, Terms};
use crate::span::Span;

/// Reads the terms of `section`, which was read from the same `bytes`. What cannot be read is left out.
#[must_use]
pub fn terms(bytes: &[u8], section: &Section) -> Terms {
    let mut terms = Terms::NOTHING;
    terms.media = media(bytes, section);
    terms.mute = matches!(section.direction, Direction::RecvOnly | Direction::Inactive);
    // RFC 3264 §8.4: to 0.0.0.0 nothing is sent.
    let is_nowhere = section.address.is_some_and(|address| address.is_unspecified());
    terms.deaf = is_nowhere || matches!(section.direction, Direction::SendOnly | Direction::Inactive);
    if terms.media == Media::NoRtp {
        return terms;
    }
    for line in Lines::new(bytes, section.whole).flatten() {
        match line.kind {
            // Behind media, port and protocol.
            b'm' => words(bytes, line.value)
                .skip(3)
                .filter_map(|word| payload_type(bytes, word))
                .for_each(|format| terms.list(format)),
            b'a' => {
                let (name, place) = attribute(bytes, line.value);
                if name.eq_ignore_ascii_case(b"rtpmap")
                    && let Some((format, codec)) = rtpmap(bytes, place)
                {
                    terms.map(format, codec);
                }
            }
            _ => {}
        }
    }
    terms
}

/// What a section carries, by the protocol and the first word of `m=`.
fn media(bytes: &[u8], section: &Section) -> Media {
    // RTP/AVP, RTP/SAVPF, UDP/TLS/RTP/SAVPF
    let is_rtp = section.protocol.of(bytes).split(|byte| *byte == b'/').any(|part| part.eq_ignore_ascii_case(b"RTP"));
    let is_audio = section.whole.of(bytes).get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"m=audio "));
    match (is_rtp, is_audio) {
        (false, _) => Media::NoRtp,
        (true, true) => Media::Audio,
        (true, false) => Media::OtherRtp,
    }
}

fn payload_type(bytes: &[u8], word: Span) -> Option<u8> {
    u8::try_from(number(word.of(bytes))?).ok()
}

/// Reads `96 opus/48000/2` (RFC 8866 §6.6).
fn rtpmap(bytes: &[u8], place: Span) -> Option<(u8, Codec)> {
    let mut words = words(bytes, place);
    let format = payload_type(bytes, words.next()?)?;
    let mut parts = words.next()?.of(bytes).split(|byte| *byte == b'/');
    let name = parts.next()?;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte.wrapping_sub(b'0')));
    let clock = parts.next()?.iter().try_fold(0u32, |sum, byte| sum.checked_mul(10)?.checked_add(digit(byte)?))?;
    Some((format, Codec::of_name(name, clock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Description;

    fn read(sections: &str) -> Vec<Terms> {
        let text = format!("v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\nc=IN IP4 10.0.0.2\r\n{sections}");
        let sdp = Description::parse(text.as_bytes(), Span::from_usize(0, text.len())).expect("a description");
        sdp.sections.iter().map(|section| terms(text.as_bytes(), section)).collect()
    }

    #[test]
    fn formats_of_each_section() {
        let all = read(
            "m=audio 4000 RTP/AVP 8 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n\
             m=video 4002 UDP/TLS/RTP/SAVPF 97\r\na=rtpmap:97 H264/90000\r\na=inactive\r\nm=image 4004 udptl t38\r\n",
        );
        let [audio, video, image] = all[..] else { panic!("{all:?}") };
        assert_eq!((audio.media, audio.mute, audio.deaf), (Media::Audio, false, true));
        assert!(audio.takes(8) && audio.takes(101) && !audio.takes(0));
        assert_eq!(
            [8, 96, 101, 97].map(|format| audio.codec(format)),
            [Codec::G711, Codec::Opus, Codec::Event, Codec::Unknown]
        );
        assert_eq!((video.media, video.mute, video.deaf), (Media::OtherRtp, true, true));
        assert_eq!(video.codec(97), Codec::Clock90k);
        assert_eq!((image.media, image.takes(0)), (Media::NoRtp, true));
    }

    #[test]
    fn nothing_is_sent_to_nowhere() {
        let all = read("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4002 RTP/AVP 0\r\n");
        assert_eq!(
            all.iter().map(|terms| (terms.mute, terms.deaf)).collect::<Vec<_>>(),
            [(false, true), (false, false)]
        );
    }

    #[test]
    fn nonsense_is_left_out() {
        let all = read(
            "m=audio 4000 RTP/AVP 8 x 300\r\na=rtpmap:\r\na=rtpmap:96\r\na=rtpmap:97 x/99999999999\r\na=rtpmap:98 y\r\n",
        );
        assert!(all[0].takes(8) && !all[0].takes(44));
        assert_eq!([96, 97, 98].map(|format| all[0].codec(format)), [Codec::Unknown; 3]);
    }
}
