"""The figures of a call: as sent, counted and computed by other means; the same while it runs as at its end; and of a good call no complaint."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator

import pytest
from lab.callcheck import observed
from lab.netns import ROUTER_LAN
from lab.pcap import Packet, as_rtp
from lab.voice import PACKET_TIME, Voice, receiver_report, sender_report, wait_until
from lab.voicecall import VoiceCall
from lab.world import World

pytestmark = pytest.mark.alone

# Seconds on the way from the router to each party and back, and until it reports.
WAY_TO_CALLER, WAY_TO_CALLEE, HELD = 0.02, 0.08, 0.03

# The middle of a sender report's time stamp.
NTP = 0x12345678

# Milliseconds by which a wake-up of the daemon, or of this process, may be later than the packet.
SLACK = 6

# Packets of each party, in so many milliseconds each.
PACKETS = 200


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


def _interarrival(packets: list[Packet], ssrc: int, receiver: str) -> tuple[float, float]:
    """Mean jitter (RFC 3550 §A.8, in floating point) and longest gap of a captured stream, in milliseconds."""
    jitter, values, gaps, seen = 0.0, [], [], set()
    transit = before = None
    for packet in packets:
        rtp = as_rtp(packet)
        if not rtp or rtp.ssrc != ssrc or packet.dst != receiver:
            continue
        now = packet.time * 1000
        if before is not None:
            gaps.append(now - before)
        before = now
        if rtp.sequence in seen:
            continue
        seen.add(rtp.sequence)
        # Its time stamps begin again from zero.
        sent = ((rtp.timestamp + (1 << 31)) % (1 << 32)) / 8
        if transit is not None:
            jitter += (abs(now - sent - transit) - jitter) / 16
            values.append(jitter)
        transit = now - sent
    return sum(values) / len(values), max(gaps)


def _mos(loss: float, delay: float) -> float:
    """The score of G.711 by the E-model with the defaults of ITU-T G.107; loss in percent, delay in milliseconds."""
    late = 0.024 * delay + 0.11 * max(0.0, delay - 177.3)
    r = 93.2 - late - 95 * loss / (loss + 25.1)
    return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)


def _answer(call: VoiceCall, speaker: Voice, listener: Voice, way: float, lost: int) -> None:
    """The speaker sends an SR; the listener, so far away, answers it with what it has lost."""
    receiver = call.control(listener)
    receiver.settimeout(2)
    call.report(speaker, sender_report(speaker.ssrc, NTP))
    while receiver.recv(2048) != sender_report(speaker.ssrc, NTP):
        pass
    time.sleep(way + HELD)
    call.report(listener, receiver_report(listener.ssrc, speaker.ssrc, lost, last_sr=NTP, delay=HELD))


def _percent(part: int, whole: int) -> float:
    return math.floor(part / whole * 10_000) / 100


def test_figures_are_true(world: World) -> None:
    """Packets and bytes exactly; loss exactly; jitter, gap and round trip as a capture and the clock have them; MOS by its formula."""
    with observed(world.network) as seen:
        call = VoiceCall(world)
        chance, begin = random.Random(7), time.monotonic() + 0.1
        sent = []
        for number in range(PACKETS):
            moment = begin + number * PACKET_TIME
            packet, late = call.caller.packet(), chance.uniform(0, 0.04)
            # Five are lost, one comes twice, and some overtake those before them.
            if number % 40 != 20:
                sent.append((moment + late, call.caller, packet))
            if number == 99:
                sent.append((moment + late + 0.01, call.caller, packet))
            # Four are lost, and a third of a second is held up.
            packet = call.callee.packet()
            if number % 50 != 25:
                sent.append((max(moment, begin + 115 * PACKET_TIME) if number in range(100, 115) else moment, call.callee, packet))
        for moment, voice, packet in sorted(sent, key=lambda one: one[0]):
            wait_until(moment)
            voice.send(packet)
        _answer(call, call.caller, call.callee, WAY_TO_CALLEE, lost=5 + 4)
        _answer(call, call.callee, call.caller, WAY_TO_CALLER, lost=4)
        running = call.status()
        told = call.end()
    assert (running.caller, running.callee, running.sentence) == (told.caller, told.callee, None), "while it runs, and at its end"
    assert told.sentence is None
    trips = (told.caller.round_trip or 0) + (told.callee.round_trip or 0)
    for said, voice, packets, lost, beyond, receiver, way in (
            (told.caller, call.caller, seen.lan, 5, 4, ROUTER_LAN, WAY_TO_CALLER),
            (told.callee, call.callee, seen.wan, 4, 0, world.wan, WAY_TO_CALLEE)):
        jitter, gap = _interarrival(packets, voice.ssrc, receiver)
        assert (said.packets, said.bytes, said.codec) == (voice.packets, voice.bytes, "G.711"), said.text
        assert (said.lost, said.beyond) == (_percent(lost, PACKETS), _percent(beyond, PACKETS)), said.text
        assert said.jitter == pytest.approx(jitter, abs=1), said.text
        assert said.gap == pytest.approx(gap, abs=SLACK), said.text
        assert said.round_trip == pytest.approx(way * 1000, abs=SLACK), said.text
        delay = trips / 2 + 2 * (said.jitter or 0) + PACKET_TIME * 1000
        assert said.mos == pytest.approx(_mos((lost + beyond) / PACKETS * 100, delay), abs=0.02), said.text
