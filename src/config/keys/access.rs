//! Who may do what, and what others see.

use super::*;

keys! {
    "Access, authentication, masks";

    /// Who on the LAN may register, as `address/length` or `name/length`; without it, everybody there. Networks in it are
    /// on the LAN also where another router is between.
    hosts_allow_reg: Kind::AccessList, "" eg "192.168.1.0/24"
        luci Security "Phones that may register" => |c, v| v.add_to_list(&mut c.hosts_allow_reg);

    /// Who may send SIP: with it, of the phones only these and those of `hosts_allow_reg`; and on the Internet these
    /// besides the servers of our phones.
    hosts_allow_sip: Kind::AccessList, "" eg "192.168.1.0/24,203.0.113.0/24"
        luci Security advanced "Who may send SIP" => |c, v| v.add_to_list(&mut c.hosts_allow_sip);

    /// Who is not heard, whatever the other lists say. While a name in it cannot be resolved, nobody is.
    hosts_deny_sip: Kind::AccessList, "" eg "192.0.2.0/24"
        luci Security "Who is not heard" => |c, v| v.add_to_list(&mut c.hosts_deny_sip);

    /// Realm in which phones that register at siproxd itself have to prove who they are; without it, nobody is asked.
    proxy_auth_realm: Kind::Text, "" eg "Home"
        luci Phones "Realm of the passwords"
        says "Phones that register at siproxd itself have to give a password for this realm, a name of your choice; without it, nobody is asked."
        => |c, v| c.proxy_auth_realm = Some(v.text());

    /// One password for all phones.
    proxy_auth_passwd: Kind::Text, "" eg "secret"
        luci Phones "One password for all phones"
        says "Password that phones give when they register at siproxd itself."
        => |c, v| c.proxy_auth_passwd = Some(v.text());

    /// File with a password for each phone, as `user password` or `user $ha1-sha256$HASH`; goes before
    /// `proxy_auth_passwd`.
    proxy_auth_pwfile: Kind::Path, "" eg "/etc/siproxd_passwd"
        luci Phones advanced "File with a password for each phone"
        says "File with a password for each phone, as `user password` or `user $ha1-sha256$HASH` in a line each; goes before the one password for all."
        => |c, v| c.proxy_auth_pwfile = v.path();

    /// Host of addresses-of-record, such as the address of this router, of which the Internet is told the one at the same place of
    /// `masked_host`. Only for phones that register at siproxd itself.
    mask_host: Kind::Each(&Kind::Host), "" eg "192.168.1.1"
        luci Phones advanced "Masked hosts: Host of the phones"
        more "Calls from outside for the same user at that host reach the phone."
        => |c, v| c.mask_hosts.push(v.text());

    /// What the Internet is told in place of the host at the same place of `mask_host`: a name of this router there.
    masked_host: Kind::Each(&Kind::Host), "" eg "example.org"
        luci Phones advanced "Masked hosts: Told to the Internet" => |c, v| c.masked_hosts.push(v.text());

    /// What the Internet is told in User-Agent, in place of what a phone says there or where it says nothing; Server
    /// stays.
    ua_string: Kind::Line(MAX_UA_STRING), "" eg "Telephone"
        luci Security advanced "Phone model told to the Internet"
        says "What the Internet is told in place of the make and model of a phone."
        => |c, v| c.ua_string = v.text();

    /// Asks that answers come to the port that a request left from (rport, RFC 3581): 1 of phones, 2 of the Internet, 3 of both.
    /// Without it a NAT router before this host may not let answers in.
    use_rport: int(0, 3), "3"
        luci Network advanced "Answers to the port that asked (rport)"
        says "Whose answers come to the port that a request left from (rport, RFC 3581). Without it a router before this one may not let answers in."
        => |c, v| c.use_rport = v.int();

    /// 1 makes two calls for a PBX of one that it sends out and that comes back to it: the second gets another Call-ID. Acts with
    /// `topology_hiding` alone.
    obscure_loops: SWITCH, "0"
        luci Network advanced "Two calls of one that comes back"
        says "For a PBX: a call that it sends out and that comes back to it is made two, so that it does not confuse them. Acts only while the home network is hidden."
        => |c, v| c.obscure_loops = v.is_on();
}
