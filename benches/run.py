#!/usr/bin/env python3
"""Measures siproxd against the floor, rtpengine and kamailio, as root, in two network namespaces.

    benches/run.py [--only relay,full,moderation,listing,techniques,signalling,poll,size] [--rounds 5] [--seconds 4] [--calls 10,50,100,200,500]
                   [--no-rtpengine] [--static PROGRAM] [--mips PROGRAM] [--write docs/performance.md]

CPU is user and system time of the process, from /proc/PID/task/*/schedstat: what utime + stime of /proc/PID/stat add up
to, in nanoseconds and not in ticks. The programs take turns; the tables have medians. Numbers of different machines, or of
different runs, do not compare: read the ratios. What is written goes between the document's marks; the words around are its own.
"""

import argparse
import os
import platform
import re
import resource
import signal
import subprocess
import sys

import calls
import listing
import poll
import relaying
import signalling
from router import PEERS, go_before_others, namespaces, pin, resident

# Sockets of the load generator and of the relays: four for each call, and more in rtpengine.
DESCRIPTORS = 16384


def progress(text):
    print(text, file=sys.stderr)


def relay(arguments):
    results = relaying.measure(arguments, progress)
    plot = "performance.svg"
    if arguments.write:
        with open(os.path.join(os.path.dirname(arguments.write), plot), "w") as file:
            file.write(relaying.plot(results, arguments))
    return [*relaying.report(results, arguments), "", f"![CPU and delay by number of calls]({plot})"]


def full(arguments):
    return relaying.report_full(relaying.measure_full(arguments, progress))


def techniques(arguments):
    return relaying.report_variants(relaying.measure_variants(arguments, progress), arguments)


def moderation(arguments):
    return relaying.report_moderation(relaying.measure_moderation(arguments, progress), arguments)


def listed(arguments):
    return listing.report(listing.measure(arguments, progress), arguments)


def signals(arguments):
    compared = signalling.compare(arguments.rounds, calls.CONF, calls.BINARY, progress)
    return signalling.report(compared, signalling.micro())


def polled(arguments):
    return poll.report(poll.measure(arguments, progress))


def size(arguments):
    lines = ["| what | value |", "|---|---:|"]
    for count in 0, 200, 500:
        with calls.siproxd(count) as (pid, legs):
            if legs:
                relaying.load(pid, legs, "paced", 1)
            lines.append(f"| resident memory, {count or 'no'} calls | {resident(pid)} KiB |")
    return [*lines, f"| binary | {os.path.getsize(calls.BINARY) / 1024:.0f} KiB |"]


SECTIONS = {"relay": relay, "full": full, "moderation": moderation, "listing": listed, "techniques": techniques, "signalling": signals, "poll": polled,
            "size": size}


def put(text, name, lines):
    """The document with another section `name`."""
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->"
    before, found, rest = text.partition(begin)
    if not found:
        sys.exit(f"the document has no place for {name}")
    after = rest[rest.index(end):]
    return before + begin + "\n".join(lines) + "\n" + after


def inside(arguments):
    """The measurement, in the peers' namespace."""
    go_before_others()
    pin(1)()
    machine = f"{platform.machine()}, Linux {re.match(r'[0-9.]+', platform.release())[0]}, {os.cpu_count()} processors;"
    rounds = {"poll": f"{poll.POLLS} polls."}
    for name in arguments.only:
        lines = SECTIONS[name](arguments)
        if name != "size":
            lines += ["", f"{machine} {rounds.get(name, f'{arguments.rounds} rounds of {arguments.seconds} s.')}"]
        print("\n".join(lines))
        if arguments.write:
            with open(arguments.write) as file:
                text = file.read()
            with open(arguments.write, "w") as file:
                file.write(put(text, name, lines))


def main():
    def numbers(text):
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description="Benchmarks of siproxd.")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--calls", type=numbers, default=[10, 50, 100, 200, 500])
    parser.add_argument("--no-rtpengine", action="store_true")
    parser.add_argument("--static", help="a static program for this machine: what its start takes is what it takes on a router")
    parser.add_argument("--mips", help="a program for MIPS, to count the instructions of a poll")
    parser.add_argument("--write")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    if os.geteuid() != 0:
        sys.exit("benches/run.py needs root: it makes network namespaces")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with namespaces():
        return subprocess.run(["ip", "netns", "exec", PEERS, sys.executable, *sys.argv, "--inside"],
                              start_new_session=True).returncode


if __name__ == "__main__":
    sys.exit(main())
