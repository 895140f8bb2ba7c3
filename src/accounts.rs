//! The accounts of phones that register at siproxd itself, from `proxy_auth_pwfile` or `proxy_auth_passwd`.
//!
//! A line of the file is `user password`, or `user $ha1-sha256$` and an HA1 in hexadecimal; `#` begins a comment. No line
//! is ever shown, not even a wrong one.

use crate::config::{Config, Problem, Report, Severity};
use crate::engine::Engine;
use crate::engine::auth::{Account, AccountError, MAX_ACCOUNT_NAME, MAX_PASSWORD, Secret, check_realm};
use crate::limits::MAX_ACCOUNTS;
use crate::log_class::{AUTH, log};
use crate::state::file;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the largest password file: room for every account, each with three hashes.
const MAX_FILE: u64 = 512 * 1024;

/// Lines that are told of one file.
const MAX_TOLD: usize = 20;

/// The permission of everybody to read.
const READABLE_BY_OTHERS: u32 = 0o004;

/// The realm and the accounts, all of which the engine can take.
#[derive(Default)]
pub struct Accounts {
    realm: String,
    /// The password of all users, where there is no file.
    shared: Option<String>,
    /// The text of the password file.
    text: String,
}

impl Accounts {
    /// Reads the accounts that a configuration names. The file goes before the one password, as in siproxd 0.8.
    ///
    /// # Errors
    /// The file cannot be read, or something of it cannot be taken. A daemon that went on would admit nobody, or everybody.
    pub fn read(config: &Config) -> io::Result<Self> {
        let Some(realm) = config.proxy_auth_realm.clone() else { return Ok(Self::default()) };
        check_realm(&realm).map_err(|error| io::Error::other(describe(error)))?;
        let Some(path) = &config.proxy_auth_pwfile else {
            let shared = config.proxy_auth_passwd.clone();
            let accounts = Self { realm, shared, text: String::new() };
            let taken = accounts.shared_account().map_or(Ok(()), |account| account.check());
            taken.map_err(|error| io::Error::other(format!("proxy_auth_passwd: {}", describe(error))))?;
            return Ok(accounts);
        };
        let text = read(path).and_then(|(text, _)| check_lines(&text).map(|users| (text, users)));
        let (text, users) =
            text.map_err(|error| io::Error::other(format!("proxy_auth_pwfile {}: {error}", path.display())))?;
        log::info!(target: AUTH, "{}: {users} accounts in realm {realm}", path.display());
        Ok(Self { realm, shared: None, text })
    }

    /// Gives the engine these accounts in place of those it has.
    pub fn give_to(&self, engine: &mut Engine) {
        let of_file = self.text.lines().filter_map(|line| account(line).ok().flatten());
        // They have been checked: all are taken.
        let _ = engine.set_accounts(&self.realm, &mut self.shared_account().into_iter().chain(of_file));
    }

    fn shared_account(&self) -> Option<Account<'_>> {
        self.shared.as_deref().map(|password| Account { user: None, secret: Secret::Password(password) })
    }
}

impl core::fmt::Debug for Accounts {
    /// Keeps passwords out of logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Accounts").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// Adds to the report of a configuration what is wrong with its accounts: each line of the password file that cannot be taken, and who
/// else may read it.
pub fn check(config: &Config, report: &mut Report) {
    let (Some(realm), line) = (&config.proxy_auth_realm, config.line_of("proxy_auth_realm")) else { return };
    if let Err(error) = check_realm(realm) {
        report.add(Severity::Error, line, describe(error));
    }
    let Some(path) = &config.proxy_auth_pwfile else {
        let shared = config.proxy_auth_passwd.as_deref();
        let shared = shared.map(|password| Account { user: None, secret: Secret::Password(password) });
        if let Some(Err(error)) = shared.map(|account| account.check()) {
            report.add(Severity::Error, config.line_of("proxy_auth_passwd"), describe(error));
        }
        return;
    };
    let directive = config.line_of("proxy_auth_pwfile");
    let (text, mode) = match read(path) {
        Ok(read) => read,
        Err(error) => {
            let text = format!("proxy_auth_pwfile = {}: {error}", path.display());
            return report.add(Severity::Error, directive, text);
        }
    };
    if mode & READABLE_BY_OTHERS != 0 {
        let text = format!("{} has passwords and can be read by everybody: chmod o-r", path.display());
        report.add(Severity::Warning, directive, text);
    }
    let mut bad = Vec::new();
    let users = lines(&text, &mut |line, column, text| {
        if bad.len() < MAX_TOLD {
            bad.push(Problem { file: Some(path.clone()), line, column, severity: Severity::Error, text });
        }
    });
    if users == 0 && bad.is_empty() {
        let text = format!("{} has no account: no phone can register", path.display());
        report.add(Severity::Warning, directive, text);
    }
    report.problems.extend(bad);
}

/// Looks at the lines of a password file, and tells the place of each that cannot be taken, with the reason. Returns how many accounts
/// there are.
pub fn lines(text: &str, wrong: &mut dyn FnMut(usize, usize, String)) -> usize {
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let start = line.trim_start();
        let column = line.chars().count() - start.chars().count() + 1;
        match account(line) {
            Ok(Some(account)) => match account.check() {
                Ok(()) => users.extend(account.user),
                Err(error) => wrong(number, column, describe(error)),
            },
            Ok(None) => {}
            Err(NoAccount) => wrong(
                number,
                column,
                "no `user password`, and no `user` with `$ha1-md5$`, `$ha1-sha256$` or `$ha1-sha512-256$` and a hash"
                    .to_owned(),
            ),
        }
    }
    users.sort_unstable();
    users.dedup();
    if users.len() > MAX_ACCOUNTS {
        wrong(0, 0, describe(AccountError::Full));
    }
    users.len()
}

