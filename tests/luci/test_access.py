"""Who uses the pages with a small screen, in the dark, by keyboard or by ear: what must hold of each of them, in a home where something happens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from access import faults, show
from browser import Watched
from conftest import Home
from router import APP, Bridge
from scene import busy, refused

PAGES = ("overview", "calls", "settings", "log")

# Words of LuCI's own, which its own catalogue translates.
LUCI_WORDS = {"Reveal/hide password"}

# What can be used, as far as it is shown.
INTERACTIVE = "a[href], button, input, select, textarea, summary, [tabindex='0']"

# Elements in the view that are shown and can be used, each with a number; not in an attribute, which a page that draws itself anew takes away.
NUMBER = """selector => [...document.querySelectorAll(`#view :is(${selector})`)]
    .filter(node => node.checkVisibility({ visibilityProperty: true }) && !node.disabled && node.tabIndex >= 0)
    .map((node, place) => { node.place = place; return node.outerHTML.slice(0, 120); })"""

# The element that has the focus: its number, and whether it can be seen that it has.
FOCUSED = """() => {
    const node = document.activeElement, style = getComputedStyle(node);
    return { place: node.place ?? null, html: node.outerHTML.slice(0, 120),
        isSeen: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none' };
}"""


@pytest.fixture(scope="module")
def day(home: Home) -> Iterator[Home]:
    """The home, while somebody talks and a phone has the wrong password."""
    with busy(home.world), refused(home.world):
        yield home


@pytest.fixture
def shown(day: Home, browser: Browser) -> Iterator[Watched]:
    """The pages of that home."""
    bridge = Bridge(day.router)
    watched = Watched(browser, bridge)
    try:
        yield watched
        watched.close()
    finally:
        bridge.stop()


def open_all(watched: Watched, name: str, **state: object) -> Page:
    """Opens a page with all that it can show in one go."""
    page = watched.open(name, **state)
    if name == "settings":
        page.locator("#siproxd-show-advanced").check()
    if name == "overview":
        page.locator(".siproxd-call").first.wait_for()
        page.locator(".siproxd-refusals > *").first.wait_for()
    if name == "calls":
        page.locator(".siproxd-table").first.wait_for()
    if name == "log":
        page.locator(".siproxd-log-entry").first.wait_for()
    return page


def parts(page: Page) -> Iterator[str]:
    """Each tab of a page in turn; one that has none is one."""
    tabs = page.locator("#view .cbi-tabmenu > li > a")
    for tab in tabs.all():
        if tab.is_visible():
            tab.click()
            yield tab.inner_text()
    if tabs.count() == 0:
        yield ""


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_phone(name: str, shown: Watched) -> None:
    page = open_all(shown, name)
    show(page, "phone")
    for _ in parts(page):
        shown.assert_fits()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_grave(name: str, shown: Watched) -> None:
    page = open_all(shown, name)
    found = []
    for size in ("desktop", "phone"):
        show(page, size)
        found += [f"{size}, {part}: {fault}" for part in parts(page) for fault in faults(page)]
    assert not found, "\n".join(found)


def test_axe_would_find_it(shown: Watched) -> None:
    """The check above sees faults: a box without a name, grey on grey."""
    page = open_all(shown, "log")
    page.evaluate("""() => {
        document.querySelector('#view').append(E('input', { 'type': 'checkbox' }), E('p', { 'style': 'color: #ccc' }, [ 'pale' ]));
    }""")
    assert {fault.split(" in ")[0] for fault in faults(page)} == {"label", "color-contrast"}


@pytest.mark.parametrize("name", PAGES)
def test_all_can_be_reached_by_keyboard(name: str, shown: Watched) -> None:
    page = open_all(shown, name)
    for part in parts(page):
        wanted = page.evaluate(NUMBER, INTERACTIVE)
        page.evaluate("() => { document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus(); }")
        reached, unseen = set(), []
        for _ in range(len(wanted) + 30):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused["place"] is not None:
                reached.add(focused["place"])
                if not focused["isSeen"]:
                    unseen.append(focused["html"])
            if len(reached) == len(wanted):
                break
        assert not unseen, f"{part}: the focus cannot be seen on {unseen}"
        assert len(reached) == len(wanted), f"{part}: not reached: {[html for place, html in enumerate(wanted) if place not in reached]}"


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(name: str, shown: Watched) -> None:
    page = open_all(shown, name)
    for part in parts(page):
        levels = page.evaluate("""() => [...document.querySelectorAll('#view :is(h1, h2, h3, h4, h5, h6)')]
            .filter(node => node.checkVisibility()).map(node => Number(node.tagName[1]))""")
        assert levels[:1] == [2], f"{part}: {levels}"
        assert all(after <= before + 1 for before, after in zip(levels, levels[1:])), f"{part}: {levels}"


@pytest.mark.parametrize("name", ["overview", "calls", "log"])
def test_no_element_has_a_style_of_its_own(name: str, shown: Watched) -> None:
    page = open_all(shown, name)
    assert page.locator("#view [style]").evaluate_all("nodes => nodes.map(node => node.outerHTML.slice(0, 200))") == []


def test_no_source_makes_styles_or_markup() -> None:
    """Also what no test has drawn: no style, no markup out of text, no address of another host."""
    sources = sorted((APP / "htdocs").rglob("*.js"))
    assert len(sources) > 10
    forbidden = re.compile(r"'style'\s*:|\.style\b(?!\()|innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?://(?!\[|www\.w3\.org/2000/svg)")
    found = [f"{path.name}:{number}: {line.strip()}" for path in sources
             for number, line in enumerate(path.read_text().splitlines(), 1) if forbidden.search(_code(line))]
    assert not found, "\n".join(found)


def _code(line: str) -> str:
    """A line without its comment."""
    return re.sub(r"^\s*(/?\*|//).*|/\*.*?\*/|\s//\s.*", "", line)


# In English and in German alike, and no text of ours: what came from the daemon or the configuration, and names.
FOREIGN = ".siproxd-foreign, .siproxd-log-text, code, pre, option, .cbi-dynlist .item"

TEXTS = """foreign => {
    const found = [], walker = document.createTreeWalker(document.querySelector('#view'), NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
        if (!walker.currentNode.parentElement.closest(foreign))
            found.push(walker.currentNode.data.trim());
    for (const node of document.querySelectorAll('#view *'))
        for (const name of [ 'title', 'aria-label', 'alt', 'data-title', 'data-tab-title' ])
            if (node.hasAttribute(name) && !node.closest(foreign))
                found.push(node.getAttribute(name).trim());
    return [ ...new Set(found) ];
}"""


@pytest.mark.parametrize("name", PAGES)
def test_a_german_page_is_german(name: str, shown: Watched) -> None:
    """What is a sentence or a phrase, and the same in both languages, nobody has translated."""
    english = set(open_all(shown, name).evaluate(TEXTS, FOREIGN))
    german = set(open_all(shown, name, lang="de").evaluate(TEXTS, FOREIGN))
    same = [text for text in english & german - LUCI_WORDS if re.search(r"[a-z]{2,} [a-z]{2,}", text)]
    assert not same, "\n".join(same)
