"""The bench: a router and its peers in two network namespaces, programs in the router's, and what they cost."""

import contextlib
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROUTER, PEERS = "siproxd-bench-router", "siproxd-bench-peers"
LAN, PHONE = "10.77.1.1", "10.77.1.2"
WAN, PROVIDER = "198.51.100.1", "198.51.100.2"
# Phones and providers besides those two, and the last byte of the first one's address: benches/sip.rs plays them. siproxd
# reads 500 messages a second of one phone for long, 2,000 of one provider: sixteen of each are more than one core takes.
PHONES, FIRST = 16, 10
REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def namespaces():
    """A router and its peers: phones' addresses on the LAN link, providers' on the WAN link, the first of each and more."""
    try:
        for name in ROUTER, PEERS:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for link, router, peer in ("lan0", LAN, PHONE), ("wan0", WAN, PROVIDER):
            ip("-n", ROUTER, "link", "add", link, "type", "veth", "peer", "name", link, "netns", PEERS)
            for name, address in (ROUTER, router), (PEERS, peer):
                ip("-n", name, "addr", "add", f"{address}/24", "dev", link)
                ip("-n", name, "link", "set", link, "up")
            for number in range(PHONES):
                more = peer.rsplit(".", 1)[0] + f".{FIRST + number}"
                ip("-n", PEERS, "addr", "add", f"{more}/24", "dev", link)
        yield
    finally:
        for name in ROUTER, PEERS:
            # What an interrupt left running would keep the namespace alive.
            left = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def go_before_others():
    """Gives this session's programs the processors before those of other sessions, which the kernel else treats alike (sched(7))."""
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
        file.write("-20")


def pin(cpu):
    """Relays run on the first processor, all else on the second, both before what else runs here: neither waits for the other."""
    cpus = sorted(os.sched_getaffinity(0))

    def apply():
        os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})
        os.setpriority(os.PRIO_PROCESS, 0, -20)

    return apply


@contextlib.contextmanager
def in_router(*command):
    """A program in the router's namespace; yields its process number."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", ROUTER, *command], stdout=subprocess.DEVNULL, stderr=log, preexec_fn=pin(0)
        )
        try:
            time.sleep(0.3)
            yield process.pid
        finally:
            ended = process.poll()
            process.terminate()
            process.wait()
            if ended is not None:
                log.seek(0)
                print(f"{command[0]} ended with code {ended}: {log.read()}", file=sys.stderr)


def cpu(pid):
    """Nanoseconds of processor time that a process has used."""
    total = 0
    for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(task) as file:
            total += int(file.read().split()[0])
    return total


def resident(pid):
    """Resident memory in KiB."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
