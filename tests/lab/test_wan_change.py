"""The WAN address changes, goes and comes; siproxd is never restarted."""

from __future__ import annotations

import time

import pytest
from lab.baresip import Account
from lab.callcheck import Observation, assert_contact_is_router, observed
from lab.kamailio import aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN, ROUTER_WAN
from lab.pcap import Packet, as_rtp
from lab.pjsua import PjPhone
from lab.wait import until
from lab.world import OUTBOUND, TONES, USERS, World

pytestmark = pytest.mark.alone

NEW_WAN = "198.51.100.77"

# Seconds within which a new address must be in use.
SOON = 2.0

# Seconds between two registrations of the phone, and of the life of its binding.
REFRESH = 5

# Times that the address changes or goes, and seconds that each lasts at least.
CHANGES = 100

# KiB that the daemon may have grown by then.
GROWTH = 128

# Packets a second that a party of a call sends.
PACKET_RATE = 50


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


def test_the_provider_forgets_the_old_address_with_the_first_refresh() -> None:
    """It is told a minute, and the phone comes every few seconds: with the new Contact the old one is gone, not a minute later."""
    with World(lan_expires=REFRESH) as world:
        world.phone("phone1").registered()
        assert_contact_is_router(world.provider.contacts("alice"), ROUTER_WAN)
        world.network.set_wan(NEW_WAN)

        def with_new() -> list[str]:
            contacts = world.provider.contacts("alice")
            return contacts if any(NEW_WAN in contact for contact in contacts) else []
        contacts = until(with_new, 6 * REFRESH, "the new Contact", [world.siproxd.log])
        assert len(contacts) == 1, contacts


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


def _pair(world: World) -> tuple[PjPhone, PjPhone]:
    """A phone at home and one on the Internet, which looks where packets come from (PJSUA2 does)."""
    addresses = {**PHONES, **REMOTES}
    made = [PjPhone(world.network, host, addresses[host], USERS[host], TONES[host], OUTBOUND if host in PHONES else None)
            for host in ("phone1", "remote")]
    for phone in made:
        phone.registered()
    return made[0], made[1]


def _media(packets: list[Packet], source: str, to: str) -> list[Packet]:
    return [packet for packet in packets if packet.src == source and packet.dst == to and as_rtp(packet)]


def _heard_soon(seen: Observation, changed: float, wan: str) -> None:
    """Both parties' packets are where they belong within the time after the change, on the ports that they were on."""
    remote, phone = REMOTES["remote"], PHONES["phone1"]
    out, back = _media(seen.wan, wan, remote), _media(seen.wan, remote, wan)
    assert out and back, f"{len(out)} packets from {wan}, {len(back)} to it"
    assert out[0].time - changed < SOON and back[0].time - changed < SOON
    assert {p.sport for p in out} == {p.dport for p in back} == {p.sport for p in _media(seen.wan, ROUTER_WAN, remote)}
    inside = [p for p in _media(seen.lan, ROUTER_LAN, phone) if p.time > changed + SOON]
    assert len(inside) > PACKET_RATE, f"{len(inside)} packets reach the phone after the change"
    assert len({p.sport for p in _media(seen.lan, ROUTER_LAN, phone)}) == 1, "the phone's side of the call stays as it is"


def test_a_running_call_moves_to_the_new_address() -> None:
    """In mid-call the far end hears us from the new address at once and answers there; what the phone says in the dialog
    then carries the new Contact, so that the far end's BYE arrives."""
    with World() as world:
        phone, remote = _pair(world)
        with observed(world.network) as seen:
            mine, theirs = phone.call(remote, aor(remote.user))
            time.sleep(1)
            changed = time.time()
            world.network.set_wan(NEW_WAN)
            until(lambda: _knows(world, NEW_WAN), SOON, "siproxd to see the address", [world.siproxd.log])
            time.sleep(SOON + 2)
            since, at_remote = phone.mark(), remote.mark()
            phone.command("hold", mine)
            remote.event(f"media {theirs}", at_remote)
            remote.command("hangup", theirs)
            phone.event(f"state {mine} DISCONNECTED", since)
        _heard_soon(seen, changed, NEW_WAN)
        hold = [sip for sip in seen.wan_sip() if sip.method == "INVITE" and sip.packet.src == NEW_WAN]
        assert hold, "the phone's re-INVITE leaves from the new address"
        assert NEW_WAN in hold[0].first("Contact") and f"c=IN IP4 {NEW_WAN}" in hold[0].body
        assert all(ROUTER_WAN not in str(sip.headers) + sip.body for sip in hold), "nothing tells of the old address"


def test_a_call_in_goes_on_while_the_address_is_gone_for_a_while() -> None:
    """The same for a call from outside, with the link down in between and the same address after it."""
    with World() as world:
        phone, remote = _pair(world)
        with observed(world.network) as seen:
            theirs, mine = remote.call(phone, aor(phone.user))
            time.sleep(1)
            world.network.set_wan(None)
            world.siproxd.wait_line("WAN has no address")
            time.sleep(1)
            changed = time.time()
            world.network.set_wan(ROUTER_WAN)
            time.sleep(SOON + 2)
            at_remote = remote.mark()
            phone.command("hangup", mine)
            remote.event(f"state {theirs} DISCONNECTED", at_remote)
        out = [p for p in _media(seen.wan, ROUTER_WAN, REMOTES["remote"]) if p.time > changed]
        assert out and out[0].time - changed < SOON
        inside = [p for p in _media(seen.lan, ROUTER_LAN, PHONES["phone1"]) if p.time > changed + SOON]
        assert len(inside) > PACKET_RATE, f"{len(inside)} packets reach the phone"


def test_a_hundred_changes() -> None:
    """Gone, back, another, a hundred times, with a call running all the while: it goes on, and afterwards all is as at first."""
    with World(lan_expires=REFRESH) as world:
        phone, remote = _pair(world)
        mine, theirs = phone.call(remote, aor(remote.user))
        until(lambda: world.siproxd.open_files() > 0, SOON, "the daemon")
        files, memory = world.siproxd.open_files(), world.siproxd.resident_kib()
        addresses = [None, NEW_WAN, ROUTER_WAN, NEW_WAN, None, ROUTER_WAN]
        for turn in range(CHANGES):
            address = addresses[turn % len(addresses)]
            before = len(world.siproxd.text())
            world.network.set_wan(address)
            line = f"WAN address is {address}" if address else "WAN has no address"
            until(lambda start=before, wanted=line: wanted in world.siproxd.text()[start:], SOON,  # type: ignore[misc]
                  f"change {turn}: {line}", [world.siproxd.log])
        world.network.set_wan(NEW_WAN)
        world.wan = NEW_WAN
        changed = time.time()
        with observed(world.network) as seen:
            time.sleep(SOON + 2)
        out = _media(seen.wan, NEW_WAN, REMOTES["remote"])
        assert out and out[0].time - changed < SOON
        assert [p for p in _media(seen.lan, ROUTER_LAN, PHONES["phone1"]) if p.time > changed + SOON]
        until(lambda: any(NEW_WAN in it for it in world.provider.contacts("alice")), 3 * REFRESH, "the new Contact",
              [world.siproxd.log])
        at_remote = remote.mark()
        phone.command("hangup", mine)
        remote.event(f"state {theirs} DISCONNECTED", at_remote)
        phone.call(remote, aor(remote.user))
        phone.command("end")
        remote.call(phone, aor(phone.user))
        assert world.siproxd.open_files() <= files, "no descriptor is left behind"
        assert world.siproxd.resident_kib() <= memory + GROWTH
        world.siproxd.assert_alive()
