"""Messages that must not touch running media: stray BYEs, refused re-INVITEs, a CANCEL that comes too late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab.callcheck import assert_ports_closed
from lab.kamailio import aor
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import RawCall
from lab.wait import Timeout
from lab.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones: the tests speak SIP themselves."""
    with World() as made:
        yield made


def test_stray_bye_leaves_media_alone(world: World, call: RawCall) -> None:
    """From a WAN stranger, from another LAN host, and with the right Call-ID but a wrong tag."""
    call.establish()
    assert call.request
    outside = call.request.first("call-id")
    stranger, neighbour = world.endpoint("stranger"), world.endpoint("phone2")
    for tag in ("wrong", call.b.tag):
        stranger.send(stranger.request("BYE", f"sip:trunk@{world.wan}:5060", sender=aor(call.callee), call_id=outside,
                                       to_tag=tag, cseq=77), (world.wan, 5060))
        neighbour.send(neighbour.request("BYE", aor(call.callee), sender=aor("trunk"), call_id=call.call_id,
                                         to_tag=tag, cseq=77), PROXY)
    call.a.send(call.a.request("BYE", aor(call.callee), sender=aor("trunk"), call_id=call.call_id, to_tag="wrong", cseq=5),
                PROXY)
    stranger.nothing_for(0.5)
    call.assert_media()
    call.hang_up(20)
    assert_ports_closed(world.network)
    stranger.close()
    neighbour.close()


def test_refused_reinvite_leaves_media_alone(world: World, call: RawCall) -> None:
    """488 to a re-INVITE: the session goes on as it was (RFC 3261 §14.1)."""
    call.establish()
    branch = call.a.branch()
    call.invite_branch = branch
    call.in_dialog("INVITE", 2, call.a.offer(call.port), branch=branch)
    request = call.b.wait_request("INVITE")
    call.reply(request, 488, "Not Acceptable Here")
    response = call.a.wait_response(call.call_id, method="INVITE")
    assert response.status == 488
    call.in_dialog("ACK", 2, branch=branch)
    call.assert_media()
    call.hang_up()
    assert_ports_closed(world.network)


def test_2xx_that_crosses_a_cancel_keeps_media_until_bye(world: World, call: RawCall) -> None:
    """The callee answers in the moment of the CANCEL: the call is up, the BYE ends it."""
    call.invite()
    call.answer(180, "Ringing")
    call.a.wait_response(call.call_id, final=False, method="INVITE")
    call.cancel()
    request = call.b.wait_request("CANCEL")
    call.answer()
    call.reply(request, 200, "OK")
    assert call.finish_invite().status == 200
    call.b.wait_request("ACK")
    call.assert_media()
    call.hang_up()
    assert_ports_closed(world.network)


def test_cancelled_call_ends_in_487(world: World, call: RawCall) -> None:
    """The ordinary case, message by message."""
    call.invite()
    call.answer(180, "Ringing")
    call.cancel()
    call.reply(call.b.wait_request("CANCEL"), 200, "OK")
    assert call.a.wait_response(call.call_id, method="CANCEL").status == 200
    call.answer(487, "Request Terminated")
    assert call.finish_invite().status == 487
    # The provider takes the ACK for its own only if the branch is that of the INVITE (RFC 3261 §17.1.1.3); it would
    # go on saying 487 otherwise.
    call.a.drain()
    with pytest.raises(Timeout):
        call.a.wait_response(call.call_id, timeout=2)
    assert_ports_closed(world.network)
