#!/usr/bin/python3
"""call.py COMMAND...: starts siproxd by this command, has a sipp register with it and call another one, and counts the media that it relays.

Everything is in one network namespace that the caller makes (`unshare --net`), so that all packets go over its loopback interface. Who
they are, by address:

    phone 192.0.2.10 -> 192.0.2.1 siproxd 198.51.100.1 -> 198.51.100.20 the called party
"""

import collections
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave

PHONE, LAN, WAN, CALLED = "192.0.2.10", "192.0.2.1", "198.51.100.1", "198.51.100.20"
CALLEE = pathlib.Path(__file__).resolve().parents[1] / "tests/lab/scenarios/callee.xml"
CALLER = pathlib.Path(__file__).resolve().with_name("phone.xml")

# Seconds of the call, and packets of 20 ms that must arrive in each direction, which is half of them.
TALK = 4
ENOUGH = TALK * 50 // 2
# Seconds until siproxd has started, and until the call is over: much more than it takes, on a machine that does other things.
START_TIMEOUT, CALL_TIMEOUT = 60, 120
ETH_P_IP, UDP = 0x0800, 17


def addresses() -> None:
    """The router's two interfaces, and on each the address of who is behind it."""
    run = lambda command: subprocess.run(["ip", *command.split()], check=True)
    run("link set lo up")
    for name, router, other in (("lan", LAN, PHONE), ("wan", WAN, CALLED)):
        run(f"link add {name} type veth peer name {name}-peer")
        run(f"address add {router}/24 dev {name}")
        run(f"address add {other}/24 dev {name}")
        run(f"link set {name} up")
        run(f"link set {name}-peer up")


def wait_for(text: str, log: pathlib.Path, daemon: subprocess.Popen) -> None:
    """Until it is in siproxd's log."""
    end = time.monotonic() + START_TIMEOUT
    while text not in log.read_text(errors="replace"):
        if daemon.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"siproxd is not ready:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)


def sipp(scenario: pathlib.Path, directory: pathlib.Path, address: str, *options: str) -> subprocess.Popen:
    """One call of a scenario, from this address."""
    command = ["sipp", "-sf", scenario, "-i", address, "-mi", address, "-p", "5070", "-m", "1", "-nostdin", "-trace_err", *options]
    with (directory / f"{scenario.stem}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Counter:
    """RTP on the loopback interface, by sender and receiver."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("lo", ETH_P_IP))
        self.socket.setblocking(False)

    def count(self) -> collections.Counter:
        """What has come since the beginning."""
        counts = collections.Counter()
        while True:
            try:
                packet, (_, _, kind, _, _) = self.socket.recvfrom(65536)
            except BlockingIOError:
                return counts
            # Each is seen twice, as it goes out and as it comes in.
            length = (packet[0] & 15) * 4
            if kind == socket.PACKET_OUTGOING or packet[9] != UDP:
                continue
            # Version 2, payload type 0, and 160 samples.
            if packet[length + 8 :][:2] in (b"\x80\x00", b"\x80\x80") and len(packet) == length + 8 + 12 + 160:
                counts[tuple(socket.inet_ntoa(packet[place : place + 4]) for place in (12, 16))] += 1


def main() -> None:
    """Exits with an error, and with what all have said, if the call is not as it must be."""
    addresses()
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        with wave.open(str(directory / "tone.wav"), "wb") as tone:
            tone.setnchannels(1)
            tone.setsampwidth(2)
            tone.setframerate(8000)
            tone.writeframes(struct.pack("<8000h", *range(8000)))
        config, log = directory / "siproxd.conf", directory / "siproxd.log"
        config.write_text(f"if_inbound = lan\nif_outbound = wan\ndebug_level = -1\nallow_domains = {CALLED}\n")
        with log.open("wb") as output:
            daemon = subprocess.Popen([*sys.argv[1:], "-c", config], stdout=output, stderr=output)
        try:
            wait_for("WAN address is", log, daemon)
            counter = Counter()
            called = sipp(CALLEE, directory, CALLED)
            phone = sipp(CALLER, directory, PHONE, "-s", f"echo@{CALLED}:5070", "-d", str(TALK * 1000), f"{LAN}:5060")
            status = [phone.wait(CALL_TIMEOUT)]
            if status != [0]:
                called.kill()
            status.append(called.wait(CALL_TIMEOUT))
            counts = counter.count()
        finally:
            daemon.terminate()
            ended = daemon.wait(START_TIMEOUT)
        ways = ((PHONE, LAN), (WAN, CALLED), (CALLED, WAN), (LAN, PHONE))
        text = log.read_text(errors="replace")
        if status != [0, 0] or ended != 0 or any(counts[way] < ENOUGH for way in ways) or re.search(r"bug at|verdict on", text):
            logs = "\n".join(f"== {file.name}\n{file.read_text(errors='replace')}" for file in sorted(directory.glob("*.log")))
            raise SystemExit(f"{logs}\nsipp {status}, siproxd {ended}, media {dict(counts)}")
        print("registers a phone, and relays its call: " + ", ".join(f"{counts[way]} packets to {way[1]}" for way in ways))


main()
