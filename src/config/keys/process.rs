//! Logs, the process, and its files.

use super::*;

keys! {
    "Logs";

    /// 1 goes into the background; logs then go to syslog.
    daemonize: SWITCH, "0" when Restart
        luci Log ignored "Run in the background"
        says "The program goes into the background, and its log to the system log."
        => |c, v| c.daemonize = v.is_on();

    /// What goes to syslog: 0 all with debugging, 1 information and worse, 2 warnings and worse, 3 errors, 4 nothing.
    silence_log: int(0, 4), "1"
        luci Log "What goes to the system log"
        says "How much of what happens goes to the system log."
        => |c, v| c.silence_log = v.int();

    /// Sum of what to debug: 0x1 babble, 0x2 network, 0x4 SIP, 0x8 registrations, 0x10 other, 0x20 proxy, 0x40 DNS, 0x80
    /// text of all messages, 0x100 configuration, 0x200 RTP, 0x400 access, 0x800 authentication, 0x1000 plugins, 0x2000
    /// RTP babble; -1 all.
    debug_level: MASK, "0"
        luci Log advanced "Debug classes"
        says "What the log is to tell in detail. The Log page switches this on for a while only."
        => |c, v| c.debug_level = v.int::<i64>() as u32;

    /// TCP port where the log can be read with netcat; 0 is off.
    debug_port: PORT_OR_OFF, "0"
        luci Log "Port for the debug log"
        says "TCP port where a computer at home can read the log with netcat, 5050 for instance; 0 or nothing is off. Whoever reaches the port reads all messages."
        more "Example: 5050, and then \"netcat ADDRESS 5050 > debug.log\". Whoever reaches the port reads all messages."
        => |c, v| c.debug_port = v.int();

    /// Address that `debug_port` listens on; without it, our address on `if_inbound`.
    debug_bind: Kind::Address, "" eg "192.168.1.1"
        luci Log advanced "Address for the debug log"
        says "Address that the port for the debug log is open on; without it, this router's on the phones' side."
        => |c, v| c.debug_bind = v.address();

    "Process and files";

    /// Account to run as, when started as root.
    user: Kind::Text, "" when Restart shipped "nobody"
        luci Security advanced "Account to run as"
        says "Account that siproxd runs as once its ports are open."
        more "It has the groups of that account; root is given up for good once the ports are bound, but for what has to be done again when an \
              address changes: to bind to ports below 1024, if there are such, and to delete entries of connection tracking, where there is \
              one (CAP_NET_BIND_SERVICE, CAP_NET_ADMIN)."
        => |c, v| c.user = Some(v.text());

    /// Directory to be confined to, when started as root.
    chrootjail: Kind::Path, "" when Restart eg "/var/lib/siproxd"
        luci Security ignored "Directory to be confined to"
        says "Directory that siproxd is confined to."
        more "`registration_file` then counts from there. What will be looked for in it and is not there is told at start and by --check, with the remedy."
        => |c, v| c.chrootjail = v.path();

    /// File that holds the process number.
    pid_file: Kind::Path, "" when Restart eg "/var/run/siproxd.pid"
        luci Log advanced "File with the process number"
        says "File that holds the process number; without it, none."
        more "It is removed at the end; where `user` may not do that, for the directory is root's or out of a jail, it is emptied."
        => |c, v| c.pid_file = v.path();

    /// File that keeps registrations and calls over a restart.
    registration_file: Kind::Path, "" when Restart shipped "/var/lib/siproxd/registrations"
        luci Phones "File that keeps registrations"
        says "File that keeps registrations and calls over a restart. Without it the file is in memory, and a reboot of the router loses it: phones can then not be called until they have registered anew."
        more "Who talks hears the other again once siproxd is back, if that is within two minutes. A secret key is kept beside it, in a file of the same name with .key behind."
        => |c, v| c.registration_file = v.path();

    /// Seconds between two savings of registrations; 0 saves at the end only.
    autosave_registrations: int(0, DAY), "300"
        luci Phones advanced "Time between savings"
        says "Seconds between two savings of registrations; 0 saves at the end only. Phones that are new, gone or elsewhere are saved a second later, unless it is 0."
        more "Phones that are new, gone or elsewhere are saved a second later, unless it is 0; how often is limited, for the sake of flash memory. A kill loses nothing of that; a loss of power may \
              lose what came since the last six seconds without media, or in ten minutes with it."
        => |c, v| c.autosave_registrations = v.int();

    /// Unix socket for `siproxd status` and the other commands; without it, /var/run/siproxd/siproxd.sock, or NAME.sock there for
    /// `siproxd --instance NAME`.
    control_socket: Kind::Path, "" when Restart eg "/var/run/siproxd/siproxd.sock"
        luci Security advanced "Socket for commands"
        says "Socket that these pages and the commands on the router ask siproxd by; `off` is none, and then these pages show nothing."
        more "`off` is none. It is for root, the account that siproxd runs as, and the members of its group."
        => Config::set_control_socket;

    /// Stack of the media thread in kB; this program has no such thread, so that it means nothing.
    thread_stack_size: int(0, 1 << 20), "0"
        luci Audio ignored "Stack of the media thread"
        says "This program has no such thread."
        => |c, v| c.thread_stack_size = v.int();
}
