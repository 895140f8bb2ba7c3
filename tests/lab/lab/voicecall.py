"""A call between two bare endpoints in which each packet is known, and what siproxd says of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from lab.rawcall import RawCall
from lab.sockets import udp_in
from lab.verdict import Told, status, verdict
from lab.voice import Voice
from lab.world import World

# What the caller and the callee are called in RTP.
CALLER, CALLEE = 0x0A0A0A0A, 0x0B0B0B0B


class VoiceCall:
    """A call that is answered: both parties' voices, and what is said of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.start = len(world.siproxd.text())
        self.raw = RawCall(world)
        self.raw.connect()
        assert self.raw.to_a and self.raw.to_b
        self.caller = Voice(self.raw.rtp_a, self.raw.to_b, CALLER)
        self.callee = Voice(self.raw.rtp_b, self.raw.to_a, CALLEE)
        self._more: list[socket.socket] = []
        self._control: dict[int, socket.socket] = {}

    def elsewhere(self, host: str, address: str, port: int) -> socket.socket:
        """A socket of its own, closed with the call."""
        self._more.append(udp_in(self.world.network.ns(host), address, port))
        return self._more[-1]

    def control(self, speaker: Voice) -> socket.socket:
        """A party's RTCP socket, above its RTP port."""
        if speaker.ssrc not in self._control:
            address, port = speaker.sender.getsockname()
            host = "phone3" if speaker is self.caller else "remote2"
            self._control[speaker.ssrc] = self.elsewhere(host, address, port + 1)
        return self._control[speaker.ssrc]

    def report(self, speaker: Voice, report: bytes) -> None:
        """A party sends a report."""
        self.control(speaker).sendto(report, (speaker.target[0], speaker.target[1] + 1))

    @contextmanager
    def swallowed(self, speaker: Voice) -> Iterator[None]:
        """A packet filter in the router swallows what a party sends to its RTP port."""
        nft = self.world.network.nft
        # Both parties' ports may have the same number, at our two addresses.
        address, port = speaker.target
        nft("router", "table inet swallow { chain in { type filter hook input priority -300;"
                      f" ip daddr {address} udp dport {port} drop; }}; }}")
        try:
            yield
        finally:
            nft("router", "delete table inet swallow")

    def status(self) -> Told:
        """What siproxd says while it runs."""
        return status(self.world, self.raw.callee)

    def end(self) -> Told:
        """Hangs up; returns what siproxd says."""
        self.raw.hang_up()
        for one in self._more:
            one.close()
        self.raw.close()
        return verdict(self.world, self.raw.callee, self.start)
