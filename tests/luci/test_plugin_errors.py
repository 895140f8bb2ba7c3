"""The ubus object of the app where siproxd is old, dead, slow, speaks nonsense or does not end: an error of its kind, and no exception."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from plugin import END, STATUS, Plugin, daemon, requests, say

# Bytes that are taken: of ubus's message, with room for what numbers need more there.
LARGEST = 0x40000

# What programs of before say, and daemons of before through a program of now.
OLD = ["siproxd: unknown option --timeout; siproxd --help lists them", "siproxd: a second word goes with `drop`",
       "siproxd: unknown command `refusals`; did you mean calls?", "siproxd: unexpected `debug`; a configuration file is given as -c debug"]


@pytest.mark.parametrize("said", OLD)
def test_an_old_program_is_said_to_be_old(plugin: Plugin, said: str) -> None:
    plugin.router.answer(said + "\n", 1)
    shown = plugin.general()
    assert (shown["state"], shown["text"]) == ("old", said)
    assert plugin.error("getLog", instance="general", after=0) == "old"


def test_a_daemon_of_before_shows_what_it_can(plugin: Plugin) -> None:
    """It has no `refusals`: phones are there all the same."""
    def serve(client: socket.socket) -> None:
        for command in requests(client):
            if command == "status":
                say(client, STATUS, END)
            elif command == "bindings":
                say(client, {"v": 1, "type": "binding", "aor": "alice@example.org"}, END)
            else:
                say(client, {"v": 1, "type": "error", "error": "unknown-command", "text": "the daemon knows no such command", "version": "0.8.9"})

    with daemon(plugin.router, serve):
        shown = plugin.general()
    assert (shown["state"], shown["status"]["pid"], shown["bindings"][0]["aor"]) == ("old", 1, "alice@example.org"), shown


def test_a_daemon_of_another_protocol_is_old(plugin: Plugin) -> None:
    with daemon(plugin.router, lambda client: [say(client, {"v": 2, "type": "status"}) for _ in requests(client)] and None):
        assert plugin.general()["state"] == "old"


def test_a_daemon_that_dies_in_its_answer(plugin: Plugin) -> None:
    """Between lines, and within one."""
    def between(client: socket.socket) -> None:
        next(requests(client))
        say(client, STATUS)

    def within(client: socket.socket) -> None:
        next(requests(client))
        client.sendall(b'{"v":1,"type":"sta')

    with daemon(plugin.router, between):
        shown = plugin.general()
        assert (shown["state"], shown["error"]["kind"]) == ("failed", "failed") and "closed the connection" in shown["text"], shown
        assert plugin.error("getHistory", instance="general") == "failed"
    with daemon(plugin.router, within):
        assert plugin.general()["error"]["kind"] == "malformed"


def test_a_slow_daemon_is_not_waited_for(plugin: Plugin) -> None:
    """Neither one that says nothing nor one that says a little now and then."""
    done = threading.Event()

    def silent(client: socket.socket) -> None:
        done.wait(30)

    def drops(client: socket.socket) -> None:
        next(requests(client))
        while not done.wait(0.3):
            say(client, {"v": 1, "type": "binding"})

    for serve in (silent, drops):
        done.clear()
        with daemon(plugin.router, serve):
            start = time.monotonic()
            shown = plugin.general()
            assert time.monotonic() - start < 6, "rpcd serves nobody else meanwhile"
            done.set()
        assert (shown["state"], shown["error"]["kind"]) == ("failed", "slow"), shown


def test_slow_daemons_are_not_waited_for_one_after_the_other(plugin: Plugin) -> None:
    names = [f"phone{number}" for number in range(6)]
    plugin.router.config("siproxd", "".join(f"config siproxd '{name}'\n" for name in names))
    done = threading.Event()
    with daemon(plugin.router, lambda client: done.wait(30) and None):
        conf = plugin.router.root / "var/etc/siproxd/siproxd-general.conf"
        for name in names:
            plugin.router.started(name, conf)
        start = time.monotonic()
        shown = plugin("getStatus")["instances"]
        assert time.monotonic() - start < 9
        done.set()
    assert [one["name"] for one in shown] == names
    assert {one["error"]["kind"] for one in shown} == {"slow"}
    assert 1 < len(plugin.commands) < len(names)


@pytest.mark.parametrize("nonsense", ["what?", "[]", "1", "null", '"text"', '{"v":1}', '{"v":1,"type":7}', "{" * 2000, '{"v":1,"type":"status"'])
def test_a_daemon_that_speaks_nonsense(plugin: Plugin, nonsense: str) -> None:
    """Whatever takes its place: no exception, no status."""
    def serve(client: socket.socket) -> None:
        for _ in requests(client):
            client.sendall(nonsense.encode() + b"\n")
            say(client, END)

    with daemon(plugin.router, serve):
        shown = plugin.general()
    assert shown["status"] is None and shown["state"] in ("failed", "old") and shown["text"], shown
    assert shown["error"]["kind"] in ("malformed", "old"), shown


@pytest.mark.parametrize("said", ["", "what?\n", "[]\n{}\n1\n", "\0\n", '{"type":"status"\n'])
def test_a_program_that_speaks_nonsense(plugin: Plugin, said: str) -> None:
    plugin.router.answer(said)
    shown = plugin.general()
    assert (shown["state"], shown["status"], shown["error"]["kind"]) == ("failed", None, "malformed") and shown["text"], shown
    assert plugin.error("getLog", instance="general", after=0) == "malformed"
    assert plugin.error("dropCall", instance="general", call="1.1") == "malformed"
    assert plugin.error("setDebug", instance="general", classes=1, seconds=1) == "malformed"
    for code in (1, 127):
        plugin.router.answer(said, code)
        assert plugin.general()["error"]["kind"] == "failed" and plugin.general()["text"]


def size(value: Any, name: str = "") -> int:
    """Bytes of a value in a message of ubus (libubox's blobmsg.h, blob.h): heads of 4, and of 2 with the name, each part padded to 4."""
    def padded(length: int) -> int:
        return (length + 3) & ~3

    if isinstance(value, dict):
        own = sum(size(one, key) for key, one in value.items())
    elif isinstance(value, list):
        own = sum(size(one) for one in value)
    elif isinstance(value, str):
        own = len(value.encode()) + 1
    else:
        own = 8 if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**31) else 4
    return 4 + padded(2 + len(name.encode()) + 1) + padded(own)


