"""The rig itself: what must be noticed is noticed."""

from __future__ import annotations

import pytest

from browser import Watched
from conftest import Home
from router import Bridge


def test_a_view_is_drawn(luci: Watched) -> None:
    page = luci.open("rig/hello")
    assert page.text_content("h2") == "Hello"
    assert page.text_content("#count") == "1 instances"


def test_a_bare_string_is_markup_and_one_in_a_list_is_text(luci: Watched) -> None:
    page = luci.open("rig/hello")
    assert page.inner_text("#bare b") == "as markup"
    assert page.inner_text("#list") == "<b>as text</b>"


def test_a_request_to_another_host_is_noticed(luci: Watched) -> None:
    luci.open("rig/hello").evaluate("new Image().src = 'http://192.0.2.1/pixel'")
    luci.expect_problem("another host: http://192.0.2.1/pixel")
    luci.expect_problem("ERR_NAME_NOT_RESOLVED")


def test_errors_are_noticed(luci: Watched) -> None:
    page = luci.open("rig/hello")
    page.evaluate("console.error('a word')")
    luci.expect_problem("console: a word")
    page.evaluate("setTimeout(() => { throw new Error('thrown'); }, 0)")
    luci.expect_problem("thrown")


def test_a_problem_fails_the_test(browser: object, bridge: Bridge) -> None:
    watched = Watched(browser, bridge)  # type: ignore[arg-type]
    watched.open("rig/hello").evaluate("console.error('a word')")
    with pytest.raises(AssertionError, match="a word"):
        watched.close()


def test_the_real_daemon_answers(home: Home, luci: Watched) -> None:
    page = luci.open("rig/hello")
    shown = page.evaluate("L.rpc.declare({ object: 'luci.siproxd', method: 'getStatus' })()")
    (general,) = shown["instances"]
    assert general["state"] == "running", general
    assert {binding["aor"].partition("@")[0] for binding in general["bindings"]} == {"alice", "bob"}
