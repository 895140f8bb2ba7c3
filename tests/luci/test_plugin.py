"""The ubus object of the app: each of its methods against the real daemon, and what reaches a command line.

The plugin's file itself runs, in a stand-in for ucode; rpcd's part is in test_access.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from lab.callcheck import talk as call_and_talk
from lab.control import ask
from lab.kamailio import aor
from lab.voice import talk
from lab.voicecall import VoiceCall
from lab.wait import until

from conftest import Home
from plugin import STATUS, Plugin
from router import GENERAL

# What nobody may have as the name of an instance, an action or a call. Harmless, should a shell ever see it.
TRICKS = ["", ";true", "general;true", "general true", "general\ntrue", "$(true)\ngeneral", "general\n", "../general", "general/..", "$(true)", "`true`",
          "--json", "-c", "$(true)\n1.1", "1.1\n$(true)", "1.1\n", "1.1\0;true", "$(true)\nrestart", "restart\n", "general\0", "gén", "x" * 65, None, 7,
          ["general"], {"general": 1}, True]


def test_a_poll_has_phones_and_calls(home: Home, plugin: Plugin) -> None:
    """All that the overview shows, of one process."""
    call = VoiceCall(home.world)
    try:
        talk(1.0, call.caller, call.callee)
        shown = plugin.general()
    finally:
        call.end()
    assert (shown["name"], shown["enabled"], shown["state"], shown["text"]) == ("general", True, "running", "")
    assert shown["status"]["pid"] == home.world.siproxd.process.pid
    assert {binding["aor"].partition("@")[0] for binding in shown["bindings"]} >= {"alice", "bob"}
    (line,) = shown["calls"]
    assert line["state"] == "answered" and line["media"][0]["caller"]["packets"] > 0, line
    assert shown["refusals"] == [] and "error" not in shown
    assert len(plugin.commands) == 1 and plugin.commands[0].startswith("exec /usr/sbin/siproxd -c /var/etc/siproxd/siproxd-general.conf ")


def test_the_history_is_the_daemon_s(home: Home, plugin: Plugin) -> None:
    phone, remote = home.world["phone1"], home.world["remote"]
    call_and_talk(phone, remote, aor(remote.user), 1.0)
    until(lambda: ask(home.world.siproxd, "history"), 10, "the call's end")
    ended = plugin("getHistory", instance="general")["ended"]
    assert ended[0]["caller"]["uri"] == aor("alice") and ended[0]["reason"] == "hung up", ended
    assert [line["reason"] for line in ended] == [line["reason"] for line in ask(home.world.siproxd, "history")]


def test_the_log_goes_on_where_it_was(home: Home, plugin: Plugin) -> None:
    first = plugin("getLog", instance="general", after=0)
    assert first["pid"] == home.world.siproxd.process.pid
    assert first["lines"] and all(set(line) == {"line", "at"} for line in first["lines"])
    at = first["lines"][-1]["at"]
    # A line that there was not before.
    plugin("setDebug", instance="general", classes=4, seconds=60)
    plugin("setDebug", instance="general", classes=0, seconds=0)
    more = plugin("getLog", instance="general", after=at)["lines"]
    assert more and all(line["at"] > at for line in more), more
    assert plugin("getLog", instance="general", after=2**53)["lines"][0] in plugin("getLog", instance="general")["lines"]
    for after in (-1, "x", None, 1.5, "1; true", [1]):
        assert plugin("getLog", instance="general", after=after)["lines"], after
        assert re.search(r" --after \d+ status log 2>&1$", plugin.commands[0]), plugin.commands


def test_a_call_is_dropped(home: Home, plugin: Plugin) -> None:
    phone, remote = home.world["phone1"], home.world["remote"]
    at_phone, at_remote = phone.mark(), remote.mark()
    phone.dial(aor(remote.user))
    remote.event("CALL_INCOMING", at_remote)
    remote.accept()
    phone.event("CALL_ESTABLISHED", at_phone)
    (call,) = plugin.general()["calls"]
    dropped = plugin("dropCall", instance="general", call=call["id"])["dropped"]
    assert (dropped["call"], dropped["byes"]) == (call["id"], 2)
    phone.event("CALL_CLOSED", at_phone)
    remote.event("CALL_CLOSED", at_remote)
    error = plugin("dropCall", instance="general", call=call["id"])["error"]
    assert error["kind"] == "failed" and "no such call" in error["text"], error


def test_debug_classes_are_switched_on_and_off(home: Home, plugin: Plugin) -> None:
    on = plugin("setDebug", instance="general", classes=132, seconds=600)["debug"]
    assert on["classes"] == 132 and 590 <= on["remaining"] <= 600, on
    assert plugin.general()["status"]["debug"]["temporary"] == 132
    everything = plugin("setDebug", instance="general", classes=-1, seconds=10)["debug"]
    assert everything["classes"] & 132 == 132, everything
    off = plugin("setDebug", instance="general", classes=0, seconds=0)["debug"]
    assert (off["classes"], off["remaining"]) == (0, 0), off
    for classes, seconds in ((132, 3601), (132, -1), (2**32, 10), (-2, 10), ("sip;true", 10), (132, "x"), (132, "1 true")):
        answer = plugin("setDebug", instance="general", classes=classes, seconds=seconds)
        assert re.search(r" debug \d+ \d+ 2>&1$", plugin.commands[0]) if plugin.commands else answer["error"]["kind"] == "failed", answer
    plugin("setDebug", instance="general", classes=0, seconds=0)


@pytest.mark.parametrize("trick", TRICKS, ids=repr)
def test_nothing_but_a_section_is_an_instance(plugin: Plugin, trick: Any) -> None:
    """No process is started for it, not even where UCI has such a section."""
    plugin.router.started()
    for method, more in (("getHistory", {}), ("getLog", {"after": 0}), ("dropCall", {"call": "1.1"}),
                         ("setDebug", {"classes": 4, "seconds": 1}), ("act", {"action": "restart"})):
        assert plugin.error(method, instance=trick, **more) == "unknown-instance"
        assert plugin.commands == []
    assert plugin.error("getHistory") == "unknown-instance"


@pytest.mark.parametrize("trick", TRICKS, ids=repr)
def test_nothing_else_reaches_a_command_line(plugin: Plugin, trick: Any) -> None:
    plugin.router.started()
    assert plugin.error("act", instance="general", action=trick) == "failed"
    assert plugin.commands == []
    assert plugin.error("dropCall", instance="general", call=trick) == "failed"
    assert plugin.commands == []


def test_a_section_of_another_type_is_no_instance(plugin: Plugin) -> None:
    plugin.router.config("siproxd", GENERAL + "\nconfig other 'other'\n")
    plugin.router.started("other")
    assert plugin.error("getHistory", instance="other") == "unknown-instance"
    assert [one["name"] for one in plugin("getStatus")["instances"]] == ["general"]


def test_a_name_that_is_too_long_is_told(plugin: Plugin) -> None:
    plugin.router.config("siproxd", f"config siproxd '{'x' * 65}'\n")
    shown = plugin.general()
    assert shown["state"] == "failed" and "64" in shown["text"]
    assert plugin.commands == []


def test_an_instance_that_does_not_run(plugin: Plugin) -> None:
    """Stopped, with what the init script said of it; switched off; and dead, though it was started."""
    shown = plugin.general()
    assert (shown["state"], shown["status"], shown["bindings"]) == ("stopped", None, []) and plugin.commands == []
    said = plugin.router.root / "var/etc/siproxd/siproxd-general.said"
    said.write_text("notice general: option interface_outbound 'wan': the network is down\nerr general: not started; other sections are\n")
    assert plugin.general()["text"] == "option interface_outbound 'wan': the network is down\nnot started; other sections are"
    assert plugin.error("getHistory", instance="general") == "not-running"
    plugin.router.started().write_text(f"control_socket = {plugin.router.root}/nobody.sock\n")
    assert plugin.general()["state"] == "stopped"
    assert "no siproxd runs here" in plugin.general()["text"]
    assert plugin.error("getLog", instance="general", after=0) == "not-running"
    # Its last error in the system log tells why, while it has not started again.
    starts = "Tue Dec  1 22:23:00 2026 daemon.info siproxd[7]: siproxd 0.9.0 starts"
    ends = "Tue Dec  1 22:23:00 2026 daemon.err siproxd[7]: cannot listen for SIP on 10.0.0.1:5060 (UDP): Address already in use"
    for lines, told in (([starts, ends], ends.partition("]: ")[2]), ([ends, starts], "no siproxd runs here")):
        plugin.router.system_log(lines)
        assert told in plugin.general()["text"]
    for off in ("0", "off", "no", "false", "disabled"):
        plugin.router.config("siproxd", GENERAL + f"\toption enabled '{off}'\n")
        assert (plugin.general()["state"], plugin.general()["enabled"]) == ("disabled", False)


def test_no_configuration_is_no_instance(plugin: Plugin) -> None:
    (plugin.router.root / "etc/config/siproxd").unlink()
    assert plugin("getStatus") == {"instances": []}


def test_text_of_strangers_comes_as_it_is(plugin: Plugin) -> None:
    """Markup, control characters and other scripts are for the pages to show."""
    text = "<script>alert(1)</script> \u202etxt.exe 漢字 \x1b[31m \\ \" '"
    plugin.router.answer([STATUS, {"v": 1, "type": "binding", "aor": text}])
    assert plugin.general()["bindings"][0]["aor"] == text


def test_an_instance_is_acted_upon(plugin: Plugin) -> None:
    """With what the init script says; and only there."""
    plugin.router.init('echo "$SAY $*"; echo "wrong" >&2; exit 3')
    for action in ("start", "stop", "restart", "reload"):
        assert plugin("act", instance="general", action=action) == {"code": 3, "text": f"1 {action} general\nwrong\n"}
        assert plugin.commands == [f"SAY=1 /etc/init.d/siproxd {action} general 2>&1"]
