"""The settings page: each directive has its field, what is typed is checked, what is written is what siproxd takes, and the rest stays."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

import initscript
from browser import Watched
from router import APP, NODE, Bridge, Router

RESOURCES = APP / "htdocs/luci-static/resources/siproxd"

# Runs a module of ours outside of a browser, and prints what is asked of it.
READ_MODULE = """
const source = require('fs').readFileSync(process.argv[1], 'utf8');
const text = Object.assign(String, {});
const module = new Function('_', 'baseclass', 'uci', source)(word => word, { extend: members => members }, {});
console.log(JSON.stringify(module[process.argv[2]]));
"""


def module(name: str, member: str) -> Any:
    """A member of one of the app's modules that stands for itself."""
    said = subprocess.run([NODE, "-e", READ_MODULE, RESOURCES / name, member], capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


DIRECTIVES: list[dict[str, Any]] = module("directives.js", "list")
PLUGINS: list[dict[str, Any]] = module("plugins.js", "list")
TABS = [tab["name"] for tab in module("directives.js", "tabs")]
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


@pytest.fixture
def real(router: Router) -> Iterator[Router]:
    """A router whose init script is the real one."""
    initscript.put(router)
    yield router


def open_with(luci: Watched, router: Router, options: dict[str, str | list[str]]) -> Settings:
    """The page, with these options in the section `general`."""
    router.config("siproxd", uci({"interface_inbound": "lan", "interface_outbound": "wan", **options}))
    return Settings(luci)


# Each directive has a field.

def field_of(directive: dict[str, Any]) -> str:
    """The option of the form that a directive is edited with."""
    name = directive["name"]
    return f"_{COLUMNS[name]}" if name in COLUMNS else name


@pytest.mark.parametrize("tab", TABS)
def test_each_directive_has_a_field_in_its_tab(luci: Watched, router: Router, tab: str) -> None:
    page = open_with(luci, router, {"load_plugin": [plugin["name"] for plugin in PLUGINS]})
    page.advanced()
    page.tab(tab)
    here = [one for one in DIRECTIVES if one["tab"] == tab and one["kind"] != "plugin"]
    assert here
    for directive in here:
        expect(page.option(field_of(directive)), directive["name"]).to_be_visible()
        expect(page.option(field_of(directive)).locator(".siproxd-names", has_text=directive["name"])).to_be_visible()
    for plugin in [plugin for plugin in PLUGINS if plugin["tab"] == tab]:
        expect(page.option(f"_plugin_{plugin['name']}").locator("input[type=checkbox]")).to_be_checked()
    if tab == "network":
        for name in OWN:
            expect(page.option(name)).to_be_visible()


def test_each_plugin_has_a_switch_where_its_options_are() -> None:
    (load_plugin,) = [one for one in DIRECTIVES if one["kind"] == "plugin"]
    assert sorted("plugin_" + plugin["name"] for plugin in PLUGINS) == sorted(load_plugin["values"])
    for directive in DIRECTIVES:
        if directive.get("plugin"):
            (plugin,) = [one for one in PLUGINS if "plugin_" + one["name"] == directive["plugin"]]
            assert plugin["tab"] == directive["tab"], directive["name"]


# The controls of a tab that are called nothing.
NAMELESS = """
tab => Array.from(document.querySelectorAll(`[data-tab=${tab}] [data-option]`)).flatMap(frame =>
    Array.from(frame.querySelectorAll('.cbi-value-field input:not([type=hidden]), .cbi-value-field select, .cbi-value-field button'))
        .filter(one => !one.getAttribute('aria-label') && !one.textContent.trim() && !one.title
            && !(one.labels && Array.from(one.labels).some(label => label.textContent.trim())) && !one.closest('.cbi-dropdown')
            && !(one.getAttribute('aria-labelledby') && document.getElementById(one.getAttribute('aria-labelledby')).textContent.trim()))
        .map(one => frame.getAttribute('data-option') + ': ' + one.outerHTML))
"""


def test_each_field_has_a_label_and_what_it_is_for(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"load_plugin": [plugin["name"] for plugin in PLUGINS]})
    page.advanced()
    for tab in TABS:
        page.tab(tab)
        nameless = page.page.evaluate(NAMELESS, tab)
        assert not nameless
        for frame in page.page.locator(f"[data-tab={tab}] [data-option]").all():
            described = frame.locator("[aria-describedby]").first.get_attribute("aria-describedby")
            texts = [page.page.locator(f"[id='{one}']").inner_text() for one in str(described).split()]
            assert any(texts), frame.get_attribute("data-option")


