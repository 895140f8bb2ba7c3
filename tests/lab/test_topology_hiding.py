"""What the WAN sees: one Via, our Contact, our address, and none of the home's."""

from __future__ import annotations

import pytest
from lab.callcheck import Observation, assert_no_leak, observed
from lab.kamailio import TRUNK, aor
from lab.netns import PROVIDER, REMOTES
from lab.pcap import Sip
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import register
from lab.world import World


# Seconds of a call after which baresip has RTCP statistics, which it puts into its BYE.
STATISTICS = 6.5


@pytest.fixture(scope="module")
def seen(world: World) -> Observation:
    """One call out and one in, of a baresip that puts statistics with its address into BYE."""
    out = world.call(world["phone1"], world["remote"], STATISTICS)
    back = world.call(world["remote"], world["phone1"])
    return Observation(out.lan + back.lan, out.wan + back.wan)


def _ours(seen: Observation, world: World) -> list[Sip]:
    return [message for message in seen.wan_sip() if message.packet.src == world.wan]


def test_one_via(seen: Observation, world: World) -> None:
    """Every request that leaves has one Via, with the WAN address."""
    requests = [message for message in _ours(seen, world) if message.is_request]
    assert {message.method for message in requests} >= {"INVITE", "ACK", "BYE"}
    for message in requests:
        vias = [part for value in message.all("via") for part in value.split(",")]
        assert len(vias) == 1 and f"{world.wan}:5060" in vias[0], vias


def test_contact_and_media_address(seen: Observation, world: World) -> None:
    """Contacts and session descriptions name the router."""
    for message in _ours(seen, world):
        for contact in message.all("contact"):
            assert world.wan in contact, contact
        for line in message.body.splitlines():
            if line.startswith(("c=", "o=")):
                assert line.endswith(world.wan), line


def test_statistics_header_is_kept_without_the_address(seen: Observation, world: World) -> None:
    """baresip's X-RTP-Stat passes, with our address in place of the phone's."""
    values = [value for message in _ours(seen, world) if message.start.startswith("BYE ")
              for value in message.all("x-rtp-stat")]
    assert values and all(world.wan in value for value in values), values
    assert_no_leak(seen, world.network)


def test_call_id_with_an_address_is_hidden_reversibly(world: World) -> None:
    """The WAN sees another Call-ID, the phone always its own."""
    phone, callee = world.endpoint("phone3"), world.endpoint("remote2")
    register(world, phone)
    world.provider.add("erin", f"sip:erin@{REMOTES['remote2']}:{callee.port}")
    own = f"12345@{phone.address}"
    with observed(world.network) as seen:
        phone.send(phone.request("OPTIONS", aor("erin"), sender=aor(TRUNK), call_id=own), PROXY)
        request = callee.wait_request("OPTIONS")
        assert phone.address not in request.first("call-id")
        callee.send(callee.answer(request, 200, "OK"), (PROVIDER, 5060))
        response = phone.wait_response(own)
        assert response.status == 200
    assert_no_leak(seen, world.network)
    phone.close()
    callee.close()
