"""`rtp_coalesce`: dense media is taken in turns that are so far apart, thin media waits for nobody; 0: nothing waits."""

from __future__ import annotations

import os
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab.rawcall import PACKET_TIME, RawCall
from lab.world import World

pytestmark = pytest.mark.alone

# Of `rtp_coalesce` in seconds: its maximum, so that it is seen well.
DISTANCE = 0.001

# Packets on the way at a time: more than the few in each turn that are worth a wait, also where the test itself is slow.
DENSE = 16

# Seconds: how dense it is is known long before the first are over; then it is looked at.
SETTLE, LOOK = 0.1, 0.3


@contextmanager
def _undisturbed(process: int) -> Iterator[None]:
    """This process and another have a processor whenever they want one: what else runs here does not delay packets."""
    for one in 0, process:
        os.sched_setscheduler(one, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _round_trips(call: RawCall, packets: int, pause: float = 0) -> list[float]:
    """Seconds from the sending of so many packets to the arrival of the last, again and again."""
    assert call.to_b
    call.rtp_b.settimeout(2)
    taken = []
    number = 0
    start = began = time.monotonic()
    while began < start + SETTLE + LOOK:
        began = time.monotonic()
        for packet in range(packets):
            sequence = number * packets + packet & 0xFFFF
            call.rtp_a.sendto(struct.pack("!BBHI", 0x80, 0, sequence, sequence * 160) + b"AAAA" + b"\x55" * 160, call.to_b)
        for _ in range(packets):
            call.rtp_b.recv(2048)
        if began > start + SETTLE:
            taken.append(time.monotonic() - began)
        number += 1
        time.sleep(pause)
    return taken


def _measure(**directives: object) -> tuple[list[float], list[float]]:
    """Delays of dense media and of thin media."""
    with World(**directives) as world:
        call = RawCall(world)
        call.establish()
        assert world.siproxd.process
        with _undisturbed(world.siproxd.process.pid):
            dense = _round_trips(call, DENSE)
            thin = _round_trips(call, 1, PACKET_TIME)
        call.hang_up()
        call.close()
    return sorted(dense), sorted(thin)


def test_dense_media_waits_for_its_turn_and_never_longer() -> None:
    """With `rtp_coalesce` packets wait for up to that time, if they are many; without it they do not."""
    off, _ = _measure(rtp_coalesce=0)
    on, thin = _measure(rtp_coalesce=round(DISTANCE * 1e6))
    assert statistics.median(off) < 0.7 * DISTANCE, f"{off[::50]}: nothing is to be waited for"
    assert statistics.median(thin) < 0.7 * DISTANCE, f"{thin[::4]}: thin media waits"
    assert statistics.median(on) > 0.9 * DISTANCE, f"{on[::50]}: turns are nearer to each other than they are to be"
    assert statistics.median(on) < DISTANCE + statistics.median(off), f"{on[::50]}, {off[::50]}: packets wait too long"
