"""The control socket while real phones talk: what it says is what was sent, and nobody who misuses it is heard in a call."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.control import ask, command, connect, shown
from lab.kamailio import TRUNK, aor
from lab.netns import PHONES, REMOTES
from lab.siproxd import binary
from lab.voice import talk
from lab.voicecall import VoiceCall
from lab.wait import until
from lab.world import World

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
