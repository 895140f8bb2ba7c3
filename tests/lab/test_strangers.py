"""Whoever is not known on the WAN gets no answer at all; and what must never be answered is not, on the LAN either."""

from __future__ import annotations

import pytest
from lab.capture import Capture
from lab.kamailio import aor
from lab.netns import STRANGER
from lab.rawcall import OUTBOUND as PROXY
from lab.world import World

# Seconds of silence that are waited for.
SILENCE = 1.5


def test_stranger_gets_no_answer_and_no_phone_rings(world: World) -> None:
    """A scanner's whole repertoire, towards a user that exists."""
    stranger = world.endpoint("stranger")
    phone = world["phone1"]
    since = phone.mark()
    target = (world.wan, 5060)
    with Capture(world.network, "router", "wan", f"host {STRANGER}") as wan:
        for method in ("OPTIONS", "REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "BYE", "CANCEL", "ACK", "NOTIFY"):
            for uri in (f"sip:alice@{world.wan}", f"sip:{world.wan}", aor("alice"), "sip:alice@home.example"):
                stranger.send(stranger.request(method, uri, sender=f"sip:100@{world.wan}",
                                               body=stranger.offer() if method == "INVITE" else ""), target)
        stranger.send("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKx\r\n\r\n", target)
        stranger.send(b"\r\n\r\n", target)
        stranger.send(b"\0\0\0\0", target)
        stranger.nothing_for(SILENCE)
    answered = [packet for packet in wan.packets if packet.dst == STRANGER]
    assert not answered, answered[:3]
    assert not phone.events("CALL_INCOMING", since)
    stranger.close()


@pytest.mark.parametrize("what", ["ACK", "response"])
def test_ack_and_response_are_never_answered(world: World, what: str) -> None:
    """Also from a LAN phone."""
    phone = world.endpoint("phone3")
    if what == "ACK":
        text = phone.request("ACK", aor("carol"), sender=aor("chris"), to_tag="nobody", contact=False)
    else:
        text = (f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKunknown\r\n"
                f"Via: SIP/2.0/UDP {phone.address}:{phone.port};branch=z9hG4bKmine\r\nFrom: <{aor('chris')}>;tag=1\r\n"
                f"To: <{aor('carol')}>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
    phone.send(text, PROXY)
    phone.nothing_for(SILENCE)
    phone.close()


@pytest.mark.parametrize("keepalive", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b""])
def test_keepalives_of_phones_are_no_errors(world: World, keepalive: bytes) -> None:
    """A CRLF pong or nothing, never a 400 (RFC 5626 §3.5.1)."""
    phone = world.endpoint("phone3")
    phone.send(keepalive, PROXY)
    got = phone.raw(0.5)
    assert got in (None, b"\r\n"), got
    phone.close()
