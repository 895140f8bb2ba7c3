"""Restricted latching: whoever sends from another port than he announced is heard; nobody else is, whenever he tries."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab import flood
from lab.netns import PHONES, REMOTES, ROUTER_LAN, STRANGER
from lab.rawcall import BURST, RawCall
from lab.sockets import udp_in
from lab.world import World

# Datagrams of one stranger at a time.
MANY = 10_000

# Where the parties send from that do not send from the port they announced.
MOVED_PORT = 4444

# Packets spent on learning another port (RFC 3550 §A.1 asks for two).
LEARNED_IN = 3


def _set_up(world: World, moved: bool) -> RawCall:
    """A call that is answered, and in which nobody has said anything."""
    call = RawCall(world)
    call.invite()
    call.answer()
    assert call.finish_invite().status == 200
    call.b.wait_request("ACK")
    if moved:
        for receiver in (call.rtp_a, call.rtp_b):
            receiver.close()
        call.rtp_a = udp_in(world.network.ns("phone3"), PHONES["phone3"], MOVED_PORT)
        call.rtp_b = udp_in(world.network.ns("remote2"), REMOTES["remote2"], MOVED_PORT)
    return call


def _targets(call: RawCall, router: str) -> list[tuple[str, int]]:
    """RTP and RTCP ports of both legs, at one address of the router: a port that is not open there costs nothing."""
    assert call.to_a and call.to_b
    return [(router, port + above) for port in (call.to_a[1], call.to_b[1]) for above in (0, 1)]


def _heard(receiver: socket.socket) -> list[bytes]:
    receiver.settimeout(0.1)
    heard = []
    while True:
        try:
            heard.append(receiver.recv(2048))
        except (BlockingIOError, socket.timeout):
            return heard


def _talk(call: RawCall) -> tuple[int, int]:
    """A burst each way; the parties hear each other alone. Returns how much of it each of them heard."""
    heard = call.media()
    assert max(heard) <= BURST, f"{heard}: more than was said"
    return heard


def _strangers(world: World) -> int:
    """Packets that the line about the call's end counts as strangers'."""
    return int(world.siproxd.wait_line(r"ended after .*; strangers (\d+)").group(1))


@contextmanager
def _meanwhile(action: threading.Thread) -> Iterator[None]:
    action.start()
    try:
        yield
    finally:
        action.join(30)
        assert not action.is_alive()


@pytest.mark.parametrize("moved", [False, True], ids=["as_announced", "from_another_port"])
def test_strangers_reach_nobody(bare: World, moved: bool) -> None:
    """Ten thousand datagrams of each of two strangers, before, during and after the learning: the call is as without them."""
    call = _set_up(bare, moved)
    namespace = bare.network.ns
    stranger = udp_in(namespace("stranger"), STRANGER, MOVED_PORT)
    neighbour = udp_in(namespace("phone2"), PHONES["phone2"], MOVED_PORT)
    hosts = ((stranger, _targets(call, bare.wan)), (neighbour, _targets(call, ROUTER_LAN)))
    attempts = 0

    for sender, targets in hosts:
        attempts += flood.send(sender, flood.of_every_kind(MANY), targets)
    assert _heard(call.rtp_a) == [] == _heard(call.rtp_b), "before the first packet"

    for number in range(LEARNED_IN):
        header = struct.pack("!BBHI", 0x80, 0, 50 + number, 0)
        assert call.to_a and call.to_b
        call.rtp_a.sendto(header + b"AAAA" + b"\x55" * 160, call.to_b)
        call.rtp_b.sendto(header + b"BBBB" + b"\xd5" * 160, call.to_a)
        for sender, targets in hosts:
            attempts += flood.send(sender, flood.of_every_kind(MANY // LEARNED_IN), targets)
    said = [_heard(call.rtp_a), _heard(call.rtp_b)]
    assert all(flood.MARK not in packet for heard in said for packet in heard)
    # The moved ones hear from their learning on; the packet that completes it is relayed itself.
    least = 0 if moved else LEARNED_IN
    assert min(map(len, said)) >= least, said

    with _meanwhile(threading.Thread(target=lambda: [
            flood.send(sender, flood.of_every_kind(MANY), targets) for sender, targets in hosts])):
        while_they_try = [_talk(call) for _ in range(3)]
    attempts += 2 * MANY
    assert while_they_try == [(BURST, BURST)] * 3

    call.hang_up()
    # Half of what each sends is for a port that is not open on its side.
    assert _strangers(bare) > attempts * 0.4, f"of {attempts}: {bare.siproxd.tail()}"
    for one in (stranger, neighbour):
        one.close()
    call.close()


@pytest.mark.parametrize("moved", [False, True], ids=["as_announced", "from_another_port"])
def test_another_program_of_the_same_host_reaches_nobody(bare: World, moved: bool) -> None:
    """Once a party is heard, the other ports of its address are closed, whatever comes from there."""
    call = _set_up(bare, moved)
    _talk(call)
    namespace = bare.network.ns
    inside = udp_in(namespace("phone3"), PHONES["phone3"], 5555)
    outside = udp_in(namespace("remote2"), REMOTES["remote2"], 5555)
    assert call.to_a and call.to_b
    # RTCP may come from a port that nobody can announce: only the RTP port is closed to them.
    pairs = ((inside, call.to_b), (outside, call.to_a))
    with _meanwhile(threading.Thread(target=lambda: [
            flood.send(sender, flood.of_every_kind(MANY), [target]) for sender, target in pairs])):
        while_they_try = [_talk(call) for _ in range(3)]
    assert while_they_try == [(BURST, BURST)] * 3
    assert _talk(call) == (BURST, BURST), "and afterwards"
    call.hang_up()
    for one in (inside, outside):
        one.close()
    call.close()


def test_forged_packets_with_guessed_ports_do_not_cut_a_call(bare: World) -> None:
    """A stranger writes the far end's address on his packets and guesses port, SSRC and sequence, while a port is learned."""
    call = _set_up(bare, moved=True)
    forger = flood.Forger(bare.network.ns("stranger"))
    stop = threading.Event()

    def forge() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            # Never the right one: whoever knows it needs to guess nothing.
            port = 20_000 + number * 7919 % 40_000
            assert call.to_a
            forger.send((REMOTES["remote2"], port), (bare.wan, call.to_a[1]), flood.rtp(number * 31))
            time.sleep(PACE)

    with _meanwhile(threading.Thread(target=forge)):
        try:
            bursts = [_talk(call) for _ in range(6)]
        finally:
            stop.set()
    assert bursts[-1] == (BURST, BURST), f"not learned: {bursts}"
    assert _talk(call) == (BURST, BURST)
    call.hang_up()
    forger.close()
    call.close()


