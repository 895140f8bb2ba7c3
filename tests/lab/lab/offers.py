"""What became of session descriptions on their way, and of the media they are about."""

from __future__ import annotations

import re
from collections import Counter

from lab.callcheck import Observation
from lab.netns import ROUTER_LAN, SIP_PORT
from lab.pcap import Packet, Sip, as_rtp


def descriptions(messages: list[Sip], sender: str, receiver: str) -> list[str]:
    """The session descriptions from one address to another, oldest first."""
    return [message.body for message in messages if message.body.startswith("v=0")
            and message.packet.src == sender and message.packet.dst == receiver]


def crossings(seen: Observation, wan: str, phone: str) -> list[tuple[list[str], list[str]]]:
    """The descriptions before the router and behind it, those of a LAN phone, and those for it; `wan` is the router's address."""
    lan, outside = seen.lan_sip(), seen.wan_sip()
    peers = sorted({packet.dst for packet in seen.wan if packet.src == wan and SIP_PORT in (packet.sport, packet.dport)})
    out = [text for peer in peers for text in descriptions(outside, wan, peer)]
    back = [text for peer in peers for text in descriptions(outside, peer, wan)]
    return [(descriptions(lan, phone, ROUTER_LAN), out), (back, descriptions(lan, ROUTER_LAN, phone))]


def lines_like(texts: list[str], pattern: str) -> set[str]:
    """The lines of descriptions that match as a whole."""
    return {line for text in texts for line in text.splitlines() if re.fullmatch(pattern, line)}


def streams(packets: list[Packet], sender: str, receiver: str, start: float = 0, end: float = float("inf")
            ) -> Counter[tuple[int, int]]:
    """RTP packets from one address to another between two moments, by the port they went to and their SSRC."""
    return Counter((packet.dport, rtp.ssrc) for packet in packets if start < packet.time < end
                   and packet.src == sender and packet.dst == receiver and (rtp := as_rtp(packet)))
