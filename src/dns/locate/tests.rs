use super::*;
use std::collections::{BTreeMap, HashMap};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NAPTR: u16 = 35;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

const UDP: Transports = Transports { tcp: false, tls: false };
const ALL: Transports = Transports { tcp: true, tls: true };

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).expect("short"));
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
}

/// Data and TTL.
type Record = (Vec<u8>, u32);

/// A resolver and the nameserver behind it.
struct World {
    resolver: Resolver,
    /// By name and type.
    zone: HashMap<(String, u16), Vec<Record>>,
    /// Types that the nameserver says nothing to.
    silent: Vec<u16>,
    /// Types that it fails for.
    failing: Vec<u16>,
    now: Instant,
    asked: Vec<(String, u16)>,
    waiting: Vec<Vec<u8>>,
}

struct Wire<'a>(&'a mut Vec<Vec<u8>>);

impl Transmit for Wire<'_> {
    fn query(&mut self, _: SocketAddr, query: &[u8]) {
        self.0.push(query.to_vec());
    }
}

impl World {
    fn new() -> Self {
        let mut resolver = Resolver::new();
        resolver.configure(&[server()], 7);
        Self {
            resolver,
            zone: HashMap::new(),
            silent: Vec::new(),
            failing: Vec::new(),
            now: at(1000),
            asked: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn put(mut self, name: &str, kind: u16, data: Vec<u8>) -> Self {
        self.zone.entry((name.to_owned(), kind)).or_default().push((data, 60));
        self
    }

    fn a(self, name: &str, last: u8) -> Self {
        self.put(name, A, vec![198, 51, 100, last])
    }

    fn srv(self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        let numbers = [priority, weight, port].map(u16::to_be_bytes).concat();
        self.put(name, SRV, [numbers, wire(target)].concat())
    }

    fn naptr(self, name: &str, order: u16, preference: u16, service: &str, target: &str) -> Self {
        let numbers = [order, preference].map(u16::to_be_bytes).concat();
        self.put(name, NAPTR, [numbers, text("s"), text(service), text(""), wire(target)].concat())
    }

    /// Locates once, with what is known now.
    fn ask(&mut self, target: &str, transports: Transports, seed: u64) -> Located {
        let mut parts = target.split(' ');
        let (host, port) = (parts.next().expect("a host"), parts.next().and_then(|port| port.parse().ok()));
        let transport = match parts.next() {
            Some("udp") => Some(Transport::Udp),
            Some("tcp") => Some(Transport::Tcp),
            Some("tls") => Some(Transport::Tls),
            _ => None,
        };
        let target = Target { host: host.as_bytes(), port, transport };
        locate(&mut self.resolver, target, transports, seed, self.now, &mut Wire(&mut self.waiting))
    }

    /// Locates, with all the answers and the time that it takes.
    fn locate(&mut self, target: &str, transports: Transports, seed: u64) -> Located {
        loop {
            let located = self.ask(target, transports, seed);
            if located != Located::Pending {
                return located;
            }
            self.step();
        }
    }

    /// Lets the nameserver answer, or else time go by to the next deadline.
    fn step(&mut self) {
        let mut answered = false;
        for query in core::mem::take(&mut self.waiting) {
            if let Some(response) = self.respond(&query) {
                self.resolver.response(server(), &response, self.now);
                answered = true;
            }
        }
        let due = self.resolver.next_timeout().filter(|due| !answered || *due <= self.now);
        if let Some(due) = due {
            self.now = self.now.max(due);
            self.resolver.timeout(self.now, &mut Wire(&mut self.waiting));
        }
    }

    fn respond(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let (mut name, mut at) = (String::new(), 12);
        while query[at] != 0 {
            let len = usize::from(query[at]);
            let label = String::from_utf8_lossy(&query[at + 1..=at + len]).to_ascii_lowercase();
            name = if name.is_empty() { label } else { format!("{name}.{label}") };
            at += len + 1;
        }
        let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
        self.asked.push((name.clone(), kind));
        if self.silent.contains(&kind) || self.silent.contains(&0) {
            return None;
        }
        let mut response = query.to_vec();
        response[2] |= 0x80;
        if self.failing.contains(&kind) {
            response[3] = SERVFAIL;
            return Some(response);
        }
        let none = Vec::new();
        let alias = self.zone.get(&(name.clone(), CNAME)).unwrap_or(&none);
        let records = self.zone.get(&(name.clone(), kind)).unwrap_or(&none);
        let known = self.zone.keys().any(|(known, _)| *known == name || known.ends_with(&format!(".{name}")));
        response[3] = if known { 0x80 } else { 0x80 | NXDOMAIN };
        response[7] = u8::try_from(alias.len() + records.len()).expect("few");
        for (kind, (data, ttl)) in alias.iter().map(|r| (CNAME, r)).chain(records.iter().map(|r| (kind, r))) {
            response.extend_from_slice(&[0xc0, 12]);
            response.extend_from_slice(&kind.to_be_bytes());
            response.extend_from_slice(&[0, 1]);
            response.extend_from_slice(&ttl.to_be_bytes());
            response.extend_from_slice(&u16::try_from(data.len()).expect("short").to_be_bytes());
            response.extend_from_slice(data);
        }
        Some(response)
    }
}

fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 53))
}

