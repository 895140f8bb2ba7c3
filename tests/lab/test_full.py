"""Full tables and used-up ports: refused with the right status, and one log line that says what to change."""

from __future__ import annotations

from lab.kamailio import DOMAIN, aor
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import RawCall, register
from lab.world import World

# One pair on each side: room for one audio call.
ONE_CALL = (7070, 7071)


def test_full_registration_table() -> None:
    """The second phone gets 503 with Retry-After; the first one's refresh still fits."""
    with World(max_bindings=1) as world:
        first, second = world.endpoint("phone1", 5060), world.endpoint("phone2", 5060)
        register(world, first)
        call_id = second.call_id()
        second.send(second.request("REGISTER", f"sip:{DOMAIN}", sender=aor("trunk"), call_id=call_id,
                                   to=aor("trunk"), headers=("Expires: 300",)), PROXY)
        response = second.wait_response(call_id)
        assert response.status == 503 and response.first("retry-after"), response
        register(world, first)
        world.siproxd.wait_line("max_bindings")
        register(world, first, expires=0)
        register(world, second)


def test_no_port_left() -> None:
    """A call without a port is refused: 503 with a Warning to a phone, 480 with Retry-After to the WAN."""
    with World("phone1", "remote", rtp_range=ONE_CALL) as world:
        running = RawCall(world)
        running.establish()
        phone, remote = world["phone1"], world["remote"]

        other = world.endpoint("phone2")
        call_id = other.call_id()
        other.send(other.request("INVITE", aor("carol"), sender=aor("alice"), call_id=call_id, body=other.offer()),
                   PROXY)
        response = other.wait_response(call_id)
        assert response.status == 503, response.start
        assert response.first("warning") and not response.first("retry-after"), response.headers

        since = remote.mark()
        remote.dial(aor("alice"))
        closed = remote.event("CALL_CLOSED", since)
        assert "480" in str(closed.get("param")), closed
        world.siproxd.wait_line("rtp_port_(high|low)")

        running.assert_media()
        running.hang_up()
        world.call(phone, remote)
        running.close()
