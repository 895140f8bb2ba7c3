"""The rig itself: what must be noticed is noticed."""

from __future__ import annotations

import pytest

from browser import Watched
from conftest import Home
from router import Bridge


def test_a_view_is_drawn(luci: Watched) -> None:
    page = luci.open("rig/hello")
    assert page.text_content("h2") == "Hello"
    assert page.text_content("#count") == "1 instances"


def test_a_bare_string_is_markup_and_one_in_a_list_is_text(luci: Watched) -> None:
    page = luci.open("rig/hello")
    assert page.inner_text("#bare b") == "as markup"
    assert page.inner_text("#list") == "<b>as text</b>"


def test_a_request_to_another_host_is_noticed(luci: Watched) -> None:
    luci.open("rig/hello").evaluate("new Image().src = 'http://192.0.2.1/pixel'")
    luci.expect_problem("another host: http://192.0.2.1/pixel")
    luci.expect_problem("ERR_NAME_NOT_RESOLVED")


def test_errors_are_noticed(luci: Watched) -> None:
    page = luci.open("rig/hello")
    page.evaluate("console.error('a word')")
    luci.expect_problem("console: a word")
    page.evaluate("setTimeout(() => { throw new Error('thrown'); }, 0)")
    luci.expect_problem("thrown")


def test_a_problem_fails_the_test(browser: object, bridge: Bridge) -> None:
    watched = Watched(browser, bridge)  # type: ignore[arg-type]
    watched.open("rig/hello").evaluate("console.error('a word')")
    with pytest.raises(AssertionError, match="a word"):
        watched.close()


def test_the_real_daemon_answers(home: Home, luci: Watched) -> None:
    page = luci.open("rig/hello")
    shown = page.evaluate("L.rpc.declare({ object: 'luci.siproxd', method: 'getStatus' })()")
    (general,) = shown["instances"]
    assert general["state"] == "running", general
    assert {binding["aor"].partition("@")[0] for binding in general["bindings"]} == {"alice", "bob"}


def test_a_read_only_session_may_not_write(luci: Watched) -> None:
    page = luci.open("rig/hello", session="reader")
    assert page.evaluate("L.hasViewPermission()") is False
    call = "([object, method, params, values]) => L.rpc.declare({ object, method, params })(...values).then(() => 'done', e => e.message)"
    refused = page.evaluate(call, ["uci", "set", ["config", "section", "values"], ["siproxd", "general", {"sip_listen_port": "5070"}]])
    assert "Access denied" in refused
    assert "Access denied" in page.evaluate(call, ["luci.siproxd", "act", ["instance", "action"], ["general", "stop"]])
    # Changes nothing, but runs for seconds, in which rpcd serves nobody else; who may not edit has no use of it.
    assert "Access denied" in page.evaluate(call, ["luci.siproxd", "check", [], []])
    assert page.evaluate(call, ["uci", "get", ["config"], ["siproxd"]]) == "done"


def test_arguments_of_a_wrong_type_do_not_reach_the_plugin(luci: Watched) -> None:
    page = luci.open("rig/hello")
    call = "values => L.rpc.declare({ object: 'luci.siproxd', method: 'getLog', params: ['instance', 'after'] })(...values)"
    assert page.evaluate(call, ["general", 0]) == 2
    assert page.evaluate(call, [["general"], "0"]) == 2
    assert page.evaluate(call, ["general", "0"]) != 2


def test_a_change_is_saved_in_the_session_and_then_applied(luci: Watched, bridge: Bridge) -> None:
    page = luci.open("rig/hello")
    page.evaluate("L.uci.load('siproxd').then(() => { L.uci.set('siproxd', 'general', 'outbound_domain_name', [ \"it's\", 'b' ]); return L.uci.save(); })")
    assert page.evaluate("L.uci.changes()") == {"siproxd": [["list-add", "general", "outbound_domain_name", "it's"],
                                                            ["list-add", "general", "outbound_domain_name", "b"]]}
    assert "outbound_domain_name" not in bridge.router.config("siproxd")
    before = bridge.control()["reloads"]
    page.evaluate("L.uci.apply()")
    assert "\tlist outbound_domain_name 'it'\\''s'\n\tlist outbound_domain_name 'b'\n" in bridge.router.config("siproxd")
    assert page.evaluate("L.uci.changes()") == {}
    bridge.wait_reload(before)


# A type, what is one, and what is none.
DATATYPES = [
    ("port", "5060", "65536"), ("portrange", "7070-7089", "7089-7070"), ("host", "sip.example.org", "a b"), ("hostname", "router", "10.0.0.1"),
    ("cidr4", "10.0.0.0/8", "10.0.0.0/33"), ("cidr6", "2001:db8::/32", "10.0.0.0/8"), ("ipaddr", "2001:db8::1", "10.0.0.256"),
    ("uinteger", "0", "-1"), ("range(0,63)", "46", "64"), ("maxlength(3)", "abc", "abcd"), ("or(port,\"off\")", "off", "on"),
    ("and(uinteger,min(5))", "5", "4"), ("list(ip4addr)", "10.0.0.1 10.0.0.2", "10.0.0.1 x"),
]


def test_datatypes(luci: Watched) -> None:
    page = luci.open("rig/hello")
    faults = page.evaluate("all => L.require('validation').then(v => all.map(([kind, good, bad]) => [v.fault(kind, good), v.fault(kind, bad)]))", DATATYPES)
    for (kind, _, _), (good, bad) in zip(DATATYPES, faults, strict=True):
        assert good is None, kind
        assert bad, kind


def test_lists_and_numbers_are_formatted(luci: Watched) -> None:
    page = luci.open("rig/hello")
    shown = page.evaluate("['%d of %05.1f'.format(3, 2.25), '%h'.format('<b>'), '%t'.format(3725), '%1024.1mB'.format(2048), '%-4s|'.format('a'), '%%'.format()]")
    assert shown == ["3 of 002.3", "&#60;b&#62;", "1h 2m 5s", "2.0 KiB", "a   |", "%"]
