"""The rig's stand-in for LuCI's forms: what is typed is checked, what is saved stands in UCI, and nothing else."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from browser import Watched
from router import GENERAL, Bridge

RULES = "\nconfig rule\n\toption name 'first'\n\nconfig rule\n\toption name 'second'\n\nconfig line 'here'\n\toption name 'a line'\n"


def opened(luci: Watched, **state: object) -> Page:
    """The form, over a section and two rules."""
    luci.bridge.router.config("siproxd", GENERAL + RULES)
    return luci.open("rig/form", **state)


def field(page: Page, name: str) -> Locator:
    """An option of the section."""
    return page.locator(f"#cbi-siproxd-general-{name}")


def tab(page: Page, name: str) -> None:
    """Opens a tab."""
    page.locator(".cbi-tabmenu li", has_text=name).locator("a").click()


def test_what_depends_is_hidden_and_not_written(luci: Watched) -> None:
    page = opened(luci)
    expect(field(page, "port")).to_be_hidden()
    field(page, "use").locator("input[type=checkbox]").check()
    expect(field(page, "port")).to_be_visible()
    field(page, "port").locator("input").fill("5070")
    assert "\toption use '1'\n\toption port '5070'\n" in luci.save_and_apply()
    field(page, "use").locator("input[type=checkbox]").uncheck()
    expect(field(page, "port")).to_be_hidden()
    after = luci.save_and_apply()
    assert "port" not in after and "\toption use '0'\n" in after
    assert after.endswith(RULES)


def test_a_wrong_value_is_marked_while_it_is_typed_and_is_not_saved(luci: Watched, bridge: Bridge) -> None:
    page = opened(luci)
    field(page, "use").locator("input[type=checkbox]").check()
    typed = field(page, "port").locator("input")
    typed.press_sequentially("70000")
    expect(typed).to_have_class("cbi-input-text cbi-input-invalid")
    assert typed.get_attribute("data-tooltip") == "Expecting: valid port value"
    assert page.locator(".cbi-tabmenu li[data-tab=one]").get_attribute("data-errors") == "1"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#modal_overlay")).to_contain_text('Option "Port" contains an invalid input value.')
    luci.expect_problem('Option "Port"')
    assert bridge.calls("uci.set") == []


def test_words_of_a_validate_of_ones_own(luci: Watched) -> None:
    typed = field(opened(luci), "secret").locator("input")
    assert typed.get_attribute("type") == "password"
    typed.press_sequentially("secret")
    assert typed.get_attribute("data-tooltip") == "not that one"
    typed.press_sequentially("s")
    assert typed.get_attribute("data-tooltip") is None


def test_lists_and_choices_are_written(luci: Watched) -> None:
    page = opened(luci)
    expect(page.locator(".cbi-tabmenu li[data-tab=empty]")).to_be_hidden()
    tab(page, "Two")
    field(page, "kind").locator("select").select_option("b")
    hosts = field(page, "hosts").locator(".add-item input")
    for host in ("10.0.0.1", "example.org"):
        hosts.fill(host)
        hosts.press("Enter")
    field(page, "interface_inbound").locator(".cbi-dropdown").click()
    field(page, "interface_inbound").locator("li[data-value=wan]").click()
    field(page, "many").locator(".cbi-dropdown").click()
    field(page, "many").locator("li[data-value=y]").click()
    field(page, "text").locator("textarea").fill("two\nlines")
    assert field(page, "shown").locator(".cbi-value-dummy").inner_text() == "<b>as text</b>"
    saved = luci.save_and_apply()
    for line in ("option kind 'b'", "list hosts '10.0.0.1'\n\tlist hosts 'example.org'", "option interface_inbound 'wan'", "list many 'y'",
                 "option text 'two\nlines'"):
        assert f"\t{line}\n" in saved, saved


def test_rows_are_added_removed_and_moved(luci: Watched) -> None:
    page = opened(luci)
    rules = page.locator("#cbi-siproxd-rule")
    rules.locator(".cbi-section-table-row").nth(1).drag_to(rules.locator(".cbi-section-table-row").nth(0))
    rules.get_by_role("button", name="Add").click()
    expect(rules.locator(".cbi-section-table-row")).to_have_count(3)
    rules.locator(".cbi-section-table-row").nth(2).locator("input").fill("third")
    saved = luci.save_and_apply()
    assert saved.endswith("config rule\n\toption name 'third'\n")
    assert saved.index("second") < saved.index("first") < saved.index("third")
    rules.locator(".cbi-section-table-row").nth(0).get_by_role("button", name="Delete").click()
    expect(rules.locator(".cbi-section-table-row")).to_have_count(2)
    assert "second" not in luci.save_and_apply()


def test_a_grid_is_edited_in_a_dialog(luci: Watched) -> None:
    page = opened(luci)
    line = page.locator("#cbi-siproxd-line")
    expect(line.locator(".cbi-section-table-row")).to_contain_text("a line")
    line.get_by_role("button", name="Edit").click()
    page.locator("#modal_overlay #cbi-siproxd-here-more input").fill("another word")
    page.locator("#modal_overlay").get_by_role("button", name="Save").click()
    expect(page.locator("#modal_overlay")).to_be_hidden()
    assert "\toption name 'a line'\n\toption more 'another word'\n" in luci.save_and_apply()


def test_a_read_only_session_sees_and_changes_nothing(luci: Watched) -> None:
    page = opened(luci, session="reader")
    expect(field(page, "use").locator("input[type=checkbox]")).to_be_disabled()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    expect(page.locator("#cbi-siproxd-rule").get_by_role("button", name="Add")).to_be_disabled()


def test_reset_takes_back_what_is_not_saved(luci: Watched) -> None:
    page = opened(luci)
    field(page, "secret").locator("input").fill("word")
    page.get_by_role("button", name="Reset").click()
    expect(field(page, "secret").locator("input")).to_have_value("")


def test_a_save_that_fails_is_said(luci: Watched) -> None:
    page = opened(luci, uciFails={"set": 6})
    field(page, "secret").locator("input").fill("word")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#modal_overlay")).to_contain_text("RPC call to uci/set failed with ubus code 6: Permission denied")
    luci.expect_problem("Permission denied")
