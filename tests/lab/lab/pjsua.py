"""A real phone that can transfer with consultation: PJSUA2, driven over its standard input."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import mkdtemp

from lab.audio import write_tone
from lab.baresip import PATIENCE, Account
from lab.kamailio import DOMAIN, password
from lab.netns import Network
from lab.process import Process
from lab.siproxd import target
from lab.wait import until

AGENT = Path(__file__).with_name("pjsua_agent.py")


def library() -> Path:
    """Where `install.sh` has put the PJSUA2 module."""
    directory = target() / "lab/pjsua2"
    if not (directory / "pjsua2").exists():
        raise AssertionError(f"no PJSUA2 in {directory}: run tests/lab/install.sh")
    return directory


class PjPhone:
    """One running PJSUA2 phone in one host. Its calls have numbers, from 0."""

    def __init__(self, network: Network, host: str, address: str, user: str, tone: int,
                 outbound: str | None = None, traits: tuple[str, ...] = ()) -> None:
        """Starts it; `pjsua_agent.py` has the traits that its account may have."""
        self.host = host
        self.address = address
        self.tone = tone
        self.accounts = [Account(user, outbound=outbound)]
        self.dir = Path(mkdtemp(prefix="-".join((host, "pjsua", *traits)) + ".", dir=network.dir))
        write_tone(self.dir / "tone.wav", tone)
        self.log = self.dir / "pjsua.log"
        self.process = Process(network.ns(host), [
            "env", f"PYTHONPATH={library()}", "/usr/bin/python3", "-B", str(AGENT), str(self.dir), address, user, DOMAIN,
            password(user), outbound or "-", *traits], self.log, cwd=self.dir, stdin=subprocess.PIPE)
        self.event("ready")

    @property
    def user(self) -> str:
        """The user of the account."""
        return self.accounts[0].user

    def registered(self) -> None:
        """Waits until the provider has accepted the registration."""
        self.event("registered 200")

    def mark(self) -> int:
        """A point in the stream of events; later waits look after it."""
        return len(self.process.text())

    def event(self, pattern: str, since: int = 0, timeout: float = PATIENCE) -> re.Match[str]:
        """Waits for an event that matches."""
        expression = re.compile(rf"^EVENT {pattern}", re.MULTILINE)

        def look() -> re.Match[str] | None:
            assert self.process.running(), f"PJSUA2 at {self.host} ended:\n{self.process.text()[-3000:]}"
            return expression.search(self.process.text(), since)

        return until(look, timeout, f"{pattern!r} at {self.host}", [self.log, self.dir / "library.log"])

    def command(self, *words: object) -> None:
        """Tells the phone what to do."""
        assert self.process.popen.stdin
        self.process.popen.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.popen.stdin.flush()

    def call(self, other: PjPhone, uri: str, command: str = "call") -> tuple[int, int]:
        """Calls another phone, which answers; returns both phones' numbers of the call."""
        since, theirs = self.mark(), other.mark()
        self.command(command, uri)
        mine = int(self.event(r"state (\d+) CALLING", since)[1])
        taken = int(other.event(r"incoming (\d+)", theirs)[1])
        other.command("answer", taken)
        self.event(f"state {mine} CONFIRMED", since)
        other.event(f"state {taken} CONFIRMED", theirs)
        return mine, taken

    def recording(self, call: int) -> Path:
        """What was heard in a call."""
        return self.dir / f"heard-{call}.wav"

    def recordings(self) -> list[Path]:
        """What was heard, one file for each call."""
        return sorted(self.dir.glob("heard-*.wav"))

    def stop(self) -> None:
        """Un-registers and ends."""
        if self.process.running():
            self.command("quit")
            self.process.wait_end(PATIENCE)
