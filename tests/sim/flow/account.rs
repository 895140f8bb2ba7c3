//! A phone's registrations (RFC 3261 §10): at the provider, and at the router itself.

use super::party::{Owner, Party};
use crate::rig::text;
use siproxd::time::Instant;

/// Seconds that a phone asks for.
pub const EXPIRES: u32 = 120;

pub struct Account {
    /// The domain of the address-of-record.
    pub domain: String,
    /// What REGISTER is sent to.
    pub uri: String,
    call_id: String,
    number: u32,
    pub at: Option<Instant>,
    pub is_registered: bool,
    pub is_wanted: bool,
    has_credentials: bool,
    is_underway: bool,
    /// Whether the REGISTER that is underway takes the registration back.
    goes_away: bool,
    /// The phone is switched off: nothing more is sent.
    is_off: bool,
}

impl Account {
    pub fn new(domain: &str, uri: &str, call_id: String, now: Instant) -> Self {
        Self {
            domain: domain.to_owned(),
            uri: uri.to_owned(),
            call_id,
            number: 0,
            at: Some(now),
            is_registered: false,
            is_wanted: true,
            has_credentials: false,
            is_underway: false,
            goes_away: false,
            is_off: false,
        }
    }
}

impl Party {
    /// Registers anew, or takes the registration back.
    pub fn register(&mut self, account: usize, is_wanted: bool) {
        let now = self.now;
        let account = &mut self.accounts[account];
        account.is_wanted = is_wanted;
        account.at = Some(now);
    }

    pub fn switch_off(&mut self) {
        for account in &mut self.accounts {
            account.is_off = true;
            account.at = None;
        }
    }

    pub fn run_accounts(&mut self) {
        let (now, user, contact) = (self.now, self.user.clone(), self.contact());
        for at in 0..self.accounts.len() {
            let account = &mut self.accounts[at];
            if account.at.is_none_or(|at| at > now) {
                continue;
            }
            // One at a time; the answer brings about the next.
            account.at = account.is_underway.then(|| now.after_secs(1));
            if account.is_underway {
                continue;
            }
            account.is_underway = true;
            account.goes_away = !account.is_wanted;
            account.number += 1;
            let number = account.number;
            let expires = if account.is_wanted { EXPIRES } else { 0 };
            let credentials = if account.has_credentials {
                format!("Authorization: Digest username=\"{user}\", uri=\"{}\", response=\"1\"\r\n", account.uri)
            } else {
                String::new()
            };
            let (domain, uri) = (account.domain.clone(), account.uri.clone());
            let lines = format!(
                "From: <sip:{user}@{domain}>;tag={number}\r\nTo: <sip:{user}@{domain}>\r\n\
                 Call-ID: {}\r\nContact: <{contact}>;expires={expires}\r\n{credentials}",
                account.call_id
            );
            self.request("REGISTER", number, &uri, &lines, "", Owner::Account(at));
        }
    }

    pub fn registered(&mut self, at: usize, status: u16, message: &str) {
        let pause = self.random.between(2000, 6000);
        let again = self.after(pause);
        let (now, contact) = (self.now, self.contact());
        let account = &mut self.accounts[at];
        account.is_underway = false;
        let mut next = match status {
            200 if account.goes_away => {
                account.is_registered = false;
                None
            }
            200 => {
                account.is_registered = true;
                Some(now.after_secs(EXPIRES / 2))
            }
            401 => {
                account.has_credentials = true;
                Some(now)
            }
            _ => {
                account.is_registered = false;
                Some(again)
            }
        };
        if account.is_off {
            next = None;
        }
        // A change of mind goes before.
        account.at = [account.at, next].into_iter().flatten().min();
        let has_own = text::headers(message, "Contact").iter().any(|value| text::uri(value) == contact);
        if account.is_registered && status == 200 && !has_own {
            self.violation("the registrar's answer has not the phone's Contact", message);
        }
    }
}
