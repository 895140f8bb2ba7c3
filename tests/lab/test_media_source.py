"""Media comes from the call's own peers only: what others send to the relay's ports reaches nobody."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from lab.callcheck import observed, relay_ports
from lab.netns import PHONES, ROUTER_LAN, STRANGER
from lab.pcap import as_rtp
from lab.rawcall import RawCall
from lab.sockets import udp_in
from lab.world import World

# Recognisable in a capture, and of a sequence that would fit any stream.
FOREIGN_SSRC = 0x0BADCAFE

PACKETS = 200


@pytest.fixture
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


def test_foreign_rtp_reaches_nobody(world: World) -> None:
    """A stranger on the WAN and a neighbour on the LAN send well-formed RTP and RTCP to every open port."""
    call = RawCall(world)
    call.establish()
    stranger = udp_in(world.network.ns("stranger"), STRANGER)
    neighbour = udp_in(world.network.ns("phone2"), PHONES["phone2"])
    ports = sorted(relay_ports(world.network))
    with observed(world.network) as seen:
        for number in range(PACKETS):
            rtp = struct.pack("!BBHII", 0x80, 0, number, number * 160, FOREIGN_SSRC) + b"\x11" * 160
            rtcp = struct.pack("!BBHIIIIII", 0x80, 200, 6, FOREIGN_SSRC, 0, 0, 0, 0, 0)
            for port in ports:
                stranger.sendto(rtcp if port % 2 else rtp, (world.wan, port))
                neighbour.sendto(rtcp if port % 2 else rtp, (ROUTER_LAN, port))
        call.assert_media()
    senders = {STRANGER, PHONES["phone2"]}
    for packet in seen.lan + seen.wan:
        rtp_seen = as_rtp(packet)
        foreign = rtp_seen is not None and rtp_seen.ssrc == FOREIGN_SSRC or \
            struct.pack("!I", FOREIGN_SSRC) in packet.payload[4:8]
        assert not foreign or packet.src in senders, f"relayed to {packet.dst}:{packet.dport}"
    call.hang_up()
    for one in (stranger, neighbour):
        one.close()
    call.close()
