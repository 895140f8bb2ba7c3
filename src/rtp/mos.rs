//! Estimated mean opinion score, by the E-model of ITU-T G.107 with all its defaults but three: codec, loss, delay.
//!
//! `R = 93.2 - Id - Ie,eff`, where `Ie,eff = Ie + (95 - Ie) · Ppl / (Ppl + Bpl)` for losses at random (G.107 §7.5), with Ie and Bpl of
//! ITU-T G.113 Appendix I, and `Id = 0.024 d + 0.11 (d - 177.3)` (its second term from 177.3 ms on), the approximation of
//! Cole and Rosenbluth, *Voice over IP performance monitoring* (2001), for a line without echo. Integers only.

use super::format::Codec;

/// R with the defaults of G.107 and no impairment, in 1/100.
const R_DEFAULT: i64 = 9320;

/// From here on delay disturbs a conversation more (in 1/10 ms).
const DELAY_KNEE: i64 = 1773;

/// Ie, and Bpl in 1/10 (G.113 Appendix I). Wideband has a scale of its own (G.107.1): G.722 and Opus are reckoned as G.711 with its
/// concealment, which is no better than they are.
const fn impairment(codec: Codec) -> Option<(i64, i64)> {
    match codec {
        Codec::G711 | Codec::G722 | Codec::Opus => Some((0, 251)),
        Codec::G729 => Some((11, 190)),
        Codec::G723 => Some((15, 161)),
        // The Bpl is that of enhanced full rate.
        Codec::Gsm => Some((20, 100)),
        _ => None,
    }
}

/// The score times 100, from 100 to 450: `loss` in 1/10,000 of the packets, `delay` from mouth to ear in milliseconds. `None` for a codec that G.113
/// has no values for.
#[must_use]
pub fn estimate(codec: Codec, loss: u32, delay: u32) -> Option<u16> {
    let (ie, bpl) = impairment(codec)?;
    let (loss, delay) = (i64::from(loss.min(10_000)), i64::from(delay.min(10_000)));
    let lost = (95 - ie) * 100 * loss / (loss + bpl * 10);
    let late = delay * 24 / 10 + (10 * delay - DELAY_KNEE).max(0) * 11 / 10;
    let r = R_DEFAULT - ie * 100 - lost - late;
    // G.107 Annex B.
    let score = match r {
        ..=0 => 100,
        10_000.. => 450,
        r => {
            const SCALE: i64 = 10_000_000_000;
            let score = 35 * r * (SCALE / 1000) + 7 * r * (r - 6000) * (10_000 - r);
            100 + (score + SCALE / 2) / SCALE
        }
    };
    u16::try_from(score.clamp(100, 450)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_scores() {
        // R of 93.2 is a MOS of 4.41 (G.107 Annex B); 82.2 is 4.10, 50 is 2.58.
        assert_eq!(estimate(Codec::G711, 0, 0), Some(441));
        assert_eq!(estimate(Codec::G729, 0, 0), Some(410));
        // 2 % of G.711 with concealment: Ie,eff = 95 * 2 / 27.1 = 7.0.
        assert_eq!(estimate(Codec::G711, 200, 0), Some(423));
        // Ie,eff = 95 * 20 / 45.1 = 42.1: R = 51.1.
        assert_eq!(estimate(Codec::G711, 2000, 0), Some(263));
        // 400 ms: 9.6 + 24.5.
        assert_eq!(estimate(Codec::G711, 0, 400), Some(305));
        assert_eq!(estimate(Codec::Unknown, 0, 0), None);
    }

    proptest! {
        #[test]
        fn more_loss_or_delay_is_never_better(loss in any::<u32>(), delay in any::<u32>(), more in 0u32..5000) {
            let score = |loss, delay| estimate(Codec::G729, loss, delay).expect("in G.113");
            let here = score(loss, delay);
            prop_assert!((100..=450).contains(&here));
            // Around an R of 3 the polynomial of Annex B dips below its own end.
            prop_assert!(score(loss.saturating_add(more), delay) <= here.max(101));
            prop_assert!(score(loss, delay.saturating_add(more)) <= here.max(101));
        }
    }
}
