"""Ten calls at once on the default ports 7070-7089, which is all they carry, each with media both ways."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from lab.callcheck import MOST_LOST, assert_no_leak, assert_ports_closed, observed
from lab.netns import PHONES, REMOTES, ROUTER_LAN
from lab.pcap import Packet, as_rtp
from lab.rawcall import register
from lab.sipp import Sipp
from lab.world import OUTBOUND, World

pytestmark = pytest.mark.alone

CALLS = 10
TALK_MS = 4000


def _by_ssrc(packets: list[Packet], sender: str, receiver: str) -> dict[int, Counter[int]]:
    streams: dict[int, Counter[int]] = defaultdict(Counter)
    for packet in packets:
        rtp = as_rtp(packet)
        if rtp and packet.src == sender and packet.dst == receiver:
            streams[rtp.ssrc][rtp.sequence] += 1
    return streams


def test_ten_concurrent_calls() -> None:
    """All succeed; each call's packets come out as they went in; every port closes."""
    with World(options=()) as world:
        endpoint = world.endpoint("phone3", 5070)
        register(world, endpoint)
        endpoint.close()
        world.provider.add("erin", f"sip:erin@{REMOTES['remote2']}:5070")
        callee = Sipp(world.network, "remote2", REMOTES["remote2"], "callee", calls=CALLS, tone=900)
        with observed(world.network) as seen:
            caller = Sipp(world.network, "phone3", PHONES["phone3"], "caller", OUTBOUND, calls=CALLS,
                          tone=500, options=("-s", "erin", "-d", str(TALK_MS), "-r", str(CALLS)))
            caller.finish(40)
            callee.finish(10)
            assert_ports_closed(world.network)
        world.siproxd.assert_alive()
    assert_no_leak(seen, world.network)
    for name, before, after in (
            ("out", _by_ssrc(seen.lan, PHONES["phone3"], ROUTER_LAN), _by_ssrc(seen.wan, world.wan, REMOTES["remote2"])),
            ("in", _by_ssrc(seen.wan, REMOTES["remote2"], world.wan), _by_ssrc(seen.lan, ROUTER_LAN, PHONES["phone3"])),
    ):
        assert len(before) == CALLS, f"{name}: {len(before)} streams were sent"
        for ssrc, sent in before.items():
            total = sum(sent.values())
            lost = sum((sent - after[ssrc]).values())
            assert total >= TALK_MS // 20 * 0.8, f"{name} {ssrc:x}: only {total} packets were sent"
            # What is sent after the BYE is not relayed any more.
            assert lost <= MOST_LOST * total + 5, f"{name} {ssrc:x}: {lost} of {total} lost"
            assert not after[ssrc] - sent, f"{name} {ssrc:x}: packets that nobody sent"
    # One socket pair each: every call came in on a port of its own.
    ports = {packet.dport for packet in seen.wan if packet.dst == world.wan and as_rtp(packet)}
    assert len(ports) == CALLS, ports
