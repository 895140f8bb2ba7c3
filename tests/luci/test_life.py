"""The whole life of siproxd in the browser: the package is installed, configured, looked at, stopped and repaired, without a shell. The init
script is the real one, and what it has procd start runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from browser import Watched
from installed import GENERAL, InstalledRouter
from lab.baresip import Account
from lab.wait import until
from lab.world import OUTBOUND, USERS, World
from router import Bridge


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home whose siproxd nobody has started yet."""
    with World(proxy=False) as made:
        yield made


@pytest.fixture
def luci(browser: Browser, world: World) -> Iterator[Watched]:
    """The pages of a router with the package installed."""
    router = InstalledRouter(world.network)
    bridge = Bridge(router)
    try:
        made = Watched(browser, bridge)
        yield made
        made.close()
        assert not bridge.errors(), bridge.errors()
    finally:
        bridge.stop()
        router.remove()


def test_configure_look_and_repair(luci: Watched, world: World) -> None:
    router = luci.bridge.router
    assert isinstance(router, InstalledRouter)
    router.config("siproxd", "")

    page = luci.open("settings")
    page.locator("#siproxd-instance-name").fill("general")
    page.locator("#siproxd-instance-add").click()
    expect(page.locator(".cbi-tabmenu")).to_be_visible()
    before = luci.bridge.control()["reloads"]
    saved = luci.save_and_apply()
    assert "config siproxd 'general'" in saved and "option interface_outbound 'wan'" in saved
    luci.bridge.wait_reload(before)

    # The account of the package is not on this machine.
    router.config("siproxd", saved + "\toption user 'nobody'\n")
    router.act("reload")
    until(lambda: router.pids().get("general"), 10, "siproxd to run")

    page = luci.open("overview")
    expect(page.locator(".siproxd-instance")).to_contain_text("No phone is registered yet")
    phone = world.phone("phone1", [Account(USERS["phone1"], outbound=OUTBOUND)])
    phone.registered()
    expect(page.locator(".siproxd-instance")).to_contain_text("alice")

    first = router.pids()["general"]
    page.get_by_role("button", name="Restart").click()
    until(lambda: router.pids().get("general") not in (None, first), 20, "another process")
    expect(page.locator(".siproxd-instance")).to_contain_text("One phone is registered.")

    router.act("stop")
    expect(page.locator(".siproxd-instance")).to_contain_text("siproxd is not running")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".siproxd-instance")).to_contain_text("One phone is registered.")
    phone.stop()


def test_an_edit_reaches_the_one_that_runs(luci: Watched) -> None:
    router = luci.bridge.router
    assert isinstance(router, InstalledRouter)
    router.act("start")
    first = router.pids()["general"]
    page = luci.open("settings")
    page.locator("#siproxd-show-advanced").check()
    page.locator(".cbi-tabmenu li[data-tab=log] a").click()
    page.locator("#cbi-siproxd-general-debug_port input").fill("5050")
    before = luci.bridge.control()["reloads"]
    assert luci.save_and_apply().lstrip() == GENERAL + "\toption debug_port '5050'\n"
    luci.bridge.wait_reload(before)
    assert "debug_port = 5050" in (router.root / "var/etc/siproxd/siproxd-general.conf").read_text()
    assert router.pids() == {"general": first}
