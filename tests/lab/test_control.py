"""The control socket while real phones talk: what it says is what was sent, and nobody who misuses it is heard in a call."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab.callcheck import assert_ports_closed
from lab.control import ask, command, connect, shown
from lab.kamailio import TRUNK, aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN, SIP_PORT
from lab.process import Process, run
from lab.siproxd import ROOT, binary
from lab.voice import talk
from lab.voicecall import VoiceCall
from lab.wait import until
from lab.world import World

pytestmark = pytest.mark.alone

# Packets that are lost of each party in the call that is looked at.
LOST_BY_CALLER, LOST_BY_CALLEE = 5, 2

# Hostile clients, one after the other.
HOSTILE = 1000


def _aor(user: str) -> str:
    return aor(user).removeprefix("sip:")


def test_bindings_are_those_of_the_phones(world: World) -> None:
    """Each registered phone with its place, its registrar and the time it has left; status counts the same."""
    found = {line["aor"]: line for line in ask(world.siproxd, "bindings")}
    assert len(found) >= 2, found
    for host in ("phone1", "phone2"):
        line = found[_aor(world[host].user)]
        assert line["type"] == "binding" and line["state"] == "valid", line
        assert line["phone"].rpartition(":")[0] == PHONES[host], line
        assert line["registrar"].endswith(":5060") and line["registrar_transport"] == "udp", line
        assert 0 < line["expires_in"] <= 3600 and line["refreshed_ago"] < 3600, line
        assert _aor(world[host].user) in shown(world.siproxd, "bindings")
    status = ask(world.siproxd, "status")[0]
    assert status["tables"]["bindings"]["used"] == len(found), status
    assert status["problems"] == [], status
    assert status["wan"]["addresses"][0].partition("/")[0] == world.wan, status


def test_calls_are_told_as_they_are(world: World) -> None:
    """Parties, state, and per direction exactly the packets that were sent and lost; the same as text."""
    call = VoiceCall(world)
    try:
        talk(2.0, call.caller, call.callee)
        call.caller.lose(LOST_BY_CALLER)
        call.callee.lose(LOST_BY_CALLEE)
        talk(2.0, call.caller, call.callee)
        line, = ask(world.siproxd, "calls")
        assert line["state"] == "answered" and line["age"] >= line["answered_ago"] >= 3, line
        assert line["caller"] == {"uri": aor(TRUNK), "side": "lan", "address": PHONES["phone3"]}, line
        assert line["callee"]["uri"] == aor(call.raw.callee) and line["callee"]["side"] == "wan", line
        media, = line["media"]
        for name, voice, lost, host in (("caller", call.caller, LOST_BY_CALLER, PHONES["phone3"]),
                                        ("callee", call.callee, LOST_BY_CALLEE, REMOTES["remote2"])):
            party = media[name]
            assert (party["packets"], party["bytes"], party["lost"]) == (voice.packets, voice.bytes, lost), party
            assert party["announced"] == f"{host}:{call.raw.port}" and party["codec"] == "G.711", party
            assert 0 < party["loss_percent"] < 10 and 1 < party["mos"] < 4.5 and not party["held"], party
        text = shown(world.siproxd, "calls")
        assert line["id"] in text and f"{call.caller.packets}" in text and call.raw.callee in text, text
        assert ask(world.siproxd, "status")[0]["tables"]["calls"]["used"] == 1
    finally:
        call.end()
    assert shown(world.siproxd, "calls") == "no calls\n"


def test_a_verdict_is_told_while_the_call_runs(world: World) -> None:
    """Nothing comes from the callee."""
    call = VoiceCall(world)
    try:
        talk(3.0, call.caller)
        line, = ask(world.siproxd, "calls")
        assert line["verdict"].startswith("nothing came from the far end"), line
        assert (line["fault"], line["fault_party"]) == ("nothing", "callee"), line
        assert line["verdict"] in " ".join(shown(world.siproxd, "calls").split())
    finally:
        call.end()


def test_watch_goes_on_until_nobody_reads(world: World) -> None:
    """A table each second, and an end without complaint when the pipe closes."""
    call = VoiceCall(world)
    watch = subprocess.Popen([str(binary()), "-c", str(world.siproxd.config), "calls", "--watch"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert watch.stdout and watch.stderr
        tables = 0
        while tables < 3:
            line = watch.stdout.readline()
            assert line, watch.stderr.read()
            tables += line.startswith("CALL ")
        watch.stdout.close()
        assert watch.wait(10) == 0
        assert watch.stderr.read() == ""
    finally:
        watch.kill()
        watch.wait()
        call.end()


def test_a_dropped_call_ends_for_both_phones(world: World) -> None:
    """A BYE to each, ports closed at once, though rtp_timeout_bye is off; a call that is not there is said to be none."""
    before = _counters(world)
    for caller, callee in ((world["phone1"], world["remote"]), (world["remote"], world["phone1"])):
        at_caller, at_callee = caller.mark(), callee.mark()
        caller.dial(aor(callee.user))
        callee.event("CALL_INCOMING", at_callee)
        callee.accept()
        caller.event("CALL_ESTABLISHED", at_caller)
        callee.event("CALL_ESTABLISHED", at_callee)
        call = ask(world.siproxd, "calls")[0]["id"]
        assert ask(world.siproxd, "drop", call) == [{"v": 1, "type": "dropped", "call": call, "byes": 2, "cancelled": 0}]
        assert_ports_closed(world.network)
        caller.event("CALL_CLOSED", at_caller)
        callee.event("CALL_CLOSED", at_callee)
        for gone in (call, "511.1", "0.0", "x"):
            done = command(world.siproxd, "drop", gone)
            assert done.returncode == 1 and "there is no such call" in done.stderr, done
    after = _counters(world)
    happened = {name: after[name] - before[name] for name in after}
    # A caller that is asked for its password calls twice.
    assert happened["calls_answered"] == 2 and happened["calls"] == happened["calls_ended"] >= 2, happened
    world.call(world["phone1"], world["remote"])


def test_a_call_that_rings_is_cancelled(world: World) -> None:
    """The phone that is called stops ringing, and the caller hears so."""
    phone, remote = world["phone1"], world["remote"]
    at_caller, at_callee = remote.mark(), phone.mark()
    remote.dial(aor(phone.user))
    phone.event("CALL_INCOMING", at_callee)
    remote.event("CALL_RINGING", at_caller)
    call, = ask(world.siproxd, "calls")
    assert call["state"] == "ringing" and "answered_ago" not in call, call
    assert shown(world.siproxd, "drop", call["id"]) == f"call {call['id']}: cancelled, it had not been answered\n"
    phone.event("CALL_CLOSED", at_callee)
    remote.event("CALL_CLOSED", at_caller)
    assert_ports_closed(world.network)


def test_openmetrics_are_what_happened(world: World) -> None:
    """Each sample has its type, and refused requests count by their cause."""
    before = _counters(world)
    endpoint = world.endpoint("phone3")
    try:
        call_id = endpoint.call_id()
        endpoint.send(endpoint.request("MESSAGE", "sip:x@192.0.2.99", sender=aor(TRUNK), call_id=call_id, contact=False),
                      (ROUTER_LAN, SIP_PORT))
        assert endpoint.wait_response(call_id).status == 403
    finally:
        endpoint.close()
    samples: dict[str, float] = {}
    types: dict[str, str] = {}
    lines = shown(world.siproxd, "stats", "--openmetrics").splitlines()
    assert lines.pop() == "# EOF"
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, name
            types[name] = kind
        elif not line.startswith("# UNIT "):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
            family = name.partition("{")[0]
            assert types.get(family.removesuffix("_total")) == "counter" or types.get(family) == "gauge" or \
                types.get(family.removesuffix("_info")) == "info", line
    assert samples["siproxd_requests_total"] > before["requests"]
    assert samples['siproxd_refused_total{cause="domain-not-allowed"}'] >= 1
    assert samples['siproxd_table_limit{table="calls"}'] == 512


def _counters(world: World) -> dict[str, int]:
    counters: dict[str, int] = ask(world.siproxd, "stats")[0]["counters"]
    return counters


@contextmanager
def _talking(call: VoiceCall) -> Iterator[None]:
    """Both parties talk meanwhile."""
    over = threading.Event()

    def speak() -> None:
        while not over.is_set():
            talk(0.5, call.caller, call.callee)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_hostile_clients_are_not_heard_in_a_call(world: World) -> None:
    """A thousand lines of garbage, clients that say half a line, that never read, and more than there are places: the call loses
    nothing, and who asks properly afterwards is answered."""
    chance = random.Random(5)
    call = VoiceCall(world)
    try:
        with _talking(call):
            for _ in range(HOSTILE):
                with connect(world.siproxd) as client:
                    line = chance.randbytes(chance.randrange(2000))
                    if chance.random() < 0.3:
                        line = b'{"v":1,"command":"calls"}\n' * chance.randrange(50) + b'{"v":1,"comm'
                    try:
                        client.sendall(line + b"\n" * chance.randrange(2))
                    except OSError:
                        # It has heard enough.
                        pass
            deaf = [connect(world.siproxd) for _ in range(20)]
            for client in deaf:
                client.setblocking(False)
                try:
                    while True:
                        client.send(b'{"v":1,"command":"calls"}\n')
                except OSError:
                    pass
            # The first eight have the places; the others are told so.
            refused = [client for client in deaf if _is_busy(client)]
            assert len(refused) >= 12, f"{len(refused)} of {len(deaf)}"
            assert command(world.siproxd, "calls").returncode == 1
            for client in deaf:
                client.close()
            until(lambda: command(world.siproxd, "status").returncode == 0, 10, "a place")
        media, = ask(world.siproxd, "calls")[0]["media"]
        for name, voice in (("caller", call.caller), ("callee", call.callee)):
            assert (media[name]["packets"], media[name]["lost"]) == (voice.packets, 0), media[name]
    finally:
        call.end()


def _is_busy(client: socket.socket) -> bool:
    """Whether a client was refused for want of a place."""
    client.settimeout(5)
    try:
        return b'"busy"' in client.recv(65536, socket.MSG_PEEK)
    except ConnectionResetError:
        # What it had sent was still unread.
        return True


def test_prometheus_by_socat(world: World) -> None:
    """The server of the documentation, as it is but for the place of the files: a client of HTTP reads the counters twice."""
    text = (ROOT / "docs/control.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in text.split("```sh\n")[1:]]
    script, = (block for block in blocks if block.startswith("#!/bin/sh"))
    line, = (block for block in blocks if block.startswith("socat TCP-LISTEN"))
    metrics = world.siproxd.dir / "siproxd-metrics"
    metrics.write_text(script.replace("siproxd stats", f"{binary()} -c {world.siproxd.config} stats"))
    metrics.chmod(0o755)
    line = line.replace("192.168.1.1", ROUTER_LAN).replace("/usr/local/bin/siproxd-metrics", str(metrics))
    server = Process(world.network.ns("router"), line.split(), world.siproxd.dir / "socat.log")
    until(lambda: ":9160 " in run(world.network.ns("router"), ["ss", "-Htln"]).stdout, 10, "socat to listen", [server.log])
    for _ in range(2):
        done = run(world.network.ns("phone1"), ["curl", "-sS", "-i", f"http://{ROUTER_LAN}:9160/metrics"])
        head, _, body = done.stdout.replace("\r", "").partition("\n\n")
        assert head.startswith("HTTP/1.0 200 OK") and "application/openmetrics-text; version=1.0.0" in head, done
        assert body.endswith("# EOF\n") and "siproxd_" in body, body
    server.stop()


def test_a_request_by_socat(world: World) -> None:
    """The other line of the documentation."""
    text = (ROOT / "docs/control.md").read_text(encoding="utf-8")
    line = text[text.index("`echo '{") + 1:].partition("`")[0].replace("/var/run/siproxd/siproxd.sock", str(
        world.siproxd.dir / "control.sock"))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    first, last = (json.loads(answer) for answer in done.stdout.splitlines())
    assert first["type"] == "status" and last["type"] == "end", done.stdout
