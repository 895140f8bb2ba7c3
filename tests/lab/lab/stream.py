"""RTP that comes as unevenly as a test wants: what a sender says, how each packet travels, and how it was received."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.pcap import Packet, Rtp, as_rtp

PACKET_TIME = 0.02
UNITS = 160  # of a clock of 8,000 in 20 ms

VOICE = 0
EVENT = 101


@dataclass
class Stream:
    """What one party says. `step` is what 20 ms of its own clock take."""

    ssrc: int
    step: float = PACKET_TIME
    sequence: int = 65_400
    timestamp: int = 2**32 - 8000
    sent: dict[int, float] = field(default_factory=dict)  # when each number is sent, from the beginning
    _due: list[tuple[float, bytes]] = field(default_factory=list)
    _now: float = 0.0

    def talk(self, packets: int, most: float = 0.0) -> Stream:
        """Speaks; each packet is under way for up to `most` seconds, so that some overtake others."""
        for _ in range(packets):
            self._say(VOICE, False, struct.pack("!I", self.sequence) * 40, most)
            self._pass(1)
        return self

    def press(self, key: int, packets: int, most: float = 0.0) -> Stream:
        """Presses a key (RFC 4733 §2.5.1): equal time stamps, the last packet three times."""
        for number in range(packets + 2):
            held = min(number + 1, packets)
            end = 0x80 if number + 1 >= packets else 0
            self._say(EVENT, number == 0, struct.pack("!BBH", key, end | 10, held * UNITS), most)
            if number + 1 < packets:
                self._now += self.step
        self._pass(packets)
        self._now -= self.step * (packets - 1)
        return self

    def _say(self, kind: int, marked: bool, payload: bytes, most: float) -> None:
        second = kind | (0x80 if marked else 0)
        packet = struct.pack("!BBHII", 0x80, second, self.sequence, self.timestamp, self.ssrc) + payload
        self.sent[self.sequence] = self._now
        self._due.append((self._now + _random.uniform(0, most), packet))
        self.sequence = (self.sequence + 1) & 0xFFFF

    def _pass(self, packets: int) -> None:
        self.timestamp = (self.timestamp + packets * UNITS) & 0xFFFFFFFF
        self._now += self.step * packets

    def schedule(self) -> list[tuple[float, bytes]]:
        """When each packet comes, and its bytes, in that order."""
        return sorted(self._due)


# The same numbers in every run.
_random = random.Random(4733)


def play(ways: Iterable[tuple[Stream, socket.socket, tuple[str, int]]]) -> None:
    """Sends all streams at once, each packet at its time."""
    all_due = sorted((due, packet, number) for number, (stream, _, _) in enumerate(ways) for due, packet in stream.schedule())
    sockets = [(sender, to) for _, sender, to in ways]
    start = time.monotonic()
    for due, packet, number in all_due:
        wait = start + due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        sender, to = sockets[number]
        sender.sendto(packet, to)


@dataclass(frozen=True)
class Heard:
    """A stream as it was on one wire."""

    packets: list[tuple[float, Rtp]]

    @property
    def numbers(self) -> list[int]:
        """Sequence numbers as they came."""
        return [rtp.sequence for _, rtp in self.packets]

    def times(self) -> dict[int, float]:
        """When each number came first."""
        return {rtp.sequence: when for when, rtp in reversed(self.packets)}

    def jitter(self) -> float:
        """The mean of the interarrival jitter of its voice (RFC 3550 §A.8), in seconds."""
        voice = [(when, rtp.timestamp) for when, rtp in self.packets if rtp.payload_type == VOICE]
        jitter, values = 0.0, []
        for (before, stamp_before), (when, stamp) in zip(voice, voice[1:]):
            units = (stamp - stamp_before + 2**31) % 2**32 - 2**31
            jitter += (abs(when - before - units / 8000) - jitter) / 16
            values.append(jitter)
        return sum(values) / len(values)


def heard(packets: list[Packet], ssrc: int, receiver: str) -> Heard:
    """What a capture has of one source on its way to a host."""
    found = ((packet.time, as_rtp(packet)) for packet in packets if packet.dst == receiver)
    return Heard([(when, rtp) for when, rtp in found if rtp and rtp.ssrc == ssrc])


def delays(before: Heard, after: Heard) -> list[float]:
    """For how long each packet was held, in the order of `after`."""
    came = before.times()
    return [when - came[rtp.sequence] for when, rtp in after.packets]
