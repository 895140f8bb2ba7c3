"""The settings page: lists that belong together as tables, and several instances."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser import Watched
from router import Router
from settingspage import DIRECTIVES, HEAD, PLUGINS, TABLES, Settings, open_with, uci

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


def test_what_cannot_be_kept_is_not_left(luci: Watched, router: Router) -> None:
    router.config("siproxd", HEAD + uci({"host_outbound": "b.example"}, "office"))
    page = Settings(luci)
    page.type("host_outbound", "1.2.3")
    page.page.locator("#siproxd-instance").select_option("office")
    expect(page.page.locator(".siproxd-said")).to_contain_text("First mend what is marked")
    expect(page.page.locator("#siproxd-instance")).to_have_value("general")
    expect(page.input("host_outbound")).to_have_value("1.2.3")
    page.type("host_outbound", "198.51.100.7")
    page.page.locator("#siproxd-instance").select_option("office")
    expect(page.input("host_outbound")).to_have_value("b.example")
    assert page.section()["host_outbound"] == "198.51.100.7"


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
