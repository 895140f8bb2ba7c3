"""More calls than there is room for: so many are refused, in words, and the others are as good as ever."""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass

import pytest
from lab.callcheck import assert_ports_closed, relay_ports
from lab.kamailio import TRUNK, aor
from lab.netns import PHONES, REMOTES
from lab.rawcall import OUTBOUND, RawCall, register, sdp_target, uri_of
from lab.sockets import socket_in, udp_in
from lab.wait import until
from lab.world import World

pytestmark = pytest.mark.alone

# Room for more calls than there may be.
MANY_PORTS = (20_000, 21_999)

# Calls begun in a second: what an exchange does when its line comes back.
PER_SECOND = 60

# RTP packets of each party of each call, and seconds between two: a twenty-fifth of what audio needs, so that Python, which plays both
# parties of all calls, is not what is measured. The relay at full rate is the benchmark's matter.
ROUNDS = 10
ROUND = 0.5

RTP_PORT = 4000
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER = 16 << 20


@dataclass
class Call:
    """One attempt."""

    number: int
    call_id: str
    branch: str
    status: int = 0
    warning: str = ""
    tag: str = ""
    target: str = ""
    routes: tuple[str, ...] = ()
    to_b: tuple[str, int] = ("", 0)  # where the caller sends its media
    to_a: tuple[str, int] = ("", 0)  # where the callee does
    ended: bool = False


