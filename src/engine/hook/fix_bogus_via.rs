//! `plugin_fix_bogus_via`: a Via that names an address which nobody reaches is corrected.
//!
//! siproxd answers to where a request came from in any case (RFC 3581). This is for a server that goes by the address in the Via of the
//! answer, and by it misses its own.

use super::{At, Did, Hook};
use crate::engine::guard::Origin;
use crate::engine::own::HostAndPort;
use crate::sip::StartLine;
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::{DEFAULT_PORT, parse_ip};

pub(super) struct FixBogusVia;

impl Hook for FixBogusVia {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let (received, via) = (at.received, &at.received.head.via);
        let is_request = matches!(received.msg.start(), StartLine::Request { .. });
        let named = parse_ip(via.host.of(at.bytes()));
        let is_bogus = named.is_some_and(|ip| at.settings().bogus_vias.iter().any(|network| network.contains(ip)));
        let port = via.port.unwrap_or(DEFAULT_PORT);
        let is_right = named == Some(received.from.ip()) && port == received.from.port();
        if !is_request || received.origin != Origin::Known || !is_bogus || is_right {
            return Ok(Did::Nothing);
        }
        edits.replace_fmt(via.sent_by, format_args!("{}", HostAndPort(received.from))).map(|()| Did::Changed)
    }
}
