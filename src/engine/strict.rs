//! Strict routers, those of RFC 2543: the next place of a route stands in the request-URI, and the target at the end of Route.
//!
//! One before us has put our own Record-Route into the request-URI: the last Route is taken back (RFC 3261 §16.4). One behind us,
//! whose Route has no `lr`, gets its own address as the request-URI, and the target as the last Route (§16.6 step 6).

use super::Engine;
use super::guard::Origin;
use super::io::Side;
use super::message::Received;
use super::turned_away::MAX_START_LINE;
use crate::host::Host;
use crate::limits::MAX_URI;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::message::Element;
use crate::sip::uri::Uri;
use crate::sip::{HeaderId, Message, Method, StartLine};
use crate::span::Span;

/// The parameter of a loose router's URI.
const LOOSE: &[u8] = b"lr";

/// A URI on its way between the request-URI and Route; a request with a longer one is refused.
type MovedUri = heapless::Vec<u8, 1024>;

impl Engine {
    /// Takes the last Route of a request back into the request-URI, in place, where that is the URI of our own Record-Route. Gives
    /// the new length, which is never greater; `None` where nothing was changed.
    pub(super) fn undo_strict_route(&self, bytes: &mut [u8]) -> Option<usize> {
        let start = bytes.get(..bytes.len().min(MAX_START_LINE))?;
        // Most messages end here, unparsed.
        if !start.split(|byte| *byte == b'\n').next()?.windows(3).any(|window| window == b";lr") {
            return None;
        }
        let (uri, cut, target) = self.strict_target(bytes)?;
        let (uri, cut) = (range(uri), range(cut));
        let after_cut = bytes.len().checked_sub(cut.len())?;
        let length = after_cut.checked_sub(uri.len())?.checked_add(target.len())?;
        if length > bytes.len() || cut.start < uri.end {
            return None;
        }
        bytes.copy_within(cut.end.., cut.start);
        let target_end = uri.start.checked_add(target.len())?;
        bytes.copy_within(uri.end..after_cut, target_end);
        bytes.get_mut(uri.start..target_end)?.copy_from_slice(&target);
        Some(length)
    }

    /// The request-URI, what is to be cut out of Route, and the URI in it.
    fn strict_target(&self, bytes: &mut [u8]) -> Option<(Span, Span, heapless::Vec<u8, MAX_URI>)> {
        let (msg, fault) = Message::parse_head(bytes).ok()?;
        let StartLine::Request { uri, method, .. } = msg.start() else { return None };
        let is_ours = |uri: Uri| {
            uri.user.is_none() && uri.param(msg.bytes(), LOOSE).is_some() && self.is_own_uri(msg.bytes(), &uri)
        };
        if fault.is_some() || method == Method::Register || !is_ours(Uri::parse(msg.bytes(), uri).ok()?) {
            return None;
        }
        let last = msg.elements(HeaderId::Route).last()?;
        let target = NameAddr::parse(msg.bytes(), last.span).ok()?.uri;
        // A list of nothing but us leads nowhere else.
        if is_ours(Uri::parse(msg.bytes(), target).ok()?) {
            return None;
        }
        Some((uri, last.cut, heapless::Vec::from_slice(msg.get(target)).ok()?))
    }

    /// The first Route of a phone's request that is not ours, where it is a strict router's.
    pub(super) fn strict_next_hop(&self, received: &Received<'_>) -> Option<(Element, Uri)> {
        let bytes = received.msg.bytes();
        if received.origin != Origin::Phone || received.head.method == Method::Register {
            return None;
        }
        let element = received.msg.elements(HeaderId::Route).find(|element| !self.is_own_route(bytes, element))?;
        let uri = Uri::parse(bytes, NameAddr::parse(bytes, element.span).ok()?.uri).ok()?;
        uri.param(bytes, LOOSE).is_none().then_some((element, uri))
    }

    /// Puts a strict router's URI into the request-URI, without the headers that none may have there (RFC 3261 §19.1.1).
    pub(super) fn route_strictly(
        &self,
        received: &Received<'_>,
        side: Side,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Some((_, uri)) = self.strict_next_hop(received) else { return Ok(()) };
        let text = self.hidden(received, Span::new(uri.whole.start, uri.headers.start), side)?;
        edits.replace(received.request_uri(), &text)
    }

    /// Puts the target of a request to the WAN behind its last Route.
    pub(super) fn append_target(&self, received: &Received<'_>, edits: &mut Edits) -> Result<(), EditError> {
        let Some(last) = received.msg.headers().iter().rfind(|header| header.id == HeaderId::Route) else {
            return Ok(());
        };
        let at = Span::at(last.line.end);
        let text = self.hidden(received, received.request_uri(), Side::Wan)?;
        edits.replace(at, b"Route: <")?;
        edits.replace(at, &text)?;
        edits.replace(at, b">\r\n")
    }

    /// A URI that is moved to another place, where nothing else takes private addresses out of it.
    fn hidden(&self, received: &Received<'_>, uri: Span, side: Side) -> Result<MovedUri, EditError> {
        let own = self.own(Side::Wan).filter(|_| side == Side::Wan && self.settings().topology_hiding);
        let secrets = self.secrets(received.from.host());
        let mut edits = Edits::new();
        if let Some(own) = own {
            self.scrub_span(received.msg.bytes(), uri, &secrets, own, &mut edits)?;
        }
        let mut moved = MovedUri::new();
        edits.render(received.msg.bytes(), uri, &mut moved).then_some(moved).ok_or(EditError::Full)
    }
}

fn range(span: Span) -> core::ops::Range<usize> {
    usize::from(span.start)..usize::from(span.end)
}
