"""Tones to play, and the check that a recording holds one."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

RATE = 8000  # samples per second: G.711
AMPLITUDE = 8000  # of 32767

# Samples in one analysis window (100 ms): 10 Hz of resolution.
WINDOW = 800


def write_tone(path: Path, frequency: int, seconds: int = 60) -> None:
    """Writes a mono 16 bit sine of a frequency that is a multiple of 10 Hz."""
    period = [int(AMPLITUDE * math.sin(2 * math.pi * frequency * n / RATE)) for n in range(WINDOW)]
    block = struct.pack(f"<{WINDOW}h", *period)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(block * (seconds * RATE // WINDOW))


def read_samples(path: Path) -> list[float]:
    """All samples of a mono 16 bit recording; tolerates a header whose lengths were never filled in."""
    data = path.read_bytes()
    start = data.find(b"data")
    if start < 0:
        return []
    body = data[start + 8:]
    body = body[:len(body) // 2 * 2]
    return [float(value) for (value,) in struct.iter_unpack("<h", body)]


def _goertzel(samples: list[float], frequency: float) -> float:
    """Energy of one frequency in a window, on the scale of the sum of squares."""
    coefficient = 2 * math.cos(2 * math.pi * frequency / RATE)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    return 2 * power / len(samples)


def tone_share(path: Path, frequency: float) -> tuple[float, float]:
    """The share of a recording's energy at a frequency (0..1), and the seconds of it that are not silent."""
    samples = read_samples(path)
    energy, at_tone, loud = 0.0, 0.0, 0
    for start in range(0, len(samples) - WINDOW + 1, WINDOW):
        window = samples[start:start + WINDOW]
        total = sum(value * value for value in window)
        energy += total
        if total > WINDOW * (AMPLITUDE / 20) ** 2:
            loud += 1
            at_tone += _goertzel(window, frequency)
    return (at_tone / energy if energy else 0.0), loud * WINDOW / RATE
