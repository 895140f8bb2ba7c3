"""Looks for private addresses in every byte of a capture on the Internet's side."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable

from lab.netns import PHONES, ROUTER_LAN
from lab.pcap import UDP, Packet, as_rtp, is_rtcp

PRIVATE = (*PHONES.values(), ROUTER_LAN)

# Where source and destination stand in a header, by the version of IP (RFC 791 §3.1, RFC 8200 §3).
ADDRESSES = {4: slice(12, 20), 6: slice(8, 40)}

# Characters of Base64 that must be certain for a match: fewer would be found by chance in random tokens.
CERTAIN = 5


def _base64_forms(data: bytes) -> Iterable[bytes]:
    """The characters that are certain wherever `data` stands in a longer encoded text."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data + b"\0" * ((-shift - len(data)) % 3)).rstrip(b"=")
        first = (shift * 8 + 5) // 6
        last = (shift + len(data)) * 8 // 6
        certain = text[first:last]
        if len(certain) >= CERTAIN:
            yield certain
            yield certain.replace(b"+", b"-").replace(b"/", b"_")


def needles(address: str) -> dict[bytes, str]:
    """Every spelling of an address that is looked for, with its name."""
    text = address.encode()
    packed = ipaddress.ip_address(address).packed
    found = {text: "text", packed: "bytes", packed.hex().encode(): "hex", packed.hex().upper().encode(): "hex",
             packed[::-1].hex().encode(): "reversed hex", text.hex().encode(): "text in hex",
             text.replace(b".", b"-"): "text with dashes", text.replace(b".", b"%2E"): "escaped text"}
    if ":" in address:
        found.update({ipaddress.ip_address(address).exploded.encode(): "text in full",
                      text.replace(b":", b"%3A"): "escaped text"})
    found.update({form: "Base64" for form in (*_base64_forms(text), *_base64_forms(packed))})
    return found


def _contains(data: bytes, needle: bytes, spelling: str) -> bool:
    """Whether `needle` occurs, as a whole token where it is a text: 110.0.0.1 and 10.0.0.123 do not count."""
    at = data.find(needle)
    while at >= 0:
        before, after = data[at - 1:at], data[at + len(needle):at + len(needle) + 1]
        whole = not before.isdigit() and not after.isdigit()
        if whole or not spelling.startswith("text"):
            return True
        at = data.find(needle, at + 1)
    return False


def searched_bytes(packet: Packet, media_ports: tuple[int, int]) -> bytes:
    """What is searched of a packet: its addresses, and its payload unless that is RTP or RTCP on the relay's ports.

    The rest of the headers is numbers that the kernel makes up (sequence, acknowledgement, timestamps, checksums).
    """
    low, high = media_ports
    on_relay = any(low <= port <= high + 1 for port in (packet.sport, packet.dport))
    addresses = packet.raw[ADDRESSES[packet.raw[0] >> 4]]
    if packet.protocol == UDP and on_relay and (as_rtp(packet) or is_rtcp(packet)):
        return addresses
    return addresses + b"\0" + packet.payload


def find_leaks(packets: Iterable[Packet], media_ports: tuple[int, int],
               addresses: Iterable[str] = PRIVATE) -> list[str]:
    """One line for each private address that is found, with the packet that has it."""
    wanted = [(address, needle, spelling) for address in addresses for needle, spelling in needles(address).items()]
    leaks = []
    for packet in packets:
        data = searched_bytes(packet, media_ports)
        folded = data.upper()
        for address, needle, spelling in wanted:
            if needle in data or (spelling != "Base64" and needle.upper() in folded):
                if _contains(data, needle, spelling):
                    leaks.append(f"{address} as {spelling} in {packet.src}:{packet.sport} -> "
                                 f"{packet.dst}:{packet.dport}: {packet.payload[:400]!r}")
    return leaks
