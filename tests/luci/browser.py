"""A page in Chromium that is watched: what it asks of another host, and each error, fails the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

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
    """A page of the app. `problems` is what went wrong on it; `expect_problem` takes one away that a test causes.

    Chromium takes four times as long for a page of its own as for another one in the same: what a test has left alone, the next one gets."""

    _spare: ClassVar[Page | None] = None

    def __init__(self, browser: Browser, bridge: Bridge, viewport: str = "desktop") -> None:
        self.bridge = bridge
        self.problems: list[str] = []
        self.page: Page = Watched._spare or browser.new_context(
            locale="en-US", accept_downloads=True, permissions=["clipboard-read", "clipboard-write"]).new_page()
        Watched._spare = None
        self.size(viewport)
        self.page.set_default_timeout(PATIENCE)
        self._handlers: dict[str, Callable[..., None]] = {
            "request": self._request, "console": self._console, "pageerror": self._error, "dialog": self._dialog}
        for name, handler in self._handlers.items():
            self.page.on(name, handler)  # type: ignore[call-overload]
        # Nothing takes such a script away again.
        self._has_script = False
        add_init_script = self.page.add_init_script

        def add(*args: Any, **named: Any) -> None:
            self._has_script = True
            add_init_script(*args, **named)

        self.page.add_init_script = add  # type: ignore[method-assign]

    def _error(self, error: Error) -> None:
        self.problems.append(f"error on the page: {error}")

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
        for name, handler in self._handlers.items():
            self.page.remove_listener(name, handler)
        try:
            if self._is_left_alone():
                del self.page.add_init_script
                Watched._spare = self.page
            else:
                self.page.context.close()
        finally:
            assert not self.problems, "\n".join(self.problems)

    def _is_left_alone(self) -> bool:
        """Whether the page may be another test's; if so, it is empty now."""
        if self.problems or self._has_script or len(self.page.context.pages) != 1:
            return False
        try:
            if self.page.evaluate("'__pwClock' in window"):
                return False
            self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
            self.page.unroute_all()
            self.page.emulate_media(media="null", color_scheme="null", reduced_motion="null", forced_colors="null")
            self.page.context.clear_cookies()
            self.page.goto("about:blank")
        except Error:
            return False
        return True
