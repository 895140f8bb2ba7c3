"""Calls for the relay benchmark: set up through siproxd and rtpengine, from both ends, and known beforehand to the floor.

Each program is a context that yields its process number and the legs of its calls, as `benches/load.rs` reads them.
"""

import contextlib
import os
import re
import socket
import sys
import tempfile

from router import LAN, PHONE, PROVIDER, TARGET, WAN, in_router

# Ports of the relays, a pair for each leg of 500 calls and room to choose; and those of the peers, below the ephemeral ones.
RELAY_BASE, RELAY_TOP = 20000, 23999
PEER_BASE = 28000
NG_PORT = 2223
BINARY = os.path.join(TARGET, "release", "siproxd")
FLOOR = os.path.join(TARGET, "release", "examples", "floor")

CONF = f"""if_inbound = lan0
if_outbound = wan0
sip_listen_port = 5060
rtp_port_low = {RELAY_BASE}
rtp_port_high = {RELAY_TOP}
rtp_timeout = 300
"""


def sdp(address, port):
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )


def media(text):
    """Where a session description wants media."""
    address = re.search(r"^c=IN IP4 (\S+)", text, re.M)[1]
    port = re.search(r"^m=audio (\d+)", text, re.M)[1]
    return f"{address}:{port}"


def udp(address, port):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((address, port))
    made.settimeout(2)
    return made


class Sip:
    """A phone behind siproxd and its provider, both played from here, just well enough for a benchmark."""

    def __init__(self):
        self.phone, self.provider = udp(PHONE, 5060), udp(PROVIDER, 5060)
        self.number = 0

    def close(self):
        self.phone.close()
        self.provider.close()

    @staticmethod
    def header(text, name):
        return re.findall(rf"^{name}\s*:\s*(.*?)\r$", text, re.M | re.I)

    def at_phone(self, wanted):
        """The next response of a status at the phone; provisional ones are passed over."""
        while True:
            text = self.phone.recv(65535).decode()
            if text.startswith("SIP/2.0 1"):
                continue
            if not text.startswith(f"SIP/2.0 {wanted}"):
                sys.exit(f"expected {wanted}, the phone got:\n{text}")
            return text

    def at_provider(self, method):
        """The next request of a method at the provider; keepalives are passed over."""
        while True:
            bytes_, sender = self.provider.recvfrom(65535)
            text = bytes_.decode()
            if text.startswith(method + " "):
                return text, sender
            if not text.startswith(("OPTIONS ", "\r\n")):
                sys.exit(f"expected {method}, the provider got:\n{text}")

    def request(self, method, uri, call, cseq, to_tag="", routes=(), body="", user="alice"):
        self.number += 1
        target = PROVIDER if method == "REGISTER" else f"bob@{PROVIDER}"
        to = f"sip:{user}@{PROVIDER}" if method == "REGISTER" else f"sip:{target}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {PHONE}:5060;branch=z9hG4bK{self.number};rport",
            *(f"Route: {route}" for route in routes),
            "Max-Forwards: 70",
            f"From: <sip:{user}@{PROVIDER}>;tag=phone{call}",
            f"To: <{to}>{to_tag}",
            f"Call-ID: {call}@{PHONE}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{user}@{PHONE}:5060>",
            "User-Agent: bench",
        ]
        if method == "REGISTER":
            lines.append("Expires: 3600")
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self.phone.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), (LAN, 5060))

    def answer(self, request, sender, extra=(), body=""):
        head, lines = request.split("\r\n\r\n")[0].split("\r\n")[1:], ["SIP/2.0 200 OK"]
        for line in head:
            name = line.split(":")[0].strip().lower()
            if name in ("via", "v", "from", "f", "call-id", "i", "cseq", "record-route"):
                lines.append(line)
            elif name in ("to", "t"):
                lines.append(line if "tag=" in line else line + ";tag=provider")
        lines += [*extra, f"Content-Length: {len(body)}"]
        if body:
            lines.insert(-1, "Content-Type: application/sdp")
        self.provider.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), sender)

    def register(self, call="reg", cseq=1, user="alice"):
        self.request("REGISTER", f"sip:{PROVIDER}", call, cseq, user=user)
        request, sender = self.at_provider("REGISTER")
        contact = self.header(request, "Contact")[0]
        self.answer(request, sender, [f"Contact: {contact};expires=3600"])
        self.at_phone(200)

    def call(self, number):
        """Sets up a call; its two legs."""
        port = PEER_BASE + 2 * number
        self.request("INVITE", f"sip:bob@{PROVIDER}", number, 1, body=sdp(PHONE, port))
        request, sender = self.at_provider("INVITE")
        self.answer(request, sender, [f"Contact: <sip:bob@{PROVIDER}:5060>"], sdp(PROVIDER, port))
        response = self.at_phone(200)
        uri = re.search(r"<(.*?)>", self.header(response, "Contact")[0])[1]
        routes = [one.strip() for line in self.header(response, "Record-Route") for one in line.split(",")][::-1]
        tag = ";tag=" + re.search(r";tag=([^;\s]+)", self.header(response, "To")[0])[1]
        self.request("ACK", uri, number, 1, tag, routes)
        self.at_provider("ACK")
        return [(f"{PHONE}:{port}", media(response)), (f"{PROVIDER}:{port}", media(request))]


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(k) + bencode(value[k]) for k in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    data = value.encode()
    return b"%d:%s" % (len(data), data)


