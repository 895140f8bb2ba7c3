//! Types, ranges and lists of directives.

use super::*;

#[test]
fn defaults_are_those_of_the_engine() {
    let ours = good("").engine_settings();
    let engine = Settings::default();
    assert_eq!(format!("{ours:?}"), format!("{engine:?}"));
}

#[test]
fn every_default_is_a_value_of_its_type() {
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        assert!(value::value(key.kind, key.default).is_ok(), "{}", key.name);
    }
}

#[test]
fn names_are_unique() {
    for (place, key) in KEYS.iter().enumerate() {
        assert_eq!(keys::find(key.name).map(|(found, _)| found), Some(place), "{}", key.name);
    }
}

#[test]
fn numbers_as_c_reads_them() {
    assert_eq!(good("debug_level = -1").debug_level, u32::MAX);
    assert_eq!(good("debug_level = 0x00000100").debug_level, 0x100);
    assert_eq!(good("debug_level = 010").debug_level, 8);
    assert!(
        problems("debug_level = 08").starts_with("a.conf:1: debug_level = 08: a number with a leading 0 is octal;")
    );
    assert!(problems("rtp_timeout = 30 s").starts_with("a.conf:1: rtp_timeout = 30 s: not a number; Seconds without"));
    assert!(problems("rtp_timeout = 99999999999999999999").contains("too large"));
    assert!(problems("sip_listen_port = 65536").contains("not from 1 to 65535"));
    assert!(problems("sip_listen_port = -").contains("not a number"));
    assert!(problems("rtp_coalesce = 1001").contains("not from 0 to 1000"));
}

#[test]
fn networks_add_up_to_their_limit() {
    let config = good("lan_networks = 10.0.0.0/8, fd00::/8\nlan_networks = 192.0.2.1");
    let shown: Vec<String> = config.lan_networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    assert!(problems("wan_allow = 10.0.0.0/33").contains("a length is from 0 to 32"));
    assert!(problems("wan_allow = example.org").contains("`example.org` is not an IP address"));
    assert!(problems(&"wan_allow = 10.0.0.1\n".repeat(17)).contains("a.conf:17: `wan_allow`: more than 16"));
}

#[test]
fn an_outbound_proxy_has_a_port() {
    let proxy = good("outbound_proxy_port = 5070\noutbound_proxy_host = sip.example.org").outbound_proxy;
    assert_eq!(proxy.map(|proxy| (proxy.host.to_string(), proxy.port)), Some(("sip.example.org".to_owned(), 5070)));
    assert_eq!(good("outbound_proxy_host = a").outbound_proxy.map(|proxy| proxy.port), Some(0));
    assert_eq!(good("outbound_proxy_port = 5070").outbound_proxy, None);
    assert!(problems("outbound_proxy_port = 5070").contains("without `outbound_proxy_host`"));
    let tcp = good("outbound_proxy_host = a\noutbound_proxy_transport = tcp").outbound_proxy_transport;
    assert_eq!(tcp, Some(Transport::Tcp));
    assert!(problems("outbound_proxy_transport = TLS").contains("not one of udp, tcp"));
}

#[test]
fn we_are_known_by_an_address_or_a_name() {
    let known = |text: &str| {
        let config = good(&format!("host_outbound = {text}"));
        (config.host_outbound.map(|ip| ip.to_string()), config.host_outbound_name)
    };
    assert_eq!(known("198.51.100.7"), (Some("198.51.100.7".to_owned()), String::new()));
    assert_eq!(known("2001:db8::7"), (Some("2001:db8::7".to_owned()), String::new()));
    assert_eq!(known("me.example.org"), (None, "me.example.org".to_owned()));
    assert_eq!(known("me.example.org\nhost_outbound = 192.0.2.1").1, "");
    assert!(
        problems("host_outbound = 198.51.100").contains("neither an IP address nor a host name; Our public address")
    );
    assert!(problems("host_outbound = a b").contains("not a host name or address"));
}

#[test]
fn a_dscp_that_is_none_names_the_one_that_was_meant() {
    assert_eq!(good("rtp_dscp = 46").rtp_dscp, 46);
    assert_eq!(good("rtp_dscp = 0x3f").rtp_dscp, 63);
    let meant = "in a TOS byte of";
    for (value, problem) in [
        ("184", format!("not from 0 to 63; the DSCP {meant} 184 is 46;")),
        ("0xb8", format!("not from 0 to 63; the DSCP {meant} 0xb8 is 46;")),
        ("64", format!("not from 0 to 63; the DSCP {meant} 64 is 16;")),
        ("256", "not from 0 to 63;".to_owned()),
        ("-1", "not from 0 to 63;".to_owned()),
        ("EF", "not a number; EF is 46;".to_owned()),
        ("cs5", "not a number; cs5 is 40;".to_owned()),
        ("AF41", "not a number; AF41 is 34;".to_owned()),
        ("AF51", "not a number;".to_owned()),
        ("voice", "not a number;".to_owned()),
    ] {
        let told = problems(&format!("rtp_dscp = {value}"));
        assert!(told.starts_with(&format!("a.conf:1: rtp_dscp = {value}: {problem} DSCP of relayed media")), "{told}");
    }
}

