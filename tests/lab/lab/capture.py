"""tcpdump on one interface of one host."""

from __future__ import annotations

import itertools
import signal
import time
from types import TracebackType

from lab.netns import Network
from lab.pcap import Packet, read
from lab.process import Process

_numbers = itertools.count(1)


class Capture:
    """A context manager that captures while it lasts; read `packets` after it."""

    def __init__(self, network: Network, host: str, interface: str, only: str = "ip") -> None:
        self.file = network.dir / f"{next(_numbers)}-{host}-{interface}.pcap"
        self._command = ["tcpdump", "--immediate-mode", "-U", "-Z", "root", "-n", "-s", "0", "-B", "8192",
                         "-i", interface, "-w", str(self.file), only]
        self._namespace = network.ns(host)
        self._process: Process | None = None
        self.packets: list[Packet] = []

    def __enter__(self) -> Capture:
        self._process = Process(self._namespace, self._command, self.file.with_suffix(".log"))
        self._process.wait_line("listening on", 10)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._process:
            # What the kernel has already queued is handed over before tcpdump looks at its signals.
            time.sleep(0.05)
            self._process.stop(signal.SIGINT)
        self.packets = read(self.file)

    def so_far(self) -> list[Packet]:
        """What has been captured up to now."""
        return read(self.file)
