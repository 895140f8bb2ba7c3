"""Each sentence of docs/verdict.md, as the daemon says it of a call with real packets; and nothing of a call that was well."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest
from lab import flood
from lab.netns import PHONES, REMOTES, STRANGER
from lab.verdict import pattern, sentences
from lab.voice import PACKET_TIME, receiver_report, talk, wait_until
from lab.voicecall import CALLEE, CALLER, VoiceCall
from lab.world import World

PHONE = f"the phone {PHONES['phone3']}"
FAR_END = f"the far end {REMOTES['remote2']}"

# Where the far end sends from that does not send from where it announced.
ELSEWHERE = REMOTES["remote"]
OTHER_PORT = 4444

# Seconds after which who has said nothing is missed, and who says nothing more, each with a little more.
MISSED = 2.3
SILENT = 3.3

# Seconds after which what comes in another format is no more of before the answer.
ON_THE_WAY = 2.1

@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


# What happens in a call; returns the party that the sentence is about (not where it is about both), and the numbers that it must tell.
Script = Callable[[VoiceCall], "tuple[str, tuple[object, ...]]"]
SCRIPTS: dict[str, list[Script]] = {}


def says(sentence: str) -> Callable[[Script], Script]:
    """Registers a script with the sentence that it comes to."""
    def add(script: Script) -> Script:
        SCRIPTS.setdefault(sentence, []).append(script)
        return script
    return add


@says("nothing came from either party")
def neither(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """Both are silent; a report of one of them does not open the other's way."""
    call.report(call.caller, receiver_report(CALLER, CALLEE))
    time.sleep(MISSED)
    return "", ()


