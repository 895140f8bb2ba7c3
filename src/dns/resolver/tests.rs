use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

/// What was sent, in order.
#[derive(Default)]
struct Sent(Vec<(SocketAddr, Vec<u8>)>);

impl Transmit for Sent {
    fn query(&mut self, server: SocketAddr, query: &[u8]) {
        self.0.push((server, query.to_vec()));
    }
}

/// A resolver with two servers.
fn resolver() -> Resolver {
    let mut resolver = Resolver::new();
    resolver.configure(&[server(1), server(2)], 42);
    resolver
}

/// Asks, and returns the answer and the queries.
fn ask(resolver: &mut Resolver, name: &str, now: Instant) -> (Answer, Vec<(SocketAddr, Vec<u8>)>) {
    let mut sent = Sent::default();
    let answer = resolver.resolve(name.as_bytes(), now, &mut sent);
    (answer, sent.0)
}

/// Lets a deadline pass; returns the queries.
fn pass(resolver: &mut Resolver, now: Instant) -> (bool, Vec<(SocketAddr, Vec<u8>)>) {
    let mut sent = Sent::default();
    let settled = resolver.timeout(now, &mut sent);
    (settled, sent.0)
}

/// Lets the time from `start` go by to the end of all tries; returns how many queries went out.
fn silence(resolver: &mut Resolver) -> (Instant, usize) {
    let (mut end, mut count) = (Instant::ZERO, 0);
    while let Some(due) = resolver.next_timeout() {
        end = due;
        count += pass(resolver, due).1.len();
    }
    (end, count)
}

fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).expect("short"));
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend_from_slice(&kind.to_be_bytes());
    record.extend_from_slice(&[0, 1]);
    record.extend_from_slice(&ttl.to_be_bytes());
    record.extend_from_slice(&u16::try_from(data.len()).expect("short").to_be_bytes());
    record.extend_from_slice(data);
    record
}

/// The owner that is the question's name.
const QUESTION: &[u8] = &[0xc0, 12];

/// The response to `query` with a response code, records of the answer and of the authority section.
fn respond(query: &[u8], code: u8, answer: &[Vec<u8>], authority: &[Vec<u8>]) -> Vec<u8> {
    let mut response = query.to_vec();
    response[2] |= 0x80;
    response[3] = 0x80 | code;
    response[7] = u8::try_from(answer.len()).expect("few");
    response[9] = u8::try_from(authority.len()).expect("few");
    for record in answer.iter().chain(authority) {
        response.extend_from_slice(record);
    }
    response
}

fn a(ttl: u32, last: u8) -> Vec<u8> {
    record(QUESTION, A, ttl, &[198, 51, 100, last])
}

fn v4(last: &[u8]) -> Answer {
    Answer::Addresses(last.iter().map(|last| IpAddr::V4(Ipv4Addr::new(198, 51, 100, *last))).collect())
}

/// The only query of a name that was asked for at `now`.
fn first_query(resolver: &mut Resolver, name: &str, now: Instant) -> Vec<u8> {
    let (answer, mut sent) = ask(resolver, name, now);
    assert_eq!(answer, Answer::Pending);
    assert_eq!(sent.len(), 1);
    sent.remove(0).1
}

/// A resolver that knows `sip.example.net` at time 0 for 60 s.
fn knowing() -> Resolver {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    assert!(resolver.response(server(1), &respond(&query, 0, &[a(60, 7)], &[]), at(0)));
    resolver
}

#[test]
fn a_name_is_asked_for_once_and_kept_for_its_ttl() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    assert_eq!(ask(&mut resolver, "SIP.example.net.", at(1)), (Answer::Pending, vec![]), "no second query");
    let question = [&wire("sip.example.net")[..], &[0, 1, 0, 1]].concat();
    assert!(query[12..].eq_ignore_ascii_case(&question));
    assert_eq!(query[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);

    let response = respond(&query, 0, &[a(300, 1), a(60, 2)], &[]);
    assert!(resolver.response(server(1), &response, at(1)));
    assert_eq!(resolver.next_timeout(), None);
    assert_eq!(ask(&mut resolver, "sip.Example.NET", at(60)), (v4(&[1, 2]), vec![]));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(61)).0, Answer::Pending, "the shorter TTL is over");
    assert!(!resolver.response(server(1), &response, at(61)), "the old answer does not fit the new query");
}

