"""A DNS server of a few lines: A records from a table, and silence when told so."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from lab.sockets import udp_in

DNS_PORT = 53
TYPE_A = 1
CLASS_IN = 1
NXDOMAIN = 3

# Seconds an answer may be kept: short, so that a test may change a record.
TTL = 5


def _question(query: bytes) -> tuple[str, int, int]:
    """Name, type, and end offset of the first question (RFC 1035 §4.1.2)."""
    labels = []
    at = 12
    while query[at]:
        size = query[at]
        labels.append(query[at + 1:at + 1 + size].decode("ascii", "replace").lower())
        at += 1 + size
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, at + 5


class DnsServer:
    """Answers from `records` in a thread of its own; names without a record do not exist."""

    def __init__(self, namespace: str, address: str, records: dict[str, str]) -> None:
        self.records = records
        self.silent = False
        self.queries: list[tuple[str, int]] = []
        self._socket = udp_in(namespace, address, DNS_PORT)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Closes the port."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, although it says ENOTCONN
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(2048)
            if not query:
                return
            try:
                answer = self._answer(query)
            except (IndexError, struct.error):
                continue
            if answer:
                # It may have been stopped meanwhile.
                with contextlib.suppress(BrokenPipeError):
                    self._socket.sendto(answer, peer)

    def _answer(self, query: bytes) -> bytes:
        name, kind, end = _question(query)
        self.queries.append((name, kind))
        if self.silent:
            return b""
        address = self.records.get(name)
        answers = b""
        if address and kind == TYPE_A:
            answers = b"\xc0\x0c" + struct.pack("!HHIH", TYPE_A, CLASS_IN, TTL, 4) + socket.inet_aton(address)
        flags = 0x8180 | (0 if address else NXDOMAIN)
        header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if answers else 0, 0, 0)
        return header + query[12:end] + answers
