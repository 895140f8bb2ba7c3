"""What is in the log, what must not be, and where it goes when syslog goes and comes back."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.callcheck import observed
from lab.netns import ROUTER_LAN, SIP_PORT
from lab.rawcall import OUTBOUND, register
from lab.siproxd import Siproxd
from lab.sockets import socket_in
from lab.syslog import line, syslogd
from lab.wait import until
from lab.world import World

DEBUG_PORT = 5050
READERS = 4

# Key and password of RFC 4568 §6.1 and RFC 8839 §5.4.
SDES = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
ICE = "asd88fgpdd777uzjYhagZg"
URI_PASSWORD = "geheim"


def test_no_secrets() -> None:
    """Of all that a phone and its provider know of each other, the log with everything in it has nothing that opens a door."""
    with World(proxy=False) as world:
        siproxd = world.start_siproxd()
        with observed(world.network) as seen:
            world.phone("phone1").registered()
            phone = world.endpoint("phone2", SIP_PORT)
            register(world, phone)
            body = phone.offer() + f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SDES}|2^20|1:4\r\na=ice-pwd:{ICE}\r\n"
            call_id = phone.call_id()
            phone.send(phone.request("INVITE", f"sip:carol:{URI_PASSWORD}@provider.example", sender="sip:trunk@provider.example",
                                     call_id=call_id, body=body), OUTBOUND)
            phone.wait_response(call_id, final=False)
            until(lambda: "a=ice-pwd:" in siproxd.text(), 5, "the offer in the log", [siproxd.log])
            phone.close()
        sent = [sip.first("authorization") for sip in seen.wan_sip() if sip.is_request]
        responses = {found for value in sent for found in re.findall(r'response="([0-9a-f]{32})"', value)}
        assert responses, "the phone has proved who it is"
        text = siproxd.text()
        for secret in (*responses, SDES, ICE, URI_PASSWORD):
            assert secret not in text
        for mask in ('response="' + "*" * 32, "inline:" + "*" * len(SDES), "a=ice-pwd:" + "*" * len(ICE),
                     "sip:carol:" + "*" * len(URI_PASSWORD) + "@"):
            assert mask in text, mask


def test_life_of_a_call() -> None:
    """One line for each step, with the numbers."""
    with World("phone1", "remote", options=()) as world:
        world.call(world["phone1"], world["remote"], 1.0)
        log = world.siproxd.wait_line("ended after").string
        steps = re.findall(r"alice@provider.example registered|asked for a password \(407\)|rings\n|answered\n|ended after \d+ s, hung up",
                           log)
        assert [step.strip() for step in steps[:-1]] == [
            "alice@provider.example registered", "asked for a password (407)", "rings", "answered"], log
        assert re.fullmatch(r"ended after [1-9] s, hung up", steps[-1]), log


def _read(world: World) -> socket.socket:
    """A reader of the debug port, from a phone's place."""
    reader = socket_in(world.network.ns("phone2"), socket.SOCK_STREAM)
    reader.settimeout(5)
    reader.connect((ROUTER_LAN, DEBUG_PORT))
    return reader


def _text_until(reader: socket.socket, end: str) -> str:
    text = ""
    while end not in text:
        part = reader.recv(65536).decode(errors="replace")
        assert part, f"it ended without {end!r}: {text[-500:]}"
        text += part
    return text


def test_readers_get_what_was_before() -> None:
    """Each of four readers gets the lines from before it came, then debug lines; a fifth is told, and takes the place of one that goes."""
    with World(options=(), debug_port=DEBUG_PORT, debug_level=-1, silence_log=4, daemonize=0) as world:
        phone = world.endpoint("phone1", SIP_PORT)
        register(world, phone)
        world.siproxd.wait_line("trunk@provider.example registered")
        readers = [_read(world) for _ in range(READERS)]
        for reader in readers:
            text = _text_until(reader, "reads the log\n")
            assert text.startswith("Welcome to the log of siproxd\nsiproxd "), text[:100]
            assert "trunk@provider.example registered" in text
        late = _read(world)
        assert _text_until(late, "\n").startswith("siproxd: as many readers as there is room for are here already")
        assert late.recv(1) == b""
        register(world, phone)
        for reader in readers:
            assert " DEBUG " in _text_until(reader, "REGISTER sip:provider.example")
        readers.pop().close()
        again = _read(world)
        assert "trunk@provider.example registered" in _text_until(again, "reads the log\n")
        for one in (*readers, again, phone):
            one.close()


