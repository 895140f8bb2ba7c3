"""The provider: kamailio as registrar and proxy with digest authentication."""

from __future__ import annotations

import re

from lab.netns import PROVIDER, SIP_PORT, Network
from lab.process import Process, run
from lab.wait import until

DOMAIN = "provider.example"
TRUNK = "trunk"


def password(user: str) -> str:
    """Every user of the provider has this password."""
    return f"secret-{user}"


CONFIG = """\
debug=1
log_stderror=yes
children=2
auto_aliases=no
listen=udp:{address}:{port}
listen=tcp:{address}:{port}
alias="{domain}"
server_header="Server: lab"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:{directory}/ctl")
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "timer_interval", 1)
modparam("registrar", "min_expires", 1)
modparam("registrar", "max_expires", {max_expires})
{presence_modules}
request_route {{
    force_rport();
    # The router lets no connection in: what is for its phones takes the one that it has opened.
    if (proto == TCP) force_tcp_alias();
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    {presence_route}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not Here");
        exit;
    }}
    t_check_trans();
    # The trunk needs no password: Debian's sipp cannot answer a challenge.
    $var(secret) = "secret-" + $fU;
    if (is_method("REGISTER")) {{
        if ($tU == "{trunk}") {{ save("location"); exit; }}
        if (!pv_www_authenticate("{domain}", "$var(secret)", "0")) {{ www_challenge("{domain}", "1"); exit; }}
        if ($au != $tU) {{ sl_send_reply("403", "Not Your Account"); exit; }}
        save("location");
        exit;
    }}
    if (is_method("OPTIONS") && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
    if (from_uri == myself && $fU != "{trunk}") {{
        if (!pv_proxy_authenticate("{domain}", "$var(secret)", "0")) {{ proxy_challenge("{domain}", "1"); exit; }}
        consume_credentials();
    }}
    remove_hf("Route");
    record_route();
    if (uri == myself) {{
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    }} else if (from_uri != myself) {{
        sl_send_reply("403", "No Relaying");
        exit;
    }}
    {presence_calls}
    t_relay();
}}
"""

# What makes it a presence server that tells of the calls through it (RFC 4235).
PRESENCE_MODULES = """
loadmodule "db_text.so"
loadmodule "dialog.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"
loadmodule "presence_dialoginfo.so"
loadmodule "pua.so"
loadmodule "pua_dialoginfo.so"
modparam("presence|presence_xml|pua", "db_url", "text:///usr/share/kamailio/dbtext/kamailio")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "server_address", "sip:{address}:{port}")
modparam("presence", "send_fast_notify", 1)
modparam("presence_xml", "force_active", 1)
modparam("pua", "db_mode", 0)
modparam("pua", "outbound_proxy", "sip:{address}:{port}")
modparam("pua_dialoginfo", "include_callid", 1)
modparam("pua_dialoginfo", "include_localremote", 1)
modparam("pua_dialoginfo", "include_tags", 1)
"""
PRESENCE_ROUTE = """
    if (is_method("PUBLISH|SUBSCRIBE") && ($hdr(Event) == "dialog")) {
        t_newtran();
        if (is_method("PUBLISH")) handle_publish(); else handle_subscribe();
        exit;
    }
"""


class Kamailio:
    """A running provider."""

    def __init__(self, network: Network, max_expires: int = 3600, presence: bool = False,
                 address: str = PROVIDER) -> None:
        """Starts it on an address, one of IPv6 in brackets; with `presence` it takes subscriptions to its users' calls."""
        self._namespace = network.ns("provider")
        self.dir = network.dir / "kamailio"
        self.dir.mkdir()
        config = self.dir / "kamailio.cfg"
        config.write_text(CONFIG.format(address=address, port=SIP_PORT, domain=DOMAIN, trunk=TRUNK, directory=self.dir,
                                        max_expires=max_expires,
                                        presence_modules=PRESENCE_MODULES.format(address=address, port=SIP_PORT)
                                        if presence else "",
                                        presence_route=PRESENCE_ROUTE if presence else "",
                                        presence_calls='if (is_method("INVITE")) dlg_manage();' if presence else ""))
        self.log = self.dir / "kamailio.log"
        self.process = Process(self._namespace, [
            "kamailio", "-DD", "-E", "-f", str(config), "-Y", str(self.dir), "-P", str(self.dir / "pid"),
            "-m", "64", "-M", "8"], self.log)
        self._wait_ready()

    def contacts(self, user: str) -> list[str]:
        """The Contact URIs that the provider has for a user."""
        dump = self._control("ul.dump")
        found: list[str] = []
        owner = ""
        for line in dump.splitlines():
            aor = re.match(r"\s*AoR: (\S+)", line)
            contact = re.match(r"\s*Address: (\S+)", line)
            if aor:
                owner = aor.group(1)
            elif contact and owner == user:
                found.append(contact.group(1))
        return found

    def add(self, user: str, contact: str, expires: int = 3600) -> None:
        """Registers a user by hand: for callees that do not register themselves."""
        run(self._namespace, ["kamcmd", "-s", f"unix:{self.dir}/ctl", "ul.add", "location", user, contact,
                              str(expires), "1.0", "s:", "0", "0", "7967"])

    def forget(self, user: str) -> None:
        """Removes all contacts of a user."""
        run(self._namespace, ["kamcmd", "-s", f"unix:{self.dir}/ctl", "ul.rm", "location", user], check=False)

    def stop(self) -> None:
        """Ends it."""
        self.process.stop()

    def _control(self, command: str) -> str:
        return run(self._namespace, ["kamcmd", "-s", f"unix:{self.dir}/ctl", command], check=False).stdout

    def _wait_ready(self) -> None:
        until(lambda: "kamailio" in self._control("core.version").lower() or not self.process.running(), 10,
              "kamailio's control socket", [self.log])
        if not self.process.running():
            raise AssertionError(self.log.read_text()[-3000:])


def aor(user: str) -> str:
    """The address-of-record of a user at the provider."""
    return f"sip:{user}@{DOMAIN}"

