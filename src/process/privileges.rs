//! Root, and how it is given up for good: once, after the sockets are bound, before anything from a network is read.
//!
//! ```text
//!   look up user and groups ──▶ bind ──▶ chroot ──▶ setgroups ──▶ setgid ──▶ setuid ──▶ no_new_privs, Landlock
//! ```
//!
//! A step that fails ends the program: half of it is worse than none, for nobody would look at it again.

use super::power::Powers;
use super::{in_words, keep_crashes_beside};
use crate::config::Config;
use crate::log_class::{PROCESS, log};
use crate::state;
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid, User};
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The account that the daemon runs as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// Looks up `name` with all its groups, while the files that tell them are in reach.
    ///
    /// # Errors
    /// There is no such account: to stay root in its place would be wrong.
    pub(super) fn look_up(name: &str) -> io::Result<Self> {
        let told = |error: io::Error| in_words(format_args!("user = {name}"), error);
        let Some(user) = User::from_name(name).map_err(|error| told(error.into()))? else {
            return Err(told(io::Error::new(io::ErrorKind::NotFound, "there is no such account")));
        };
        let groups = unistd::getgrouplist(&CString::new(name)?, user.gid).map_err(|error| told(error.into()))?;
        Ok(Self { name: name.to_owned(), uid: user.uid, gid: user.gid, groups })
    }

    /// What the mode of a file lets the account do: read 4, write 2, and enter a directory 1.
    pub(super) fn rights(&self, file: &Metadata) -> u32 {
        const ALL: u32 = 0o7;
        let shift = match file {
            _ if self.uid.is_root() => return ALL,
            file if file.uid() == self.uid.as_raw() => 6,
            file if self.groups.iter().any(|group| group.as_raw() == file.gid()) => 3,
            _ => 0,
        };
        file.mode() >> shift & ALL
    }

    /// Takes its groups, its group, and itself in place of root; `keep` stays of root's powers.
    fn become_it(&self, keep: Powers) -> io::Result<()> {
        unistd::setgroups(&self.groups).map_err(|error| in_words("setgroups", error))?;
        unistd::setresgid(self.gid, self.gid, self.gid).map_err(|error| in_words("setgid", error))?;
        prctl::set_keepcaps(!keep.is_none()).map_err(|error| in_words("keeping capabilities", error))?;
        unistd::setresuid(self.uid, self.uid, self.uid).map_err(|error| in_words("setuid", error))?;
        if self.uid.is_root() {
            return Ok(());
        }
        if !keep.is_none() {
            keep.keep().map_err(|error| in_words("capset", error))?;
            prctl::set_keepcaps(false).map_err(|error| in_words("keeping capabilities", error))?;
        }
        if unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(io::Error::other("root came back after it was given up"));
        }
        Ok(())
    }
}

/// What is to become of root.
#[derive(Debug)]
pub struct Privileges {
    account: Option<Account>,
    jail: Option<PathBuf>,
    keep: Powers,
}

impl Privileges {
    /// Looks up what `user` and `chrootjail` name. Where the process is not root, neither counts.
    ///
    /// # Errors
    /// There is no such account.
    pub fn plan(config: &Config) -> io::Result<Self> {
        let Config { user, chrootjail, .. } = config;
        if !unistd::geteuid().is_root() {
            for (name, value) in [("user", user.clone()), ("chrootjail", chrootjail.as_deref().map(shown))] {
                if let Some(value) = value {
                    log::info!(target: PROCESS, "not started as root: `{name} = {value}` is ignored");
                }
            }
            return Ok(Self { account: None, jail: None, keep: Powers::default() });
        }
        let account = user.as_deref().map(Account::look_up).transpose()?;
        Ok(Self { account, jail: chrootjail.clone(), keep: Powers::for_config(config) })
    }

    /// User and group that the daemon will have in place of root's.
    #[must_use]
    pub fn ids(&self) -> Option<(u32, u32)> {
        self.account.as_ref().map(|account| (account.uid.as_raw(), account.gid.as_raw()))
    }

    /// Carries it out. The registration file is prepared on the way: in the jail, as root still.
    ///
    /// # Errors
    /// The step that failed; the process must not go on.
    pub fn give_up(&self, config: &Config) -> io::Result<()> {
        if let Some(jail) = &self.jail {
            enter(jail).map_err(|error| in_words(format_args!("chrootjail = {}", jail.display()), error))?;
        }
        if let Some(path) = &config.registration_file {
            state::prepare(path, self.ids());
        }
        for (_, path) in config.files_of_hooks() {
            state::prepare_file(path, self.ids());
        }
        if let Some(account) = &self.account {
            let name = &account.name;
            account.become_it(self.keep).map_err(|error| in_words(format_args!("user = {name}"), error))?;
        }
        if let Some(path) = &config.registration_file {
            keep_crashes_beside(path);
        }
        prctl::set_no_new_privs().map_err(|error| in_words("no_new_privs", error))?;
        let confined = if is_confined(config) { ", confined by Landlock" } else { "" };
        if self.account.is_some() || self.jail.is_some() {
            let place = self.jail.as_deref().map_or_else(|| "/".to_owned(), shown);
            let keep = self.keep;
            let (user, group) = (unistd::getuid(), unistd::getgid());
            log::info!(target: PROCESS, "running as user {user}, group {group}, in {place}{keep}{confined}");
        }
        Ok(())
    }
}

/// Confines the process beyond the rights of its account, where this build and the kernel can.
#[cfg(feature = "landlock")]
fn is_confined(config: &Config) -> bool {
    super::confine::confine(config)
}

#[cfg(not(feature = "landlock"))]
const fn is_confined(_: &Config) -> bool {
    false
}

fn enter(jail: &Path) -> io::Result<()> {
    unistd::chroot(jail)?;
    unistd::chdir("/")?;
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_account_is_an_error() {
        let error = Account::look_up("no-such-account-here").expect_err("nobody");
        assert_eq!(error.to_string(), "user = no-such-account-here: there is no such account");
        assert!(Account::look_up("root").is_ok());
    }
}
