"""Media that comes unevenly leaves evenly, in order and whole, where that is asked for."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Iterator

import pytest
from lab.callcheck import Observation, observed
from lab.netns import PHONES, REMOTES, ROUTER_LAN, ROUTER_WAN
from lab.pcap import as_rtp
from lab.rawcall import RawCall
from lab.stream import EVENT, PACKET_TIME, Heard, Stream, delays, heard, play
from lab.wait import holds
from lab.world import World

pytestmark = pytest.mark.alone

# What is evened out (s), and how uneven it comes.
DELAY = 0.08
MOST = 0.06

PHONE, REMOTE = PHONES["phone3"], REMOTES["remote2"]
# Packets of one key, with the last one three times.
PRESSED = 10

SO_RCVBUFFORCE = 33  # asm-generic/socket.h

FROM_REMOTE, FROM_PHONE = 0xB0B, 0xA11CE

# Two shared processors: what wakes late now and then (s).
SLACK = 0.015


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A home without phones; towards the phones media is held back, or as the test says."""
    directives = getattr(request, "param", {"rtp_input_dejitter": int(DELAY * 1e6)})
    with World(**directives) as made:
        yield made


def _call(world: World) -> RawCall:
    """A call that is answered, and in which nobody has said anything."""
    call = RawCall(world)
    call.invite()
    call.answer()
    assert call.finish_invite().status == 200
    call.b.wait_request("ACK")
    for receiver in (call.rtp_a, call.rtp_b):
        # They are read at the end.
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
    return call


def _exchange(world: World, from_remote: Stream, from_phone: Stream | None = None) -> Observation:
    """A call with these streams, as it was seen on both sides of the router, with the last packet that waited."""
    call = _call(world)
    assert call.to_a and call.to_b
    ways = [(from_remote, call.rtp_b, call.to_a)]
    if from_phone:
        ways.append((from_phone, call.rtp_a, call.to_b))
    with observed(world.network) as seen:
        play(ways)
        call.rtp_a.settimeout(2 * DELAY + 1)
        last = (from_remote.sequence - 1) & 0xFFFF
        while int.from_bytes(call.rtp_a.recv(2048)[2:4], "big") != last:
            pass
    call.hang_up()
    call.close()
    return seen


def _ways(seen: Observation) -> tuple[tuple[Heard, Heard], tuple[Heard, Heard]]:
    """What the remote said, before and after the relay; what the phone said, likewise."""
    return (heard(seen.wan, FROM_REMOTE, ROUTER_WAN), heard(seen.lan, FROM_REMOTE, PHONE)), \
        (heard(seen.lan, FROM_PHONE, ROUTER_LAN), heard(seen.wan, FROM_PHONE, REMOTE))


def _assert_whole_and_in_order(stream: Stream, came: Heard, left: Heard) -> None:
    """Every packet, byte for byte, and none before an earlier one that was there already: on a busy machine some come too late."""
    assert sorted(came.numbers) == sorted(left.numbers) == sorted(stream.sent)
    assert {rtp for _, rtp in came.packets} == {rtp for _, rtp in left.packets}
    order, came_at, left_at = {number: place for place, number in enumerate(stream.sent)}, came.times(), left.times()
    late = 0
    for one, other in zip(left.numbers, left.numbers[1:]):
        if order[other] < order[one]:
            late += 1
            assert came_at[other] > left_at[one] - SLACK, f"{one} left before {other}, which was there"
    assert late <= len(order) / 50, f"{late} packets came too late"


def test_uneven_media_leaves_evenly(world: World) -> None:
    """The same unevenness both ways, held back towards the phone alone: nothing is lost, and there it is even and in order."""
    streams = Stream(FROM_REMOTE).talk(400, MOST), Stream(FROM_PHONE).talk(400, MOST)
    seen = _exchange(world, *streams)
    (came, left), (off_came, off_left) = _ways(seen)
    print(f"jitter in ms: on {came.jitter() * 1e3:.2f} -> {left.jitter() * 1e3:.2f}, "
          f"off {off_came.jitter() * 1e3:.2f} -> {off_left.jitter() * 1e3:.2f}; "
          f"held for {statistics.mean(delays(came, left)) * 1e3:.1f} ms")
    assert came.numbers != list(streams[0].sent), "nobody overtook anybody"
    _assert_whole_and_in_order(streams[0], came, left)
    assert came.jitter() > 0.01 and left.jitter() < came.jitter() / 5
    assert max(delays(came, left)) < 2 * DELAY + SLACK
    # Without it all is as it was.
    assert off_left.numbers == off_came.numbers and len(off_left.numbers) == 400
    assert off_left.jitter() > off_came.jitter() * 0.9
    assert statistics.mean(delays(off_came, off_left)) < SLACK


