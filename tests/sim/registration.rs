//! Registration: a phone's side of it, and the registrar's (RFC 3261 §10).

use crate::agent::Agent;
use crate::rig::text;
use siproxd::time::Instant;

/// Seconds that a phone asks for, and the provider grants.
pub const EXPIRES: u32 = 120;

/// A phone's registration.
pub struct Registration {
    call_id: String,
    number: u32,
    at: Option<Instant>,
    pub is_registered: bool,
    /// How many times it failed.
    pub failures: usize,
    pub wanted: bool,
    /// The phone is switched off: nothing more is sent.
    is_off: bool,
    credentials: bool,
}

/// What the registrar knows of a user.
pub struct Binding {
    contact: String,
    expires_at: Instant,
}

impl Registration {
    /// A phone that is to register now.
    pub const fn new(call_id: String, now: Instant) -> Self {
        Self {
            call_id,
            number: 0,
            at: Some(now),
            is_registered: false,
            failures: 0,
            wanted: true,
            is_off: false,
            credentials: false,
        }
    }

    pub const fn next_timeout(&self) -> Option<Instant> {
        self.at
    }
}

impl Agent {
    /// The contact that a user is registered with, at the registrar.
    pub fn contact_of(&self, user: &str) -> Option<&str> {
        let binding = self.bindings.as_ref()?.get(user)?;
        (binding.expires_at > self.now).then_some(&binding.contact)
    }

    pub fn take_register(&mut self, at: usize) {
        let request = self.servers[at].request.clone();
        let Some(bindings) = &mut self.bindings else { return };
        if text::header(&request, "Authorization").is_empty() {
            let challenge = "WWW-Authenticate: Digest realm=\"provider.example\", nonce=\"1\"\r\n";
            return self.respond(at, "401 Unauthorized", "reg", challenge, "");
        }
        let contact = text::header(&request, "Contact");
        let user = text::uri(text::header(&request, "To")).trim_start_matches("sip:").split('@').next().unwrap();
        let expires: u32 = text::param(contact, ";expires=").parse().unwrap();
        let uri = text::uri(contact).to_owned();
        let lines = if expires == 0 {
            bindings.remove(user);
            String::new()
        } else {
            bindings
                .insert(user.to_owned(), Binding { contact: uri.clone(), expires_at: self.now.after_secs(expires) });
            format!("Contact: <{uri}>;expires={expires}\r\n")
        };
        self.respond(at, "200 OK", "reg", &lines, "");
    }

    /// Lets the phone take its registration back.
    pub fn unregister(&mut self) {
        if let Some(registration) = &mut self.registration {
            registration.wanted = false;
            registration.at = Some(self.now);
        }
    }

    /// Lets the registration run out: no refresh any more.
    pub fn stop_refreshing(&mut self) {
        if let Some(registration) = &mut self.registration {
            registration.is_off = true;
        }
    }

    pub fn run_registration(&mut self) {
        let (now, user, contact) = (self.now, self.user.clone(), self.contact());
        let Some(registration) = &mut self.registration else { return };
        if registration.is_off {
            registration.at = None;
        }
        if registration.at.is_none_or(|at| at > now) {
            return;
        }
        registration.at = None;
        registration.number += 1;
        let number = registration.number;
        let expires = if registration.wanted { EXPIRES } else { 0 };
        let credentials = if registration.credentials {
            format!("Authorization: Digest username=\"{user}\", uri=\"sip:provider.example\", response=\"1\"\r\n")
        } else {
            String::new()
        };
        let lines = format!(
            "From: <sip:{user}@provider.example>;tag={number}\r\nTo: <sip:{user}@provider.example>\r\n\
             Call-ID: {}\r\nContact: <{contact}>;expires={expires}\r\n{credentials}",
            registration.call_id
        );
        self.request("REGISTER", number, "sip:provider.example", &lines, "", None);
    }

    pub fn registered(&mut self, status: u16, message: &str) {
        let again = self.now.after_secs(self.random.between(2, 6) as u32);
        let contact = format!("<{}>;expires={EXPIRES}", self.contact());
        let now = self.now;
        let Some(registration) = &mut self.registration else { return };
        match status {
            200 if !registration.wanted => registration.is_registered = false,
            200 => {
                registration.is_registered = true;
                registration.at = Some(now.after_secs(EXPIRES / 2));
                if text::header(message, "Contact") != contact {
                    self.violation("the registrar's answer has not the phone's Contact", message);
                }
            }
            401 => {
                registration.credentials = true;
                registration.at = Some(now);
            }
            _ => {
                registration.failures += 1;
                registration.is_registered = false;
                registration.at = Some(again);
            }
        }
    }
}
