"""Hooks, seen on the wire: what siproxd 0.8 had as plugins, with real phones."""

from __future__ import annotations

import re
import socket

from lab.baresip import Account
from lab.callcheck import observed
from lab.control import ask
from lab.kamailio import DOMAIN, aor
from lab.netns import PHONES, ROUTER_LAN, ROUTER_WAN, SIP_PORT, STRANGER
from lab.sipp import Sipp
from lab.world import OUTBOUND, World


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


def test_headers_codecs_and_bodies_change_both_ways() -> None:
    """What is stripped and filtered is gone on either side of a call that is heard; the calls are in the log."""
    with World("phone1", "remote", load_plugin=["plugin_stripheader.so", "plugin_codecfilter.so", "plugin_regex_body.so", "plugin_logcall.so"],
               plugin_stripheader_remove=["User-Agent", "Server", "Allow:REFER"], plugin_codecfilter_blacklist="telephone-event",
               plugin_regex_body_pattern="^(v=0.*)s=-", plugin_regex_body_replace="\\1s=talk") as world:
        phone, remote = world["phone1"], world["remote"]
        for caller, callee in ((phone, remote), (remote, phone)):
            seen = world.call(caller, callee)
            # Of what siproxd sends, which is all that either party hears.
            passed = [sip for sip in seen.wan_sip() if sip.packet.src == world.wan]
            passed += [sip for sip in seen.lan_sip() if sip.packet.src == ROUTER_LAN]
            bodies = [sip.body for sip in passed if "v=0" in sip.body]
            assert len(bodies) >= 2
            for sip in passed:
                assert not sip.all("user-agent") and not sip.all("server"), sip
                assert "REFER" not in ",".join(sip.all("allow"))
            assert all("telephone-event" not in body and " 101" not in body and "PCMU" in body for body in bodies), bodies
            assert all("\r\ns=talk\r\n" in body or "\r\ns=-\r\n" not in body for body in bodies), bodies
        for plugin in ("plugin_stripheader", "plugin_codecfilter"):
            hits, rewrites, refusals = counts(world, plugin)
            assert hits == rewrites >= 2 and refusals == 0
        world.siproxd.wait_line(rf"Outgoing call: alice@{re.escape(DOMAIN)} -> carol@{re.escape(DOMAIN)} \[Req: carol@")
        world.siproxd.wait_line(rf"Incoming call: carol@{re.escape(DOMAIN)} -> alice@")
        world.siproxd.wait_line("Acknowledging call: ")
        world.siproxd.wait_line("Ending call: ")


def test_a_trunk_and_whoever_is_not_registered() -> None:
    """A number of a trunk's block rings the phone of its account; a call for anybody else is redirected."""
    with World(load_plugin=["plugin_siptrunk.la", "plugin_defaulttarget.la"], plugin_siptrunk_name="home",
               plugin_siptrunk_account=f"trunk@{ROUTER_LAN}", plugin_siptrunk_numbers_regex="^4930123[0-9]+$",
               plugin_defaulttarget_target="sip:operator@example.org", plugin_defaulttarget_log=1,
               wan_allow=f"{STRANGER}/32") as world:
        pbx = Sipp(world.network, "phone1", PHONES["phone1"], "callee", tone=700)
        with observed(world.network) as seen:
            agent, lan = world.endpoint("phone1"), (ROUTER_LAN, SIP_PORT)
            account, call_id = f"sip:trunk@{ROUTER_LAN}", agent.call_id()
            agent.send(agent.request("REGISTER", f"sip:{ROUTER_LAN}", sender=account, to=account, call_id=call_id, contact=False,
                                     headers=(f"Contact: <sip:trunk@{agent.address}:{pbx.port}>",)), lan)
            assert agent.wait_response(call_id).status == 200
            far, router = world.endpoint("stranger", SIP_PORT), (ROUTER_WAN, SIP_PORT)
            uri, sender = f"sip:493012377@{ROUTER_WAN}", f"sip:someone@{STRANGER}"
            call_id = far.call_id()
            far.send(far.request("INVITE", uri, sender=sender, call_id=call_id, body=far.offer()), router)
            answer = far.wait_response(call_id, method="INVITE")
            assert answer.status == 200
            tag = answer.first("to").partition(";tag=")[2]
            target = answer.first("contact").split("<")[1].split(">")[0]
            for cseq, method in ((1, "ACK"), (2, "BYE")):
                far.send(far.request(method, target, sender=sender, to=uri, to_tag=tag, call_id=call_id, cseq=cseq), router)
            assert far.wait_response(call_id, method="BYE").status == 200
            pbx.finish()
        invites = [sip for sip in seen.lan_sip() if sip.is_request and sip.method == "INVITE"]
        assert invites and all(sip.start == f"INVITE {uri} SIP/2.0" for sip in invites), "the PBX sees the number"

        with observed(world.network) as seen:
            Sipp(world.network, "stranger", STRANGER, "redirected", f"{ROUTER_WAN}:{SIP_PORT}",
                 options=("-key", "uri", f"sip:nobody@{ROUTER_WAN}")).finish()
        answers = [sip for sip in seen.wan_sip() if sip.status == 302]
        assert answers and all(answer.first("contact") == "<sip:operator@example.org>" for answer in answers), answers
        assert counts(world, "plugin_siptrunk")[0] == 1
        assert counts(world, "plugin_defaulttarget") == (1, 0, 1)
        world.siproxd.wait_line("goes to sip:operator@example.org")
        for endpoint in (agent, far):
            endpoint.close()


