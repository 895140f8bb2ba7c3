//! Who may talk to the daemon.

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Gid, Uid};
use std::os::unix::net::UnixStream;

/// The process behind a connection (SO_PEERCRED, unix(7)): what it was when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Its number.
    pub process: i32,
}

impl Peer {
    /// The other end of a stream; `None` where the system does not say.
    #[must_use]
    pub fn of(stream: &UnixStream) -> Option<Self> {
        let peer = getsockopt(stream, PeerCredentials).ok()?;
        Some(Self { user: peer.uid(), group: peer.gid(), process: peer.pid() })
    }

    /// Whether it is root, or shares the user or the group of this process. The mode of the socket says the same, until somebody changes it.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self.is_allowed_by(Uid::effective().as_raw(), Gid::effective().as_raw())
    }

    const fn is_allowed_by(self, user: u32, group: u32) -> bool {
        self.user == 0 || self.user == user || self.group == group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_the_own_user_and_the_own_group_are_allowed() {
        let allowed = |user, group| Peer { user, group, process: 1 }.is_allowed_by(101, 102);
        assert!(allowed(0, 0) && allowed(101, 7) && allowed(7, 102));
        assert!(!allowed(7, 101) && !allowed(102, 0));
    }

    #[test]
    fn a_stream_tells_who_is_behind_it() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let peer = Peer::of(&one).expect("credentials");
        assert_eq!(peer.process, std::process::id() as i32);
        assert!(peer.is_allowed());
    }
}
