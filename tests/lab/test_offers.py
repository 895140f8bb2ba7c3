"""Offers and answers of every form between real phones (PJSUA2): late, in PRACK and UPDATE, holding, with sections that come and go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab.callcheck import assert_both_ways, assert_no_leak, assert_ports_closed, observed, relay_sockets
from lab.kamailio import aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN
from lab.offers import crossings, lines_like, streams
from lab.pcap import is_rtcp
from lab.pjsua import PjPhone
from lab.wait import until
from lab.world import OUTBOUND, TONES, USERS, World

# Seconds of talk, in all or of a part of a call.
TALK = 2.0
PART = 1.0

# Least packets of a stream in a second, of the 50 that are sent.
LEAST = 35

# What ICE needs of a description.
ICE = r"a=(?:candidate|ice-|remote-candidates|end-of-candidates).*"

CALLERS = [("phone1", "remote"), ("remote", "phone1")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones yet."""
    with World() as made:
        yield made


@contextmanager
def _pair(world: World, first: str, other: str, *traits: str) -> Iterator[tuple[PjPhone, PjPhone]]:
    """Two phones whose accounts have these traits, registered."""
    addresses = {**PHONES, **REMOTES}
    made = [PjPhone(world.network, host, addresses[host], USERS[host], TONES[host],
                    OUTBOUND if host in PHONES else None, traits) for host in (first, other)]
    try:
        for phone in made:
            phone.registered()
        yield made[0], made[1]
    finally:
        for phone in made:
            phone.stop()


def _hang_up(world: World, phone: PjPhone, other: PjPhone, call: int) -> None:
    since = other.mark()
    phone.command("hangup", call)
    other.event(r"state \d+ DISCONNECTED", since)
    assert_ports_closed(world.network)


def _change(command: str, phone: PjPhone, call: int, *more: object, media: str, other: PjPhone, taken: int,
            theirs: str) -> None:
    """One changes the session; both say what each section is now."""
    since, at_other = phone.mark(), other.mark()
    phone.command(command, call, *more)
    phone.event(f"media {call} {media}$", since)
    other.event(f"media {taken} {theirs}$", at_other)


@pytest.mark.parametrize(("caller", "callee"), CALLERS)
@pytest.mark.parametrize("traits", [("ice",), ("ice", "mux")], ids="-".join)
def test_kind(world: World, traits: tuple[str, ...], caller: str, callee: str) -> None:
    """ICE stays behind, alone and with RTP and RTCP on one port, which both are told of: both hear each other."""
    with _pair(world, caller, callee, *traits) as (first, other):
        with observed(world.network) as seen:
            call, _ = first.call(other, aor(other.user))
            time.sleep(TALK)
            _hang_up(world, first, other, call)
        world.check(seen, first, other, TALK)
    phone, remote = PHONES["phone1"], REMOTES["remote"]
    both = crossings(seen, world.wan, phone)
    offers = both[caller == "remote"]
    assert lines_like(offers[0], ICE) and not lines_like(offers[1], ICE), offers
    for before, after in both:
        assert before and after and not lines_like(after, ICE), (before, after)
        assert bool(lines_like(after, "a=rtcp-mux")) == bool(lines_like(before, "a=rtcp-mux")) == ("mux" in traits)
    rtcp = {packet.dport for packet in seen.wan if is_rtcp(packet) and packet.dst == remote}
    rtp = {port for port, _ in streams(seen.wan, world.wan, remote)}
    # Each phone says where it wants RTCP, which with ICE is not the port above.
    announced = {int(line.split()[0].partition(":")[2]) for line in lines_like(both[1][0], r"a=rtcp:.*")}
    assert rtcp == (rtp if "mux" in traits else announced) and rtcp, (rtp, rtcp, announced)


@pytest.mark.parametrize("holder", ["phone1", "remote"])
@pytest.mark.parametrize("form", ["sendonly", "inactive", "0.0.0.0"])
def test_hold(world: World, form: str, holder: str) -> None:
    """Each form of hold reaches the other phone as it was meant; after it both hear each other again, on the same ports."""
    caller, callee = CALLERS[form == "inactive"]
    with _pair(world, caller, callee, *(["hold2543"] if form == "0.0.0.0" else [])) as (first, other):
        with observed(world.network) as seen:
            call, taken = first.call(other, aor(other.user))
            time.sleep(PART)
            holding, held, mine, theirs = ((first, other, call, taken) if first.host == holder
                                           else (other, first, taken, call))
            _change("inactive" if form == "inactive" else "hold", holding, mine, media="holding", other=held, taken=theirs,
                    theirs="held")
            quiet = time.time()
            time.sleep(PART / 2)
            resumed_at = time.time()
            _change("resume", holding, mine, media="active", other=held, taken=theirs, theirs="active")
            resumed = time.time()
            time.sleep(PART)
            ended = time.time()
            _hang_up(world, first, other, call)
        world.check(seen, first, other, PART)
    phone, remote = PHONES["phone1"], REMOTES["remote"]
    assert_both_ways(seen, phone, remote, world.wan, resumed, ended - resumed)
    sign = r"c=IN IP4 0\.0\.0\.0" if form == "0.0.0.0" else f"a={form}"
    before, after = crossings(seen, world.wan, phone)[holder == "remote"]
    assert [bool(lines_like([text], sign)) for text in before] == [bool(lines_like([text], sign)) for text in after]
    assert lines_like(after, sign), after
    # Whoever holds is sent nothing.
    packets, router, address = ((seen.lan, ROUTER_LAN, phone) if holder == "phone1" else (seen.wan, world.wan, remote))
    assert sum(streams(packets, router, address, quiet + 0.2, resumed_at).values()) == 0
    for texts in (after for _, after in crossings(seen, world.wan, phone)):
        assert len({line.split()[1] for line in lines_like(texts[-3:], "m=audio .*")}) == 1, texts


