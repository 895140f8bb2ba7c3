"""The daemon under test: its configuration, its life, what it costs."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.netns import LAN_INTERFACE, SIP_PORT, Network
from lab.process import Process, run
from lab.wait import TAIL_LINES, tail, until

ROOT = Path(__file__).resolve().parents[3]

# Seconds until the daemon listens, also on a loaded machine.
START_TIMEOUT = 10.0
# Seconds within which a line is in the log.
LOG_TIMEOUT = 10.0


def target() -> Path:
    """Where programs are built, and what the lab needs is kept."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def binary() -> Path:
    """The program to test: $SIPROXD, else the newest of the release and the debug build."""
    if "SIPROXD" in os.environ:
        return Path(os.environ["SIPROXD"])
    built = [path for path in (target() / "release/siproxd", target() / "debug/siproxd") if path.exists()]
    if not built:
        raise AssertionError(f"no siproxd in {target()}: run `cargo build` first")
    return max(built, key=lambda path: path.stat().st_mtime)


class Siproxd:
    """One siproxd, in the router if nothing else is said."""

    def __init__(self, network: Network, name: str = "siproxd", options: tuple[str, ...] = ("-d", "-1"),
                 wait: bool = True, config: Path | None = None, prefix: tuple[str, ...] = (), host: str = "router",
                 file: bool = True, **directives: object) -> None:
        """Starts it with the lab's configuration, changed by `directives` (None removes one); `prefix` is a command that runs it,
        in `host`; without `file` it has no configuration at all."""
        self._file = file
        self._host = host
        self._prefix = prefix
        self._network = network
        self.dir = network.dir / name
        self.dir.mkdir(exist_ok=True)
        self.log = self.dir / "siproxd.log"
        self.options = options
        low, high = network.rtp_range
        self.directives: dict[str, object] = {
            "if_inbound": LAN_INTERFACE, "if_outbound": "wan", "sip_listen_port": SIP_PORT,
            "rtp_port_low": low, "rtp_port_high": high, "rtp_timeout": 300, "silence_log": 0,
            "registration_file": self.dir / "registrations",
            "control_socket": self.dir / "control.sock",
        }
        self.directives.update(directives)
        self.config = config or self.dir / "siproxd.conf"
        if config is None:
            self.write_config()
        self.process: Process = self._launch()
        if wait:
            self.wait_listening()

    def write_config(self) -> None:
        """Writes the configuration file from `directives`."""
        lines: list[str] = []
        for name, value in self.directives.items():
            if value is None:
                continue
            values = value if isinstance(value, (list, tuple)) else [value]
            lines += [f"{name} = {one}" for one in values]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, wait: bool = True) -> None:
        """Starts it again after `stop` or `kill`; the log goes on."""
        self.process = self._launch()
        if wait:
            self.wait_listening()

    def wait_listening(self) -> None:
        """Waits until the SIP port is open in its host."""
        def ready() -> bool:
            if not self.process.running():
                raise AssertionError(f"siproxd ended with {self.process.popen.returncode}\n{tail(self.log)}")
            return f":{SIP_PORT} " in run(self._network.ns(self._host), ["ss", "-Hulnp", "sport", "=", str(SIP_PORT)]
                                          ).stdout
        until(ready, START_TIMEOUT, "siproxd to listen", [self.log])

    def stop(self) -> int:
        """Asks it to end (SIGTERM) and returns its exit status; a panic in the log is an error."""
        status = self.process.stop()
        self.assert_no_panic()
        return status

    def kill(self) -> None:
        """Ends it without warning (SIGKILL)."""
        self.process.stop(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It gets no processor (SIGSTOP) meanwhile."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def text(self) -> str:
        """All it has logged."""
        return self.log.read_text(errors="replace")

    def wait_line(self, pattern: str, timeout: float = LOG_TIMEOUT) -> re.Match[str]:
        """Waits for what `pattern` finds in the log: a line is written after the message that it tells of is sent."""
        return until(lambda: re.search(pattern, self.text()), timeout, f"{pattern!r} in the log", [self.log])

    def tail(self) -> str:
        """The end of its log."""
        return tail(self.log, TAIL_LINES)

    def assert_no_panic(self) -> None:
        """It has not panicked and, where it was not stopped, still runs."""
        text = self.text()
        if "panicked at" in text:
            raise AssertionError(text[max(0, text.find("panicked at") - 500):][:3000])

    def assert_alive(self) -> None:
        """It runs, and has not panicked."""
        self.assert_no_panic()
        if not self.process.running():
            raise AssertionError(f"siproxd ended with {self.process.popen.returncode}\n{self.tail()}")

    def resident_kib(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def _launch(self) -> Process:
        # An empty /var/lib of its own, which only this process sees (`ip netns exec` unshares the mounts): a shipped
        # configuration keeps its state there, and this machine shall not.
        private = 'mount -t tmpfs tmpfs /var/lib && exec "$@"'
        # Its home has no configuration.
        home = ["env", f"HOME={self.dir}"]
        given = ["-c", str(self.config)] if self._file else []
        return Process(self._network.ns(self._host), [
            "sh", "-c", private, "sh", *self._prefix, *home, str(binary()), *given, *self.options], self.log)
