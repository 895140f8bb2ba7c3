//! What is opened again after root is given up, and which of it will be out of reach then.
//!
//! Told at start and by `--check`, each with the remedy. Judged by the modes of the files as they are now; nothing is
//! changed.

use super::privileges::Account;
use crate::config::{Config, Report, Severity};
use nix::unistd;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where the system keeps its nameservers (resolv.conf(5)), and where its log takes lines.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const SYSLOG: &str = "/dev/log";

/// `silence_log` that keeps all from syslog.
const SILENCE_ALL: u8 = 4;

const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// Why a file cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    Missing,
    Forbidden,
}

/// Adds to the report of a configuration what `user` and `chrootjail` put out of reach, as far as the daemon is or would be started as
/// root: `is_check` is for `--check`, which anybody may run.
pub fn out_of_reach(config: &Config, report: &mut Report, is_check: bool) {
    if !is_check && !unistd::geteuid().is_root() {
        return;
    }
    let account = match config.user.as_deref().map(Account::look_up).transpose() {
        Ok(account) => account,
        Err(error) => return report.add(Severity::Error, config.line_of("user"), error.to_string()),
    };
    let view = View { jail: config.chrootjail.as_deref(), account: account.as_ref() };
    let jail_line = config.line_of("chrootjail");
    if let Some(jail) = view.jail {
        if !jail.is_dir() {
            let text = format!("chrootjail = {}: there is no such directory", jail.display());
            return report.add(Severity::Error, jail_line, text);
        }
        if account.is_none() {
            let text = "`chrootjail` without `user`: root gets out of any jail; set `user`";
            report.add(Severity::Warning, jail_line, text);
        }
    }
    // Of none there is no absolute path.
    let file = std::path::absolute(&report.file).unwrap_or_default();
    let mut tell = |line: usize, found: Option<String>| {
        found.into_iter().for_each(|text| report.add(Severity::Warning, line, text));
    };
    if !file.as_os_str().is_empty() {
        // What keeps us from it is the jail, or else the account.
        tell(if view.jail.is_some() { jail_line } else { config.line_of("user") }, view.reading(&file, "a reload"));
    }
    let passwords = config.proxy_auth_pwfile.as_ref();
    tell(config.line_of("proxy_auth_pwfile"), passwords.and_then(|path| view.reading(path, "a reload")));
    let registrations = config.registration_file.as_ref();
    tell(config.line_of("registration_file"), registrations.and_then(|path| view.replacing(path, "registrations")));
    for (name, path) in config.files_of_hooks() {
        tell(config.line_of(name), view.replacing(path, name));
    }
    tell(jail_line, view.in_jail(RESOLV_CONF, "nameservers stay those of the start"));
    if config.daemonize && config.silence_log < SILENCE_ALL {
        tell(jail_line, view.in_jail(SYSLOG, "the log ends when syslog starts again"));
    }
}

/// The file system as it will be seen.
struct View<'a> {
    jail: Option<&'a Path>,
    account: Option<&'a Account>,
}

