//! Every directive of `siproxd.conf`, in one table: name, type, default, meaning, and what it sets.
//!
//! A directive without a setter is known and checked, but has no effect in this version. To add one: a line here, a
//! field in [`Config`], an entry in `config/siproxd.conf`; a test compares this table with that file.

use super::Config;
use crate::engine::settings::{AccessList, Domains, HostPort, MAX_UA_STRING, Prefixes};
use crate::limits::{MAX_BINDINGS, MAX_CALLS};
use crate::rtp::latch::Latching;
use crate::sip::via::Transport;
use core::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer by the rules of C's `%i`: decimal, `0x` hexadecimal, or octal after a leading 0.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Any text.
    Text,
    /// Text for a header of a message: of at most so many bytes, without control characters.
    Line(usize),
    /// The name of a network interface.
    Interface,
    /// A host name or an address.
    Host,
    /// An IP address.
    Address,
    /// A file; a relative name counts from the directory the daemon is started in.
    Path,
    /// Networks as `address/length`, separated by commas or blanks; each further line adds to them.
    Networks,
    /// Networks as `address/length` and hosts as `name/length`, separated by commas or blanks; each further line adds to them. A length is
    /// one of IPv4 for a name; without it, it is the host alone.
    AccessList,
    /// Domains, separated by commas or blanks; each further line adds to them.
    Domains,
    /// Any text; each further line adds an entry.
    List,
    /// One value of this kind on each line; each further line adds an entry.
    Each(&'static Self),
    /// A differentiated services code point, 0 to 63 (RFC 2474 §3).
    Dscp,
    /// One of these words, in lower case.
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// Whether a directive of this kind may stand on several lines.
    #[must_use]
    pub const fn repeats(self) -> bool {
        matches!(self, Self::Networks | Self::AccessList | Self::Domains | Self::List | Self::Each(_))
    }
}

/// A value of the type that its directive takes, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line of the file")]
pub enum Value<'a> {
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of every kind that is text.
    Text(&'a str),
    /// Of [`Kind::Address`].
    Address(IpAddr),
    /// Of [`Kind::Networks`].
    Networks(Prefixes),
    /// Of [`Kind::AccessList`].
    AccessList(AccessList),
    /// Of [`Kind::Domains`].
    Domains(Domains),
}

impl Value<'_> {
    /// The number; the range in the table makes it fit.
    fn int<T: TryFrom<i64> + Default>(&self) -> T {
        match self {
            Self::Int(n) => T::try_from(*n).unwrap_or_default(),
            _ => T::default(),
        }
    }

    fn is_on(&self) -> bool {
        *self == Self::Int(1)
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            _ => String::new(),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let Self::Text(text) = self else { return None };
        // A daemon changes to the root directory: what is relative now must not move with it.
        Some(std::path::absolute(text).unwrap_or_else(|_| Path::new(text).to_owned()))
    }

    const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }

    fn add_domains(&self, domains: &mut Domains) {
        if let Self::Domains(more) = self {
            // The parser has counted: they fit.
            let _ = domains.extend_from_slice(more);
        }
    }

    fn add_to_list(&self, list: &mut AccessList) {
        if let Self::AccessList(more) = self {
            // The parser has counted: they fit.
            let _ = list.add(more);
        }
    }

    fn add_to(&self, networks: &mut Prefixes) {
        if let Self::Networks(more) = self {
            // The parser has counted: they fit.
            let _ = networks.extend_from_slice(more);
        }
    }
}

/// Puts a value into the configuration.
pub type Set = fn(&mut Config, &Value<'_>);

/// One directive.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, exact in every letter.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value where the file does not set it, as it would be written; empty where there is none.
    pub default: &'static str,
    /// What it means, with units.
    pub doc: &'static str,
    /// What it sets; `None` where it has no effect in this version.
    pub set: Option<Set>,
}

/// The directive of this name, with its place in [`KEYS`].
#[must_use]
pub fn find(name: &str) -> Option<(usize, &'static Key)> {
    KEYS.iter().enumerate().find(|(_, key)| key.name == name)
}

