"""Busy lamps: who watches whom, and what the lamp's key calls."""

from __future__ import annotations

import re

from lab.callcheck import assert_no_leak, assert_ports_closed, observed
from lab.kamailio import DOMAIN, TRUNK, aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN, SIP_PORT
from lab.pcap import Sip
from lab.pjsua import PjPhone
from lab.rawsip import Endpoint
from lab.sipp import Sipp
from lab.world import OUTBOUND, TONES, USERS, World

# Seconds of a call to the URI that a lamp tells of.
TALK = 1.0

# What a URI has that leads through the router to one phone.
TOKEN = ";sx="

PROXY = (ROUTER_LAN, SIP_PORT)


def _notified(watcher: Endpoint, state: str) -> Sip:
    """Answers NOTIFYs until one tells of a dialog in a state."""
    while True:
        notify = watcher.wait_request("NOTIFY", 10)
        watcher.send(watcher.answer(notify, 200, "OK"), PROXY)
        if f"<state>{state}</state>" in notify.body:
            return notify


def test_a_phone_at_home_watches_one_outside() -> None:
    """The provider's presence server tells of each call, and names its dialog as the phones at home know it."""
    with World("phone1", "remote", presence=True) as world:
        watcher, remote = world.endpoint("phone2", 5062), world["remote"]
        with observed(world.network) as seen:
            watcher.send(watcher.request("SUBSCRIBE", aor(remote.user), sender=aor(TRUNK), headers=(
                "Event: dialog", "Accept: application/dialog-info+xml", "Expires: 60")), PROXY)
            since = remote.mark()
            # sipp's Call-ID ends with its address on the LAN.
            caller = Sipp(world.network, "phone3", PHONES["phone3"], "caller", OUTBOUND, tone=500,
                          options=("-s", remote.user, "-d", "1000"))
            remote.event("CALL_INCOMING", since)
            ringing = _notified(watcher, "early")
            remote.accept()
            talking = _notified(watcher, "confirmed")
            caller.finish()
            ended = _notified(watcher, "terminated")
            assert_ports_closed(world.network)
        assert_no_leak(seen, world.network)
        invite = next(message for message in seen.lan_sip() if message.start.startswith("INVITE "))
        call_id = invite.first("call-id")
        assert call_id.endswith(f"@{PHONES['phone3']}")
        for notify in (ringing, talking, ended):
            assert f'call-id="{call_id}"' in notify.body, notify.body
        watcher.close()


def test_the_key_under_the_lamp() -> None:
    """The target that the lamp tells of is the phone at home: a call to it arrives, from outside and from the phone beside it."""
    with World("phone1", "phone2", "remote", "remote2", presence=True) as world:
        watcher, phone, remote = world.endpoint("phone2", 5062), world["phone1"], world["remote"]
        watcher.send(watcher.request("SUBSCRIBE", aor(remote.user), sender=aor(TRUNK), headers=(
            "Event: dialog", "Accept: application/dialog-info+xml", "Expires: 60")), PROXY)
        since = remote.mark()
        phone.dial(aor(remote.user))
        remote.event("CALL_INCOMING", since)
        remote.accept()
        body = _notified(watcher, "confirmed").body
        phone.hangup()
        _notified(watcher, "terminated")
        remote.event("CALL_CLOSED", since)
        target = re.search(rf'target uri="(sip:[^"]*@{re.escape(world.wan)}[^"]*)"', body)
        assert target and TOKEN in target[1], body
        for caller in (world["remote2"], world["phone2"]):
            world.call(caller, phone, TALK, target[1])
        watcher.close()


def test_phones_watch_each_other_through_the_router() -> None:
    """Presence (RFC 3856) with real phones, in both directions."""
    with World() as world:
        phone = PjPhone(world.network, "phone1", PHONES["phone1"], USERS["phone1"], TONES["phone1"], OUTBOUND)
        remote = PjPhone(world.network, "remote", REMOTES["remote"], USERS["remote"], TONES["remote"])
        both = ((phone, remote), (remote, phone))
        for one, _ in both:
            one.registered()
        with observed(world.network) as seen:
            for one, other in both:
                one.command("watch", aor(other.user))
                one.event(rf"presence sip:{other.user}@{DOMAIN} dark ACTIVE")
            for one, other in both:
                for lamp in ("busy", "idle"):
                    since = one.mark()
                    other.command("lamp", lamp)
                    one.event(rf"presence sip:{other.user}@{DOMAIN} {lamp} ACTIVE", since)
        assert_no_leak(seen, world.network)
