//! When a seal was made, in three bytes, and how long it is good.
//!
//! Without it a registrar, or whoever has recorded its 2xx, could send that again months later, and bind what the phone has un-registered
//! since. The engine's clock begins anew with each start of the program, so stamps count from where the wall clock was then. Should that
//! have been set meanwhile, what was on its way during the restart is lost: it is sent again with a new seal.

use crate::sip::Method;
use crate::time::Instant;

/// What a stamp counts in: three bytes of it last for eight years and a half.
const UNIT_SECS: u64 = 16;
/// Where stamps begin anew.
const WRAP: u32 = 1 << 24;
/// Age in units at which an answer comes too late: its sender has given up after 64 × T1, 32 seconds (RFC 3261 §17.1.2.2, Timer F). With
/// the part of a unit that had passed when the request was sealed, the answer has 48 seconds at least.
const MAX_AGE: u32 = 3;
/// The same for an INVITE, which may ring for as long as somebody says so at times (RFC 3261 §16.7 step 2): one hour, the longest that
/// a queue is likely to hold a caller.
const MAX_AGE_OF_INVITE: u32 = 225;
/// Units by which a stamp may lie ahead: the wall clock is set back a little now and then.
const AHEAD: u32 = 1;

/// A moment in units of [`UNIT_SECS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Stamp(u32);

impl Stamp {
    /// The stamp of `now`; `origin` is what the wall clock said, in seconds, where the engine's clock began.
    pub(in crate::engine) const fn of(now: Instant, origin: u64) -> Self {
        let units = origin.saturating_add(now.as_millis() / 1000) / UNIT_SECS;
        Self((units % WRAP as u64) as u32)
    }

    pub(super) const fn to_bytes(self) -> [u8; 3] {
        let [_, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    pub(super) const fn from_bytes([high, middle, low]: [u8; 3]) -> Self {
        Self(u32::from_be_bytes([0, high, middle, low]))
    }

    /// Whether an answer to a request of this stamp is too late at `now`. A CANCEL has the seal of its INVITE.
    pub(super) fn is_over(self, method: Method, now: Self) -> bool {
        let max_age = if matches!(method, Method::Invite | Method::Cancel) { MAX_AGE_OF_INVITE } else { MAX_AGE };
        // What lies too far ahead is older than anything.
        let age = now.0.wrapping_add(AHEAD).wrapping_sub(self.0) % WRAP;
        age > max_age + AHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Stamp {
        Stamp::of(Instant::from_millis(secs * 1000), 0)
    }

    #[test]
    fn three_bytes_hold_it() {
        for secs in [0, 16, 16 * 0x0001_0203, 16 * 0x00FF_FFFF, 16 * 0x0100_0000] {
            assert_eq!(Stamp::from_bytes(at(secs).to_bytes()), at(secs));
        }
        assert_eq!(at(16 * 0x0100_0000), at(0), "then they begin anew");
    }

    #[test]
    fn an_answer_has_its_time_and_no_more() {
        for (method, shortest, longest) in
            [(Method::Register, 48, 64), (Method::Invite, 3600, 3616), (Method::Cancel, 3600, 3616)]
        {
            // Across the wrap, and not.
            for start in [1_600_000_000, 16 * 0x0100_0000 - 20].into_iter().flat_map(|start| start..start + 16) {
                assert!(!at(start).is_over(method, at(start)));
                assert!(!at(start).is_over(method, at(start + shortest - 1)), "{method:?} at {start}");
                assert!(at(start).is_over(method, at(start + longest)), "{method:?} at {start}");
            }
            assert!(at(0).is_over(method, at(8 * WRAP as u64)), "half of the way round");
        }
    }

    #[test]
    fn the_wall_clock_may_be_set_back_a_little() {
        assert!(!at(1000).is_over(Method::Register, at(984)));
        assert!(at(1000).is_over(Method::Register, at(960)));
    }

    #[test]
    fn time_goes_on_over_a_restart() {
        let before = Stamp::of(Instant::from_millis(700_000), 1_700_000_000);
        let after = Stamp::of(Instant::from_millis(1000), 1_700_000_710);
        assert!(!before.is_over(Method::Register, after));
        assert!(before.is_over(Method::Register, Stamp::of(Instant::from_millis(1000), 1_700_000_800)));
    }
}
