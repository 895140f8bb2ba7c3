//! `docs/migration.md`: each directive, option, signal and file of siproxd 0.8 has a row that says what has become of it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::config::keys;
use std::path::Path;

/// The directives of siproxd 0.8.
const DIRECTIVES: &str = "if_inbound if_outbound host_outbound sip_listen_port daemonize silence_log debug_level debug_port \
    rtp_proxy_enable rtp_port_low rtp_port_high rtp_timeout rtp_dscp sip_dscp rtp_input_dejitter rtp_output_dejitter user \
    chrootjail thread_stack_size hosts_allow_reg hosts_allow_sip hosts_deny_sip proxy_auth_realm proxy_auth_passwd \
    proxy_auth_pwfile mask_host masked_host outbound_proxy_host outbound_proxy_port outbound_domain_name outbound_domain_host \
    outbound_domain_port registration_file autosave_registrations pid_file default_expires ua_string use_rport obscure_loops \
    plugindir load_plugin tcp_timeout tcp_connect_timeout tcp_keepalive plugin_demo_string plugin_shortdial_akey \
    plugin_shortdial_entry plugin_defaulttarget_target plugin_defaulttarget_log plugin_fix_bogus_via_networks \
    plugin_fix_DTAG_networks plugin_fix_fbox_anoncall_networks plugin_stun_server plugin_stun_port plugin_stun_period \
    plugin_prefix_akey plugin_regex_desc plugin_regex_pattern plugin_regex_replace plugin_regex_body_desc \
    plugin_regex_body_pattern plugin_regex_body_replace plugin_stripheader_remove plugin_codecfilter_blacklist \
    plugin_siptrunk_name plugin_siptrunk_account plugin_siptrunk_numbers_regex plugin_stats_to_syslog plugin_stats_to_file \
    plugin_stats_filename plugin_blacklist_dbpath plugin_blacklist_db_sync_mode plugin_blacklist_simulate \
    plugin_blacklist_duration plugin_blacklist_hitcount plugin_blacklist_register_window";

/// Its options, signals and files, in back quotes in the first cell of their row.
const OTHERS: &str = "-c --config -d --debug -p --pid-file -h --help SIGTERM SIGINT SIGHUP SIGUSR1 SIGUSR2 SIGPIPE ~/.siproxdrc \
    /etc/siproxd.conf /etc/siproxd/siproxd.conf /usr/etc/siproxd.conf /usr/local/etc/siproxd.conf";

/// What a row says has become of it.
const WORDS: [&str; 3] = ["**same**", "**differs**: ", "**not yet**"];

/// The rows: what is in back quotes in the first cell, and the second cell.
fn rows(text: &str) -> Vec<(Vec<&str>, &str)> {
    let cells = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| siproxd 0.8"));
    let row = |line: &'static str| {
        let [_, name, here, _, ""] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not three cells: {line}")
        };
        (name.split('`').skip(1).step_by(2).collect(), here)
    };
    cells.map(|line| row(line.to_owned().leak())).collect()
}

#[test]
fn each_thing_of_the_original_has_its_row() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migration.md")).unwrap();
    let rows = rows(&text);
    for (names, here) in &rows {
        let word = WORDS.iter().find(|word| here.starts_with(**word));
        assert!(word.is_some_and(|word| *word != WORDS[1] || here.len() > word.len()), "{names:?}: {here}");
    }
    let find = |wanted: &str| rows.iter().filter(|(names, _)| names.contains(&wanted)).collect::<Vec<_>>();
    for name in OTHERS.split_whitespace() {
        assert_eq!(find(name).len(), 1, "{name}");
    }
    for name in DIRECTIVES.split_whitespace() {
        let [(_, here)] = find(name)[..] else { panic!("{name} has no row, or more than one") };
        let (_, key) = keys::find(name).unwrap();
        assert_eq!(here.starts_with(WORDS[2]), key.set.is_none(), "{name}: {here}");
    }
}

#[test]
fn the_list_has_every_directive_of_a_plugin() {
    let listed: Vec<&str> = DIRECTIVES.split_whitespace().collect();
    for key in keys::KEYS.iter().filter(|key| key.name.starts_with("plugin_")) {
        assert!(listed.contains(&key.name), "{}", key.name);
    }
}
