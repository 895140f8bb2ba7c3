//! The nameservers of resolv.conf(5).

use crate::limits::MAX_NAMESERVERS;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Port of nameservers (RFC 1035 §4.2).
const DOMAIN: u16 = 53;

/// Bytes of the file that are read; what stands behind them is ignored.
const MAX_FILE: usize = 16 * 1024;

/// A list of nameservers.
pub(super) type Nameservers = heapless::Vec<SocketAddr, MAX_NAMESERVERS>;

/// The file, and its state when it was last read.
#[derive(Debug)]
pub(super) struct ResolvConf {
    path: PathBuf,
    read: Option<(SystemTime, u64)>,
    /// What it said when it was last in reach, where nobody has been told that yet.
    kept: Option<Nameservers>,
}

impl ResolvConf {
    /// A file that was not read yet.
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into(), read: None, kept: None }
    }

    /// Reads it for the next [`Self::changed`]: a jail may not have the file.
    pub(super) fn keep(&mut self) {
        self.kept = self.read();
    }

    /// The nameservers, where the file changed since the last call. A file that cannot be read now changes nothing.
    pub(super) fn changed(&mut self) -> Option<Nameservers> {
        let kept = self.kept.take();
        self.read().or(kept)
    }

    fn read(&mut self) -> Option<Nameservers> {
        let metadata = fs::metadata(&self.path).ok()?;
        let state = (metadata.modified().ok()?, metadata.len());
        if self.read == Some(state) {
            return None;
        }
        let bytes = fs::read(&self.path).ok()?;
        self.read = Some(state);
        Some(nameservers(bytes.get(..MAX_FILE).unwrap_or(&bytes)))
    }
}

/// The nameservers that `bytes` lists; where it lists none, the one on this host.
pub(super) fn nameservers(bytes: &[u8]) -> Nameservers {
    let mut servers: Nameservers = bytes
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
            let address: IpAddr = words.next().filter(|&word| word == "nameserver").and(words.next())?.parse().ok()?;
            Some(SocketAddr::new(address, DOMAIN))
        })
        .take(MAX_NAMESERVERS)
        .collect();
    if servers.is_empty() {
        let _ = servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DOMAIN));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        nameservers(text.as_bytes()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_three_servers_count() {
        let text = "# made by hand\nsearch lan\n nameserver\t192.0.2.1 \nnameserver 2001:db8::1\r\noptions edns0\n\
                    nameserver not.an.address\nnameserver 192.0.2.3\nnameserver 192.0.2.4";
        assert_eq!(list(text), ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
    }

    #[test]
    fn without_servers_this_host_is_asked() {
        assert_eq!(list(""), ["127.0.0.1:53"]);
        assert_eq!(list(";nameserver 192.0.2.1\nnameserver\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn the_file_is_read_when_it_changes() {
        let path = std::env::temp_dir().join(format!("siproxd-resolv-{}", std::process::id()));
        let mut file = ResolvConf::new(path.to_str().expect("UTF-8"));
        assert_eq!(file.changed(), None);
        fs::write(&path, "nameserver 192.0.2.1\n").expect("written");
        assert_eq!(file.changed().map(|servers| servers.len()), Some(1));
        assert_eq!(file.changed(), None);
        fs::write(&path, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n").expect("written");
        assert_eq!(file.changed().map(|servers| servers.len()), Some(2));
        file.read = None;
        file.keep();
        fs::remove_file(&path).expect("removed");
        assert_eq!(file.changed().map(|servers| servers.len()), Some(2));
        assert_eq!(file.changed(), None);
    }
}
