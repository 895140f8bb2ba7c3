"""The settings page: what siproxd finds wrong stands next to the fields, and what the page writes is what siproxd takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import initscript
from browser import Watched
from router import Router
from settingspage import COLUMNS, DIRECTIVES, HEAD, PLUGINS, TABLES, TABS, Settings, open_with, uci


@pytest.fixture
def real(router: Router) -> Iterator[Router]:
    """A router whose init script is the real one."""
    initscript.put(router)
    yield router


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
            {"section": "general", "option": "", "severity": "toString", "text": "of nothing"},
            {"section": {"toString": 1}, "option": {}, "severity": [], "text": {"toString": 1}}]
    luci.bridge.control(answers={"luci.siproxd.check": [0, {"problems": said}]})
    page = open_with(luci, router, {})
    page.check()
    expect(page.page.locator(".siproxd-problems li")).to_have_text([
        "Error of nothing",
        "Error ",
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
    "user": "nobody", "plugin_siptrunk_account": "123456@example.org", "control_socket": "/tmp/siproxd-test/general.sock",
    "pid_file": "/var/run/siproxd-general.pid", "registration_file": "/tmp/siproxd-test/registrations",
    "plugin_stats_filename": "/tmp/siproxd-test/statistics", "plugin_blacklist_dbpath": "/tmp/siproxd-test/blacklist",
    "outbound_domain_port": "5060", "debug_bind": "127.0.0.1",
}


@pytest.mark.parametrize("tab", TABS)
def test_siproxd_takes_each_directive_as_the_page_writes_it(luci: Watched, real: Router, tab: str, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("alice secret\n")
    values = {**VALUES, "proxy_auth_pwfile": str(passwords)}
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
        name, value = directive["name"], values.get(directive["name"], directive.get("example") or directive["default"])
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
            page.option(name).locator(".cbi-dropdown").click()
            page.option(name).locator(f'li[data-value="{value}"]').first.click()
        else:
            page.type(name, value)
    section = page.save()
    assert {name: section.get(name) for name in wanted} == wanted
    page.check()
    errors = page.page.locator(".siproxd-problems li", has=page.page.locator("b.siproxd-error"))
    assert not errors.all_inner_texts()
