#!/usr/bin/python3
"""memory.py PROGRAM: how much memory siproxd takes, in the lab's network: idle, and with 32 registrations and 8 calls of sipp with media.

What counts is its resident memory (Rss): everything of the program, its tables, stack and heap that is in RAM, as a router has no other
program that shares a page with it. It comes from /proc/PID/smaps_rollup, which counts pages; VmRSS in /proc/PID/status may lag behind by
64 pages for each processor. Fails above the limits.
"""

import os
import pathlib
import re
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]

BINDINGS, CALLS = 32, 8
# KiB.
IDLE_LIMIT, BUSY_LIMIT = 2048, 3072
# Milliseconds that each call lasts, and packets that must have come from each party before the memory is looked at.
TALK = 8000
ENOUGH = 100
# Seconds.
SETTLED, MEDIA_TIMEOUT = 3, 30

FIELDS = {"Rss": "resident", "Anonymous": "written to"}


def pages(pid: int) -> dict[str, int]:
    """KiB of each of FIELDS, and by what the memory is for, in KiB."""
    sums = dict(re.findall(r"(?m)^(\w+): +(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()))
    found = {field: int(sums[field]) for field in FIELDS}
    name = ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if mapping := re.match(r"[0-9a-f]+-[0-9a-f]+ (....) \S+ \S+ \S+ *(.*)", line):
            name = part(*mapping.groups())
        elif rss := re.match(r"Rss: +(\d+) kB", line):
            found[name] = found.get(name, 0) + int(rss[1])
    return found


def part(access: str, name: str) -> str:
    """What a mapping is: those of the program by what is done with them."""
    if name.startswith("["):
        return name.strip("[]")
    if "x" in access:
        return "code"
    if "w" not in access:
        return "constants"
    return "data" if name else "tables and mappings"


def show(when: str, found: dict[str, int], limit: int) -> bool:
    """Prints them; whether they are within the limit."""
    parts = ", ".join(f"{name} {size}" for name, size in found.items() if name not in FIELDS and size)
    print(f"{when}: {found['Rss']} KiB resident, of {limit} permitted; {found['Anonymous']} of them written to ({parts})")
    return found["Rss"] <= limit


def main() -> None:
    """Prints the figures of both states."""
    os.environ["SIPROXD"] = str(pathlib.Path(sys.argv[1]).resolve(strict=True))
    sys.path.insert(0, str(ROOT / "tests/lab"))
    from lab.callcheck import relay_ports
    from lab.control import ask
    from lab.netns import PHONES, REMOTES
    from lab.sipp import Sipp
    from lab.wait import until
    from lab.world import OUTBOUND, World

    with World(options=()) as world:
        pid = world.siproxd.process.pid
        # Until it has looked at its interfaces, and asked for names.
        time.sleep(SETTLED)
        idle = pages(pid)

        users = world.network.dir / "users.csv"
        users.write_text("SEQUENTIAL\n" + "".join(f"{name}\n" for name in ["trunk", *(f"phone{n}" for n in range(2, BINDINGS + 1))]))
        phone, address = "phone3", PHONES["phone3"]
        Sipp(world.network, phone, address, "register", OUTBOUND, calls=BINDINGS, options=("-inf", str(users))).finish()
        world.provider.add("erin", f"sip:erin@{REMOTES['remote2']}:5070")
        callee = Sipp(world.network, "remote2", REMOTES["remote2"], "callee", calls=CALLS, tone=900)
        caller = Sipp(world.network, phone, address, "caller", OUTBOUND, calls=CALLS, tone=500,
                      options=("-s", "erin", "-d", str(TALK), "-r", str(CALLS)))

        def talking() -> bool:
            ends = [media[end]["packets"] for call in ask(world.siproxd, "calls") for media in call["media"] for end in ("caller", "callee")]
            return len(ends) == 2 * CALLS and min(ends) >= ENOUGH

        until(talking, MEDIA_TIMEOUT, f"{CALLS} calls with media", [world.siproxd.log], interval=0.2)
        busy = pages(pid)
        bindings = ask(world.siproxd, "bindings")
        assert len(bindings) == BINDINGS and all(binding["state"] == "valid" for binding in bindings), bindings
        caller.finish()
        callee.finish()
    within = [show("idle", idle, IDLE_LIMIT), show(f"{BINDINGS} registrations, {CALLS} calls", busy, BUSY_LIMIT)]
    if not all(within):
        raise SystemExit("more than is permitted")


main()
