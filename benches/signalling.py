"""Signalling: siproxd against kamailio as a plain stateless proxy, on the same addresses, with the same messages and peers."""

import contextlib
import glob
import os
import re
import statistics
import subprocess
import tempfile
import time

from router import LAN, PHONES, TARGET, WAN, cpu, in_router, pin

SIP = os.path.join(TARGET, "release", "examples", "sip")
MICRO = os.path.join(TARGET, "release", "examples", "micro")
# In flight at once: the proxy finds the next request waiting, and its table of transactions is never full.
WINDOW = 64
# Transactions or calls in one round, by the scenario's name.
COUNTS = {"register": 12000, "options": 12000, "call": 4000, "relayed call": 2000}
# Requests that one of them is: INVITE, ACK and BYE are a call.
REQUESTS = {"register": 1, "options": 1, "call": 3, "relayed call": 3}

# What RFC 3261 §16 has a stateless proxy do, and no more: Max-Forwards, Record-Route, Route, Via. One process for each address.
KAMAILIO = f"""
debug=-1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{LAN}:5060
listen=udp:{WAN}:5060
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
request_route {{
    if (!mf_process_maxfwd_header("70")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (!loose_route() && method == "INVITE") {{
        record_route();
    }}
    force_send_socket(udp:{WAN}:5060);
    forward();
}}
"""


def processes(pid):
    """A process and its children."""
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path) as file:
            for child in file.read().split():
                found += processes(int(child))
    return found


@contextlib.contextmanager
def siproxd(conf, binary, relay):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(conf + f"rtp_proxy_enable = {int(relay)}\n")
        file.flush()
        with in_router(binary, "-c", file.name) as pid:
            yield pid


@contextlib.contextmanager
def kamailio():
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(KAMAILIO)
        file.flush()
        with in_router("kamailio", "-DD", "-E", "-m", "32", "-f", file.name) as pid:
            time.sleep(0.7)
            yield pid


def measure(pid, scenario):
    """CPU in microseconds and requests a second of one round, and the share of messages that were sent again."""
    name = "call" if scenario == "relayed call" else scenario
    command = [SIP, name, str(COUNTS[scenario]), str(WINDOW), str(PHONES), LAN]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin(1)
    ) as process:
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"no registrations for {scenario}")
        pids = processes(pid)
        before = sum(map(cpu, pids))
        process.stdin.write("\n")
        process.stdin.flush()
        counts = process.stdout.readline().split()
        spent = sum(map(cpu, pids)) - before
    if len(counts) != 3:
        raise SystemExit(f"{scenario} failed")
    count, nanoseconds, again = map(int, counts)
    return {"us": spent / 1000 / count, "rate": count * REQUESTS[scenario] * 1e9 / nanoseconds, "again": again / count}


def compare(rounds, conf, binary, progress):
    """Every scenario with both programs in turn; medians by scenario and program."""
    results = {}
    for turn in range(rounds):
        for scenario in COUNTS:
            programs = {"siproxd": siproxd(conf, binary, scenario == "relayed call"), "kamailio": kamailio()}
            if scenario == "relayed call":
                # Kamailio relays no media: there is nothing to compare.
                del programs["kamailio"]
            for name, program in programs.items():
                with program as pid:
                    result = measure(pid, scenario)
                results.setdefault((scenario, name), []).append(result)
                progress(f"round {turn + 1} {scenario:12} {name:9} {result['us']:7.2f} us, {result['rate']:6.0f} requests/s,"
                         f" {100 * result['again']:.2f} % again")
    keys = ("us", "rate", "again")
    return {key: {name: statistics.median(one[name] for one in all_) for name in keys} for key, all_ in results.items()}


