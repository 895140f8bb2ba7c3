"""The lab's network: a home behind a masquerading router, the Internet, a provider, a remote phone, a stranger.

    phone1 10.0.0.11 ─┐                                                         ┌─ provider 203.0.113.10
    phone2 10.0.0.12 ─┼─ br-lan 10.0.0.1 [router] 198.51.100.1 wan ─ [internet] ┼─ remote   203.0.113.20
    phone3 10.0.0.13 ─┘                                                         ├─ remote2  203.0.113.21
                                                                                └─ stranger 192.0.2.66

Each box is a network namespace. `br-lan` is a bridge in the router. The router masquerades what the
home sends, and drops what comes in on the WAN but for answers, the SIP port and the RTP range. Hosts on the Internet
have no route to 10.0.0.0/8: whatever keeps a private address gets no packet.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType, TracebackType

from lab.process import run

# The bridge of the home, called as on OpenWrt and in the shipped configuration.
LAN_INTERFACE = "br-lan"
LAN_NET = "10.0.0.0/24"
ROUTER_LAN = "10.0.0.1"
ROUTER_WAN = "198.51.100.1"
WAN_GATEWAY = "198.51.100.254"
PROVIDER = "203.0.113.10"
STRANGER = "192.0.2.66"
PHONES = {"phone1": "10.0.0.11", "phone2": "10.0.0.12", "phone3": "10.0.0.13"}
REMOTES = {"provider": PROVIDER, "remote": "203.0.113.20", "remote2": "203.0.113.21"}

SIP_PORT = 5060
RTP_LOW = 7070
RTP_HIGH = 7089

# Every namespace is called sx<pid of the run>.<network of the run>-<host>.
PREFIX = "sx"

# Every file of a network is under siproxd-lab-<pid of the run>-<random> in the directory for temporary files.
DIRECTORY = "siproxd-lab-"

_numbers = itertools.count(1)


def _ip(batch: str) -> None:
    """Runs lines of `ip` commands in one process."""
    done = subprocess.run(["ip", "-batch", "-"], input=batch, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip: {done.stderr.strip()}")


def _namespaces() -> list[str]:
    """All named network namespaces of this machine."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def _remove(namespace: str) -> None:
    """Kills whatever runs in a namespace, and deletes it."""
    pids = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False).stdout
    for pid in pids.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
    shutil.rmtree(Path("/etc/netns") / namespace, ignore_errors=True)


def _dead(name: str, prefix: str, end: str) -> bool:
    """Whether a name is one of ours, of a run whose process is gone."""
    pid = name.removeprefix(prefix).partition(end)[0]
    return name.startswith(prefix) and pid.isdigit() and not Path(f"/proc/{pid}").exists()


def _remove_leftovers() -> None:
    """Removes the namespaces and directories of runs that were killed."""
    for namespace in _namespaces():
        if _dead(namespace, PREFIX, "."):
            _remove(namespace)
    for directory in Path(tempfile.gettempdir()).glob(f"{DIRECTORY}*"):
        if _dead(directory.name, DIRECTORY, "-"):
            shutil.rmtree(directory, ignore_errors=True)