# Seconds between two forged packets: ten to each of the peer's.
PACE = 0.002


def test_the_same_description_again_opens_nothing(bare: World) -> None:
    """A re-INVITE that says what was said before leaves a learned port in place; a new one opens."""
    call = _set_up(bare, moved=True)
    _talk(call)
    assert call.to_a and call.to_b
    call.in_dialog("INVITE", 2, body=call.a.offer(call.port))
    call.reply(call.b.wait_request("INVITE"), 200, "OK", body=call.b.offer(call.port))
    assert call.finish_invite(cseq=2).status == 200
    call.b.wait_request("ACK")
    assert _talk(call) == (BURST, BURST), "not learned again"

    # The far end moves, and says nothing: it is not heard. Then it says so.
    call.rtp_b.close()
    call.rtp_b = udp_in(bare.network.ns("remote2"), REMOTES["remote2"], MOVED_PORT + 2)
    assert call.media() == (0, 0), "followed to a port that nobody announced"
    call.in_dialog("INVITE", 3, body=call.a.offer(call.port))
    call.reply(call.b.wait_request("INVITE"), 200, "OK", body=call.b.offer(MOVED_PORT + 2))
    assert call.finish_invite(cseq=3).status == 200
    call.b.wait_request("ACK")
    assert _talk(call) == (BURST, BURST)
    call.hang_up()
    call.close()
