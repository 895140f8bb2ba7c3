use super::*;
use mio::{Events, Poll};
use std::net::Shutdown;

const FIRST_TOKEN: usize = 16;

/// A debug port in an event loop of its own.
struct Rig {
    poll: Poll,
    port: DebugPort,
}

impl Rig {
    fn new() -> Self {
        let poll = Poll::new().expect("epoll");
        let mut port = DebugPort::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        port.register(poll.registry(), FIRST_TOKEN).expect("registered");
        Self { poll, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.port.local_addr().expect("an address")).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream
    }

    fn turn(&mut self) {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::from_millis(20))).expect("events");
        for event in &events {
            self.port.ready(event.token().0, self.poll.registry());
        }
        self.port.pump();
    }

    fn readers(&self) -> usize {
        self.port.readers.iter().flatten().count()
    }
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with(end) {
        stream.read_exact(&mut byte).expect("more text");
        text.push(char::from(byte[0]));
    }
    text
}

// The ring and the number of readers are the process's own: what needs them is one test.
#[test]
fn readers_come_and_go() {
    let mut rig = Rig::new();
    let mut readers: Vec<TcpStream> = (0..MAX_DEBUG_READERS).map(|_| rig.connect()).collect();
    rig.turn();
    assert_eq!(rig.readers(), MAX_DEBUG_READERS);
    for reader in &mut readers {
        assert!(read_until(reader, "siproxd 0.9.0\n").starts_with("Welcome"));
    }

    // One too many is told so, and closed at once.
    let mut refused = rig.connect();
    rig.turn();
    let mut told = String::new();
    refused.read_to_string(&mut told).expect("an end");
    assert_eq!(told, REFUSAL);

    // What they send is thrown away, the end of it included, and lines go to each of them.
    readers[0].write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    readers[1].shutdown(Shutdown::Write).expect("half closed");
    rig.turn();
    held(&RING).write(b"one line\n");
    rig.turn();
    for reader in &mut readers {
        assert_eq!(read_until(reader, "\n"), "one line\n");
    }

    // A half-closed reader makes room for another, which gets what was written before it came.
    let mut late = rig.connect();
    rig.turn();
    assert!(read_until(&mut late, "siproxd 0.9.0\n").starts_with("Welcome"));
    assert_eq!(read_until(&mut late, "\n"), "one line\n");
    assert_eq!(rig.readers(), MAX_DEBUG_READERS);

    // Who closes is forgotten with the next lines.
    drop(readers);
    for _ in 0..3 {
        held(&RING).write(b"x\n");
        rig.turn();
    }
    assert_eq!(rig.readers(), 1);

    // Who does not read is dropped, and nobody waits for it.
    for _ in 0..4096 {
        if rig.readers() == 0 {
            break;
        }
        held(&RING).write(&[b'y'; 16 * 1024]);
        rig.port.pump();
    }
    assert_eq!(rig.readers(), 0);
}
