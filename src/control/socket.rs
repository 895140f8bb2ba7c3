//! The socket in the file system: where it is, whose it is, when it may be replaced, and its end.

use crate::config::Config;
use crate::log_class::{PROCESS, log};
use core::fmt;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::fstatat;
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Where sockets are that nobody gives a place to.
const DIRECTORY: &str = "/var/run/siproxd";

/// The value of `control_socket` that stands for none.
pub(crate) const OFF: &str = "off";

/// Owner and group may talk to it.
const MODE: u32 = 0o660;

/// Clients that may wait to be taken.
const BACKLOG: i32 = 16;

/// Where the socket of an instance is by default.
#[must_use]
pub fn default_path(instance: Option<&str>) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{}.sock", instance.unwrap_or("siproxd")))
}

/// Whether it may be part of a file's name.
#[must_use]
pub fn is_instance_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Where the socket is that `control_socket` says, or by default; `None` where there is to be none.
#[must_use]
pub fn path(directive: Option<&Path>, instance: Option<&str>) -> Option<PathBuf> {
    match directive {
        Some(path) if path == Path::new(OFF) => None,
        Some(path) => Some(path.to_owned()),
        None => Some(default_path(instance)),
    }
}

/// Why there is no socket.
#[derive(Debug)]
pub enum BindError {
    /// Another process listens on it.
    Taken,
    /// There is something else of that name.
    NoSocket,
    /// The system will not have it.
    System(io::Error),
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("another siproxd listens on it: give each its own (--instance NAME)"),
            Self::NoSocket => f.write_str("there is something else of that name, which is left alone"),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// A socket that listens. Its file is removed when this is dropped, where that is possible.
#[derive(Debug)]
pub struct ControlSocket {
    pub(super) listener: UnixListener,
    /// Its directory: the way to the file after `chroot`.
    directory: OwnedFd,
    path: PathBuf,
    name: PathBuf,
    /// Device and number of the file, so that nobody else's is removed.
    file: (u64, u64),
}

impl ControlSocket {
    /// Opens the socket as the configuration wants it, for the account with these numbers; `None` where there is none. Without a directive it
    /// is a convenience, whose lack is told and no reason to leave the telephones alone.
    ///
    /// # Errors
    /// Those of the system, and a socket that another process has, where the directive names it.
    pub fn open(config: &Config, instance: Option<&str>, account: Option<(u32, u32)>) -> io::Result<Option<Self>> {
        let Some(path) = path(config.control_socket.as_deref(), instance) else { return Ok(None) };
        if config.control_socket.is_none() {
            make_directory(account);
        }
        match Self::bind(&path, account) {
            Ok(socket) => Ok(Some(socket)),
            Err(error) if config.control_socket.is_some() => {
                let text = format!("control_socket {}: {error}", path.display());
                Err(io::Error::other(text))
            }
            Err(error) => {
                log::info!(target: PROCESS, "no control socket {}: {error}", path.display());
                Ok(None)
            }
        }
    }

    /// Where it is, as seen from before `chroot`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the socket, in place of one that nobody listens on any more.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(path: &Path, account: Option<(u32, u32)>) -> Result<Self, BindError> {
        let address = SockAddr::unix(path)?;
        make_way(path, &address)?;
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let directory: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(directory)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        socket.bind(&address)?;
        // Nobody can connect before it listens, and then it has its mode and owner.
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        if let Some((user, group)) = account {
            lchown(path, Some(user), Some(group))?;
        }
        socket.listen(BACKLOG)?;
        let name = path.file_name().map(PathBuf::from).unwrap_or_default();
        let stat = fstatat(&directory, &name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
        Ok(Self {
            listener: UnixListener::from(OwnedFd::from(socket)),
            directory: directory.into(),
            path: path.to_owned(),
            name,
            file: (stat.st_dev, stat.st_ino),
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let found = fstatat(&self.directory, &self.name, AtFlags::AT_SYMLINK_NOFOLLOW);
        if found.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.file) {
            // Without root the directory may not be ours: the next start replaces what is left.
            let _ = unlinkat(&self.directory, &self.name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Makes the default directory where it is missing, so that the account can remove its socket from it.
fn make_directory(account: Option<(u32, u32)>) {
    // Where that fails, to bind fails, and tells why.
    if DirBuilder::new().mode(0o755).create(DIRECTORY).is_ok()
        && let Some((user, group)) = account
        && Uid::effective().is_root()
    {
        let _ = chown(DIRECTORY, Some(user), Some(group));
    }
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path, address: &SockAddr) -> Result<(), BindError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NoSocket);
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error.into()),
        // It takes us, or has more clients than it takes.
        _ => Err(BindError::Taken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// A directory for a socket, which goes with it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("siproxd-control-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir_all(&directory).expect("a directory");
            Self(directory)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("a.sock")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_comes_and_goes() {
        let place = Place::new("goes");
        let path = place.socket();
        let socket = ControlSocket::bind(&path, None).expect("a socket");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, MODE);
        UnixStream::connect(&path).expect("connected");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_daemon_left_is_replaced_and_a_live_one_is_not() {
        let place = Place::new("stale");
        let path = place.socket();
        let dead = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        dead.bind(&SockAddr::unix(&path).expect("a path")).expect("bound");
        drop(dead);
        let live = ControlSocket::bind(&path, None).expect("the dead one is replaced");
        assert!(matches!(ControlSocket::bind(&path, None), Err(BindError::Taken)));
        UnixStream::connect(&path).expect("it still listens");
        // One whose queue is full is alive too.
        let waiting: Vec<_> = (0..BACKLOG + 2)
            .map(|_| {
                let client = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).expect("a socket");
                let _ = client.connect(&SockAddr::unix(&path).expect("a path"));
                client
            })
            .collect();
        assert!(matches!(ControlSocket::bind(&path, None), Err(BindError::Taken)));
        drop((waiting, live));
    }

    #[test]
    fn what_is_no_socket_is_left_alone_and_so_is_that_of_another() {
        let place = Place::new("other");
        let path = place.socket();
        fs::write(&path, "precious").expect("a file");
        assert!(matches!(ControlSocket::bind(&path, None), Err(BindError::NoSocket)));
        assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
        fs::remove_file(&path).expect("removed");

        let first = ControlSocket::bind(&path, None).expect("a socket");
        fs::remove_file(&path).expect("removed");
        let second = ControlSocket::bind(&path, None).expect("a socket");
        drop(first);
        UnixStream::connect(&path).expect("the second one listens still");
        drop(second);
    }

    #[test]
    fn an_instance_has_a_file_of_its_own() {
        assert_eq!(path(None, None), Some("/var/run/siproxd/siproxd.sock".into()));
        assert_eq!(path(None, Some("office")), Some("/var/run/siproxd/office.sock".into()));
        assert_eq!(path(Some(Path::new("/x")), Some("office")), Some("/x".into()));
        assert_eq!(path(Some(Path::new("off")), None), None);
        assert!(is_instance_name("lan_2-x"));
        for name in ["", "..", "a/b", "a b", "ä"] {
            assert!(!is_instance_name(name), "{name}");
        }
    }
}
