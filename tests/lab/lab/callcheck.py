"""The call check that means something: what must hold of a call through the router.

* each phone's recording holds the other's tone, with at least 80 % of the energy;
* the RTP packets on the LAN and on the WAN are the same packets (SSRC, sequence, timestamp, payload), at most 2 % lost;
* a LAN phone's media goes to the router's LAN address only;
* the provider's Contact of a LAN phone is the router's WAN address;
* the relay's ports are closed 3 s after the BYE;
* no private address is in any byte on the WAN.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.audio import tone_share
from lab.baresip import Phone
from lab.capture import Capture
from lab.leaks import find_leaks
from lab.netns import LAN_INTERFACE, PHONES, ROUTER_LAN, Network
from lab.pcap import Packet, Rtp, Sip, as_rtp, sip_messages
from lab.process import run
from lab.wait import until

# Least share of a recording's energy at the other's tone.
TONE_SHARE = 0.8

# Most packets that may be lost between LAN and WAN, of all.
MOST_LOST = 0.02

# Least seconds of tone in a recording, of those that the call lasted.
HEARD_SHARE = 0.7

# Seconds after the BYE by which the relay's ports must be closed.
CLOSE_TIMEOUT = 3.0


class CallFailed(AssertionError):
    """A call that does not meet the check."""


@dataclass
class Observation:
    """What was captured while a call lasted."""

    lan: list[Packet] = field(default_factory=list)
    wan: list[Packet] = field(default_factory=list)

    def lan_sip(self) -> list[Sip]:
        """SIP messages on the LAN."""
        return sip_messages(self.lan)

    def wan_sip(self) -> list[Sip]:
        """SIP messages on the WAN."""
        return sip_messages(self.wan)


@contextmanager
def observed(network: Network, only: str = "ip") -> Iterator[Observation]:
    """Captures both sides of the router while the block runs; `only` is a filter of tcpdump."""
    seen = Observation()
    lan, wan = (Capture(network, "router", interface, only) for interface in (LAN_INTERFACE, "wan"))
    try:
        with lan, wan:
            yield seen
    finally:
        seen.lan, seen.wan = lan.packets, wan.packets


def relay_sockets(network: Network) -> set[tuple[str, int]]:
    """Addresses and UDP ports of the RTP range that are open in the router."""
    low, high = network.rtp_range
    listed = run(network.ns("router"), ["ss", "-Huan"]).stdout
    found = re.findall(r"(\S+):(\d+)\s+\S+:[\d*]+\s*$", listed, re.MULTILINE)
    return {(address, int(port)) for address, port in found if low <= int(port) <= high + 1}


def relay_ports(network: Network) -> set[int]:
    """UDP ports of the RTP range that are open in the router."""
    return {port for _, port in relay_sockets(network)}


def assert_ports_closed(network: Network, before: set[int] | None = None) -> None:
    """The relay's ports are closed within 3 s; `before` were open already."""
    expected = before or set()
    until(lambda: not relay_ports(network) - expected, CLOSE_TIMEOUT, "the relay's ports to close")


def assert_hears(listener: Phone, tone: int, seconds: float, recording: int = -1) -> float:
    """The phone's recording holds the tone for most of `seconds`; returns the share of the energy."""
    files = listener.recordings()
    if not files:
        raise CallFailed(f"{listener.host} recorded nothing")
    share, heard = tone_share(files[recording], tone)
    if share < TONE_SHARE or heard < HEARD_SHARE * seconds:
        raise CallFailed(f"{listener.host} heard {tone} Hz with {share:.0%} of the energy, {heard:.1f} s of sound"
                         f" in a call of {seconds:.1f} s ({files[recording].name})")
    return share


def assert_no_leak(seen: Observation, network: Network) -> None:
    """No private address in any byte on the WAN."""
    leaks = find_leaks(seen.wan, network.rtp_range)
    if leaks:
        raise CallFailed(f"{len(leaks)} private addresses left, first: " + "\n".join(leaks[:3]))


def media_end(seen: Observation) -> float:
    """When the first BYE was sent: what is in flight then need not arrive."""
    times = [message.packet.time for message in seen.lan_sip() + seen.wan_sip() if message.start.startswith("BYE ")]
    return min(times, default=float("inf"))


def stream(packets: list[Packet], sender: str | None, receiver: str | None, end: float) -> Counter[Rtp]:
    """RTP packets from and to given addresses that were sent before `end`."""
    found: Counter[Rtp] = Counter()
    for packet in packets:
        if packet.time >= end or sender not in (None, packet.src) or receiver not in (None, packet.dst):
            continue
        rtp = as_rtp(packet)
        if rtp:
            found[rtp] += 1
    return found


@dataclass(frozen=True)
class Flow:
    """RTP packets of one direction: sent into the relay, and come out of it."""

    name: str
    sent: int
    received: int
    lost: int

    def __str__(self) -> str:
        return f"{self.name}: {self.sent} packets in, {self.received} out, {self.lost} lost"


