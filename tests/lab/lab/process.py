"""A program in a network namespace, with its output in a log file."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.wait import until

# Seconds a program gets to end after SIGTERM before it is killed.
STOP_TIMEOUT = 5.0


class Process:
    """A running program whose standard output and error go to one file."""

    def __init__(self, namespace: str, command: Sequence[str], log: Path, cwd: Path | None = None,
                 stdin: int = subprocess.DEVNULL) -> None:
        self.command = list(command)
        self.log = log
        with log.open("ab") as output:
            # A session of its own: Ctrl-C in the terminal reaches the lab only, which then stops its parts in order.
            self.popen = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=stdin, stdout=output, stderr=output,
                cwd=cwd, start_new_session=True)

    @property
    def pid(self) -> int:
        """The program's process id: `ip netns exec` becomes the program."""
        return self.popen.pid

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def text(self) -> str:
        """All it has printed."""
        return self.log.read_text(errors="replace")

    def wait_line(self, pattern: str, timeout: float, start: int = 0) -> re.Match[str]:
        """Waits until `pattern` is found in the output at or after character `start`."""
        expression = re.compile(pattern, re.MULTILINE)

        def look() -> re.Match[str] | None:
            found = expression.search(self.text(), start)
            if not found and not self.running():
                raise AssertionError(f"{self.command[0]} ended with {self.popen.returncode}:\n{self.text()[-3000:]}")
            return found

        return until(look, timeout, f"{pattern!r} from {self.command[0]}", [self.log])

    def wait_end(self, timeout: float) -> int:
        """Waits for the program to end by itself; returns its exit status."""
        until(lambda: not self.running(), timeout, f"{self.command[0]} to end", [self.log])
        return int(self.popen.returncode)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it and returns its exit status; kills it where it does not end by itself."""
        if self.running():
            self.popen.send_signal(how)
            try:
                self.popen.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait(STOP_TIMEOUT)


def run(namespace: str, command: Sequence[str], timeout: float = 10.0, check: bool = True,
        text_in: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a short program in a namespace and returns what it printed."""
    done = subprocess.run(["ip", "netns", "exec", namespace, *command], input=text_in, capture_output=True,
                          text=True, errors="replace", timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done
