"""A page in Chromium that is watched: what it asks of another host, and each error, fails the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright, Request, expect

from router import Bridge

CHROMIUM = "/usr/bin/chromium"

# Name: width, height, as the pages are tried and shown.
VIEWPORTS = {"desktop": (1280, 900), "phone": (360, 740)}

# Milliseconds that anything on a page may take, on a loaded machine.
PATIENCE = 20_000

expect.set_options(timeout=PATIENCE)


def launch(playwright: Playwright) -> Browser:
    """The one Chromium; root has no sandbox, and no name but this machine's is resolved."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--disable-background-networking", "--disable-component-update", "--no-first-run"])


class Watched:
    """A page of the app. `problems` is what went wrong on it; `expect_problem` takes one away that a test causes."""

    def __init__(self, browser: Browser, bridge: Bridge, viewport: str = "desktop") -> None:
        width, height = VIEWPORTS[viewport]
        self.bridge = bridge
        self.problems: list[str] = []
        self._context = browser.new_context(viewport={"width": width, "height": height}, locale="en-US", accept_downloads=True,
                                            permissions=["clipboard-read", "clipboard-write"])
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error on the page: {error}"))
        self.page.on("dialog", self._dialog)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.bridge.origin + "/", "data:", "blob:", "about:")):
            self.problems.append(f"request to another host: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"error in the console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        # What a script of a stranger would do to be seen.
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, page: str, **state: Any) -> Page:
        """Opens a page of the app, with this state of the bridge, and waits until its view is drawn."""
        if state:
            self.bridge.control(**state)
        self.page.goto(self.bridge.url(page))
        self.drawn()
        return self.page

    def drawn(self) -> None:
        """Waits until the view is drawn."""
        try:
            self.page.wait_for_selector("#view > :not(.spinning)", state="attached")
        except Error as error:
            raise AssertionError("\n".join(["the view is not drawn", *self.problems, self.bridge.errors()])) from error

    def save_and_apply(self) -> str:
        """Presses "Save & Apply", and waits until the page has been loaded anew, as LuCI does then; returns /etc/config/siproxd."""
        with self.page.expect_navigation():
            self.page.locator(".cbi-page-actions .cbi-button-apply").click()
        self.drawn()
        return self.bridge.router.config("siproxd")

    def size(self, viewport: str) -> None:
        """Another size of the window: `desktop` or `phone`."""
        width, height = VIEWPORTS[viewport]
        self.page.set_viewport_size({"width": width, "height": height})

    def expect_problem(self, part: str) -> str:
        """Waits for a problem with these words, and takes it from the list: the test has caused it."""
        for _ in range(PATIENCE // 100):
            for problem in self.problems:
                if part in problem:
                    self.problems.remove(problem)
                    return problem
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no problem with {part!r}: {self.problems}")

    def assert_fits(self) -> None:
        """Nothing is wider than the window."""
        width, shown = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= shown, f"the page is {width} px wide in a window of {shown} px"

    def screenshot(self, path: Path) -> None:
        """Of all of the page."""
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def close(self) -> None:
        """Closes it; what went wrong is an error."""
        self._context.close()
        assert not self.problems, "\n".join(self.problems)
