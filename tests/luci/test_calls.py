"""The calls that have ended: when, who with whom, how long, why it ended, and what was wrong with the sound."""

from __future__ import annotations

import re

import pytest
from browser import Watched
from conftest import Home
from lab.callcheck import assert_ports_closed
from lab.control import ask
from lab.kamailio import aor
from lab.wait import until
from playwright.sync_api import expect
from samples import ended, history, instance, shown

# Milliseconds between two questions of the page.
EVERY = 15_000



def test_real_calls_are_listed(home: Home, luci: Watched) -> None:
    alice, bob, carol = (home.world[host] for host in ("phone1", "phone2", "remote"))
    before = len(ask(home.world.siproxd, "history"))
    home.world.call(alice, carol, 1.0)
    at_bob, at_carol = bob.mark(), carol.mark()
    carol.dial(aor(bob.user))
    bob.event("CALL_INCOMING", at_bob)
    # Refused.
    bob.hangup()
    carol.event("CALL_CLOSED", at_carol)
    assert_ports_closed(home.world.network)
    until(lambda: len(ask(home.world.siproxd, "history")) == before + 2, 20, "two calls in the history")
    page = luci.open("calls")
    rows = page.get_by_role("table", name="Calls that have ended").get_by_role("row")
    expect(rows).to_have_count(before + 3)
    for text in ("Incoming", "carol", "bob", "–"):
        expect(rows.nth(1)).to_contain_text(text)
    expect(rows.nth(1)).to_contain_text(re.compile(r"busy \(486\)|declined \(603\)"))
    for text in ("Outgoing", "alice", "carol", "0:0", "hung up", "nothing wrong"):
        expect(rows.nth(2)).to_contain_text(text)
    expect(rows.nth(2).locator("time")).to_have_text(re.compile(r"^\d{1,2}:\d\d [AP]M$"))


@pytest.mark.parametrize(("reason", "said"), [
    ("hung up", "hung up"), ("no answer", "no answer from the other side"), ("not answered (486)", "busy (486)"),
    ("not answered (487)", "the caller gave up (487)"), ("not answered (404)", "the number is not known there (404)"),
    ("not answered (499)", "not answered (499)"), ("dropped from the control socket", "ended here, at the router"),
    ("no media for rtp_timeout seconds, both parties g", "nobody was heard any more"),
    ("no free RTP port: widen rtp_port_low..rtp_port_", "no free port for its sound"),
    ("a reason of a later version", "a reason of a later version")])
def test_the_end_is_told_in_plain_words(luci: Watched, reason: str, said: str) -> None:
    page = luci.open("calls", answers=history(ended(reason=reason)))
    expect(page.get_by_role("cell", name=said, exact=True)).to_be_visible()


def test_what_was_wrong_with_the_sound_is_told_with_its_causes(luci: Watched) -> None:
    page = luci.open("calls", answers=history(ended(fault="one-way", verdict="one way since second 16: nothing more came from the phone")))
    cell = page.get_by_role("cell").filter(has_text="Sound in one direction only")
    expect(cell.get_by_text("nothing more came from the phone")).not_to_be_visible()
    cell.get_by_text("Why?").click()
    expect(cell.get_by_text("nothing more came from the phone")).to_be_visible()
    expect(cell).to_contain_text("raise its UDP timeout")


def test_a_call_of_another_day_has_its_date(luci: Watched) -> None:
    page = luci.open("calls", answers=history(ended(ago=3 * 86400)))
    expect(page.locator("time")).to_have_text(re.compile(r"\d+/\d+/\d{4} \d"))
    assert page.locator("time").get_attribute("datetime")


def test_a_call_that_nobody_answered_has_no_sound(luci: Watched) -> None:
    line = ended(reason="not answered (486)")
    del line["talked"]
    page = luci.open("calls", answers=history(line))
    expect(page.get_by_role("cell", name="–", exact=True)).to_have_count(2)


def test_without_a_call_it_says_so(luci: Watched) -> None:
    page = luci.open("calls", answers=history())
    expect(page.get_by_text("There has been no call yet.")).to_be_visible()


def test_without_an_instance_the_settings_are_named(luci: Watched) -> None:
    page = luci.open("calls", answers=shown())
    expect(page.get_by_text("siproxd is not configured.")).to_be_visible()


def test_another_instance_can_be_chosen(luci: Watched) -> None:
    answers = {**history(ended()), **shown(instance(), instance("office"))}
    page = luci.open("calls", answers=answers)
    choice = page.get_by_label("Instance")
    expect(choice).to_have_value("general")
    choice.focus()
    choice.select_option("office")
    until(lambda: {"instance": "office"} in luci.bridge.calls("luci.siproxd.getHistory"), 20, "the other instance's calls")
    expect(choice).to_be_focused()


def test_with_one_instance_there_is_no_choice(luci: Watched) -> None:
    page = luci.open("calls", answers=history(ended()))
    expect(page.locator("time")).to_be_visible()
    expect(page.get_by_label("Instance")).to_have_count(0)


def test_what_does_not_run_is_told_and_shown_once_it_does(luci: Watched) -> None:
    luci.page.clock.install()
    answers = {**shown(instance()), "luci.siproxd.getHistory": [0, {"error": {"kind": "not-running", "text": "no siproxd runs here"}}]}
    page = luci.open("calls", answers=answers)
    expect(page.locator(".siproxd-message")).to_contain_text("siproxd is not running.")
    expect(page.locator(".siproxd-message .siproxd-note")).to_have_count(1)
    luci.bridge.control(answers=history(ended()))
    page.clock.run_for(EVERY)
    expect(page.locator("time")).to_be_visible()
    expect(page.locator(".siproxd-message")).to_be_empty()


def test_a_row_stays_the_same_while_time_goes_by(luci: Watched) -> None:
    luci.page.clock.install()
    page = luci.open("calls", answers=history(ended(fault="gap", verdict="nothing came for 2100 ms")))
    expect(page.locator("time")).to_be_visible()
    page.locator("summary").click()
    page.locator("summary").focus()
    moment = page.locator("time").get_attribute("datetime")
    later = ended(ago=60 + 16, fault="gap", verdict="nothing came for 2100 ms")
    luci.bridge.control(answers=history(ended(ago=1, reason="not answered (486)"), later))
    page.clock.run_for(EVERY)
    expect(page.locator("time")).to_have_count(2)
    assert page.locator("time").nth(1).get_attribute("datetime") == moment
    expect(page.locator("details").last).to_have_attribute("open", "")
    expect(page.locator("summary").last).to_be_focused()


def test_it_fits_a_phone(luci: Watched) -> None:
    luci.size("phone")
    page = luci.open("calls", answers=history(ended(fault="one-way", verdict="one way"), ended(reason="not answered (486)")))
    expect(page.locator("time")).to_have_count(2)
    luci.assert_fits()
    cell = page.get_by_role("cell").filter(has_text="busy")
    assert cell.evaluate("node => getComputedStyle(node, '::before').content") == '"How it ended"'
