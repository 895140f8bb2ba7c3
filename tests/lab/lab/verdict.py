"""What siproxd says of a call: the line about its end and the verdict, and the status while it runs."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from lab.siproxd import ROOT
from lab.world import World

# Seconds until a line that is due is in the log.
LOG_TIMEOUT = 5.0

# Figures of one party, as both the line about the end and the status have them.
FIGURES = re.compile(
    r"(?P<packets>\d+) packets \((?P<bytes>\d+) bytes\)(?:, no RTP| of (?P<codec>[^,]+), lost (?P<lost>[\d.]+) %"
    r"(?: and (?P<beyond>[\d.]+) % beyond us)?(?:, jitter (?P<jitter>[\d.]+) ms)?, longest gap (?P<gap>\d+) ms"
    r"(?:, round trip (?P<round_trip>\d+) ms)?(?:, MOS (?P<mos>[\d.]+))?)?")


@dataclass(frozen=True)
class Figures:
    """What one party's sound came to; nothing where the line does not say it."""

    text: str
    packets: int
    bytes: int
    codec: str | None
    lost: float | None
    beyond: float | None
    jitter: float | None
    gap: float | None
    round_trip: float | None
    mos: float | None

    @staticmethod
    def read(text: str) -> Figures:
        """From the words of the log."""
        found = FIGURES.fullmatch(text)
        assert found, text
        part = found.groupdict()

        def number(name: str) -> float | None:
            return None if part[name] is None else float(part[name])

        return Figures(text, int(part["packets"]), int(part["bytes"]), part["codec"],
                       *map(number, ("lost", "beyond", "jitter", "gap", "round_trip", "mos")))


@dataclass(frozen=True)
class Told:
    """What is said of one call."""

    caller: Figures
    callee: Figures
    strangers: int
    sentence: str | None


def status(world: World, callee: str) -> Told:
    """What SIGUSR1 writes of the running call to a user; it is the only call."""
    process, start = world.siproxd.process, len(world.siproxd.text())
    process.popen.send_signal(signal.SIGUSR1)
    section = process.wait_line(
        rf"status: call from \S+ to \S*{re.escape(callee)}@.*\n.*status: media section 1: caller at .*? to our port \d+: (.*);"
        r" callee at .*? to our port \d+: (.*); strangers (\d+)$", LOG_TIMEOUT, start)
    _wait_written(world)
    sentence = re.search(r"status: so far (.*)$", world.siproxd.text()[start:], re.MULTILINE)
    return _told(section, sentence)


def verdict(world: World, callee: str, start: int = 0) -> Told:
    """What the log says of the call to a user that was just hung up; it is looked for behind character `start`."""
    name = rf"call from \S+ to \S*{re.escape(callee)}@\S+"
    line = world.siproxd.process.wait_line(
        rf"{name} ended after \d+ s, hung up: caller sent (.*); callee sent (.*); strangers (\d+)$", LOG_TIMEOUT, start)
    _wait_written(world)
    sentence = re.search(rf"verdict on the {name}: (.*)$", world.siproxd.text()[line.start():], re.MULTILINE)
    return _told(line, sentence)


def _told(figures: re.Match[str], sentence: re.Match[str] | None) -> Told:
    caller, callee, strangers = figures.groups()
    return Told(Figures.read(caller), Figures.read(callee), int(strangers), sentence and sentence.group(1))


def _wait_written(world: World) -> None:
    """Waits until the log has what the daemon wrote up to now: it has one thread, and what it is asked for now comes behind that."""
    process, start = world.siproxd.process, len(world.siproxd.text())
    process.popen.send_signal(signal.SIGUSR1)
    process.wait_line(r"status: media packets dropped", LOG_TIMEOUT, start)


def sentences() -> list[str]:
    """The sentences that docs/verdict.md explains, with its stand-ins for names and numbers."""
    text = (ROOT / "docs/verdict.md").read_text()
    return re.findall(r"^### (.*)$", text, re.MULTILINE)


def pattern(sentence: str, party: str, other: str) -> re.Pattern[str]:
    """What a sentence of docs/verdict.md becomes in the log: its numbers and addresses are the groups."""
    stand_ins = {"PARTY": re.escape(party), "OTHER": re.escape(other), "ADDRESS": r"([\d.]+:\d+)"}
    stand_ins |= dict.fromkeys(("COUNT", "PORT", "SECOND", "SHARE", "TIME", "TYPE"), r"([\d.]+)")
    words = re.split(rf"\b({'|'.join(stand_ins)})\b", sentence)
    return re.compile("".join(stand_ins[word] if number % 2 else re.escape(word) for number, word in enumerate(words)))
