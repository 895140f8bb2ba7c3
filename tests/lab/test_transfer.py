"""Transfers, blind and attended, from either side of the router and across it: afterwards the two who are left hear each other."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab.audio import tone_share
from lab.callcheck import HEARD_SHARE, TONE_SHARE, assert_hears, assert_no_leak, assert_ports_closed, observed, relay_ports
from lab.kamailio import DOMAIN, aor
from lab.netns import PHONES, REMOTES
from lab.pjsua import PjPhone
from lab.wait import until
from lab.world import OUTBOUND, TONES, USERS, World

# Seconds of talk before a transfer, and behind it.
BEFORE = 0.5
TALK = 2.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones yet."""
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def phones(world: World) -> dict[str, PjPhone]:
    """Two PJSUA2 phones at home and two outside, registered."""
    places = {"phone1": PHONES["phone1"], "phone2": PHONES["phone2"], "remote": REMOTES["remote"],
              "remote2": REMOTES["remote2"]}
    made = {host: PjPhone(world.network, host, address, USERS[host], TONES[host], OUTBOUND if host in PHONES else None)
            for host, address in places.items()}
    for phone in made.values():
        phone.registered()
    return made


@pytest.fixture(autouse=True)
def no_calls_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call that a failed test has left would be in the next one's way."""
    yield
    if "phones" in request.fixturenames:
        for phone in request.getfixturevalue("phones").values():
            since = phone.mark()
            phone.command("end")
            phone.event("ended", since)


def _named(world: World, target: PjPhone, how: str) -> str:
    """A phone's URI: its address-of-record, its Contact as the provider has it, or its place on the LAN."""
    if how == "aor":
        return aor(target.user)
    if how == "contact":
        return world.provider.contacts(target.user)[0]
    return f"sip:{target.user}@{target.address}:5060"


def _talk_and_hang_up(world: World, left: PjPhone, left_call: int, other: PjPhone, other_call: int) -> None:
    """The two who are left hear each other, by a relay exactly if one of them is at home; then it is closed."""
    left.event(f"state {left_call} CONFIRMED")
    other.event(f"state {other_call} CONFIRMED")
    at_home = any(phone.host in PHONES for phone in (left, other))
    until(lambda: bool(relay_ports(world.network)) == at_home, 5, f"relay ports are {'open' if at_home else 'closed'}")
    time.sleep(TALK)
    left.command("hangup", left_call)
    other.event(f"state {other_call} DISCONN")
    for phone, call, tone in ((left, left_call, other.tone), (other, other_call, left.tone)):
        share, heard = tone_share(phone.recording(call), tone)
        assert share >= TONE_SHARE and heard >= HEARD_SHARE * TALK, \
            f"{phone.host} heard {tone} Hz with {share:.0%} of the energy, {heard:.1f} s of sound"
    assert_ports_closed(world.network)


@pytest.mark.parametrize(("transferor", "party", "target", "how"), [
    ("phone1", "remote", "remote2", "aor"),
    ("phone1", "remote", "phone2", "aor"),
    ("phone1", "remote", "phone2", "place"),
    ("remote", "phone1", "remote2", "aor"),
    ("remote", "phone1", "phone2", "aor"),
    ("remote", "phone1", "phone2", "contact"),
    ("phone1", "phone2", "remote", "aor"),
])
def test_blind(world: World, phones: dict[str, PjPhone], transferor: str, party: str, target: str, how: str) -> None:
    """One tells the other to call a third, and leaves once that one has answered."""
    one, other, third = phones[transferor], phones[party], phones[target]
    with observed(world.network) as seen:
        mine, theirs = one.call(other, aor(other.user))
        time.sleep(BEFORE)
        since, at_other, at_third = one.mark(), other.mark(), third.mark()
        one.command("transfer", mine, _named(world, third, how))
        new = int(other.event(rf"transferred {theirs} (\d+)", at_other)[1])
        taken = int(third.event(r"incoming (\d+)", at_third)[1])
        third.command("answer", taken)
        one.event(f"progress {mine} 200 1", since)
        one.event(f"state {mine} DISCONN", since)
        _talk_and_hang_up(world, other, new, third, taken)
    assert_no_leak(seen, world.network)


@pytest.mark.parametrize(("transferor", "party", "target"), [
    ("phone1", "remote", "remote2"),
    ("phone1", "remote", "phone2"),
    ("phone1", "phone2", "remote"),
    ("remote", "phone1", "remote2"),
    ("remote", "phone1", "phone2"),
])
@pytest.mark.parametrize("consults", ["calls", "is called"])
def test_attended(world: World, phones: dict[str, PjPhone], transferor: str, party: str, target: str,
                  consults: str) -> None:
    """One has a call with either of two others, opened by him or by the third, and joins them: the new call takes the place of his."""
    one, other, third = phones[transferor], phones[party], phones[target]
    with observed(world.network) as seen:
        mine, theirs = one.call(other, aor(other.user))
        if consults == "calls":
            second, consulted = one.call(third, aor(third.user))
        else:
            consulted, second = third.call(one, aor(one.user))
        time.sleep(BEFORE)
        since, at_other, at_third = one.mark(), other.mark(), third.mark()
        one.command("attended", mine, second)
        new = int(other.event(rf"transferred {theirs} (\d+)", at_other)[1])
        taken = int(third.event(rf"replacing {consulted} (\d+)", at_third)[1])
        one.event(f"progress {mine} 200 1", since)
        one.event(f"state {second} DISCONN", since)
        one.event(f"state {mine} DISCONN", since)
        _talk_and_hang_up(world, other, new, third, taken)
    assert_no_leak(seen, world.network)


@pytest.mark.parametrize(("transferor", "party"), [("phone1", "remote"), ("remote", "phone1")])
def test_blind_with_baresip(transferor: str, party: str) -> None:
    """The same with another program on all sides."""
    with World("phone1", "remote", "remote2") as world:
        one, other, third = world[transferor], world[party], world["remote2"]
        with observed(world.network) as seen:
            since, at_other, at_third = one.mark(), other.mark(), third.mark()
            one.dial(aor(other.user))
            other.event("CALL_INCOMING", at_other)
            other.accept()
            one.event("CALL_ESTABLISHED", since)
            time.sleep(BEFORE)
            at_other = other.mark()
            one.command("transfer", f"sip:{third.user}@{DOMAIN}")
            third.event("CALL_INCOMING", at_third)
            third.accept()
            third.event("CALL_ESTABLISHED", at_third)
            one.event("CALL_CLOSED", since)
            time.sleep(TALK)
            third.hangup()
            other.event("CALL_CLOSED", at_other)
            assert_ports_closed(world.network)
        assert_hears(third, other.tone, TALK)
        assert_hears(other, third.tone, TALK)
        assert_no_leak(seen, world.network)
