"""Fixtures of the tests of the LuCI app: `make luci` runs them, as root.

    router   a router's files; with `home`, the one of that home
    home     a home with two phones and a remote one, registered through a real daemon, for all tests of a file
    bridge   serves the router to browsers
    plugin   the ubus object of the router, without a browser
    luci     a page of the app that is watched: `luci.open("overview")` returns Playwright's page
    page     Playwright's page of `luci`
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]

from router import TOOLS, Bridge, Router  # noqa: E402

sys.path.append(str(TOOLS / "python"))

from lab.world import World  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from browser import Watched, launch  # noqa: E402
from plugin import Plugin  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Says at once what is missing."""
    if os.geteuid() != 0:
        pytest.exit("the tests of the LuCI app need root: they make network namespaces", returncode=1)


@dataclass
class Home:
    """A lab, and the router of it as its pages show it."""

    world: World
    router: Router


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        made = launch(playwright)
        yield made
        made.close()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A home with a real daemon and real phones."""
    made = Router()
    try:
        with World("phone1", "phone2", "remote") as world:
            made.attach(world)
            yield Home(world, made)
    finally:
        made.remove()


@pytest.fixture
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """The router that the bridge serves; without `home` no daemon runs on it."""
    if "home" in request.fixturenames:
        made = request.getfixturevalue("home").router
        yield made
        made.hook(None)
    else:
        made = Router()
        try:
            yield made
        finally:
            made.remove()


@pytest.fixture
def bridge(router: Router) -> Iterator[Bridge]:
    """Serves the router; an exception in the plugin fails the test."""
    made = Bridge(router)
    try:
        yield made
        assert not made.errors(), made.errors()
    finally:
        made.stop()


@pytest.fixture
def plugin(router: Router) -> Iterator[Plugin]:
    """The ubus object of the router."""
    made = Plugin(router)
    yield made
    made.end()


@pytest.fixture
def luci(browser: Browser, bridge: Bridge) -> Iterator[Watched]:
    """A page of the app in the browser, watched."""
    made = Watched(browser, bridge)
    yield made
    made.close()


@pytest.fixture
def page(luci: Watched) -> Page:
    """Playwright's page of `luci`."""
    return luci.page