@pytest.mark.parametrize(("caller", "callee"), CALLERS)
def test_late_offer(world: World, caller: str, callee: str) -> None:
    """An INVITE without an offer: the called party makes it, the ACK answers."""
    with _pair(world, caller, callee) as (first, other):
        with observed(world.network) as seen:
            call, _ = first.call(other, aor(other.user), "late")
            time.sleep(TALK)
            _hang_up(world, first, other, call)
        world.check(seen, first, other, TALK)
    for messages in (seen.lan_sip(), seen.wan_sip()):
        assert not any(message.body for message in messages if message.start.startswith("INVITE "))
        assert any("m=audio" in message.body for message in messages if message.start.startswith("ACK "))


@pytest.mark.parametrize(("caller", "callee"), CALLERS)
def test_prack(world: World, caller: str, callee: str) -> None:
    """Early media in a reliable 183, acknowledged by PRACK; the media goes on when the call is answered."""
    with _pair(world, caller, callee, "prack") as (first, other):
        with observed(world.network) as seen:
            since, theirs = first.mark(), other.mark()
            first.command("call", aor(other.user))
            taken = int(other.event(r"incoming (\d+)", theirs)[1])
            other.command("progress", taken)
            call = int(first.event(r"media (\d+) active$", since)[1])
            early = time.time()
            time.sleep(PART)
            other.command("answer", taken)
            first.event(f"state {call} CONFIRMED", since)
            answered = time.time()
            time.sleep(PART)
            _hang_up(world, first, other, call)
        world.check(seen, first, other, 2 * PART)
    phone, remote = PHONES["phone1"], REMOTES["remote"]
    for moment in (early, answered):
        assert_both_ways(seen, phone, remote, world.wan, moment, PART * 0.9)
    for messages in (seen.lan_sip(), seen.wan_sip()):
        assert any(message.status == 183 and message.first("rseq") and message.body for message in messages)
        assert any(message.start.startswith("PRACK ") for message in messages)
        assert all("100rel" in message.first("require") for message in messages if message.status == 183)


@pytest.mark.parametrize("command", ["sections", "update"])
@pytest.mark.parametrize(("caller", "callee"), CALLERS)
def test_sections_come_and_go(world: World, command: str, caller: str, callee: str) -> None:
    """A second audio section is added, removed and added again, by re-INVITE and by UPDATE: each has its own ports, which are
    closed while it is not there; the first keeps its own."""
    wanted = (2, 1, 2)
    counts: list[int] = []
    times: list[float] = []
    with _pair(world, caller, callee) as (first, other):
        with observed(world.network) as seen:
            call, taken = first.call(other, aor(other.user))
            for count in wanted:
                now = "active active" if count == 2 else "active none"
                _change(command, first, call, count, media=now, other=other, taken=taken, theirs=now)
                # RTP and RTCP on each side.
                until(lambda n=count: len(relay_sockets(world.network)) == 4 * n, 3, f"ports of {count} sections")
                times.append(time.time())
                time.sleep(PART)
                counts.append(len(relay_sockets(world.network)))
            _hang_up(world, first, other, call)
        assert_no_leak(seen, world.network)
        assert counts == [4 * count for count in wanted]
    phone, remote = PHONES["phone1"], REMOTES["remote"]
    for packets, sender, receiver in ((seen.wan, world.wan, remote), (seen.wan, remote, world.wan),
                                      (seen.lan, ROUTER_LAN, phone), (seen.lan, phone, ROUTER_LAN)):
        parts = [streams(packets, sender, receiver, moment + 0.1, moment + PART) for moment in times]
        assert [len({port for port, _ in part}) for part in parts] == list(wanted), parts
        assert all(number > LEAST * PART * 0.8 for part in parts for number in part.values()), parts
        assert {port for port, _ in parts[1]} <= {port for port, _ in parts[0]} & {port for port, _ in parts[2]}
    if command == "update":
        assert sum(message.start.startswith("UPDATE ") for message in seen.wan_sip()) >= len(wanted)
