"""The settings page as somebody uses it, and what there is to set."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from typing import Any

from playwright.sync_api import Locator, Page

from browser import Watched
from router import APP, NODE, Router

RESOURCES = APP / "htdocs/luci-static/resources/siproxd"

# Runs a module of ours outside of a browser, and prints what is asked of it.
READ_MODULE = """
const source = require('fs').readFileSync(process.argv[1], 'utf8');
const module = new Function('_', 'baseclass', 'uci', source)(word => word, { extend: members => members }, {});
console.log(JSON.stringify(module[process.argv[2]]));
"""


def module(name: str, member: str) -> Any:
    """A member of one of the app's modules that stands for itself."""
    said = subprocess.run([NODE, "-e", READ_MODULE, RESOURCES / name, member], capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


DIRECTIVES: list[dict[str, Any]] = module("settings/directives.js", "list")
PLUGINS: list[dict[str, Any]] = module("settings/plugins.js", "list")
TABS = [tab["name"] for tab in module("settings/directives.js", "tabs")]
OWN = ["enabled", "interface_inbound", "interface_outbound", "firewall_open", "jail", "conntrack"]

# The table that has a directive as a column, by the directive that it begins with.
TABLES = {
    "outbound_domain_name": ["outbound_domain_name", "outbound_domain_host", "outbound_domain_port"],
    "mask_host": ["mask_host", "masked_host"],
    "plugin_shortdial_entry": ["plugin_shortdial_entry"],
    "plugin_regex_desc": ["plugin_regex_desc", "plugin_regex_pattern", "plugin_regex_replace"],
    "plugin_regex_body_desc": ["plugin_regex_body_desc", "plugin_regex_body_pattern", "plugin_regex_body_replace"],
    "plugin_siptrunk_name": ["plugin_siptrunk_name", "plugin_siptrunk_account", "plugin_siptrunk_numbers_regex"],
}
COLUMNS = {column: table for table, columns in TABLES.items() for column in columns}

HEAD = "config siproxd 'general'\n\toption interface_inbound 'lan'\n\toption interface_outbound 'wan'\n"


def uci(options: dict[str, str | list[str]], name: str = "general") -> str:
    """A section of /etc/config/siproxd."""
    lines = [f"config siproxd '{name}'"]
    for option, value in options.items():
        quoted = [one.replace("'", "'\\''") for one in (value if isinstance(value, list) else [value])]
        lines += [f"\t{'list' if isinstance(value, list) else 'option'} {option} '{one}'" for one in quoted]
    return "\n".join(lines) + "\n"


class Settings:
    """The page, as somebody uses it."""

    def __init__(self, luci: Watched) -> None:
        self.luci = luci
        self.page: Page = luci.open("settings")
        self.page.wait_for_selector(".cbi-tabmenu")

    def tab(self, name: str) -> None:
        """Chooses a tab."""
        self.page.locator(f".cbi-tabmenu [data-tab={name}] a").click()

    def advanced(self, on: bool = True) -> None:
        """Experts' settings."""
        self.page.locator("#siproxd-show-advanced").set_checked(on)

    def option(self, name: str) -> Locator:
        """What belongs to an option of the form."""
        return self.page.locator(f'[data-option="{name}"]')

    def input(self, name: str) -> Locator:
        """Where a value is typed."""
        return self.option(name).locator("input:not([type=hidden]):not([type=checkbox])").last

    def type(self, name: str, value: str) -> None:
        """Types a value, and leaves the field."""
        self.input(name).fill(value)
        self.input(name).blur()

    def add_to_list(self, name: str, value: str) -> None:
        """Another entry of a list."""
        self.input(name).fill(value)
        self.input(name).press("Enter")

    def switch(self, name: str, on: bool = True) -> None:
        """A switch."""
        self.option(name).locator("input[type=checkbox]").set_checked(on)

    def plugin(self, name: str, on: bool = True) -> None:
        """The switch of a plugin."""
        self.switch(f"_plugin_{name}", on)

    def rows(self, table: str) -> Locator:
        """The rows of a table."""
        return self.option(f"_{table}").locator("tbody tr:not(.placeholder)")

    def cell(self, table: str, row: int, column: int) -> Locator:
        """A cell of a table, counted from 0."""
        return self.rows(table).nth(row).locator("input").nth(column)

    def add_row(self, table: str, *cells: str) -> None:
        """Another row."""
        self.option(f"_{table}").get_by_role("button", name="Add a row").click()
        row = self.rows(table).count() - 1
        for column, text in enumerate(cells):
            self.cell(table, row, column).fill(text)

    def wrong(self, name: str) -> Locator:
        """What is said to be wrong with a field."""
        return self.option(name).locator(".siproxd-wrong:not(:empty)")

    def save(self) -> dict[str, Any]:
        """Saves, and returns the section `general` as it would be applied."""
        self.page.locator(".cbi-page-actions .cbi-button-save").click()
        self.page.wait_for_function("!document.querySelector('.cbi-page-actions .spinning')")
        return self.section()

    def section(self, name: str = "general") -> dict[str, Any]:
        """A section as it has been saved."""
        return {option: value for option, value in self.sections().get(name, {}).items() if not option.startswith(".")}

    def sections(self) -> dict[str, dict[str, Any]]:
        """All of the configuration as it has been saved."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": ["a" * 32, "uci", "get", {"config": "siproxd"}]}
        request = urllib.request.Request(f"{self.luci.bridge.origin}/ubus/", json.dumps(call).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            values: dict[str, dict[str, Any]] = json.load(answer)["result"][1]["values"]
        return values

    def check(self) -> None:
        """Presses the button, and waits for what is found."""
        self.page.get_by_role("button", name="Check", exact=True).click()
        self.page.wait_for_selector(".siproxd-said .siproxd-fine, .siproxd-said .siproxd-problems, .siproxd-said .siproxd-error")


def open_with(luci: Watched, router: Router, options: dict[str, str | list[str]]) -> Settings:
    """The page, with these options in the section `general`."""
    router.config("siproxd", uci({"interface_inbound": "lan", "interface_outbound": "wan", **options}))
    return Settings(luci)


def field_of(directive: dict[str, Any]) -> str:
    """The option of the form that a directive is edited with."""
    name = directive["name"]
    return f"_{COLUMNS[name]}" if name in COLUMNS else name
