"""siproxd keeps the provider's flow open: calls arrive with no WAN rule for the SIP port."""

from __future__ import annotations

import pytest
from lab.baresip import Account
from lab.kamailio import aor
from lab.wait import Timeout, holds
from lab.world import OUTBOUND, World

# Seconds after which the router forgets a quiet UDP flow, in place of the kernel's 30 and 120.
FORGET = 3

# Quiet seconds before the call: several times that.
QUIET = 10


def _quiet(world: World) -> None:
    """Closes the SIP port, shortens the router's memory, registers a phone, and lets time pass."""
    world.network.firewall(sip_open=False)
    for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
        world.network.sysctl("router", f"net.netfilter.{name}", FORGET)
    phone = world.phone("phone1", [Account("alice", outbound=OUTBOUND, regint=3600)])
    phone.registered()
    holds(lambda: bool(world.provider.contacts("alice")), QUIET, "the registration", [world.siproxd.log])


def test_call_arrives_after_a_long_silence() -> None:
    """Keepalives hold the flow, each well within the router's memory."""
    with World("remote", sip_keepalive=1) as world:
        _quiet(world)
        world.call(world["remote"], world["phone1"])


def test_without_keepalive_it_does_not() -> None:
    """The control: the router does forget."""
    with World("remote", sip_keepalive=0) as world:
        _quiet(world)
        since = world["phone1"].mark()
        world["remote"].dial(aor("alice"))
        with pytest.raises(Timeout):
            world["phone1"].event("CALL_INCOMING", since, timeout=3)
