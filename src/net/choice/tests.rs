use super::*;

const UP: LinkState =
    LinkState { is_up: true, is_running: true, is_loopback: false, is_point_to_point: false, is_bridge: false };
const BRIDGE: LinkState = LinkState { is_bridge: true, ..UP };
const TUNNEL: LinkState = LinkState { is_point_to_point: true, ..UP };

fn link(index: u32, name: &str, state: LinkState, addresses: &[&str]) -> Link {
    let prefix = |text: &&str| Prefix {
        address: text.parse().expect("an address"),
        length: if text.contains(':') { 64 } else { 24 },
    };
    let (v4, v6) = addresses.iter().map(prefix).partition(|prefix: &Prefix| prefix.address.is_ipv4());
    let list = |list: Vec<Prefix>| list.into_iter().collect();
    Link { index, name: name.try_into().expect("a name"), state, v4: list(v4), v6: list(v6) }
}

fn route(interface: u32, metric: u32) -> DefaultRoute {
    DefaultRoute { family: Family::V4, interface, metric }
}

/// The names of LAN and WAN, and what is said of them.
fn chosen(links: &[Link], routes: &[DefaultRoute]) -> ([String; 2], [String; 2]) {
    after(links, routes, &Default::default())
}

fn after(links: &[Link], routes: &[DefaultRoute], before: &[Choice; 2]) -> ([String; 2], [String; 2]) {
    let choices = choose(links, routes, &Default::default(), before);
    (choices.each_ref().map(|choice| choice.name.as_str().to_owned()), choices.map(|choice| choice.to_string()))
}

fn router() -> Vec<Link> {
    vec![
        link(1, "lo", LinkState { is_loopback: true, ..UP }, &["127.0.0.1"]),
        link(2, "eth0", UP, &["192.168.178.2"]),
        link(3, "br-guest", BRIDGE, &["192.168.9.1"]),
        link(4, "br-lan", BRIDGE, &["192.168.1.1", "fd00::1"]),
        link(5, "wg0", TUNNEL, &["10.9.0.1"]),
        link(6, "docker0", BRIDGE, &["172.17.0.1"]),
        link(7, "br-0123456789ab", BRIDGE, &["172.18.0.1"]),
    ]
}

#[test]
fn a_router_has_the_default_route_and_a_bridge() {
    let (names, said) = chosen(&router(), &[route(2, 0)]);
    assert_eq!(names, ["br-lan", "eth0"]);
    assert_eq!(
        said[0],
        "LAN is br-lan: a bridge with the private network of 192.168.1.1/24; if_inbound would take another, such as br-guest"
    );
    assert_eq!(said[1], "WAN is eth0: the default route leads there");
}

#[test]
fn the_lowest_metric_and_ipv4_count_first() {
    let mut links = router();
    links.push(link(8, "lte0", UP, &["100.64.3.4"]));
    assert_eq!(chosen(&links, &[route(8, 600), route(2, 100)]).0[1], "eth0");
    assert_eq!(chosen(&links, &[route(8, 600)]).0[1], "lte0");
    let six = DefaultRoute { family: Family::V6, ..route(2, 0) };
    assert_eq!(chosen(&links, &[six, route(8, 600)]).0[1], "lte0");
    let (names, said) = chosen(&links, &[six]);
    assert_eq!(names[1], "eth0");
    assert!(said[1].contains("the default route of IPv6"), "{}", said[1]);
    // A route by a link that is down leads nowhere.
    links[1].state.is_up = false;
    assert_eq!(chosen(&links, &[route(8, 600), route(2, 100)]).0[1], "lte0");
}

#[test]
fn the_wan_comes_later_and_stays_while_it_is_away() {
    let links = router();
    let (names, said) = chosen(&links, &[]);
    assert_eq!(names, ["br-lan", ""]);
    assert!(said[1].starts_with("there is no WAN yet"), "{}", said[1]);
    let before = choose(&links, &[route(2, 0)], &Default::default(), &Default::default());
    let (names, said) = after(&links, &[], &before);
    assert_eq!(names[1], "eth0");
    assert_eq!(said[1], "WAN stays eth0, where the default route led; there is none now");
}

#[test]
fn a_lan_stays_unless_the_usual_one_appears() {
    let links = |names: &[(u32, &str, LinkState)]| -> Vec<Link> {
        names.iter().map(|(index, name, state)| link(*index, name, *state, &["192.168.1.1"])).collect()
    };
    let two = links(&[(3, "eth1", UP), (4, "br0", BRIDGE)]);
    assert_eq!(chosen(&two, &[]).0[0], "br0");
    let before = choose(&links(&[(3, "eth1", UP)]), &[], &Default::default(), &Default::default());
    assert_eq!(after(&two, &[], &before).0[0], "eth1");
    assert_eq!(after(&links(&[(3, "eth1", UP), (9, "br-lan", BRIDGE)]), &[], &before).0[0], "br-lan");
    assert_eq!(after(&links(&[(4, "br0", BRIDGE)]), &[], &before).0[0], "br0");
}

#[test]
fn one_interface_is_both_if_its_network_is_private() {
    let host = |address: &str| vec![link(2, "eth0", UP, &[address]), link(6, "docker0", BRIDGE, &["172.17.0.1"])];
    let (names, said) = chosen(&host("192.168.1.7"), &[route(2, 0)]);
    assert_eq!(names, ["eth0", "eth0"]);
    assert!(said[0].starts_with("LAN is eth0, as the WAN is"), "{}", said[0]);
    // Before the default route it is the LAN alone.
    assert_eq!(chosen(&host("192.168.1.7"), &[]).0, ["eth0", ""]);
    let (names, said) = chosen(&host("203.0.113.7"), &[route(2, 0)]);
    assert_eq!(names, ["", "eth0"]);
    assert!(said[0].contains("set if_inbound"), "{}", said[0]);
    assert_eq!(chosen(&[], &[]).0, ["", ""]);
}

#[test]
fn what_is_named_is_left_and_the_other_is_chosen_beside_it() {
    let links = router();
    let choose = |lan: &str, wan: &str| {
        choose(&links, &[route(2, 0)], &[lan.to_owned(), wan.to_owned()], &Default::default())
            .map(|choice| choice.name.as_str().to_owned())
    };
    assert_eq!(choose("", "br-lan"), ["br-guest", "br-lan"]);
    assert_eq!(choose("br-guest", ""), ["br-guest", "eth0"]);
    assert_eq!(choose("eth0", ""), ["eth0", "eth0"]);
    assert_eq!(choose("none0", "none1"), ["none0", "none1"]);
}
