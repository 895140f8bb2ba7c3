"""The rig's own instruments, on what they must find and what they must not."""

from __future__ import annotations

import base64
import ipaddress
import struct
from pathlib import Path

import pytest
from lab.audio import read_samples, tone_share, write_tone
from lab.leaks import find_leaks
from lab.pcap import UDP, Packet

RANGE = (7070, 7089)
PHONE = "10.0.0.11"


def _packet(payload: bytes, port: int = 5060, src: str = "198.51.100.1") -> Packet:
    raw = (struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, UDP, 0) + ipaddress.IPv4Address(src).packed
           + ipaddress.IPv4Address("203.0.113.10").packed + struct.pack("!HHHH", port, port, 8 + len(payload), 0))
    return Packet(0.0, src, "203.0.113.10", UDP, port, port, raw + payload, payload)


@pytest.mark.parametrize("payload", [
    b"Via: SIP/2.0/UDP 10.0.0.11:5060",
    b"x=0a00000b;",
    b"x=0A00000B;",
    b"i: 31302e302e302e3131-1",
    *(b"z=" + base64.b64encode(b"abc"[:shift] + b"10.0.0.11" + b"yz") for shift in range(3)),
    b"h=" + base64.b64encode(b"call from 10.0.0.1 on the LAN"),
    b"\x00\x0a\x00\x00\x0b\x00",
], ids=repr)
def test_address_is_found(payload: bytes) -> None:
    """In every spelling."""
    assert find_leaks([_packet(payload)], RANGE)


def test_address_is_found_in_ip_headers() -> None:
    """A packet that was not masqueraded, and one that an ICMP error quotes."""
    leaking = _packet(b"\x80\0" + b"x" * 30, 7070, src=PHONE)
    assert find_leaks([leaking], RANGE)
    quoted = Packet(0.0, "203.0.113.20", "198.51.100.1", 1, 0, 0, leaking.raw, leaking.raw)
    assert find_leaks([quoted], RANGE)


def test_media_is_exempt_and_other_numbers_are_not_ours() -> None:
    """RTP and RTCP payloads, and numbers that only look like the address."""
    assert not find_leaks([_packet(b"\x80\0" + b"x" * 10 + b"10.0.0.11", 7070)], RANGE)
    assert not find_leaks([_packet(b"\x80\xc8\0\6" + b"x" * 10 + b"10.0.0.11", 7071)], RANGE)
    assert find_leaks([_packet(b"\x80\0" + b"x" * 10 + b"10.0.0.11", 9000)], RANGE)
    assert not find_leaks([_packet(b"110.0.0.11 10.0.0.111 10.0.0.2")], RANGE)


def test_tone_is_measured(tmp_path: Path) -> None:
    """The tone that is there has all the energy, another none, silence none."""
    tone, silence = tmp_path / "tone.wav", tmp_path / "silence.wav"
    write_tone(tone, 500, 2)
    share, seconds = tone_share(tone, 500)
    assert share > 0.99 and seconds == 2.0
    assert tone_share(tone, 1100)[0] < 0.01
    silence.write_bytes(tone.read_bytes()[:44] + b"\0" * 2 * len(read_samples(tone)))
    assert tone_share(silence, 500) == (0.0, 0.0)