#[test]
fn ttls_are_clamped() {
    for (ttl, holds) in [(0, 1), (u32::MAX, 86_400), (10_000_000, 86_400)] {
        let mut resolver = resolver();
        let query = first_query(&mut resolver, "a.example", at(0));
        assert!(resolver.response(server(1), &respond(&query, 0, &[a(ttl, 1)], &[]), at(0)));
        let (last, over) = (Instant::from_millis(holds * 1000 - 1), at(holds));
        assert_eq!(ask(&mut resolver, "a.example", last).0, v4(&[1]), "{ttl}");
        // RFC 2181 §8: a TTL with its top bit set is 0.
        if ttl != u32::MAX {
            assert_eq!(ask(&mut resolver, "a.example", over).0, Answer::Pending, "{ttl}");
        }
    }
}

#[test]
fn spoofed_answers_are_ignored() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    let good = respond(&query, 0, &[a(60, 7)], &[]);
    let spoilt = |at: usize, bits: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= bits;
        bytes
    };
    assert!(!resolver.response(server(9), &good, at(0)), "a stranger");
    assert!(!resolver.response(server(2), &good, at(0)), "a server that was not asked");
    assert!(!resolver.response(SocketAddr::new(server(1).ip(), 54), &good, at(0)), "another port");
    assert!(!resolver.response(server(1), &spoilt(0, 1), at(0)), "another id");
    assert!(!resolver.response(server(1), &spoilt(2, 0x80), at(0)), "a query");
    assert!(!resolver.response(server(1), &spoilt(2, 0x10), at(0)), "another opcode");
    assert!(!resolver.response(server(1), &spoilt(5, 3), at(0)), "two questions");
    for letter in 13..16 {
        assert!(!resolver.response(server(1), &spoilt(letter, 0x20), at(0)), "another case");
    }
    assert!(!resolver.response(server(1), &spoilt(13, 0x04), at(0)), "another name");
    let kind = query.len() - 3;
    assert!(!resolver.response(server(1), &spoilt(kind, 0x1d), at(0)), "another type");
    assert_eq!(ask(&mut resolver, "sip.example.net", at(1)), (Answer::Pending, vec![]));
    assert!(resolver.response(server(1), &good, at(1)));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(1)).0, v4(&[7]));
}

#[test]
fn secrets_differ() {
    let mut resolver = resolver();
    let queries: Vec<_> =
        (0..20).map(|n| first_query(&mut resolver, &format!("host-number-{n}.example"), at(0))).collect();
    let mut ids: Vec<_> = queries.iter().map(|query| [query[0], query[1]]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() >= 19);
    let upper = queries.iter().flatten().filter(|byte| byte.is_ascii_uppercase()).count();
    assert!((50..350).contains(&upper), "{upper} of about 380 letters");
}

#[test]
fn other_addresses_in_an_answer_do_not_count() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    let stray = record(&wire("evil.example"), A, 60, &[203, 0, 113, 66]);
    let nowhere = record(QUESTION, A, 60, &[0, 0, 0, 0]);
    let mut chaos = a(60, 66);
    chaos[5] = 3;
    assert!(resolver.response(server(1), &respond(&query, 0, &[stray, nowhere, chaos, a(60, 1)], &[]), at(0)));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(1)).0, v4(&[1]));
}

#[test]
fn more_addresses_than_fit_are_cut() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(0));
    let many: Vec<_> = (1..=20).map(|last| a(60, last)).collect();
    assert!(resolver.response(server(1), &respond(&query, 0, &many, &[]), at(0)));
    assert_eq!(ask(&mut resolver, "a.example", at(0)).0, v4(&[1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn aliases_are_followed_in_any_order() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(0));
    let answer = [
        record(&wire("c.example"), A, 60, &[198, 51, 100, 3]),
        record(&wire("b.EXAMPLE"), CNAME, 9, &wire("c.example")),
        record(QUESTION, CNAME, 60, &wire("B.example")),
    ];
    assert!(resolver.response(server(1), &respond(&query, 0, &answer, &[]), at(0)));
    assert_eq!(ask(&mut resolver, "a.example", at(8)).0, v4(&[3]));
    assert_eq!(ask(&mut resolver, "a.example", at(9)).0, Answer::Pending, "an alias's TTL counts");
}

#[test]
fn a_ring_of_aliases_is_a_failure() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(0));
    let answer =
        [record(QUESTION, CNAME, 60, &wire("b.example")), record(&wire("b.example"), CNAME, 60, &wire("a.example"))];
    assert!(!resolver.response(server(1), &respond(&query, 0, &answer, &[]), at(0)));
    assert_eq!(pass(&mut resolver, at(0)).1.len(), 1, "the other server is asked");
}

