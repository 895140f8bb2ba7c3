"""Calls between IPv4 and IPv6: real phones, real audio, and nothing of the one side on the other."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from lab.callcheck import (CallFailed, Observation, assert_hears, assert_ports_closed, compare, media_end, observed,
                           stream, talk)
from lab.ipv6 import LAN, WAN, SixNetwork, SixWorld
from lab.kamailio import TRUNK, aor
from lab.leaks import find_leaks
from lab.netns import PHONES, REMOTES, ROUTER_LAN, ROUTER_WAN
from lab.pcap import Packet, as_rtp
from lab.rawcall import OUTBOUND, RTP_PORT, RawCall, sdp_target
from lab.sockets import udp_in
from lab.world import LEAST_PER_SECOND, TALK, World

# Expedited forwarding (RFC 3246), for media.
DSCP = 46

# A capture of both families.
BOTH = "ip or ip6"

# The router's addresses.
OURS = (ROUTER_LAN, ROUTER_WAN, LAN["router"], WAN["router"])


@pytest.fixture(scope="module", params=["lan", "wan"])
def six(request: pytest.FixtureRequest) -> Iterator[SixWorld]:
    """A home whose LAN, or whose WAN, has IPv6 and no IPv4."""
    with SixWorld(request.param) as made:
        yield made
        made.siproxd.assert_alive()


@pytest.mark.parametrize("caller", ["phone1", "remote"])
def test_call_from_one_family_to_the_other(six: SixWorld, caller: str) -> None:
    """Both hear each other, every packet is carried over, and each side sees our address of its own family alone."""
    first, other = six.phones[caller], six.phones["remote" if caller == "phone1" else "phone1"]
    with observed(six.network, BOTH) as seen:
        talk(first, other, aor(other.user), TALK)
        assert_ports_closed(six.network)
    assert_hears(first, other.tone, TALK)
    assert_hears(other, first.tone, TALK)
    check(seen, six.network.rtp_range, (six.phone, six.lan), (six.remote, six.wan))


@pytest.fixture(scope="module")
def dual() -> Iterator[World]:
    """A home with both families on both sides, where signalling goes by IPv4."""
    with World(network=SixNetwork(), rtp_dscp=DSCP) as made:
        yield made
        made.siproxd.assert_alive()


class SixCall(RawCall):
    """A call between endpoints that have sockets for media of both families, and use one at a time."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        namespace = world.network.ns
        self._sockets = {
            ("a", 4): (self.rtp_a, PHONES["phone3"]), ("b", 4): (self.rtp_b, REMOTES["remote2"]),
            ("a", 6): (udp_in(namespace("phone3"), LAN["phone3"], RTP_PORT), LAN["phone3"]),
            ("b", 6): (udp_in(namespace("remote2"), WAN["remote2"], RTP_PORT), WAN["remote2"]),
        }

    def offer_a(self, family: int) -> str:
        """What the caller says when it wants its media by a family."""
        self.rtp_a, address = self._sockets["a", family]
        return self.a.offer(RTP_PORT, address)

    def offer_b(self, family: int) -> str:
        """The same of the callee."""
        self.rtp_b, address = self._sockets["b", family]
        return self.b.offer(RTP_PORT, address)

    def socket_of(self, party: str, family: int) -> socket.socket:
        """A party's socket of a family."""
        return self._sockets[party, family][0]

    def close(self) -> None:
        super().close()
        for one, _ in self._sockets.values():
            one.close()

    def begin(self, offer: str, answer: str, acknowledge: str = "") -> None:
        """The whole set-up."""
        self.a.send(self.a.request("INVITE", aor(self.callee), sender=aor(TRUNK), call_id=self.call_id,
                                   branch=self.invite_branch, body=offer), OUTBOUND)
        self.request = self.b.wait_request("INVITE")
        self.reply(self.request, 200, "OK", answer)
        self.response = self.a.wait_response(self.call_id, method="INVITE")
        self.to_b = sdp_target(self.response.body)
        self.in_dialog("ACK", 1, acknowledge)
        acknowledged = self.b.wait_request("ACK")
        self.to_a = sdp_target(self.request.body or acknowledged.body)

    def change(self, cseq: int, offer: str, answer: str) -> None:
        """A re-INVITE of the caller; an empty answer refuses it."""
        branch = self.a.branch()
        self.in_dialog("INVITE", cseq, offer, branch)
        request = self.b.wait_request("INVITE")
        self.reply(request, 200 if answer else 488, "OK" if answer else "Not Acceptable Here", answer)
        response = self.a.wait_response(self.call_id, method="INVITE")
        # That of a refusal belongs to its transaction (RFC 3261 §17.1.1.3).
        self.in_dialog("ACK", cseq, branch=None if answer else branch)
        self.b.wait_request("ACK")
        if answer:
            self.to_a, self.to_b = sdp_target(request.body), sdp_target(response.body)

    def assert_families(self, of_a: int, of_b: int) -> None:
        """Each party is told our address of its own family, and hears the other by it."""
        assert self.to_a and self.to_b
        assert self.to_b[0] == {4: ROUTER_LAN, 6: LAN["router"]}[of_a], self.to_b
        assert self.to_a[0] == {4: ROUTER_WAN, 6: WAN["router"]}[of_b], self.to_a
        self.assert_media()