/// The candidates as text, `udp 198.51.100.1:5060`; addresses of 198.51.100.0/24 by their last number.
fn shown(located: &Located) -> String {
    let Located::Candidates { list, .. } = located else { return format!("{located:?}") };
    let one = |c: &Candidate| {
        let transport = format!("{:?}", c.transport).to_lowercase();
        format!("{transport} {}", c.address.to_string().trim_start_matches("198.51.100."))
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A provider as RFC 3263 §2 draws it.
fn provider() -> World {
    World::new()
        .naptr("p.example", 50, 50, "SIPS+D2T", "_sips._tcp.p.example")
        .naptr("p.example", 100, 50, "SIP+D2U", "_sip._udp.p.example")
        .naptr("p.example", 90, 50, "SIP+D2T", "_sip._tcp.p.example")
        .srv("_sips._tcp.p.example", 0, 1, 5061, "one.p.example")
        .srv("_sip._tcp.p.example", 0, 1, 5060, "one.p.example")
        .srv("_sip._udp.p.example", 10, 1, 5070, "two.p.example")
        .srv("_sip._udp.p.example", 5, 1, 5060, "one.p.example")
        .a("one.p.example", 1)
        .a("two.p.example", 2)
        .a("two.p.example", 3)
        .a("p.example", 80)
}

#[test]
fn naptr_leads_to_srv_leads_to_addresses() {
    assert_eq!(shown(&provider().locate("p.example", UDP, 1)), "udp 1:5060, udp 2:5070, udp 3:5070");
    assert_eq!(
        shown(&provider().locate("p.example", ALL, 1)),
        "tls 1:5061, tcp 1:5060, udp 1:5060, udp 2:5070, udp 3:5070"
    );
}

#[test]
fn all_types_are_asked_for_at_once() {
    let mut world = provider();
    assert_eq!(world.ask("P.example.", UDP, 1), Located::Pending);
    assert_eq!(world.waiting.len(), 3);
    world.step();
    let mut asked = core::mem::take(&mut world.asked);
    asked.sort();
    assert_eq!(
        asked,
        [("_sip._udp.p.example".to_owned(), SRV), ("p.example".to_owned(), A), ("p.example".to_owned(), NAPTR)]
    );
    assert_eq!(world.ask("p.example", UDP, 1), Located::Pending);
    world.step();
    assert!(matches!(world.ask("p.example", UDP, 1), Located::Candidates { .. }));
    assert_eq!(world.asked.len(), 2, "the two targets");
    world.now = world.now.after_secs(59);
    assert!(matches!(world.ask("p.example", UDP, 1), Located::Candidates { .. }));
    assert!(world.waiting.is_empty(), "all of it comes from the cache");
    world.now = world.now.after_secs(1);
    assert_eq!(world.ask("p.example", UDP, 1), Located::Pending, "the TTL is over");
}

#[test]
fn what_is_written_in_the_uri_comes_first() {
    let mut world = provider();
    for (target, servers) in [
        ("192.0.2.9", "udp 192.0.2.9:5060"),
        ("192.0.2.9 5070", "udp 192.0.2.9:5070"),
        ("192.0.2.9 - tcp", "tcp 192.0.2.9:5060"),
        ("192.0.2.9 - tls", "tls 192.0.2.9:5061"),
        ("[2001:db8::1]", "udp [2001:db8::1]:5060"),
        ("p.example 5060", "udp 80:5060"),
        ("p.example 5080 tcp", "tcp 80:5080"),
        ("p.example - udp", "udp 1:5060, udp 2:5070, udp 3:5070"),
        ("p.example - tcp", "tcp 1:5060"),
        ("one.p.example - tls", "tls 1:5061"),
        ("one.p.example", "udp 1:5060"),
    ] {
        assert_eq!(shown(&world.locate(target, ALL, 1)), servers, "{target}");
    }
    assert_eq!(world.locate("p.example - tls", UDP, 1), Located::NoTransport);
    assert_eq!(world.locate("a/b", ALL, 1), Located::Refused);
}

#[test]
fn without_naptr_the_services_of_each_transport_count() {
    let mut world = World::new()
        .srv("_sip._udp.p.example", 0, 0, 5060, "one.p.example")
        .srv("_sip._tcp.p.example", 0, 0, 5060, "two.p.example")
        .a("one.p.example", 1)
        .a("two.p.example", 2);
    assert_eq!(shown(&world.locate("p.example", ALL, 1)), "udp 1:5060, tcp 2:5060");
    assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 1:5060");
}

#[test]
fn rules_for_transports_we_lack_and_other_services_are_passed_over() {
    let mut world = World::new()
        .naptr("p.example", 1, 1, "E2U+sip", "p.example")
        .naptr("p.example", 1, 2, "SIPS+D2T", "_sips._tcp.p.example")
        .a("p.example", 80);
    assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 80:5060");
}

#[test]
fn a_rule_names_any_owner() {
    let mut world = World::new()
        .naptr("p.example", 1, 1, "sip+d2u", "_sip._udp.Hosted.example")
        .srv("_sip._udp.hosted.example", 0, 0, 5080, "one.hosted.example")
        .put("one.hosted.example", CNAME, wire("two.hosted.example"))
        .a("one.hosted.example", 1);
    // The server gives the alias's address under the name that was asked for: an alias hides it.
    assert_eq!(world.locate("p.example", UDP, 1), Located::NoSuchName);
    world.zone.remove(&("one.hosted.example".to_owned(), CNAME));
    world.now = world.now.after_secs(600);
    assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 1:5080");
}

#[test]
fn addresses_of_both_families_will_do() {
    let address = core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let mut world = World::new().srv("_sip._udp.p.example", 0, 0, 5060, "six.p.example").put(
        "six.p.example",
        AAAA,
        address.octets().to_vec(),
    );
    assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp [2001:db8::1]:5060");
}

#[test]
fn a_service_that_is_decidedly_not_there_is_none() {
    let mut world = World::new().srv("_sip._udp.p.example", 0, 0, 0, ".").a("p.example", 80);
    assert_eq!(world.locate("p.example", UDP, 1), Located::NoSuchName);
}

#[test]
fn servers_without_address_are_passed_over() {
    let mut world = World::new()
        .srv("_sip._udp.p.example", 1, 0, 5060, "gone.p.example")
        .srv("_sip._udp.p.example", 2, 0, 5060, "one.p.example")
        .a("one.p.example", 1)
        .a("p.example", 80);
    assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 1:5060");
    world.zone.remove(&("one.p.example".to_owned(), A));
    world.now = world.now.after_secs(600);
    assert_eq!(world.locate("p.example", UDP, 1), Located::NoSuchName, "not the name itself: it has a service");
}

#[test]
fn a_name_that_does_not_exist_is_said_so_at_once() {
    let mut world = World::new();
    assert_eq!(world.locate("nowhere.example", UDP, 1), Located::NoSuchName);
    assert_eq!(world.now, at(1000));
}

#[test]
fn silent_servers_are_told_from_names_that_do_not_exist() {
    let mut world = provider();
    world.silent = vec![0];
    assert_eq!(world.locate("p.example", UDP, 1), Located::ServersSilent);
    assert_eq!(world.now, Instant::from_millis(1_004_500));
    world.silent.clear();
    world.now = world.now.after_secs(10);
    assert!(shown(&world.locate("p.example", UDP, 1)).starts_with("udp 1:5060"), "not the address of the name itself");
}

#[test]
fn a_forwarder_that_knows_only_addresses_will_do() {
    for failing in [false, true] {
        let mut world = World::new().a("p.example", 80);
        *(if failing { &mut world.failing } else { &mut world.silent }) = vec![SRV, NAPTR];
        assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 80:5060");
        assert!(world.now <= at(1003), "{:?}", world.now);
        // From then on nobody waits for what does not come.
        for seconds in [40, 90, 140] {
            world.now = at(1000 + seconds);
            let before = world.now;
            assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 80:5060");
            assert_eq!(world.now, before);
        }
        world.failing.clear();
        world.silent.clear();
        world = world.srv("_sip._udp.p.example", 0, 0, 5090, "p.example");
        world.now = at(1200);
        world.ask("p.example", UDP, 1);
        world.step();
        assert_eq!(shown(&world.locate("p.example", UDP, 1)), "udp 80:5090", "asked in the background");
    }
}

#[test]
fn the_last_good_answers_stand_in_while_dns_is_down() {
    let mut world = provider();
    let good = shown(&world.locate("p.example", UDP, 1));
    let mut plain = World::new().a("p.example", 80);
    assert_eq!(shown(&plain.locate("p.example", UDP, 1)), "udp 80:5060");
    for (world, good) in [(&mut world, good), (&mut plain, "udp 80:5060".to_owned())] {
        world.silent = vec![0];
        for hours in [1, 2, 23] {
            world.now = at(1000 + hours * 3600);
            let before = world.now;
            assert_eq!(shown(&world.locate("p.example", UDP, 1)), good, "after {hours} hours");
            assert!(world.now.since(before).as_millis() <= 3 * 1500, "after {hours} hours");
        }
    }
}

#[test]
fn the_first_server_does_not_wait_for_the_names_of_others() {
    let mut world = provider();
    world.ask("p.example", UDP, 1);
    world.step();
    world.ask("p.example", UDP, 1);
    let two =
        world.waiting.iter().position(|query| query[13..].starts_with(b"two") || query[13].eq_ignore_ascii_case(&b't'));
    let held = world.waiting.remove(two.expect("both targets are asked for"));
    world.step();
    let located = world.ask("p.example", UDP, 1);
    assert_eq!(shown(&located), "udp 1:5060");
    assert!(matches!(located, Located::Candidates { more: true, .. }));
    world.waiting.push(held);
    world.step();
    assert_eq!(shown(&world.ask("p.example", UDP, 1)), "udp 1:5060, udp 2:5070, udp 3:5070");
}

#[test]
fn weights_share_the_load() {
    let mut world = World::new()
        .srv("_sip._udp.p.example", 1, 75, 5060, "a.p.example")
        .srv("_sip._udp.p.example", 1, 25, 5060, "b.p.example")
        .srv("_sip._udp.p.example", 1, 0, 5060, "c.p.example")
        .srv("_sip._udp.p.example", 0, 0, 5060, "d.p.example")
        .a("a.p.example", 1)
        .a("b.p.example", 2)
        .a("c.p.example", 3)
        .a("d.p.example", 4);
    let mut second = BTreeMap::new();
    for seed in 0..10_000 {
        let servers = shown(&world.locate("p.example", UDP, seed));
        let servers: Vec<_> = servers.split(", ").collect();
        assert_eq!((servers.len(), servers[0]), (4, "udp 4:5060"), "the lowest priority is first");
        *second.entry(servers[1].to_owned()).or_insert(0) += 1;
        world.now = at(1001);
    }
    assert!((7200..7800).contains(&second["udp 1:5060"]), "{second:?}");
    assert!((2200..2800).contains(&second["udp 2:5060"]), "{second:?}");
    assert!((20..250).contains(&second["udp 3:5060"]), "{second:?}");
    let once = shown(&world.locate("p.example", UDP, 99));
    assert_eq!(shown(&world.locate("p.example", UDP, 99)), once, "one seed, one order");
}

#[test]
fn the_list_has_an_end() {
    let mut world = World::new();
    for n in 0..20 {
        world = world.srv("_sip._udp.p.example", n, 0, 5060, &format!("s{n}.p.example"));
        for last in 0..4 {
            world = world.a(&format!("s{n}.p.example"), u8::try_from(n * 4 + last).expect("small"));
        }
    }
    let Located::Candidates { list, more: false } = world.locate("p.example", UDP, 1) else { panic!("no candidates") };
    assert_eq!(list.len(), MAX_NAME_ADDRESSES);
}
