"""What the router sends has the DSCP of the configuration, media and signalling, whatever it came with."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from lab.baresip import Account
from lab.callcheck import observed, talk
from lab.kamailio import aor
from lab.netns import PHONES, PROVIDER, REMOTES, ROUTER_LAN, SIP_PORT
from lab.pcap import TCP, UDP, Packet, as_rtp, is_rtcp
from lab.rawcall import RawCall
from lab.sockets import udp_in
from lab.world import OUTBOUND, USERS, World

# Expedited forwarding (RFC 3246), and what the callee's packets come with (CS1).
DSCP = 46
CALLEES = 8
# For signalling, CS3 (RFC 4594 §2.3).
SIP_DSCP = 24
UA = "Telephone (router)"

RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 0x01020304)


@pytest.fixture
def world() -> Iterator[World]:
    """A home without phones, whose media is marked."""
    with World(rtp_dscp=DSCP) as made:
        yield made


def _marks(packets: list[Packet], sender: str) -> tuple[set[int], set[int]]:
    """Upper six bits of the second byte (RFC 2474 §3) in what a host sends: of RTP, of RTCP."""
    sent = [packet for packet in packets if packet.src == sender]
    return {packet.raw[1] >> 2 for packet in sent if as_rtp(packet)}, \
        {packet.raw[1] >> 2 for packet in sent if is_rtcp(packet)}


def test_media_is_marked_both_ways(world: World) -> None:
    """RTP and RTCP leave both interfaces with the DSCP of `rtp_dscp`."""
    call = RawCall(world)
    call.rtp_b.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CALLEES << 2)
    rtcp = {host: udp_in(world.network.ns(host), address, call.port + 1)
            for host, address in (("phone3", PHONES["phone3"]), ("remote2", REMOTES["remote2"]))}
    with observed(world.network) as seen:
        call.establish()
        assert call.to_a and call.to_b
        for host, other, (address, port) in (("phone3", "remote2", call.to_b), ("remote2", "phone3", call.to_a)):
            rtcp[host].sendto(RECEIVER_REPORT, (address, port + 1))
            rtcp[other].settimeout(2)
            assert rtcp[other].recv(100) == RECEIVER_REPORT
        call.hang_up()
    assert _marks(seen.wan, world.wan) == ({DSCP}, {DSCP})
    assert _marks(seen.lan, ROUTER_LAN) == ({DSCP}, {DSCP})
    assert _marks(seen.wan, REMOTES["remote2"]) == ({CALLEES}, {0})
    for one in rtcp.values():
        one.close()
    call.close()


def _signalling_marks(packets: list[Packet], sender: str) -> dict[int, set[int]]:
    """The DSCPs of all that a host sends from or to a SIP port, acknowledgements of TCP among them, by protocol."""
    marks: dict[int, set[int]] = {}
    for packet in packets:
        if packet.src == sender and SIP_PORT in (packet.sport, packet.dport):
            marks.setdefault(packet.protocol, set()).add(packet.raw[1] >> 2)
    return marks


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_signalling_is_marked(transport: str) -> None:
    """All that goes over UDP, over connections that are accepted, and over those that are opened; `ua_string` is what the provider
    reads."""
    with World("remote", sip_dscp=SIP_DSCP, ua_string=UA, outbound_proxy_host=PROVIDER,
               outbound_proxy_transport=transport) as world:
        with observed(world.network) as seen:
            for host, by in (("phone1", "tcp"), ("phone2", "udp")):
                world.phone(host, [Account(USERS[host], outbound=f"{OUTBOUND};transport={by}")])
                world[host].registered()
            talk(world["phone1"], world["remote"], aor(USERS["remote"]), 0.2)
        assert _signalling_marks(seen.lan, ROUTER_LAN) == {TCP: {SIP_DSCP}, UDP: {SIP_DSCP}}
        assert _signalling_marks(seen.wan, world.wan) == {{"udp": UDP, "tcp": TCP}[transport]: {SIP_DSCP}}
        told = [sip.first("user-agent") for sip in seen.wan_sip() if sip.packet.src == world.wan and sip.is_request]
        assert len(told) >= 3 and set(told) == {UA}, told