const fn int(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

/// Off or on.
const SWITCH: Kind = int(0, 1);
const PORT: Kind = int(1, 65_535);
/// A port, or 0 for none.
const PORT_OR_OFF: Kind = int(0, 65_535);
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// Microseconds that media may wait for its turn: what a call adds to the way of a voice goes unheard (ITU-T G.114 has 150 ms).
const MAX_COALESCE: i64 = 1000;
/// A bit mask that may be written with a sign: -1 is all bits.
const MASK: Kind = int(i32::MIN as i64, u32::MAX as i64);

macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:expr, $default:literal $(=> $set:expr)?;)+) => {
        /// All directives, in the order of the shipped file.
        pub static KEYS: &[Key] = &[$(Key {
            name: stringify!($name),
            kind: $kind,
            default: $default,
            doc: concat!($($doc),+),
            set: keys!(@set $($set)?),
        }),+];
    };
    (@set $set:expr) => { Some($set) };
    (@set) => { None };
}

keys! {
    /// Interface on the side of the phones.
    if_inbound: Kind::Interface, "" => |c, v| c.if_inbound = v.text();
    /// Interface on the side of the Internet; it may come and go and change its address.
    if_outbound: Kind::Interface, "" => |c, v| c.if_outbound = v.text();
    /// Our public IP address, written into messages in place of that of `if_outbound`; names are not resolved in this version.
    host_outbound: Kind::Address, "" => |c, v| c.host_outbound = v.address();
    /// Port for SIP, on both sides.
    sip_listen_port: PORT, "5060" => |c, v| c.sip_listen_port = v.int();
    /// Networks that count as ours; without it, those reached through `if_inbound`.
    lan_networks: Kind::Networks, "" => |c, v| v.add_to(&mut c.lan_networks);
    /// Addresses on the Internet that may call us besides the providers the phones are registered with.
    wan_allow: Kind::Networks, "" => |c, v| v.add_to(&mut c.wan_allow);

    /// 1 goes into the background; logs then go to syslog.
    daemonize: SWITCH, "0" => |c, v| c.daemonize = v.is_on();
    /// What goes to syslog: 0 all with debugging, 1 information and worse, 2 warnings and worse, 3 errors, 4 nothing.
    silence_log: int(0, 4), "1" => |c, v| c.silence_log = v.int();
    /// Sum of what to debug: 0x1 babble, 0x2 network, 0x4 SIP, 0x8 registrations, 0x10 other, 0x20 proxy, 0x40 DNS,
    /// 0x80 text of all messages, 0x100 configuration, 0x200 RTP, 0x400 access, 0x800 authentication, 0x1000 plugins,
    /// 0x2000 RTP babble; -1 all.
    debug_level: MASK, "0" => |c, v| c.debug_level = v.int::<i64>() as u32;
    /// TCP port where the log can be read with netcat; 0 is off.
    debug_port: PORT_OR_OFF, "0" => |c, v| c.debug_port = v.int();
    /// Address that `debug_port` listens on; without it, our address on `if_inbound`.
    debug_bind: Kind::Address, "" => |c, v| c.debug_bind = v.address();

    /// Account to run as, when started as root.
    user: Kind::Text, "" => |c, v| c.user = Some(v.text());
    /// Directory to be confined to, when started as root.
    chrootjail: Kind::Path, "";
    /// File that holds the process number.
    pid_file: Kind::Path, "" => |c, v| c.pid_file = v.path();
    /// File that keeps registrations and calls over a restart.
    registration_file: Kind::Path, "" => |c, v| c.registration_file = v.path();
    /// Seconds between two savings of registrations; 0 saves at the end only.
    autosave_registrations: int(0, DAY), "300" => |c, v| c.autosave_registrations = v.int();
    /// Socket for status and commands.
    control_socket: Kind::Path, "";

    /// 1 relays media; 0 leaves session descriptions alone.
    rtp_proxy_enable: SWITCH, "1" => |c, v| c.rtp_proxy_enable = v.is_on();
    /// First UDP port for media; an odd one is rounded up.
    rtp_port_low: PORT, "7070" => |c, v| c.rtp_port_low = v.int();
    /// Last UDP port for media; a call takes two.
    rtp_port_high: PORT, "7089" => |c, v| c.rtp_port_high = v.int();
    /// Seconds without media after which a stream is closed.
    rtp_timeout: int(1, DAY), "300" => |c, v| c.rtp_timeout = v.int();
    /// 1 says BYE to both parties of a call that `rtp_timeout` ends.
    rtp_timeout_bye: SWITCH, "0" => |c, v| c.rtp_timeout_bye = v.is_on();
    /// DSCP of relayed media, RTP and RTCP, in both directions; 46 is what RFC 4594 has for voice, 0 is none.
    rtp_dscp: Kind::Dscp, "0" => |c, v| c.rtp_dscp = v.int();
    /// DSCP of SIP messages, over UDP and TCP; 24 (CS3) and 40 (CS5) are usual for signalling (RFC 4594 §2.3), 0 is none.
    sip_dscp: Kind::Dscp, "0" => |c, v| c.sip_dscp = v.int();
    /// Microseconds by which RTP towards the phones is held back to even it out, for phones that cannot themselves; 0 is off. Those
    /// that can need none: it is delay on top.
    rtp_input_dejitter: int(0, 1_500_000), "0" => |c, v| c.rtp_input_dejitter = v.int();
    /// The same for RTP towards the Internet.
    rtp_output_dejitter: int(0, 1_500_000), "0" => |c, v| c.rtp_output_dejitter = v.int();
    /// Microseconds for which packets of many calls are collected, so that one wake-up takes several; few calls wait for nothing. 0 is
    /// off.
    rtp_coalesce: int(0, MAX_COALESCE), "1000" => |c, v| c.rtp_coalesce = v.int();
    /// Whether the far end's port is learned from its packets, `restricted` to the addresses that signalling knows, or `off`: then media
    /// goes where the session description says.
    rtp_latching: Kind::OneOf(&["restricted", "off"]), "restricted" => |c, v| c.set_rtp_latching(&v.text());
    /// 1 hands established streams to the kernel.
    rtp_offload: SWITCH, "0";

    /// Seconds a registration lasts that names no time itself.
    default_expires: int(1, WEEK), "3600" => |c, v| c.default_expires = v.int();
    /// Seconds after which phones shall register again; their provider hears of it only when half of what it granted is over. 0 is
    /// off.
    lan_expires: int(0, DAY), "0" => |c, v| c.lan_expires = v.int();
    /// Seconds between keepalives towards providers; 0 is off.
    sip_keepalive: int(0, 3600), "25" => |c, v| c.sip_keepalive = v.int();
    /// 1 shows the Internet one Via and no private address.
    topology_hiding: SWITCH, "1" => |c, v| c.topology_hiding = v.is_on();
    /// Most calls at a time; without it, as many as the program has room for.
    max_calls: int(0, MAX_CALLS as i64), "" => |c, v| c.max_calls = v.int();
    /// Most registrations at a time; without it, as many as the program has room for.
    max_bindings: int(0, MAX_BINDINGS as i64), "" => |c, v| c.max_bindings = v.int();

    /// Host that all outgoing messages go to.
    outbound_proxy_host: Kind::Host, "" => |c, v| c.set_outbound_proxy_host(&v.text());
    /// Its port; 0: the DNS names the servers (RFC 3263), and their port is 5060 where it names none.
    outbound_proxy_port: PORT_OR_OFF, "0" => |c, v| c.set_outbound_proxy_port(v.int());
    /// How messages go to it, `udp` or `tcp`; without it, as the DNS says, else by UDP.
    outbound_proxy_transport: Kind::OneOf(&["udp", "tcp"]), "" => |c, v| c.set_outbound_proxy_transport(&v.text());
    /// Domain whose phones (the host of their From) send to the host at the same place of `outbound_domain_host`, which goes before
    /// `outbound_proxy_host`.
    outbound_domain_name: Kind::Each(&Kind::Host), "" => |c, v| c.outbound_domain_names.push(v.text());
    /// Host for the domain at the same place of `outbound_domain_name`.
    outbound_domain_host: Kind::Each(&Kind::Host), "" => |c, v| c.outbound_domain_hosts.push(v.text());
    /// Port for the domain at the same place of `outbound_domain_name`; 0, or no such line at all: the DNS names the servers (RFC 3263).
    outbound_domain_port: Kind::Each(&PORT_OR_OFF), "" => |c, v| c.outbound_domain_ports.push(v.int());
    /// Domains, with all below them, that phones may send to besides their providers'; * allows all.
    allow_domains: Kind::Domains, "" => |c, v| v.add_domains(&mut c.allow_domains);

    /// Who on the LAN may register, as `address/length` or `name/length`; without it, everybody there. Networks in it are on the LAN
    /// also where another router is between.
    hosts_allow_reg: Kind::AccessList, "" => |c, v| v.add_to_list(&mut c.hosts_allow_reg);
    /// Who may send SIP: with it, of the phones only these and those of `hosts_allow_reg`; and on the Internet these besides the
    /// servers of our phones.
    hosts_allow_sip: Kind::AccessList, "" => |c, v| v.add_to_list(&mut c.hosts_allow_sip);
    /// Who is not heard, whatever the other lists say. While a name in it cannot be resolved, nobody is.
    hosts_deny_sip: Kind::AccessList, "" => |c, v| v.add_to_list(&mut c.hosts_deny_sip);
    /// Realm in which phones that register at siproxd itself have to prove who they are; without it, nobody is asked.
    proxy_auth_realm: Kind::Text, "" => |c, v| c.proxy_auth_realm = Some(v.text());
    /// One password for all phones.
    proxy_auth_passwd: Kind::Text, "" => |c, v| c.proxy_auth_passwd = Some(v.text());
    /// File with a password for each phone, as `user password` or `user $ha1-sha256$HASH`; goes before `proxy_auth_passwd`.
    proxy_auth_pwfile: Kind::Path, "" => |c, v| c.proxy_auth_pwfile = v.path();
    /// Host part to be replaced in addresses-of-record.
    mask_host: Kind::List, "";
    /// What replaces the host at the same place of `mask_host`.
    masked_host: Kind::List, "";
    /// What the Internet is told in User-Agent, in place of what a phone says there or where it says nothing; Server stays.
    ua_string: Kind::Line(MAX_UA_STRING), "" => |c, v| c.ua_string = v.text();
    /// Asks for rport: 1 towards phones, 2 towards the Internet, 3 both. This program always does.
    use_rport: int(0, 3), "0";
    /// Changes Call-IDs to pass through loops.
    obscure_loops: SWITCH, "0";

    /// Seconds after which an idle TCP connection is closed, unless calls for a registered phone come by it; 0 is off.
    tcp_timeout: int(0, DAY), "300" => |c, v| c.tcp_timeout = v.int();
    /// Milliseconds that opening a TCP connection may take; 0 leaves it to the system.
    tcp_connect_timeout: int(0, 60_000), "500" => |c, v| c.tcp_connect_timeout = v.int();
    /// Seconds between keepalives on TCP connections; 0 is off.
    tcp_keepalive: int(0, DAY), "0" => |c, v| c.tcp_keepalive = v.int();
    /// Stack of the media thread in kB. This program has none.
    thread_stack_size: int(0, 1 << 20), "0";

    /// Directory of plugins. In this program they are built in.
    plugindir: Kind::Text, "";
    /// Plugin to use.
    load_plugin: Kind::List, "";
    /// plugin_demo: text to log.
    plugin_demo_string: Kind::Text, "";
    /// plugin_shortdial: prefix of a short number.
    plugin_shortdial_akey: Kind::Text, "";
    /// plugin_shortdial: number to dial, one for each short number.
    plugin_shortdial_entry: Kind::List, "";
    /// plugin_defaulttarget: where calls go that nobody is registered for.
    plugin_defaulttarget_target: Kind::Text, "";
    /// plugin_defaulttarget: 1 logs them.
    plugin_defaulttarget_log: SWITCH, "0";
    /// plugin_fix_bogus_via: networks whose addresses in Via are wrong.
    plugin_fix_bogus_via_networks: Kind::Text, "";
    /// plugin_fix_DTAG: networks to apply it to.
    plugin_fix_DTAG_networks: Kind::Text, "";
    /// plugin_fix_fbox_anoncall: networks to apply it to.
    plugin_fix_fbox_anoncall_networks: Kind::Text, "";
    /// plugin_stun: server.
    plugin_stun_server: Kind::Host, "";
    /// plugin_stun: its port.
    plugin_stun_port: PORT, "3478";
    /// plugin_stun: seconds between questions.
    plugin_stun_period: int(1, DAY), "300";
    /// plugin_prefix: digits put before each number.
    plugin_prefix_akey: Kind::Text, "";
    /// plugin_regex: name of a rule.
    plugin_regex_desc: Kind::List, "";
    /// plugin_regex: expression looked for in the number called.
    plugin_regex_pattern: Kind::List, "";
    /// plugin_regex: what replaces it.
    plugin_regex_replace: Kind::List, "";
    /// plugin_regex_body: name of a rule.
    plugin_regex_body_desc: Kind::List, "";
    /// plugin_regex_body: expression looked for in bodies.
    plugin_regex_body_pattern: Kind::List, "";
    /// plugin_regex_body: what replaces it.
    plugin_regex_body_replace: Kind::List, "";
    /// plugin_stripheader: header to remove.
    plugin_stripheader_remove: Kind::List, "";
    /// plugin_codecfilter: codec to remove.
    plugin_codecfilter_blacklist: Kind::List, "";
    /// plugin_siptrunk: name of a trunk.
    plugin_siptrunk_name: Kind::List, "";
    /// plugin_siptrunk: account it is registered with.
    plugin_siptrunk_account: Kind::List, "";
    /// plugin_siptrunk: expression for its numbers.
    plugin_siptrunk_numbers_regex: Kind::List, "";
    /// plugin_stats: seconds between two reports to syslog; 0 is off.
    plugin_stats_to_syslog: int(0, DAY), "0";
    /// plugin_stats: seconds between two reports to the file; 0 is off.
    plugin_stats_to_file: int(0, DAY), "0";
    /// plugin_stats: the file.
    plugin_stats_filename: Kind::Path, "";
    /// plugin_blacklist: its database.
    plugin_blacklist_dbpath: Kind::Path, "/var/lib/siproxd/blacklist.sqlite";
    /// plugin_blacklist: how the database is synchronised: OFF, NORMAL or FULL.
    plugin_blacklist_db_sync_mode: Kind::Text, "OFF";
    /// plugin_blacklist: 1 logs only.
    plugin_blacklist_simulate: SWITCH, "0";
    /// plugin_blacklist: seconds a source stays on the list.
    plugin_blacklist_duration: int(0, WEEK), "3600";
    /// plugin_blacklist: failures until a source is put on the list.
    plugin_blacklist_hitcount: int(1, 1_000_000), "10";
    /// plugin_blacklist: seconds in which they are counted.
    plugin_blacklist_register_window: int(1, DAY), "30";
}

impl Config {
    fn outbound_proxy_mut(&mut self) -> &mut HostPort {
        self.outbound_proxy.get_or_insert_with(|| HostPort { host: heapless::String::new(), port: 0 })
    }

    fn set_outbound_proxy_host(&mut self, host: &str) {
        // The parser has measured it: it fits.
        self.outbound_proxy_mut().host = heapless::String::try_from(host).unwrap_or_default();
    }

    fn set_rtp_latching(&mut self, name: &str) {
        self.rtp_latching = if name == "off" { Latching::Off } else { Latching::Restricted };
    }

    fn set_outbound_proxy_transport(&mut self, name: &str) {
        self.outbound_proxy_transport = Some(if name == "tcp" { Transport::Tcp } else { Transport::Udp });
    }

    fn set_outbound_proxy_port(&mut self, port: u16) {
        self.outbound_proxy_mut().port = port;
    }
}
