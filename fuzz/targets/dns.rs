//! Answers of a nameserver, and what the resolver and the search for servers make of them.

use core::net::SocketAddr;

use siproxd::dns::{Answer, Located, Resolver, Target, Transmit, Transports, locate};
use siproxd::limits::MAX_NAME_ADDRESSES;
use siproxd::time::{Duration, Instant};

/// Length of the header of a message (RFC 1035 §4.1.1), and of its ID.
const HEADER: usize = 12;
const ID: usize = 2;
/// More timeouts than this without an answer are a resolver that does not end.
const MOST_TIMEOUTS: usize = 200;

#[derive(Default)]
struct Queries(Vec<(SocketAddr, Vec<u8>)>);

impl Transmit for Queries {
    fn query(&mut self, server: SocketAddr, query: &[u8]) {
        self.0.push((server, query.to_vec()));
    }
}

/// Looks a name up and its servers, and answers each query with the next of the messages that `data` has: two bytes of
/// length, the rest of the header behind the ID, and the records behind the question. The first byte says how to begin.
pub fn dns(data: &[u8]) {
    let Some((choice, mut data)) = data.split_first() else { return };
    let servers: [SocketAddr; 2] = ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()];
    let mut resolver = Resolver::new();
    resolver.configure(&servers, u64::from(*choice));
    let mut now = Instant::from_millis(1_000_000);
    let mut queries = Queries::default();
    let port = (choice & 1 != 0).then_some(5060);
    let target = Target { host: b"provider.example", port, transport: None };
    let transports = Transports { tcp: choice & 2 != 0, tls: choice & 4 != 0 };
    // Whether each of both has come to an end since no message is left; while the one is asked for, the other may expire.
    let mut ended = [false; 2];
    for _ in 0..MOST_TIMEOUTS + data.len() {
        let address = resolver.resolve(b"host.example", now, &mut queries);
        let servers = locate(&mut resolver, target, transports, 7, now, &mut queries);
        if let Answer::Addresses(list) = &address {
            assert!(!list.is_empty() && list.len() <= MAX_NAME_ADDRESSES);
        }
        if let Located::Candidates { list, .. } = &servers {
            assert!(!list.is_empty());
            assert!(list.iter().all(|candidate| transports.has(candidate.transport)));
        }
        if let Some((server, query)) = queries.0.pop() {
            let (message, rest) = next_message(data);
            data = rest;
            resolver.response(server, message, now);
            if let Some((flags, records)) = message.split_at_checked(HEADER - ID) {
                let answer = [&query[..ID], flags, &query[HEADER..], records].concat();
                resolver.response(server, &answer, now);
            }
            continue;
        }
        let pending = [address == Answer::Pending, matches!(servers, Located::Pending)];
        if data.is_empty() {
            ended = [ended[0] || !pending[0], ended[1] || !pending[1]];
        }
        // What has expired is asked for anew, with no end.
        if ended == [true; 2] {
            return;
        }
        let pending = pending.contains(&true);
        let Some(next) = resolver.next_timeout() else {
            assert!(!pending, "pending, and nothing to wait for");
            return;
        };
        now = now.max(next).after(Duration::from_millis(1));
        resolver.timeout(now, &mut queries);
    }
    panic!("no end of queries");
}

fn next_message(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return (&[], &[]) };
    rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()))
}
