"""Phones that know nothing of siproxd: the router hands it what they send to others (`transparent`, TPROXY), over UDP and TCP, IPv4 and
IPv6, and they hear it from the server that they sent to."""

from __future__ import annotations

import pytest
from lab.baresip import Account, Phone
from lab.callcheck import Observation, assert_hears, observed, talk
from lab.dns import DnsServer
from lab.ipv6 import LAN, WAN, SixNetwork
from lab.kamailio import DOMAIN, Kamailio, aor
from lab.netns import LAN_INTERFACE, PROVIDER, ROUTER_LAN, SIP_PORT, Network
from lab.pcap import TCP, UDP
from lab.siproxd import ROOT, Siproxd
from lab.world import OUTBOUND, TALK, TONES, USERS, World

NEW_LAN = "10.0.0.9"

EXAMPLES = ROOT / "config/examples"


def _hand_over(network: Network, family: str, to: str) -> None:
    """The router hands us what the home sends to others, as the example says; `family` is `ip` or `ip6`."""
    network.nft("router", f"""
        table inet taken {{
            chain sip {{
                type filter hook prerouting priority mangle;
                iifname "{LAN_INTERFACE}" meta l4proto {{ tcp, udp }} th dport {SIP_PORT} fib daddr type != local \
                    tproxy {family} to {to} meta mark set 0x51 accept
            }}
        }}
    """)
    # Else a bridge asks the rules before it hands a packet up, and what they say of its socket is lost.
    for kind in ("iptables", "ip6tables"):
        network.sysctl("router", f"net.bridge.bridge-nf-call-{kind}", 0)
    version = "-4" if family == "ip" else "-6"
    network.ip("router", version, "rule", "add", "fwmark", "0x51", "lookup", "51")
    network.ip("router", version, "route", "add", "local", "default", "dev", "lo", "table", "51")


def _assert_from(seen: Observation, phone: str, server: str, transport: int) -> None:
    """What opens a call comes to the phone from its server; later it may connect to us itself, as our Record-Route says."""
    messages = [sip for sip in seen.lan_sip() if sip.packet.dst == phone]
    sources = {sip.packet.src for sip in messages if sip.method == "INVITE" or transport == UDP}
    assert sources == {server}, sources
    assert {sip.packet.protocol for sip in messages} == {transport}


@pytest.mark.parametrize("outbound", [None, PROVIDER, f"{PROVIDER};transport=tcp"], ids=["plain", "with-a-proxy-of-the-provider", "tcp"])
def test_heard_from_the_provider(outbound: str | None) -> None:
    """A phone without siproxd as its outbound proxy; all that it hears comes from the server that it sends to."""
    with World("remote", proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "transparent.conf")
        _hand_over(world.network, "ip", OUTBOUND)
        phone = world.phone("phone1", [Account(USERS["phone1"], outbound=outbound)])
        phone.registered()
        for caller, callee in ((phone, world["remote"]), (world["remote"], phone)):
            seen = world.call(caller, callee)
            _assert_from(seen, phone.address, PROVIDER, TCP if "tcp" in str(outbound) else UDP)
        world.siproxd.assert_alive()


def test_a_server_that_no_name_leads_to() -> None:
    """Where a message was to go is told by its destination alone: the name in it does not resolve."""
    with World(proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "transparent.conf")
        _hand_over(world.network, "ip", OUTBOUND)
        phone = world.endpoint("phone3", SIP_PORT)
        call_id = phone.call_id()
        phone.send(phone.request("REGISTER", "sip:nowhere.invalid", sender="sip:trunk@nowhere.invalid",
                                 to="sip:trunk@nowhere.invalid", call_id=call_id), (PROVIDER, SIP_PORT))
        answer = phone.wait_response(call_id)
        assert answer.first("Server") == "lab", f"the provider answers, and nobody else: {answer.start}"
        assert answer.packet.src == PROVIDER
        phone.close()


def test_ipv6() -> None:
    """Both sides have IPv6 alone; a phone that sends to the provider's address."""
    with SixNetwork() as network:
        for device in (LAN_INTERFACE, "wan"):
            network.ip("router", "-4", "addr", "flush", "dev", device)
        DnsServer(network.ns("provider"), PROVIDER, {DOMAIN: PROVIDER})
        provider = Kamailio(network, address=f"[{WAN['provider']}]")
        siproxd = Siproxd(network, transparent=1, registration_file=None)
        _hand_over(network, "ip6", f"[{LAN['router']}]:{SIP_PORT}")
        for transport in ("udp", "tcp"):
            inside, outside = (
                Phone(network, host, f"[{address}]",
                      [Account(USERS[host], outbound=f"[{WAN['provider']}]:{SIP_PORT};transport={way}")], TONES[host])
                for host, address, way in (("phone1", LAN["phone1"], transport), ("remote", WAN["remote"], "udp")))
            for phone in (inside, outside):
                phone.registered()
            contacts = provider.contacts(inside.user)
            assert contacts and all(f"[{WAN['router']}]" in contact for contact in contacts), contacts
            with observed(network, "ip6") as seen:
                for caller, callee in ((inside, outside), (outside, inside)):
                    talk(caller, callee, aor(callee.user), TALK)
                    assert_hears(inside, outside.tone, TALK)
                    assert_hears(outside, inside.tone, TALK)
            _assert_from(seen, LAN["phone1"], WAN["provider"], TCP if transport == "tcp" else UDP)
            for phone in (inside, outside):
                phone.stop()
        siproxd.assert_alive()


def test_a_new_lan_address_without_root() -> None:
    """What `transparent` needs of root is there again when sockets are bound anew."""
    with World(proxy=False, user="nobody", transparent=1) as world:
        siproxd = world.start_siproxd()
        siproxd.wait_line("running as user .*, keeps CAP_NET_ADMIN for connection tracking and `transparent`")
        world.network.ip("router", "addr", "del", f"{ROUTER_LAN}/24", "dev", LAN_INTERFACE)
        world.network.ip("router", "addr", "add", f"{NEW_LAN}/24", "dev", LAN_INTERFACE)
        for kind in ("UDP", "TCP"):
            siproxd.wait_line(f"listening for SIP on {NEW_LAN}:{SIP_PORT} \\({kind}\\)")
        siproxd.assert_alive()
