"""Real phones: what they do in a call that is well is no fault, and a fault of the network is told as such."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from lab.baresip import Phone
from lab.kamailio import aor
from lab.netns import PHONES, REMOTES
from lab.pjsua import PjPhone
from lab.verdict import Told, status, verdict
from lab.wait import until
from lab.world import OUTBOUND, World

# Seconds in which a phone has sent its second report (RFC 3550 §6.2: one every 5 s on average).
SECOND_REPORT = 20

# Milliseconds that no way in the lab takes.
FAST = 20


def _call(world: World, caller: Phone, callee: Phone, happens: Callable[[], None]) -> Told:
    """A call in which something happens; what siproxd says of it."""
    start = len(world.siproxd.text())
    at_caller, at_callee = caller.mark(), callee.mark()
    caller.dial(aor(callee.user))
    callee.event("CALL_INCOMING", at_callee)
    callee.accept()
    caller.event("CALL_ESTABLISHED", at_caller)
    callee.event("CALL_ESTABLISHED", at_callee)
    happens()
    caller.hangup()
    callee.event("CALL_CLOSED", at_callee)
    return verdict(world, callee.user, start)


@pytest.mark.parametrize(("caller", "callee"), [("phone1", "remote"), ("remote", "phone1"), ("phone1", "phone2")])
def test_a_good_call_has_no_sentence(world: World, caller: str, callee: str) -> None:
    """Talk until both have reported twice: no loss, a short way, a good score."""
    first, second = world[caller], world[callee]

    def reported() -> bool:
        told = status(world, second.user)
        return None not in (told.caller.round_trip, told.callee.round_trip)

    told = _call(world, first, second, lambda: until(reported, SECOND_REPORT, "both round trips", [world.siproxd.log],
                                                      interval=1))
    assert told.sentence is None
    for said in (told.caller, told.callee):
        assert said.codec == "G.711" and said.packets > 200 and said.bytes == said.packets * 172, said.text
        assert (said.lost, said.beyond) == (0, 0), said.text
        assert said.round_trip is not None and said.round_trip < FAST, said.text
        assert said.mos is not None and 4.2 <= said.mos <= 4.41, said.text
    # A phone's first packet may overtake its answer.
    assert told.strangers <= 2


def test_hold_and_keys_are_no_fault(world: World) -> None:
    """The phone is put on hold for longer than silence is borne, resumes, and keys are pressed."""
    phone, remote = world["phone1"], world["remote"]

    def happens() -> None:
        time.sleep(1)
        phone.hold()
        time.sleep(4)
        phone.resume()
        time.sleep(1)
        remote.dtmf("19")
        time.sleep(1)

    told = _call(world, phone, remote, happens)
    assert told.sentence is None
    assert told.callee.packets > 80 and told.caller.lost == told.callee.lost == 0, (told.caller.text, told.callee.text)


def test_a_phone_that_says_nothing_while_nobody_speaks_is_no_fault() -> None:
    """PJSUA2 with its silence detector: half a second of silence, one packet in five seconds from then on, no comfort noise."""
    with World() as world:
        phone = PjPhone(world.network, "phone1", PHONES["phone1"], "alice", 0, OUTBOUND, ("pauses",))
        remote = PjPhone(world.network, "remote", REMOTES["remote"], "carol", 1100)
        for one in (phone, remote):
            one.registered()
        start, at_remote = len(world.siproxd.text()), remote.mark()
        number, _ = phone.call(remote, aor("carol"))
        time.sleep(8)
        phone.command("hangup", number)
        remote.event("state .* DISCONN", at_remote)
        told = verdict(world, "carol", start)
        for one in (phone, remote):
            one.stop()
        assert told.caller.packets < 100 < told.callee.packets, (told.caller.text, told.callee.text)
        assert told.sentence is None, (told.caller.text, told.callee.text)


def test_a_closed_firewall_is_told(world: World) -> None:
    """A packet filter in the router swallows what comes from the Internet, for all of the call, or after its first second."""
    phone, remote = world["phone1"], world["remote"]
    low, high = world.network.rtp_range
    rules = f"table inet swallow {{ chain in {{ type filter hook input priority -300; iifname wan udp dport {low}-{high + 1} drop; }}; }}"

    def closed_later() -> None:
        time.sleep(1)
        world.network.nft("router", rules)
        time.sleep(4.5)

    far_end = f"the far end {REMOTES['remote']}"
    told = _call(world, phone, remote, closed_later)
    assert told.sentence == f"{far_end} was blocked after the first {told.callee.packets} packets", told.callee.text
    told = _call(world, phone, remote, lambda: time.sleep(2.5))
    world.network.nft("router", "delete table inet swallow")
    assert told.sentence and told.sentence.startswith(f"nothing came from {far_end} to our UDP port "), told.sentence
    assert told.callee.packets == 0 and told.caller.packets > 100