@says("nothing came from either party but RTCP: the ways are open, and nobody sends sound")
def neither_but_reports(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """Both report, and say nothing."""
    call.report(call.caller, receiver_report(CALLER, CALLEE))
    call.report(call.callee, receiver_report(CALLEE, CALLER))
    time.sleep(MISSED)
    return "", ()


@says("nothing came from PARTY to our UDP port PORT")
def far_end_is_swallowed(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The firewall takes what the far end sends."""
    with call.swallowed(call.callee):
        talk(MISSED, call.caller, call.callee)
    return FAR_END, (call.callee.target[1],)


@says("nothing came from PARTY to our UDP port PORT")
def phone_is_muted(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The phone sends nothing."""
    talk(MISSED, call.callee)
    return PHONE, (call.caller.target[1],)


@says("nothing came from PARTY but RTCP: the way is open, and it sends no sound")
def phone_only_reports(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The phone reports what it hears, and sends nothing."""
    talk(MISSED, call.callee)
    call.report(call.caller, receiver_report(CALLER, CALLEE))
    return PHONE, ()


@says("nothing came from PARTY, but COUNT packets from ADDRESS, which nobody announced: dropped")
def far_end_is_elsewhere(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The far end's sound comes from another machine than it said."""
    call.callee.sender = call.elsewhere("remote", ELSEWHERE, OTHER_PORT)
    talk(MISSED, call.caller, call.callee)
    return FAR_END, (call.callee.packets, f"{ELSEWHERE}:{OTHER_PORT}")


@says("what came from PARTY is not one stream: COUNT packets from ADDRESS dropped")
def phone_changes_its_port(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The phone goes on from another port, and does not say so."""
    talk(1, call.caller, call.callee)
    before = call.caller.packets
    call.caller.sender = call.elsewhere("phone3", PHONES["phone3"], OTHER_PORT)
    talk(SILENT, call.caller, call.callee)
    return PHONE, (call.caller.packets - before, f"{PHONES['phone3']}:{OTHER_PORT}")


@says("PARTY sent COUNT packets to find a way or agree on keys, and no sound")
def phone_finds_no_way(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The phone sends STUN and a DTLS ClientHello, and no RTP behind them."""
    for kind in (flood.stun, flood.stun, flood.dtls):
        call.caller.send(kind(0))
    talk(MISSED, call.callee)
    return PHONE, (3,)


@says("PARTY was blocked after the first COUNT packets")
def far_end_is_blocked(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The firewall closes the far end's way after a second."""
    talk(1, call.caller, call.callee)
    before = call.callee.packets
    with call.swallowed(call.callee):
        talk(SILENT, call.caller, call.callee)
    return FAR_END, (before,)


@says("nothing more came from PARTY since second SECOND, but COUNT packets from ADDRESS, which nobody announced: dropped")
def far_end_moves(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The far end goes on from another machine, and does not say so; what a scanner sent before has nothing to do with it."""
    scanner = call.elsewhere("stranger", STRANGER, OTHER_PORT)
    for number in range(50):
        scanner.sendto(flood.rtp(number), call.callee.target)
    talk(1.5, call.caller, call.callee)
    before = call.callee.packets
    call.callee.sender = call.elsewhere("remote", ELSEWHERE, OTHER_PORT)
    talk(SILENT, call.caller, call.callee)
    return FAR_END, (1, call.callee.packets - before, f"{ELSEWHERE}:{OTHER_PORT}")


@says("one way since second SECOND: nothing more came from PARTY")
def far_end_stops_after_a_scan(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """A scanner tries its luck while the far end talks; that has nothing to do with its silence later."""
    scanner = call.elsewhere("stranger", STRANGER, OTHER_PORT)
    for number in range(50):
        scanner.sendto(flood.rtp(number), call.callee.target)
        talk(0.07, call.caller, call.callee)
    talk(SILENT, call.caller)
    return FAR_END, (3,)


@says("one way since second SECOND: nothing more came from PARTY")
def phone_falls_silent(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The phone talks for some seconds, and then no more."""
    talk(3.5, call.caller, call.callee)
    talk(SILENT, call.callee)
    return PHONE, (3,)


@says("nothing came from either party since second SECOND")
def both_are_cut_off(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """Both talk for some seconds, and then no more."""
    talk(3.5, call.caller, call.callee)
    time.sleep(SILENT)
    return "", (3,)


@says("PARTY changed the codec without an offer: COUNT packets of payload type TYPE, which OTHER does not take")
def far_end_changes_the_codec(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The far end goes on with A-law, which was not offered to it."""
    talk(ON_THE_WAY, call.caller, call.callee)
    call.callee.payload_type = 8
    before = call.callee.packets
    talk(0.6, call.caller, call.callee)
    return FAR_END, (call.callee.packets - before, 8)


@says("SHARE % of what PARTY sent did not reach us")
def phone_loses(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """Each twentieth packet of the phone is lost before the router."""
    for _ in range(6):
        talk(19 * PACKET_TIME, call.caller, call.callee)
        call.caller.lose(1)
    call.caller.say()
    return PHONE, (pytest.approx(100 * 6 / 121, abs=0.01),)


@says("SHARE % of what PARTY sent reached us, but not OTHER")
def far_end_hears_less(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """The far end reports that it did not get six packets in a hundred of those that the router sent."""
    talk(2, call.caller, call.callee)
    call.report(call.callee, receiver_report(CALLEE, CALLER, lost=6))
    return PHONE, (6.00,)


@says("nothing came from PARTY for TIME ms, then it went on")
def far_end_is_held_up(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """What the far end sends is kept back for more than two seconds, and then comes all at once."""
    talk(0.5, call.caller, call.callee)
    last = time.monotonic()
    kept = []
    while time.monotonic() < last + 2.2:
        talk(PACKET_TIME, call.caller)
        kept.append(call.callee.packet())
    for packet in kept:
        call.callee.send(packet)
    return FAR_END, (pytest.approx(2200, abs=60),)


@says("what PARTY sent came unevenly: its jitter is TIME ms")
def phone_is_uneven(call: VoiceCall) -> tuple[str, tuple[object, ...]]:
    """Each packet of the phone is late by up to a quarter of a second, none is lost."""
    chance = random.Random(1)
    start = time.monotonic()
    late = sorted((start + number * PACKET_TIME + chance.uniform(0, 0.25), call.caller.packet()) for number in range(150))
    for moment, packet in late:
        wait_until(moment)
        call.caller.send(packet)
        call.callee.say()
    # Two delays out of 250 ms differ by a third of that on average; how closely is told in the test of the figures.
    return PHONE, (pytest.approx(83, abs=20),)


CASES = [pytest.param(sentence, script, id=script.__name__) for sentence, scripts in SCRIPTS.items() for script in scripts]


@pytest.mark.parametrize(("sentence", "script"), CASES)
def test_sentence(world: World, sentence: str, script: Script) -> None:
    """What happens in the call comes to this sentence, about this party, with these numbers."""
    call = VoiceCall(world)
    party, numbers = script(call)
    told = call.end()
    found = pattern(sentence, party, PHONE if party == FAR_END else FAR_END).fullmatch(told.sentence or "")
    assert found, f"{told.sentence!r} is not {sentence!r}\n{world.siproxd.tail()}"
    said = [text if ":" in text else float(text) for text in found.groups()]
    assert said == list(numbers), told.sentence


def test_every_sentence_is_tested() -> None:
    """Those that docs/verdict.md explains, and no others."""
    assert sorted(SCRIPTS) == sorted(sentences())
