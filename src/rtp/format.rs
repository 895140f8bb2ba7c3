//! Payload formats: what the payload type of an RTP packet stands for (RFC 3551 §6, `a=rtpmap` of RFC 8866 §6.6).

use core::fmt;

/// What is known of an encoding: the clock of its time stamps, and what loss does to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// Not known, nor is its clock: its jitter cannot be told.
    #[default]
    Unknown,
    /// Others with a clock of 8,000.
    Clock8k,
    /// G.711, A-law or µ-law.
    G711,
    /// G.722; its clock counts 8,000 though it samples 16,000 (RFC 3551 §4.5.2).
    G722,
    /// G.723.1.
    G723,
    /// G.729.
    G729,
    /// GSM full rate.
    Gsm,
    /// Opus (RFC 7587).
    Opus,
    /// RFC 4733 telephone-event: the packets of one key share a time stamp, on the clock of the audio beside them.
    Event,
    /// Comfort noise (RFC 3389), in pauses only.
    ComfortNoise,
    /// Others, by their clock.
    Clock11k,
    /// Others with a clock of 12,000.
    Clock12k,
    /// Others with a clock of 16,000.
    Clock16k,
    /// Others with a clock of 22,050.
    Clock22k,
    /// Others with a clock of 24,000.
    Clock24k,
    /// Others with a clock of 32,000.
    Clock32k,
    /// Others with a clock of 44,100.
    Clock44k,
    /// Others with a clock of 48,000.
    Clock48k,
    /// Video, and audio in MPEG frames.
    Clock90k,
}

/// Time stamp units in a second of most encodings for telephones (RFC 3551 §4.5).
const TELEPHONE_CLOCK: u32 = 8000;

impl Codec {
    /// What a payload type stands for where no description says (RFC 3551 §6, tables 4 and 5; RFC 3389).
    #[must_use]
    pub const fn of_static(payload_type: u8) -> Self {
        match payload_type {
            0 | 8 => Self::G711,
            3 => Self::Gsm,
            4 => Self::G723,
            9 => Self::G722,
            18 => Self::G729,
            // 19 was comfort noise in drafts, and still is in some phones.
            13 | 19 => Self::ComfortNoise,
            5 | 7 | 12 | 15 => Self::Clock8k,
            6 => Self::Clock16k,
            10 | 11 => Self::Clock44k,
            16 => Self::Clock11k,
            17 => Self::Clock22k,
            14 | 25 | 26 | 28 | 31..=34 => Self::Clock90k,
            _ => Self::Unknown,
        }
    }

    /// What a name and a clock rate of `a=rtpmap` stand for.
    #[must_use]
    pub fn of_name(name: &[u8], clock: u32) -> Self {
        const NAMES: [(&[u8], Codec); 9] = [
            (b"PCMU", Codec::G711),
            (b"PCMA", Codec::G711),
            (b"G722", Codec::G722),
            (b"G723", Codec::G723),
            (b"G729", Codec::G729),
            (b"GSM", Codec::Gsm),
            (b"opus", Codec::Opus),
            (b"telephone-event", Codec::Event),
            (b"CN", Codec::ComfortNoise),
        ];
        let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, codec)| *codec);
        known.unwrap_or(match clock {
            8000 => Self::Clock8k,
            11_025 => Self::Clock11k,
            12_000 => Self::Clock12k,
            16_000 => Self::Clock16k,
            22_050 => Self::Clock22k,
            24_000 => Self::Clock24k,
            32_000 => Self::Clock32k,
            44_100 => Self::Clock44k,
            48_000 => Self::Clock48k,
            90_000 => Self::Clock90k,
            _ => Self::Unknown,
        })
    }

    /// Time stamp units in a second; `None` where that is not known.
    #[must_use]
    pub const fn clock(self) -> Option<u32> {
        Some(match self {
            Self::Unknown => return None,
            Self::Clock11k => 11_025,
            Self::Clock12k => 12_000,
            Self::Clock16k => 16_000,
            Self::Clock22k => 22_050,
            Self::Clock24k => 24_000,
            Self::Clock32k => 32_000,
            Self::Clock44k => 44_100,
            Self::Opus | Self::Clock48k => 48_000,
            Self::Clock90k => 90_000,
            _ => TELEPHONE_CLOCK,
        })
    }

    /// Whether its packets stand beside those of another encoding: keys and pauses.
    #[must_use]
    pub const fn is_aside(self) -> bool {
        matches!(self, Self::Event | Self::ComfortNoise)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::G711 => "G.711",
            Self::G722 => "G.722",
            Self::G723 => "G.723.1",
            Self::G729 => "G.729",
            Self::Gsm => "GSM",
            Self::Opus => "Opus",
            Self::Event => "telephone-event",
            Self::ComfortNoise => "comfort noise",
            other => {
                return match other.clock() {
                    Some(clock) => write!(f, "another codec of {clock} Hz"),
                    None => f.write_str("an unknown codec"),
                };
            }
        };
        f.write_str(name)
    }
}