class Network:
    """The namespaces; a context manager that leaves nothing behind."""

    def __init__(self, rtp_range: tuple[int, int] = (RTP_LOW, RTP_HIGH)) -> None:
        self.rtp_range = rtp_range
        self._prefix = f"{PREFIX}{os.getpid()}.{next(_numbers)}-"
        self._hosts: list[str] = []
        self._owner = os.getpid()
        self.dir = Path(tempfile.mkdtemp(prefix=f"{DIRECTORY}{os.getpid()}-"))

    def ns(self, host: str) -> str:
        """The namespace of a host."""
        return self._prefix + host

    def __enter__(self) -> Network:
        atexit.register(self.close)
        # Also where it was started with SIGINT ignored, as shells start what is in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _exit_on_signal)
        try:
            _remove_leftovers()
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends all programs in the namespaces and deletes everything; harmless when called twice."""
        if os.getpid() != self._owner:
            return
        # A second Ctrl-C must not leave half of it behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for host in self._hosts:
                _remove(self.ns(host))
            self._hosts.clear()
            if "SIPROXD_LAB_KEEP" not in os.environ:
                shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, before)
            atexit.unregister(self.close)

    def ip(self, host: str, *arguments: str) -> str:
        """Runs one `ip` command inside a host."""
        return run(self.ns(host), ["ip", *arguments]).stdout

    def nft(self, host: str, rules: str) -> None:
        """Loads nftables rules in a host."""
        run(self.ns(host), ["nft", "-f", "-"], text_in=rules)

    def sysctl(self, host: str, name: str, value: int | str) -> None:
        """Sets a kernel variable of a host."""
        run(self.ns(host), ["sysctl", "-qw", f"{name}={value}"])

    def firewall(self, sip_open: bool = True) -> None:
        """(Re)writes the router's rules: masquerade the home, drop the WAN but for the SIP port and the RTP range."""
        low, high = self.rtp_range
        ports = f"{low}-{high}" + (f", {SIP_PORT}" if sip_open else "")
        self.nft("router", f"""
            table inet lab
            delete table inet lab
            table inet lab {{
                chain nat {{
                    type nat hook postrouting priority srcnat;
                    oifname "wan" ip saddr {LAN_NET} masquerade
                }}
                chain input {{
                    type filter hook input priority filter; policy accept;
                    iifname "wan" ct state established,related accept
                    iifname "wan" udp dport {{ {ports} }} accept
                    iifname "wan" meta l4proto ipv6-icmp accept
                    iifname "wan" counter drop
                }}
                chain forward {{
                    type filter hook forward priority filter; policy accept;
                    iifname "wan" ct state established,related accept
                    iifname "wan" counter drop
                }}
            }}
        """)

    def flush_conntrack(self) -> None:
        """Makes the router forget all connections."""
        run(self.ns("router"), ["conntrack", "-F"], check=False)

    def set_wan(self, address: str | None) -> None:
        """Gives the router's WAN interface another address, or none, as a reconnect does."""
        self.ip("router", "addr", "flush", "dev", "wan")
        if address is not None:
            self.ip("router", "addr", "add", f"{address}/24", "dev", "wan")
            self.ip("router", "route", "replace", "default", "via", WAN_GATEWAY)

    def set_resolver(self, host: str, server: str) -> None:
        """Writes the /etc/resolv.conf that programs started in a host see."""
        directory = Path("/etc/netns") / self.ns(host)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "resolv.conf").write_text(f"nameserver {server}\n")

    def _build(self) -> None:
        hosts = ["router", "internet", "stranger", *PHONES, *REMOTES]
        for host in hosts:
            self._hosts.append(host)
            _ip(f"netns add {self.ns(host)}\n")
            self.set_resolver(host, PROVIDER)
        lines: list[str] = []
        router, internet = self.ns("router"), self.ns("internet")
        lines += [f"link add {LAN_INTERFACE} netns {router} type bridge", f"link add net netns {internet} type bridge"]
        lines.append(f"link add wan netns {router} type veth peer name home netns {internet}")
        lines.append(f"link add eth0 netns {self.ns('stranger')} type veth peer name stranger netns {internet}")
        for host in PHONES:
            lines.append(f"link add eth0 netns {self.ns(host)} type veth peer name {host} netns {router}")
        for host in REMOTES:
            lines.append(f"link add eth0 netns {self.ns(host)} type veth peer name {host} netns {internet}")
        _ip("\n".join(lines) + "\n")
        for host in hosts:
            self._configure(host)
        self.firewall()

    def _configure(self, host: str) -> None:
        """Addresses, routes and forwarding of one host."""
        lines = ["link set lo up"]
        if host == "router":
            lines += [f"link set {LAN_INTERFACE} up", f"addr add {ROUTER_LAN}/24 dev {LAN_INTERFACE}"]
            lines += [f"link set {phone} master {LAN_INTERFACE} up" for phone in PHONES]
            lines += ["link set wan up", f"addr add {ROUTER_WAN}/24 dev wan", f"route add default via {WAN_GATEWAY}"]
        elif host == "internet":
            lines += ["link set net up", "addr add 203.0.113.254/24 dev net"]
            lines += [f"link set {remote} master net up" for remote in REMOTES]
            lines += ["link set home up", f"addr add {WAN_GATEWAY}/24 dev home"]
            lines += ["link set stranger up", "addr add 192.0.2.254/24 dev stranger"]
            lines += ["route add unreachable 10.0.0.0/8"]
        elif host in PHONES:
            lines += [f"addr add {PHONES[host]}/24 dev eth0", "link set eth0 up", f"route add default via {ROUTER_LAN}"]
        else:
            address = STRANGER if host == "stranger" else REMOTES[host]
            gateway = "192.0.2.254" if host == "stranger" else "203.0.113.254"
            lines += [f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}",
                      "route add unreachable 10.0.0.0/8"]
        # IPv6 off before the links come up: its neighbour discovery would only be noise in the captures.
        forward = 1 if host in ("router", "internet") else 0
        run(self.ns(host), ["sh", "-ec", f"""
            sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
            sysctl -qw net.ipv4.ip_forward={forward}
            ip -batch -"""], text_in="\n".join(lines) + "\n")


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    """Turns a signal into an exception, so that every context manager runs."""
    sys.exit(128 + number)
