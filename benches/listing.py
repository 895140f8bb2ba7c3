"""What it costs running calls that they are listed again and again by the control socket."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile

import calls
import relaying
from router import pin

# Asks for all calls without a pause, and tells how often it was answered, with how many lines.
CLIENT = """
import signal, socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
answers = lines = 0
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
signal.siginterrupt(signal.SIGTERM, False)
reader = client.makefile("rb")
while not over:
    client.sendall(b'{"v":1,"command":"calls"}\\n')
    while b'"type":"end"' not in (line := reader.readline()):
        lines += 1
    answers += 1
print(answers, lines)
"""


@contextlib.contextmanager
def listed(path):
    """A client lists the calls meanwhile; yields what it tells at the end: answers, and lines."""
    client = subprocess.Popen([sys.executable, "-c", CLIENT, path], stdout=subprocess.PIPE, text=True, preexec_fn=pin(1))
    told = []
    try:
        yield told
    finally:
        client.terminate()
        told += map(int, client.communicate()[0].split())


def measure(arguments, progress):
    """The same calls with and without a client that lists them, in turn, in one process."""
    results = {}
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "control.sock")
        for turn in range(arguments.rounds):
            for count in arguments.calls:
                for name in "alone", "listed":
                    with calls.siproxd(count, f"control_socket = {path}") as (pid, legs):
                        with listed(path) if name == "listed" else contextlib.nullcontext([0, 0]) as told:
                            result = relaying.load(pid, legs, "paced", arguments.seconds)
                    result["answers"], lines = told
                    if lines != result["answers"] * count:
                        sys.exit(f"{lines} lines in {result['answers']} answers about {count} calls")
                    results.setdefault((name, count), []).append(result)
                    progress(f"round {turn + 1} {count:4} calls {name:7} {result['us']:6.2f} us/packet {100 * result['loss']:5.2f} % lost,"
                             f" {result['p50']:5.0f} us, p99 {result['p99']:5.0f} us, {result['answers']} answers")
    return results


def report(results, arguments):
    lines = ["| calls | CPU/packet alone, listed | delay p50 | delay p99 | lost | lists a second |", "|---:|---:|---:|---:|---:|---:|"]
    for count in arguments.calls:
        def both(key, unit, digits=0, scale=1, count=count):
            values = (statistics.median(one[key] for one in results[name, count]) * scale for name in ("alone", "listed"))
            return ", ".join(f"{value:.{digits}f}" for value in values) + f" {unit}"
        rate = statistics.median(one["answers"] for one in results["listed", count]) / arguments.seconds
        lines.append(f"| {count} | {both('us', 'µs', 2)} | {both('p50', 'µs')} | {both('p99', 'µs')} | {both('loss', '%', 2, 100)}"
                     f" | {rate:.1f} |")
    return lines
