"""`siproxd debug`: debug lines for a time, read piece by piece as a page in a browser does, with nobody there meanwhile."""

from __future__ import annotations

from lab.control import Line, ask
from lab.netns import ROUTER_LAN, SIP_PORT
from lab.wait import until
from lab.world import World

# Seconds for which it is switched on.
SECONDS = 2


def _ping(world: World) -> None:
    """A phone asks siproxd something, and is answered."""
    endpoint = world.endpoint("phone3")
    try:
        call_id = endpoint.call_id()
        message = endpoint.request("OPTIONS", f"sip:{ROUTER_LAN}", sender="sip:x@home.example", call_id=call_id, contact=False)
        endpoint.send(message, (ROUTER_LAN, SIP_PORT))
        assert endpoint.wait_response(call_id).status == 200
    finally:
        endpoint.close()


def _behind(world: World, lines: list[Line]) -> list[Line]:
    """The lines of the log behind those."""
    return ask(world.siproxd, "log", "--after", str(lines[-1]["at"]))


def _debug(lines: list[Line]) -> int:
    return sum(" DEBUG " in line["line"] for line in lines)


def test_it_ends_by_itself() -> None:
    """No debug line before and after; meanwhile those of the classes, though nobody reads."""
    with World("phone1", options=()) as world:
        _ping(world)
        before = ask(world.siproxd, "log", "--after", "0")
        assert before and not _debug(before)
        on, = ask(world.siproxd, "debug", "traffic,sip", str(SECONDS))
        assert (on["type"], on["classes"], on["remaining"]) == ("debug", 0x84, SECONDS)
        _ping(world)
        assert ask(world.siproxd, "status")[0]["debug"]["temporary"] == 0x84
        meanwhile = _behind(world, before)
        assert any("debug: sip,traffic for 2 s" in line["line"] for line in meanwhile)
        assert _debug(meanwhile) and any("OPTIONS sip:" in line["line"] for line in meanwhile)
        until(lambda: ask(world.siproxd, "status")[0]["debug"]["temporary"] == 0, 10, "its end")
        end = _behind(world, meanwhile)
        assert "debug: as debug_level says again" in end[-1]["line"]
        _ping(world)
        assert not _debug(_behind(world, end))
