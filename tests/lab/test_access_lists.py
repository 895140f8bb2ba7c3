"""Access lists by network and by name: who is named calls, who is not is refused or not heard, and the log says why."""

from __future__ import annotations

from lab.kamailio import DOMAIN, aor
from lab.netns import PHONES
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import TRUNK, register
from lab.rawsip import Endpoint
from lab.world import World

# Seconds for which nothing comes to whom is not heard: several round trips to the provider and back.
SILENCE = 1.0
NEIGHBOUR = "neighbour.lan"


def _register(endpoint: Endpoint) -> str:
    """Sends a REGISTER; gives its Call-ID."""
    call_id = endpoint.call_id()
    endpoint.send(endpoint.request("REGISTER", f"sip:{DOMAIN}", sender=aor(TRUNK), to=aor(TRUNK), call_id=call_id,
                                   headers=("Expires: 300",)), PROXY)
    return call_id


def test_only_who_is_named_registers() -> None:
    """A real phone in `hosts_allow_reg` registers and calls; its neighbour gets 403 for a REGISTER, and may call."""
    with World("phone1", "remote", hosts_allow_reg=f"{PHONES['phone1']}/32") as world:
        world.call(world["phone1"], world["remote"])
        world.call(world["remote"], world["phone1"])
        neighbour = world.endpoint("phone2")
        response = neighbour.wait_response(_register(neighbour))
        assert response.status == 403, response.start
        world.siproxd.wait_line(f"REGISTER from {PHONES['phone2']}:.* 403: hosts_allow_reg does not name the phone")
        call_id = neighbour.call_id()
        neighbour.send(neighbour.request("OPTIONS", aor("carol"), sender=aor("alice"), call_id=call_id), PROXY)
        assert neighbour.wait_response(call_id).status != 403
        neighbour.close()


def test_who_is_denied_by_name_is_not_heard() -> None:
    """While the DNS is silent nobody is heard, and the log says why; then all but the one that the name stands for."""
    with World(proxy=False, hosts_deny_sip=f"{NEIGHBOUR}/32") as world:
        world.dns.records[NEIGHBOUR] = PHONES["phone2"]
        world.dns.silent = True
        world.start_siproxd()
        first, neighbour = world.endpoint("phone1", 5060), world.endpoint("phone2", 5060)
        _register(first)
        world.siproxd.wait_line("a name in hosts_deny_sip cannot be resolved yet")
        world.siproxd.wait_line(f"hosts_deny_sip has {NEIGHBOUR}: no nameserver answers")
        first.nothing_for(SILENCE)

        world.dns.silent = False
        world.siproxd.wait_line(f"hosts_deny_sip has {NEIGHBOUR}: it is found", 30)
        register(world, first)
        _register(neighbour)
        neighbour.nothing_for(SILENCE)
        world.siproxd.wait_line(f"all from {PHONES['phone2']} dropped: hosts_deny_sip names it")
        for one in (first, neighbour):
            one.close()
