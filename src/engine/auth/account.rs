//! Accounts as they are given to the engine.

use crate::sip::digest::{Algorithm, Hash};

/// Bytes of a user's name, and of the realm, as many as siproxd 0.8 took.
pub const MAX_ACCOUNT_NAME: usize = 127;
/// Bytes of a password that holds for every user, as many as siproxd 0.8 took.
pub const MAX_PASSWORD: usize = 127;

/// One account.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The user's name, which is also the user of the address-of-record; `None` stands for every user.
    pub user: Option<&'a str>,
    /// What proves that it is he.
    pub secret: Secret<'a>,
}

impl Account<'_> {
    /// Whether the engine can take it.
    ///
    /// # Errors
    /// Its name or its secret is not what it takes.
    pub fn check(&self) -> Result<(), AccountError> {
        if self.user.is_some_and(|user| user.is_empty() || user.len() > MAX_ACCOUNT_NAME) {
            return Err(AccountError::Name);
        }
        match (self.user, self.secret) {
            (_, Secret::Password("")) | (None, Secret::Ha1(..)) => Err(AccountError::Secret),
            (None, Secret::Password(password)) if password.len() > MAX_PASSWORD => Err(AccountError::Secret),
            _ => Ok(()),
        }
    }
}

/// Whether the engine can take a realm, which stands in quotes in each challenge.
///
/// # Errors
/// See [`AccountError::Realm`].
pub fn check_realm(realm: &str) -> Result<(), AccountError> {
    let cannot_stand = |c: char| c.is_control() || matches!(c, '"' | '\\');
    if realm.len() > MAX_ACCOUNT_NAME || realm.contains(cannot_stand) { Err(AccountError::Realm) } else { Ok(()) }
}

/// What an account proves itself with.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// A password.
    Password(&'a str),
    /// The HA1 of a password in our realm; other algorithms cannot be used then. Several for one user add up.
    Ha1(Algorithm, Hash),
}

impl<'a> Secret<'a> {
    /// Reads a secret as a password file has it: `$ha1-md5$`, `$ha1-sha256$` or `$ha1-sha512-256$` and the HA1 in hexadecimal,
    /// or a password. `None` for an HA1 that is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let Some((name, hexadecimal)) = text.strip_prefix("$ha1-").and_then(|rest| rest.split_once('$')) else {
            return Some(Self::Password(text));
        };
        let algorithm = match name {
            "md5" => Algorithm::Md5,
            "sha256" => Algorithm::Sha256,
            "sha512-256" => Algorithm::Sha512T256,
            _ => return None,
        };
        Hash::from_hex(algorithm, hexadecimal.as_bytes()).map(|hash| Self::Ha1(algorithm, hash))
    }
}

impl core::fmt::Debug for Secret<'_> {
    /// Keeps it out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why an account, or the realm, was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// The realm is too long, or has a quote, a backslash or a control character.
    Realm,
    /// The user's name is empty or too long.
    Name,
    /// The password is empty or too long, or an HA1 without a user.
    Secret,
    /// There are [`MAX_ACCOUNTS`] already.
    Full,
}