class Load:
    """One phone calls one number of the far end, over and over; all media comes to one port of each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.a, self.b = world.endpoint("phone3"), world.endpoint("remote2")
        world.provider.add("busy", f"sip:busy@{self.b.address}:{self.b.port}")
        register(world, self.a)
        self.rtp = [udp_in(world.network.ns("phone3"), PHONES["phone3"], RTP_PORT),
                    udp_in(world.network.ns("remote2"), REMOTES["remote2"], RTP_PORT)]
        for one in (*self.rtp, self.a._socket, self.b._socket):
            one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.calls: dict[str, Call] = {}
        self.heard: list[Counter[int]] = [Counter(), Counter()]
        self._end = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (
            self._caller, self._callee, lambda: self._listen(0), lambda: self._listen(1))]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends its threads and closes its sockets."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        for one in (*self.rtp, self.a, self.b):
            one.close()

    def dial(self, count: int) -> None:
        """Begins so many calls and waits until each is answered or refused."""
        for number in range(count):
            call = Call(number, self.a.call_id(), self.a.branch())
            self.calls[call.call_id] = call
            self.a.send(self.a.request("INVITE", aor("busy"), sender=aor(TRUNK), call_id=call.call_id,
                                       branch=call.branch, headers=(f"Subject: {number}",),
                                       body=self.a.offer(RTP_PORT)), OUTBOUND)
            time.sleep(1 / PER_SECOND)
        until(lambda: all(call.status for call in self.calls.values()), 20, "all calls to be answered",
              [self.world.siproxd.log])

    def up(self) -> list[Call]:
        """The calls that are answered and go on."""
        return [call for call in self.calls.values() if call.status == 200 and not call.ended]

    def talk(self, first: int, rounds: int) -> None:
        """Both parties of each call say as many packets, numbered from `first` on, spread over the time."""
        for sequence in range(first, first + rounds):
            begun = time.monotonic()
            for at, call in enumerate(self.up()):
                header = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, call.number)
                self.rtp[0].sendto(header + b"\x55" * 160, call.to_b)
                self.rtp[1].sendto(header + b"\xd5" * 160, call.to_a)
                if at % 16 == 0:
                    time.sleep(0.005)
            time.sleep(max(0.0, begun + ROUND - time.monotonic()))

    def hang_up(self) -> None:
        """Ends all calls."""
        for call in self.up():
            self.a.send(self.a.request("BYE", call.target, sender=aor(TRUNK), to=aor("busy"), call_id=call.call_id,
                                       cseq=2, headers=call.routes, to_tag=call.tag), OUTBOUND)
            time.sleep(1 / 200)
        until(lambda: not self.up(), 20, "all BYEs to be answered", [self.world.siproxd.log])

    def _caller(self) -> None:
        while not self._end.is_set():
            try:
                message = self.a.receive(0.2)
            except AssertionError:
                continue
            call = self.calls.get(message.first("call-id"))
            if not call or message.is_request or message.status < 200:
                continue
            if message.method == "BYE":
                call.ended = message.status == 200
                continue
            call.tag = message.first("to").partition("tag=")[2]
            if message.status == 200:
                call.to_b = sdp_target(message.body)
                call.routes = tuple(f"Route: {value}" for value in reversed(message.all("record-route")))
                call.target = uri_of(message.first("contact"))
                self.a.send(self.a.request("ACK", call.target, sender=aor(TRUNK), to=aor("busy"), call_id=call.call_id,
                                           headers=call.routes, to_tag=call.tag, contact=False), OUTBOUND)
            else:
                call.warning = message.first("warning")
                self.a.send(self.a.request("ACK", aor("busy"), sender=aor(TRUNK), call_id=call.call_id,
                                           branch=call.branch, to_tag=call.tag, contact=False), OUTBOUND)
            call.status = message.status

    def _callee(self) -> None:
        contact = f"Contact: <sip:busy@{self.b.address}:{self.b.port}>"
        by_number = {}
        while not self._end.is_set():
            try:
                message = self.b.receive(0.2)
            except AssertionError:
                continue
            if not message.is_request or message.method == "ACK":
                continue
            body = ""
            if message.method == "INVITE":
                by_number[int(message.first("subject"))] = sdp_target(message.body)
                for call in list(self.calls.values()):
                    call.to_a = by_number.get(call.number, call.to_a)
                body = self.b.offer(RTP_PORT)
            self.b.send(self.b.answer(message, 200, "OK", headers=(contact,), body=body),
                        (message.packet.src, message.packet.sport))

    def _listen(self, who: int) -> None:
        self.rtp[who].settimeout(0.2)
        while not self._end.is_set():
            try:
                packet = self.rtp[who].recv(2048)
            except socket.timeout:
                continue
            self.heard[who][int.from_bytes(packet[8:12])] += 1


@pytest.mark.parametrize(("attempts", "allowed"), [(300, 300), (600, 512)])
def test_calls_beyond_max_calls_are_refused(attempts: int, allowed: int) -> None:
    """As many as `max_calls` run and lose no packet; each further one gets its 503, and one line says so."""
    with World(rtp_range=MANY_PORTS, max_calls=512) as world:
        load = Load(world)
        try:
            load.dial(attempts)
            statuses = Counter(call.status for call in load.calls.values())
            refused = {503: attempts - allowed} if attempts > allowed else {}
            assert statuses == Counter({200: allowed, **refused}), statuses
            warnings = {call.warning for call in load.calls.values() if call.status == 503}
            assert all("max_calls" in warning for warning in warnings), warnings
            if refused:
                world.siproxd.wait_line("raise max_calls")
            assert world.siproxd.text().count("raise max_calls") == (1 if refused else 0)
            assert len(relay_ports(world.network)) > 2 * allowed

            load.talk(0, ROUNDS)
            time.sleep(0.5)
            running = {call.number for call in load.up()}
            for heard in load.heard:
                assert set(heard) == running
                assert set(heard.values()) == {ROUNDS}, Counter(heard.values())

            # Two seconds without a processor: packets may be lost, calls not.
            threading.Timer(2.0, os.kill, (world.siproxd.process.pid, signal.SIGCONT)).start()
            os.kill(world.siproxd.process.pid, signal.SIGSTOP)
            load.talk(ROUNDS, 6)
            for heard in load.heard:
                heard.clear()
            load.talk(ROUNDS + 6, 2)
            time.sleep(0.5)
            assert [set(heard) for heard in load.heard] == [running, running]
            assert {count for heard in load.heard for count in heard.values()} == {2}

            load.hang_up()
            assert_ports_closed(world.network)
            world.siproxd.assert_alive()
        finally:
            load.close()


def _limits(pid: int) -> int:
    """The soft limit of open files."""
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def test_the_limit_of_open_files_is_raised() -> None:
    """Started with room for hardly anything, it takes what all RTP ports need."""
    with World(rtp_range=MANY_PORTS, prefix=("prlimit", "--nofile=64:4096")) as world:
        assert _limits(world.siproxd.process.pid) >= 4 * 512 + 64
        assert "files may be open" not in world.siproxd.text()


def test_calls_that_no_file_is_left_for_are_refused() -> None:
    """Where the limit cannot be raised it is said at start how many calls fit; so many run, and all else works beside them."""
    limit = ("setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=70:140")
    with World(prefix=limit) as world:
        assert _limits(world.siproxd.process.pid) == 140
        lines = [line for line in world.siproxd.text().splitlines() if "files may be open" in line]
        assert len(lines) == 1 and "140 files" in lines[0] and "room for 3 audio calls" in lines[0], lines
        calls = [RawCall(world, 4000 + 10 * n) for n in range(4)]
        for call in calls[:3]:
            call.establish()
        last = calls[3]
        last.a.send(last.a.request("INVITE", aor(last.callee), sender=aor(TRUNK), call_id=last.call_id,
                                   branch=last.invite_branch, body=last.a.offer(last.port)), OUTBOUND)
        refused = last.a.wait_response(last.call_id)
        assert refused.status == 503 and "files" in refused.first("warning"), refused.start
        world.siproxd.wait_line("room for 3(?s:.*)refused.*ulimit -n")
        # What else needs a file has one.
        with socket_in(world.network.ns("phone3"), socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(OUTBOUND)
            connection.sendall(b"\r\n\r\n")
            assert connection.recv(10) == b"\r\n"
        for call in calls[:3]:
            call.assert_media()
            call.hang_up()
        last.invite_branch = last.a.branch()
        last.call_id = last.a.call_id()
        last.establish()
        last.hang_up()
        for call in calls:
            call.close()