def test_keys_come_as_they_were_pressed(world: World) -> None:
    """Keys between words, on an uneven way: every packet, in order, with the distances that it was sent with."""
    stream = Stream(FROM_REMOTE)
    for key in (1, 5, 9, 11):
        stream.talk(50, MOST).press(key, PRESSED - 2, MOST)
    seen = _exchange(world, stream.talk(50, MOST))
    (came, left), _ = _ways(seen)
    _assert_whole_and_in_order(stream, came, left)
    keys = [rtp for _, rtp in left.packets if rtp.payload_type == EVENT]
    assert len(keys) == 4 * PRESSED
    distances: dict[str, list[float]] = {"came": [], "left": []}
    for one, other in zip(keys, keys[1:]):
        if one.timestamp == other.timestamp and one.payload != other.payload:
            for name, wire in (("came", came), ("left", left)):
                times = wire.times()
                distances[name].append(abs(times[other.sequence] - times[one.sequence] - PACKET_TIME))
    off = {name: statistics.median(values) for name, values in distances.items()}
    print(f"keys are off by {off['came'] * 1e3:.1f} ms as they came, by {off['left'] * 1e3:.1f} ms as they left")
    # By their time stamp alone they would leave all at once.
    assert off["came"] > PACKET_TIME / 4 and off["left"] < PACKET_TIME / 4


@pytest.mark.parametrize("world", [{"rtp_input_dejitter": int(DELAY * 1e6), "rtp_output_dejitter": int(DELAY * 1e6)}],
                         indirect=True, ids=["both"])
def test_a_clock_that_is_off_does_not_run_away(world: World) -> None:
    """One party's clock is 1 % fast, the other's 1 % slow, for 16 s: both are held as long at the end as at the beginning."""
    packets = 800
    fast, slow = Stream(FROM_REMOTE, PACKET_TIME * 0.99), Stream(FROM_PHONE, PACKET_TIME * 1.01)
    seen = _exchange(world, fast.talk(packets, DELAY / 4), slow.talk(packets - 16, DELAY / 4))
    for name, (came, left) in zip(("fast", "slow"), _ways(seen)):
        held = delays(came, left)
        first, last = statistics.mean(held[100:200]), statistics.mean(held[-100:])
        print(f"{name}: held for {first * 1e3:.1f} ms, after {len(held) / 50:.0f} s for {last * 1e3:.1f} ms; "
              f"jitter in ms {came.jitter() * 1e3:.2f} -> {left.jitter() * 1e3:.2f}")
        # Unchecked it would be 160 ms more, or nothing at all.
        assert abs(first - last) < 0.03 and DELAY / 4 < last < DELAY * 1.25
        _assert_whole_and_in_order(fast if name == "fast" else slow, came, left)
        assert left.jitter() < came.jitter() / 2


@pytest.mark.parametrize("world", [{"rtp_input_dejitter": 1_000_000}], indirect=True, ids=["a_second"])
def test_what_waits_at_the_end_of_a_call_reaches_nobody(world: World) -> None:
    """After the answer to BYE the phone gets nothing more of what still waited."""
    call = _call(world)
    assert call.to_a
    with observed(world.network) as seen:
        play([(Stream(FROM_REMOTE).talk(75), call.rtp_b, call.to_a)])
        call.hang_up()
        call.rtp_a.settimeout(0)
        got = 0
        try:
            while call.rtp_a.recv(2048):
                got += 1
        except BlockingIOError:
            pass
        assert 0 < got < 50, f"{got}: what was said in the last second waited"
        holds(lambda: not _has_more(call), 1.5, "silence after BYE")
    ended = [sip.packet.time for sip in seen.lan_sip() if sip.method == "BYE" and sip.status == 200]
    assert len(ended) == 1
    assert not [packet for packet in seen.lan if packet.dst == PHONE and packet.time > ended[0] and as_rtp(packet)]
    call.close()


def _has_more(call: RawCall) -> bool:
    try:
        return bool(call.rtp_a.recv(2048))
    except BlockingIOError:
        return False
