"""The log: what the daemon writes comes live onto the page, can be filtered, paused and taken along, and acts on nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser import Watched
from conftest import Home
from fakelog import FakeLog
from lab.control import ask
from lab.kamailio import aor
from lab.wait import until
from router import Router

# Characters of a line as it is in a browser that is an hour or more beside UTC.
FIRST = "21:00:00.001 INFO  process siproxd 0.9.0 starts"
WRONG = "21:00:01.250 WARN  reg alice@provider.example: the password is wrong"
GONE = "21:00:02.000 ERROR net interface wan is gone"
DEBUG = "21:00:03.000 DEBUG sip REGISTER of alice"
MESSAGE = ("21:00:04.000 DEBUG traffic from 10.0.0.2:5060", "\tINVITE sip:bob@provider.example SIP/2.0", "\tMax-Forwards: 70")

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def daemon(router: Router) -> FakeLog:
    made = FakeLog(router)
    made.log(FIRST, WRONG, GONE, DEBUG, *MESSAGE)
    return made


def entries(page: Page) -> list[str]:
    """Text of the lines that are shown."""
    return [text for text in page.locator(".siproxd-log-entry:visible .siproxd-log-text").all_inner_texts()]


def shows(page: Page, *texts: str) -> None:
    """Waits until these lines are shown, and no other."""
    until(lambda: entries(page) == list(texts), 15, f"the lines {texts}; there are {entries(page)}")


TEXTS = ("siproxd 0.9.0 starts", "alice@provider.example: the password is wrong", "interface wan is gone", "REGISTER of alice",
         "from 10.0.0.2:5060\nINVITE sip:bob@provider.example SIP/2.0\nMax-Forwards: 70")


def test_lines_come_live(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    log = page.get_by_role("log")
    # What was there is not read out by a screen reader, what comes is.
    expect(log).to_have_attribute("aria-live", "off")
    daemon.log("21:00:05.000 INFO  reg bob has registered")
    shows(page, *TEXTS, "bob has registered")
    expect(log).to_have_attribute("aria-live", "polite")
    # A message whose end comes later is still one.
    daemon.log("21:00:06.000 DEBUG traffic to 10.0.0.2:5060")
    shows(page, *TEXTS, "bob has registered", "to 10.0.0.2:5060")
    daemon.log("\tSIP/2.0 200 OK")
    shows(page, *TEXTS, "bob has registered", "to 10.0.0.2:5060\nSIP/2.0 200 OK")
    expect(page.locator(".siproxd-log-count")).to_have_text("7 lines.")
    expect(page.locator(".alert-message:visible")).to_have_count(0)


def test_a_line_has_time_level_and_class(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    wrong = page.locator(".siproxd-log-entry", has_text="password")
    expect(wrong.locator(".siproxd-log-level")).to_have_text("warning")
    expect(wrong.locator(".siproxd-log-class")).to_have_text("reg")
    expect(wrong.locator(".siproxd-log-time")).to_have_attribute("title", "21:00:01.250 UTC")
    # The browser of the tests runs in the time zone of the machine, so that the offset is asked of it.
    hours = page.evaluate("(() => { const t = new Date(); t.setUTCHours(21, 0, 1); return t.toTimeString().slice(0, 8); })()")
    expect(wrong.locator(".siproxd-log-time")).to_have_text(hours)


def test_filters(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    page.get_by_label("How grave").select_option(label="Warnings and errors")
    shows(page, TEXTS[1], TEXTS[2])
    page.get_by_label("How grave").select_option(label="Without debug lines")
    shows(page, *TEXTS[:3])
    page.get_by_label("How grave").select_option(label="All lines")
    page.get_by_label("What about").select_option(label="Registrations of the phones")
    shows(page, TEXTS[1])
    page.get_by_label("What about").select_option(label="Everything")
    # Also in the lines of a message, and whatever the case of the letters.
    page.get_by_label("Search").fill("max-forwards")
    shows(page, TEXTS[4])
    expect(page.locator(".siproxd-log-count")).to_have_text("1 of 5 lines.")
    # What comes is filtered too.
    daemon.log("21:00:05.000 INFO  reg not wanted", "21:00:06.000 INFO  sip about Max-Forwards")
    shows(page, TEXTS[4], "about Max-Forwards")
    page.get_by_label("Search").fill("")
    shows(page, *TEXTS, "not wanted", "about Max-Forwards")


def test_pause_collects_and_goes_on(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    page.get_by_role("button", name="Pause").click()
    daemon.log("21:00:05.000 INFO  reg one", "21:00:06.000 INFO  reg two")
    waiting = page.get_by_role("button", name="Go on (2 new lines)")
    expect(waiting).to_be_visible()
    expect(waiting).to_be_focused()
    shows(page, *TEXTS)
    waiting.click()
    shows(page, *TEXTS, "one", "two")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_the_end_is_followed_until_somebody_scrolls_back(daemon: FakeLog, luci: Watched) -> None:
    daemon.log(*(f"21:01:00.000 INFO  reg number {number}" for number in range(100)))
    page = luci.open("log")
    log = page.get_by_role("log")
    at_end = "node => node.scrollHeight - node.scrollTop - node.clientHeight < 2"
    expect(page.get_by_text("number 99", exact=True)).to_be_in_viewport()
    daemon.log("21:02:00.000 INFO  reg later")
    expect(page.get_by_text("later", exact=True)).to_be_in_viewport()
    assert log.evaluate(at_end)
    log.evaluate("node => { node.scrollTop = 0; }")
    daemon.log("21:03:00.000 INFO  reg latest")
    expect(page.get_by_text("latest", exact=True)).to_be_attached()
    assert log.evaluate("node => node.scrollTop") == 0


def test_download_and_copy(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert re.fullmatch(r"siproxd-general-\d{14}\.txt", download.value.suggested_filename)
    whole = "".join(f"{line}\n" for line in (FIRST, WRONG, GONE, DEBUG, *MESSAGE))
    assert Path(download.value.path()).read_text() == whole
    # What the filter hides is not taken along.
    page.get_by_label("How grave").select_option(label="Errors alone")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{GONE}\n"


def test_copy_without_tls(daemon: FakeLog, luci: Watched) -> None:
    """A router's pages have no TLS, and so not the clipboard of today."""
    luci.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page = luci.open("log")
    shows(page, *TEXTS)
    page.get_by_label("How grave").select_option(label="Errors alone")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == f"{GONE}\n"