#[test]
fn a_name_without_a_is_asked_for_aaaa() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "six.example", at(0));
    assert!(!resolver.response(server(1), &respond(&query, 0, &[], &[]), at(0)));
    assert_eq!(resolver.next_timeout(), Some(at(0)));
    let (settled, mut sent) = pass(&mut resolver, at(0));
    assert!(!settled);
    let (to, query) = sent.remove(0);
    assert_eq!((to, query[query.len() - 3]), (server(1), 28));
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let answer = record(QUESTION, AAAA, 60, &address.octets());
    assert!(resolver.response(server(1), &respond(&query, 0, &[answer], &[]), at(0)));
    let expected = Answer::Addresses([IpAddr::V6(address)].into_iter().collect());
    assert_eq!(ask(&mut resolver, "six.example", at(1)).0, expected);
}

#[test]
fn a_name_without_any_address_does_not_exist() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "mx.example", at(0));
    assert!(!resolver.response(server(1), &respond(&query, 0, &[], &[]), at(0)));
    let query = pass(&mut resolver, at(0)).1.remove(0).1;
    assert!(resolver.response(server(1), &respond(&query, 0, &[], &[]), at(0)));
    assert_eq!(ask(&mut resolver, "mx.example", at(29)), (Answer::NoSuchName, vec![]));
    assert_eq!(ask(&mut resolver, "mx.example", at(30)).0, Answer::Pending);
}

#[test]
fn a_negative_answer_holds_as_its_soa_says() {
    for (minimum, holds) in [(0, 5), (60, 60), (86_400, 300)] {
        let mut resolver = knowing();
        let query = first_query(&mut resolver, "sip.example.net", at(60));
        let times = [1, 2, 3, 4, minimum].map(u32::to_be_bytes).concat();
        let soa = record(&wire("example.net"), SOA, 900, &[&wire("ns"), &wire("root"), &times[..]].concat());
        assert!(resolver.response(server(1), &respond(&query, 3, &[], &[soa]), at(60)));
        assert_eq!(ask(&mut resolver, "sip.example.net", at(60 + holds - 1)), (Answer::NoSuchName, vec![]));
        assert_eq!(ask(&mut resolver, "sip.example.net", at(60 + holds)).0, Answer::Pending, "not the old answer");
    }
}

#[test]
fn silent_servers_are_asked_in_turn_and_given_up() {
    let mut resolver = resolver();
    first_query(&mut resolver, "sip.example.net", at(0));
    let mut asked = vec![];
    let mut end = Instant::ZERO;
    while let Some(due) = resolver.next_timeout() {
        assert_eq!(ask(&mut resolver, "sip.example.net", due).0, Answer::Pending);
        assert_eq!(pass(&mut resolver, Instant::from_millis(due.as_millis() - 1)), (false, vec![]), "not yet due");
        let (settled, sent) = pass(&mut resolver, due);
        assert_eq!(settled, sent.is_empty());
        asked.extend(sent.iter().map(|(to, _)| *to));
        end = due;
    }
    assert_eq!(asked, [server(2), server(1), server(2), server(1), server(2)]);
    assert_eq!(end, at(9));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(18)), (Answer::ServersSilent, vec![]));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(19)).0, Answer::Pending, "asked again after ten seconds");
}

#[test]
fn a_single_server_gets_three_tries() {
    let mut resolver = Resolver::new();
    resolver.configure(&[server(1)], 1);
    first_query(&mut resolver, "a.example", at(0));
    assert_eq!(silence(&mut resolver), (Instant::from_millis(4500), 2));
}

#[test]
fn a_late_answer_to_an_earlier_try_counts() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    assert_eq!(pass(&mut resolver, at(2)).1, vec![(server(2), query.clone())]);
    assert!(resolver.response(server(1), &respond(&query, 0, &[a(60, 7)], &[]), at(3)));
}

#[test]
fn the_last_try_is_for_servers_that_do_not_keep_the_case() {
    let mut resolver = resolver();
    let first = first_query(&mut resolver, "sip.example.net", at(0));
    assert!(first.iter().any(u8::is_ascii_uppercase));
    let mut last = first;
    for second in [2, 4, 6, 8, 10] {
        last = pass(&mut resolver, at(second)).1.remove(0).1;
    }
    assert!(!last.iter().any(u8::is_ascii_uppercase));
    assert!(resolver.response(server(1), &respond(&last, 0, &[a(60, 7)], &[]), at(11)));
}

