"""Calls that are given up or refused leave no relay port behind."""

from __future__ import annotations

import pytest
from lab.callcheck import assert_no_leak, assert_ports_closed, observed, relay_ports
from lab.kamailio import aor
from lab.world import World

WAYS = [("phone1", "remote"), ("remote", "phone1"), ("phone1", "phone2")]


@pytest.mark.parametrize(("caller", "callee"), WAYS)
def test_cancel_while_ringing(world: World, caller: str, callee: str) -> None:
    """The callee stops ringing, the caller gets 487, the ports close."""
    one, two = world[caller], world[callee]
    at_one, at_two = one.mark(), two.mark()
    with observed(world.network) as seen:
        one.dial(aor(two.user))
        two.event("CALL_INCOMING", at_two)
        one.event("CALL_RINGING", at_one)
        assert relay_ports(world.network), "ports are reserved with the offer"
        one.hangup()
        two.event("CALL_CLOSED", at_two)
        assert_ports_closed(world.network)
    messages = seen.lan_sip() if caller == "phone1" else seen.wan_sip()
    assert any(message.status == 487 for message in messages), "the INVITE ends in 487"
    assert_no_leak(seen, world.network)


@pytest.mark.parametrize(("caller", "callee"), WAYS)
def test_refused_call(world: World, caller: str, callee: str) -> None:
    """A busy callee: the caller is told, the ports close."""
    one, two = world[caller], world[callee]
    at_one, at_two = one.mark(), two.mark()
    with observed(world.network) as seen:
        one.dial(aor(two.user))
        two.event("CALL_INCOMING", at_two)
        two.hangup()
        closed = one.event("CALL_CLOSED", at_one)
        assert_ports_closed(world.network)
    assert "486" in str(closed.get("param")) or "603" in str(closed.get("param")), closed
    assert_no_leak(seen, world.network)


def test_unknown_callee(world: World) -> None:
    """The provider's 404 reaches the phone, the ports close."""
    phone = world["phone1"]
    since = phone.mark()
    phone.dial(aor("nobody"))
    closed = phone.event("CALL_CLOSED", since)
    assert "404" in str(closed.get("param")), closed
    assert_ports_closed(world.network)
