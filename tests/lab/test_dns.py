"""Names that do not resolve, and a DNS server that is dead: the phone gets an answer, and nothing else waits."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from lab.kamailio import aor
from lab.netns import PHONES
from lab.process import run
from lab.rawcall import OUTBOUND as PROXY
from lab.world import World

# Seconds within which a phone must have its answer: before it gives up itself (timer B/F, RFC 3261 §17.1, 32 s).
ANSWER = 15.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home with one phone."""
    with World("phone1", "remote") as made:
        yield made


@pytest.fixture
def silent_dns(world: World) -> Iterator[None]:
    """The DNS server hears everything and says nothing."""
    world.dns.silent = True
    yield
    world.dns.silent = False


def _ask(world: World, method: str, uri: str) -> tuple[int, float]:
    """Sends a request as a LAN phone; returns the final status, and how long it took."""
    phone = world.endpoint("phone3")
    call_id = phone.call_id()
    started = time.monotonic()
    text = phone.request(method, uri, sender=aor("alice"), call_id=call_id,
                         body=phone.offer() if method == "INVITE" else "")
    phone.send(text, PROXY)
    response = phone.wait_response(call_id, ANSWER)
    assert ";tag=" in response.first("to")
    phone.close()
    return response.status, time.monotonic() - started


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "MESSAGE"])
def test_unknown_domain_is_answered(world: World, method: str) -> None:
    """The name does not exist: the phone is told so at once."""
    uri = "sip:nowhere.invalid" if method == "REGISTER" else "sip:someone@nowhere.invalid"
    status, seconds = _ask(world, method, uri)
    assert 400 <= status < 700
    assert seconds < 3


def test_sipsak_is_answered(world: World) -> None:
    """sipsak's Via says 127.0.0.1: the answer goes to the packet's source."""
    done = run(world.network.ns("phone3"), ["sipsak", "-vv", "-H", PHONES["phone3"], "-p", "10.0.0.1:5060",
                                            "-s", "sip:someone@nowhere.invalid"], check=False)
    assert re.search(r"SIP/2\.0 [4-6]\d\d", done.stdout), done.stdout + done.stderr


def test_dead_server_is_504(world: World, silent_dns: None) -> None:
    """No DNS server answers: 504, in time for the phone to show it."""
    status, _ = _ask(world, "INVITE", "sip:someone@never-asked.example")
    assert status == 504


def test_nothing_else_waits_for_dns(world: World, silent_dns: None) -> None:
    """While a look-up hangs, calls to a known provider go on."""
    phone = world.endpoint("phone3")
    phone.send(phone.request("MESSAGE", "sip:x@other-never-asked.example", sender=aor("alice")), PROXY)
    world.call(world["phone1"], world["remote"])
    phone.close()
