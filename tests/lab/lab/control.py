"""The control socket of the daemon under test, and its commands."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

from lab.siproxd import Siproxd, binary

# Seconds that an answer may take, also on a loaded machine.
ANSWER_TIMEOUT = 20.0

# Columns of a terminal.
WIDTH = 80

Line = dict[str, Any]


def command(siproxd: Siproxd, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run([str(binary()), "-c", str(siproxd.config), *words], capture_output=True, text=True,
                          timeout=ANSWER_TIMEOUT, check=False)


def shown(siproxd: Siproxd, *words: str) -> str:
    """What a command shows to people; it succeeds, and fits into a terminal."""
    done = command(siproxd, *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert all(len(line) <= WIDTH for line in done.stdout.splitlines()), done.stdout
    return done.stdout


def ask(siproxd: Siproxd, *words: str) -> list[Line]:
    """The lines of an answer, without that which ends it."""
    done = command(siproxd, "--json", *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines: list[Line] = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["v"] == 1 for line in lines)
    assert lines[-1] == {"v": 1, "type": "end", "command": words[0], "lines": len(lines) - 1}
    return lines[:-1]


def connect(siproxd: Siproxd) -> socket.socket:
    """A client of its own."""
    client = socket.socket(socket.AF_UNIX)
    # Without a time limit yet: with one, a full queue is an error at once (connect(2), EAGAIN).
    client.connect(str(siproxd.dir / "control.sock"))
    client.settimeout(ANSWER_TIMEOUT)
    return client
