"""Where a phone may send: to its providers, and to what `allow_domains` names."""

from __future__ import annotations

import pytest
from lab.netns import STRANGER
from lab.world import World


@pytest.mark.parametrize(("directives", "status"), [({}, 403), ({"allow_domains": STRANGER}, 200)])
def test_a_server_of_nobody(directives: dict[str, str], status: int) -> None:
    """It is out of reach, until the owner of the router names it."""
    with World("phone1", **directives) as world:
        phone, server = world.endpoint("phone2"), world.endpoint("stranger", 5060)
        call_id, user = phone.call_id(), f"sip:someone@{STRANGER}"
        phone.send(phone.request("OPTIONS", user, sender="sip:alice@provider.example", to=user, call_id=call_id),
                   ("10.0.0.1", 5060))
        if status == 200:
            request = server.wait_request("OPTIONS")
            server.send(server.answer(request, 200, "OK"), (request.packet.src, request.packet.sport))
        assert phone.wait_response(call_id).status == status
        if status == 403:
            server.nothing_for(0.5)
        phone.close()
        server.close()
