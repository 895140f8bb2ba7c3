use super::place::{IDLE, STALL};
use super::*;
use crate::control::json::Line;
use crate::control::{Job, MAX_REQUEST, PROTOCOL, Step};
use mio::{Events, Poll};
use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;

const FIRST_TOKEN: usize = 32;
const STATUS: &[u8] = b"{\"v\":1,\"command\":\"status\"}\n";

/// Answers of so many lines of so many bytes.
struct Lines {
    count: u32,
    length: usize,
    /// Lines made so far.
    made: u32,
}

impl Source for Lines {
    fn step(&mut self, job: &mut Job, line: &mut Line<'_>) -> Step {
        if job.lines == self.count {
            return Step::Done;
        }
        self.made += 1;
        line.value("v", PROTOCOL);
        line.text("text", &"x".repeat(self.length));
        Step::More
    }
}

/// A server in an event loop of its own, with a clock that stands still until it is told.
struct Rig {
    poll: Poll,
    server: Server,
    path: PathBuf,
    now: Instant,
    source: Lines,
}

impl Rig {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("siproxd-server-{name}-{}", std::process::id()));
        let poll = Poll::new().expect("epoll");
        let socket = ControlSocket::bind(&path, None).expect("a socket");
        let server =
            Server::new(socket, poll.registry().try_clone().expect("a registry"), FIRST_TOKEN).expect("a server");
        Self { poll, server, path, now: Instant::from_millis(1000), source: Lines { count: 1, length: 1, made: 0 } }
    }

    fn connect(&mut self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream
    }

    fn turn(&mut self) {
        let mut events = Events::with_capacity(64);
        self.poll.poll(&mut events, Some(Duration::ZERO)).expect("events");
        for event in &events {
            assert!(event.token().0 >= FIRST_TOKEN && event.token().0 < FIRST_TOKEN + Server::TOKENS);
            self.server.ready(event);
        }
        self.server.turn(self.now, &mut self.source);
    }

    /// As many turns as it asks for; the clock goes on as it asks.
    fn run(&mut self) -> usize {
        let mut turns = 1;
        self.turn();
        while let Some(at) = self.server.resume_at {
            self.now = self.now.max(at);
            self.turn();
            turns += 1;
        }
        turns
    }

    fn clients(&self) -> usize {
        self.server.places.iter().filter(|place| place.client.is_some()).count()
    }
}

/// All that comes up to the end of an answer.
fn answer(stream: &mut UnixStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !(text.ends_with('\n') && (text.contains("\"end\"") || text.contains("\"error\""))) {
        stream.read_exact(&mut byte).expect("more text");
        text.push(char::from(byte[0]));
    }
    text
}

fn is_closed(stream: &mut UnixStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0)) || stream.write(b"x").is_err()
}

#[test]
fn one_client_asks_again_and_again() {
    let mut rig = Rig::new("again");
    let mut client = rig.connect();
    let end = "{\"v\":1,\"text\":\"x\"}\n{\"v\":1,\"type\":\"end\",\"command\":\"status\",\"lines\":1}\n";
    for _ in 0..3 {
        client.write_all(STATUS).expect("sent");
        rig.run();
        assert_eq!(answer(&mut client), end);
    }
    // Two at once, the second of them in pieces.
    client.write_all(&[STATUS, &STATUS[..5]].concat()).expect("sent");
    rig.run();
    assert_eq!(answer(&mut client), end);
    client.write_all(&STATUS[5..]).expect("sent");
    rig.run();
    assert_eq!(answer(&mut client), end);
    // Who has said all it will gets its answer, and then the end.
    client.write_all(STATUS).expect("sent");
    client.shutdown(std::net::Shutdown::Write).expect("half closed");
    rig.run();
    assert_eq!(answer(&mut client), end);
    rig.run();
    assert!(is_closed(&mut client) && rig.clients() == 0);
}

#[test]
fn a_long_answer_comes_in_slices() {
    let mut rig = Rig::new("slices");
    // As many as the system keeps for a client that does not read yet.
    rig.source.count = 200;
    let mut client = rig.connect();
    client.write_all(STATUS).expect("sent");
    let mut other = rig.connect();
    rig.turn();
    let before = rig.now;
    // Nothing is done before its time, whatever else wakes the event loop.
    for _ in 0..100 {
        rig.turn();
    }
    assert!(rig.source.made <= BUDGET as u32, "{}", rig.source.made);
    other.write_all(b"nonsense\n").expect("sent");
    let turns = rig.run();
    assert!(turns >= 200 / BUDGET, "{turns}");
    assert!(rig.now.since(before) >= Duration::from_millis(380), "{:?}", rig.now.since(before));
    assert_eq!(answer(&mut client).lines().count(), 201);
    assert!(answer(&mut other).contains("malformed"));
}

