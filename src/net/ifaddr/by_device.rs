//! An interface's address where rtnetlink is closed to us.

use super::{Addresses, Interface};
use crate::engine::io::Prefix;
use crate::host::Host;
use core::net::{Ipv4Addr, SocketAddr};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

/// Prefix length of an address that the fallback found, which does not tell it: the usual one of a home network.
const FALLBACK_PREFIX: u8 = 24;

/// The address that a socket bound to the device would use, for where rtnetlink is closed to us.
pub(super) fn by_device(name: &str) -> Interface {
    let index = nix::net::if_::if_nametoindex(name).ok();
    let local = || -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind_device(Some(name.as_bytes()))?;
        // Connecting a UDP socket sends nothing; the address is one for documentation (RFC 5737).
        socket.connect(&SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9)).into())?;
        socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    };
    let mut addresses = Addresses::new();
    if index.is_some()
        && let Ok(local) = local()
    {
        let _ = addresses.push(Prefix { address: local.host(), length: FALLBACK_PREFIX });
    }
    Interface { index, addresses }
}

/// Takes the address from a WAN interface that has the LAN's: a socket on a device without an address gets another one's.
pub(super) fn told_apart([lan, mut wan]: [Interface; 2]) -> [Interface; 2] {
    if lan.index != wan.index && lan.address() == wan.address() {
        wan.addresses.clear();
    }
    [lan, wan]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rtnetlink_an_interface_cannot_have_the_other_ones_address() {
        assert_eq!(by_device("none-such0"), Interface::default());
        let interface = |index, last| {
            let prefix = Prefix { address: [192, 168, 1, last].into(), length: FALLBACK_PREFIX };
            Interface { index: Some(index), addresses: [prefix].into_iter().collect() }
        };
        let [lan, wan] = told_apart([interface(2, 1), interface(3, 1)]);
        assert_eq!((lan, wan.address()), (interface(2, 1), None));
        let fine = [interface(2, 1), interface(3, 2)];
        assert_eq!(told_apart(fine.clone()), fine);
        let one = [interface(2, 1), interface(2, 1)];
        assert_eq!(told_apart(one.clone()), one);
    }
}
