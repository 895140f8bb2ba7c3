"""A home and an Internet of which one has IPv4 and the other IPv6 in its place, or besides.

    phone1 fd00:5::11 ── br-lan fd00:5::1     or   phone1 10.0.0.11 ── br-lan 10.0.0.1 [router]
    [router] 198.51.100.1 ── the lab's Internet    [router] 2001:db8:b::1 ── provider 2001:db8:c::10, remote 2001:db8:c::20
"""

from __future__ import annotations

from types import TracebackType

from lab.baresip import Account, Phone
from lab.dns import DnsServer
from lab.kamailio import DOMAIN, Kamailio
from lab.netns import LAN_INTERFACE, PHONES, PROVIDER, REMOTES, ROUTER_LAN, ROUTER_WAN, SIP_PORT, Network
from lab.process import run
from lab.siproxd import Siproxd
from lab.world import TONES, USERS

# A unique local network (RFC 4193): what must not be seen outside.
LAN = {"router": "fd00:5::1", "phone1": "fd00:5::11", "phone3": "fd00:5::13"}
WAN = {"router": "2001:db8:b::1", "provider": "2001:db8:c::10", "remote": "2001:db8:c::20",
       "remote2": "2001:db8:c::21"}
WAN_GATEWAY = "2001:db8:b::fe"
REMOTE_GATEWAY = "2001:db8:c::fe"


class SixNetwork(Network):
    """The lab's network, with IPv6 on one side of the router in place of IPv4, or on both besides."""

    def __init__(self, instead: str | None = None) -> None:
        """`instead` is `lan` or `wan`: which side has no IPv4."""
        super().__init__()
        self._instead = instead

    def _build(self) -> None:
        super()._build()
        if self._instead != "wan":
            self._give("router", LAN_INTERFACE, LAN["router"], instead=self._instead == "lan")
            for host in ("phone1", "phone3"):
                self._give(host, "eth0", LAN[host], instead=self._instead == "lan", gateway=LAN["router"])
        if self._instead == "lan":
            return
        self._give("router", "wan", WAN["router"], instead=self._instead == "wan", gateway=WAN_GATEWAY)
        self._give("internet", "home", WAN_GATEWAY)
        self._give("internet", "net", REMOTE_GATEWAY)
        self.sysctl("internet", "net.ipv6.conf.all.forwarding", 1)
        for host in ("provider", "remote", "remote2"):
            self._give(host, "eth0", WAN[host], gateway=REMOTE_GATEWAY)

    def _give(self, host: str, device: str, address: str, *, instead: bool = False, gateway: str | None = None) -> None:
        """Gives an interface an address of IPv6 that is good at once, beside that of IPv4 or in its place."""
        for scope in ("all", "default", device):
            self.sysctl(host, f"net.ipv6.conf.{scope}.disable_ipv6", 0)
            self.sysctl(host, f"net.ipv6.conf.{scope}.accept_ra", 0)
        if instead:
            self.ip(host, "-4", "addr", "flush", "dev", device)
        self.ip(host, "-6", "addr", "add", f"{address}/64", "dev", device, "nodad")
        if gateway:
            run(self.ns(host), ["ip", "-6", "route", "add", "default", "via", gateway])


class SixWorld:
    """A context manager: phone1 and remote, registered, with one side of the router on IPv6."""

    def __init__(self, side: str) -> None:
        """`side` is `lan` or `wan`: which one has IPv6."""
        self.network = SixNetwork(side)
        six = LAN if side == "lan" else WAN
        both = {"router": ROUTER_WAN if side == "wan" else ROUTER_LAN, **PHONES, **REMOTES}
        # The addresses that count, of each host; the router's own on either side.
        self.phone = {**both, **six}["phone1"]
        self.remote = {**both, **six}["remote"]
        self.provider_address = six.get("provider", PROVIDER)
        self.lan = LAN["router"] if side == "lan" else ROUTER_LAN
        self.wan = WAN["router"] if side == "wan" else ROUTER_WAN
        self.phones: dict[str, Phone] = {}

    def __enter__(self) -> SixWorld:
        self.network.__enter__()
        try:
            self.dns = DnsServer(self.network.ns("provider"), PROVIDER, {DOMAIN: PROVIDER})
            self.provider = Kamailio(self.network, address=_host(self.provider_address))
            self.siproxd = Siproxd(self.network, outbound_proxy_host=self.provider_address, outbound_proxy_port=SIP_PORT)
            for host, address, outbound in (("phone1", self.phone, self.lan), ("remote", self.remote, self.provider_address)):
                accounts = [Account(USERS[host], outbound=f"{_host(outbound)}:{SIP_PORT}")]
                self.phones[host] = Phone(self.network, host, _host(address), accounts, TONES[host])
            for phone in self.phones.values():
                phone.registered()
        except BaseException:
            self.network.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            self.siproxd.assert_no_panic()
        finally:
            self.dns.stop()
            self.network.close()


def _host(address: str) -> str:
    """An address as the host of a URI."""
    return f"[{address}]" if ":" in address else address
