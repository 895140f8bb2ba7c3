"""A syslog: the socket that takes its lines."""

from __future__ import annotations

import socket
from pathlib import Path

# Seconds that a line may take.
PATIENCE = 5.0


def syslogd(place: Path) -> socket.socket:
    """What takes lines at `place`, as a syslog that has just started."""
    place.unlink(missing_ok=True)
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    taken.bind(str(place))
    place.chmod(0o666)
    taken.settimeout(PATIENCE)
    return taken


def line(taken: socket.socket, wanted: str) -> str:
    """The first message with these words."""
    while True:
        text = taken.recv(2000).decode()
        if wanted in text:
            return text


def drain(taken: socket.socket) -> None:
    """Takes what is there: the system keeps few messages for one who does not read."""
    taken.setblocking(False)
    try:
        while True:
            taken.recv(2000)
    except BlockingIOError:
        taken.settimeout(PATIENCE)
