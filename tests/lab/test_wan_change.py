"""The WAN address changes, goes and comes; siproxd is never restarted."""

from __future__ import annotations

from lab.baresip import Account
from lab.callcheck import assert_contact_is_router
from lab.netns import ROUTER_WAN
from lab.wait import until
from lab.world import OUTBOUND, World

NEW_WAN = "198.51.100.77"

# Seconds within which a new address must be in use.
SOON = 2.0

# Seconds between two registrations of the phone, and of the life of its binding.
REFRESH = 5


def _only(contacts: list[str], address: str) -> bool:
    return bool(contacts) and all(address in contact for contact in contacts)


def _knows(world: World, address: str) -> bool:
    return address in world.siproxd.text()


def test_new_call_and_registration_use_the_new_address() -> None:
    """After a reconnect with another address, calls out work at once, calls in after the phone's next refresh."""
    with World("remote") as world:
        world.phone("phone1", [Account("alice", outbound=OUTBOUND, regint=REFRESH)]).registered()
        world.call(world["phone1"], world["remote"])
        world.network.set_wan(NEW_WAN)
        world.wan = NEW_WAN
        until(lambda: _knows(world, NEW_WAN), SOON, "siproxd to see the address", [world.siproxd.log])
        until(lambda: _only(world.provider.contacts("alice"), NEW_WAN), 3 * REFRESH, "the new Contact alone",
              [world.siproxd.log, world["phone1"].log])
        world.call(world["phone1"], world["remote"])
        world.call(world["remote"], world["phone1"])
        world.siproxd.assert_alive()


def test_call_out_before_any_refresh() -> None:
    """Nothing but the address has changed, and the phone calls out."""
    with World("phone1", "remote") as world:
        world.network.set_wan(NEW_WAN)
        until(lambda: _knows(world, NEW_WAN), SOON, "siproxd to see the address", [world.siproxd.log])
        phone, remote = world["phone1"], world["remote"]
        since, at_remote = phone.mark(), remote.mark()
        phone.dial("sip:carol@provider.example")
        remote.event("CALL_INCOMING", at_remote)
        remote.accept()
        phone.event("CALL_RTPESTAB", since)
        remote.event("CALL_RTPESTAB", at_remote)
        phone.hangup()
        remote.event("CALL_CLOSED", at_remote)


def test_start_without_wan() -> None:
    """siproxd starts before the WAN is up; the phone is answered meanwhile, and registers once it is."""
    with World("remote", proxy=False) as world:
        world.network.set_wan(None)
        world.start_siproxd()
        phone = world.endpoint("phone3")
        call_id = phone.call_id()
        phone.send(phone.request("REGISTER", "sip:provider.example", sender="sip:trunk@provider.example",
                                 to="sip:trunk@provider.example", call_id=call_id), ("10.0.0.1", 5060))
        assert phone.wait_response(call_id, timeout=8).status >= 400, "a phone is never left in silence"
        phone.close()
        world.network.set_wan(ROUTER_WAN)
        until(lambda: _knows(world, ROUTER_WAN), SOON, "siproxd to see the address", [world.siproxd.log])
        world.phone("phone1").registered(30)
        assert_contact_is_router(world.provider.contacts("alice"), ROUTER_WAN)
        world.call(world["remote"], world["phone1"])
        world.siproxd.assert_alive()
