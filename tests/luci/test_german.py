"""The pages in German: no word of English between, and, though words are longer, nothing wider than a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import Watched
from playwright.sync_api import Page
from router import GENERAL, Router
from samples import binding, call, ended, heard, history, instance, refusal, shown

# What a German sentence does not have.
ENGLISH = re.compile(r"\b(the|of|is|are|not|with|from|you|this|that|and|or|to|at|by|as|it|no|new|show|call|phone)\b", re.IGNORECASE)

# The texts of the view, but for names, commands and what others have said.
TEXTS = """() => {
    const walker = document.createTreeWalker(document.querySelector('#view'), NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode())
        if (!walker.currentNode.parentElement.closest('code, pre, bdi, script, style, .cbi-page-actions'))
            texts.push(walker.currentNode.data.trim());
    document.querySelectorAll('#view [aria-label], #view [title], #view [placeholder]').forEach(node =>
        texts.push(node.getAttribute('aria-label') || '', node.getAttribute('title') || '', node.getAttribute('placeholder') || ''));
    return texts.filter(text => text != '');
}"""

BUSY = {
    **shown(instance(bindings=[binding(), binding("bob", state="pending"), binding("dora", state="silent")], refusals=[refusal()],
                     calls=[call(caller=heard(mos=2.1, lost=900), fault="lost", verdict="-"), call(id="4.1", state="ringing", media=[])]),
            instance("office", state="stopped", status=None), instance("attic", state="old", status=None)),
    "luci.siproxd.getHistory": history(ended(), ended(fault="one-way", verdict="-"), ended(reason="not answered (486)", talked=None))
    ["luci.siproxd.getHistory"]}

NOTHING_YET = shown(instance(bindings=[]))


def assert_german(page: Page, luci: Watched) -> None:
    """Each text, and the width."""
    english = [text for text in page.evaluate(TEXTS) if ENGLISH.search(text)]
    assert not english, english
    luci.assert_fits()


@pytest.mark.parametrize(("name", "state"), [
    ("overview", {"answers": BUSY}), ("overview", {"answers": NOTHING_YET}), ("overview", {}), ("calls", {"answers": BUSY}), ("calls", {"answers": history()}),
    ("log", {}), ("log", {"session": "reader"})])
def test_pages_are_german(luci: Watched, name: str, state: dict[str, Any]) -> None:
    luci.size("phone")
    page = luci.open(name, lang="de", **state)
    page.wait_for_function("!document.querySelector('#view .spinning')")
    assert_german(page, luci)


def test_settings_are_german(luci: Watched, router: Router) -> None:
    plugins = ("shortdial", "prefix", "regex", "regex_body", "siptrunk", "defaulttarget", "stats", "blacklist", "stun", "codecfilter", "stripheader")
    router.config("siproxd", GENERAL + "".join(f"\tlist load_plugin 'plugin_{plugin}.so'\n" for plugin in plugins) + "\toption disabled '1'\n")
    luci.size("phone")
    page = luci.open("settings", lang="de")
    page.get_by_label("Erweiterte Einstellungen anzeigen").check()
    tabs = page.locator("li[data-tab] a")
    for tab in range(tabs.count()):
        tabs.nth(tab).click()
        luci.assert_fits()
    assert_german(page, luci)
