//! Registrations, calls, and where messages go.

use super::*;

keys! {
    "Registrations and calls";

    /// Seconds a registration lasts that names no time itself.
    default_expires: int(1, WEEK), "3600"
        luci Phones advanced "How long a registration lasts"
        says "Seconds that a registration lasts where neither phone nor provider names a time."
        => |c, v| c.default_expires = v.int();

    /// Seconds after which phones shall register again; their provider hears of it only when half of what it granted is
    /// over. 0 is off.
    lan_expires: int(0, DAY), "0"
        luci Phones "Time until phones register again"
        says "Seconds after which phones shall register again, 60 for instance, so that they are found soon after the public address has changed; 0 leaves that to the provider."
        more "Phones are then found soon after the WAN address has changed, and calls for a phone that is gone are answered at once. 60 is good."
        => |c, v| c.lan_expires = v.int();

    /// Seconds between keepalives towards providers; 0 is off.
    sip_keepalive: int(0, 3600), "25"
        luci Providers advanced "Time between keepalives to providers"
        says "Seconds between small packets that keep the way from the provider open; 0 is off."
        => |c, v| c.sip_keepalive = v.int();

    /// 1 shows the Internet one Via and no private address.
    topology_hiding: SWITCH, "1" when Restart
        luci Security advanced "Hide the home network"
        says "The Internet sees no address from home."
        => |c, v| c.topology_hiding = v.is_on();

    /// Most calls at a time; without it, as many as the program has room for.
    max_calls: int(0, MAX_CALLS as i64), "" eg "32"
        luci Phones advanced "Most calls at a time"
        says "Most calls at a time; without it 512."
        more "That is 512."
        => |c, v| c.max_calls = v.int();

    /// Most registrations at a time; without it, as many as the program has room for.
    max_bindings: int(0, MAX_BINDINGS as i64), "" eg "64"
        luci Phones advanced "Most registrations at a time"
        says "Most registrations at a time; without it 512."
        more "That is 512."
        => |c, v| c.max_bindings = v.int();

    "Routes";

    /// Host that all outgoing messages go to.
    outbound_proxy_host: Kind::Host, "" eg "sip.example.org"
        luci Providers "Proxy server for all phones"
        says "Server that all phones send to, where the provider wants that. Without it each phone's own provider is found by its name."
        => |c, v| c.set_outbound_proxy_host(&v.text());

    /// Its port; 0: the DNS names the servers (RFC 3263), and their port is 5060 where it names none.
    outbound_proxy_port: PORT_OR_OFF, "0"
        luci Providers "Port of the proxy server"
        says "With 0 the DNS names the servers, and their port is 5060 where it names none."
        => |c, v| c.set_outbound_proxy_port(v.int());

    /// How messages go to it, `udp` or `tcp`; without it, as the DNS says, else by UDP.
    outbound_proxy_transport: Kind::OneOf(&["udp", "tcp"]), "" eg "udp"
        luci Providers advanced "Way to the proxy server"
        says "`udp` or `tcp`; without it as the DNS says, else by UDP."
        => |c, v| c.set_outbound_proxy_transport(&v.text());

    /// Domain whose phones (the host of their From) send to the host at the same place of `outbound_domain_host`, which
    /// goes before `outbound_proxy_host`.
    outbound_domain_name: Kind::Each(&Kind::Host), "" eg "example.org"
        luci Providers "Servers of domains: Domain"
        says "Phones of this domain (the part of their address behind the @) send to the server beside it, in place of the proxy server for all phones."
        => |c, v| c.outbound_domain_names.push(v.text());

    /// Host for the domain at the same place of `outbound_domain_name`.
    outbound_domain_host: Kind::Each(&Kind::Host), "" eg "sip.example.org"
        luci Providers "Servers of domains: Server"
        says "Server for the domain at the same place."
        => |c, v| c.outbound_domain_hosts.push(v.text());

    /// Port for the domain at the same place of `outbound_domain_name`; 0, or no such line at all: the DNS names the
    /// servers (RFC 3263).
    outbound_domain_port: Kind::Each(&PORT_OR_OFF), "" eg "5060"
        luci Providers "Servers of domains: Port"
        says "Port for the domain at the same place; 0: the DNS names the servers."
        => |c, v| c.outbound_domain_ports.push(v.int());

    /// Domains, with all below them, that phones may send to besides their providers'; * allows all.
    allow_domains: Kind::Domains, "" eg "example.net"
        luci Security "Domains that phones may call"
        says "Domains, with all below them, that phones may send to besides their providers'; * allows all."
        => |c, v| v.add_domains(&mut c.allow_domains);
}
