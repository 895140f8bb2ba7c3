"""Waiting for a condition, with a deadline and an error that shows what the parts logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Seconds between two looks at a condition: short against a SIP round trip through the lab, long against its cost.
POLL_INTERVAL = 0.02

# Lines of each log that an error shows.
TAIL_LINES = 25


class Timeout(AssertionError):
    """A condition did not come true before its deadline."""


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, under its name."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        text = f"({error})"
    # baresip shows its bit rate ten times a second.
    kept = [line for line in text.splitlines() if line.strip() and "(bit/s)" not in line]
    return f"--- {path.parent.name}/{path.name}\n" + "\n".join(kept[-lines:])


def until(condition: Callable[[], T], timeout: float, what: str, logs: Iterable[Path] = (),
          interval: float = POLL_INTERVAL) -> T:
    """Returns the first true value of `condition`; raises `Timeout` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            tails = "\n".join(tail(path) for path in logs)
            raise Timeout(f"waited {timeout:g} s for {what}; last value {value!r}\n{tails}")
        time.sleep(interval)


def holds(condition: Callable[[], bool], seconds: float, what: str, logs: Iterable[Path] = ()) -> None:
    """Asserts that `condition` stays true for `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            tails = "\n".join(tail(path) for path in logs)
            raise AssertionError(f"did not hold for {seconds:g} s: {what}\n{tails}")
        time.sleep(POLL_INTERVAL)
