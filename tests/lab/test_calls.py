"""Calls with real phones and real audio, each by the whole call check."""

from __future__ import annotations

import time

from lab.callcheck import assert_ports_closed, observed, talk
from lab.kamailio import aor
from lab.world import TALK, World


def test_lan_to_wan(world: World) -> None:
    """A LAN phone calls out."""
    world.call(world["phone1"], world["remote"])


def test_wan_to_lan(world: World) -> None:
    """A call from the Internet reaches the LAN phone."""
    world.call(world["remote"], world["phone1"])


def test_lan_to_lan_through_the_provider(world: World) -> None:
    """Two phones of one home call each other by their provider's names."""
    world.call(world["phone1"], world["phone2"])


def test_callee_hangs_up(world: World) -> None:
    """The BYE comes from the other side, in both directions of set-up."""
    for caller, callee in ((world["phone1"], world["remote"]), (world["remote"], world["phone1"])):
        with observed(world.network) as seen:
            since, at_caller = callee.mark(), caller.mark()
            caller.dial(aor(callee.user))
            callee.event("CALL_INCOMING", since)
            callee.accept()
            callee.event("CALL_ESTABLISHED", since)
            time.sleep(TALK)
            callee.hangup()
            caller.event("CALL_CLOSED", at_caller)
            assert_ports_closed(world.network)
        world.check(seen, caller, callee, TALK)


def test_two_calls_at_once(world: World) -> None:
    """One out and one in at the same time, on different ports, do not mix."""
    phone1, phone2, remote, remote2 = (world[host] for host in ("phone1", "phone2", "remote", "remote2"))
    with observed(world.network) as seen:
        since = phone2.mark()
        remote2.dial(aor("bob"))
        phone2.event("CALL_INCOMING", since)
        phone2.accept()
        phone2.event("CALL_ESTABLISHED", since)
        talk(phone1, remote, aor("carol"), TALK)
        remote2.hangup()
        phone2.event("CALL_CLOSED", since)
        assert_ports_closed(world.network)
    world.check(seen, phone1, remote, TALK)
    world.check(seen, remote2, phone2, TALK)