LISTS = {"numbers": "[" + "0," * 125_000 + "0]", "objects": "[" + "{}," * 80_000 + "{}]", "floats": "[" + "1e9," * 60_000 + "1]",
         "members": "{" + ",".join(f'"{number:x}":0' for number in range(25_000)) + "}"}


@pytest.mark.parametrize("name", LISTS)
def test_no_answer_is_larger_than_a_message_of_ubus(plugin: Plugin, name: str) -> None:
    """rpcd ends where it is to send one, and all logins are gone. JSON of a few bytes needs many there."""
    status = json.dumps(STATUS)
    for kind, method, more in (("binding", "getStatus", {}), ("ended", "getHistory", {"instance": "general"}),
                               ("log", "getLog", {"instance": "general", "after": "0"}), ("dropped", "dropCall", {"instance": "general", "call": "1.1"}),
                               ("debug", "setDebug", {"instance": "general", "classes": 1, "seconds": 1})):
        line = '{"v":1,"type":"%s","line":%s}' % (kind, LISTS[name])
        plugin.router.answer(f"{status}\n{line}\n")
        assert size(plugin(method, **more)) < 2**20, method


def test_many_instances_are_no_larger_than_a_message_of_ubus(plugin: Plugin) -> None:
    """Whatever each of them says, and however many there are."""
    names = [f"i{number}" for number in range(40)]
    plugin.router.config("siproxd", "".join(f"config siproxd '{name}'\n" for name in names))
    for said, code in ((json.dumps(STATUS) + "\n" + json.dumps({"v": 1, "type": "binding", "aor": "x" * 150_000}) + "\n", 0), ("x" * 9000, 1)):
        plugin.router.answer(said, code)
        for name in names:
            plugin.router.started(name)
        shown = plugin("getStatus")["instances"]
        assert size({"instances": shown}) < 2**20
        assert [one["name"] for one in shown] == names
    for name in names:
        (plugin.router.root / f"var/etc/siproxd/siproxd-{name}.conf").unlink()
        (plugin.router.root / f"var/etc/siproxd/siproxd-{name}.said").write_text(f"err {name}: {'x' * 200_000}\n")
    assert size(plugin("getStatus")) < 2**20
    plugin.router.config("siproxd", "".join(f"config siproxd '{'x' * 900}{number}'\n" for number in range(2000)))
    shown = plugin("getStatus")["instances"]
    assert len(shown) > 100 and size({"instances": shown}) < 2**20


def test_many_words_are_cut_off(plugin: Plugin) -> None:
    """Those of a program that goes on and on: a message is for people."""
    for said in ("x\n" * 100_000, "x" * 200_000):
        plugin.router.answer(said, 1)
        shown = plugin.general()
        assert shown["error"]["kind"] == "failed" and 1000 < len(shown["text"]) < 10_000


def test_a_flood_is_cut_off(plugin: Plugin) -> None:
    """What is one byte too many for a message of ubus is told; what just fits is shown."""
    def serve(client: socket.socket) -> None:
        for _ in requests(client):
            say(client, *[{"v": 1, "type": "binding", "aor": "a" * 1000}] * 2000, END)

    with daemon(plugin.router, serve):
        shown = plugin.general()
        assert (shown["state"], shown["error"]["kind"], shown["bindings"]) == ("failed", "too-large", [])
        assert plugin.error("getHistory", instance="general") == "too-large"
    line = json.dumps({"type": "ended", "text": ""})
    full = json.dumps({"type": "ended", "text": "x" * (LARGEST - len(line) - 1)}) + "\n"
    plugin.router.answer(full)
    assert len(plugin("getHistory", instance="general")["ended"]) == 1
    plugin.router.answer(full + "\n")
    assert plugin.error("getHistory", instance="general") == "too-large"
