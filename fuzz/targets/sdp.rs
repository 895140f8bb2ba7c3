//! A session description, read and rewritten.

use core::net::{IpAddr, SocketAddr};
use siproxd::sdp::Description;
use siproxd::sdp::rewrite::{Decision, rewrite};
use siproxd::sip::edit::Edits;
use siproxd::span::Span;

/// Port of the first section that is relayed; each further one has the next but three.
const FIRST_PORT: u16 = 7070;

/// Rewrites a description, the first byte says how; what comes out is a description with our addresses and ports, and is
/// its own rewriting.
pub fn sdp(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let Ok(all) = u16::try_from(bytes.len()) else { return };
    let Ok(read) = Description::parse(bytes, Span::new(0, all)) else { return };
    let [v4, v6]: [IpAddr; 2] = ["198.51.100.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    let (ours, other) = if choice & 1 == 0 { (v4, v6) } else { (v6, v4) };
    let decisions: Vec<Decision> = (0..read.sections.len())
        .map(|at| match (choice >> 1 >> at) & 1 {
            0 => Decision::Relay(SocketAddr::new(
                // One section in four is relayed to the other family.
                if at % 4 == 2 { other } else { ours },
                FIRST_PORT + 4 * at as u16,
            )),
            _ => Decision::Decline,
        })
        .collect();

    let Some(first) = rewritten(bytes, &read, ours, &decisions) else { return };
    let all = Span::from_usize(0, first.len());
    let again = Description::parse(&first, all).unwrap_or_else(|e| panic!("{e:?} in {}", first.escape_ascii()));
    assert_eq!(again.sections.len(), read.sections.len());
    for ((before, after), decision) in read.sections.iter().zip(&again.sections).zip(&decisions) {
        let port = match decision {
            Decision::Relay(at) if before.port != 0 => at.port(),
            _ => 0,
        };
        let is_told = |ip: IpAddr| match decision {
            Decision::Relay(at) if before.port != 0 => ip == at.ip(),
            _ => ip == ours || ip == other,
        };
        assert_eq!(after.port, port, "{}", first.escape_ascii());
        assert!(after.address.is_none_or(|ip| is_told(ip) || ip.is_unspecified()), "{}", first.escape_ascii());
        let rtcp = after.rtcp.and_then(|rtcp| rtcp.address);
        assert!(rtcp.is_none_or(is_told), "{}", first.escape_ascii());
    }
    if let Some(second) = rewritten(&first, &again, ours, &decisions) {
        assert_eq!(first.escape_ascii().to_string(), second.escape_ascii().to_string());
    }
}

fn rewritten(bytes: &[u8], sdp: &Description, ours: IpAddr, decisions: &[Decision]) -> Option<Vec<u8>> {
    let mut edits = Edits::new();
    rewrite(bytes, sdp, ours, decisions, &mut edits).ok()?;
    Some(edits.parts(bytes).concat())
}
