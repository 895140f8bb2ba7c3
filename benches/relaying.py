"""Relaying: CPU per packet, delay and the most packets of siproxd, beside the floor and rtpengine, on the same addresses."""

import os
import re
import statistics
import subprocess
import sys

import calls
from plot import chart
from router import TARGET, cpu, pin, resident

LOAD = os.path.join(TARGET, "release", "examples", "load")
# The most that one core takes: so many calls, and so many packets of each leg on the way at a time.
FULL = {"spread": (500, 1), "queued": (50, 16)}
# What `benches/floor.rs` can do in another way: its options, and how the table names it.
VARIANTS = {
    "single": ("`recvfrom` until nothing is left, for `recvmmsg`", ["recvfrom"]),
    "connected": ("connected sockets", ["connected"]),
    "wait 250": ("250 µs of waiting after each turn", ["wait=250"]),
    "wait 1000": ("1 ms of waiting after each turn", ["wait=1000"]),
}


def at_once(pid):
    """Lets a process have its processor whenever it wants it, as on a machine that does nothing else."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))


# Microseconds of `rtp_coalesce`: off, and up to the most.
MODERATIONS = 0, 100, 250, 500, 1000

# What siproxd itself does with connected sockets and without; it has none where it learns nothing.
AT_ONCE = "rtp_coalesce = 0"
OWN = {"own": [AT_ONCE], "own, not connected": [AT_ONCE, "rtp_latching = off"]}


def load(pid, legs, *mode):
    """Sends media over the calls' legs: CPU of `pid` in µs for each packet, what was lost, delays in µs, packets a second."""
    process = subprocess.Popen([LOAD, *map(str, mode)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               preexec_fn=pin(1))
    at_once(process.pid)
    if pid:
        at_once(pid)
    process.stdin.write("".join(f"{local} {relay}\n" for local, relay in legs))
    process.stdin.close()
    for word in "ready", "begin":
        if process.stdout.readline().strip() != word:
            sys.exit("the load generator failed")
    before = cpu(pid) if pid else 0
    line = process.stdout.readline()
    after = cpu(pid) if pid else 0
    if process.wait() != 0:
        sys.exit("the load generator failed")
    counts = {word: int(number) for word, number in re.findall(r"(\w+) (\d+)", line)}
    sent, received = counts["sent"], counts["received"]
    return {"us": (after - before) / 1000 / sent, "loss": 1 - received / sent, "rate": received * 1e9 / counts["nanoseconds"],
            "p50": counts["p50"] / 1000, "p99": counts["p99"] / 1000, "kib": resident(pid) if pid else 0}


def programs(arguments):
    known = {"direct": calls.direct, "floor": calls.floor, "siproxd": calls.siproxd, "rtpengine": calls.rtpengine}
    if arguments.no_rtpengine:
        del known["rtpengine"]
    return known


def measure(arguments, progress):
    """All programs in turn at each load; what each round gave, by program and number of calls."""
    results = {}
    for turn in range(arguments.rounds):
        for count in arguments.calls:
            for name, program in programs(arguments).items():
                with program(count) as (pid, legs):
                    result = load(pid, legs, "paced", arguments.seconds)
                results.setdefault((name, count), []).append(result)
                progress(f"round {turn + 1} {count:4} calls {name:10} {result['us']:6.2f} us/packet"
                         f" {100 * result['loss']:5.2f} % lost, {result['p50']:5.0f} us, p99 {result['p99']:5.0f} us")
    return results


def measure_full(arguments, progress):
    """As many packets as each program takes, in turn."""
    results = {}
    for turn in range(arguments.rounds):
        for kind, (count, window) in FULL.items():
            for name, program in programs(arguments).items():
                if name == "direct":
                    continue
                with program(count) as (pid, legs):
                    result = load(pid, legs, "full", arguments.seconds, window)
                results.setdefault((name, kind), []).append(result)
                progress(f"round {turn + 1} full, {kind:7} {name:10} {result['us']:6.2f} us/packet"
                         f" {100 * result['loss']:5.2f} % lost, {result['rate']:6.0f} packets/s")
    return results


def measure_variants(arguments, progress):
    """The floor as it is and in other ways, and siproxd in two, in turn."""
    results = {}
    ways = {"floor": (calls.floor, [])} | {name: (calls.floor, options) for name, (_, options) in VARIANTS.items()}
    ways |= {name: (calls.siproxd, lines) for name, lines in OWN.items()}
    for turn in range(arguments.rounds):
        for count in arguments.calls:
            for name, (program, options) in ways.items():
                with program(count, *options) as (pid, legs):
                    result = load(pid, legs, "paced", arguments.seconds)
                results.setdefault((name, count), []).append(result)
                progress(f"round {turn + 1} {count:4} calls {name:10} {result['us']:6.2f} us/packet, p99 {result['p99']:5.0f} us")
    return results


def measure_moderation(arguments, progress):
    """siproxd with `rtp_coalesce` off and at some values, in turn."""
    results = {}
    for turn in range(arguments.rounds):
        for count in arguments.calls:
            for micros in MODERATIONS:
                with calls.siproxd(count, f"rtp_coalesce = {micros}") as (pid, legs):
                    result = load(pid, legs, "paced", arguments.seconds)
                results.setdefault((micros, count), []).append(result)
                progress(f"round {turn + 1} {count:4} calls rtp_coalesce = {micros:4} {result['us']:6.2f} us/packet"
                         f", p99 {result['p99']:5.0f} us")
    return results


def median(results, name, load_, key="us"):
    values = [one[key] for one in results.get((name, load_), [])]
    return statistics.median(values) if values else None


def ratio(results, name, other, load_):
    """The median of the rounds' ratios: what disturbs a round disturbs both."""
    pairs = zip(results.get((name, load_), []), results.get((other, load_), []))
    ratios = [one["us"] / two["us"] for one, two in pairs]
    return f"{statistics.median(ratios):.2f}" if ratios else "-"


def added(results, name, load_, key):
    """Delay in µs beyond that of the same load without a relay."""
    with_, without = median(results, name, load_, key), median(results, "direct", load_, key)
    return None if with_ is None or without is None else max(with_ - without, 0)


def figure(value, unit="µs", digits=2):
    return "-" if value is None else f"{value:.{digits}f} {unit}"


def report(results, arguments):
    """CPU and delay by number of calls, as lines; the plot goes beside the document."""
    lines = [
        "| calls | floor | siproxd | rtpengine | siproxd / floor | siproxd / rtpengine | lost by siproxd | by rtpengine |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for count in arguments.calls:
        lost = [median(results, name, count, "loss") for name in ("siproxd", "rtpengine")]
        cells = [figure(median(results, name, count)) for name in ("floor", "siproxd", "rtpengine")]
        cells += [ratio(results, "siproxd", other, count) for other in ("floor", "rtpengine")]
        cells += [figure(share and 100 * share, "%") for share in lost]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Delay that the relay adds to that between the same sockets without one, half of the packets and 99 of 100:",
        "",
        "| calls | floor, p50 | siproxd, p50 | rtpengine, p50 | floor, p99 | siproxd, p99 | rtpengine, p99 |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for count in arguments.calls:
        cells = (figure(added(results, name, count, key), digits=0)
                 for key in ("p50", "p99") for name in ("floor", "siproxd", "rtpengine"))
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return lines


def plot(results, arguments):
    names = ["floor", "siproxd", "rtpengine"]
    return chart(
        arguments.calls,
        [("CPU for each packet, µs", {name: [median(results, name, count) for count in arguments.calls] for name in names}),
         ("added delay, 99 of 100 packets, µs; logarithmic",
          {name: [added(results, name, count, "p99") for count in arguments.calls] for name in names})],
    )


def report_full(results):
    lines = [
        "| what | program | packets/s | lost | CPU per packet |",
        "|---|---|---:|---:|---:|",
    ]
    for kind, (count, window) in FULL.items():
        what = f"{count} calls, {window} packet{'s' if window > 1 else ''} of each leg on the way"
        for name in "floor", "siproxd", "rtpengine":
            us = median(results, name, kind)
            if us is not None:
                lines.append(f"| {what} | {name} | {median(results, name, kind, 'rate'):.0f}"
                             f" | {100 * median(results, name, kind, 'loss'):.2f} % | {figure(us)} |")
    return lines


def report_variants(results, arguments):
    heads = [f"{count} calls" for count in arguments.calls]
    rows = [(text, name, "floor") for name, (text, _) in VARIANTS.items()]
    rows.append(("siproxd: connected sockets, to that without", *OWN))
    lines = ["| the floor with | " + " | ".join(heads) + f" | p99, {heads[-1]} |", "|---|" + "---:|" * (len(heads) + 1)]
    for text, name, other in rows:
        cells = [ratio(results, name, other, count) for count in arguments.calls]
        late = median(results, name, arguments.calls[-1], "p99") - median(results, other, arguments.calls[-1], "p99")
        lines.append(f"| {text} | " + " | ".join(cells) + f" | {late:+.0f} µs |")
    return lines


def report_moderation(results, arguments):
    heads = [f"CPU, {micros}" for micros in MODERATIONS] + [f"p99, {micros}" for micros in MODERATIONS]
    lines = ["| calls | " + " | ".join(heads) + " |", "|---:|" + "---:|" * len(heads)]
    for count in arguments.calls:
        cells = [figure(median(results, micros, count)) for micros in MODERATIONS]
        cells += [figure(median(results, micros, count, "p99"), digits=0) for micros in MODERATIONS]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return lines
