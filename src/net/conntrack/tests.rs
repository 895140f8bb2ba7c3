use super::*;
use proptest::prelude::*;

const PORTS: OwnPorts = OwnPorts { sip: 5060, media: [7070, 7090] };

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn put_tuple(request: &mut Request, kind: u16, [source, destination]: [&str; 2], protocol: u8) {
    let (source, destination) = (address(source), address(destination));
    request.nested(kind, |request| {
        request.nested(CTA_TUPLE_IP, |request| match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                request.attribute(CTA_IP_V4_SRC, &from.octets());
                request.attribute(CTA_IP_V4_DST, &to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                request.attribute(CTA_IP_V6_SRC, &from.octets());
                request.attribute(CTA_IP_V6_DST, &to.octets());
            }
            _ => panic!("two families"),
        });
        request.nested(CTA_TUPLE_PROTO, |request| {
            request.attribute(CTA_PROTO_NUM, &[protocol]);
            request.attribute(CTA_PROTO_SRC_PORT, &source.port().to_be_bytes());
            request.attribute(CTA_PROTO_DST_PORT, &destination.port().to_be_bytes());
        });
    });
}

/// One entry as the kernel tells of it.
fn entry(original: [&str; 2], reply: [&str; 2], protocol: u8) -> Vec<u8> {
    let mut message = Request::new(CT_NEW, 0, address(original[0]).ip());
    put_tuple(&mut message, CTA_TUPLE_ORIG, original, protocol);
    put_tuple(&mut message, CTA_TUPLE_REPLY, reply, protocol);
    message.attribute(CTA_ZONE, &7u16.to_be_bytes());
    message.finish().expect("room").to_vec()
}

fn is_wanted(question: Question, bytes: &[u8]) -> bool {
    let all: Vec<_> = frames(bytes).collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].kind, CT_NEW);
    Entry::parse(all[0].body).is_some_and(|entry| question.wants(&entry, PORTS))
}

#[test]
fn who_has_our_port_by_nat() {
    let taken = Question::Taken { ours: address("198.51.100.1:5060") };
    let phone = entry(["10.0.0.13:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5060"], UDP);
    assert!(is_wanted(taken, &phone));
    for (original, reply, protocol) in [
        // Of another port, over TCP, our own, and what came in to us.
        (["10.0.0.13:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5061"], UDP),
        (["10.0.0.13:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5060"], 6),
        (["198.51.100.1:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5060"], UDP),
        (["203.0.113.10:5060", "198.51.100.1:5060"], ["198.51.100.1:5060", "203.0.113.10:5060"], UDP),
    ] {
        assert!(!is_wanted(taken, &entry(original, reply, protocol)), "{original:?} {reply:?}");
    }
}

#[test]
fn what_belongs_to_the_old_address() {
    let old = address("198.51.100.1:0").ip();
    let of = |ours: &str| entry([ours, "203.0.113.10:6000"], ["203.0.113.10:6000", ours], UDP);
    let to = |ours: &str| entry(["203.0.113.10:6000", ours], [ours, "203.0.113.10:6000"], UDP);
    for port in [5060, 7070, 7090] {
        let ours = format!("198.51.100.1:{port}");
        assert!(is_wanted(Question::From(old), &of(&ours)) && is_wanted(Question::To(old), &to(&ours)), "{ours}");
        assert!(!is_wanted(Question::To(old), &of(&ours)) && !is_wanted(Question::From(old), &to(&ours)), "{ours}");
    }
    for other in ["198.51.100.1:53", "198.51.100.1:7091", "198.51.100.2:5060"] {
        assert!(!is_wanted(Question::From(old), &of(other)) && !is_wanted(Question::To(old), &to(other)), "{other}");
    }
}

#[test]
fn ipv6_alike() {
    let phone = entry(["[fd00::2]:5060", "[2001:db8::9]:5060"], ["[2001:db8::9]:5060", "[2001:db8::1]:5060"], UDP);
    assert!(is_wanted(Question::Taken { ours: address("[2001:db8::1]:5060") }, &phone));
}

#[test]
fn a_name_and_its_zone_come_back_as_they_were() {
    let bytes = entry(["10.0.0.13:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5060"], UDP);
    let frame = frames(&bytes).next().expect("one");
    let entry = Entry::parse(frame.body).expect("whole");
    assert_eq!(tuple(entry.name), Some(entry.original));
    assert_eq!(entry.zone, Some(&7u16.to_be_bytes()[..]));
}

/// With the kernel itself, where it lets us; a filter that it does not understand would be an error of its.
#[test]
fn the_kernel_understands_what_is_asked() {
    for ip in ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().expect("an address")) {
        for question in [Question::Taken { ours: (ip, 5060).into() }, Question::From(ip), Question::To(ip)] {
            match delete(question, PORTS) {
                Ok(count) => assert_eq!(count, 0, "{question:?}"),
                Err(error) => assert_ne!(error.raw_os_error(), Some(Errno::EINVAL as i32), "{question:?}: {error}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn damaged_entries_end(at in 0usize..200, value: u8, cut in 0usize..200) {
        let mut bytes = entry(["10.0.0.13:5060", "203.0.113.10:5060"], ["203.0.113.10:5060", "198.51.100.1:5060"], UDP);
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut % bytes.len());
        for frame in frames(&bytes) {
            let _ = Entry::parse(frame.body);
        }
    }
}
