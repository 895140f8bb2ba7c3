"""siproxd.conf(5) tells the place of each directive in LuCI: that is where the page has it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from browser import Watched
from router import APP, GENERAL, ROOT, Router

MANUAL = ROOT / "docs/siproxd.conf.5"
DIRECTIVES = APP / "htdocs/luci-static/resources/siproxd/settings/directives.js"
# The switch of each plugin stands in the tab of what it is about: the directive itself has no field.
SWITCHES = "load_plugin"

# Of each field: the options it is for, its tab, its title, whether it is for experts, and the columns of its table.
FIELDS = """() => Array.from(document.querySelectorAll('.siproxd-names')).map(names => {
    const frame = names.closest('.cbi-value');
    const texts = selector => Array.from(frame.querySelectorAll(selector)).map(one => one.textContent.trim());
    return {
        names: texts('.siproxd-names code'), tab: frame.closest('[data-tab]').getAttribute('data-tab-title'),
        title: texts('.cbi-value-title')[0], isForExperts: frame.classList.contains('siproxd-advanced'), columns: texts('thead th')
    };
})"""


@dataclass(frozen=True)
class Place:
    """Where the manual says that a directive is."""

    tab: str
    is_for_experts: bool
    title: str


def places() -> dict[str, Place]:
    """Of each directive with a field of its own."""
    found = {}
    made = MANUAL.read_text(encoding="utf-8").split('\n.\\" BEGIN directives')[1].split('\n.\\" END directives')[0]
    for entry in made.split("\n.It Cm ")[1:]:
        name = entry.split("\n")[0]
        said = re.search(r"^LuCI: ((?:.|\n)*?)\.$", entry, re.MULTILINE)
        assert said, f"{name}: no place in LuCI"
        if name == SWITCHES:
            continue
        words = re.sub(r"\s+", " ", said[1]).replace("\\-", "-").removesuffix(" (without effect)")
        tab, title = words.split(", ", 1)
        found[name] = Place(tab, title.startswith("Advanced, "), title.removeprefix("Advanced, "))
    return found


def test_each_directive_is_where_the_manual_says(luci: Watched, router: Router) -> None:
    """Its tab, its title, and whether it is behind "Advanced"."""
    wanted = places()
    plugins = set(re.findall(r"plugin: '(\w+)'", DIRECTIVES.read_text(encoding="utf-8")))
    router.config("siproxd", GENERAL + "".join(f"\tlist load_plugin '{plugin}.so'\n" for plugin in sorted(plugins)))
    fields = luci.open("settings").evaluate(FIELDS)
    by_name = {name: field for field in fields for name in field["names"]}
    wrong = []
    for name, place in wanted.items():
        field = by_name.get(name)
        if not field:
            wrong.append(f"{name} has no field")
            continue
        titles = [field["title"], *(f"{field['title']}: {column}" for column in field["columns"])]
        there = field["tab"], field["isForExperts"]
        if there != (place.tab, place.is_for_experts) or place.title not in titles:
            wrong.append(f"{name}: {place}, but it is at {there}, {titles}")
    assert not wrong, "\n".join(wrong)
    assert len(wanted) > 90