def compare(name: str, before: Counter[Rtp], after: Counter[Rtp], least: int) -> Flow:
    """The same packets on both sides, at most 2 % lost, none invented."""
    lost = sum((before - after).values())
    invented = sum((after - before).values())
    flow = Flow(name, sum(before.values()), sum(after.values()), lost)
    if flow.sent < least:
        raise CallFailed(f"{flow}: expected at least {least} packets")
    # A packet on its way when the capture of one side ends is neither lost nor invented.
    if lost > MOST_LOST * flow.sent + 1 or invented > 2:
        raise CallFailed(f"{flow}, {invented} that nobody sent")
    return flow


def flows(seen: Observation, phone: str, remote: str, wan: str, least: int) -> list[Flow]:
    """Both directions of a call between a LAN phone and a remote one (addresses), with the router's WAN address."""
    end = media_end(seen)
    strayed = [packet for packet in seen.lan if packet.src == phone and as_rtp(packet) and packet.dst != ROUTER_LAN]
    if strayed:
        raise CallFailed(f"media of {phone} went to {strayed[0].dst}:{strayed[0].dport}, not to the router")
    return [
        compare(f"{phone} -> {remote}", stream(seen.lan, phone, ROUTER_LAN, end),
                stream(seen.wan, wan, remote, end), least),
        compare(f"{remote} -> {phone}", stream(seen.wan, remote, wan, end),
                stream(seen.lan, ROUTER_LAN, phone, end), least),
    ]


def flows_inside(seen: Observation, one: str, other: str, least: int) -> list[Flow]:
    """Both directions of a call between two LAN phones, which the router relays."""
    end = media_end(seen)
    direct = [packet for packet in seen.lan if as_rtp(packet) and packet.src in PHONES.values()
              and packet.dst != ROUTER_LAN]
    if direct:
        raise CallFailed(f"media went from {direct[0].src} to {direct[0].dst}, not to the router")
    return [compare(f"{a} -> {b}", stream(seen.lan, a, ROUTER_LAN, end), stream(seen.lan, ROUTER_LAN, b, end), least)
            for a, b in ((one, other), (other, one))]


def _times(packets: list[Packet], sender: str, receiver: str) -> dict[tuple[int, int], float]:
    """When each RTP packet between two addresses was seen, by source and number."""
    pairs = [(packet, as_rtp(packet)) for packet in packets if packet.src == sender and packet.dst == receiver]
    return {(rtp.ssrc, rtp.sequence): packet.time for packet, rtp in pairs if rtp}


def delays(seen: Observation, phone: str, remote: str, wan: str) -> list[float]:
    """For how many seconds the relay kept each packet of a call."""
    found: list[float] = []
    for came, went in ((_times(seen.lan, phone, ROUTER_LAN), _times(seen.wan, wan, remote)),
                       (_times(seen.wan, remote, wan), _times(seen.lan, ROUTER_LAN, phone))):
        found += [went[key] - time for key, time in came.items() if key in went]
    return found


def assert_both_ways(seen: Observation, phone: str, remote: str, wan: str, moment: float, seconds: float) -> None:
    """Media goes both ways on both sides of the router in the `seconds` from `moment` on, at 35 packets a second at least."""
    for packets, sender, receiver in ((seen.lan, phone, ROUTER_LAN), (seen.lan, ROUTER_LAN, phone),
                                      (seen.wan, wan, remote), (seen.wan, remote, wan)):
        count = sum(1 for packet in packets if moment < packet.time < moment + seconds and packet.src == sender
                    and packet.dst == receiver and as_rtp(packet))
        if count < int(seconds * 35):
            raise CallFailed(f"{sender} -> {receiver}: {count} RTP packets in {seconds:.1f} s")


def talk(caller: Phone, callee: Phone, uri: str, seconds: float) -> None:
    """One call: dial, ring, answer, talk for `seconds`, hang up at the caller."""
    from_caller, from_callee = caller.mark(), callee.mark()
    caller.dial(uri)
    callee.event("CALL_INCOMING", from_callee)
    callee.accept()
    caller.event("CALL_ESTABLISHED", from_caller)
    callee.event("CALL_ESTABLISHED", from_callee)
    time.sleep(seconds)
    caller.hangup()
    callee.event("CALL_CLOSED", from_callee)


def assert_contact_is_router(contacts: list[str], wan: str) -> None:
    """The provider knows the phone at the router's WAN address only."""
    hosts = [re.sub(r"^sips?:(?:[^@]*@)?([^:;>]+).*", r"\1", contact) for contact in contacts]
    if not hosts or any(host != wan for host in hosts):
        raise CallFailed(f"the provider's Contacts are {contacts}, not at {wan}")