def stun_answer(request: bytes, address: str, port: int) -> bytes:
    """What a STUN server says that sees a request come from there (RFC 8489 §14.2)."""
    cookie = request[4:8]
    masked = bytes(a ^ b for a, b in zip(port.to_bytes(2, "big") + socket.inet_aton(address), cookie[:2] + cookie))
    value = b"\0\1" + masked
    return b"\x01\x01" + (len(value) + 4).to_bytes(2, "big") + request[4:20] + b"\0\x20" + len(value).to_bytes(2, "big") + value


def test_a_stun_server_says_who_we_are() -> None:
    """A call of a phone leaves with the address that the STUN server knows the router by; a forged answer changes nothing."""
    outside, forged = "192.0.2.99", "192.0.2.98"
    with World("phone1", load_plugin="plugin_stun.la", plugin_stun_server=STRANGER, allow_domains="*") as world:
        server, far = world.endpoint("stranger", 3478), world.endpoint("stranger", SIP_PORT)
        router = (ROUTER_WAN, SIP_PORT)
        request = server.raw(30)
        assert request is not None and request[:8] == b"\0\1\0\0\x21\x12\xa4\x42" and len(request) == 20
        far.send(stun_answer(request, forged, SIP_PORT), router)
        server.send(stun_answer(request[:8] + bytes(12), forged, SIP_PORT), router)
        server.send(stun_answer(request, outside, SIP_PORT), router)
        world.siproxd.wait_line(rf"STUN server {re.escape(STRANGER)}:3478 knows us by {re.escape(outside)}")
        assert forged not in world.siproxd.text()
        phone = world["phone1"]
        phone.dial(f"sip:someone@{STRANGER}")
        invite = far.wait_request("INVITE")
        assert f"@{outside}:{SIP_PORT}" in invite.first("contact") and f"c=IN IP4 {outside}" in invite.body
        assert f"UDP {outside}:{SIP_PORT};" in invite.first("via")
        far.send(far.answer(invite, 486, "Busy Here"), (invite.packet.src, invite.packet.sport))
        phone.event("CALL_CLOSED")
        assert counts(world, "plugin_stun") == (1, 1, 0)
        for endpoint in (server, far):
            endpoint.close()


def test_vias_and_contacts_are_mended() -> None:
    """A Via with an address that nobody reaches, a response with a Via that is not ours, and an anonymous Contact."""
    with World(load_plugin=["plugin_fix_bogus_via.la", "plugin_fix_DTAG.la", "plugin_fix_fbox_anoncall.la"],
               plugin_fix_bogus_via_networks="10.99.0.0/16", plugin_fix_DTAG_networks=f"{STRANGER}/32",
               plugin_fix_fbox_anoncall_networks=f"{PHONES['phone1']}/32", wan_allow=f"{STRANGER}/32",
               allow_domains="*") as world:
        with observed(world.network) as seen:
            prober = Sipp(world.network, "stranger", STRANGER, "bogus_via", f"{ROUTER_WAN}:{SIP_PORT}",
                          options=("-key", "bogus", "10.99.1.1:5099"))
            prober.finish()
        asked, answered = seen.wan_sip()
        assert "UDP 10.99.1.1:5099;" in asked.first("via") and f"UDP {STRANGER}:{prober.port};" in answered.first("via")
        far = world.endpoint("stranger", SIP_PORT)

        phone = world.phone("phone1", [Account("alice", outbound=OUTBOUND)])
        phone.registered()
        phone.dial(f"sip:someone@{STRANGER}")
        invite = far.wait_request("INVITE")
        answer = far.answer(invite, 486, "Busy Here")
        via = next(line for line in answer.split("\r\n") if line.startswith("Via: "))
        far.send(answer.replace(via, f"Via: SIP/2.0/UDP {STRANGER}:{SIP_PORT};branch=z9hG4bKof-another"), (invite.packet.src, invite.packet.sport))
        phone.event("CALL_CLOSED")
        assert far.wait_request("ACK").first("call-id") == invite.first("call-id")
        assert counts(world, "plugin_fix_DTAG")[1] >= 1

        registered = ask(world.siproxd, "bindings")[0]["contact"].split("@")[0]
        box = Sipp(world.network, "phone1", PHONES["phone1"], "anonymous", OUTBOUND,
                   options=("-key", "uri", f"sip:someone@{STRANGER}", "-key", "account", aor("alice"), "-key", "to", f"{registered}@{DOMAIN}"))
        invite = far.wait_request("INVITE")
        contact = invite.first("contact")
        far.send(far.answer(invite, 486, "Busy Here"), (invite.packet.src, invite.packet.sport))
        box.finish()
        assert contact.startswith(f"<{registered}@{ROUTER_WAN}"), contact
        assert counts(world, "plugin_fix_bogus_via") == (1, 1, 0)
        assert counts(world, "plugin_fix_fbox_anoncall") == (1, 1, 0)
        far.close()
