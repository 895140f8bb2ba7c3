"""Datagrams of every kind that a stranger may send to the relay's ports."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from itertools import cycle, islice

from lab.sockets import socket_in

# In every datagram, so that it is recognised wherever it comes out.
MARK = b"\x0b\xad\xca\xfe"

# Datagrams sent in a row, and the pause behind them (s): what the receive queue of a port holds.
CHUNK = 20
PAUSE = 0.002


def rtp(number: int) -> bytes:
    """A packet in sequence with the one before."""
    return struct.pack("!BBHI", 0x80, 0, number & 0xFFFF, number * 160) + MARK + b"\x11" * 160


def rtcp(_number: int) -> bytes:
    """A sender report."""
    return struct.pack("!BBH", 0x80, 200, 6) + MARK + b"\0" * 20


def stun(_number: int) -> bytes:
    """A Binding request (RFC 8489)."""
    return struct.pack("!HHI", 1, 0, 0x2112A442) + MARK * 3


def dtls(_number: int) -> bytes:
    """A ClientHello, as far as its first bytes tell."""
    return b"\x16\xfe\xfd" + b"\0" * 8 + b"\0\x08\x01\0\0\0" + MARK


def udptl(number: int) -> bytes:
    """A T.38 datagram in sequence with the one before."""
    return struct.pack("!H", number & 0x7F) + MARK + b"\0" * 10


ALL = (rtp, rtcp, stun, dtls, udptl)


def of_every_kind(count: int) -> Iterator[bytes]:
    """So many datagrams: each kind a hundred times in a row, which is enough to be learned."""
    kinds = (kind for kind in cycle(ALL) for _ in range(100))
    return (kind(number) for number, kind in enumerate(islice(kinds, count)))


def send(sender: socket.socket, datagrams: Iterable[bytes], targets: list[tuple[str, int]]) -> int:
    """Sends the datagrams to the targets in turn; returns how many."""
    sent = 0
    for datagram, target in zip(datagrams, cycle(targets)):
        sender.sendto(datagram, target)
        sent += 1
        if sent % CHUNK == 0:
            time.sleep(PAUSE)
    return sent


class Forger:
    """Sends UDP from addresses that are not its own."""

    def __init__(self, namespace: str) -> None:
        self._socket = socket_in(namespace, socket.SOCK_RAW, protocol=socket.IPPROTO_RAW)

    def send(self, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> None:
        """One datagram; without a UDP checksum, which IPv4 allows (RFC 768)."""
        udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                             socket.inet_aton(source[0]), socket.inet_aton(target[0]))
        self._socket.sendto(header + udp, (target[0], 0))

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