impl View<'_> {
    /// A path of then as it is named now.
    fn now(&self, path: &Path) -> PathBuf {
        match self.jail {
            Some(jail) => jail.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    fn name(&self) -> &str {
        self.account.map_or("root", |account| &account.name)
    }

    /// Whether all of `wanted` may be done with what is at `path`, named as it is now.
    fn may(&self, path: &Path, wanted: u32) -> Result<(), Obstacle> {
        let rights = |path: &Path| match fs::metadata(path) {
            Ok(metadata) => Ok(self.account.map_or(READ | WRITE | ENTER, |account| account.rights(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(READ | WRITE | ENTER),
            Err(_) => Err(Obstacle::Missing),
        };
        let mut way = PathBuf::new();
        for component in path.parent().into_iter().flat_map(Path::components) {
            way.push(component);
            if component != Component::RootDir && rights(&way)? & ENTER == 0 {
                return Err(Obstacle::Forbidden);
            }
        }
        if rights(path)? & wanted == wanted { Ok(()) } else { Err(Obstacle::Forbidden) }
    }

    /// What is wrong with a file that `who` reads.
    fn reading(&self, path: &Path, who: &str) -> Option<String> {
        let now = self.now(path);
        let shown = now.display();
        Some(match self.may(&now, READ).err()? {
            Obstacle::Missing => {
                format!("{who} will not find {}, which is {shown} from the jail; keep a copy there", path.display())
            }
            Obstacle::Forbidden => {
                let name = self.name();
                format!(
                    "{who} cannot read {shown} as user {name}; give it to a group of {name}, readable by that group"
                )
            }
        })
    }

    /// What is wrong with a file that is replaced as a whole.
    fn replacing(&self, path: &Path, what: &str) -> Option<String> {
        let now = self.now(path);
        let directory = now.parent()?;
        let (shown, name) = (directory.display(), self.name());
        match self.may(directory, WRITE | ENTER).err()? {
            // One that is missing is made at start, the ones above it are not.
            Obstacle::Missing if directory.parent().is_some_and(Path::is_dir) => None,
            Obstacle::Missing => Some(format!(
                "{what} cannot be saved: there is no directory {shown}; make it and give it to {name} (mkdir -p, chown)"
            )),
            Obstacle::Forbidden => Some(format!(
                "{name} cannot replace files in {shown}: {what} are written over the old ones, and lost with the power; \
                 chown {name} {shown}"
            )),
        }
    }

    /// What is wrong with a file of the system that a jail need not have.
    fn in_jail(&self, path: &str, consequence: &str) -> Option<String> {
        self.jail?;
        let now = self.now(Path::new(path));
        self.may(&now, READ).err()?;
        let shown = now.display();
        Some(format!("{consequence}: there is no {shown} for the jail; make it, and: mount --bind {path} {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("siproxd-later-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("jail/etc")).expect("directories");
            for (path, mode) in [(path.join("jail"), 0o755), (path.join("jail/etc"), 0o755), (path.clone(), 0o755)] {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
            }
            Self(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(&path, "x").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            path
        }

        fn told(&self, set: impl FnOnce(&mut Config)) -> Vec<String> {
            let mut config = Config { user: Some("nobody".to_owned()), ..Config::default() };
            set(&mut config);
            let mut report = Report::of_file(&self.0.join("conf"));
            out_of_reach(&config, &mut report, true);
            let root = self.0.display().to_string();
            report.problems.into_iter().map(|problem| problem.text.replace(&root, "")).collect()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_in_reach_is_not_told() {
        let tree = Tree::new("good");
        tree.file("conf", 0o644);
        assert_eq!(tree.told(|c| c.registration_file = Some(tree.0.join("new/registrations"))), [""; 0]);
    }

    #[test]
    fn what_the_account_may_not_read_is_told() {
        let tree = Tree::new("modes");
        tree.file("conf", 0o600);
        let passwords = tree.file("passwords", 0o640);
        let told = tree.told(|c| {
            c.proxy_auth_pwfile = Some(passwords);
            c.registration_file = Some(tree.0.join("jail/registrations"));
        });
        assert_eq!(
            told,
            [
                "a reload cannot read /conf as user nobody; give it to a group of nobody, readable by that group",
                "a reload cannot read /passwords as user nobody; give it to a group of nobody, readable by that group",
                "nobody cannot replace files in /jail: registrations are written over the old ones, and lost with the \
                 power; chown nobody /jail",
            ]
        );
    }

    #[test]
    fn what_is_not_in_the_jail_is_told() {
        let tree = Tree::new("jail");
        let conf = tree.file("conf", 0o644);
        let jailed = |c: &mut Config| {
            c.chrootjail = Some(tree.0.join("jail"));
            c.registration_file = Some("/a/b/registrations".into());
            c.daemonize = true;
        };
        let told = tree.told(jailed);
        let expected = [
            format!("a reload will not find /conf, which is /jail{} from the jail; keep a copy there", conf.display()),
            "registrations cannot be saved: there is no directory /jail/a/b; make it and give it to nobody (mkdir -p, \
             chown)"
                .to_owned(),
            "nameservers stay those of the start: there is no /jail/etc/resolv.conf for the jail; make it, and: mount \
             --bind /etc/resolv.conf /jail/etc/resolv.conf"
                .to_owned(),
            "the log ends when syslog starts again: there is no /jail/dev/log for the jail; make it, and: mount --bind \
             /dev/log /jail/dev/log"
                .to_owned(),
        ];
        let root = tree.0.display().to_string();
        assert_eq!(told, expected.map(|text| text.replace(&root, "")));

        tree.file("jail/etc/resolv.conf", 0o644);
        tree.file("jail/dev/log", 0o666);
        tree.file(&format!("jail{}", conf.display()), 0o644);
        fs::create_dir_all(tree.0.join("jail/a")).expect("made");
        assert_eq!(tree.told(jailed), [""; 0]);
    }

    #[test]
    fn what_is_not_there_at_all_is_an_error() {
        let tree = Tree::new("nothing");
        tree.file("conf", 0o644);
        assert_eq!(
            tree.told(|c| c.chrootjail = Some(tree.0.join("none"))),
            ["chrootjail = /none: there is no such directory"]
        );
        assert_eq!(
            tree.told(|c| c.user = Some("no-such-account".to_owned())),
            ["user = no-such-account: there is no such account"]
        );
    }
}
