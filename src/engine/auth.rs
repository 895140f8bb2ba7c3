//! Who may register at siproxd itself: challenges, and the credentials that answer them (RFC 3261 §22, RFC 8760).
//!
//! A nonce is a sealed token with its moment and its serial number, so that a challenge takes no room in any table: only a
//! nonce that a right password was sent with is remembered, with its highest count. Where that table is full, the oldest
//! serial number leaves it, and every nonce up to that number is stale.
//!
//! The URI in the credentials is not compared with the request-URI, which a proxy may have changed (RFC 3261 §22.4).

mod account;
mod nonce;

pub use account::{Account, AccountError, MAX_ACCOUNT_NAME, MAX_PASSWORD, Secret, check_realm};

use super::binding::UriText;
use super::cause::Cause;
use super::message::Received;
use super::{Engine, Sink};
use crate::limits::MAX_ACCOUNTS;
use crate::log_class::{self as class, log};
use crate::sip::digest::{Algorithm, Credentials, DigestError, Hash, unescaped};
use crate::sip::reply::{Reply, ReplyError};
use crate::sip::token::{Key, Text};
use crate::sip::{HeaderId, Message};
use crate::table::Late;
use crate::time::Instant;
use nonce::{Nonce, Nonces};

/// What is needed to tell who a phone is. Starts as all zero bytes.
pub(super) struct Auth {
    /// Empty: nobody is asked.
    realm: heapless::String<MAX_ACCOUNT_NAME>,
    /// The password of all users.
    shared: Late<heapless::String<MAX_PASSWORD>>,
    users: heapless::Vec<User, MAX_ACCOUNTS>,
    nonces: Nonces,
}

impl core::fmt::Debug for Auth {
    /// Keeps passwords out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Auth").field("realm", &self.realm).field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// A user, with the HA1 of each algorithm that he can use.
struct User {
    name: heapless::String<MAX_ACCOUNT_NAME>,
    ha1: heapless::Vec<(Algorithm, Hash), { Algorithm::ALL.len() }>,
    /// Made from a password, not from hashes that somebody chose.
    from_password: bool,
}

/// What credentials come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is he.
    Proven,
    /// There are none for our realm, or they use an algorithm that the account cannot.
    Absent,
    /// The password is right, the nonce too old, used before, or not ours.
    Stale,
    /// Wrong, and why.
    Wrong(&'static str),
}

impl Auth {
    pub(super) const fn new() -> Self {
        Self { realm: heapless::String::new(), shared: Late::new(), users: heapless::Vec::new(), nonces: Nonces::new() }
    }

    fn add(&mut self, account: Account<'_>) -> Result<(), AccountError> {
        account.check()?;
        let Some(name) = account.user else {
            let Secret::Password(password) = account.secret else { return Err(AccountError::Secret) };
            let password = heapless::String::try_from(password).map_err(|_| AccountError::Secret)?;
            self.shared.set(password);
            return Ok(());
        };
        let name = heapless::String::try_from(name).map_err(|_| AccountError::Name)?;
        let at = match self.users.iter().position(|user| user.name == name) {
            Some(at) => at,
            None => {
                let user = User { name, ha1: heapless::Vec::new(), from_password: false };
                self.users.push(user).map_err(|_| AccountError::Full)?;
                self.users.len().saturating_sub(1)
            }
        };
        let Some(user) = self.users.get_mut(at) else { return Err(AccountError::Full) };
        match account.secret {
            Secret::Password(password) => {
                user.ha1.clear();
                user.from_password = true;
                for algorithm in Algorithm::ALL {
                    let (name, realm) = (user.name.as_bytes(), self.realm.as_bytes());
                    // There is a place for each algorithm.
                    let _ = user.ha1.push((algorithm, Hash::of_password(algorithm, name, realm, password.as_bytes())));
                }
            }
            Secret::Ha1(algorithm, hash) => {
                user.from_password = false;
                user.ha1.retain(|(known, _)| *known != algorithm);
                let _ = user.ha1.push((algorithm, hash));
            }
        }
        Ok(())
    }

