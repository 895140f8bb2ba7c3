"""What axe-core has to say of a page."""

from __future__ import annotations

from playwright.sync_api import Page

from router import TOOLS

AXE = TOOLS / "npm/node_modules/axe-core/axe.min.js"

# Widths and heights of windows, in CSS pixels.
SIZES = {"desktop": (1280, 900), "phone": (360, 640)}

# Widgets of LuCI's own, which an app takes as they are.
LUCI_WIDGETS = (".cbi-dropdown", ".cbi-page-actions")

# Of buttons whose colours are the theme's, and too pale in the dark.
LUCI_BUTTON = ' important"'

# What axe finds that keeps somebody out.
GRAVE = ("serious", "critical")

# In the dark, what is about colours; all else is the same.
RUN = """([ place, widgets, dark ]) => axe.run({ include: [place], exclude: widgets },
    { resultTypes: ['violations'], ...(dark ? { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } } : {}) })"""


def show(page: Page, size: str) -> None:
    """Gives the window a size."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})


def faults(page: Page, place: str = "#view") -> list[str]:
    """What is grave in a part of the page as it is now, in light and in dark."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = []
    for dark in (False, True):
        page.evaluate("dark => { document.documentElement.dataset.darkmode = dark; }", dark)
        for one in page.evaluate(RUN, [place, LUCI_WIDGETS, dark])["violations"]:
            nodes = [node["html"][:120] for node in one["nodes"] if not (one["id"] == "color-contrast" and LUCI_BUTTON in node["html"])]
            if one["impact"] in GRAVE and nodes:
                found.append(f"{one['id']} in {'the dark' if dark else 'light'}: {nodes[:4]}")
    return found
