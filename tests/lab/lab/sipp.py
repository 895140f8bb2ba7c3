"""sipp, run with a scenario from `tests/lab/scenarios/`."""

from __future__ import annotations

import itertools
from pathlib import Path

from lab.audio import write_tone
from lab.netns import Network
from lab.process import Process
from lab.wait import tail

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"

# Seconds of tone, which is played over and over.
TONE_SECONDS = 10

_numbers = itertools.count(1)


class Sipp:
    """One running sipp."""

    def __init__(self, network: Network, host: str, address: str, scenario: str, target: str = "",
                 *, calls: int = 1, port: int = 5070, tone: int = 0, options: tuple[str, ...] = ()) -> None:
        """Runs a scenario for `calls` calls with a tone in Hz; `target` is host:port of where its requests go."""
        self.dir = network.dir / f"sipp-{next(_numbers)}-{host}"
        self.dir.mkdir()
        self.port = port
        # Before sipp starts: it opens the file with the scenario.
        write_tone(self.dir / "tone.wav", tone, TONE_SECONDS)
        self.process = Process(network.ns(host), [
            "sipp", *([target] if target else []), "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", address,
            "-mi", address, "-p", str(port), "-m", str(calls), "-nostdin", "-trace_err", "-trace_screen",
            "-timeout", "60", "-timeout_error", "-recv_timeout", "15000", *options,
        ], self.dir / "sipp.log", cwd=self.dir)

    def finish(self, timeout: float = 60.0) -> None:
        """Waits for the last call; a failed call is an error."""
        status = self.process.wait_end(timeout)
        if status != 0:
            errors = "\n".join(tail(path) for path in sorted(self.dir.glob("*errors*.log")))
            raise AssertionError(f"sipp: exit {status}\n{tail(self.process.log)}\n{errors}")

    def stop(self) -> None:
        """Ends it."""
        self.process.stop()
