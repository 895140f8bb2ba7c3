//! Putting our addresses and ports into a session description.

use super::Description;
use crate::sip::edit::{EditError, Edits};
use core::net::IpAddr;

/// What is to become of one media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The port stays (it is 0, a declined section).
    Keep,
    /// Media comes to this even port of ours, RTCP to the one above.
    Relay(u16),
    /// The section is declined: port 0.
    Decline,
}

/// Writes `address` and the ports of `decisions` into the description:
/// - the address of `o=` and of every `c=`; an unspecified one (0.0.0.0, hold in RFC 2543 style) in `c=` stays;
/// - the port of each `m=` by its decision (sections without a decision are declined);
/// - `a=rtcp:` by `port+1` and our address, or removed where the section is declined;
/// - ICE attributes (`candidate`, `remote-candidates`, `ice-*`, `end-of-candidates`) are removed: they name addresses that
///   are behind us, and without them the far end falls back to `c=` and `m=` (RFC 8839 §4.2.5).
///
/// # Errors
/// [`EditError`] where there is no room for the edits.
pub fn rewrite(
    _bytes: &[u8],
    _sdp: &Description,
    _address: IpAddr,
    _decisions: &[Decision],
    _edits: &mut Edits,
) -> Result<(), EditError> {
    todo!()
}
