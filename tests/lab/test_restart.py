"""siproxd comes back with the bindings and calls it had, however it ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.callcheck import assert_both_ways, assert_no_leak, assert_ports_closed, observed
from lab.wait import until
from lab.world import World


# Seconds of sound that are looked at.
PART = 2.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home whose siproxd saves its bindings every second."""
    with World("phone1", "remote", autosave_registrations=1) as made:
        yield made


def _saved(world: World) -> bool:
    file = Path(str(world.siproxd.directives["registration_file"]))
    return file.exists() and "alice" in file.read_text()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_incoming_call_after_restart(world: World, how: signal.Signals) -> None:
    """A call arrives although the phone has not registered again."""
    until(lambda: _saved(world), 15, "the bindings to be saved", [world.siproxd.log])
    if how == signal.SIGTERM:
        assert world.siproxd.stop() == 0
        assert _saved(world)
    else:
        world.siproxd.kill()
    world.siproxd.start()
    world.call(world["remote"], world["phone1"])


@pytest.mark.parametrize("caller", ["phone1", "remote"])
@pytest.mark.parametrize("moment", ["ringing", "talking"])
def test_sound_goes_on_over_a_restart(world: World, moment: str, caller: str) -> None:
    """What is under way when siproxd is stopped and started again goes on: the answer arrives, and both hear each other."""
    phone, remote = world["phone1"], world["remote"]
    first, other = (phone, remote) if caller == "phone1" else (remote, phone)
    since, at_other = first.mark(), other.mark()
    with observed(world.network) as seen:
        first.dial(f"sip:{other.user}@provider.example")
        other.event("CALL_INCOMING", at_other)
        if moment == "ringing":
            _restart(world)
        other.accept()
        first.event("CALL_ESTABLISHED", since)
        if moment == "talking":
            _restart(world)
        talking = time.time()
        time.sleep(PART)
        first.hangup()
        other.event("CALL_CLOSED", at_other)
        assert_ports_closed(world.network)
    assert_no_leak(seen, world.network)
    assert_both_ways(seen, phone.address, remote.address, world.wan, talking, PART)


def _restart(world: World) -> None:
    assert world.siproxd.stop() == 0
    world.siproxd.start()


def test_restart_during_a_call(world: World) -> None:
    """A BYE after a kill still finds its way, since routes are in the messages themselves."""
    phone, remote = world["phone1"], world["remote"]
    since, at_remote = phone.mark(), remote.mark()
    phone.dial("sip:carol@provider.example")
    remote.event("CALL_INCOMING", at_remote)
    remote.accept()
    phone.event("CALL_ESTABLISHED", since)
    world.siproxd.kill()
    world.siproxd.start()
    phone.hangup()
    remote.event("CALL_CLOSED", at_remote)
    world.call(world["phone1"], world["remote"])