/// How many accounts the lines of a file are for.
///
/// # Errors
/// The first line that cannot be taken, and why.
fn check_lines(text: &str) -> io::Result<usize> {
    let mut first = None;
    let users = lines(text, &mut |line, _, text| {
        if first.is_none() {
            first = Some(if line == 0 { text } else { format!("line {line}: {text}") });
        }
    });
    first.map_or(Ok(users), |text| Err(io::Error::other(text)))
}

fn describe(error: AccountError) -> String {
    match error {
        AccountError::Realm => {
            format!("proxy_auth_realm is longer than {MAX_ACCOUNT_NAME} bytes, or has a quote or a backslash")
        }
        AccountError::Name => format!("the name is longer than {MAX_ACCOUNT_NAME} bytes"),
        AccountError::Secret => format!("a password is empty, or longer than {MAX_PASSWORD} bytes"),
        AccountError::Full => format!("there are more than {MAX_ACCOUNTS} accounts"),
    }
}

/// The text of a file, and its mode.
fn read(path: &Path) -> io::Result<(String, u32)> {
    let file = file::open(path)?;
    let mode = file.metadata()?.mode();
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("larger than {MAX_FILE} bytes")));
    }
    Ok((text, mode))
}

/// What a line is that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAccount;

/// The account of one line; `None` where the line is empty or a comment.
///
/// # Errors
/// [`NoAccount`] where it has not two words, or an HA1 that is none.
pub fn account(line: &str) -> Result<Option<Account<'_>>, NoAccount> {
    let mut words = line.split_whitespace();
    let Some(user) = words.next().filter(|user| !user.starts_with('#')) else { return Ok(None) };
    let secret = words.next().and_then(Secret::parse).ok_or(NoAccount)?;
    match words.next() {
        Some(more) if !more.starts_with('#') => Err(NoAccount),
        _ => Ok(Some(Account { user: Some(user), secret })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::digest::{Algorithm, Hash};
    use std::path::PathBuf;

    fn loaded(name: &str, text: Option<&str>, password: Option<&str>) -> Result<(), String> {
        let path: PathBuf = std::env::temp_dir().join(format!("siproxd-accounts-{name}-{}", std::process::id()));
        if let Some(text) = text {
            std::fs::write(&path, text).expect("a file");
        }
        let config = Config {
            proxy_auth_realm: Some("Home".to_owned()),
            proxy_auth_passwd: password.map(str::to_owned),
            proxy_auth_pwfile: text.map(|_| path.clone()),
            ..Config::default()
        };
        let result = Accounts::read(&config)
            .map(|accounts| accounts.give_to(&mut Box::new(Engine::new())))
            .map_err(|error| error.to_string());
        let _ = std::fs::remove_file(&path);
        result
    }

    #[test]
    fn lines_of_the_file() {
        let ha1 = Hash::of_password(Algorithm::Md5, b"101", b"Home", b"secret").to_hex();
        let good = format!("# users\n\n100  secret\n101\t$ha1-md5${ha1} # hashed\n  102 a#b\r\n");
        assert_eq!(loaded("good", Some(&good), Some("ignored")), Ok(()));
        assert!(account("102 a#b").is_ok_and(|a| matches!(a, Some(Account { secret: Secret::Password("a#b"), .. }))));
        for (name, bad) in
            [("one", "100"), ("three", "100 se cret"), ("ha1", "100 $ha1-md5$12"), ("kind", "100 $ha1-x$")]
        {
            let text = format!("# users\n{bad}\n");
            let error = loaded(name, Some(&text), None).expect_err(name);
            assert!(error.contains("line 2: ") && !error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_taken() {
        let error = loaded("long", Some(&format!("100 a\n{} b\n", "x".repeat(128))), None).expect_err("a long name");
        assert!(error.contains("line 2: the name"), "{error}");
        assert!(loaded("shared", None, Some(&"x".repeat(128))).expect_err("a long password").contains("127"));
        let config = Config { proxy_auth_realm: Some("a\"b".to_owned()), ..Config::default() };
        assert!(Accounts::read(&config).expect_err("a quote").to_string().contains("realm"));
        let config = Config {
            proxy_auth_realm: Some("Home".to_owned()),
            proxy_auth_pwfile: Some(PathBuf::from("/nonexistent/file")),
            ..Config::default()
        };
        assert!(Accounts::read(&config).is_err());
    }

    #[test]
    fn one_password_or_no_realm() {
        assert_eq!(loaded("one-password", None, Some("secret")), Ok(()));
        let config = Config { proxy_auth_passwd: Some("secret".to_owned()), ..Config::default() };
        assert!(Accounts::read(&config).is_ok());
    }
}
