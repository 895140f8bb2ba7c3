"""100,000 bad datagrams: no crash, no growth, no answer to strangers, and the call that is up goes on."""

from __future__ import annotations

import os
import random
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.callcheck import relay_ports
from lab.kamailio import TRUNK, aor
from lab.netns import PHONES, ROUTER_LAN, SIP_PORT, STRANGER
from lab.rawcall import RawCall
from lab.rawsip import Endpoint
from lab.sockets import udp_in
from lab.wait import until
from lab.world import World

pytestmark = pytest.mark.alone

# Datagrams in one pass; the same are sent twice.
PASS = 50_000

# KiB that resident memory may grow by in the second pass. The first has touched every page of the tables that these
# datagrams can fill, so what grows afterwards is a leak, or noise of the kernel's accounting.
GROWTH = 128

# Datagrams between two looks at the daemon's receive queue: fewer than the queue holds.
BATCH = 40

SEED = int(os.environ.get("SEED", "20251"))

HEADERS = (b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Route", b"Record-Route", b"Max-Forwards",
           b"Content-Length", b"Content-Type", b"Expires", b"Authorization", b"Supported", b"X-Unknown")


class Garbage:
    """An endless stream of bad datagrams, the same for the same seed."""

    def __init__(self, seed: int, templates: list[bytes]) -> None:
        self._random = random.Random(seed)
        self._templates = templates
        self._makers: list[Callable[[], bytes]] = [
            self._noise, self._flipped, self._flipped, self._truncated, self._repeated, self._header_soup, self._rtp]

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        while True:
            count += 1
            yield self._oversized() if count % 500 == 0 else self._random.choice(self._makers)()

    def _template(self) -> bytearray:
        return bytearray(self._random.choice(self._templates))

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.choice((0, 1, 3, 4, 12, 60, 300, 1400)))

    def _flipped(self) -> bytes:
        data = self._template()
        for _ in range(self._random.choice((1, 2, 5, 20))):
            data[self._random.randrange(len(data))] = self._random.randrange(256)
        return bytes(data)

    def _truncated(self) -> bytes:
        data = self._template()
        return bytes(data[:self._random.randrange(len(data))])

    def _repeated(self) -> bytes:
        data = bytes(self._template())
        at = self._random.randrange(len(data))
        end = min(len(data), at + self._random.randrange(1, 60))
        return data[:at] + data[at:end] * self._random.randrange(2, 20) + data[end:]

    def _header_soup(self) -> bytes:
        lines = [bytes(self._template()).split(b"\r\n", 1)[0]]
        for _ in range(self._random.randrange(40)):
            lines.append(self._random.choice(HEADERS) + b": " + self._noise()[:200].replace(b"\n", b""))
        return b"\r\n".join(lines) + b"\r\n\r\n" + self._noise()

    def _rtp(self) -> bytes:
        return bytes((0x80, self._random.randrange(256))) + self._random.randbytes(self._random.randrange(200))

    def _oversized(self) -> bytes:
        data = bytes(self._template())
        filler = b"X-Long: " + b"a" * self._random.randrange(60_000) + b"\r\n"
        return data.replace(b"\r\n", b"\r\n" + filler, 1)[:65_507]


def _templates(endpoint: Endpoint) -> list[bytes]:
    """Valid messages to spoil."""
    made = [endpoint.request(method, aor("nobody"), sender=aor(TRUNK),
                             body=endpoint.offer() if method in ("INVITE", "UPDATE") else "")
            for method in ("REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "MESSAGE")]
    made.append(f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {ROUTER_LAN}:{SIP_PORT};branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1"
                "\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
    return [text.encode() for text in made]


def _queued(pid: int) -> int:
    """Bytes that wait in the daemon's UDP sockets."""
    rows = Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]
    return sum(int(re.split(r"[:\s]+", row.strip())[7], 16) for row in rows)


def test_hundred_thousand_bad_datagrams() -> None:
    """From a LAN host and from a stranger, on the SIP port and on the ports of a running call."""
    with World("phone1", "remote", options=()) as world:
        running = RawCall(world)
        running.establish()
        ports = sorted(relay_ports(world.network))
        stranger = udp_in(world.network.ns("stranger"), STRANGER)
        lan = udp_in(world.network.ns("phone2"), PHONES["phone2"])
        templates = _templates(running.a)
        _flood(world, stranger, lan, ports, templates)
        before = world.siproxd.resident_kib()
        _flood(world, stranger, lan, ports, templates)
        grown = world.siproxd.resident_kib() - before
        assert grown <= GROWTH, f"resident memory grew by {grown} KiB, from {before} (seed {SEED})"
        stranger.settimeout(0.3)
        try:
            raise AssertionError(f"the stranger got {stranger.recvfrom(65535)!r} (seed {SEED})")
        except socket.timeout:
            pass
        running.assert_media()
        running.hang_up()
        world.call(world["phone1"], world["remote"])
        world.call(world["remote"], world["phone1"])
        for one in (stranger, lan):
            one.close()
        running.close()


def _flood(world: World, stranger: socket.socket, lan: socket.socket, ports: list[int],
           templates: list[bytes]) -> None:
    """One pass, from both sides, no faster than siproxd takes it."""
    garbage = iter(Garbage(SEED, templates))
    choice = random.Random(SEED)
    pid = world.siproxd.process.pid
    for count in range(PASS):
        port = SIP_PORT if choice.random() < 0.7 else choice.choice(ports)
        if choice.random() < 0.5:
            _send(stranger, next(garbage), (world.wan, port))
        else:
            _send(lan, next(garbage), (ROUTER_LAN, port))
        if count % BATCH == 0:
            until(lambda: _queued(pid) == 0 or not world.siproxd.process.running(), 10,
                  "siproxd to take what was sent", [world.siproxd.log], interval=0.0005)
            world.siproxd.assert_alive()


def _send(sender: socket.socket, data: bytes, target: tuple[str, int]) -> None:
    """Sends, also where an ICMP error of an earlier datagram is reported meanwhile."""
    try:
        sender.sendto(data, target)
    except ConnectionRefusedError:
        sender.sendto(data, target)
