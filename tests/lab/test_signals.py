"""SIGTERM ends siproxd within a second, whatever it waits for; other signals end nothing."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.netns import ROUTER_LAN, SIP_PORT
from lab.rawcall import OUTBOUND
from lab.siproxd import Siproxd
from lab.sockets import socket_in
from lab.wait import until
from lab.world import World

# Seconds.
AT_ONCE = 1.0

# An address on the way to which everything is lost.
NOBODY = "192.0.2.99"


@pytest.fixture
def home() -> Iterator[World]:
    """A home without phones, whose siproxd is not started yet."""
    with World(proxy=False) as made:
        yield made


def _start(home: World) -> Siproxd:
    return Siproxd(home.network, pid_file=home.network.dir / "pid")


def _assert_ends_at_once(home: World, siproxd: Siproxd) -> None:
    """It ends in time, with what it has to do: registrations saved, pid file gone."""
    began = time.monotonic()
    siproxd.process.popen.send_signal(signal.SIGTERM)
    assert siproxd.process.popen.wait(5) == 0
    assert time.monotonic() - began < AT_ONCE
    assert not (home.network.dir / "pid").exists()
    assert "aor=saved@" in Path(str(siproxd.directives["registration_file"])).read_text()


def _register_here(home: World) -> None:
    phone = home.endpoint("phone1")
    call_id = phone.call_id()
    sender = f"sip:saved@{ROUTER_LAN}"
    phone.send(phone.request("REGISTER", f"sip:{ROUTER_LAN}", sender=sender, to=sender, call_id=call_id), OUTBOUND)
    assert phone.wait_response(call_id).status == 200
    phone.close()


def test_with_a_dns_that_is_dead(home: World) -> None:
    """A REGISTER waits for the name of its provider, which nobody will tell."""
    resolv_conf = Path("/etc/netns") / home.network.ns("router") / "resolv.conf"
    resolv_conf.write_text(f"nameserver {NOBODY}\n")
    siproxd = _start(home)
    siproxd.wait_line(f"nameservers: {NOBODY}:53")
    _register_here(home)
    phone = home.endpoint("phone2")
    sender = "sip:waits@provider.example"
    phone.send(phone.request("REGISTER", "sip:provider.example", sender=sender, to=sender), OUTBOUND)
    siproxd.wait_line("REGISTER sip:provider.example")
    _assert_ends_at_once(home, siproxd)
    phone.close()


def test_with_a_peer_that_never_reads(home: World) -> None:
    """A phone on TCP asks and asks, and takes no answer: the connection is full in both directions."""
    siproxd = _start(home)
    _register_here(home)
    peer = socket_in(home.network.ns("phone2"), socket.SOCK_STREAM)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect((ROUTER_LAN, SIP_PORT))
    request = home.endpoint("phone2")
    peer.settimeout(0.5)
    try:
        for _ in range(20000):
            peer.sendall(request.request("OPTIONS", f"sip:{ROUTER_LAN}", sender="sip:a@10.0.0.1").replace("/UDP", "/TCP").encode())
    except OSError:
        pass
    else:
        raise AssertionError("it has read everything")
    _assert_ends_at_once(home, siproxd)
    peer.close()
    request.close()


def test_with_a_log_that_nobody_reads_and_many_signals(home: World) -> None:
    """Hundreds of signals of every kind end nothing."""
    siproxd = _start(home)
    _register_here(home)
    for _ in range(100):
        for kind in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH):
            siproxd.process.popen.send_signal(kind)
    siproxd.wait_line("status: 0 calls")
    siproxd.assert_alive()
    until(lambda: "SIGUSR2 ignored" in siproxd.text(), 5, "the other signal in the log", [siproxd.log])
    _assert_ends_at_once(home, siproxd)
