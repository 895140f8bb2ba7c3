//! The provider: a registrar, a stateless proxy between its users, and one user of its own.

use super::draw::{Plan, USERS};
use super::party::{Party, Way};
use crate::agent::host_of;
use crate::rig::text;
use core::net::SocketAddr;
use siproxd::time::Instant;
use std::collections::BTreeMap;

/// What it knows.
#[derive(Default)]
pub struct Registrar {
    bindings: BTreeMap<String, Binding>,
    /// Where requests went: CANCEL and ACK of an INVITE go there too, whatever has become of the binding.
    passed: BTreeMap<String, (String, SocketAddr)>,
}

struct Binding {
    contact: String,
    expires_at: Instant,
}

impl Party {
    /// The contact that a user is registered with.
    pub fn contact_of(&self, user: &str) -> Option<&str> {
        let binding = self.registrar.as_ref()?.bindings.get(user)?;
        (binding.expires_at > self.now).then_some(&binding.contact)
    }

    /// Where a request to a URI goes: the provider looks its own users up.
    pub fn resolve(&self, uri: &str) -> Option<String> {
        if self.registrar.is_none() {
            return Some(uri.to_owned());
        }
        self.contact_of(user_of(uri)).map(str::to_owned)
    }

    pub fn take_register(&mut self, at: usize, _: Way) {
        let request = self.servers[at].request.clone();
        let now = self.now;
        if text::header(&request, "Authorization").is_empty() {
            let challenge = "WWW-Authenticate: Digest realm=\"provider.example\", nonce=\"1\"\r\n";
            return self.respond(at, "401 Unauthorized", "reg", challenge, "");
        }
        let Some(registrar) = &mut self.registrar else { return };
        let contact = text::header(&request, "Contact");
        let user = user_of(text::uri(text::header(&request, "To")));
        let expires: u32 = text::param(contact, ";expires=").parse().unwrap();
        let uri = text::uri(contact).to_owned();
        let lines = if expires == 0 {
            registrar.bindings.remove(user);
            String::new()
        } else {
            let binding = Binding { contact: uri.clone(), expires_at: now.after_secs(expires) };
            registrar.bindings.insert(user.to_owned(), binding);
            format!("Contact: <{uri}>;expires={expires}\r\n")
        };
        self.respond(at, "200 OK", "reg", &lines, "");
    }

    /// Whether the provider answers an INVITE itself, and how: it wants a password, or does not know the user.
    pub fn refuses(&self, invite: &str, plan: &Plan) -> Option<(&'static str, &'static str)> {
        self.registrar.as_ref()?;
        if plan.challenged && text::header(invite, "Proxy-Authorization").is_empty() {
            let challenge = "Proxy-Authenticate: Digest realm=\"provider.example\", nonce=\"1\"\r\n";
            return Some(("407 Proxy Authentication Required", challenge));
        }
        let uri = invite.split(' ').nth(1).unwrap();
        (user_of(uri) != self.user).then_some(("480 Temporarily Unavailable", ""))
    }

    /// Passes a request for another user on, as a stateless proxy does (RFC 3261 §16.11); `false` where it is for us.
    pub fn pass_on(&mut self, message: &str, branch: &str) -> bool {
        let uri = message.split(' ').nth(1).unwrap();
        let method = text::method(message);
        if method == "REGISTER" || user_of(uri) == self.user || self.servers.iter().any(|s| s.branch == branch) {
            return false;
        }
        let key = format!("{} {} {branch}", text::header(message, "Call-ID"), text::cseq(message));
        let is_proxied = self.registrar.as_ref().is_some_and(|registrar| registrar.passed.contains_key(&key));
        let is_in_dialog = text::header(message, "To").contains(";tag=") && !is_proxied;
        let target = if is_in_dialog {
            Some((uri.to_owned(), host_of(uri)))
        } else if let Some(passed) = self.registrar.as_ref().and_then(|registrar| registrar.passed.get(&key)) {
            Some(passed.clone())
        } else {
            let number: usize = text::header(message, "Subject").parse().unwrap_or(0);
            let wants_password =
                text::header(message, "Proxy-Authorization").is_empty() && self.plan(number).challenged;
            let contact = self.contact_of(user_of(uri)).filter(|_| USERS.contains(&user_of(uri)) && !wants_password);
            contact.map(|contact| (contact.to_owned(), host_of(contact)))
        };
        let Some((target, to)) = target else { return false };
        let is_tcp = target.contains("transport=tcp");
        if let Some(registrar) = self.registrar.as_mut().filter(|_| !is_in_dialog) {
            registrar.passed.insert(key, (target.clone(), to));
        }
        let via = self.via(is_tcp, &format!("{branch}p"));
        let transport = if self.is_tcp { ";transport=tcp" } else { "" };
        let record = format!("Record-Route: <sip:{};lr{transport}>\r\n", self.address);
        let record = if method == "INVITE" && !is_in_dialog { &record } else { "" };
        let (start, rest) = message.split_once("\r\n").unwrap();
        let start = start.replacen(uri, &target, 1);
        let own_route = format!("Route: <sip:{}", self.address);
        let rest = match rest.split_once(&own_route) {
            Some((before, after)) => format!("{before}{}", after.split_once("\r\n").unwrap().1),
            None => rest.to_owned(),
        };
        let hops = text::header(message, "Max-Forwards");
        let fewer = hops.parse().unwrap_or(1) - 1;
        let passed = format!("{start}\r\n{via}{record}{rest}").replacen(
            &format!("Max-Forwards: {hops}"),
            &format!("Max-Forwards: {fewer}"),
            1,
        );
        let _ = self.send_to(to, is_tcp, &passed);
        true
    }

    /// Passes a response back to where its request came from.
    pub fn pass_back(&mut self, message: &str) {
        let (start, rest) = message.split_once("\r\n").unwrap();
        let Some((_, rest)) = rest.split_once("\r\n").filter(|_| rest.starts_with("Via: ")) else { return };
        let response = format!("{start}\r\n{rest}");
        let via = text::header(&response, "Via").to_owned();
        let address = format!("{}:{}", text::param(&via, ";received="), text::param(&via, ";rport="));
        let sent_by = via.split([' ', ';']).nth(1).and_then(|sent_by| sent_by.parse().ok());
        match (via.starts_with("SIP/2.0/TCP"), address.parse(), sent_by) {
            (true, _, Some(sent_by)) => {
                let _ = self.send_to(sent_by, true, &response);
            }
            (false, Ok(address), _) => {
                let _ = self.send_to(address, false, &response);
            }
            _ => self.violation("a Via that nothing goes back to", message),
        }
    }
}

fn user_of(uri: &str) -> &str {
    uri.trim_start_matches("sip:").split('@').next().unwrap()
}
