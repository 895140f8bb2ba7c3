"""Where a description may have media sent: to the party that says so, and not to services, other hosts' networks or round and round."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from lab.capture import Capture
from lab.netns import PHONES, REMOTES, ROUTER_LAN, RTP_HIGH, RTP_LOW
from lab.pcap import UDP
from lab.rawcall import BURST, PACKET_TIME, RawCall, sdp_target
from lab.sockets import drain, udp_in
from lab.world import World

MEDIA_PORT = 6000

# A DTLS ClientHello (RFC 6347 §4.1), as far as a relay looks at it: whoever sends one is heard at once.
CLIENT_HELLO = struct.pack("!BHHIHH", 22, 0xFEFF, 0, 0, 1, 12) + b"\x01" + b"\x00" * 11

# Packets on the router's own interface that are no storm: the last ones of what was sent before.
FEW = 10

# Seconds that a datagram may be on its way on a busy machine.
FLIGHT = 0.3


@pytest.fixture
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


def _say(speaker: socket.socket, to: tuple[str, int]) -> None:
    """A burst of RTP."""
    for number in range(BURST):
        speaker.sendto(struct.pack("!BBHII", 0x80, 0, number, number * 160, 0x5EED) + b"\x55" * 160, to)
        time.sleep(PACKET_TIME)


@pytest.mark.parametrize(("host", "address", "port", "is_sent"), [
    ("remote", REMOTES["remote"], MEDIA_PORT, True),
    ("remote", REMOTES["remote"], 53, False),
    ("router", None, MEDIA_PORT, False),
    ("router", "127.0.0.1", MEDIA_PORT, False),
    ("phone2", PHONES["phone2"], MEDIA_PORT, False),
])
def test_far_end_aims_at(world: World, host: str, address: str | None, port: int, is_sent: bool) -> None:
    """The far end has the phone's media sent elsewhere."""
    address = address or world.wan
    victim = udp_in(world.network.ns(host), address, port)
    call = RawCall(world)
    call.invite()
    call.b.media, call.port = address, port
    call.answer()
    assert call.finish_invite().status == 200
    assert call.to_b
    _say(call.rtp_a, call.to_b)
    assert bool(drain(victim, FLIGHT)) == is_sent
    call.hang_up()
    victim.close()
    call.close()


@pytest.mark.parametrize(("host", "address", "port", "is_sent"), [
    ("phone2", PHONES["phone2"], MEDIA_PORT, True),
    ("phone2", PHONES["phone2"], 53, False),
    ("router", ROUTER_LAN, MEDIA_PORT, False),
    ("router", "127.0.0.1", MEDIA_PORT, False),
])
def test_phone_aims_at(world: World, host: str, address: str, port: int, is_sent: bool) -> None:
    """A phone has the far end's media sent elsewhere."""
    victim = udp_in(world.network.ns(host), address, port)
    call = RawCall(world)
    call.a.media, call.port = address, port
    call.invite()
    call.port = 4000
    call.answer()
    assert call.finish_invite().status == 200
    assert call.to_a
    _say(call.rtp_b, call.to_a)
    assert bool(drain(victim, FLIGHT)) == is_sent
    call.hang_up()
    victim.close()
    call.close()


def test_media_does_not_go_round(world: World) -> None:
    """Both parties of two calls name the ports of the other call: one packet must not keep the router busy for ever."""
    first, second = RawCall(world), RawCall(world, 4100)
    first.establish()
    assert first.to_a and first.to_b
    _name_ports(second, first.to_b, first.to_a)
    second.invite()
    _name_ports(second, first.to_b, first.to_a, first.to_a[1])
    second.answer()
    assert second.finish_invite().status == 200
    assert second.to_a and second.to_b
    _name_ports(first, second.to_b, second.to_a)
    first.in_dialog("INVITE", 2, body=first.a.offer(second.to_b[1]))
    offer = first.b.wait_request("INVITE")
    assert sdp_target(offer.body)
    first.reply(offer, 200, "OK", body=first.b.offer(second.to_a[1]))
    assert first.finish_invite(cseq=2).status == 200
    with Capture(world.network, "router", "lo", "udp") as own:
        for speaker, to in ((first.rtp_a, first.to_b), (first.rtp_b, first.to_a)):
            for _ in range(3):
                speaker.sendto(CLIENT_HELLO, to)
        # The router has time to send thousands round.
        time.sleep(1)
    round_and_round = [packet for packet in own.packets
                       if packet.protocol == UDP and RTP_LOW <= packet.dport <= RTP_HIGH + 1]
    assert len(round_and_round) < FEW
    world.siproxd.wait_line("it could go round, and goes nowhere")
    first.hang_up()
    first.close()
    second.close()


def _name_ports(call: RawCall, lan: tuple[str, int], wan: tuple[str, int], port: int | None = None) -> None:
    """From now on a call's parties name these ports: the phone that on the LAN, the far end that on the WAN."""
    call.a.media, call.b.media, call.port = lan[0], wan[0], port or lan[1]