#[test]
fn an_access_list_has_networks_and_names() {
    let config = good("hosts_allow_sip = 10.0.0.0/8,fd00::/8 phone.example/24\nhosts_allow_sip = 192.0.2.1, pbx");
    let list = config.hosts_allow_sip;
    let shown: Vec<String> = list.networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
    let names: Vec<_> = list.names.iter().map(|name| (name.host.as_str(), name.length)).collect();
    assert_eq!(names, [("phone.example", 24), ("pbx", 32)]);
    for (value, problem) in [
        ("10.0.0.0/33", "`10.0.0.0/33`: a length is from 0 to 32"),
        ("pbx/33", "`pbx/33`: a length is from 0 to 32"),
        ("10.0.0.256/32", "`10.0.0.256` is neither an IP address nor a host name"),
        ("*", "`*` is neither"),
        ("a b c d e", "more than 4 host names"),
        ("a b\nhosts_deny_sip = c d e", "more than 16 networks or 4 host names"),
    ] {
        let told = problems(&format!("hosts_deny_sip = {value}"));
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn a_text_for_a_header_is_one_line_and_fits() {
    assert_eq!(good("ua_string = Téléphone 1.0 (a router)").ua_string, "Téléphone 1.0 (a router)");
    assert_eq!(good(&format!("ua_string = {}", "x".repeat(128))).ua_string.len(), 128);
    for (value, problem) in
        [("x".repeat(129), "longer than 128 bytes"), ("a\u{1}b".into(), "with a control character in it")]
    {
        let told = problems(&format!("ua_string = {value}"));
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn a_dejitter_has_microseconds() {
    let config = good("rtp_input_dejitter = 60000\nrtp_output_dejitter = 1500000");
    assert_eq!((config.rtp_input_dejitter, config.rtp_output_dejitter), (60_000, 1_500_000));
    assert_eq!(
        problems("rtp_output_dejitter = 60"),
        "a.conf:1: warning: `rtp_output_dejitter` is in microseconds: 60 evens nothing out, 60 ms are 60000\n"
    );
    assert!(problems("rtp_input_dejitter = 1500001").contains("not from 0 to 1500000"));
    assert!(problems("rtp_input_dejitter = -1").contains("not from 0 to 1500000"));
}

#[test]
fn each_mask_has_what_it_is_known_by() {
    let text = "mask_host = 192.168.1.1\nmasked_host = example.org\nmask_host = router.lan\n";
    let masks = good(&format!("{text}masked_host = example.net\n")).engine_settings().masked_hosts;
    assert_eq!(
        (masks.of_mask(b"192.168.1.1"), masks.of_mask(b"ROUTER.lan")),
        (Some("example.org"), Some("example.net"))
    );
    assert_eq!(masks.of_mask(b"example.org"), None);
    assert!(masks.of_masked(b"Example.net").eq(["router.lan"]));
    assert_eq!(
        problems(text),
        "a.conf:3: each `mask_host` needs its `masked_host`: there are 2 (the last in line 3) of the one, and 1 (the last in line \
         2) of the other\n"
    );
    assert!(problems("masked_host = a").contains("a.conf:1: each `mask_host` needs its `masked_host`: there are 0 of"));
    assert!(problems("mask_host = a b").contains("not a host name"));
    let many = "mask_host = a.long.name.example\nmasked_host = another.long.name.example\n".repeat(12);
    assert!(problems(&many).contains("a.conf:24: `mask_host` and `masked_host`: more than 512 bytes in all"));
}

#[test]
fn each_domain_has_its_proxy() {
    let text = "outbound_domain_name = a.example\noutbound_domain_host = sip.a.example\noutbound_domain_port = 5070\n\
                outbound_domain_name = B.example\noutbound_domain_host = 192.0.2.1\n";
    let domains = good(&format!("{text}outbound_domain_port = 0\n")).engine_settings().outbound_domains;
    let found =
        |domain: &str| domains.find(domain.as_bytes()).map(|proxy| (proxy.host.as_str().to_owned(), proxy.port));
    assert_eq!(found("A.EXAMPLE"), Some(("sip.a.example".to_owned(), 5070)));
    assert_eq!(found("b.example"), Some(("192.0.2.1".to_owned(), 0)));
    assert_eq!(found("sip.a.example"), None);
    assert_eq!(
        problems(text),
        "a.conf:5: each domain needs its host, and a port or none has one: `outbound_domain_name` is there 2 times (the last \
         in line 4), `outbound_domain_host` 2 times (the last in line 5), `outbound_domain_port` 1 times (the last in line \
         3)\n"
    );
    let without_ports = good("outbound_domain_name = a\noutbound_domain_host = b\n").engine_settings().outbound_domains;
    assert_eq!(without_ports.find(b"a").map(|proxy| proxy.port), Some(0));
    assert!(problems("outbound_domain_port = 70000").contains("not from 0 to 65535"));
    assert!(problems("outbound_domain_host = a b").contains("not a host name"));
    let many = "outbound_domain_name = a.long.name.example\noutbound_domain_host = a.long.name.example\n".repeat(30);
    assert!(problems(&many).contains("a.conf:60: `outbound_domain_…`: more than 1024 bytes in all"));
}
