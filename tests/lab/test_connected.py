"""A party that keeps sending has a socket of its own at the relay, connected to it; strangers and moves are as without."""

from __future__ import annotations

import struct
import time

import pytest
from lab import flood
from lab.netns import PHONES, REMOTES, SIP_PORT, STRANGER
from lab.process import run
from lab.rawcall import BURST, PACKET_TIME, RawCall
from lab.sockets import drain, udp_in
from lab.wait import until
from lab.world import World

# Datagrams of the stranger.
MANY = 10_000

# Packets of each party after which it has one for sure.
STEADY = 40

# Where the callee goes on in the middle of the call.
MOVED_PORT = 4444


def _connected(world: World, call: RawCall) -> set[tuple[str, int]]:
    """To whom sockets on the call's two RTP ports are connected (`/proc/net/udp`, proc_net_udp(5))."""
    assert world.siproxd.process and call.to_a and call.to_b
    found = set()
    with open(f"/proc/{world.siproxd.process.pid}/net/udp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            local, remote = line.split()[1:3]
            address, port = remote.split(":")
            if int(local.split(":")[1], 16) in (call.to_a[1], call.to_b[1]) and int(port, 16):
                octets = struct.pack("=I", int(address, 16))
                found.add((".".join(map(str, octets)), int(port, 16)))
    return found


def _waits(world: World) -> bool:
    """Whether something waits in a queue of the SIP port."""
    sockets = run(world.network.ns("router"), ["ss", "-Huln", "sport", "=", str(SIP_PORT)]).stdout
    return any(int(line.split()[1]) > 0 for line in sockets.splitlines())


def _talk(call: RawCall) -> tuple[int, int]:
    """Enough each way; how much of the last burst the caller and the callee heard."""
    for _ in range(STEADY // BURST):
        call.media()
    return call.media()


def test_a_party_that_moves_gets_another(bare: World) -> None:
    """Both parties have one; after a new offer the one that moved has another, and the old address is a stranger's."""
    call = RawCall(bare)
    call.connect()
    assert _talk(call) == (BURST, BURST)
    caller, callee = (PHONES["phone3"], call.port), (REMOTES["remote2"], call.port)
    assert _connected(bare, call) == {caller, callee}

    before = call.rtp_b
    call.rtp_b = udp_in(bare.network.ns("remote2"), REMOTES["remote2"], MOVED_PORT)
    call.offer(2, call.a.offer(call.port), call.b.offer(MOVED_PORT))
    until(lambda: _connected(bare, call) == {caller}, 5, "the old one closed")
    assert _talk(call) == (BURST, BURST)
    assert _connected(bare, call) == {caller, (REMOTES["remote2"], MOVED_PORT)}
    call.rtp_a.settimeout(0.2)
    for sequence in range(BURST):
        before.sendto(struct.pack("!BBHI", 0x80, 0, sequence, sequence * 160) + flood.MARK + b"\x55" * 160, call.to_a)
        time.sleep(PACKET_TIME)
    with pytest.raises(OSError):
        call.rtp_a.recv(2048)
    assert call.media() == (BURST, BURST)

    call.hang_up()
    bare.siproxd.wait_line("ended after")
    assert _connected(bare, call) == set()
    before.close()
    call.close()


def test_what_was_said_before_a_move_is_heard(bare: World) -> None:
    """The callee's last packets from the old port, and its answer with the new one, come before the daemon gets to see any of them."""
    call = RawCall(bare)
    call.connect()
    assert _talk(call) == (BURST, BURST)
    assert len(_connected(bare, call)) == 2
    assert call.to_a
    call.in_dialog("INVITE", 2, body=call.a.offer(call.port))
    request = call.b.wait_request("INVITE")
    drain(call.rtp_a)
    with bare.siproxd.frozen():
        for sequence in range(BURST):
            call.rtp_b.sendto(struct.pack("!BBHI", 0x80, 0, sequence, sequence * 160) + b"BBBB" + b"\xd5" * 160, call.to_a)
        call.reply(request, 200, "OK", body=call.b.offer(MOVED_PORT))
        until(lambda: _waits(bare), 5, "the answer in the queue of the SIP port")
    heard: list[bytes] = []

    def is_all_heard() -> bool:
        heard.extend(drain(call.rtp_a))
        return len(heard) == BURST

    until(is_all_heard, 5, f"{BURST} packets")
    call.close()


def test_strangers_are_told_apart_and_counted(bare: World) -> None:
    """Ten thousand datagrams of a stranger reach nobody, and the verdict knows how many they were."""
    call = RawCall(bare)
    call.connect()
    assert _talk(call) == (BURST, BURST)
    assert len(_connected(bare, call)) == 2
    assert call.to_a
    stranger = udp_in(bare.network.ns("stranger"), STRANGER, MOVED_PORT)
    sent = flood.send(stranger, flood.of_every_kind(MANY), [(bare.wan, call.to_a[1])])
    assert call.media() == (BURST, BURST)
    assert len(_connected(bare, call)) == 2
    call.hang_up()
    counted = int(bare.siproxd.wait_line(r"ended after .*; strangers (\d+)").group(1))
    assert sent == MANY and counted > MANY * 0.9, f"{counted} of {sent}"
    stranger.close()
    call.close()
