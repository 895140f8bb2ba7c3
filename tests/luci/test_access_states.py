"""What axe-core has to say of the pages where something is not as on an ordinary day."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from access import faults, show
from browser import Watched
from fakelog import FakeLog
from router import Router
from samples import call, ended, heard, history, instance, shown


def no_phone(luci: Watched, router: Router) -> Page:
    page = luci.open("overview", answers=shown(instance(bindings=[])))
    for kind in page.locator("details.siproxd-kind").all():
        kind.locator("summary").click()
    return page


def not_running(luci: Watched, router: Router) -> Page:
    page = luci.open("overview", answers=shown(instance(state="stopped", text="option `max_calls` is wrong", status=None)))
    page.get_by_role("button", name="Start").wait_for()
    return page


def two_instances(luci: Watched, router: Router) -> Page:
    bad = call(caller=heard(1000, 200, mos=2.1), fault="lost", verdict="lost on the way: 16 %")
    page = luci.open("overview", answers=shown(instance(calls=[bad]), instance("office", bindings=[])))
    page.get_by_text("office").first.wait_for()
    return page


def the_end_of_a_call(luci: Watched, router: Router) -> Page:
    page = luci.open("overview", answers=shown(instance(calls=[call()])))
    page.get_by_role("button", name="End call").click()
    page.get_by_role("dialog").wait_for()
    return page


def a_call_that_went_wrong(luci: Watched, router: Router) -> Page:
    page = luci.open("calls", answers=history(
        ended(fault="one-way", verdict="one way since second 16"), ended(reason="not answered (486)", talked=None)))
    for why in page.locator(".siproxd-why summary").all():
        why.click()
    return page


def no_answer(luci: Watched, router: Router) -> Page:
    page = luci.open("overview", answers={"luci.siproxd.getStatus": [7]})
    page.get_by_text("did not answer in time").first.wait_for()
    return page


def what_is_typed_is_wrong(luci: Watched, router: Router) -> Page:
    said = [{"section": "general", "option": "max_calls", "severity": severity, "text": "is not as it should be"}
            for severity in ("error", "warning", "note")]
    page = luci.open("settings", answers={"luci.siproxd.check": [0, {"problems": said}]})
    page.locator("#siproxd-check").click()
    page.locator(".siproxd-problems li").first.wait_for()
    page.get_by_label("SIP port", exact=True).fill("nothing")
    page.keyboard.press("Tab")
    page.locator(".siproxd-wrong", has_text="number").wait_for()
    return page


def settings_of_who_may_only_look(luci: Watched, router: Router) -> Page:
    return luci.open("settings", session="reader")


def a_log_with_all_there_is(luci: Watched, router: Router) -> Page:
    fake = FakeLog(router, debug={"level": 0, "temporary": 0x88, "remaining": 300})
    fake.log("21:00:00.000 INFO  reg one", "21:00:01.000 WARN  reg two", "21:00:02.000 ERROR net three", "21:00:03.000 DEBUG sip four")
    page = luci.open("log")
    expect(page.locator(".siproxd-log-entry")).to_have_count(4)
    fake.restart(101)
    fake.log("21:00:09.000 INFO  process again")
    page.get_by_text("was started anew").wait_for()
    router.stopped()
    page.get_by_role("alert").filter(has_text="not running").wait_for()
    return page


STATES = [no_phone, not_running, two_instances, a_call_that_went_wrong, no_answer, what_is_typed_is_wrong, settings_of_who_may_only_look,
          a_log_with_all_there_is]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_grave(state: Callable[[Watched, Router], Page], luci: Watched, router: Router) -> None:
    page = state(luci, router)
    found = faults(page)
    show(page, "phone")
    found += faults(page)
    assert not found, "\n".join(found)
    luci.assert_fits()


def test_axe_finds_nothing_grave_in_the_dialog(luci: Watched, router: Router) -> None:
    page = the_end_of_a_call(luci, router)
    assert not faults(page, ".modal > *")
