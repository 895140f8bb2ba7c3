"""The overview from one answer to the next: how often it asks, what it keeps, and what it says when no answer comes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import Watched
from lab.wait import until
from playwright.sync_api import Page, Route, expect
from samples import binding, call, heard, instance, shown

# Milliseconds between two questions of the page; twice that while nothing is going on.
EVERY = 8000

# Counts the page's questions, begun and answered: what an answer causes has happened when it counts.
COUNT = """() => {
    window.begun = window.ended = 0;
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function(body) {
        if (String(body).includes('getStatus')) {
            window.begun++;
            this.addEventListener('loadend', () => { window.ended++; });
        }
        return send.call(this, body);
    };
}"""


class Frozen:
    """The overview, with a clock that only the test moves on."""

    def __init__(self, luci: Watched, **state: Any) -> None:
        self.luci = luci
        self.page = luci.page
        self.page.add_init_script(f"({COUNT})()")
        self.page.clock.install(time=0)
        luci.open("overview", **state)
        expect(self.page.locator(".siproxd-headline").first).to_be_visible()
        self.page.clock.pause_at(60)
        self._answered()

    def asked(self) -> int:
        """How often it has asked."""
        return int(self.page.evaluate("window.begun"))

    def _answered(self) -> None:
        until(lambda: self.page.evaluate("window.begun === window.ended"), 20, "the answer")

    def step(self) -> bool:
        """Five seconds go by, and what is asked then is answered; whether anything was."""
        before = self.asked()
        self.page.clock.run_for(EVERY)
        self._answered()
        return self.asked() > before

    def poll(self, **state: Any) -> None:
        """The page asks once more, and shows the answer; first the bridge is changed."""
        if state:
            self.luci.bridge.control(**state)
        assert self.step() or self.step()


def test_the_graph_shows_quality_loss_and_silence(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(calls=[call(callee=heard(5000))])))
    graph = luci.page.get_by_role("img", name="Your phone hears")
    frozen.poll(answers=shown(instance(calls=[call(callee=heard(5250, mos=4.2))])))
    frozen.poll(answers=shown(instance(calls=[call(callee=heard(5490, 10, mos=4.1))])))
    expect(graph.locator(".siproxd-line")).to_have_attribute("d", re.compile(r"M[\d.]+ [\d.]+h0L[\d.]+ [\d.]+$"))
    expect(graph.locator(".siproxd-loss")).to_have_count(1)
    expect(graph.locator("desc")).to_contain_text("Quality (MOS) between 4.10 and 4.38, loss up to 4.0 %")
    silent = graph.locator(".siproxd-silent").count()
    frozen.poll()
    expect(graph.locator(".siproxd-silent")).to_have_count(silent + 1)
    expect(graph.locator("desc")).to_contain_text("with silence")
    # One answer that fails takes nothing of it away.
    failed = instance(state="failed", status=None, bindings=[], error={"kind": "slow", "text": "no answer"})
    frozen.poll(answers=shown(failed))
    expect(luci.page.locator(".siproxd-headline")).to_contain_text("did not answer in time")
    expect(graph.locator("desc")).to_contain_text("loss up to 4.0 %")


def test_what_is_opened_in_the_guide_stays_open(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(bindings=[])))
    desk = luci.page.locator(".siproxd-first details").filter(has_text="Desk phone")
    desk.locator("summary").click()
    frozen.poll()
    expect(desk).to_have_attribute("open", "")



@pytest.mark.parametrize(("state", "calls", "times"), [("valid", [], 3), ("valid", [call()], 6), ("pending", [], 6)])
def test_it_asks_more_often_while_something_is_going_on(luci: Watched, state: str, calls: list[Any], times: int) -> None:
    frozen = Frozen(luci, answers=shown(instance(bindings=[binding(state=state)], calls=calls)))
    assert sum(frozen.step() for _ in range(6)) == times


def test_nothing_is_asked_while_nobody_looks(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(calls=[call()])))
    _look(luci.page, False)
    assert not any(frozen.step() for _ in range(12))
    before = frozen.asked()
    _look(luci.page, True)
    # LuCI sends with the next frame.
    luci.page.clock.run_for(100)
    assert frozen.asked() == before + 1


def _look(page: Page, is_seen: bool) -> None:
    page.evaluate("""isSeen => {
        Object.defineProperty(document, 'hidden', { value: !isSeen, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }""", is_seen)


def test_slow_answers_do_not_pile_up(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(calls=[call()])))
    luci.bridge.control(delay=6000)
    before = frozen.asked()
    # Four times the interval, while one answer is under way.
    luci.page.clock.run_for(4 * EVERY)
    assert frozen.asked() == before + 1
    message = luci.page.locator(".siproxd-message")
    expect(message).to_contain_text("siproxd takes long to answer.")
    expect(message).to_contain_text(re.compile(r"Shown is how it was at \d"))
    luci.bridge.control(delay=0)
    expect(message).to_be_empty(timeout=20_000)
    assert frozen.asked() == before + 1


def test_a_failed_poll_has_one_message_keeps_what_was_and_recovers(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance()))
    page = luci.page
    luci.bridge.control(breaks="malformed")
    for _ in range(3):
        frozen.poll()
    message = page.locator(".siproxd-message .siproxd-note")
    expect(message).to_have_count(1)
    expect(message).to_contain_text(re.compile(r"Shown is how it was at \d"))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("table", name="Registered phones")).to_contain_text("alice")
    frozen.poll(breaks=None)
    expect(message).to_have_count(0)


def test_a_login_that_has_run_out_is_named_and_what_was_stays(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance()))
    page = luci.page
    denied = {"jsonrpc": "2.0", "error": {"code": -32002, "message": "Access denied"}}

    def deny(route: Route) -> None:
        asked = route.request.post_data_json
        route.fulfill(json=[denied for _ in asked] if isinstance(asked, list) else denied)

    page.route("**/ubus/", deny)
    frozen.poll()
    # LuCI asks whether the session is there, with the next frame.
    page.clock.run_for(100)
    expect(page.get_by_role("dialog")).to_contain_text("Session expired")
    expect(page.locator(".siproxd-message")).to_contain_text("Your session may have ended")
    expect(page.locator(".siproxd-headline")).to_have_text("All is well.")
    page.unroute("**/ubus/")


def test_an_instance_that_cannot_be_asked_is_shown_as_it_was(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance()))
    page = luci.page
    expect(page.locator(".siproxd-headline")).to_have_text("All is well.")
    slow = instance(state="failed", status=None, bindings=[], error={"kind": "slow", "text": "no answer in 3 s"}, text="no answer in 3 s")
    frozen.poll(answers=shown(slow))
    expect(page.locator(".siproxd-headline")).to_contain_text("did not answer in time")
    expect(page.locator(".siproxd-head")).to_contain_text(re.compile(r"Shown is how it was at \d"))
    expect(page.get_by_role("table", name="Registered phones")).to_contain_text("alice")
    # That it is not known is no news, for who listens, either.
    expect(page.locator("[aria-live=polite]")).to_be_empty()


def test_focus_and_selection_survive_a_poll(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(calls=[call()])))
    page = luci.page
    page.get_by_role("button", name="End call").focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.siproxd-table .siproxd-party strong'))")
    other = call(id="9.9", state="ringing", media=[])
    frozen.poll(answers=shown(instance(bindings=[binding("aaron"), binding()], calls=[other, call(state="held")])))
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article").nth(1)).to_contain_text("on hold")
    expect(page.get_by_role("article").nth(1).get_by_role("button", name="End call")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "alice"


def test_the_focus_of_a_call_that_ends_stays_near(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance(calls=[call()])))
    luci.page.get_by_role("button", name="End call").focus()
    frozen.poll(answers=shown(instance()))
    expect(luci.page.get_by_role("article")).to_have_count(0)
    assert luci.page.evaluate("document.activeElement.closest('.siproxd-instance') !== null")


def test_news_are_told_to_who_listens(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance()))
    live = luci.page.locator("[aria-live=polite]")
    expect(live).to_be_empty()
    frozen.poll(answers=shown(instance(calls=[call(state="ringing")])))
    expect(live).to_have_text("Call from alice to +498912345: ringing.")
    frozen.poll()
    expect(live).to_have_text("Call from alice to +498912345: ringing.")
    frozen.poll(answers=shown(instance(state="stopped", status=None, bindings=[])))
    expect(live).to_contain_text("general is not running.")


def test_polls_that_the_user_has_paused_are_no_fault(luci: Watched) -> None:
    frozen = Frozen(luci, answers=shown(instance()))
    luci.page.evaluate("L.Poll.stop()")
    before = frozen.asked()
    assert not any(frozen.step() for _ in range(4))
    message = luci.page.locator(".siproxd-message")
    expect(message).to_contain_text(re.compile(r"Refreshing is paused\. ?Shown is how it was at \d"))
    luci.page.evaluate("L.Poll.start()")
    frozen.poll()
    expect(message).to_be_empty()
    assert frozen.asked() == before + 1
