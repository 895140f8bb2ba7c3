"""`host_outbound` as a name that the DNS has: what the Internet is told follows the record while everything runs."""

from __future__ import annotations

from lab.netns import ROUTER_LAN, SIP_PORT, STRANGER
from lab.wait import until
from lab.world import World

NAME = "me.example"
FIRST, SECOND = "198.51.100.21", "198.51.100.22"
# Seconds within which a change is known: the TTL of the lab's records, a look every 5 s, and retries.
KNOWN = 25.0


def _answer(world: World) -> str:
    """The Contact that a server outside is told by a phone, or the status with which the request came back."""
    phone, server = world.endpoint("phone2"), world.endpoint("stranger", SIP_PORT)
    user, call_id = f"sip:someone@{STRANGER}", phone.call_id()
    phone.send(phone.request("OPTIONS", user, sender="sip:alice@provider.example", call_id=call_id), (ROUTER_LAN, SIP_PORT))
    first = phone.receive() if not _is_known(world) else None
    if first is None:
        request = server.wait_request("OPTIONS")
        server.send(server.answer(request, 200, "OK"), (request.packet.src, request.packet.sport))
        assert phone.wait_response(call_id).status == 200
    phone.close()
    server.close()
    return str(first.status) if first else request.first("contact")


def _is_known(world: World) -> bool:
    return f"host_outbound {NAME} is " in world.siproxd.text()


def test_the_name_is_looked_up_and_followed() -> None:
    """No WAN until the DNS says where we are; then its address, and another one when the record changes."""
    with World(proxy=False, host_outbound=NAME, allow_domains=STRANGER) as world:
        world.dns.silent = True
        world.start_siproxd()
        siproxd = world.siproxd
        siproxd.wait_line(rf"host_outbound {NAME} cannot be looked up.*refused until it has one", KNOWN)
        assert _answer(world) == "503"
        world.dns.records[NAME] = FIRST
        world.dns.silent = False
        siproxd.wait_line(rf"host_outbound {NAME} is {FIRST}", KNOWN)
        assert f"@{FIRST}:{SIP_PORT};" in _answer(world)
        world.dns.records[NAME] = SECOND
        siproxd.wait_line(rf"host_outbound {NAME} is {SECOND}", KNOWN)
        assert f"@{SECOND}:{SIP_PORT};" in _answer(world)
        world.dns.silent = True
        asked = len(world.dns.queries)
        until(lambda: len(world.dns.queries) >= asked + 2, KNOWN, "the name to be asked for in vain")
        assert f"@{SECOND}:{SIP_PORT};" in _answer(world)
