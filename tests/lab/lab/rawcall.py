"""A call between two bare endpoints, for flows that no phone produces on demand; with RTP that is counted."""

from __future__ import annotations

import re
import struct
import time

from lab.kamailio import DOMAIN, TRUNK, aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN, SIP_PORT
from lab.pcap import Sip
from lab.rawsip import Endpoint
from lab.sockets import drain, udp_in
from lab.world import World

OUTBOUND = (ROUTER_LAN, SIP_PORT)
RTP_PORT = 4000

# Packets that one look at the media sends each way, and the time between two (s).
BURST = 15
PACKET_TIME = 0.02


def sdp_target(body: str) -> tuple[str, int]:
    """Where a session description wants its audio."""
    address = re.search(r"^c=IN IP[46] (\S+)", body, re.MULTILINE)
    port = re.search(r"^m=audio (\d+)", body, re.MULTILINE)
    assert address and port, body
    return address.group(1), int(port.group(1))


def uri_of(header: str) -> str:
    """The URI of a name-addr."""
    found = re.search(r"<([^>]+)>", header)
    return found.group(1) if found else header.partition(";")[0].strip()


class RawCall:
    """phone3 (as the provider's trunk) calls a callee on the Internet."""

    def __init__(self, world: World, port: int = RTP_PORT) -> None:
        self._world = world
        namespace = world.network.ns
        self.a = world.endpoint("phone3")
        self.b = world.endpoint("remote2", 0)
        self.callee = f"callee{self.b.port}"
        self.rtp_a = udp_in(namespace("phone3"), PHONES["phone3"], port)
        self.rtp_b = udp_in(namespace("remote2"), REMOTES["remote2"], port)
        self.port = port
        self.call_id = self.a.call_id()
        self.invite_branch = self.a.branch()
        self.request: Sip | None = None  # the INVITE as the callee got it
        self.response: Sip | None = None  # its last final response as the caller got it
        self.to_a: tuple[str, int] | None = None
        self.to_b: tuple[str, int] | None = None
        self._sequence = 100
        world.provider.add(self.callee, f"sip:{self.callee}@{self.b.address}:{self.b.port}")
        register(world, self.a)

    def close(self) -> None:
        """Closes all sockets."""
        for one in (self.a, self.b, self.rtp_a, self.rtp_b):
            one.close()

    def invite(self) -> Sip:
        """The caller invites; returns what the callee gets."""
        self.a.send(self.a.request("INVITE", aor(self.callee), sender=aor(TRUNK), call_id=self.call_id,
                                   branch=self.invite_branch, body=self.a.offer(self.port)), OUTBOUND)
        self.request = self.b.wait_request("INVITE")
        self.to_a = sdp_target(self.request.body)
        return self.request

    def cancel(self) -> None:
        """The caller cancels its INVITE."""
        self.a.send(self.a.request("CANCEL", aor(self.callee), sender=aor(TRUNK), call_id=self.call_id,
                                   branch=self.invite_branch, contact=False), OUTBOUND)

    def answer(self, status: int = 200, reason: str = "OK") -> None:
        """The callee answers the INVITE."""
        assert self.request
        self.reply(self.request, status, reason, body=self.b.offer(self.port) if status == 200 else "")

    def reply(self, request: Sip, status: int, reason: str, body: str = "") -> None:
        """The callee answers any request."""
        contact = f"Contact: <sip:{self.callee}@{self.b.address}:{self.b.port}>"
        self.b.send(self.b.answer(request, status, reason, headers=(contact,), body=body),
                    (request.packet.src, request.packet.sport))

    def finish_invite(self, cseq: int = 1, method: str = "INVITE") -> Sip:
        """The caller takes the final response and acknowledges a 2xx."""
        response = self.a.wait_response(self.call_id, method=method)
        self.response = response
        if response.status < 300:
            self.to_b = sdp_target(response.body)
            self.in_dialog("ACK", cseq)
        else:
            self.a.send(self.a.request("ACK", aor(self.callee), sender=aor(TRUNK), call_id=self.call_id, cseq=cseq,
                                       branch=self.invite_branch, contact=False, to_tag=_tag(response)), OUTBOUND)
        return response

    def connect(self) -> None:
        """The whole set-up, in which nobody says anything."""
        self.invite()
        self.answer(180, "Ringing")
        self.answer()
        assert self.finish_invite().status == 200
        self.b.wait_request("ACK")

    def establish(self) -> None:
        """The whole set-up, and media both ways."""
        self.connect()
        self.assert_media()

    def in_dialog(self, method: str, cseq: int, body: str = "", branch: str | None = None) -> None:
        """The caller sends a request inside the dialog, along the route set."""
        assert self.response
        routes = tuple(f"Route: {value}" for value in reversed(self.response.all("record-route")))
        target = uri_of(self.response.first("contact"))
        self.a.send(self.a.request(method, target, sender=aor(TRUNK), to=aor(self.callee), call_id=self.call_id,
                                   cseq=cseq, headers=routes, body=body, to_tag=_tag(self.response), branch=branch,
                                   contact=method != "ACK"), OUTBOUND)

    def offer(self, cseq: int, offer: str, answer: str) -> None:
        """The caller sends another offer, which the callee answers."""
        self.in_dialog("INVITE", cseq, body=offer)
        self.reply(self.b.wait_request("INVITE"), 200, "OK", body=answer)
        assert self.finish_invite(cseq=cseq).status == 200
        self.b.wait_request("ACK")

    def hang_up(self, cseq: int = 9) -> None:
        """The caller says BYE, the callee agrees."""
        self.in_dialog("BYE", cseq)
        self.reply(self.b.wait_request("BYE"), 200, "OK")
        self.a.wait_response(self.call_id, method="BYE")

    def media(self) -> tuple[int, int]:
        """Sends a burst each way; returns how many packets the caller and the callee got."""
        assert self.to_a and self.to_b
        for receiver in (self.rtp_a, self.rtp_b):
            drain(receiver)
        for _ in range(BURST):
            self._sequence += 1
            header = struct.pack("!BBHI", 0x80, 0, self._sequence & 0xFFFF, self._sequence * 160)
            self.rtp_a.sendto(header + b"AAAA" + b"\x55" * 160, self.to_b)
            self.rtp_b.sendto(header + b"BBBB" + b"\xd5" * 160, self.to_a)
            time.sleep(PACKET_TIME)
        return len(drain(self.rtp_a)), len(drain(self.rtp_b))

    def assert_media(self) -> None:
        """Media flows both ways."""
        heard = self.media()
        # The first packets may be spent on learning the peer's port.
        assert min(heard) >= BURST - 4, f"of {BURST} packets each way the caller got {heard[0]}, the callee {heard[1]}"


def register(world: World, endpoint: Endpoint, user: str = TRUNK, expires: int = 300) -> Sip:
    """Registers a user that needs no password at the provider, through siproxd."""
    call_id = endpoint.call_id()
    endpoint.send(endpoint.request("REGISTER", f"sip:{DOMAIN}", sender=aor(user), to=aor(user), call_id=call_id,
                                   headers=(f"Expires: {expires}",)), OUTBOUND)
    response = endpoint.wait_response(call_id)
    assert response.status == 200, response.start
    return response


def _tag(message: Sip) -> str:
    found = re.search(r";tag=([^;>\s]+)", message.first("to"))
    return found.group(1) if found else ""
