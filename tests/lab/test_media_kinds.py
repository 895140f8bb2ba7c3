"""Media that is encrypted, and video, between real phones. `test_offers.py` has RTP and RTCP on one port, and ICE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from lab.baresip import Phone
from lab.callcheck import assert_ports_closed, observed, talk
from lab.kamailio import aor
from lab.netns import ROUTER_LAN
from lab.offers import crossings, lines_like, streams
from lab.pcap import Packet
from lab.world import World

# Seconds of talk.
TALK = 2.0

# The first byte of a DTLS record (RFC 7983 §7).
DTLS = range(20, 64)


# Seconds that DTLS takes where its first hello overtakes the answer: it is repeated after one (RFC 6347 §4.2.4.1).
HANDSHAKE = 1.2


@dataclass(frozen=True)
class Kind:
    """A kind of media, and how baresip is told to use it."""

    extra: str  # configuration
    account: str  # parameters of the account
    sections: tuple[str, ...]  # beginnings of `m=`, with their protocols
    passes: str  # lines that arrive as they were written
    set_up: float = 0.0  # seconds from the answer until something is heard


KEYS = r"a=(?:crypto|fingerprint|setup):.*"
VIDEO = "module vp8.so\nmodule fakevideo.so\nvideo_source fakevideo,\nvideo_display fakevideo,\nvideo_size 176x144\nvideo_fps 10\n"

KINDS = {
    "sdes": Kind("module srtp.so\n", ";mediaenc=srtp-mand", (r"audio \d+ RTP/SAVP",), KEYS),
    "dtls": Kind("module dtls_srtp.so\n", ";mediaenc=dtls_srtp", (r"audio \d+ UDP/TLS/RTP/SAVPF",), KEYS, HANDSHAKE),
    "video": Kind(VIDEO, ";video_codecs=vp8", (r"audio \d+ RTP/AVP", r"video \d+ RTP/AVP"), r"a=rtpmap:.*"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones yet."""
    with World() as made:
        yield made


@contextmanager
def _pair(world: World, caller: str, callee: str, kind: Kind) -> Iterator[tuple[Phone, Phone]]:
    """Two phones of a kind, registered."""
    first, other = (world.phone(host, account=kind.account, extra=kind.extra) for host in (caller, callee))
    try:
        first.registered()
        other.registered()
        yield first, other
    finally:
        first.stop()
        other.stop()


def _first_bytes(packets: list[Packet], sender: str, receiver: str) -> Counter[int]:
    return Counter(packet.payload[0] for packet in packets
                   if packet.src == sender and packet.dst == receiver and packet.payload and 5060 not in
                   (packet.sport, packet.dport))


@pytest.mark.parametrize("caller", ["phone1", "remote"])
@pytest.mark.parametrize("name", KINDS)
def test_kind(world: World, name: str, caller: str) -> None:
    """Both hear each other; keys arrive as they were written."""
    kind = KINDS[name]
    callee = "remote" if caller == "phone1" else "phone1"
    with _pair(world, caller, callee, kind) as (first, other):
        with observed(world.network) as seen:
            talk(first, other, aor(other.user), TALK + kind.set_up)
            assert_ports_closed(world.network)
        world.check(seen, first, other, TALK)
    phone, remote = world["phone1"].address, world["remote"].address
    for before, after in crossings(seen, world.wan, phone):
        assert before and after
        for section in kind.sections:
            assert all(re.search(f"^m={section} ", text, re.MULTILINE) for text in after), (section, after)
        assert lines_like(after, kind.passes) == lines_like(before, kind.passes) != set()
    crossed = [_first_bytes(seen.wan, world.wan, remote), _first_bytes(seen.wan, remote, world.wan)]
    assert [any(byte in DTLS for byte in kinds) for kinds in crossed] == [name == "dtls"] * 2, crossed
    # A section is a stream of its own each way, on a port of its own.
    for packets, sender, receiver in ((seen.wan, world.wan, remote), (seen.wan, remote, world.wan),
                                      (seen.lan, ROUTER_LAN, phone), (seen.lan, phone, ROUTER_LAN)):
        heard = streams(packets, sender, receiver)
        assert len(heard) == len(kind.sections) == len({port for port, _ in heard}), heard
        assert min(heard.values()) > 5 * TALK, heard