#[test]
fn who_never_reads_is_waited_for_a_while_and_grows_nothing() {
    let mut rig = Rig::new("stall");
    (rig.source.count, rig.source.length) = (u32::MAX, MAX_LINE - 100);
    let mut client = rig.connect();
    client.write_all(STATUS).expect("sent");
    rig.run();
    let made = rig.source.made;
    for _ in 0..50 {
        rig.run();
    }
    assert_eq!(rig.source.made, made, "nothing is made that nobody takes");
    assert!(rig.server.places.iter().all(|place| place.output.capacity() == MAX_LINE));
    let deadline = rig.server.next_timeout().expect("a deadline");
    assert!(deadline > rig.now && deadline <= rig.now.after(STALL));
    rig.now = deadline;
    rig.turn();
    assert_eq!(rig.clients(), 0);
}

#[test]
fn a_line_that_is_too_long_is_left_out() {
    let mut rig = Rig::new("long");
    (rig.source.count, rig.source.length) = (1, MAX_LINE);
    let mut client = rig.connect();
    client.write_all(STATUS).expect("sent");
    // It would be tried for ever: a source counts what it has said by the lines that were written.
    rig.turn();
    rig.source.count = 0;
    rig.run();
    assert_eq!(answer(&mut client), "{\"v\":1,\"type\":\"end\",\"command\":\"status\",\"lines\":0}\n");
}

#[test]
fn more_clients_than_places_are_refused_until_one_is_idle() {
    let mut rig = Rig::new("many");
    let clients: Vec<UnixStream> = (0..MAX_CLIENTS).map(|_| rig.connect()).collect();
    rig.run();
    assert_eq!(rig.clients(), MAX_CLIENTS);
    let mut late = rig.connect();
    rig.run();
    assert!(answer(&mut late).contains("\"busy\""));
    assert!(is_closed(&mut late));

    rig.now = rig.now.after(SPARE);
    let mut next = rig.connect();
    rig.run();
    next.write_all(STATUS).expect("sent");
    rig.run();
    assert!(answer(&mut next).contains("\"end\""));
    assert_eq!(rig.clients(), MAX_CLIENTS);

    // All of them have asked for nothing for too long.
    rig.now = rig.now.after(IDLE);
    rig.turn();
    assert_eq!(rig.clients(), 0);
    drop(clients);
}

#[test]
fn who_is_gone_leaves_its_place_at_once() {
    let mut rig = Rig::new("gone");
    rig.source.count = u32::MAX;
    let mut client = rig.connect();
    client.write_all(STATUS).expect("sent");
    rig.turn();
    assert_eq!(rig.clients(), 1);
    drop(client);
    rig.turn();
    assert_eq!(rig.clients(), 0);
    // Silent, with half a line.
    let mut client = rig.connect();
    client.write_all(b"{\"v\"").expect("sent");
    rig.run();
    drop(client);
    rig.run();
    assert_eq!(rig.clients(), 0);
}

#[test]
fn hostile_lines_get_an_error_or_the_end() {
    let mut rig = Rig::new("hostile");
    let long = [b'x'; MAX_REQUEST * 3];
    for line in [&b"\n"[..], b"\0\0\0\n", b"{}\n", b"{\"v\":1}\n", b"{\"v\":9e9,\"command\":\"status\"}\n", &long] {
        let mut client = rig.connect();
        let _ = client.write_all(line);
        rig.run();
        assert!(answer(&mut client).contains("\"error\""), "{}", line.escape_ascii());
        assert!(is_closed(&mut client));
        assert_eq!(rig.clients(), 0);
    }
    // A command of a later version is refused, and another one may follow.
    let mut client = rig.connect();
    client.write_all(b"{\"v\":1,\"command\":\"later\"}\n").expect("sent");
    client.write_all(STATUS).expect("sent");
    rig.run();
    assert!(answer(&mut client).contains("unknown-command"));
    assert!(answer(&mut client).contains("\"end\""));
}

#[test]
fn a_flood_of_requests_is_taken_in_turns() {
    let mut rig = Rig::new("flood");
    rig.source.count = 0;
    let mut client = rig.connect();
    client.set_nonblocking(true).expect("non-blocking");
    let mut sent = 0;
    while client.write_all(STATUS).is_ok() && sent < 500 {
        sent += 1;
    }
    client.set_nonblocking(false).expect("blocking");
    let reader = client.try_clone().expect("a clone");
    let counted = std::thread::spawn(move || io::BufReader::new(reader).lines().take(sent).count());
    let mut turns = 0;
    while rig.source.made == 0 && !counted.is_finished() {
        turns += rig.run();
    }
    assert_eq!(counted.join().expect("counted"), sent);
    // A request and its end are a piece of work each.
    assert!(turns >= sent, "{turns} turns for {sent} requests");
}
