"""siproxd comes back with the bindings it had, however it ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.wait import until
from lab.world import World


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
