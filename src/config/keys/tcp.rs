//! SIP over TCP.

use super::*;

keys! {
    "TCP";

    /// Seconds after which an idle TCP connection is closed, unless calls for a registered phone come by it; 0 is off.
    tcp_timeout: int(0, DAY), "300"
        luci Network advanced "Time until an idle TCP connection is closed" => |c, v| c.tcp_timeout = v.int();

    /// Milliseconds that opening a TCP connection may take; 0 leaves it to the system.
    tcp_connect_timeout: int(0, 60_000), "500"
        luci Network advanced "Time to open a TCP connection" => |c, v| c.tcp_connect_timeout = v.int();

    /// Seconds between keepalives on TCP connections; 0 is off.
    tcp_keepalive: int(0, DAY), "0"
        luci Network advanced "Time between keepalives on TCP connections" => |c, v| c.tcp_keepalive = v.int();
}