# What somebody types.

WRONG = {
    "sip_listen_port": ("0", "70000", "08", "x"), "host_outbound": ("1.2.3", "a b"), "rtp_dscp": ("EF", "184"),
    "debug_bind": ("router", "1.2.3.4.5"), "pid_file": ("siproxd.pid",), "ua_string": ("x" * 129, "a # b"),
    "hosts_allow_reg": ("192.168.1.0/33", "a/b/c"), "lan_networks": ("lan",), "allow_domains": ("a@b",),
}
RIGHT = {
    "sip_listen_port": "0x13C4", "host_outbound": "home.example.org", "rtp_dscp": "0x2e", "debug_bind": "fd00::1",
    "pid_file": "/var/run/x.pid", "ua_string": "Ünï", "hosts_allow_reg": "phone.lan/24", "lan_networks": "fd00::/8", "allow_domains": "*",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_told_while_it_is_typed(luci: Watched, router: Router, name: str) -> None:
    page = open_with(luci, router, {})
    page.advanced()
    (directive,) = [one for one in DIRECTIVES if one["name"] == name]
    page.tab(directive["tab"])
    for text in WRONG[name]:
        page.input(name).fill("")
        page.input(name).press_sequentially(text)
        expect(page.wrong(name), text).to_be_visible()
        expect(page.input(name)).to_have_attribute("aria-invalid", "true")
    page.type(name, "")
    page.input(name).press_sequentially(RIGHT[name])
    expect(page.wrong(name)).to_have_count(0)


def test_what_a_dscp_is_called_is_told_as_a_number(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.advanced()
    page.tab("audio")
    page.input("rtp_dscp").press_sequentially("ef")
    expect(page.wrong("rtp_dscp")).to_have_text("A number is needed here; EF is 46.")


def test_nothing_is_saved_with_a_wrong_value(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.type("host_outbound", "1.2.3")
    page.page.locator(".cbi-page-actions .cbi-button-save").click()
    expect(page.page.get_by_text("contains an invalid input value").first).to_be_visible()
    assert "host_outbound" not in page.section()
    luci.problems[:] = [problem for problem in luci.problems if "invalid input value" not in problem]


def test_defaults_are_those_of_the_router(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.advanced()
    for name, default in {"sip_listen_port": "5060", "registration_file": "/var/lib/siproxd/siproxd-general.reg", "rtp_dscp": "46",
                          "tcp_timeout": "600", "host_outbound": "e.g. 198.51.100.7", "user": "siproxd"}.items():
        expect(page.input(name)).to_have_attribute("placeholder", default)


def test_a_password_is_masked_and_can_be_revealed(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"proxy_auth_passwd": "geheim"})
    page.tab("phones")
    box = page.input("proxy_auth_passwd")
    expect(box).to_have_attribute("type", "password")
    page.option("proxy_auth_passwd").locator("button").click()
    expect(box).to_have_attribute("type", "text")
    expect(box).to_have_value("geheim")


def test_what_takes_a_restart_says_so(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"load_plugin": [plugin["name"] for plugin in PLUGINS]})
    page.advanced()
    for directive in DIRECTIVES:
        if directive["kind"] != "plugin":
            wanted = 1 if directive.get("restart") else 0
            expect(page.option(field_of(directive)).locator(".siproxd-restart"), directive["name"]).to_have_count(wanted)


# Experts' settings.

def test_experts_settings_are_shown_on_request_by_keyboard(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    expect(page.option("jail")).to_be_hidden()
    page.page.locator("#siproxd-show-advanced").focus()
    page.page.keyboard.press("Space")
    expect(page.option("jail")).to_be_visible()
    page.page.keyboard.press("Space")
    expect(page.option("jail")).to_be_hidden()


def test_an_experts_setting_that_is_set_is_shown(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"jail": "0", "tcp_timeout": "30", "mask_host": ["a.example"], "masked_host": ["b.example"]})
    expect(page.option("jail")).to_be_visible()
    expect(page.option("tcp_timeout")).to_be_visible()
    page.tab("phones")
    expect(page.option("_mask_host")).to_be_visible()


def test_a_plugins_options_come_with_its_switch_and_stay_when_it_goes(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"plugin_prefix_akey": "0", "load_plugin": "/usr/lib/siproxd/plugin_logcall.la"})
    page.tab("numbers")
    expect(page.option("plugin_prefix_akey")).to_be_hidden()
    page.plugin("prefix")
    expect(page.option("plugin_prefix_akey")).to_be_visible()
    assert page.save()["load_plugin"] == ["/usr/lib/siproxd/plugin_logcall.la", "plugin_prefix.so"]
    page.plugin("prefix", False)
    section = page.save()
    assert section["load_plugin"] == ["/usr/lib/siproxd/plugin_logcall.la"]
    assert section["plugin_prefix_akey"] == "0"


def test_the_trunks_stand_before_who_gets_the_rest(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"load_plugin": ["plugin_defaulttarget.so", "plugin_stats.so"]})
    page.advanced()
    page.tab("providers")
    page.plugin("siptrunk")
    assert page.save()["load_plugin"] == ["plugin_siptrunk.so", "plugin_defaulttarget.so", "plugin_stats.so"]


