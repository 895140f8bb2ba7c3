"""Makes the pictures of the pages in docs/img: `make screenshots`, as root.

    screenshots.py [DIRECTORY]

A home with real phones, one of which talks, as scene.py has it. Each page in a wide window, in the dark, and on a phone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import Home  # First: it finds the lab and Playwright.
from browser import Watched, launch
from lab.world import World
from playwright.sync_api import Browser, Page, sync_playwright
from router import ROOT, Bridge, Router
from scene import busy, refused

PAGES = ("overview", "calls", "settings", "log")

# Name: width, height, dark.
KINDS = {"desktop": (1100, 780, False), "dark": (1100, 780, True), "phone": (360, 740, False)}

# Bytes of a picture; what is larger is not for a README.
LARGEST = 80_000

# Seconds between two samples of a call's graph.
SAMPLE = 5


def settle(page: Page, name: str, samples: int) -> None:
    """Waits until a page shows what its picture is of; the graph of a call has so many samples then."""
    if name == "overview":
        page.wait_for_function("""samples => [...document.querySelectorAll('.siproxd-line')].length == 2
            && [...document.querySelectorAll('.siproxd-line')].every(line => line.getAttribute('d')?.split('L').length >= samples)""",
                               arg=samples, timeout=SAMPLE * (samples + 4) * 1000)
    elif name == "calls":
        page.locator(".siproxd-why summary").first.click()
    elif name == "settings":
        page.locator(".cbi-value").first.wait_for()
    else:
        page.get_by_role("checkbox", name="The whole text of every message").check()
        page.locator(".siproxd-log-entry").nth(5).wait_for()


def shoot(page: Page, directory: Path, name: str, kind: str) -> Path:
    """Takes a picture of what is shown in a window of a kind."""
    width, height, dark = KINDS[kind]
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("""dark => {
        document.documentElement.dataset.darkmode = dark;
        scrollTo(0, 0);
        document.querySelectorAll('.siproxd-log').forEach(log => { log.scrollTop = log.scrollHeight; });
    }""", dark)
    path = directory / f"{name}-{kind}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    return path


def take(home: Home, browser: Browser, directory: Path, samples: int = 12) -> list[Path]:
    """Takes all pictures of a home."""
    made = []
    bridge = Bridge(home.router)
    try:
        for name in PAGES:
            watched = Watched(browser, bridge)
            page = watched.open(name)
            settle(page, name, samples)
            made += [shoot(page, directory, name, kind) for kind in KINDS]
            watched.close()
        with refused(home.world):
            watched = Watched(browser, bridge)
            page = watched.open("overview")
            page.locator(".siproxd-refusals > *").first.wait_for()
            shoot(page, directory, "refused", "desktop")
            made.append(directory / "refused-desktop.png")
            page.locator("section[data-key='phones']").screenshot(path=made[-1], animations="disabled")
            watched.close()
    finally:
        bridge.stop()
    return made


def shrink(pictures: list[Path]) -> None:
    """Fewer colours, and packed well."""
    subprocess.run(["pngquant", "--force", "--skip-if-larger", "--strip", "--speed", "1", "--quality", "70-95", "--ext", ".png", "48", "--", *pictures], check=True)
    subprocess.run(["optipng", "-quiet", "-o5", *pictures], check=True)


def main(directory: Path) -> None:
    """Takes the pictures, and says how large they are."""
    directory.mkdir(parents=True, exist_ok=True)
    router = Router()
    try:
        # With the log of every day: no debug lines.
        with World("phone1", "phone2", "remote", options=()) as world, sync_playwright() as playwright:
            router.attach(world)
            with busy(world):
                pictures = take(Home(world, router), launch(playwright), directory)
    finally:
        router.remove()
    shrink(pictures)
    for picture in pictures:
        size = picture.stat().st_size
        print(f"{size:7} {picture}" + (" IS TOO LARGE" if size > LARGEST else ""))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/img")
