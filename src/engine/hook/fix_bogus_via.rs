//! `plugin_fix_bogus_via`: a Via that names an address which nobody reaches is corrected.
//!
//! siproxd answers to where a request came from in any case (RFC 3581). This is for a server that goes by the address in the Via of the
//! answer, and by it misses its own. Over TCP it is the host alone: the port of a connection says nothing of where its sender listens, and
//! differs in a CANCEL that comes by another one.

use super::{At, Did, Hook};
use crate::engine::guard::Origin;
use crate::engine::own::{HostAndPort, UriHost};
use crate::host::Host;
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
        let from = received.from;
        let port = via.port.unwrap_or(DEFAULT_PORT);
        let is_right = named == Some(from.host()) && (received.on.is_reliable() || port == from.port());
        if !is_request || received.origin != Origin::Known || !is_bogus || is_right {
            return Ok(Did::Nothing);
        }
        let written = if received.on.is_reliable() {
            edits.replace_fmt(via.host, format_args!("{}", UriHost(from.host())))
        } else {
            edits.replace_fmt(via.sent_by, format_args!("{}", HostAndPort(from)))
        };
        written.map(|()| Did::Changed)
    }
}
