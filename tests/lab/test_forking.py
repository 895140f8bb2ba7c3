"""Several phones under one name at siproxd's own registrar: all ring, one answers."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from lab.baresip import Account, Phone
from lab.callcheck import assert_ports_closed, observed, relay_ports
from lab.netns import REMOTES
from lab.world import HOME_DOMAIN, OUTBOUND, TALK, World

GRETE = f"sip:grete@{HOME_DOMAIN}"

# Seconds after which a caller whom everybody has refused must have heard so.
QUICKLY = 2.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home with two phones for one person, another phone, and a caller on the WAN that `wan_allow` admits."""
    with World("remote", wan_allow=f"{REMOTES['remote']}/32") as made:
        for host, user in (("phone1", "grete"), ("phone2", "grete"), ("phone3", "hans")):
            made.phone(host, [Account(user, domain=HOME_DOMAIN, secret="", outbound=OUTBOUND, regint=120)])
        for host in ("phone1", "phone2", "phone3"):
            made[host].registered()
        yield made


def ring(world: World, caller: Phone) -> dict[str, int]:
    """The caller dials; both phones ring. Returns the marks from before."""
    marks = {host: world[host].mark() for host in ("phone1", "phone2", caller.host)}
    caller.dial(GRETE)
    for host in ("phone1", "phone2"):
        world[host].event("CALL_INCOMING", marks[host])
    return marks


@pytest.mark.parametrize("caller", ["phone3", "remote"])
@pytest.mark.parametrize(("answers", "stops"), [("phone1", "phone2"), ("phone2", "phone1")])
def test_one_answers_and_the_other_stops(world: World, caller: str, answers: str, stops: str) -> None:
    """Both ring, one answers and is heard, the other one's call is cancelled."""
    one, other = world[answers], world[stops]
    open_before = relay_ports(world.network)
    with observed(world.network) as seen:
        marks = ring(world, world[caller])
        one.accept()
        world[caller].event("CALL_ESTABLISHED", marks[caller])
        other.event("CALL_CLOSED", marks[stops])
        time.sleep(TALK)
        world[caller].hangup()
        one.event("CALL_CLOSED", marks[answers])
        assert_ports_closed(world.network, open_before)
    world.check(seen, world[caller], one, TALK)
    sip = seen.lan_sip()
    assert [m.packet.src for m in sip if m.status == 487] == [other.address], "the other phone's INVITE ends in 487"
    assert not other.events("CALL_ESTABLISHED", marks[stops])


def test_one_refuses_and_the_other_answers(world: World) -> None:
    """A refusal of one phone is not the end: the caller hears of the other one only."""
    caller, one, other = world["phone3"], world["phone1"], world["phone2"]
    with observed(world.network) as seen:
        marks = ring(world, caller)
        other.hangup()
        other.event("CALL_CLOSED", marks["phone2"])
        one.accept()
        caller.event("CALL_ESTABLISHED", marks["phone3"])
        time.sleep(TALK)
        caller.hangup()
        one.event("CALL_CLOSED", marks["phone1"])
        assert_ports_closed(world.network)
    world.check(seen, caller, one, TALK)


def test_both_refuse(world: World) -> None:
    """The caller hears it at once, and no relay port stays open."""
    caller = world["phone3"]
    marks = ring(world, caller)
    for host in ("phone1", "phone2"):
        world[host].hangup()
    refused_at = time.monotonic()
    closed = caller.event("CALL_CLOSED", marks["phone3"])
    assert time.monotonic() - refused_at < QUICKLY
    assert "486" in str(closed.get("param")) or "603" in str(closed.get("param")), closed
    assert_ports_closed(world.network)


def test_caller_gives_up(world: World) -> None:
    """Both phones stop ringing, and the caller's INVITE ends in 487."""
    caller = world["phone3"]
    with observed(world.network) as seen:
        marks = ring(world, caller)
        caller.event("CALL_RINGING", marks["phone3"])
        caller.hangup()
        for host in ("phone1", "phone2"):
            world[host].event("CALL_CLOSED", marks[host])
        assert_ports_closed(world.network)
    assert any(m.status == 487 and m.packet.dst == caller.address for m in seen.lan_sip())


def test_a_phone_that_is_gone_does_not_hold_up_the_call(world: World) -> None:
    """One phone was switched off without a word; its binding lives on, its port refuses."""
    caller, one, gone = world["phone3"], world["phone1"], world["phone2"]
    gone.process.stop(signal.SIGKILL)
    world.call(caller, one, uri=GRETE)
    marks = {host: world[host].mark() for host in ("phone1", "phone3")}
    caller.dial(GRETE)
    one.event("CALL_INCOMING", marks["phone1"])
    one.hangup()
    refused_at = time.monotonic()
    closed = caller.event("CALL_CLOSED", marks["phone3"])
    assert time.monotonic() - refused_at < QUICKLY
    assert "486" in str(closed.get("param")) or "603" in str(closed.get("param")), closed
