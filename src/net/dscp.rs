//! The DSCP of what a socket sends.

use socket2::Socket;

/// Marks all that `socket` sends with `dscp`, 0 to 63 (RFC 2474 §3); 0 is what it has by itself.
///
/// A wish: packets flow without their mark.
pub(super) fn mark(socket: &Socket, is_ipv6: bool, dscp: u8) {
    if dscp > 0 {
        mark_anew(socket, is_ipv6, dscp);
    }
}

/// The same where `socket` may have had another mark.
pub(super) fn mark_anew(socket: &Socket, is_ipv6: bool, dscp: u8) {
    // The upper six bits of the byte; the lower two are the system's (RFC 3168 §5).
    let class = u32::from(dscp) << 2;
    let marked = if is_ipv6 { socket.set_tclass_v6(class) } else { socket.set_tos_v4(class) };
    if let Err(error) = marked {
        log::debug!(target: crate::log_class::NET, "no DSCP {dscp}: {error}");
    }
}
