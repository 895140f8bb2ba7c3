"""Hooks, seen on the wire: what siproxd 0.8 had as plugins, with real phones."""

from __future__ import annotations

import re

from lab.control import ask
from lab.kamailio import DOMAIN, aor
from lab.netns import ROUTER_LAN, SIP_PORT
from lab.world import World


def counts(world: World, plugin: str) -> tuple[int, int, int]:
    """How often a hook was meant, has rewritten and has refused."""
    hook = ask(world.siproxd, "stats")[0]["hooks"][plugin]
    return hook["hits"], hook["rewrites"], hook["refusals"]


def number(user: str) -> str:
    """What a phone dials."""
    return f"sip:{user}@{DOMAIN}"


def test_numbers_are_rewritten_as_the_call_passes() -> None:
    """A short number, one by a rule and one with a prefix reach the phone behind them, with sound both ways; a CANCEL does, too."""
    with World("phone1", "remote", load_plugin=["plugin_shortdial.la", "plugin_regex.so", "plugin_prefix.la"],
               plugin_shortdial_akey="*00", plugin_shortdial_entry=["nobody", "00carol"], plugin_regex_desc="without zeros",
               plugin_regex_pattern="^(sips?:)00c", plugin_regex_replace="\\1", plugin_prefix_akey="c") as world:
        phone, remote = world["phone1"], world["remote"]
        seen = world.call(phone, remote, uri=number("*02"))
        invites = [sip for sip in seen.wan_sip() if sip.is_request and sip.method == "INVITE" and sip.packet.src == world.wan]
        assert invites and all(sip.start.startswith(f"INVITE {aor('carol')}") for sip in invites), invites
        assert all(f"*02@{DOMAIN}" in sip.first("to") for sip in invites), "To is the caller's"
        world.call(phone, remote, uri=number("arol"))
        since, at_phone = remote.mark(), phone.mark()
        phone.dial(number("*02"))
        remote.event("CALL_INCOMING", since)
        phone.hangup()
        remote.event("CALL_CLOSED", since)
        phone.event("CALL_CLOSED", at_phone)
        assert counts(world, "plugin_shortdial")[1] >= 3
        assert counts(world, "plugin_regex")[1] == counts(world, "plugin_shortdial")[1]


def test_numbers_are_redirected_where_that_is_wanted() -> None:
    """With `redirect_numbers` a caller gets a 302, and its next call goes through without what says so."""
    with World("remote", load_plugin="plugin_shortdial.la", plugin_shortdial_akey="*00", plugin_shortdial_entry="carol",
               redirect_numbers=1, allow_domains="*") as world:
        phone, router = world.endpoint("phone1"), (ROUTER_LAN, SIP_PORT)
        sender = aor("alice")
        call_id = phone.call_id()
        phone.send(phone.request("INVITE", number("*01"), sender=sender, call_id=call_id, body=phone.offer()), router)
        answer = phone.wait_response(call_id)
        assert answer.status == 302
        found = re.fullmatch(r"<(sip:carol@[^>]*;redirected=shortdial)>", answer.first("contact"))
        assert found, answer.first("contact")
        assert counts(world, "plugin_shortdial") == (1, 1, 1)
        since = world["remote"].mark()
        phone.send(phone.request("INVITE", found[1], sender=sender, to=number("*01"), call_id=call_id, cseq=2, body=phone.offer()),
                   router)
        challenge = phone.wait_response(call_id)
        assert challenge.status in (407, 180, 183, 200), challenge.status
        assert counts(world, "plugin_shortdial") == (1, 1, 1)
        assert not world["remote"].events("CALL_CLOSED", since)
        phone.close()