#[test]
fn a_failing_server_gives_way_to_the_next() {
    const SERVFAIL: u8 = 2;
    const REFUSED: u8 = 5;
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "sip.example.net", at(0));
    assert!(!resolver.response(server(1), &respond(&query, SERVFAIL, &[], &[]), at(0)));
    assert_eq!(pass(&mut resolver, at(0)).1, vec![(server(2), query.clone())]);
    assert!(!resolver.response(server(1), &respond(&query, SERVFAIL, &[], &[]), at(0)), "the first one again");
    assert!(resolver.response(server(2), &respond(&query, REFUSED, &[], &[]), at(0)), "nobody is left");
    assert_eq!(ask(&mut resolver, "sip.example.net", at(9)), (Answer::ServersSilent, vec![]));
}

#[test]
fn the_last_good_answer_stands_in_for_silent_servers() {
    let mut resolver = knowing();
    first_query(&mut resolver, "sip.example.net", at(60));
    let (settled, sent) = pass(&mut resolver, Instant::from_millis(61_500));
    assert!(settled, "who waits for the name is told");
    assert_eq!(sent.len(), 1, "and the next server is tried");
    assert_eq!(ask(&mut resolver, "sip.example.net", at(62)), (v4(&[7]), vec![]));
    let (end, _) = silence(&mut resolver);
    assert_eq!(end, at(69));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(98)), (v4(&[7]), vec![]), "not asked for thirty seconds");
    let (answer, sent) = ask(&mut resolver, "sip.example.net", at(99));
    assert_eq!((answer, sent.len()), (v4(&[7]), 1), "asked in the background");

    assert!(resolver.response(server(1), &respond(&sent[0].1, 0, &[a(60, 8)], &[]), at(99)));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(100)), (v4(&[8]), vec![]));
}

#[test]
fn an_old_answer_is_dropped_after_a_day() {
    let mut resolver = knowing();
    first_query(&mut resolver, "sip.example.net", at(60));
    silence(&mut resolver);
    assert_eq!(ask(&mut resolver, "sip.example.net", at(86_400)).0, v4(&[7]));
    silence(&mut resolver);
    assert_eq!(ask(&mut resolver, "sip.example.net", at(86_460)).0, Answer::Pending);
    silence(&mut resolver);
    assert_eq!(ask(&mut resolver, "sip.example.net", at(86_470)).0, Answer::ServersSilent);
}

#[test]
fn without_servers_nothing_is_pending() {
    let mut resolver = Resolver::new();
    assert_eq!(ask(&mut resolver, "a.example", at(0)), (Answer::ServersSilent, vec![]));
    assert_eq!(resolver.next_timeout(), None);
    resolver.configure(&[server(1)], 1);
    assert_eq!(ask(&mut resolver, "a.example", at(0)).0, Answer::Pending, "new servers are asked at once");
}

#[test]
fn new_servers_take_over_queries_under_way() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(5));
    resolver.configure(&[server(3)], 7);
    assert!(!resolver.response(server(1), &respond(&query, 0, &[a(60, 1)], &[]), at(5)));
    assert_eq!(pass(&mut resolver, at(5)).1, vec![(server(3), query.clone())]);
    assert!(resolver.response(server(3), &respond(&query, 0, &[a(60, 1)], &[]), at(5)));

    first_query(&mut resolver, "b.example", at(6));
    resolver.configure(&[], 7);
    assert_eq!(pass(&mut resolver, at(6)), (true, vec![]));
    assert_eq!(ask(&mut resolver, "b.example", at(6)).0, Answer::ServersSilent);
}

#[test]
fn a_full_cache_keeps_queries_and_fresh_names() {
    let mut resolver = knowing();
    for n in 1..MAX_NAMES {
        first_query(&mut resolver, &format!("n{n}.example"), at(1));
    }
    let query = first_query(&mut resolver, "one-more.example", at(2));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(2)).0, Answer::Refused, "its place went to the new name");
    assert!(resolver.response(server(1), &respond(&query, 0, &[a(60, 1)], &[]), at(2)));
    assert_eq!(ask(&mut resolver, "sip.example.net", at(2)).0, Answer::Pending, "one is idle now");
}