# What stands in UCI.

AS_IT_STANDS: dict[str, str | list[str]] = {
    "interface_outbound": "wwan", "if_inbound": "nope0", "sip_listen_port": "0x13C4", "lan_expires": "074", "debug_level": "0x80004084",
    "silence_log": "0x1", "load_plugin": "/usr/lib/siproxd/plugin_logcall.la", "plugin_fix_bogus_via_networks": "10.0.0.0/8,172.16.0.0/12",
    "hosts_allow_reg": "192.168.1.0/24, 192.168.2.0/24", "hosts_deny_sip": ["1.2.3.0/24", "1.2.3.0/24"], "rtp_timeout_bye": "0",
    "rtp_proxy_enable": "1", "rtp_latching": "restricted", "outbound_proxy_transport": "sctp", "ua_string": "a # b", "jail": "no",
    "transparent": "01", "outbound_domain_name": ["a.example", "b.example"], "outbound_domain_host": ["sip.a.example"],
    "mask_host": "one.example", "plugin_shortdial_entry": "1747", "daemonize": "1", "plugin_of_the_c_package": "x <b>y</b>",
    "odd_list": ["1", "2"], "use_rport": "7", "max_calls": "many", "proxy_auth_passwd": " with blanks ",
}


def test_what_stands_there_is_the_same_after_an_edit_of_something_else(luci: Watched, router: Router) -> None:
    before: dict[str, str | list[str]] = {"interface_inbound": "lan", **AS_IT_STANDS}
    page = open_with(luci, router, AS_IT_STANDS)
    assert page.save() == before
    page.advanced()
    for tab in TABS:
        page.tab(tab)
    page.tab("network")
    page.type("host_outbound", "198.51.100.7")
    assert page.save() == {**before, "host_outbound": "198.51.100.7"}


def test_what_is_not_known_is_shown_as_such(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {**AS_IT_STANDS, "load_plugin": ["plugin_other.so", "plugin_stats.so"]})
    shown = page.page.locator(".siproxd-unknown li")
    assert {re.sub(r"\s+", " ", text) for text in shown.all_inner_texts()} == {
        "plugin_of_the_c_package x <b>y</b>", "odd_list 1, 2", "load_plugin plugin_other.so"}
    expect(page.option("interface_outbound")).to_contain_text("wwan")


def test_a_value_is_taken_out_by_emptying_it(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"host_outbound": "198.51.100.7"})
    page.type("host_outbound", "")
    assert "host_outbound" not in page.save()


def test_debug_classes_are_boxes_and_others_stay(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"debug_level": "0x80000084"})
    page.tab("log")
    expect(page.option("debug_level").get_by_label("(SIP)")).to_be_checked()
    page.option("debug_level").get_by_label("Registrations").check()
    assert page.save()["debug_level"] == "0x8000008c"
    for name in ("Registrations", "(SIP)", "whole text"):
        page.option("debug_level").get_by_label(name).uncheck()
    assert page.save()["debug_level"] == "0x80000000"


def test_all_debug_classes_stay_all(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"debug_level": "-1"})
    page.tab("log")
    page.option("debug_level").get_by_label("(DNS)").uncheck()
    assert page.save()["debug_level"] == "0xffffffbf"
    page.option("debug_level").get_by_label("(DNS)").check()
    assert page.save()["debug_level"] == "-1"


# Tables.

