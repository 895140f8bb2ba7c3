"""Relayed media has the DSCP of the configuration, whatever it came with."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from lab.callcheck import observed
from lab.netns import PHONES, REMOTES, ROUTER_LAN
from lab.pcap import Packet, as_rtp, is_rtcp
from lab.rawcall import RawCall
from lab.sockets import udp_in
from lab.world import World

# Expedited forwarding (RFC 3246), and what the callee's packets come with (CS1).
DSCP = 46
CALLEES = 8

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
