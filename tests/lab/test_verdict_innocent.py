"""What is no fault has no sentence: calls with everything that parties do of their own will."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

import pytest
from lab.rawcall import RawCall
from lab.verdict import verdict
from lab.voice import PACKET_TIME, Voice, receiver_report, sender_report, talk
from lab.voicecall import CALLEE, CALLER, VoiceCall
from lab.world import World

# Seconds after which who says nothing more would be missed, with a little more.
SILENT = 3.3


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


def short(call: VoiceCall) -> None:
    """Over before anybody has said anything."""
    time.sleep(1)


def ends_of_itself(call: VoiceCall) -> None:
    """One falls silent just before the end."""
    talk(3.5, call.caller, call.callee)
    talk(2, call.callee)


def pauses(call: VoiceCall) -> None:
    """The phone sends nothing while nobody speaks, and is silent at the end for long."""
    for _ in range(3):
        talk(0.5, call.caller, call.callee)
        talk(0.8, call.callee)
        call.caller.pause(40)
        call.caller.say(marker=True)
    talk(SILENT + 1, call.callee)


def pauses_at_first(call: VoiceCall) -> None:
    """The far end is silent after its first second, and reports that it has sent no more."""
    talk(1, call.caller, call.callee)
    talk(SILENT, call.caller)
    call.report(call.callee, sender_report(CALLEE, packets=call.callee.packets))
    talk(0.5, call.caller)


def comfort_noise(call: VoiceCall) -> None:
    """The far end sends comfort noise (RFC 3389) now and then, with a clock that stands still, and no marker behind it."""
    talk(1, call.caller, call.callee)
    call.callee.payload_type = 13
    for pause in (0.2, 0.7, 0.3, 2.2, 0.5):
        talk(pause, call.caller)
        call.callee.send(call.callee.header() + b"\x40")
        call.callee.sequence += 1
    call.callee.payload_type = 0
    talk(1, call.caller, call.callee)


def keys(call: VoiceCall) -> None:
    """The phone sends keys (RFC 4733): packets of one time stamp, the last one three times at once."""
    talk(0.5, call.caller, call.callee)
    for _ in range(6):
        call.caller.payload_type = 101
        begin = call.caller.timestamp
        for number in range(8):
            call.caller.timestamp = begin
            call.caller.send(call.caller.header(marker=number == 0) + struct.pack("!BBH", 5, 10, 160 * number))
            call.caller.sequence = call.caller.sequence + 1 & 0xFFFF
            talk(PACKET_TIME if number < 6 else 0, call.callee)
        call.caller.payload_type = 0
        call.caller.timestamp = begin + 6 * 160 & 0xFFFFFFFF
        talk(0.2, call.caller, call.callee)


def restarts(call: VoiceCall) -> None:
    """The far end's sender begins anew several times: another source, other numbers of the same source."""
    for ssrc, sequence in ((CALLEE, 65_500), (1, 3), (1, 40_000), (CALLEE, 900), (CALLEE, 2_700)):
        call.callee.ssrc, call.callee.sequence = ssrc, sequence
        call.callee.timestamp = sequence * 7919
        talk(0.5, call.caller, call.callee)


def is_held(call: VoiceCall) -> None:
    """The phone holds the far end and comes back; what the far end says meanwhile is for nobody."""
    talk(1, call.caller, call.callee)
    call.raw.offer(2, call.raw.a.offer(call.raw.port).replace("sendrecv", "sendonly"),
                   call.raw.b.offer(call.raw.port).replace("sendrecv", "recvonly"))
    talk(SILENT, call.caller)
    call.callee.lose(200)
    call.raw.offer(3, call.raw.a.offer(call.raw.port), call.raw.b.offer(call.raw.port))
    talk(1, call.caller, call.callee)