@pytest.mark.parametrize("table", TABLES)
def test_rows_are_written_to_all_lists_in_order(luci: Watched, router: Router, table: str) -> None:
    columns = TABLES[table]
    lists = {column: [f"{place + 1}.{i}.example" if not column.endswith("_port") else f"506{i}" for i in range(3)]
             for place, column in enumerate(columns)}
    page = open_with(luci, router, {**lists, "load_plugin": [plugin["name"] for plugin in PLUGINS]})
    (directive,) = [one for one in DIRECTIVES if one["name"] == table]
    page.tab(directive["tab"])
    rows = page.rows(table)
    expect(rows).to_have_count(3)

    def written() -> list[list[str]]:
        section = page.save()
        return [section[column] for column in columns]

    def wanted(*order: int) -> list[list[str]]:
        return [[lists[column][i] for i in order] for column in columns]

    rows.nth(0).get_by_role("button", name="Move down").click()
    assert page.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move down: row 2"
    assert written() == wanted(1, 0, 2)
    rows.nth(2).get_by_role("button", name="Move up").click()
    assert written() == wanted(1, 2, 0)
    rows.nth(0).get_by_role("button", name="Remove").click()
    assert written() == wanted(2, 0)
    added = ["5099" if column.endswith("_port") else f"new{place}.example" for place, column in enumerate(columns)]
    page.add_row(table, *added)
    assert written() == [[*lists_of, one] for lists_of, one in zip(wanted(2, 0), added, strict=True)]
    for _ in range(3):
        rows.nth(0).get_by_role("button", name="Remove").click()
    section = page.save()
    assert not set(columns) & set(section)


