//! The SIP sockets allocate nothing while they receive and send.

use core::net::SocketAddr;
use mio::{Poll, Token};
use siproxd::engine::io::{Channel, Prefix, Side};
use siproxd::limits::MAX_DATAGRAM;
use siproxd::net::ifaddr::Interface;
use siproxd::net::listener::{Arrival, Listener};

const PORT: u16 = 35062;

fn interface(index: u32, address: [u8; 4]) -> Interface {
    let prefix = Prefix { address: address.into(), length: 32 };
    Interface { index: Some(index), addresses: [prefix].into_iter().collect() }
}

#[test]
fn receiving_and_sending_allocate_nothing() {
    let poll = Poll::new().expect("epoll");
    let registry = poll.registry().try_clone().expect("a registry");
    let mut listener = Listener::new(registry, [Token(0), Token(1)], PORT, 0);
    listener.set_interfaces(&interface(1, [127, 0, 9, 1]), &interface(9, [127, 0, 9, 2])).expect("free ports");
    let to: SocketAddr = ([127, 0, 9, 2], PORT).into();
    let nobody: SocketAddr = ([127, 0, 9, 2], PORT + 1).into();
    let body = [b'x'; 20_000];
    let mut buffer = vec![0; MAX_DATAGRAM];
    let (mut datagrams, mut failures) = (0, 0);
    let counted = allocation_counter::measure(|| {
        for _ in 0..50 {
            listener.send(Channel::LAN, to, &[b"INVITE sip:bob SIP/2.0\r\n", b"", &body]).expect("sent");
            listener.send(Channel::WAN, nobody, &[b"OPTIONS"]).expect("sent");
            loop {
                match listener.receive(Side::Wan, &mut buffer) {
                    Arrival::Datagram { interface: Side::Lan, length: 20_024, .. } => datagrams += 1,
                    Arrival::SendFailed { to } if to == nobody => failures += 1,
                    Arrival::Nothing => break,
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(datagrams, 50);
    assert!(failures > 0, "loopback answers a closed port at once");
}
