#!/usr/bin/env python3
"""Measures siproxd against the floor, rtpengine and kamailio, as root, in two network namespaces.

    benches/run.py [--rounds 5] [--seconds 4] [--calls 10,50,100,200] [--no-rtpengine] [--write docs/performance.md]

CPU is user and system time of the process, from /proc/PID/task/*/schedstat: what utime + stime of /proc/PID/stat add up
to, in nanoseconds and not in ticks. The programs take turns; the table has medians. Numbers of different machines, or of
different runs, do not compare: read the ratios.
"""

import argparse
import contextlib
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

import signalling
from router import LAN, PEERS, PHONE, PROVIDER, TARGET, WAN, cpu, in_router, namespaces, pin, resident

RELAY_BASE, PEER_BASE = 20000, 30000
RELAY_TOP = RELAY_BASE + 1999
NG_PORT = 2223
BINARY = os.path.join(TARGET, "release", "siproxd")
FLOOR = os.path.join(TARGET, "release", "examples", "floor")
LOAD = os.path.join(TARGET, "release", "examples", "load")

CONF = f"""if_inbound = lan0
if_outbound = wan0
sip_listen_port = 5060
rtp_port_low = {RELAY_BASE}
rtp_port_high = {RELAY_TOP}
rtp_timeout = 300
"""


def load(pid, legs, seconds):
    """Sends media over the calls' legs; CPU in microseconds per packet, and the share of packets lost."""
    process = subprocess.Popen(
        [LOAD, str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin(1)
    )
    process.stdin.write("".join(f"{local} {relay}\n" for local, relay in legs))
    process.stdin.close()
    process.stdout.readline()
    before = cpu(pid)
    counts = process.stdout.readline()
    after = cpu(pid)
    if process.wait() != 0:
        sys.exit("the load generator failed")
    sent, counted, received = map(int, re.findall(r"\d+", counts))
    return {"us": (after - before) / 1000 / sent, "loss": 1 - received / counted}


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
        """Sets up a call; its two legs, and what ends it."""
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
        legs = [(f"{PHONE}:{port}", media(response)), (f"{PROVIDER}:{port}", media(request))]

        def end():
            self.request("BYE", uri, number, 2, tag, routes)
            request, sender = self.at_provider("BYE")
            self.answer(request, sender)
            self.at_phone(200)

        return legs, end


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


def run_floor(calls, seconds):
    addresses = [LAN, WAN, PHONE, PROVIDER]
    with in_router(FLOOR, str(calls), str(RELAY_BASE), *addresses, str(PEER_BASE)) as pid:
        legs = []
        for number in range(calls):
            local, relay = PEER_BASE + 2 * number, RELAY_BASE + 2 * number
            legs += [(f"{PHONE}:{local}", f"{LAN}:{relay}"), (f"{PROVIDER}:{local}", f"{WAN}:{relay}")]
        return load(pid, legs, seconds)


@contextlib.contextmanager
def siproxd():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file, contextlib.ExitStack() as stack:
        file.write(CONF)
        file.flush()
        pid = stack.enter_context(in_router(BINARY, "-c", file.name))
        sip = stack.enter_context(contextlib.closing(Sip()))
        idle = resident(pid)
        sip.register()
        yield pid, sip, idle


def run_siproxd(calls, seconds):
    with siproxd() as (pid, sip, idle):
        legs = [leg for number in range(calls) for leg in sip.call(number)[0]]
        return load(pid, legs, seconds) | {"idle_kib": idle, "kib": resident(pid)}


def run_rtpengine(calls, seconds):
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
        return load(pid, legs, seconds)


def report(results, arguments):
    lines = [
        "# Performance",
        "",
        f"One run of `make bench`: {platform.machine()}, Linux {platform.release()}, {os.cpu_count()} processors;"
        f" {arguments.rounds} rounds of {arguments.seconds} s, medians. Only the ratios mean something elsewhere.",
        "",
        "## Relay: CPU per relayed packet",
        "",
        "50 packets/s of 172 bytes each way in each call, in user space. The floor is `benches/floor.rs`: the same sockets and",
        "system calls, nothing decided. A ratio a little below 1 is noise: the programs run in turn on a shared machine, and",
        "which of two sockets is served first changes how many packets one wake-up finds.",
        "",
        "| calls | floor | siproxd | siproxd / floor | rtpengine | siproxd / rtpengine | loss |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]

    def median(name, calls, key="us"):
        values = [one[key] for one in results[name].get(calls, [])]
        return statistics.median(values) if values else None

    for calls in arguments.calls:
        floor, ours, theirs = (median(name, calls) for name in ("floor", "siproxd", "rtpengine"))
        compared = (f"{theirs:.2f} µs", f"{ours / theirs:.2f}") if theirs else ("-", "-")
        lines.append(
            f"| {calls} | {floor:.2f} µs | {ours:.2f} µs | {ours / floor:.2f} | {compared[0]} | {compared[1]}"
            f" | {100 * median('siproxd', calls, 'loss'):.2f} % |"
        )
    top = max(arguments.calls)
    lines += [
        "",
        *signalling.report(signalling.compare(arguments.rounds, CONF, BINARY, progress), signalling.micro()),
        "## Memory, size",
        "",
        "| what | value |",
        "|---|---:|",
        f"| resident memory, idle | {median('siproxd', top, 'idle_kib'):.0f} KiB |",
        f"| resident memory, {top} calls | {median('siproxd', top, 'kib'):.0f} KiB |",
        f"| binary | {os.path.getsize(BINARY) / 1024:.0f} KiB |",
        "",
    ]
    return "\n".join(lines)


def progress(text):
    print(text, file=sys.stderr)


def inside(arguments):
    """The measurement, in the peers' namespace."""
    pin(1)()
    runners = {"floor": run_floor, "siproxd": run_siproxd, "rtpengine": run_rtpengine}
    if arguments.no_rtpengine:
        del runners["rtpengine"]
    results = {"floor": {}, "siproxd": {}, "rtpengine": {}}
    for turn in range(arguments.rounds):
        for calls in arguments.calls:
            for name, runner in runners.items():
                result = runner(calls, arguments.seconds)
                results[name].setdefault(calls, []).append(result)
                progress(f"round {turn + 1} {calls:4} calls {name:10} {result['us']:6.2f} us/packet"
                         f" {100 * result['loss']:5.2f} % lost")
    text = report(results, arguments)
    if arguments.write:
        with open(arguments.write, "w") as file:
            file.write(text)
    print(text)


def main():
    parser = argparse.ArgumentParser(description="Benchmarks of siproxd.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--calls", type=lambda text: [int(n) for n in text.split(",")], default=[10, 50, 100, 200])
    parser.add_argument("--no-rtpengine", action="store_true")
    parser.add_argument("--write")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    if os.geteuid() != 0:
        sys.exit("benches/run.py needs root: it makes network namespaces")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with namespaces():
        return subprocess.run(["ip", "netns", "exec", PEERS, sys.executable, *sys.argv, "--inside"]).returncode


if __name__ == "__main__":
    sys.exit(main())
