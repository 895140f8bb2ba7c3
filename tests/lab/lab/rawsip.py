"""A SIP endpoint of a few lines: sends exactly the text that a test wants, and collects what comes back."""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Callable

from lab.pcap import UDP, Packet, Sip, parse_sip
from lab.sockets import udp_in
from lab.wait import Timeout

_numbers = itertools.count(1)

# RFC 3261 §8.1.1.7
MAGIC = "z9hG4bK"


class Endpoint:
    """A UDP socket that speaks SIP."""

    def __init__(self, namespace: str, address: str, port: int = 0) -> None:
        self._socket = udp_in(namespace, address, port)
        self.address = address
        # Where its descriptions have its media.
        self.media = address
        self.port = int(self._socket.getsockname()[1])
        self._kept: list[Sip] = []
        self.tag = f"t{random.randrange(1 << 32):x}"

    def close(self) -> None:
        """Closes the port."""
        self._socket.close()

    def branch(self) -> str:
        """A new branch."""
        return f"{MAGIC}-lab-{next(_numbers)}-{random.randrange(1 << 32):x}"

    def call_id(self) -> str:
        """A new Call-ID without an address."""
        return f"lab-{next(_numbers)}-{random.randrange(1 << 48):x}"

    def request(self, method: str, uri: str, *, sender: str, to: str | None = None, call_id: str | None = None,
                cseq: int = 1, branch: str | None = None, headers: tuple[str, ...] = (), body: str = "",
                contact: bool = True, to_tag: str = "") -> str:
        """The text of a request with the headers that RFC 3261 §8.1.1 wants."""
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={branch or self.branch()};rport",
            "Max-Forwards: 70",
            f"From: <{sender}>;tag={self.tag}",
            f"To: <{to or uri}>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id or self.call_id()}",
            f"CSeq: {cseq} {method}",
        ]
        if contact:
            user = sender.split(":", 1)[1].split("@", 1)[0]
            lines.append(f"Contact: <sip:{user}@{self.address}:{self.port}>")
        lines += headers
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def offer(self, port: int = 4000, media: str | None = None) -> str:
        """A session description with one audio section, with our media address or that of `media`."""
        address = media or self.media
        kind = "IP6" if ":" in address else "IP4"
        return (f"v=0\r\no=- 1 1 IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n"
                f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
                "a=sendrecv\r\n")

    def answer(self, request: Sip, status: int, reason: str, *, tag: str | None = None,
               headers: tuple[str, ...] = (), body: str = "") -> str:
        """The text of a response to a request that was received."""
        to = request.first("to")
        if ";tag=" not in to and status > 100:
            to += f";tag={tag or self.tag}"
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {value}" for value in request.all("via")]
        lines += [f"Record-Route: {value}" for value in request.all("record-route")]
        lines += [f"From: {request.first('from')}", f"To: {to}", f"Call-ID: {request.first('call-id')}",
                  f"CSeq: {request.first('cseq')}", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def send(self, text: str | bytes, to: tuple[str, int]) -> None:
        """Sends one datagram."""
        self._socket.sendto(text.encode() if isinstance(text, str) else text, to)

    def receive(self, timeout: float = 5.0) -> Sip:
        """The next SIP message that arrives; keepalives are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"no SIP message at {self.address}:{self.port} within {timeout:g} s")
            self._socket.settimeout(left)
            try:
                data, (src, sport) = self._socket.recvfrom(65535)
            except socket.timeout:
                continue
            if b"SIP/2.0" in data[:2000]:
                packet = Packet(time.time(), src, self.address, UDP, sport, self.port, b"", data)
                return parse_sip(data, packet)

    def wait_response(self, call_id: str, timeout: float = 5.0, final: bool = True, method: str = "") -> Sip:
        """The next response to a call (final unless told otherwise), of a method where one is given."""
        return self._wait(lambda message: not message.is_request and message.first("call-id") == call_id
                          and method in ("", message.method) and (message.status >= 200 or not final), timeout)

    def wait_request(self, method: str, timeout: float = 5.0) -> Sip:
        """The next request of a method."""
        return self._wait(lambda message: message.is_request and message.method == method, timeout)

    def _wait(self, wanted: Callable[[Sip], bool], timeout: float) -> Sip:
        """The next message that is wanted; others are kept for later waits, since two servers' order is no order."""
        deadline = time.monotonic() + timeout
        for message in self._kept:
            if wanted(message):
                self._kept.remove(message)
                return message
        while True:
            message = self.receive(max(0.001, deadline - time.monotonic()))
            if wanted(message):
                return message
            self._kept.append(message)

    def raw(self, timeout: float) -> bytes | None:
        """The next datagram, whatever it is; nothing where none comes."""
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(65535)
        except socket.timeout:
            return None

    def nothing_for(self, seconds: float) -> None:
        """Asserts that no datagram at all arrives for a while."""
        self._socket.settimeout(seconds)
        try:
            data, source = self._socket.recvfrom(65535)
        except socket.timeout:
            return
        raise AssertionError(f"{self.address}:{self.port} got from {source}: {data[:300]!r}")

    def drain(self) -> int:
        """Throws away what has arrived; returns how many datagrams."""
        self._kept.clear()
        self._socket.settimeout(0)
        count = 0
        while True:
            try:
                self._socket.recvfrom(65535)
            except BlockingIOError:
                return count
            count += 1
