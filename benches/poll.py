"""What a poll of the pages for LuCI costs: the process that it starts, and the daemon that answers it; and what that would be on a small router."""

import contextlib
import hashlib
import os
import re
import shutil
import statistics
import struct
import subprocess
import tempfile
import time

import calls
from router import cpu, in_router

REGISTRATIONS, CALLS = 8, 2
POLLS = 100

# As the ubus plugin has it (openwrt/luci-app-siproxd/root/usr/share/rpcd/ucode/siproxd.uc).
COMMANDS = ["status", "bindings", "refusals", "calls"]

# A MIPS 24KEc of 580 MHz (MT7620): bytes of MD5 in a second, as `openssl speed` has them; nothing in that is done by anything
# but instructions of every processor. And cycles for an instruction of a program that lives for some milliseconds, one at a time and in order, where
# most of what is done is done for the first time.
MD5, HERTZ, CYCLES = 26.5e6, 580e6, 3


@contextlib.contextmanager
def busy():
    """A siproxd with registrations and calls, whose media has run for a while; its process number and its configuration."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        conf = os.path.join(directory, "siproxd.conf")
        with open(conf, "w") as file:
            file.write(calls.CONF + f"control_socket = {directory}/control.sock\n")
        pid = stack.enter_context(in_router(calls.BINARY, "-c", conf))
        sip = stack.enter_context(contextlib.closing(calls.Sip()))
        for number in range(REGISTRATIONS):
            sip.register(f"reg{number}", user=f"phone{number}")
        sip.register("reg", cseq=2)
        legs = [leg for number in range(CALLS) for leg in sip.call(number)]
        talk(legs)
        yield pid, conf


def talk(legs):
    """A second of speech in each leg, so that there is something to tell of it."""
    with contextlib.ExitStack() as stack:
        parties = []
        for local, relay in legs:
            here, there = (end.rpartition(":") for end in (local, relay))
            made = stack.enter_context(calls.udp(here[0], int(here[2])))
            parties.append((made, (there[0], int(there[2]))))
        for number in range(50):
            for source, (party, relay) in enumerate(parties, 1):
                party.sendto(struct.pack(">BBHII", 0x80, 8, number, 160 * number, source) + bytes(160), relay)
            time.sleep(0.02)


def run(command):
    """Its CPU time in seconds, of user and system, and what it said."""
    reader, writer = os.pipe()
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_CLOSE, reader)])
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}: {said.decode(errors='replace')}")
    return usage.ru_utime, usage.ru_stime, said


def typical(command):
    """Milliseconds of user and system together: half of many runs take less; and what it says."""
    runs = [run(command) for _ in range(POLLS)]
    return 1000 * statistics.median(user + system for user, system, _ in runs), runs[-1][2]


def md5():
    """Bytes in a second, here."""
    block, count = bytes(16384), 10_000
    start = time.process_time()
    for _ in range(count):
        hashlib.md5(block).digest()
    return len(block) * count / (time.process_time() - start)


def instructions(program, options, commands):
    """How many a program for MIPS needs in user mode, by an emulator that does one at a time and notes each."""
    with tempfile.NamedTemporaryFile(prefix="siproxd-poll-") as log:
        command = ["qemu-mips-static", "-singlestep", "-d", "exec,nochain", "-D", log.name, program, *options, *commands]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return sum(line.startswith(b"Trace ") for line in log)


def measure(arguments, progress):
    """Of many polls, one behind the other."""
    with busy() as (pid, conf):
        options = ["-c", conf, "--json"]
        start, _ = typical([calls.BINARY, "--version"])
        before = cpu(pid)
        whole, said = typical([calls.BINARY, *options, "--timeout", "3", *COMMANDS])
        daemon = (cpu(pid) - before) / POLLS / 1e6
        static, _ = typical([arguments.static or calls.BINARY, "--version"])
        kinds = {kind: len(re.findall(rb'"type":"%s"' % kind.encode(), said)) for kind in ("binding", "call")}
        if kinds["binding"] < REGISTRATIONS or kinds["call"] != CALLS:
            raise SystemExit(f"not what was to be polled: {said.decode()}")
        result = {"bytes": len(said), "daemon": daemon, "start": static, "rest": whole - start, "factor": md5() / MD5, "mips": 0}
        progress(f"poll: {result}")
        if arguments.mips and shutil.which("qemu-mips-static"):
            result["mips"] = instructions(arguments.mips, options, COMMANDS)
            progress(f"poll: {result['mips']} instructions")
    return result


def report(result):
    """A table."""
    start, rest, daemon, factor = (result[name] for name in ("start", "rest", "daemon", "factor"))
    total = 2 * start + rest + daemon
    lines = [
        "| of a poll | value |", "|---|---:|",
        f"| the answer, {REGISTRATIONS + 1} registrations and {CALLS} calls | {result['bytes']} bytes |",
        f"| CPU of a start of the program | {start:.2f} ms |",
        f"| CPU of what the program does then | {rest:.2f} ms |",
        f"| CPU of the daemon | {daemon:.2f} ms |",
        f"| all of it, with a shell that takes as much as the program's start | {total:.2f} ms |",
        f"| the same on a processor that takes {factor:.0f} times as long | {factor * total:.0f} ms |",
    ]
    if result["mips"]:
        there = 1000 * result["mips"] * CYCLES / HERTZ
        lines += [
            f"| instructions of the program for MIPS, in user mode | {result['mips'] / 1e6:.2f} million |",
            f"| their time on a 24KEc of {HERTZ / 1e6:.0f} MHz, {CYCLES} cycles each | {there:.1f} ms |",
        ]
    return lines
