"""Without any configuration file siproxd finds LAN and WAN itself, says why, and works."""

from __future__ import annotations

import re

from lab.baresip import Account
from lab.callcheck import assert_hears, talk
from lab.netns import LAN_INTERFACE, PHONES, ROUTER_WAN, SIP_PORT, WAN_GATEWAY
from lab.process import run
from lab.siproxd import Siproxd, binary
from lab.wait import until
from lab.world import TALK, World

LAN_CHOICE = rf"LAN is {LAN_INTERFACE}: a bridge with the private network of 10\.0\.0\.1/24"
WAN_CHOICE = r"WAN is wan: the default route leads there"

# Seconds until a new route or address is in use.
SOON = 10.0


def test_on_the_router() -> None:
    """Calls out and in, with no file; `--check` says beforehand what will be chosen."""
    with World("remote", proxy=False) as world:
        shown = run(world.network.ns("router"), ["env", "HOME=/nonexistent", str(binary()), "--check"])
        assert re.search(LAN_CHOICE, shown.stdout) and re.search(WAN_CHOICE, shown.stdout), shown.stdout
        siproxd = world.start_siproxd(file=False)
        for choice in ("no configuration file", LAN_CHOICE, WAN_CHOICE):
            assert len(re.findall(choice, siproxd.text())) == 1, choice
        world.phone("phone1").registered()
        world.call(world["phone1"], world["remote"])
        world.call(world["remote"], world["phone1"])
        siproxd.assert_alive()


def test_a_wan_that_comes_later() -> None:
    """The router boots without a default route, and gets one when its provider answers; then it loses it, and has it again."""
    with World("remote", proxy=False) as world:
        world.network.set_wan(None)
        siproxd = world.start_siproxd(file=False)
        siproxd.wait_line(r"there is no WAN yet: it will be where the default route leads")
        siproxd.wait_line(LAN_CHOICE)
        world.network.set_wan(ROUTER_WAN)
        siproxd.wait_line(WAN_CHOICE, SOON)
        siproxd.wait_line(rf"listening for SIP on {ROUTER_WAN}:{SIP_PORT} \(UDP\)", SOON)
        world.phone("phone1").registered()
        world.call(world["phone1"], world["remote"])
        world.network.ip("router", "route", "del", "default")
        siproxd.wait_line(r"WAN stays wan, where the default route led", SOON)
        world.network.ip("router", "route", "add", "default", "via", WAN_GATEWAY)
        until(lambda: len(re.findall(WAN_CHOICE, siproxd.text())) == 2, SOON, "the WAN again", [siproxd.log])
        world.call(world["remote"], world["phone1"])
        siproxd.assert_alive()


def test_one_interface() -> None:
    """A host in the home with one interface is both sides, for two phones that register at it."""
    with World(proxy=False) as world:
        address = PHONES["phone3"]
        siproxd = Siproxd(world.network, host="phone3", file=False)
        siproxd.wait_line(rf"LAN is eth0, as the WAN is: no other interface has a private network, and it has that of {address}/24")
        siproxd.wait_line("LAN and WAN are both eth0; set `host_outbound` to the public address")
        one, two = (world.phone(host, [Account(user, domain=address, secret="", outbound=f"{address}:{SIP_PORT}")])
                    for host, user in (("phone1", "grete"), ("phone2", "hans")))
        for phone in (one, two):
            phone.registered()
        for caller, callee in ((one, two), (two, one)):
            talk(caller, callee, f"sip:{callee.user}@{address}", TALK)
            assert_hears(caller, callee.tone, TALK)
            assert_hears(callee, caller.tone, TALK)
        siproxd.assert_alive()