@pytest.fixture
def home() -> Iterator[World]:
    """A home without phones, whose siproxd is not started yet."""
    with World(proxy=False) as made:
        yield made


def test_what_nobody_reads_on_stderr_goes_to_syslog(home: World) -> None:
    """A supervisor that keeps siproxd in the foreground with /dev/null as stderr finds its log in syslog, as far as `silence_log` lets it."""
    place = home.network.dir / "syslog"
    device = home.network.dir / "dev"
    device.mkdir()
    prefix = ("sh", "-c", f'mount -t tmpfs tmpfs "{device}" && mknod -m 666 "{device}/null" c 1 3 && mknod -m 666 "{device}/urandom" c 1 9 &&'
              f' ln -s "{place}" "{device}/log" && mount --bind "{device}" /dev && exec "$@" 2>/dev/null', "sh")
    taken = syslogd(place)
    siproxd = Siproxd(home.network, prefix=prefix, options=(), silence_log=1, wait=False)
    assert line(taken, " starts").startswith("<30>")
    os.kill(siproxd.process.pid, signal.SIGUSR1)
    assert "<30>" in line(taken, "status: ")


def test_syslog_starts_again(home: World) -> None:
    """Without syslog siproxd goes on; with the first line after that it is found again, and says how many were lost."""
    place = home.network.dir / "syslog"
    device = home.network.dir / "dev"
    device.mkdir()
    # A /dev that only this siproxd sees, whose syslog is ours.
    prefix = ("sh", "-c", f'mount -t tmpfs tmpfs "{device}" && mknod -m 666 "{device}/null" c 1 3 && mknod -m 666 "{device}/urandom" c 1 9 &&'
              f' ln -s "{place}" "{device}/log" && mount --bind "{device}" /dev && exec "$@"', "sh")
    first = syslogd(place)
    pid_file = home.network.dir / "pid"
    siproxd = Siproxd(home.network, prefix=prefix, options=(), daemonize=1, silence_log=1, pid_file=pid_file, wait=False)
    assert siproxd.process.wait_end(10) == 0
    assert re.search(r"^<30>\w{3} [ \d]\d [\d:]{8} siproxd\[\d+\]: siproxd [\d.]+ starts$", line(first, " starts"))
    pid = int(until(lambda: pid_file.read_text().strip(), 5, "the process number"))
    try:
        first.close()
        for _ in range(3):
            os.kill(pid, signal.SIGUSR1)
            _settle(home)
        second = syslogd(place)

        def arrives() -> str:
            os.kill(pid, signal.SIGUSR1)
            second.settimeout(0.3)
            try:
                return second.recv(2000).decode()
            except socket.timeout:
                return ""

        told = until(arrives, 5, "a line at the new syslog")
        lost = re.search(r"<28>.*\((\d+) log lines were lost here: syslog took none\)", told)
        assert lost and int(lost.group(1)) >= 6, told
        second.settimeout(5)
        assert "<30>" in line(second, "status: ")
        # One that does not read is not waited for.
        for _ in range(200):
            os.kill(pid, signal.SIGUSR1)
            _settle(home)
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the daemon to end")


def _settle(home: World) -> None:
    """Waits until siproxd has done what it was told: it answers."""
    phone = home.endpoint("phone1")
    call_id = phone.call_id()
    phone.send(phone.request("OPTIONS", f"sip:{ROUTER_LAN}", sender="sip:a@10.0.0.1", call_id=call_id), OUTBOUND)
    phone.wait_response(call_id)
    phone.close()
