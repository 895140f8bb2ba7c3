use super::*;
use crate::engine::io::Prefix;

fn interface(index: u32, address: [u8; 4]) -> Interface {
    let prefix = Prefix { address: address.into(), length: 24 };
    Interface { index: Some(index), addresses: [prefix].into_iter().collect() }
}

fn side(interfaces: &[Interface; 2], index: u32, from: [u8; 4]) -> Side {
    arrival_side(interfaces, index, from.into())
}

#[test]
fn the_interface_tells_the_side() {
    let both = [interface(2, [192, 168, 1, 1]), interface(3, [203, 0, 113, 1])];
    assert_eq!(side(&both, 2, [192, 168, 1, 20]), Side::Lan);
    assert_eq!(side(&both, 2, [198, 51, 100, 7]), Side::Lan);
    assert_eq!(side(&both, 3, [192, 168, 1, 20]), Side::Wan);
    assert_eq!(side(&both, 9, [192, 168, 1, 20]), Side::Wan);
}

#[test]
fn what_this_host_sends_is_of_the_lan() {
    let both = [interface(2, [192, 168, 1, 1]), interface(3, [203, 0, 113, 1])];
    assert_eq!(side(&both, 3, [203, 0, 113, 1]), Side::Lan);
    assert_eq!(side(&both, 1, [127, 0, 0, 1]), Side::Lan);
}

#[test]
fn on_one_interface_its_network_is_the_lan() {
    let one = [interface(2, [192, 168, 1, 1]), interface(2, [192, 168, 1, 1])];
    assert_eq!(side(&one, 2, [192, 168, 1, 20]), Side::Lan);
    assert_eq!(side(&one, 2, [198, 51, 100, 7]), Side::Wan);
}

fn listener(poll: &mio::Poll, lan: &Interface, wan: &Interface, port: u16) -> Result<Listener, BindError> {
    let registry = poll.registry().try_clone().expect("a registry");
    let mut listener = Listener::new(registry, [Token(0), Token(1)], port, 0);
    listener.set_interfaces(lan, wan)?;
    Ok(listener)
}

fn wait(poll: &mut mio::Poll) {
    let mut events = mio::Events::with_capacity(8);
    poll.poll(&mut events, Some(core::time::Duration::from_secs(2))).expect("poll");
}

#[test]
fn datagrams_go_out_whole_and_come_in_with_their_interface() {
    let mut poll = mio::Poll::new().expect("epoll");
    let (lan, wan) = (interface(1, [127, 0, 7, 1]), interface(9, [127, 0, 7, 2]));
    let mut listener = listener(&poll, &lan, &wan, 35060).expect("bound");
    assert!(!listener.is_incomplete());
    let to: SocketAddr = "127.0.7.2:35060".parse().expect("an address");
    listener.send(Channel::LAN, to, &[b"OPTIONS sip:a SIP/2.0\r\n", b"", b"\r\n"]).expect("sent");
    wait(&mut poll);
    let mut buffer = [0; 100];
    let arrival = listener.receive(Side::Wan, &mut buffer);
    let from = "127.0.7.1:35060".parse().expect("an address");
    assert_eq!(arrival, Arrival::Datagram { interface: Side::Lan, from, meant_for: None, length: 25 });
    assert_eq!(&buffer[..25], b"OPTIONS sip:a SIP/2.0\r\n\r\n");
    assert_eq!(listener.receive(Side::Wan, &mut buffer), Arrival::Nothing);
    let long = [0; 65_536];
    assert_eq!(listener.send(Channel::LAN, to, &[&long]), Err(SendError::TooLarge));
}

#[test]
fn a_refused_datagram_is_told_of() {
    let mut poll = mio::Poll::new().expect("epoll");
    let lan = interface(1, [127, 0, 7, 3]);
    let mut listener = listener(&poll, &lan, &Interface::default(), 35060).expect("bound");
    let to: SocketAddr = "127.0.7.3:35061".parse().expect("an address");
    assert_eq!(listener.send(Channel::WAN, to, &[b"x"]), Err(SendError::NoAddress));
    listener.send(Channel::LAN, to, &[b"x"]).expect("sent");
    wait(&mut poll);
    // The pending error does not stop the next datagram.
    listener.send(Channel::LAN, "127.0.7.3:35060".parse().expect("an address"), &[b"y"]).expect("sent");
    let mut buffer = [0; 100];
    assert_eq!(listener.receive(Side::Lan, &mut buffer), Arrival::SendFailed { to });
    assert!(matches!(listener.receive(Side::Lan, &mut buffer), Arrival::Datagram { length: 1, .. }));
    assert_eq!(listener.receive(Side::Lan, &mut buffer), Arrival::Nothing);
}

#[test]
fn one_address_on_both_sides_has_one_socket() {
    let poll = mio::Poll::new().expect("epoll");
    let both = interface(1, [127, 0, 7, 4]);
    let mut one = listener(&poll, &both, &both, 35060).expect("bound");
    one.send(Channel::WAN, "127.0.7.4:35060".parse().expect("an address"), &[b"x"]).expect("sent");
    assert!(matches!(one.receive(Side::Lan, &mut [0; 9]), Arrival::Datagram { .. }));
    let taken = listener(&poll, &both, &both, 35060).expect_err("taken");
    assert!(taken.to_string().contains("another program has the port"), "{taken}");
    one.set_interfaces(&interface(1, [127, 0, 7, 5]), &both).expect("moved");
    assert!(matches!(one.receive(Side::Wan, &mut [0; 9]), Arrival::Nothing));
    one.send(Channel::WAN, "127.0.7.5:35060".parse().expect("an address"), &[b"x"]).expect("sent");
    assert!(matches!(one.receive(Side::Lan, &mut [0; 9]), Arrival::Datagram { .. }));
}
