//! Lines, names, and how what is wrong with them is told.

use super::*;

#[test]
fn blanks_tabs_and_comments() {
    let config = good("\t sip_listen_port\t=\t5062 # five\r\n#x\n   \nuser = the user\t#\n");
    assert_eq!(config.sip_listen_port, 5062);
    assert_eq!(config.user.as_deref(), Some("the user"));
}

#[test]
fn long_lines_are_one_line() {
    let blanks = " ".repeat(5000);
    assert_eq!(good(&format!("sip_listen_port ={blanks}5070")).sip_listen_port, 5070);
}

#[test]
fn a_name_counts_whole() {
    assert_eq!(
        problems("proxy_auth_passwd = theuser"),
        "a.conf:1: warning: `proxy_auth_passwd` means nothing without `proxy_auth_realm`\n"
    );
    assert_eq!(problems("xif_inbound = a"), "a.conf:1: unknown directive `xif_inbound`; did you mean `if_inbound`?\n");
}

#[test]
fn all_problems_are_told_and_nothing_applied() {
    let report = parse("if_inbund = a\nrtp_port_low\nrtp_proxy_enable = 2\n").expect_err("errors");
    assert_eq!(
        report.to_string(),
        "a.conf:1:1: unknown directive `if_inbund`; did you mean `if_inbound`?\n\
         a.conf:2:1: `rtp_port_low` has no `=`; a line is `name = value`\n\
         a.conf:3:20: rtp_proxy_enable = 2: not from 0 to 1; 1 relays media; 0 leaves session descriptions alone. Default: 1.\n"
    );
}

#[test]
fn an_empty_value_keeps_the_default() {
    assert_eq!(problems("rtp_timeout ="), "a.conf:1: warning: `rtp_timeout` has no value; 300 is used\n");
    assert_eq!(good("rtp_timeout = # later").rtp_timeout, 300);
    assert_eq!(good("").rtp_coalesce, 100);
}

#[test]
fn the_last_of_two_counts() {
    assert_eq!(good("rtp_timeout = 5\nrtp_timeout = 6").rtp_timeout, 6);
    assert!(
        problems("rtp_timeout = 5\nrtp_timeout = 6").contains("a.conf:2: warning: `rtp_timeout` was set in line 1")
    );
    assert!(!problems("load_plugin = plugin_stun\nload_plugin = plugin_regex").contains("was set"));
}

#[test]
fn bytes_of_any_kind_are_survived() {
    for bytes in [&b"\xff\xfe=\x00\n=\n==\n#"[..], b"\xef\xbb\xbfif_inbound = a\nif_outbound = b", b"user = \xff", b""]
    {
        let _ = Config::parse(Path::new("x"), bytes);
    }
    assert!(Config::parse(Path::new("x"), b"\xef\xbb\xbfif_inbound = a\nif_outbound = b").is_ok());
}

#[test]
fn a_missing_file_says_so() {
    let report = Config::load(Path::new("/nonexistent/siproxd.conf")).expect_err("no file");
    assert!(report.to_string().starts_with("/nonexistent/siproxd.conf: cannot be read: No such file"));
}

#[test]
fn a_problem_has_its_line_and_column_and_what_was_meant() {
    let told = |text: &str| match parse(&format!("{text}\n{INTERFACES}")) {
        Ok((_, report)) | Err(report) => report.to_string(),
    };
    for (line, start) in [
        ("  rtp_timout = 3", "a.conf:1:3: unknown directive `rtp_timout`; did you mean `rtp_timeout`?"),
        ("\trtp_timeout =  soon", "a.conf:1:17: rtp_timeout = soon: not a number;"),
        ("wan_allow = 192.0.2.1, 192.0.2.300", "a.conf:1:24: wan_allow = 192.0.2.1, 192.0.2.300: `192.0.2.300` is not"),
        ("hosts_deny_sip = a, 10.0.0.0/40", "a.conf:1:21: hosts_deny_sip = a, 10.0.0.0/40: `10.0.0.0/40`: a length"),
        ("rtp_timeout = 30\n# é\n  é = 1", "a.conf:3:3: unknown directive `é`"),
        ("debug_bind = home", "a.conf:1:14: debug_bind = home: not an IP address; Address that"),
        ("rtp_latching = of", "a.conf:1:16: rtp_latching = of: not one of restricted, off;"),
        ("debug_port = 5060", "a.conf:1:14: `debug_port` and `sip_listen_port` are both 5060"),
    ] {
        let told = told(line);
        assert!(told.starts_with(start), "{told}");
    }
    assert!(told("debug_bind = home").trim_end().ends_with("For example: 192.0.2.1."), "{}", told("debug_bind = home"));
    // A secret is not shown, wherever the slip is.
    let told = told("proxy_auth_passwd topsecret\nproxy_auth_passwrd topsecret");
    assert!(!told.contains("topsecret") && told.lines().count() == 2, "{told}");
}

#[test]
fn a_file_that_is_none_has_an_end() {
    let long = format!("{} = {}\n", "x".repeat(500_000), "y".repeat(400_000));
    let told = problems(&long);
    assert!(told.len() < 1000, "{}", told.len());
    let many = "nonsense\n".repeat(20_000);
    let report = parse(&many).expect_err("errors");
    assert_eq!(report.problems.len(), 101);
    assert!(report.to_string().ends_with("and 19900 more like these\n"), "{}", report.problems.len());
}
