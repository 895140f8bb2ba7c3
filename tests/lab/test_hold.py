"""Hold and resume from either side: the media comes back, on the same ports."""

from __future__ import annotations

import time

import pytest
from lab.baresip import Phone
from lab.callcheck import assert_both_ways, assert_no_leak, assert_ports_closed, observed
from lab.kamailio import aor
from lab.netns import ROUTER_LAN
from lab.pcap import Sip
from lab.wait import until
from lab.world import World

# Seconds of talk before, and after the hold.
PART = 1.5


def _offers(messages: list[Sip], receiver: str) -> list[Sip]:
    """INVITEs with a session description that reached `receiver`."""
    return [message for message in messages
            if message.start.startswith("INVITE ") and message.body and message.packet.dst == receiver]


@pytest.mark.parametrize("holder", ["phone1", "remote"])
@pytest.mark.parametrize("caller", ["phone1", "remote"])
def test_hold_and_resume(world: World, caller: str, holder: str) -> None:
    """The held side is told, and after resume both hear again."""
    first, other = world[caller], world["remote" if caller == "phone1" else "phone1"]
    holding = world[holder]
    phone, remote = world["phone1"], world["remote"]
    with observed(world.network) as seen:
        since, at_first = other.mark(), first.mark()
        first.dial(aor(other.user))
        other.event("CALL_INCOMING", since)
        other.accept()
        first.event("CALL_ESTABLISHED", at_first)
        time.sleep(PART)
        _change(holding, "hold", first, other)
        time.sleep(0.3)
        _change(holding, "resume", first, other)
        resumed = time.time()
        time.sleep(PART)
        ended = time.time()
        first.hangup()
        other.event("CALL_CLOSED", since)
        assert_ports_closed(world.network)
    assert_no_leak(seen, world.network)
    assert_both_ways(seen, phone.address, remote.address, world.wan, resumed, ended - resumed)
    offers = [message.body for message in _offers(seen.lan_sip(), phone.address)
              + _offers(seen.wan_sip(), "203.0.113.10") + _offers(seen.lan_sip(), ROUTER_LAN)]
    assert any("a=sendonly" in body or "a=inactive" in body for body in offers), offers
    for messages, sender in ((seen.lan_sip(), ROUTER_LAN), (seen.wan_sip(), world.wan)):
        # An offer that is challenged makes no call; what comes after the challenge does.
        challenged = max((message.packet.time for message in messages if message.status == 407), default=0.0)
        ports = {line for message in messages if message.packet.src == sender and message.packet.time > challenged
                 for line in message.body.splitlines() if line.startswith("m=audio")}
        assert len({line.split()[1] for line in ports}) == 1, f"{sender} changed its media port: {ports}"


def _change(phone: Phone, command: str, *both: Phone) -> None:
    """Sends a re-INVITE and waits until the phone has its answer."""
    marks = [one.mark() for one in both]
    phone.command(command)
    until(lambda: all(one.events("CALL_REMOTE_SDP", mark) for one, mark in zip(both, marks)), 10,
          f"both phones to agree on {command}", [one.log for one in both])
