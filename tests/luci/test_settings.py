"""The settings page: each directive has its field, what is typed is checked, and what nobody changes stays as it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import Watched
from router import Router
from settingspage import DIRECTIVES, OWN, PLUGINS, TABS, field_of, open_with

# Each directive has a field.

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
    page = open_with(luci, router, {**AS_IT_STANDS, "load_plugin": ["plugin_other.so", "plugin_stats.so"], "proxy_auth_pasword": "geheim"})
    shown = page.page.locator(".siproxd-unknown li")
    assert {re.sub(r"\s+", " ", text) for text in shown.all_inner_texts()} == {
        "plugin_of_the_c_package x <b>y</b>", "odd_list 1, 2", "proxy_auth_pasword •••••", "load_plugin plugin_other.so"}
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
