//! The plugins of the original, and their directives.

use super::*;

/// What hooks act on they read from the lines that set it (`config/hooks.rs`).
const HOOK: Set = |_, _| ();

keys! {
    "Plugins";

    /// Directory of the plugins; they are built into this program, so that it means nothing.
    plugindir: Kind::Text, "" eg "/usr/lib/siproxd/"
        luci Numbers ignored "Directory of the plugins"
        says "The plugins are built into the program."
        => |_, _| ();

    /// Plugin to use, by the name of its file.
    load_plugin: Kind::Plugin, "" eg "plugin_logcall.la"
        luci Numbers "Plugins in use"
        says "Plugins that are used, in this order."
        more "A directory before it, and .la or .so behind it, may be there or not."
        => |c, v| if let Some(plugin) = v.plugin().filter(|plugin| !c.plugins.contains(plugin)) { c.plugins.push(plugin); };

    /// 1 answers calls whose number plugin_shortdial, plugin_prefix or plugin_regex changes with a 302 that names the new one; 0 changes it as
    /// the call passes.
    redirect_numbers: SWITCH, "0"
        luci Numbers advanced "Have the phone dial changed numbers"
        says "A phone that calls a number which is to be changed is told the new one (302), and has to call that itself. Otherwise the number is changed as the call passes."
        more "siproxd 0.8 does the former, for which the phone must follow redirections."
        => |c, v| c.redirect_numbers = v.is_on();

    /// plugin_demo: text to log.
    plugin_demo_string: Kind::Text, "" eg "Hello"
        luci Log advanced "Text of the demo"
        says "Text for the log."
        => HOOK;

    /// plugin_shortdial: prefix of a short number.
    plugin_shortdial_akey: Kind::Text, "" eg "*00"
        luci Numbers "What short numbers look like"
        says "The first character of short numbers, and a 0 for each of their digits: with *00 they are *01 to *99."
        => HOOK;

    /// plugin_shortdial: number to dial, one for each short number.
    plugin_shortdial_entry: Kind::List, "" eg "17474743246"
        luci Numbers "What they stand for: Number that is called"
        says "Numbers to dial, one for each short number; number@host calls elsewhere."
        more "number@host calls elsewhere; a call that goes by an outbound proxy still does."
        => HOOK;

    /// plugin_defaulttarget: where calls go that nobody is registered for.
    plugin_defaulttarget_target: Kind::Text, "" eg "sip:operator@example.org"
        luci Numbers "Who gets calls for nobody"
        says "Address that gets the calls for those who are not registered."
        => HOOK;

    /// plugin_defaulttarget: 1 logs them.
    plugin_defaulttarget_log: SWITCH, "0"
        luci Numbers "Log calls for nobody"
        says "Each such call is told in the log."
        => HOOK;

    /// plugin_fix_bogus_via: networks whose addresses in Via are wrong.
    plugin_fix_bogus_via_networks: Kind::Networks, "" eg "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
        luci Providers advanced "Networks with wrong addresses in Via"
        says "Addresses out of these networks are wrong where a server names one in Via."
        => HOOK;

    /// plugin_fix_DTAG: networks to apply it to.
    plugin_fix_DTAG_networks: Kind::Networks, "" eg "217.0.0.0/13"
        luci Providers advanced "Networks of Deutsche Telekom"
        says "Where the servers of the provider are."
        => HOOK;

    /// plugin_fix_fbox_anoncall: networks to apply it to.
    plugin_fix_fbox_anoncall_networks: Kind::Networks, "" eg "192.168.0.0/16"
        luci Phones advanced "Networks of FRITZ!Boxes"
        says "Where the FRITZ!Boxes are."
        => HOOK;

    /// plugin_stun: server; on each further line one that is asked when those before do not answer.
    plugin_stun_server: Kind::Each(&Kind::Host), "" eg "stun.example.org"
        luci Network advanced "STUN servers"
        says "Servers that tell the public address; each is asked when those before it do not answer."
        => HOOK;

    /// plugin_stun: its port.
    plugin_stun_port: PORT, "3478"
        luci Network advanced "Port of the STUN servers"
        says "Port of these servers."
        => HOOK;

    /// plugin_stun: seconds between questions.
    plugin_stun_period: int(1, DAY), "300"
        luci Network advanced "Time between STUN questions"
        says "Seconds between two questions."
        => HOOK;

    /// plugin_prefix: digits put before each number.
    plugin_prefix_akey: Kind::Text, "" eg "0"
        luci Numbers "Digits before each number"
        says "Digits that are put before each number called."
        => HOOK;

    /// plugin_regex: name of a rule.
    plugin_regex_desc: Kind::List, "" eg "to the home country"
        luci Numbers advanced "Rules for numbers: Name"
        says "Name of the rule, for the log."
        => HOOK;

    /// plugin_regex: expression looked for in the number called.
    plugin_regex_pattern: Kind::List, "" eg "^(sips?:)00"
        luci Numbers advanced "Rules for numbers: Looked for"
        says "Expression looked for in the number called; [[.number-sign.]] stands for a #."
        more "As a # begins a comment, [[.number-sign.]] is the character."
        => HOOK;

    /// plugin_regex: what replaces it.
    plugin_regex_replace: Kind::List, "" eg "\\1+"
        luci Numbers advanced "Rules for numbers: Replaced by"
        says "What replaces it."
        => HOOK;

    /// plugin_regex_body: name of a rule.
    plugin_regex_body_desc: Kind::List, "" eg "a private address"
        luci Numbers advanced "Rules for bodies: Name"
        says "Name of the rule, for the log."
        => HOOK;

    /// plugin_regex_body: expression looked for in bodies.
    plugin_regex_body_pattern: Kind::List, "" eg "192\\.168\\.1\\.[0-9]+"
        luci Numbers advanced "Rules for bodies: Looked for"
        says "Expression looked for in what messages carry."
        => HOOK;

    /// plugin_regex_body: what replaces it.
    plugin_regex_body_replace: Kind::List, "" eg "198.51.100.7"
        luci Numbers advanced "Rules for bodies: Replaced by"
        says "What replaces it."
        => HOOK;

    /// plugin_stripheader: header to remove, or `Name:value` for one of its values.
    plugin_stripheader_remove: Kind::List, "" eg "Server"
        luci Security advanced "Headers to remove"
        says "Headers to remove, or `Name:value` for one of the values of a header."
        => HOOK;

    /// plugin_codecfilter: codec to remove.
    plugin_codecfilter_blacklist: Kind::List, "" eg "G729"
        luci Numbers "Codecs to remove"
        says "Codecs that are not offered, by name: G729, for instance."
        => HOOK;

    /// plugin_siptrunk: name of a trunk.
    plugin_siptrunk_name: Kind::List, "" eg "office"
        luci Providers advanced "Blocks of numbers: Name"
        says "Name of the block of numbers."
        => HOOK;

    /// plugin_siptrunk: account it is registered with.
    plugin_siptrunk_account: Kind::List, "" eg "123456@example.org"
        luci Providers advanced "Blocks of numbers: Account"
        says "Account that the block is registered with."
        => HOOK;

    /// plugin_siptrunk: expression for its numbers.
    plugin_siptrunk_numbers_regex: Kind::List, "" eg "^0123456[0-9]+"
        luci Providers advanced "Blocks of numbers: Its numbers (expression)"
        says "Expression for the numbers of the block."
        => HOOK;

    /// plugin_stats: seconds between two lines in the log; 0 is off, -1 is with SIGUSR1 alone.
    plugin_stats_to_syslog: int(-1, DAY), "0"
        luci Log advanced "Time between figures in the log"
        says "Seconds between two lines in the log; 0 is off, -1 is with SIGUSR1 alone."
        => |c, v| c.plugin_stats_to_syslog = v.int();

    /// plugin_stats: seconds between two writings of the file; 0 is off, -1 is with SIGUSR1 alone.
    plugin_stats_to_file: int(-1, DAY), "0"
        luci Log advanced "Time between figures in the file"
        says "Seconds between two writings of the file; 0 is off, -1 is with SIGUSR1 alone."
        => |c, v| c.plugin_stats_to_file = v.int();

    /// plugin_stats: the file.
    plugin_stats_filename: Kind::Path, "" when Restart eg "/var/lib/siproxd/statistics"
        luci Log advanced "File of figures"
        says "File that is written."
        => |c, v| c.plugin_stats_filename = v.path();

    /// plugin_blacklist: the file that keeps it over a restart.
    plugin_blacklist_dbpath: Kind::Path, "/var/lib/siproxd/blacklist.sqlite" when Restart
        luci Security advanced "Blacklist: file"
        says "File that keeps the blacklist over a restart."
        more "A text, a line for each phone, in spite of the name: a database of siproxd 0.8 in its place is left alone, and then nothing is kept."
        => |c, v| c.plugin_blacklist_dbpath = v.path();

    /// plugin_blacklist: how a database is synchronised: OFF, NORMAL or FULL; there is none, so that it means nothing.
    plugin_blacklist_db_sync_mode: Kind::Text, "OFF"
        luci Security ignored "Blacklist: synchronisation"
        says "There is no database."
        => |_, _| ();

    /// plugin_blacklist: 1 logs who would be refused, and refuses nobody.
    plugin_blacklist_simulate: SWITCH, "0"
        luci Security advanced "Blacklist: only log"
        says "The log tells who would be refused, and nobody is."
        => HOOK;

    /// plugin_blacklist: seconds since its last failure that a phone stays on the list; 0 is for good.
    plugin_blacklist_duration: int(0, WEEK), "3600"
        luci Security "Blacklist: time on it"
        says "Seconds that a phone stays on the blacklist after its last failure; 0 is for good."
        => HOOK;

    /// plugin_blacklist: failures to register that a phone may have; one more puts it on the list.
    plugin_blacklist_hitcount: int(1, 1_000_000), "10"
        luci Security "Blacklist: failures allowed"
        says "Failures to register that a phone may have; one more puts it on the blacklist."
        => HOOK;

    /// plugin_blacklist: seconds in which the registrar must refuse a REGISTER for it to be a failure.
    plugin_blacklist_register_window: int(1, DAY), "30"
        luci Security advanced "Blacklist: time for an answer"
        says "A failure counts when the provider refuses within so many seconds."
        => HOOK;
}
