"""Large messages through the daemon: 8 kB over UDP, 60 kB over TCP, more than 64 header lines, both ways; nothing of them changes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from lab.netns import PHONES, REMOTES, ROUTER_LAN, SIP_PORT
from lab.sockets import socket_in, udp_in
from lab.world import World

PHONE, SERVER = PHONES["phone3"], REMOTES["remote2"]
# A port for each way, so that no connection of the one before is taken for this one's.
SERVER_PORTS = {"UDP-UDP": 5070, "TCP-TCP": 5072, "UDP-TCP": 5074, "TCP-UDP": 5076}
DEADLINE = 5.0

# What must come out as it is: lines of any spelling, folds, blanks, octets.
LINES = b"".join(b"x-LiNe-%d\t: a,%d \r\n" % (number, number) for number in range(100))
LINES += b"Subject:\r\n  a\r\n\tfold \r\nX-Utf-8: Gr\xc3\xbc\xc3\x9fe\r\nX-Quoted: \"a \\\" b, c; d\" ; e\r\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones: the test is the phone, and its provider."""
    with World() as made:
        yield made


class Side:
    """One of the two: sends messages, and takes those that come."""

    def __init__(self, world: World, host: str, address: str, port: int, transport: str) -> None:
        namespace = world.network.ns(host)
        self.transport = transport
        self.address = f"{address}:{port}"
        self._connection: socket.socket | None = None
        if transport == "UDP":
            self._socket = udp_in(namespace, address, port)
        else:
            self._socket = socket_in(namespace, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((address, port))
        self._socket.settimeout(DEADLINE)
        self._peer = (ROUTER_LAN, SIP_PORT)
        self._left = b""

    def close(self) -> None:
        for one in (self._socket, self._connection):
            if one:
                one.close()

    def connect(self) -> None:
        """Over TCP a phone connects to the router."""
        if self.transport == "TCP":
            self._socket.connect(self._peer)
            self._connection = self._socket

    def listen(self) -> None:
        """Over TCP a server waits for the router."""
        if self.transport == "TCP":
            self._socket.listen()

    def send(self, message: bytes) -> None:
        if self._connection:
            self._connection.sendall(message)
        else:
            self._socket.sendto(message, self._peer)

    def take(self, wanted: bytes) -> bytes:
        """The next message whose start line has this in it. Keepalives and provisional answers are passed over."""
        while True:
            message = self._datagram() if self.transport == "UDP" else self._framed()
            if wanted in message.split(b"\r\n")[0]:
                return message

    def _datagram(self) -> bytes:
        data, self._peer = self._socket.recvfrom(65535)
        return data

    def _framed(self) -> bytes:
        if not self._connection:
            self._connection, _ = self._socket.accept()
            self._connection.settimeout(DEADLINE)
        while True:
            self._left = self._left.lstrip(b"\r\n")
            head, end, rest = self._left.partition(b"\r\n\r\n")
            if end:
                length = int(head.rpartition(b"\r\nl: ")[2].split(b"\r\n")[0])
                if len(rest) >= length:
                    self._left = rest[length:]
                    return head + end + rest[:length]
            data = self._connection.recv(65536)
            assert data, "the connection was closed"
            self._left += data


def message(start: str, lines: list[str], body: bytes) -> bytes:
    """A message with all of LINES."""
    head = "\r\n".join([start, *lines]).encode() + b"\r\n"
    return head + LINES + b"Content-Type: application/octet-stream\r\nl: %d\r\n\r\n" % len(body) + body


def check(received: bytes, body: bytes) -> None:
    """Lines and body are as they were sent."""
    assert LINES in received
    assert received.endswith(b"\r\n\r\n" + body)


def value(received: bytes, name: str) -> str:
    """The first header field of a name."""
    return next(line for line in received.decode("latin-1").split("\r\n") if line.startswith(f"{name}: "))


@pytest.mark.parametrize(("phone_by", "server_by", "size"), [
    ("UDP", "UDP", 8 * 1024), ("TCP", "TCP", 60_000), ("UDP", "TCP", 8 * 1024), ("TCP", "UDP", 8 * 1024),
])
def test_both_ways(world: World, phone_by: str, server_by: str, size: int) -> None:
    """A registration, a MESSAGE each way, and its answers, all of that size."""
    name = f"{phone_by}-{server_by}"
    port = SERVER_PORTS[name]
    phone = Side(world, "phone3", PHONE, port, phone_by)
    server = Side(world, "remote2", SERVER, port, server_by)
    body = bytes(range(256)) * (size // 256)
    uri = f"sip:{SERVER}:{port};transport={server_by.lower()}"
    parties = [f"From: <sip:big@{SERVER}>;tag=a", f"To: <sip:big@{SERVER}>"]

    def exchange(sender: Side, receiver: Side, method: str, target: str, contact: Callable[[bytes], str]) -> bytes:
        """A request and its answer; gives the request as it came out."""
        call = [f"Call-ID: {method}-{name}-{sender.address}", f"CSeq: 1 {method}"]
        via = f"Via: SIP/2.0/{sender.transport} {sender.address};branch=z9hG4bK-{method}-{name};rport"
        own = f"Contact: <sip:big@{sender.address}>"
        sender.send(message(f"{method} {target} SIP/2.0", [via, "Max-Forwards: 70", *parties, *call, own], body))
        request = receiver.take(method.encode())
        check(request, body)
        vias = [line for line in request.decode("latin-1").split("\r\n") if line.startswith("Via: ")]
        answer = [*vias, parties[0], parties[1] + ";tag=b", value(request, "Call-ID"), call[1], contact(request)]
        receiver.send(message("SIP/2.0 200 OK", answer, body))
        check(sender.take(b"SIP/2.0 200"), body)
        return request

    try:
        phone.connect()
        server.listen()
        register = exchange(phone, server, "REGISTER", uri, lambda request: value(request, "Contact") + ";expires=60")
        token = value(register, "Contact").partition("<")[2].partition(">")[0]
        exchange(phone, server, "MESSAGE", f"sip:other@{uri[4:]}", lambda _: "X-None: x")
        exchange(server, phone, "MESSAGE", token, lambda _: "X-None: x")
    finally:
        phone.close()
        server.close()