def stays_held(call: VoiceCall) -> None:
    """The phone holds the far end until the end."""
    talk(1, call.caller, call.callee)
    call.raw.offer(2, call.raw.a.offer(call.raw.port).replace("sendrecv", "inactive"),
                   call.raw.b.offer(call.raw.port).replace("sendrecv", "inactive"))
    time.sleep(SILENT)


def changes_the_codec(call: VoiceCall) -> None:
    """Each offer wants another codec; the far end takes notice a second later."""
    for cseq, payload_type in ((2, 8), (3, 0), (4, 8)):
        talk(0.5, call.caller, call.callee)

        def wants(text: str) -> str:
            return text.replace("AVP 0 101", f"AVP {payload_type} 101").replace("rtpmap:0 PCMU", f"rtpmap:{payload_type} x")

        call.raw.offer(cseq, wants(call.raw.a.offer(call.raw.port)), wants(call.raw.b.offer(call.raw.port)))
        call.caller.payload_type = payload_type
        talk(1, call.caller, call.callee)
        call.callee.payload_type = payload_type
    talk(1, call.caller, call.callee)


def forges_reports(call: VoiceCall) -> None:
    """The far end reports more loss than there were packets, an absurd jitter, and round trips that cannot be; and what is no report."""
    talk(2.2, call.caller, call.callee)
    call.report(call.caller, sender_report(CALLER, ntp_middle=7))
    time.sleep(0.1)
    for lost, delay in ((0x7FFFFF, 1e-4), (5000, 65_000.0), (0x800000, 0.0)):
        call.report(call.callee, receiver_report(CALLEE, CALLER, lost, 0xFFFFFFFF, last_sr=7, delay=delay))
    # Of a source that is not there, of itself; cut off; with a length that is not true.
    for report in (receiver_report(CALLEE, 1, 50), receiver_report(CALLER, CALLEE, 50), receiver_report(CALLEE, CALLER, 50)[:28],
                   receiver_report(CALLEE, CALLER, 50) + b"\xff" * 7, bytes(28)):
        call.report(call.callee, report)
    talk(0.3, call.caller, call.callee)


INNOCENT: list[Callable[[VoiceCall], None]] = [
    short, ends_of_itself, pauses, pauses_at_first, comfort_noise, keys, restarts, is_held, stays_held, changes_the_codec, forges_reports]


@pytest.mark.parametrize("script", INNOCENT, ids=lambda script: script.__name__)
def test_innocent(world: World, script: Callable[[VoiceCall], None]) -> None:
    """Neither while the call runs nor at its end is anything wrong with it."""
    call = VoiceCall(world)
    script(call)
    running, told = call.status(), call.end()
    assert (running.sentence, told.sentence) == (None, None), world.siproxd.tail()
    for said in (told.caller, told.callee):
        assert (said.lost, said.beyond) in ((None, None), (0, None), (0, 0)), said.text
        assert said.round_trip is None or said.round_trip < 1000, said.text
        assert said.mos is None or said.mos >= 4, said.text


def test_early_media_is_innocent(world: World) -> None:
    """A long announcement before the answer, to a phone that says nothing yet; then another source at the far end, and talk."""
    start = len(world.siproxd.text())
    call = RawCall(world)
    call.invite()
    assert call.request and call.to_a
    call.reply(call.request, 183, "Session Progress", body=call.b.offer(call.port))
    # It comes by way of the provider, which media does not: what overtakes it is a stranger's.
    while call.a.wait_response(call.call_id, final=False).status != 183:
        pass
    announcement = Voice(call.rtp_b, call.to_a, CALLEE)
    talk(4, announcement)
    call.answer()
    assert call.finish_invite().status == 200
    call.b.wait_request("ACK")
    assert call.to_b
    caller, callee = Voice(call.rtp_a, call.to_b, CALLER), Voice(call.rtp_b, call.to_a, 1)
    talk(2.5, caller, callee)
    call.hang_up()
    call.close()
    told = verdict(world, call.callee, start)
    assert told.sentence is None
    assert (told.caller.packets, told.callee.packets) == (caller.packets, announcement.packets + callee.packets)
