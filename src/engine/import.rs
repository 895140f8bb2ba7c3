//! Bindings of siproxd 0.8: which phone is where is known, which server keeps its registration is not.
//!
//! Such a binding is ours, as far as it tells; that server is the first that the DNS names for the account's domain, or for the outbound
//! proxy by which its REGISTER went. Until the DNS has answered, nobody is known as its server, and calls from there do not come in.

use super::Engine;
use super::binding::{Offer, aor_text};
use super::contact::{Place, named_transport};
use super::io::{Side, Sink};
use super::saved::{RestoreError, Restored};
use crate::dns::{Candidates, Target};
use crate::host::Host;
use crate::limits::MAX_URI;
use crate::sip::uri::{DEFAULT_PORT, Scheme, Uri};
use crate::sip::via::Transport;
use crate::span::Span;
use crate::time::Instant;
use core::net::SocketAddr;

impl Engine {
    /// Takes a binding of siproxd 0.8: the phone's Contact and its address-of-record, as URIs; `expires` is by the wall clock, as
    /// `unix_now` is, in seconds. Asks the DNS through `out` for its registrar.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn import(
        &mut self,
        (contact, aor): (&str, &str),
        expires: u64,
        now: Instant,
        unix_now: u64,
        out: &mut dyn Sink,
    ) -> Result<Restored, RestoreError> {
        use RestoreError::{Double, Expired, Foreign, Full, Syntax};
        let bytes = contact.as_bytes();
        let uri = Uri::parse(bytes, Span::from_usize(0, bytes.len())).map_err(|_| Syntax)?;
        let aor = aor_text(aor.as_bytes(), Span::from_usize(0, aor.len())).ok_or(Syntax)?;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || bytes.len() > MAX_URI {
            return Err(Syntax);
        }
        let secs = u32::try_from(expires.saturating_sub(unix_now)).map_err(|_| Syntax)?;
        if secs == 0 {
            return Err(Expired);
        }
        if self.bindings.len() >= self.settings.get().map_or(0, |s| s.max_bindings) {
            return Err(Full);
        }
        let named = named_transport(bytes, &uri);
        let transport = if named == Some(Transport::Tcp) { Transport::Tcp } else { Transport::Udp };
        // A name is not asked for: who speaks to phones by address knows them by address.
        let address = SocketAddr::new(uri.ip(bytes).ok_or(Foreign)?, uri.port.unwrap_or(DEFAULT_PORT));
        if address.port() == 0 || (self.addresses.of(Side::Lan).is_some() && !self.is_place_of_phone(address.host())) {
            return Err(Foreign);
        }
        let place = Place { address, transport, named, renamed: false };
        let contact_user = uri.user.map_or(&[][..], |user| user.of(bytes));
        let offer = Offer { aor: &aor, contact: bytes, contact_user, place };
        if self.bindings.find(&offer).is_some() {
            return Err(Double);
        }
        let handle = self.bindings.offer(&offer, now).ok_or(Full)?;
        self.bindings.confirm(handle, None, secs, now);
        if let Some(binding) = self.bindings.get_mut(handle) {
            binding.is_imported = true;
            let aor = binding.aor.clone();
            self.ask_for_registrar(&aor, now, out);
        }
        Ok(Restored::Binding)
    }

    /// Asks the DNS which server keeps the registrations of an address-of-record.
    pub(super) fn ask_for_registrar(&mut self, aor: &[u8], now: Instant, out: &mut dyn Sink) {
        self.has_imports = true;
        let domain = aor.rsplit(|b| *b == b'@').next().unwrap_or_default();
        match self.proxy_of_domain(domain) {
            Some((proxy, transport)) => {
                let port = (proxy.port != 0).then_some(proxy.port);
                let target = Target { host: proxy.host.as_bytes(), port, transport };
                self.look_up_proxy(&proxy.host, target, now, out);
            }
            None => self.look_up_domain(domain, now, out),
        }
    }

    /// Gives the imported bindings whose domain, or whose proxy, is the one called `name` their registrar: the first of `servers`.
    pub(super) fn adopt(&mut self, name: [u8; 16], servers: &Candidates) {
        let Some(server) = servers.first().filter(|_| self.has_imports) else { return };
        // Whom the DNS leads back to us is registered here.
        let registrar = (!self.is_own_address(server.address)).then_some(server.address);
        self.has_imports = false;
        let is_meant = |this: &Self, binding: &super::binding::Binding| {
            binding.is_imported && this.registrar_name(binding.domain()) == name
        };
        loop {
            let found = self.bindings.iter().find(|(_, binding)| is_meant(self, binding)).map(|(handle, _)| handle);
            let Some(handle) = found else { break };
            let Some(binding) = self.bindings.get_mut(handle) else { break };
            binding.is_imported = false;
            binding.registrar = registrar;
            binding.registrar_by = super::route::of_sip(server.transport);
            self.bindings.note_change();
            if let Some(server) = registrar {
                // Without room its calls come in all the same, as long as something keeps the way open.
                let _ = self.flows.add(server);
            }
        }
        self.has_imports = self.bindings.iter().any(|(_, binding)| binding.is_imported);
    }

    /// What the table of domains calls the one by which REGISTERs for `domain` go.
    fn registrar_name(&self, domain: &[u8]) -> [u8; 16] {
        match self.proxy_of_domain(domain) {
            Some((proxy, _)) => self.proxy_name(&proxy.host),
            None => self.domain_name(domain, None),
        }
    }
}