def test_no_more_than_the_last_lines_are_kept(daemon: FakeLog, luci: Watched) -> None:
    daemon.log(*(f"21:01:00.000 INFO  reg number {number}" for number in range(1990)))
    page = luci.open("log")
    expect(page.get_by_text("number 1989", exact=True)).to_be_attached()
    daemon.log(*(f"21:01:00.000 INFO  reg number {number}" for number in range(1990, 2100)))
    expect(page.get_by_text("number 2099", exact=True)).to_be_attached()
    assert page.locator(".siproxd-log-entry").count() == 2000
    assert entries(page)[0] == "number 100"
    # Also while paused.
    page.get_by_role("button", name="Pause").click()
    daemon.log(*(f"21:02:00.000 INFO  reg number {number}" for number in range(2100, 2300)))
    page.get_by_role("button", name="Go on (200 new lines)").click()
    assert page.locator(".siproxd-log-entry").count() == 2000
    assert entries(page)[0] == "number 300"


def test_a_restart_is_said(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    daemon.restart(101)
    # More than the old one had logged: its place is not that of the new one.
    daemon.log(*(f"21:05:00.000 INFO  process line {number} of the new one, with some words behind" for number in range(20)))
    expect(page.get_by_text("siproxd was started anew here.")).to_have_count(1)
    expect(page.locator(".siproxd-log-entry", has_text="of the new one")).to_have_count(20)


def test_a_restart_in_a_jail_is_said(daemon: FakeLog, luci: Watched) -> None:
    """Where each daemon is process 1."""
    daemon.status(uptime=7200)
    page = luci.open("log")
    shows(page, *TEXTS)
    daemon.status(uptime=7202)
    daemon.log("21:04:59.000 INFO  process the old one still")
    shows(page, *TEXTS, "the old one still")
    daemon.restart(daemon.pid, uptime=0)
    # Less than the old one had logged.
    daemon.log("21:05:00.000 INFO  process the new one")
    expect(page.get_by_text("siproxd was started anew here.")).to_have_count(1)
    shows(page, *TEXTS, "the old one still", "the new one")


def test_a_log_of_gigabytes_goes_on(daemon: FakeLog, luci: Watched) -> None:
    """Its places have more than 31 bits."""
    daemon.at = 2**40
    daemon.log("21:05:00.000 INFO  process far on")
    page = luci.open("log")
    shows(page, *TEXTS, "far on")
    daemon.log("21:05:01.000 INFO  process farther on")
    shows(page, *TEXTS, "far on", "farther on")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_lines_that_were_missed_are_said(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    # Into place at once, as a poll may come between.
    before = len(daemon.lines)
    daemon.lines.append({"type": "log", "line": "21:05:00.000 INFO  reg behind a gap", "at": daemon.at + 5000})
    daemon.lose(before)
    expect(page.get_by_text("Some lines are missing here")).to_be_visible()
    shows(page, *TEXTS, "behind a gap")


def test_not_running_is_said_until_it_runs(daemon: FakeLog, router: Router, luci: Watched) -> None:
    router.stopped()
    page = luci.open("log")
    alert = page.get_by_role("alert").filter(has_text="siproxd is not running.")
    expect(alert).to_be_visible()
    router.started()
    expect(alert).to_be_hidden()
    shows(page, *TEXTS)


def test_a_hidden_page_asks_for_nothing(daemon: FakeLog, luci: Watched) -> None:
    page = luci.page
    page.clock.install()
    luci.open("log")
    shows(page, *TEXTS)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.clock.run_for(3000)
    before = len(luci.bridge.calls("luci.siproxd.getLog"))
    page.clock.run_for(60_000)
    assert len(luci.bridge.calls("luci.siproxd.getLog")) == before
    page.evaluate("Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
    page.clock.run_for(3000)
    until(lambda: len(luci.bridge.calls("luci.siproxd.getLog")) > before, 10, "a question for lines")


def test_another_instance(daemon: FakeLog, router: Router, luci: Watched) -> None:
    router.config("siproxd", router.config("siproxd") + "\nconfig siproxd 'office'\n")
    router.started("office")
    page = luci.open("log")
    shows(page, *TEXTS)
    daemon.restart(200)
    daemon.log("21:09:00.000 INFO  process the office")
    page.get_by_label("Instance").select_option("office")
    shows(page, "the office")
    assert any("--instance office" in asked and asked.endswith(" log") for asked in daemon.asked())
    # No restart: it is another daemon.
    expect(page.get_by_text("siproxd was started anew here.")).to_have_count(0)


def test_debug_for_ten_minutes(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    more = page.get_by_role("button", name="Write more for ten minutes")
    expect(more).to_be_disabled()
    expect(page.get_by_role("button", name="Stop it now")).to_be_hidden()
    page.get_by_role("checkbox", name="Registrations of the phones").check()
    warning = page.get_by_text("shows who calls whom, and when")
    expect(warning).to_be_hidden()
    page.get_by_role("checkbox", name="The whole text of every message").check()
    expect(warning).to_be_visible()
    daemon.answers_debug(0x88, 600)
    daemon.status(debug={"level": 0, "temporary": 0x88, "remaining": 600})
    more.click()
    state = page.locator(".siproxd-debug-state")
    expect(state).to_have_text("Still on for 10 minutes: Registrations of the phones; The whole text of every message")
    until(lambda: any(asked.endswith(" debug 136 600") for asked in daemon.asked()), 10, "the order to debug")

    daemon.answers_debug(0, 0)
    daemon.status(debug={"level": 0, "temporary": 0, "remaining": 0})
    page.get_by_role("button", name="Stop it now").click()
    expect(state).to_be_hidden()
    expect(more).to_be_focused()
    until(lambda: any(asked.endswith(" debug 0 0") for asked in daemon.asked()), 10, "the order to debug")


def test_who_may_only_look(daemon: FakeLog, luci: Watched) -> None:
    daemon.status(debug={"level": 0, "temporary": 0x8, "remaining": 240})
    page = luci.open("log", session="reader")
    shows(page, *TEXTS)
    expect(page.locator(".siproxd-debug-state")).to_contain_text("Registrations of the phones")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.get_by_role("button", name="Write more")).to_have_count(0)


def test_a_debug_that_fails_is_said(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log", answers={"luci.siproxd.setDebug": [0, {"error": {"kind": "old", "text": f"unknown {SCRIPT}"}}]})
    page.get_by_role("button", name="Write more").click()
    alert = page.get_by_role("alert").filter(has_text="older than this page")
    expect(alert).to_contain_text(SCRIPT)


def test_netcat(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    expect(page.locator(".siproxd-command")).to_have_text("netcat 192.168.1.1 5050 > debug.log")
    expect(page.get_by_role("link", name="Settings").last).to_have_attribute("href", re.compile("/admin/services/siproxd/settings$"))
    daemon.status(debug_port={"port": 5055, "address": "192.168.1.1"})
    page = luci.open("log")
    expect(page.locator(".siproxd-command")).to_have_text("netcat 192.168.1.1 5055 > debug.log")
    # What is no address is none in a command either.
    for address in ("x;true", "-e", ["192.168.1.9"], 7):
        daemon.status(debug_port={"port": 5055, "address": address})
        page = luci.open("log")
        expect(page.locator(".siproxd-command")).to_have_text("netcat 192.168.1.1 5055 > debug.log")


@pytest.mark.parametrize("port", [None, {"port": 5050, "address": "0.0.0.0"}], ids=["closed", "open"])
def test_a_daemon_puts_nothing_else_into_a_command(daemon: FakeLog, luci: Watched, port: object) -> None:
    """Somebody is going to copy it, and the account of siproxd may be a stranger's."""
    daemon.status(lan={"interface": "br-lan", "addresses": ["192.168.1.1;curl x|sh #/24", "$(true)", "-e", 7, "192.168.1.7/24"]}, debug_port=port)
    page = luci.open("log")
    expect(page.locator(".siproxd-command")).to_have_text("netcat 192.168.1.7 5050 > debug.log")


@pytest.mark.parametrize("wrong", [None, "x", {"toString": 1}, [[]], 1.5, -1], ids=repr)
def test_members_of_another_kind_break_nothing(daemon: FakeLog, luci: Watched, wrong: object) -> None:
    daemon.status(debug={"level": wrong, "temporary": wrong, "remaining": wrong}, debug_port={"port": wrong, "address": wrong},
                  lan={"addresses": wrong}, uptime=wrong)
    daemon.lines.append({"type": "log", "line": wrong, "at": daemon.at})
    daemon.lines.append({"type": "log", "line": "21:05:00.000 INFO  process nowhere", "at": [wrong]})
    page = luci.open("log")
    shows(page, *TEXTS)
    expect(page.locator(".siproxd-command")).to_contain_text("5050 > debug.log")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_hostile_lines_are_text(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    daemon.log(f"21:06:00.000 WARN  reg {SCRIPT}", "21:06:01.000 INFO  sip \x1b[2Ja\u202eb\u2066c\x00\x85",
               f"{SCRIPT} of no form", "21:06:02.000 INFO  sip \u05d0\u05d1\u05d2 (1)", "21:06:03.000 INFO  sip " + "x" * 1900)
    shows(page, *TEXTS, SCRIPT, "\u241b[2Ja\\x202eb\\x2066c\u2400\\x85", f"{SCRIPT} of no form", "\u05d0\u05d1\u05d2 (1)", "x" * 1900)
    # Right to left within its own place alone.
    time, text = (page.locator(".siproxd-log-entry", has_text="\u05d0").locator(place).bounding_box()
                  for place in (".siproxd-log-time", ".siproxd-log-text"))
    assert time and text and time["x"] + time["width"] <= text["x"]
    luci.assert_fits()
    luci.size("phone")
    luci.assert_fits()
    log = page.get_by_role("log")
    assert log.evaluate("node => node.scrollWidth <= node.clientWidth"), "a long line does not wrap"


def test_the_real_daemon_debugs_for_ten_minutes(home: Home, luci: Watched) -> None:
    """What is switched on here is written from then on, also between two questions for lines."""
    page = luci.open("log")
    page.get_by_text("alice@provider.example registered", exact=False).first.wait_for(state="attached")
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("checkbox", name="The whole text of every message").check()
    page.get_by_role("button", name="Write more for ten minutes").click()
    expect(page.locator(".siproxd-debug-state")).to_have_text("Still on for 10 minutes: The whole text of every message")
    home.world["phone1"].command("options", aor("carol"))
    message = page.locator(".siproxd-log-entry", has_text="OPTIONS sip:carol@provider.example SIP/2.0").first
    expect(message.locator(".siproxd-log-level")).to_have_text("debug")
    expect(message.locator(".siproxd-log-class")).to_have_text("traffic")
    expect(message).to_contain_text("Call-ID: ")
    assert ask(home.world.siproxd, "status")[0]["debug"]["temporary"] == 0x80

    page.get_by_role("button", name="Stop it now").click()
    expect(page.locator(".siproxd-debug-state")).to_be_hidden()
    assert ask(home.world.siproxd, "status")[0]["debug"]["temporary"] == 0
    # With the home's own address.
    expect(page.locator(".siproxd-command")).to_have_text("netcat 10.0.0.1 5050 > debug.log")


@pytest.mark.parametrize("trouble, said", [
    ({"answers": {"luci.siproxd.getLog": [0, {"error": {"kind": "slow", "text": ""}}]}}, "did not answer in time"),
    ({"answers": {"luci.siproxd.getLog": [0, {"error": {"kind": "too-large", "text": ""}}]}}, "larger than this page takes"),
    ({"answers": {"luci.siproxd.getLog": [0, {"lines": "none", "pid": 100}]}}, "could not be read"),
    ({"answers": {"luci.siproxd.getLog": [6]}}, "not allowed"),
    ({"breaks": "malformed"}, "could not be read"),
    ({"breaks": "drop"}, "did not answer"),
], ids=["slow", "too large", "no list", "denied", "malformed", "drop"])
def test_what_goes_wrong_is_said_and_the_lines_stay(daemon: FakeLog, luci: Watched, trouble: dict[str, object], said: str) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    luci.bridge.control(**trouble)
    alert = page.locator(".alert-message", has_text=said)
    expect(alert).to_be_visible()
    shows(page, *TEXTS)
    luci.bridge.control(answers={}, breaks=None)
    expect(alert).to_be_hidden()
    daemon.log("21:05:00.000 INFO  reg after all that")
    shows(page, *TEXTS, "after all that")
    luci.problems[:] = [problem for problem in luci.problems if "Failed to load resource" not in problem]


def test_lines_of_another_form_break_nothing(daemon: FakeLog, luci: Watched) -> None:
    page = luci.open("log")
    shows(page, *TEXTS)
    at = daemon.at
    daemon.lines += [{"type": "log"}, {"type": "log", "line": 5, "at": at + 6}, {"type": "log", "line": None, "at": None},
                     {"type": "log", "line": "21:05:00.000 INFO  reg far", "at": 1e300}, {"type": "log", "line": "21:05:00.000 INFO  reg no place"}]
    daemon.log("21:05:00.000 INFO  reg well")
    shows(page, *TEXTS, "well")
