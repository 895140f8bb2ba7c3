//! Interfaces, addresses, networks.

use super::*;

keys! {
    "Networks";

    /// Interface on the side of the phones; without it, one that has a private network and is not the WAN's.
    if_inbound: Kind::Interface, "" when Restart shipped "br-lan"
        luci Network advanced "Device on the phones' side"
        more "OpenWrt: br-lan; elsewhere often eth0. Of several without it, br-lan goes first, then a bridge. Where there is none it is the WAN's, if that has a private network."
        => |c, v| c.if_inbound = v.text();

    /// Interface on the side of the Internet, which may come and go and change its address; without it, the one that the
    /// default route leads to.
    if_outbound: Kind::Interface, "" when Restart shipped "wan"
        luci Network advanced "Device on the Internet side"
        more "OpenWrt: wan, or pppoe-wan; elsewhere often eth1 or ppp0. On either side SIP goes by IPv4, or by IPv6 where there is no IPv4; media goes by the one that the far end names."
        => |c, v| c.if_outbound = v.text();

    /// Our public address, or a name that the DNS has for it, written into messages in place of that of `if_outbound`, and for media
    /// in place of the one of its family.
    host_outbound: Kind::Host, "" eg "198.51.100.7"
        luci Network "Public address or name"
        says "The address that the Internet knows this router by, or a name that the DNS has for it, where it is not the one of its device: behind another router, for instance. A name is looked up while siproxd runs."
        more "A name is looked up while it runs, and again when its TTL is over; the last address stays while the DNS is silent."
        => |c, v| c.set_host_outbound(&v.text());

    /// Port for SIP, on both sides.
    sip_listen_port: PORT, "5060" when Restart
        luci Network "SIP port" => |c, v| c.sip_listen_port = v.int();

    /// 1 serves phones that know nothing of us: SIP that the router hands to our LAN address by TPROXY goes on to the server that it was sent to.
    transparent: SWITCH, "0" when Restart
        luci Network advanced "Serve phones that are not set up for it"
        says "Phones that know nothing of siproxd are served: SIP that the router hands to its LAN address by TPROXY goes on to the server it was sent to. Needs rules in the router: see config/examples/transparent.conf."
        more "Needs CAP_NET_ADMIN at start, and rules in the router: see config/examples/transparent.conf."
        => |c, v| c.transparent = v.is_on();

    /// Networks that count as ours; without it, those reached through `if_inbound`.
    lan_networks: Kind::Networks, "" eg "192.168.1.0/24, 192.168.2.0/24"
        luci Network advanced "Networks at home"
        says "Networks that count as home; without it, those on the phones' side."
        => |c, v| v.add_to(&mut c.lan_networks);

    /// Addresses on the Internet that may call us besides the providers the phones are registered with.
    wan_allow: Kind::Networks, "" eg "203.0.113.0/24"
        luci Security "Who may call besides the providers"
        says "Addresses on the Internet that may call besides the providers that phones are registered with. Others get no answer."
        more "Others get no answer."
        => |c, v| v.add_to(&mut c.wan_allow);
}