def ng(control, command):
    """A command of rtpengine's ng protocol; the session description in the answer."""
    cookie = os.urandom(6).hex()
    for _ in range(5):
        # It may still be starting; the same cookie is never taken for another command.
        control.sendto(cookie.encode() + b" " + bencode(command), (LAN, NG_PORT))
        with contextlib.suppress(TimeoutError):
            answer = control.recv(65535).decode()
            break
    else:
        sys.exit("rtpengine does not answer")
    found = re.search(r"3:sdp(\d+):", answer)
    if not found:
        sys.exit(f"rtpengine: {answer}")
    return answer[found.end() : found.end() + int(found[1])]


def peers(number):
    """The two ends of a call."""
    return [f"{address}:{PEER_BASE + 2 * number}" for address in (PHONE, PROVIDER)]


@contextlib.contextmanager
def direct(calls):
    """No relay: the two ends of a call send to each other, over the loopback interface."""
    legs = []
    for number in range(calls):
        inner, outer = peers(number)
        legs += [(inner, outer), (outer, inner)]
    yield None, legs


@contextlib.contextmanager
def floor(calls, *options):
    with in_router(FLOOR, str(calls), str(RELAY_BASE), LAN, WAN, PHONE, PROVIDER, str(PEER_BASE), *options) as pid:
        legs = []
        for number in range(calls):
            inner, outer = peers(number)
            legs += [(inner, f"{LAN}:{RELAY_BASE + 2 * number}"), (outer, f"{WAN}:{RELAY_BASE + 2 * number}")]
        yield pid, legs


@contextlib.contextmanager
def siproxd(calls, *lines):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file, contextlib.ExitStack() as stack:
        file.write(CONF + "".join(f"{line}\n" for line in lines))
        file.flush()
        pid = stack.enter_context(in_router(BINARY, "-c", file.name))
        sip = stack.enter_context(contextlib.closing(Sip()))
        sip.register()
        yield pid, [leg for number in range(calls) for leg in sip.call(number)]


@contextlib.contextmanager
def rtpengine(calls):
    """In user space, with one thread."""
    command = ["rtpengine", "--foreground", f"--interface=lan/{LAN}", f"--interface=wan/{WAN}",
               f"--listen-ng={LAN}:{NG_PORT}", "--num-threads=1", "--table=-1", f"--port-min={RELAY_BASE}",
               f"--port-max={RELAY_TOP}", "--log-level=3", "--log-stderr", "--no-redis-required"]
    with in_router(*command) as pid, contextlib.closing(udp(PHONE, 0)) as control:
        legs = []
        for number in range(calls):
            port = PEER_BASE + 2 * number
            common = {"call-id": f"bench{number}", "from-tag": "a", "ICE": "remove"}
            offer = {"command": "offer", "sdp": sdp(PHONE, port), "direction": ["lan", "wan"]}
            outer = media(ng(control, common | offer))
            answer = {"command": "answer", "to-tag": "b", "sdp": sdp(PROVIDER, port)}
            inner = media(ng(control, common | answer))
            legs += [(f"{PHONE}:{port}", inner), (f"{PROVIDER}:{port}", outer)]
        yield pid, legs
