//! Seconds as headers count them (`delta-seconds`, RFC 3261 §25.1).

/// A number of seconds; more than 32 bits hold counts as the largest (RFC 3261 §20.19), anything else is none.
#[must_use]
pub fn delta_seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u32, |n, d| n.saturating_mul(10).saturating_add(u32::from(d.saturating_sub(b'0')))))
}
