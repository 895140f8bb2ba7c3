"""Sections that no phone here offers on demand: fax, media over TCP, and one far end's media port for several calls. Scripted."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator

import pytest
from lab.callcheck import assert_no_leak, assert_ports_closed, observed
from lab.netns import REMOTES
from lab.rawcall import BURST, PACKET_TIME, RTP_PORT, RawCall, sdp_target
from lab.sockets import drain, udp_in
from lab.world import World

# Where both parties have their fax.
FAX_PORT = RTP_PORT + 10

# Datagrams that may be lost while a port is learned.
MOST_LOST = 4

# One empty IFP packet: its length, a T.30 indicator, no secondary packets (T.38 §9.1).
IFP = b"\x01\x02\x00\x00"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home without phones."""
    with World() as made:
        yield made


def _description(address: str, *sections: str) -> str:
    return (f"v=0\r\no=- 1 2 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
            + "".join(f"m={section}\r\n" for section in sections))


def _sections(body: str) -> list[str]:
    return re.findall(r"^m=(.*?)\r?$", body, re.MULTILINE)


def _reinvite(call: RawCall, cseq: int, offer: str, answer: str) -> tuple[str, str]:
    """The caller offers, the callee answers; returns the descriptions as the callee and the caller got them."""
    call.in_dialog("INVITE", cseq, offer)
    request = call.b.wait_request("INVITE")
    call.reply(request, 200, "OK", answer)
    response = call.a.wait_response(call.call_id, method="INVITE")
    assert response.status == 200, response.start
    call.in_dialog("ACK", cseq)
    call.b.wait_request("ACK")
    return request.body, response.body


def test_fax(world: World, call: RawCall) -> None:
    """A call becomes a fax over UDPTL, on the router's ports that it has, and then a call again."""
    with observed(world.network) as seen:
        call.establish()
        ports = (call.to_a, call.to_b)
        far, near = (udp_in(world.network.ns(host), endpoint.address, FAX_PORT)
                     for host, endpoint in (("remote2", call.b), ("phone3", call.a)))
        fax = f"image {FAX_PORT} udptl t38"
        at_b, at_a = _reinvite(call, 2, _description(call.a.address, fax), _description(call.b.address, fax))
        for body, port in ((at_b, call.to_a), (at_a, call.to_b)):
            assert port and _sections(body) == [f"image {port[1]} udptl t38"], body
        assert call.to_a and call.to_b
        for number in range(BURST):
            near.sendto(struct.pack("!H", number) + IFP, call.to_b)
            far.sendto(struct.pack("!H", number) + IFP, call.to_a)
            time.sleep(PACKET_TIME)
        for receiver in (near, far):
            got = drain(receiver)
            assert len(got) >= BURST - MOST_LOST and all(packet[2:] == IFP for packet in got), got
            receiver.close()
        at_b, at_a = _reinvite(call, 3, call.a.offer(), call.b.offer())
        assert (sdp_target(at_b), sdp_target(at_a)) == ports
        call.assert_media()
        call.hang_up()
        assert_ports_closed(world.network)
    assert_no_leak(seen, world.network)


def test_media_over_tcp(world: World, call: RawCall) -> None:
    """MSRP, BFCP and T.38 over TCP are declined in their places; the audio beside them is a call."""
    over_tcp = ("message 2855 TCP/MSRP *", "application 2856 TCP/BFCP *", "image 2857 tcp t38")
    declined = [re.sub(r" \d+ ", " 0 ", section, count=1) for section in over_tcp]
    with observed(world.network) as seen:
        call.establish()
        offer = _description(call.a.address, f"audio {RTP_PORT} RTP/AVP 0", *over_tcp) + f"a=path:msrp://{call.a.address}:2855/x;tcp\r\n"
        answer = _description(call.b.address, f"audio {RTP_PORT} RTP/AVP 0", *declined)
        at_b, at_a = _reinvite(call, 2, offer, answer)
        for body in (at_b, at_a):
            assert _sections(body)[1:] == declined, body
        assert (sdp_target(at_b), sdp_target(at_a)) == (call.to_a, call.to_b)
        call.assert_media()
        call.hang_up()
        assert_ports_closed(world.network)
    assert_no_leak(seen, world.network)


def test_one_far_end_of_two_calls(world: World, call: RawCall) -> None:
    """Both calls have their media with the same address and port outside, as a server has it; each hears its own."""
    other = RawCall(world, RTP_PORT + 2)
    try:
        call.establish()
        other.invite()
        assert other.request and call.to_a and call.to_b and other.to_a
        other.reply(other.request, 200, "OK", other.b.offer(RTP_PORT))
        assert other.finish_invite().status == 200 and other.to_b
        other.b.wait_request("ACK")
        calls = [(call, call.to_a, b"1111"), (other, other.to_a, b"2222")]
        far = call.rtp_b
        assert far.getsockname() == (REMOTES["remote2"], RTP_PORT)
        for receiver in (far, call.rtp_a, other.rtp_a):
            drain(receiver)
        for number in range(1000, 1000 + BURST):
            for one, target, mark in calls:
                header = struct.pack("!BBHI", 0x80, 0, number, number * 160)
                assert one.to_b
                one.rtp_a.sendto(header + mark + b"\x55" * 160, one.to_b)
                far.sendto(header + mark + b"\xd5" * 160, target)
            time.sleep(PACKET_TIME)
        marks = [packet[8:12] for packet in drain(far)]
        assert all(marks.count(mark) >= BURST - MOST_LOST for _, _, mark in calls), marks
        for one, _, mark in calls:
            heard = [packet[8:12] for packet in drain(one.rtp_a)]
            assert set(heard) == {mark} and len(heard) >= BURST - MOST_LOST, heard
        for one in (call, other):
            one.hang_up()
        assert_ports_closed(world.network)
    finally:
        other.close()