def test_media_by_another_family_than_signalling(dual: World) -> None:
    """The caller wants its media by IPv6, then by IPv4, is refused IPv6, and has it again: by the same port each time."""
    with closing(SixCall(dual)) as call, observed(dual.network, BOTH) as seen:
        call.begin(call.offer_a(6), call.offer_b(4))
        call.assert_families(6, 4)
        told = call.to_b
        call.change(2, call.offer_a(4), call.offer_b(4))
        call.assert_families(4, 4)
        call.change(3, call.offer_a(6), "")
        call.offer_a(4)
        call.assert_families(4, 4)
        call.change(4, call.offer_a(6), call.offer_b(4))
        call.assert_families(6, 4)
        assert call.to_b == told
        call.hang_up()
        assert_ports_closed(dual.network)
    assert not find_leaks(seen.wan, dual.network.rtp_range, (*LAN.values(), *PHONES.values(), ROUTER_LAN))
    marks = {(packet.src, dscp(packet)) for packet in seen.lan + seen.wan if as_rtp(packet) and packet.src in OURS}
    assert marks == {(address, DSCP) for address in (ROUTER_LAN, ROUTER_WAN, LAN["router"])}


def test_callee_offers_by_ipv6(dual: World) -> None:
    """The offer is in the 2xx and by IPv6, the answer in the ACK by IPv4."""
    with closing(SixCall(dual)) as call:
        call.begin("", call.offer_b(6), call.offer_a(4))
        assert call.to_b and call.to_b[0] == ROUTER_LAN
        # The callee was told our address before it said by which family it wants its media; the next description says so.
        call.change(2, call.offer_a(4), call.offer_b(6))
        call.assert_families(4, 6)
        call.hang_up()
        assert_ports_closed(dual.network)


def test_strangers_of_the_other_family_reach_nobody(dual: World) -> None:
    """While a leg has both families, nothing comes in by either from an address that nobody named."""
    with closing(SixCall(dual)) as call:
        call.begin(call.offer_a(6), call.offer_b(4))
        call.change(2, call.offer_a(4), call.offer_b(4))
        call.assert_families(4, 4)
        assert call.to_b
        header = b"\x80\x00" + b"\0" * 10
        for source, to in ((LAN["phone1"], LAN["router"]), (PHONES["phone1"], ROUTER_LAN)):
            with closing(udp_in(dual.network.ns("phone1"), source)) as stranger:
                for sequence in range(20):
                    stranger.sendto(header[:2] + bytes([0, sequence]) + header[4:] + b"x" * 160, (to, call.to_b[1]))
        # What the caller had before by IPv6 is closed, too.
        with closing(call.socket_of("a", 6)) as before:
            for sequence in range(20):
                before.sendto(header[:2] + bytes([1, sequence]) + header[4:] + b"x" * 160, (LAN["router"], call.to_b[1]))
        call.rtp_b.settimeout(0.5)
        with pytest.raises(TimeoutError):
            raise AssertionError(f"a stranger got in: {call.rtp_b.recvfrom(2048)}")
        call.assert_families(4, 4)
        call.hang_up()
        assert_ports_closed(dual.network)


def dscp(packet: Packet) -> int:
    """The DSCP of a packet: in the second byte of IPv4, in the traffic class of IPv6 (RFC 2474 §3, RFC 8200 §3)."""
    first, second = packet.raw[:2]
    return second >> 2 if first >> 4 == 4 else (first & 15) << 2 | second >> 6


def check(seen: Observation, ports: tuple[int, int], inside: tuple[str, str], outside: tuple[str, str]) -> None:
    """Each side's media, between a party and the router by these addresses, is the other's; and each side is told of no others."""
    (phone, lan), (remote, wan) = inside, outside
    end, least = media_end(seen), int(LEAST_PER_SECOND * TALK)
    compare("out", stream(seen.lan, phone, lan, end), stream(seen.wan, wan, remote, end), least)
    compare("in", stream(seen.wan, remote, wan, end), stream(seen.lan, lan, phone, end), least)
    leaks = find_leaks(seen.wan, ports, (phone, lan, *LAN.values(), *PHONES.values(), ROUTER_LAN))
    if leaks:
        raise CallFailed(f"{len(leaks)} private addresses left, first: " + "\n".join(leaks[:3]))
    for messages, ours, theirs in ((seen.wan_sip(), wan, remote), (seen.lan_sip(), lan, phone)):
        named = {line for message in messages for line in message.body.splitlines() if line.startswith("c=")}
        kinds = {address: "IP6" if ":" in address else "IP4" for address in (ours, theirs)}
        assert named == {f"c=IN {kind} {address}" for address, kind in kinds.items()}, named
