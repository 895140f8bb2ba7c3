"""SIP over TCP with real clients: on the phone's leg, on the provider's, and on both."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from lab.baresip import Account
from lab.callcheck import Observation
from lab.kamailio import aor
from lab.netns import PHONES, PROVIDER, ROUTER_LAN, ROUTER_WAN, SIP_PORT
from lab.pcap import TCP, UDP
from lab.sockets import socket_in
from lab.world import OUTBOUND, USERS, World

# What siproxd is told when all goes to the provider over TCP.
BY_TCP = {"outbound_proxy_host": PROVIDER, "outbound_proxy_transport": "tcp"}


def start(world: World, host: str, transport: str) -> None:
    """Starts a phone whose way to siproxd is this transport."""
    world.phone(host, [Account(USERS[host], outbound=f"{OUTBOUND};transport={transport}")])
    world[host].registered()


def transports(seen: Observation, phone: str) -> tuple[set[int], set[int]]:
    """The IP protocols of the SIP messages of a phone on the LAN, and of the provider on the WAN."""
    lan = {sip.packet.protocol for sip in seen.lan_sip() if sip.packet.touches(phone)}
    wan = {sip.packet.protocol for sip in seen.wan_sip()
           if sip.packet.touches(PROVIDER) and sip.packet.touches(ROUTER_WAN)}
    return lan, wan


@pytest.fixture(scope="module")
def udp_world() -> Iterator[World]:
    """A home whose provider is on UDP, with a phone on TCP and one on UDP."""
    with World("remote", sip_keepalive=2) as made:
        start(made, "phone1", "tcp")
        start(made, "phone2", "udp")
        yield made


@pytest.fixture(scope="module")
def tcp_world() -> Iterator[World]:
    """A home whose provider is on TCP, with a phone on TCP and one on UDP."""
    with World("remote", sip_keepalive=2, **BY_TCP) as made:
        start(made, "phone1", "tcp")
        start(made, "phone2", "udp")
        yield made


def test_phone_on_tcp_provider_on_udp(udp_world: World) -> None:
    """Calls both ways; the phone's connection is used for what comes in."""
    phone, remote = udp_world["phone1"], udp_world["remote"]
    for caller, callee in ((phone, remote), (remote, phone)):
        seen = udp_world.call(caller, callee)
        assert transports(seen, phone.address) == ({TCP}, {UDP})


def test_phone_on_udp_provider_on_tcp(tcp_world: World) -> None:
    """Calls both ways, with no way into the router but the connection that it has opened."""
    phone, remote = tcp_world["phone2"], tcp_world["remote"]
    for caller, callee in ((phone, remote), (remote, phone)):
        seen = tcp_world.call(caller, callee)
        assert transports(seen, phone.address) == ({UDP}, {TCP})


def test_both_on_tcp(tcp_world: World) -> None:
    """Calls both ways."""
    phone, remote = tcp_world["phone1"], tcp_world["remote"]
    for caller, callee in ((phone, remote), (remote, phone)):
        seen = tcp_world.call(caller, callee)
        assert transports(seen, phone.address) == ({TCP}, {TCP})


def test_phones_of_one_home_on_two_transports(udp_world: World) -> None:
    """A phone on TCP and one on UDP call each other through the provider."""
    one, two = udp_world["phone1"], udp_world["phone2"]
    udp_world.call(one, two)
    udp_world.call(two, one)


def test_cancel_and_refusal(tcp_world: World) -> None:
    """An INVITE that is given up, and one that is refused, end at both phones."""
    remote = tcp_world["remote"]
    for phone in (tcp_world["phone1"], tcp_world["phone2"]):
        for caller, callee in ((phone, remote), (remote, phone)):
            for ender in (caller, callee):
                since, at_caller = callee.mark(), caller.mark()
                caller.dial(aor(callee.user))
                callee.event("CALL_INCOMING", since)
                ender.hangup()
                callee.event("CALL_CLOSED", since)
                caller.event("CALL_CLOSED", at_caller)


def test_a_stranger_gets_nothing_and_is_cut_off(udp_world: World) -> None:
    """Even with the port open: no answer, and the connection ends within seconds."""
    network = udp_world.network
    network.nft("router", f"insert rule inet lab input iifname wan tcp dport {SIP_PORT} accept")
    try:
        stranger = socket_in(network.ns("stranger"), socket.SOCK_STREAM)
        stranger.settimeout(10)
        stranger.connect((ROUTER_WAN, SIP_PORT))
        began = time.monotonic()
        stranger.sendall(b"OPTIONS sip:alice@%b SIP/2.0\r\nVia: SIP/2.0/TCP 1.2.3.4;branch=z9hG4bKx\r\n"
                         b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
                         b"Content-Length: 0\r\n\r\n\r\n\r\n" % ROUTER_WAN.encode())
        assert stranger.recv(100) == b""
        assert time.monotonic() - began < 8
        stranger.close()
    finally:
        network.firewall()


def test_pipelined_split_and_pinged(udp_world: World) -> None:
    """Three requests cut at odd places, and a ping, over one connection."""
    phone = socket_in(udp_world.network.ns("phone3"), socket.SOCK_STREAM)
    phone.settimeout(5)
    phone.connect((ROUTER_LAN, SIP_PORT))
    requests = b"".join(
        b"OPTIONS sip:%b SIP/2.0\r\nv: SIP/2.0/TCP %b:5070;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:c@d>\r\nCall-ID: piped\r\nCSeq: %d OPTIONS\r\nl: 4\r\n\r\n\r\n\r\n\r\n\r\n"
        % (ROUTER_LAN.encode(), PHONES["phone3"].encode(), number, number) for number in range(3))
    for at in range(0, len(requests), 50):
        phone.sendall(requests[at:at + 50])
        time.sleep(0.01)
    came = b""
    while came.count(b"SIP/2.0 200 OK") < 3 or came.count(b"\r\n\r\n\r\n") < 2:
        came += phone.recv(65536)
    assert [b"CSeq: %d OPTIONS" % number in came for number in range(3)] == [True] * 3
    phone.close()


def test_phone_that_connects_anew_is_reached(udp_world: World) -> None:
    """siproxd is started again: its connections are gone, and the phone is called all the same."""
    udp_world.siproxd.stop()
    udp_world.siproxd.start()
    udp_world.call(udp_world["remote"], udp_world["phone1"])