def micro():
    """The figures of benches/micro.rs: messages by name, the engine's by kind and number of bindings, those of a packet of media, and those of hooks."""
    text = subprocess.run([MICRO], capture_output=True, text=True, check=True, preexec_fn=pin(0)).stdout
    messages = re.findall(r"^message (.+): (\d+) (\d+) (\d+) (\d+)$", text, re.M)
    engine = {}
    for kind, bindings, nanoseconds in re.findall(r"^engine (.+): (\d+) (\d+)$", text, re.M):
        engine.setdefault(kind, {})[int(bindings)] = int(nanoseconds)
    hooks = {name: int(nanoseconds) for name, nanoseconds in re.findall(r"^hooks (.+): (\d+)$", text, re.M)}
    return messages, engine, dict(re.findall(r"^media (.+): ([\d.]+)$", text, re.M)), hooks


def report(compared, figures):
    """The sections of docs/performance.md, as lines."""
    messages, engine, media, hooks = figures
    names = {
        "register": "REGISTER and its 200",
        "options": "OPTIONS through to the provider, and its 200",
        "call": "INVITE, 200, ACK, BYE, 200; no media relayed",
        "relayed call": "the same, with a relay opened and closed",
    }
    lines = [
        "## Signalling: CPU per transaction",
        "",
        f"Between {PHONES} phones and their providers, {WINDOW} in flight. Beside it kamailio as a stateless proxy with one process for",
        "each address: Max-Forwards, Record-Route, Route, Via, and nothing else; it hides, remembers and relays nothing. The rate is",
        "that of requests, answers not counted, with the load on the other processor; the last column is what the CPU time of one",
        "allows for.",
        "",
        "| what | kamailio | siproxd | siproxd / kamailio | requests/s seen | requests/s of one processor |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for scenario, name in names.items():
        ours, theirs = compared[scenario, "siproxd"], compared.get((scenario, "kamailio"))
        other = f"{theirs['us']:.1f} µs | {ours['us']:.1f} µs | {ours['us'] / theirs['us']:.2f}" if theirs else f"- | {ours['us']:.1f} µs | -"
        full = 1e6 * REQUESTS[scenario] / ours["us"]
        lines.append(f"| {name} | {other} | {ours['rate']:.0f} | {full:.0f} |")
    lines += [
        "",
        "## One message, without the system",
        "",
        "httparse alone splits the headers and nothing else. Written: Via, Max-Forwards and Contact replaced, and the slices for the",
        "system made.",
        "",
        "| message | bytes | httparse | read | read and written |",
        "|---|---:|---:|---:|---:|",
        *(f"| {name} | {size} | {floor} ns | {read} ns | {written} ns |" for name, size, floor, read, written in messages),
        "",
        "## Hooks, without the system",
        "",
        "One OPTIONS of 8 phones, both ways. Rounds take turns. With none on it is one look at an empty list, which costs less than the second line",
        "is above the first.",
        "",
        "| hooks that are on | cost | / none |",
        "|---|---:|---:|",
        *(f"| {name} | {cost / 1000:.1f} µs | {cost / hooks['none']:.2f} |" for name, cost in hooks.items()),
        "",
        "## One packet of media, without the system",
        "",
        "What the relay does with each packet besides taking and sending it, and with each report.",
        "",
        "| what | cost |",
        "|---|---:|",
        f"| what it is, and whether it is the peer's | {media['judged']} ns |",
        f"| loss, jitter, gaps, codec: what the verdict on the call needs | {media['measured']} ns |",
        f"| a sender report with one block, and an SDES | {media['report']} ns |",
        "",
        "## The engine with more and more bindings",
        "",
        "One transaction, both ways, with all its time-outs, for as many phones at one provider. A call is refused by its phone.",
        "",
    ]
    counts = sorted(next(iter(engine.values())))
    lines += [
        "| what | " + " | ".join(map(str, counts)) + f" | {counts[-1]} / {counts[0]} |",
        "|---|" + "---:|" * (len(counts) + 1),
    ]
    for kind, by_count in engine.items():
        values = [by_count[count] / 1000 for count in counts]
        lines.append(f"| {kind} | " + " | ".join(f"{value:.1f} µs" for value in values) + f" | {values[-1] / values[0]:.2f} |")
    return lines
