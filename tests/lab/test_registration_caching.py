"""`lan_expires`: phones register often, their provider hears of it when it is time."""

from __future__ import annotations

import signal
import time

from lab.baresip import Account
from lab.callcheck import assert_contact_is_router, assert_hears, talk
from lab.capture import Capture
from lab.kamailio import aor
from lab.netns import LAN_INTERFACE
from lab.pcap import sip_messages
from lab.wait import until
from lab.world import OUTBOUND, TALK, World

NEW_WAN = "198.51.100.77"

# Seconds between two registrations of a phone. The provider grants what it is asked for.
LAN_EXPIRES = 3
GRANTED = 600

# Seconds over which registrations are counted: the phone sends four or more.
COUNTED = 14

# Seconds that a phone takes at most from a new WAN address to its next registration being answered by the provider.
HEALED = LAN_EXPIRES + 3

# Seconds of `lan_expires` and of lateness after which a phone counts as gone.
GONE = LAN_EXPIRES + 32


def _registers(capture: Capture) -> int:
    return sum(sip.is_request and sip.method == "REGISTER" for sip in sip_messages(capture.so_far()))


def _phone(world: World) -> None:
    world.phone("phone1", [Account("alice", outbound=OUTBOUND, regint=GRANTED)]).registered()


def test_the_provider_hears_of_the_first_one_alone() -> None:
    """The phone keeps to what it is told; on the WAN there is its first REGISTER, twice for the password. Calls work."""
    with World("remote", lan_expires=LAN_EXPIRES) as world:
        lan, wan = Capture(world.network, "router", LAN_INTERFACE), Capture(world.network, "router", "wan")
        with lan, wan:
            _phone(world)
            until(lambda: _registers(lan) >= 6, COUNTED, "the phone to refresh", [world["phone1"].log])
            assert _registers(wan) == 2
        assert_contact_is_router(world.provider.contacts("alice"), world.wan)
        world.call(world["remote"], world["phone1"])
        world.call(world["phone1"], world["remote"])


def test_without_it_every_refresh_is_passed_on() -> None:
    """The control: what comes in on the LAN leaves on the WAN."""
    with World("remote") as world:
        lan, wan = Capture(world.network, "router", LAN_INTERFACE), Capture(world.network, "router", "wan")
        with lan, wan:
            world.phone("phone1", [Account("alice", outbound=OUTBOUND, regint=LAN_EXPIRES)]).registered()
            until(lambda: _registers(wan) >= 5, COUNTED, "refreshes on the WAN", [world.siproxd.log])
        assert _registers(lan) == _registers(wan)


def test_a_new_wan_address_is_registered_within_lan_expires() -> None:
    """The provider would hold the old one for minutes; the phone's next refresh puts it right, and calls come in."""
    with World("remote", lan_expires=LAN_EXPIRES) as world:
        _phone(world)
        world.network.set_wan(NEW_WAN)
        world.wan = NEW_WAN
        until(lambda: any(NEW_WAN in contact for contact in world.provider.contacts("alice")), HEALED,
              "the new address at the provider", [world.siproxd.log, world["phone1"].log])
        # The provider tries the old address too, until that expires there.
        for caller, callee in (("phone1", "remote"), ("remote", "phone1")):
            talk(world[caller], world[callee], aor(world[callee].user), TALK)
            assert_hears(world[caller], world[callee].tone, TALK)
            assert_hears(world[callee], world[caller].tone, TALK)


def test_after_a_restart_the_next_refresh_goes_to_the_provider() -> None:
    """Where siproxd was killed and has come back, the provider hears of the phone within `lan_expires`."""
    with World("remote", lan_expires=LAN_EXPIRES) as world:
        _phone(world)
        world.siproxd.kill()
        world.provider.forget("alice")
        world.siproxd.start()
        until(lambda: bool(world.provider.contacts("alice")), HEALED, "the registration", [world.siproxd.log])
        world.call(world["remote"], world["phone1"])


def test_a_phone_that_is_gone_is_not_called_in_vain() -> None:
    """The phone loses its power: soon calls for it are answered with 480, though its provider holds the registration."""
    with World("remote", lan_expires=LAN_EXPIRES) as world:
        _phone(world)
        until(lambda: "refresh answered" in world.siproxd.text(), COUNTED, "a refresh", [world.siproxd.log])
        world["phone1"].process.stop(signal.SIGKILL)
        (contact,) = world.provider.contacts("alice")
        provider = world.endpoint("provider")

        def status() -> int:
            call_id = provider.call_id()
            provider.send(provider.request("OPTIONS", contact, sender=aor("someone"), to=aor("alice"), call_id=call_id),
                          (world.wan, 5060))
            return provider.wait_response(call_id).status

        # The host is still there and refuses the datagram.
        assert status() == 503
        gone = time.monotonic() + GONE
        until(lambda: time.monotonic() > gone, GONE + 1, "the phone to count as gone")
        assert status() == 480
        assert world.provider.contacts("alice") == [contact]
        provider.close()
