"""Reads what tcpdump wrote: IP packets, RTP packets, SIP messages."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TCP = 6
UDP = 17
SIP_PORT = 5060
FIRST_FREE_PORT = 1024  # RFC 6335 §6
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
IPV6_HEADER = 40  # RFC 8200 §3
RTP_HEADER = 12  # RFC 3550 §5.1

# RTCP packet types (RFC 3550 §12.1 and RFC 5761 §4): what tells RTCP from RTP in the second byte.
RTCP_TYPES = range(192, 224)


@dataclass(frozen=True)
class Packet:
    """One IP packet; ports are 0 where there are none."""

    time: float
    src: str
    dst: str
    protocol: int
    sport: int
    dport: int
    raw: bytes  # from the IP header on
    payload: bytes  # of UDP and TCP, else of IP

    def touches(self, address: str) -> bool:
        """Whether it comes from or goes to an address."""
        return address in (self.src, self.dst)


@dataclass(frozen=True)
class Rtp:
    """What stays the same when a relay passes on an RTP packet."""

    ssrc: int
    sequence: int
    timestamp: int
    payload_type: int
    payload: bytes


@dataclass(frozen=True)
class Sip:
    """One SIP message on the wire."""

    packet: Packet
    start: str
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def first(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next(iter(self.all(name)), "")

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return not self.start.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """The method, of a response that of its CSeq."""
        return self.start.split()[0] if self.is_request else self.first("cseq").split()[-1]

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return 0 if self.is_request else int(self.start.split()[1])


# Compact header names (RFC 3261 §7.3.3).
COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "k": "supported", "s": "subject", "e": "content-encoding"}


def read(path: Path) -> list[Packet]:
    """All IP packets of a capture of Ethernet frames, oldest first."""
    return list(_packets(path.read_bytes()))


def _packets(data: bytes) -> Iterator[Packet]:
    if len(data) < 24:
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1e-9 if b"\x3c\xb2" in data[:4] or b"\xb2\x3c" in data[:4] else 1e-6
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, size, _ = struct.unpack_from(order + "IIII", data, at)
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        kind = struct.unpack_from("!H", frame, 12)[0] if len(frame) >= 34 else 0
        if kind == ETHERTYPE_IPV4:
            yield _packet(seconds + fraction * unit, frame[14:])
        elif kind == ETHERTYPE_IPV6 and len(frame) >= 14 + IPV6_HEADER:
            yield _packet_v6(seconds + fraction * unit, frame[14:])


def _packet(time: float, raw: bytes) -> Packet:
    raw = raw[:struct.unpack_from("!H", raw, 2)[0]] or raw
    header = (raw[0] & 15) * 4
    src, dst = str(ipaddress.IPv4Address(raw[12:16])), str(ipaddress.IPv4Address(raw[16:20]))
    first_fragment = struct.unpack_from("!H", raw, 6)[0] & 0x1FFF == 0
    return _transport(time, src, dst, raw[9] if first_fragment else 0, raw, header)


def _packet_v6(time: float, raw: bytes) -> Packet:
    """One without extension headers; others have no ports."""
    raw = raw[:IPV6_HEADER + struct.unpack_from("!H", raw, 4)[0]]
    src, dst = str(ipaddress.IPv6Address(raw[8:24])), str(ipaddress.IPv6Address(raw[24:40]))
    return _transport(time, src, dst, raw[6], raw, IPV6_HEADER)


def _transport(time: float, src: str, dst: str, protocol: int, raw: bytes, header: int) -> Packet:
    if protocol == UDP and len(raw) >= header + 8:
        sport, dport = struct.unpack_from("!HH", raw, header)
        return Packet(time, src, dst, UDP, sport, dport, raw, raw[header + 8:])
    if protocol == TCP and len(raw) >= header + 20:
        sport, dport = struct.unpack_from("!HH", raw, header)
        return Packet(time, src, dst, TCP, sport, dport, raw, raw[header + (raw[header + 12] >> 4) * 4:])
    return Packet(time, src, dst, protocol, 0, 0, raw, raw[header:])


def _may_be_media(packet: Packet) -> bool:
    """Whether it is UDP and neither SIP nor from or to a well-known port (a DNS id may look like RTP)."""
    ports = (packet.sport, packet.dport)
    return packet.protocol == UDP and min(ports) >= FIRST_FREE_PORT and SIP_PORT not in ports


def as_rtp(packet: Packet) -> Rtp | None:
    """The packet as RTP; nothing for RTCP and everything else."""
    data = packet.payload
    if not _may_be_media(packet) or len(data) < RTP_HEADER or data[0] >> 6 != 2 or data[1] in RTCP_TYPES:
        return None
    kind, sequence, timestamp, ssrc = struct.unpack_from("!BHII", data, 1)
    return Rtp(ssrc, sequence, timestamp, kind & 0x7F, data[RTP_HEADER:])


def is_rtcp(packet: Packet) -> bool:
    """Whether it is RTCP."""
    data = packet.payload
    return _may_be_media(packet) and len(data) >= 8 and data[0] >> 6 == 2 and data[1] in RTCP_TYPES


def as_sip(packet: Packet) -> Sip | None:
    """The packet as a SIP message over UDP, or one that begins a TCP segment."""
    if packet.protocol not in (TCP, UDP) or b"SIP/2.0" not in packet.payload.split(b"\r\n", 1)[0]:
        return None
    return parse_sip(packet.payload, packet)


def parse_sip(data: bytes, packet: Packet) -> Sip:
    """A message that is known to be SIP."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.append((COMPACT.get(name, name), value.strip()))
    return Sip(packet, lines[0], headers, body)


def sip_messages(packets: list[Packet]) -> list[Sip]:
    """All SIP messages among packets."""
    return [message for message in map(as_sip, packets) if message]