    /// The user of this name, unless one password holds for all.
    fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.name.as_bytes() == name)
    }

    /// Whether a challenge to the phone of `user` names `algorithm`.
    ///
    /// RFC 8760 §2.4 would have every algorithm named, but phones are found that give up where they see one they do not know
    /// (baresip 1.0 at SHA-256). A password is asked for with MD5, which every phone has; whoever writes a better hash in place
    /// of a password has phones that know it, and SHA-512/256 is named only to those who have nothing better.
    fn offers(&self, algorithm: Algorithm, user: &[u8]) -> bool {
        if self.user(user).is_none_or(|user| user.from_password) {
            return algorithm == Algorithm::Md5;
        }
        let is_needed = algorithm != Algorithm::Sha512T256 || !self.takes(Algorithm::Sha256, user);
        is_needed && self.takes(algorithm, user)
    }

    /// Whether `user` may use `algorithm`. A user that does not exist may use all, as one with a password.
    fn takes(&self, algorithm: Algorithm, user: &[u8]) -> bool {
        self.user(user).is_none_or(|user| user.ha1.iter().any(|(known, _)| *known == algorithm))
    }

    fn ha1(&self, algorithm: Algorithm, name: &[u8]) -> Option<Hash> {
        if let Some(user) = self.user(name) {
            return user.ha1.iter().find(|(known, _)| *known == algorithm).map(|(_, hash)| *hash);
        }
        let password = self.shared.get()?;
        Some(Hash::of_password(algorithm, name, self.realm.as_bytes(), password.as_bytes()))
    }

    /// Judges the credentials of a REGISTER for `aor`.
    fn judge(&mut self, msg: &Message<'_>, aor: &[u8], key: &Key, now: Instant) -> Verdict {
        let mut verdict = Verdict::Absent;
        let ids = [HeaderId::Authorization, HeaderId::ProxyAuthorization];
        for header in msg.headers().iter().filter(|header| ids.contains(&header.id)) {
            let found = match Credentials::parse(msg.get(header.value)) {
                Ok(credentials) => self.judge_one(&credentials, msg, aor, key, now),
                Err(DigestError::Scheme | DigestError::Algorithm) => Verdict::Absent,
                Err(_) => Verdict::Wrong("the credentials cannot be read"),
            };
            match found {
                Verdict::Proven => return found,
                Verdict::Absent => {}
                Verdict::Stale | Verdict::Wrong(_) => verdict = found,
            }
        }
        verdict
    }

    fn judge_one(
        &mut self,
        credentials: &Credentials<'_>,
        msg: &Message<'_>,
        aor: &[u8],
        key: &Key,
        now: Instant,
    ) -> Verdict {
        let user = aor.split(|b| *b == b'@').next().unwrap_or_default();
        if !unescaped(credentials.realm).eq(self.realm.bytes()) || !self.takes(credentials.algorithm, user) {
            return Verdict::Absent;
        }
        let mut name = heapless::Vec::<u8, MAX_ACCOUNT_NAME>::new();
        if unescaped(credentials.user).any(|byte| name.push(byte).is_err()) {
            return Verdict::Wrong("there is no such account");
        }
        let Some(ha1) = self.ha1(credentials.algorithm, &name) else {
            return Verdict::Wrong("there is no such account");
        };
        if !credentials.prove(&ha1, b"REGISTER") {
            return Verdict::Wrong("the password is wrong");
        }
        // An account may be written with its domain.
        if name != user && name != aor {
            return Verdict::Wrong("the account is another user's");
        }
        let Some(nonce) = Nonce::open(key, credentials.nonce) else { return Verdict::Stale };
        let fingerprint = key.hash("register", &[msg.bytes()]);
        if self.nonces.accept(nonce, credentials.nonce_count, fingerprint, now) {
            Verdict::Proven
        } else {
            Verdict::Stale
        }
    }
}

impl Engine {
    /// Sets the realm and the accounts of phones that register at siproxd itself; an empty realm asks nobody. Gives how many
    /// accounts there are. Each call replaces what was there.
    ///
    /// # Errors
    /// What was not taken; those before it were.
    pub fn set_accounts<'a>(
        &mut self,
        realm: &str,
        accounts: &mut dyn Iterator<Item = Account<'a>>,
    ) -> Result<usize, AccountError> {
        self.auth.users.clear();
        self.auth.shared = Late::new();
        check_realm(realm)?;
        self.auth.realm = heapless::String::try_from(realm).map_err(|_| AccountError::Realm)?;
        for account in accounts {
            self.auth.add(account)?;
        }
        Ok(self.auth.users.len())
    }

    /// Whether a REGISTER for `aor` at siproxd itself may pass. If not, it has been answered.
    pub(super) fn is_admitted(
        &mut self,
        received: &Received<'_>,
        aor: &UriText,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        if self.auth.realm.is_empty() {
            return true;
        }
        match self.auth.judge(received.msg, aor, &self.key, now) {
            Verdict::Proven => return true,
            Verdict::Absent => {
                let ids = [HeaderId::Authorization, HeaderId::ProxyAuthorization];
                if ids.iter().any(|id| received.msg.header(*id).is_some()) {
                    self.note_refused(received, 401, Cause::Forbidden);
                }
                self.challenge(received, aor, false, now, out);
            }
            Verdict::Stale => self.challenge(received, aor, true, now, out),
            Verdict::Wrong(why) => {
                log::warn!(
                    target: class::AUTH,
                    "{} from {} may not register: {why}",
                    aor.escape_ascii(),
                    received.from,
                );
                self.answer(received, Cause::Forbidden, out);
            }
        }
        false
    }

    /// Asks who it is (RFC 3261 §22.1), with the algorithm that we prefer first (RFC 8760 §2.4).
    fn challenge(&mut self, received: &Received<'_>, aor: &UriText, is_stale: bool, now: Instant, out: &mut dyn Sink) {
        let nonce = self.auth.nonces.issue(&self.key, &mut self.random, now);
        log::debug!(target: class::AUTH, "{} from {} is asked for a password", aor.escape_ascii(), received.from);
        let tag = self.to_tag(received);
        let sent = Reply::new(received.msg, received.from, 401, "Unauthorized", &tag).and_then(|mut reply| {
            self.write_challenges(&mut reply, aor, &nonce, is_stale)?;
            Self::send_reply(received, &mut reply, out)
        });
        if sent.is_err() {
            self.answer(received, Cause::TooLarge, out);
        }
    }

    fn write_challenges(&self, reply: &mut Reply, aor: &[u8], nonce: &Text, is_stale: bool) -> Result<(), ReplyError> {
        let user = aor.split(|b| *b == b'@').next().unwrap_or_default();
        let stale = if is_stale { ", stale=true" } else { "" };
        let realm = &self.auth.realm;
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| self.auth.offers(*algorithm, user)) {
            let name = algorithm.name();
            reply.header(
                "WWW-Authenticate",
                format_args!(r#"Digest realm="{realm}", nonce="{nonce}", algorithm={name}, qop="auth"{stale}"#),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
