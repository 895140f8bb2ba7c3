//! Bindings as lines of text, by which they outlive a restart.

use super::{Bindings, Offer};
use crate::engine::RestoreError;
use crate::engine::contact::{Place, named_transport};
use crate::engine::preference::Preference;
use crate::limits::MAX_URI;
use crate::sip::uri::{Scheme, Uri};
use crate::sip::via::Transport;
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;
use core::net::SocketAddr;

/// What stands before the address of a phone that takes requests over TCP.
const TCP_MARK: &str = "tcp:";

/// Stands for a registrar that the DNS has not named yet.
const UNKNOWN: &str = "?";

impl Bindings {
    /// Writes the valid bindings, one line each:
    /// `expires=UNIX place=[tcp:]ADDRESS renamed=0|1 registrar=[tcp:]ADDRESS|own|? aor=USER@HOST contact=URI`,
    /// and ` q=PREFERENCE` where there is one.
    pub(in crate::engine) fn save(&self, now: Instant, unix_now: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        for (_, b) in self.slab.iter().filter(|(_, b)| b.valid && b.expires_at > now) {
            let (Ok(aor), Ok(contact)) = (core::str::from_utf8(&b.aor), core::str::from_utf8(&b.contact)) else {
                continue;
            };
            let expires = unix_now.saturating_add(b.expires_at.since(now).as_secs());
            write!(
                out,
                "expires={expires} place={}{} renamed={} registrar=",
                if b.place.transport == Transport::Tcp { TCP_MARK } else { "" },
                b.place.address,
                u8::from(b.place.renamed)
            )?;
            match b.registrar {
                Some(server) => {
                    let mark = if b.registrar_by == Transport::Tcp { TCP_MARK } else { "" };
                    write!(out, "{mark}{server}")?;
                }
                None => out.write_str(if b.is_imported { UNKNOWN } else { "own" })?,
            }
            write!(out, " aor={aor} contact={contact}")?;
            match b.preference {
                Some(q) => writeln!(out, " q={q}")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }

    /// Reads one line that [`Self::save`] wrote, and gives the binding's handle.
    pub(in crate::engine) fn restore(
        &mut self,
        line: &str,
        now: Instant,
        unix_now: u64,
    ) -> Result<Handle, RestoreError> {
        use RestoreError::{Double, Expired, Full, Syntax};
        let mut fields = line.split_ascii_whitespace();
        let mut field = |name: &str| fields.next().and_then(|f| f.strip_prefix(name)).ok_or(Syntax);
        let expires: u64 = field("expires=")?.parse().map_err(|_| Syntax)?;
        let reached = |text: &str| {
            let tcp = text.strip_prefix(TCP_MARK);
            let transport = if tcp.is_some() { Transport::Tcp } else { Transport::Udp };
            let address: SocketAddr = tcp.unwrap_or(text).parse().map_err(|_| Syntax)?;
            if address.port() == 0 { Err(Syntax) } else { Ok((address, transport)) }
        };
        let (address, transport) = reached(field("place=")?)?;
        let renamed = field("renamed=")? == "1";
        let mut is_imported = false;
        let registrar = match field("registrar=")? {
            "own" => None,
            UNKNOWN => {
                is_imported = true;
                None
            }
            server => Some(reached(server)?),
        };
        let aor = field("aor=")?.as_bytes();
        let contact = field("contact=")?.as_bytes();
        let preference = match fields.next() {
            Some(field) => Some(field.strip_prefix("q=").and_then(|q| Preference::parse(q.as_bytes())).ok_or(Syntax)?),
            None => None,
        };
        let is_text =
            contact.len() <= MAX_URI && aor.len() <= MAX_URI && aor.contains(&b'@') && fields.next().is_none();
        let uri = Uri::parse(contact, Span::from_usize(0, contact.len())).map_err(|_| Syntax)?;
        if !is_text || !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return Err(Syntax);
        }
        let secs = u32::try_from(expires.saturating_sub(unix_now)).map_err(|_| Syntax)?;
        if secs == 0 {
            return Err(Expired);
        }
        let place = Place { address, transport, named: named_transport(contact, &uri), renamed };
        let offer = Offer { aor, contact, contact_user: uri.user.map_or(&[], |user| user.of(contact)), place };
        if self.find(&offer).is_some() {
            return Err(Double);
        }
        let handle = self.offer(&offer, now).ok_or(Full)?;
        self.confirm(handle, registrar.map(|(server, _)| server), secs, now);
        if let (Some(b), Some((_, by))) = (self.slab.get_mut(handle), registrar) {
            b.registrar_by = by;
        }
        if let Some(binding) = self.get_mut(handle) {
            binding.preference = preference;
            binding.is_imported = is_imported;
        }
        Ok(handle)
    }
}