def test_half_a_row_is_not_saved(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.tab("providers")
    page.add_row("outbound_domain_name", "a.example", "", "5060")
    expect(page.wrong("_outbound_domain_name")).to_have_text("Fill this in, or remove the row.")
    page.page.locator(".cbi-page-actions .cbi-button-save").click()
    expect(page.page.get_by_text("Server, row 1: Fill this in").first).to_be_visible()
    assert "outbound_domain_name" not in page.section()
    luci.problems[:] = [problem for problem in luci.problems if "Fill this in" not in problem]


def test_an_empty_row_is_none(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.tab("providers")
    page.add_row("outbound_domain_name", "a.example", "sip.a.example")
    page.add_row("outbound_domain_name")
    section = page.save()
    assert section["outbound_domain_name"] == ["a.example"]
    assert "outbound_domain_port" not in section


def test_a_port_that_is_left_out_stands_for_the_dns(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.tab("providers")
    page.add_row("outbound_domain_name", "a.example", "sip.a.example")
    page.add_row("outbound_domain_name", "b.example", "sip.b.example", "5070")
    assert page.save()["outbound_domain_port"] == ["0", "5070"]
    expect(page.cell("outbound_domain_name", 0, 2)).to_have_value("")


def test_a_wrong_cell_is_told(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.tab("providers")
    page.add_row("outbound_domain_name", "a.example", "sip.a.example", "x")
    expect(page.wrong("_outbound_domain_name")).to_have_text("A number is needed here.")


def test_short_numbers_are_counted(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {"load_plugin": ["plugin_shortdial.so"], "plugin_shortdial_akey": "*00",
                                    "plugin_shortdial_entry": ["1", "2"]})
    page.tab("numbers")
    numbers = page.option("_plugin_shortdial_entry").locator("tbody .siproxd-number")
    expect(numbers).to_have_text(["*01", "*02"])
    page.type("plugin_shortdial_akey", "#0")
    expect(page.wrong("plugin_shortdial_akey")).to_be_visible()
    page.type("plugin_shortdial_akey", "90")
    expect(numbers).to_have_text(["91", "92"])
    for _ in range(8):
        page.add_row("plugin_shortdial_entry", "3")
    expect(numbers.last).to_have_text("none left")


# Several instances.

def test_an_instance_is_added_with_ports_of_its_own_chosen_and_removed(luci: Watched, router: Router) -> None:
    page = open_with(luci, router, {})
    page.advanced()
    name = page.page.get_by_label("Another one")
    for wrong in ("a-b", "a b", "general"):
        name.fill(wrong)
        expect(page.page.locator("#siproxd-instance-wrong")).not_to_be_empty()
    name.fill("office")
    page.page.locator("#siproxd-instance-add").click()
    expect(page.page.locator("#siproxd-instance")).to_have_value("office")
    page.save()
    office = page.section("office")
    assert (office["sip_listen_port"], office["rtp_port_low"], office["rtp_port_high"]) == ("5062", "7090", "7109")
    page.type("host_outbound", "198.51.100.9")
    page.page.locator("#siproxd-instance").select_option("general")
    expect(page.page.locator("#siproxd-instance")).to_have_value("general")
    expect(page.input("host_outbound")).to_have_value("")
    assert page.section("office")["host_outbound"] == "198.51.100.9"
    page.page.locator("#siproxd-instance").select_option("office")
    expect(page.input("host_outbound")).to_have_value("198.51.100.9")
    page.page.locator("#siproxd-instance-remove").click()
    page.page.get_by_role("button", name="Yes, remove").click()
    expect(page.page.locator("#siproxd-instance")).to_have_value("general")
    page.save()
    assert set(page.sections()) == {"general"}


def test_without_an_instance_the_first_one_is_added(luci: Watched, router: Router) -> None:
    router.config("siproxd", "")
    page = luci.open("settings")
    page.get_by_label("Name").fill("general")
    page.keyboard.press("Enter")
    expect(page.locator("[data-option=enabled]")).to_be_visible()


def test_a_section_without_a_name_is_edited_like_another(luci: Watched, router: Router) -> None:
    router.config("siproxd", "config siproxd\n\toption host_outbound 'a.example'\n")
    page = Settings(luci)
    page.type("host_outbound", "b.example")
    page.save()
    (section,) = page.sections().values()
    assert section["host_outbound"] == "b.example"
    page.advanced()
    expect(page.page.locator("#siproxd-instance option")).to_contain_text("without a name")


# The button "Check".

def test_findings_stand_next_to_the_fields_they_are_about(luci: Watched, real: Router) -> None:
    page = open_with(luci, real, {
        "ua_string": "x" * 129, "plugin_regex_pattern": ["("], "plugin_regex_replace": ["x"], "load_plugin": ["plugin_regex.so"],
        "mystery": "1"})
    page.check()
    finding = page.option("ua_string").locator(".siproxd-finding")
    expect(finding).to_have_text("Error: This is longer than 128 bytes.")
    assert finding.get_attribute("id") in str(page.input("ua_string").get_attribute("aria-describedby")).split()
    expect(page.page.locator(".siproxd-unknown .siproxd-finding")).to_contain_text("left out")


def test_a_finding_is_a_way_to_its_field(luci: Watched, real: Router) -> None:
    page = open_with(luci, real, {"max_calls": "900"})
    page.check()
    expect(page.page.locator(".cbi-tabmenu .cbi-tab")).to_have_text("Network")
    page.page.locator(".siproxd-problems a", has_text="Most calls at a time").click()
    expect(page.page.locator(".cbi-tabmenu .cbi-tab")).to_have_text("Phones")
    expect(page.input("max_calls")).to_be_focused()
    page.type("max_calls", "9")
    expect(page.option("max_calls").locator(".siproxd-finding")).to_have_count(0)
    page.check()
    expect(page.option("max_calls").locator(".siproxd-finding")).to_have_count(0)
    assert page.section()["max_calls"] == "9"


def test_what_is_wrong_with_a_value_is_told_in_the_users_language(luci: Watched, real: Router) -> None:
    luci.bridge.control(lang="de")
    real.config("siproxd", uci({"max_calls": "900"}))
    page = luci.open("settings")
    page.get_by_role("button", name="Prüfen").click()
    expect(page.locator(".siproxd-problems li").first).to_contain_text("von 0 bis 512")


def test_nothing_wrong_is_said(luci: Watched, router: Router) -> None:
    luci.bridge.control(answers={"luci.siproxd.check": [0, {"problems": []}]})
    page = open_with(luci, router, {})
    page.check()
    expect(page.page.locator(".siproxd-fine")).to_be_visible()


def test_findings_speak_of_titles_and_are_text(luci: Watched, router: Router) -> None:
    said = [{"section": "general", "option": "max_calls", "severity": "warning", "text": "`max_calls` <img src=x> `rtp_port_high` `plugin_stats`"},
            {"section": "general", "option": "", "severity": "surprise", "text": "of nothing"}]
    luci.bridge.control(answers={"luci.siproxd.check": [0, {"problems": said}]})
    page = open_with(luci, router, {})
    page.check()
    expect(page.page.locator(".siproxd-problems li")).to_have_text([
        "Error of nothing",
        "Warning Most calls at a time: “Most calls at a time” <img src=x> “Last port for sound” “Figures in the log”"])


def test_what_a_plugin_lacks_is_told_at_its_switch(luci: Watched, real: Router) -> None:
    page = open_with(luci, real, {"load_plugin": ["plugin_prefix.so"]})
    page.check()
    page.tab("numbers")
    expect(page.option("_plugin_prefix").locator(".siproxd-finding")).to_contain_text("does nothing without")


def test_what_another_instance_lacks_leads_there(luci: Watched, real: Router) -> None:
    real.config("siproxd", HEAD + uci({"interface_inbound": "lan", "interface_outbound": "wan", "sip_listen_port": "99999"}, "office"))
    page = Settings(luci)
    page.check()
    page.page.locator(".siproxd-problems a", has_text="office").click()
    expect(page.page.locator("#siproxd-instance")).to_have_value("office")
    expect(page.option("sip_listen_port").locator(".siproxd-finding")).to_have_text("Error: A number from 1 to 65535 is needed here.")


def test_a_check_that_fails_says_why(luci: Watched, router: Router) -> None:
    router.init("echo broken; exit 7")
    page = open_with(luci, router, {})
    page.check()
    expect(page.page.locator(".siproxd-said")).to_contain_text("could not carry out the request")
    expect(page.page.locator(".siproxd-said pre")).to_have_text("broken")


def test_a_reader_can_look_and_not_change(luci: Watched, router: Router) -> None:
    luci.bridge.control(session="reader")
    page = open_with(luci, router, {"outbound_domain_name": ["a.example"], "outbound_domain_host": ["b.example"]})
    expect(page.input("sip_listen_port")).to_be_disabled()
    expect(page.page.locator("#siproxd-check")).to_be_disabled()
    page.tab("providers")
    expect(page.cell("outbound_domain_name", 0, 0)).to_be_disabled()
    expect(page.option("_outbound_domain_name").get_by_role("button", name="Add a row")).to_be_disabled()


# What the page writes is what siproxd takes.

# Where the example is for other machines, or for another directive's sake.
VALUES = {
    "user": "nobody", "proxy_auth_pwfile": "", "plugin_siptrunk_account": "123456@example.org", "control_socket": "/tmp/siproxd-test/general.sock",
    "pid_file": "/var/run/siproxd-general.pid", "registration_file": "/tmp/siproxd-test/registrations",
    "plugin_stats_filename": "/tmp/siproxd-test/statistics", "plugin_blacklist_dbpath": "/tmp/siproxd-test/blacklist",
    "outbound_domain_port": "5060", "debug_bind": "127.0.0.1",
}


@pytest.mark.parametrize("tab", TABS)
def test_siproxd_takes_each_directive_as_the_page_writes_it(luci: Watched, real: Router, tab: str) -> None:
    page = open_with(luci, real, {})
    page.advanced()
    page.tab(tab)
    here = [one for one in DIRECTIVES if one["tab"] == tab and one["kind"] != "plugin"]
    for plugin in [plugin for plugin in PLUGINS if plugin["tab"] == tab]:
        page.plugin(plugin["name"])
    for table in {COLUMNS[one["name"]] for one in here if one["name"] in COLUMNS}:
        page.add_row(table)
    wanted: dict[str, Any] = {}
    for directive in here:
        name, value = directive["name"], VALUES.get(directive["name"], directive.get("example") or directive["default"])
        if not value:
            continue
        wanted[name] = value
        if name in COLUMNS:
            page.cell(COLUMNS[name], 0, TABLES[COLUMNS[name]].index(name)).fill(value)
            wanted[name] = [value]
        elif directive.get("list"):
            wanted[name] = re.split(r",\s*", value)
            for entry in wanted[name]:
                page.add_to_list(name, entry)
        elif directive["kind"] == "switch":
            page.switch(name, value == "0")
            wanted[name] = "1" if value == "0" else "0"
        elif directive["kind"] == "mask":
            page.option(name).get_by_label("(SIP)").check()
            wanted[name] = "0x4"
        elif page.option(name).locator("select").count():
            page.option(name).locator("select").select_option(value)
        elif directive["kind"] == "interface":
            del wanted[name]
        else:
            page.type(name, value)
    section = page.save()
    assert {name: section.get(name) for name in wanted} == wanted
    page.check()
    errors = page.page.locator(".siproxd-problems li", has=page.page.locator("b.siproxd-error"))
    assert not errors.all_inner_texts()