#[test]
fn the_least_recently_used_name_goes_first() {
    let mut resolver = resolver();
    for n in 0..MAX_NAMES {
        let now = at(u64::try_from(n).expect("small"));
        let query = first_query(&mut resolver, &format!("n{n}.example"), now);
        assert!(resolver.response(server(1), &respond(&query, 0, &[a(if n == 9 { 60 } else { 3600 }, 1)], &[]), now));
    }
    assert_eq!(ask(&mut resolver, "n0.example", at(70)).0, v4(&[1]));
    for new in ["x.example", "y.example"] {
        let query = first_query(&mut resolver, new, at(71));
        assert!(resolver.response(server(1), &respond(&query, 0, &[a(3600, 1)], &[]), at(71)));
    }
    let known = |resolver: &Resolver, name: &str| {
        resolver.entries.iter().any(|entry| Name::parse(name.as_bytes()).as_ref() == Some(&entry.name))
    };
    assert!(!known(&resolver, "n9.example"), "its answer was over");
    assert!(!known(&resolver, "n1.example"), "nobody asked for it for longest");
    assert!(known(&resolver, "n0.example") && known(&resolver, "n2.example"));
}

#[test]
fn what_is_no_name_is_refused() {
    let label = "a".repeat(63);
    let longest = [&label[..], &label, &label, &label[..61]].join(".");
    let mut resolver = resolver();
    assert_eq!(ask(&mut resolver, &longest, at(0)).0, Answer::Pending);
    assert_eq!(ask(&mut resolver, &format!("{longest}."), at(0)), (Answer::Pending, vec![]));
    let bad =
        ["", ".", "a..b", ".a", "a..", "a b", "ä.example", "a/b", "[::1]", &format!("{longest}a"), &"a".repeat(64)];
    for name in bad {
        assert_eq!(ask(&mut resolver, name, at(0)), (Answer::Refused, vec![]), "{name}");
    }
}

#[test]
fn a_truncated_answer_without_addresses_is_a_failure() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(0));
    let mut response = respond(&query, 0, &[], &[]);
    response[2] |= 2;
    assert!(!resolver.response(server(1), &response, at(0)));
    assert_eq!(pass(&mut resolver, at(0)).1, vec![(server(2), query)], "not taken for a name without address");
}

#[test]
fn a_cut_answer_settles_nothing() {
    let mut resolver = resolver();
    let query = first_query(&mut resolver, "a.example", at(0));
    let alias = record(QUESTION, CNAME, 60, &wire("b.example"));
    let good = respond(&query, 0, &[alias, record(&wire("b.example"), A, 60, &[198, 51, 100, 1])], &[]);
    for len in 0..good.len() {
        assert!(!resolver.response(server(1), &good[..len], at(0)), "{len}");
    }
    assert!(resolver.response(server(1), &good, at(0)));
}

proptest! {
    #[test]
    fn no_datagram_panics(tail in proptest::collection::vec(any::<u8>(), 0..600), counts in any::<[u8; 8]>(), keep in 0usize..30) {
        let mut resolver = resolver();
        let query = first_query(&mut resolver, "sip.example.net", at(0));
        let mut bytes = query[..keep.min(query.len())].to_vec();
        bytes.extend_from_slice(&tail);
        resolver.response(server(1), &bytes, at(0));
        // A header and a question that fit, so that the records are read.
        let mut bytes = respond(&query, 0, &[], &[]);
        bytes[6..12].copy_from_slice(&counts[..6]);
        bytes[3] = counts[6] & 3;
        bytes.extend_from_slice(&tail);
        resolver.response(server(1), &bytes, at(0));
        silence(&mut resolver);
    }

    #[test]
    fn a_changed_byte_does_no_harm(place in 0usize..70, value in any::<u8>()) {
        let mut resolver = resolver();
        let query = first_query(&mut resolver, "sip.example.net", at(0));
        let mut bytes = respond(&query, 0, &[record(QUESTION, CNAME, 60, &wire("b")), record(&wire("b"), A, 60, &[198, 51, 100, 1])], &[]);
        if let Some(byte) = bytes.get_mut(place) {
            *byte = value;
        }
        resolver.response(server(1), &bytes, at(0));
    }

    #[test]
    fn no_name_panics(name in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut sent = Sent::default();
        resolver().resolve(&name, at(0), &mut sent);
    }
}
