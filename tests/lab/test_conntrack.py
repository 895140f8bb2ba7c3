"""What connection tracking remembers of a time before siproxd, or of an address that is gone, is not in the way."""

from __future__ import annotations

import pytest
from lab.callcheck import observed
from lab.netns import PROVIDER, ROUTER_WAN, SIP_PORT
from lab.process import run
from lab.siproxd import Siproxd
from lab.wait import until
from lab.world import World

NEW_WAN = "198.51.100.77"


def _entries(world: World) -> list[str]:
    return run(world.network.ns("router"), ["conntrack", "-L", "-p", "udp"], check=False).stdout.splitlines()


def _of(world: World, address: str, port: int) -> list[str]:
    """Entries of what leaves from an address and port of the router."""
    return [entry for entry in _entries(world) if f"src={address} " in entry.partition("[")[0].split("dst=")[0]
            and f"sport={port} " in entry]


def test_a_phone_that_spoke_to_its_provider_directly() -> None:
    """It has our port on the WAN by the router's NAT. The provider's calls come to us all the same."""
    with World("remote", proxy=False) as world:
        phone = world.endpoint("phone3", SIP_PORT)
        call_id = phone.call_id()
        phone.send(phone.request("OPTIONS", "sip:provider.example", sender="sip:trunk@provider.example", call_id=call_id),
                   (PROVIDER, SIP_PORT))
        phone.wait_response(call_id)
        taken = [entry for entry in _entries(world) if f"dst={ROUTER_WAN} sport={SIP_PORT} dport={SIP_PORT}" in entry]
        assert taken and "src=10.0.0.13" in taken[0], "the phone has the router's SIP port"
        world.start_siproxd()
        world.siproxd.wait_line("1 entries of connection tracking .* are deleted")
        with observed(world.network) as seen:
            world.phone("phone1").registered()
        sent = {packet.sport for packet in seen.wan if packet.src == ROUTER_WAN and packet.dst == PROVIDER
                and packet.dport == SIP_PORT}
        assert sent == {SIP_PORT}, f"siproxd's messages leave from the ports {sent}"
        world.call(world["remote"], world["phone1"])
        phone.close()


@pytest.mark.parametrize("user", [None, "nobody"])
def test_entries_of_the_old_address_go_with_it(user: str | None) -> None:
    """After a change none of our ports is left at the old address, also where root was given up."""
    with World("phone1", "remote", user=user) as world:
        world.call(world["phone1"], world["remote"])
        assert _of(world, ROUTER_WAN, SIP_PORT)
        world.network.set_wan(NEW_WAN)
        world.siproxd.wait_line(f"WAN address is {NEW_WAN}")
        until(lambda: not _of(world, ROUTER_WAN, SIP_PORT), 2, "the entries to be gone", [world.siproxd.log])
        world.siproxd.wait_line("entries of connection tracking .* are deleted")
        world.wan = NEW_WAN
        world.siproxd.assert_alive()


def test_without_the_power_that_is_said() -> None:
    """Not started as root, it leaves the entries, and says so once."""
    with World(proxy=False) as world:
        world.network.dir.chmod(0o777)
        prefix = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
        siproxd = Siproxd(world.network, prefix=prefix)
        siproxd.wait_line("connection tracking is not looked through .*Operation not permitted")
        siproxd.assert_alive()