/// What a media section carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// No description has said.
    #[default]
    Unknown,
    /// Sound in RTP: silence is worth a word.
    Audio,
    /// Anything else in RTP. Cameras are switched off, so that nothing is no fault.
    OtherRtp,
    /// No RTP: UDPTL.
    NoRtp,
}

/// Payload types of one description that are kept with their encodings; further ones count as not known.
const MAX_MAPPED: usize = 8;

/// Largest payload type (RFC 3550 §5.1).
const MAX_PAYLOAD_TYPE: u8 = 127;

/// What one party said of one media section: what it carries, which way, in which formats. 36 bytes, all zero where it has said
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the section carries.
    pub media: Media,
    /// Whether it does not send (`recvonly`, `inactive`; RFC 3264 §5.1), or does not take (`sendonly`, `inactive`).
    pub mute: bool,
    /// See [`Self::mute`].
    pub deaf: bool,
    /// The payload types of `m=`, one bit each.
    listed: [u32; 4],
    /// Those with `a=rtpmap`.
    mapped: [(u8, Codec); MAX_MAPPED],
    count: u8,
}

impl Terms {
    /// What a party has said that has said nothing.
    pub const NOTHING: Self = Self {
        media: Media::Unknown,
        mute: false,
        deaf: false,
        listed: [0; 4],
        mapped: [(0, Codec::Unknown); MAX_MAPPED],
        count: 0,
    };

    /// Adds a payload type of `m=`.
    pub fn list(&mut self, payload_type: u8) {
        if let Some(word) = self.listed.get_mut(usize::from(payload_type / 32)) {
            *word |= 1 << (payload_type % 32);
        }
    }

    /// Adds what an `a=rtpmap` says; what is too much is left out.
    pub fn map(&mut self, payload_type: u8, codec: Codec) {
        if payload_type <= MAX_PAYLOAD_TYPE
            && let Some(place) = self.mapped.get_mut(usize::from(self.count))
        {
            *place = (payload_type, codec);
            self.count = self.count.saturating_add(1);
        }
    }

    /// What a payload type stands for.
    #[must_use]
    pub fn codec(&self, payload_type: u8) -> Codec {
        let mapped = self.mapped.iter().take(usize::from(self.count));
        let known = mapped.into_iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| *codec);
        known.unwrap_or(Codec::of_static(payload_type))
    }

    /// Whether the party takes this payload type; also where it has said nothing.
    #[must_use]
    pub fn takes(&self, payload_type: u8) -> bool {
        let bit =
            self.listed.get(usize::from(payload_type / 32)).is_some_and(|word| word >> (payload_type % 32) & 1 != 0);
        bit || self.listed == [0; 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_goes_before_the_table() {
        let mut terms = Terms::default();
        assert!(terms.takes(18), "nothing said");
        assert_eq!(terms.codec(8), Codec::G711);
        assert_eq!(terms.codec(96), Codec::Unknown);
        terms.list(8);
        terms.list(96);
        terms.map(96, Codec::of_name(b"OPUS", 48_000));
        assert!(terms.takes(8) && terms.takes(96) && !terms.takes(18) && !terms.takes(127));
        assert_eq!(terms.codec(96), Codec::Opus);
        assert_eq!(terms.codec(96).clock(), Some(48_000));
    }

    #[test]
    fn too_many_are_left_out() {
        let mut terms = Terms::default();
        for payload_type in 96..=255 {
            terms.map(payload_type, Codec::Clock16k);
            terms.list(payload_type);
        }
        assert_eq!(terms.codec(103), Codec::Clock16k);
        assert_eq!(terms.codec(104), Codec::Unknown);
        assert_eq!(Codec::of_static(5).clock(), Some(8000));
        assert!(terms.takes(127));
    }

    #[test]
    fn names_and_clocks() {
        for (name, clock, codec, rate) in [
            (&b"g722"[..], 8000, Codec::G722, Some(8000)),
            (b"speex", 16_000, Codec::Clock16k, Some(16_000)),
            (b"SILK", 24_000, Codec::Clock24k, Some(24_000)),
            (b"SILK", 12_000, Codec::Clock12k, Some(12_000)),
            (b"VP8", 90_000, Codec::Clock90k, Some(90_000)),
            (b"iLBC", 8000, Codec::Clock8k, Some(8000)),
            (b"telephone-event", 48_000, Codec::Event, Some(8000)),
            (b"odd", 12_345, Codec::Unknown, None),
        ] {
            assert_eq!(Codec::of_name(name, clock), codec);
            assert_eq!(codec.clock(), rate);
        }
    }
}
