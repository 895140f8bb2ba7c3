"""Strangers and broken daemons: what they write is shown as text, and nothing of it runs or breaks the page."""

from __future__ import annotations

import copy
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import Watched
from conftest import Home
from lab.control import ask
from lab.netns import PHONES, ROUTER_LAN, SIP_PORT
from lab.rawcall import sdp_target
from lab.sockets import udp_in
from lab.voice import Voice, talk
from playwright.sync_api import Page, expect
from router import Router
from samples import binding, call, ended, heard, instance, refusal, status

OUTBOUND = (ROUTER_LAN, SIP_PORT)

# A script that ran would open a dialog, which fails the test.
TEXTS = {
    "script": "<script>alert('script')</script>",
    "image": "<img src=x onerror=alert('image')>",
    "attribute": "\"'><svg onload=alert('attribute')>",
    "link": "javascript:alert('link')",
    "escaped": "%3Cscript%3Ealert('escaped')%3C/script%3E",
    "format": "%s %d %n %q {{7*7}} ${7*7}",
    "control": "a" + "".join(map(chr, [*range(0x00, 0x20), *range(0x7f, 0xa0)])) + "b",
    "long": "x" * 10_000,
    "words": "<b>word</b> " * 1000,
    "overriding": "safe\u202egnp.exe\u2066\u2067\u2069\u200f",
    "right-to-left": "שלום עולם مرحبا",
    "piled": "Z" + "\u0301\u0321" * 500,
    "surrogate": "a\ud800b\udc00c",
    "names": "__proto__",
}

# Members whose values are the daemon's own words, or numbers.
OWN = {"v", "type", "state", "side", "kind", "name"}

# What a page of ours may have in it.
ELEMENTS = {
    "A", "ARTICLE", "BDI", "BUTTON", "CAPTION", "CODE", "DD", "DETAILS", "DIV", "DL", "DT", "H2", "H3", "H4", "H5", "HEADER", "LABEL", "P", "SECTION",
    "SMALL", "SPAN", "STRONG", "SUMMARY", "TABLE", "TD", "TH", "TIME", "TR", "desc", "line", "path", "rect", "svg", "title"}


def _with(value: Any, put: Callable[[Any], Any], key: str = "") -> Any:
    """A copy in which each leaf that is not the daemon's own is what `put` makes of it."""
    if isinstance(value, dict):
        return {name: _with(one, put, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_with(one, put, key) for one in value]
    return value if key in OWN else put(value)


def _all() -> dict[str, Any]:
    """An instance with one of each, and a call that has ended."""
    return {
        "instance": instance(
            text="words", status=status(problems=["a problem"], host_outbound="home.example"), bindings=[binding()], refusals=[refusal(code=499)],
            calls=[call(fault="gap", verdict="a sentence")]),
        "ended": ended(fault="gap", verdict="a sentence")}


def _answers(lines: dict[str, Any]) -> dict[str, Any]:
    return {"luci.siproxd.getStatus": [0, {"instances": [lines["instance"]]}], "luci.siproxd.getHistory": [0, {"ended": [lines["ended"]]}]}


def _assert_harmless(luci: Watched) -> None:
    """Nothing but our elements, without listeners in markup; nothing invisible in the text, and all of it within the window."""
    page = luci.page
    found = page.evaluate("""() => [ ...document.querySelectorAll('#view *') ].map(node => [ node.nodeName,
        [ ...node.attributes ].map(one => one.name).filter(name => /^on|^style$|^src$/.test(name)),
        /^\\s*javascript:/i.test(node.getAttribute('href') ?? '') ])""")
    assert {name for name, _, _ in found} <= ELEMENTS, {name for name, _, _ in found} - ELEMENTS
    assert not [one for one in found if one[1] or one[2]]
    text = page.locator("#view").evaluate("node => node.textContent")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    for viewport in ("desktop", "phone"):
        luci.size(viewport)
        luci.assert_fits()
        assert page.evaluate("document.documentElement.scrollHeight") < 8000
    assert page.evaluate("Object.prototype.toString.call({}) === '[object Object]' && ({}).polluted === undefined")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("view", ["overview", "calls"])
def test_hostile_text_in_each_member_is_text(luci: Watched, view: str, name: str) -> None:
    lines = _with(_all(), lambda value: TEXTS[name] if isinstance(value, str) else value)
    page = luci.open(view, answers=_answers(lines))
    expect(page.get_by_role("table")).to_have_count(1)
    if view == "overview":
        expect(page.get_by_role("article")).to_have_count(1)
    _assert_harmless(luci)


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_in_addresses_of_people_is_text(luci: Watched, name: str) -> None:
    """As a user before the host, of which the name is taken."""
    uri = f"sip:{TEXTS[name]}@{TEXTS[name]}"
    lines = _all()
    lines["instance"]["bindings"] = [binding(aor=uri[4:], contact=uri)]
    lines["instance"]["calls"][0]["caller"]["uri"] = lines["instance"]["calls"][0]["callee"]["uri"] = uri
    page = luci.open("overview", answers=_answers(lines))
    expect(page.get_by_role("article")).to_have_count(1)
    _assert_harmless(luci)
    page.get_by_role("button", name="End call").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.locator("#modal_overlay script, #modal_overlay img, #modal_overlay svg").count() == 0
    luci.assert_fits()


def test_text_in_another_direction_moves_nothing_around_it(luci: Watched) -> None:
    """The number stays before its host, and the cells in their order."""
    lines = _all()
    lines["instance"]["bindings"] = [binding(aor="שלום@provider.example", phone="192.168.1.77:5060")]
    page = luci.open("overview", answers=_answers(lines))
    row = page.get_by_role("table").get_by_role("row").nth(1)
    places = [row.get_by_text(text).bounding_box() for text in ("שלום", "provider.example", "192.168.1.77")]
    assert all(places)
    assert places[0]["x"] < places[1]["x"] < places[2]["x"]  # type: ignore[index]


@pytest.mark.parametrize("wrong", [None, [], {}, "", "x", -1, 1e300, True, [None], {"toString": 1}, ["a", {"b": []}]], ids=repr)
@pytest.mark.parametrize("view", ["overview", "calls"])
def test_members_of_another_kind_break_no_page(luci: Watched, view: str, wrong: Any) -> None:
    lines = _with(_all(), lambda value: copy.deepcopy(wrong))
    page = luci.open(view, answers=_answers(lines))
    expect(page.locator(".siproxd-instance, .siproxd-table").first).to_be_visible()
    _assert_harmless(luci)


@pytest.mark.parametrize("wrong", [None, 5, "x", [], [[]], [5], [None], {}], ids=repr)
def test_lists_and_objects_of_another_kind_break_no_page(luci: Watched, wrong: Any) -> None:
    for place in (("status",), ("bindings",), ("calls",), ("refusals",), ("status", "tables"), ("status", "lan"), ("status", "problems"),
                  ("status", "rtp_ports"), ("calls", 0, "media"), ("calls", 0, "caller"), ("calls", 0, "media", 0, "caller")):
        lines = _all()
        at = lines["instance"]
        for step in place[:-1]:
            at = at[step]
        at[place[-1]] = wrong
        page = luci.open("overview", answers=_answers(lines))
        expect(page.locator(".siproxd-headline")).to_be_visible()


@pytest.mark.parametrize("answer", [[0], [0, None], [0, []], [0, {}], [0, {"instances": 5}], [9], [6], [7], [0, {"instances": None}]], ids=repr)
def test_an_answer_of_another_kind_is_told(luci: Watched, answer: list[Any]) -> None:
    page = luci.open("overview", answers={"luci.siproxd.getStatus": answer})
    expect(page.locator(".siproxd-message .siproxd-note")).to_have_count(1)
    expect(page.locator(".siproxd-message")).to_contain_text("It is asked again every few seconds.")


def test_a_hundred_calls_and_phones_are_shown(luci: Watched) -> None:
    lines = _all()
    lines["instance"]["calls"] = [call(id=f"{number}.1") for number in range(100)]
    # All alike.
    lines["instance"]["bindings"] = [binding() for _ in range(100)]
    page = luci.open("overview", answers=_answers(lines))
    expect(page.get_by_role("article")).to_have_count(100)
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(101)


# The program in the daemon's place.

BROKEN = {
    "huge": ("head -c 400000 /dev/zero | tr '\\0' x", "larger than this page takes"),
    "no JSON": ("echo '<script>alert(1)</script>'", "could not be read"),
    "half a line": ("printf '{\"v\":1,\"type\":\"status\",\"vers'", "could not be read"),
    "dead": ("kill -9 $$", "could not carry out the request"),
    "silent": ("exit 0", "could not be read"),
    "breaks off": ("echo 'siproxd: the daemon has broken off' >&2; exit 1", "could not be read"),
    "not there": ("echo 'siproxd: no siproxd runs here: <b>x</b>' >&2; exit 1", "is not running"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_daemon_is_told(router: Router, luci: Watched, name: str) -> None:
    script, said = BROKEN[name]
    router.started()
    router.hook(script)
    page = luci.open("overview")
    expect(page.locator(".siproxd-headline")).to_contain_text(said)
    _assert_harmless(luci)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_daemon_is_told_of_calls(router: Router, luci: Watched, name: str) -> None:
    script, said = BROKEN[name]
    if name == "silent":
        # No calls is an answer.
        said = "There has been no call yet."
    router.started()
    router.hook(script)
    page = luci.open("calls")
    expect(page.locator("#view")).to_contain_text(said)
    _assert_harmless(luci)


# Through the real daemon, from a phone and by a call.


def _register(home: Home, user: str) -> Any:
    """A phone registers with the router under this name."""
    endpoint = home.world.endpoint("phone3")
    name = f"sip:{user}@{ROUTER_LAN}"
    call_id = endpoint.call_id() + "<script>alert(1)</script>"
    endpoint.send(endpoint.request("REGISTER", f"sip:{ROUTER_LAN}", sender=name, to=name, call_id=call_id, headers=(
        "Expires: 300", "User-Agent: <script>alert('agent')</script>", "Subject: \u202e<img src=x onerror=alert('subject')>")), OUTBOUND)
    assert endpoint.wait_response(call_id).status == 200
    return endpoint


# Users of a URI that the daemon takes, and what is to be seen of them.
USERS = {
    "%3Cscript%3Ealert('user')%3C%2Fscript%3E": "<script>alert('user')</script>",
    "\u202egnp.exe": "\ufffdgnp.exe",
    "x" * 200: "x" * 64 + "…",
    "Z" + "\u0301" * 50: "Z" + "\u0301" * 4,
}


@pytest.mark.parametrize("user", USERS, ids=["script", "overriding", "long", "piled"])
def test_a_phones_name_comes_as_text_through_the_daemon(home: Home, luci: Watched, user: str) -> None:
    endpoint = _register(home, user)
    try:
        page = luci.open("overview")
        row = page.get_by_role("table").get_by_role("row").filter(has_text=f":{endpoint.port}")
        expect(row.locator("strong")).to_have_text(USERS[user])
        _assert_harmless(luci)
    finally:
        endpoint.close()


@pytest.fixture
def hostile_call(home: Home) -> Iterator[None]:
    """A call between two bare phones whose names, agents and codec are markup; each speaks for a second."""
    callee_user = "%22%3E%3Csvg%20onload=alert('to')%3E"
    caller_uri = "sip:%3Cimg%20src=x%20onerror=alert('from')%3E@evil.example"
    callee = _register(home, callee_user)
    caller = home.world.endpoint("phone2")
    ports = [udp_in(home.world.network.ns(host), PHONES[host], 4100) for host in ("phone2", "phone3")]
    codec = "<b onclick=alert(1)>codec"

    def offer(address: str) -> str:
        return (f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=<script>alert('s')</script>\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
                f"m=audio 4100 RTP/AVP 96\r\na=rtpmap:96 {codec}/8000\r\na=sendrecv\r\n")

    uri, call_id = f"sip:{callee_user}@{ROUTER_LAN}", caller.call_id() + "<script>alert('id')</script>"
    headers = ("User-Agent: <script>alert('agent')</script>", "Subject: <script>alert('subject')</script>")
    try:
        caller.send(caller.request("INVITE", uri, sender=caller_uri, call_id=call_id, headers=headers, body=offer(caller.address)), OUTBOUND)
        invite = callee.wait_request("INVITE")
        contact = f"Contact: \"<script>alert('contact')</script>\" <sip:x@{callee.address}:{callee.port}>"
        callee.send(callee.answer(invite, 200, "<script>alert('reason')</script>", headers=(contact,), body=offer(callee.address)),
                    (invite.packet.src, invite.packet.sport))
        accepted = caller.wait_response(call_id, method="INVITE")
        routes = tuple(f"Route: {value}" for value in reversed(accepted.all("record-route")))
        tag = re.search(r";tag=([^;>\s]+)", accepted.first("to"))
        target = re.search(r"<(sip:[^>]+)>", accepted.first("contact"))
        assert tag and target
        caller.send(caller.request("ACK", target.group(1), sender=caller_uri, to=uri, call_id=call_id, headers=routes,
                                   contact=False, to_tag=tag.group(1)), OUTBOUND)
        callee.wait_request("ACK")
        voices = [Voice(ports[0], sdp_target(accepted.body), 1, 96), Voice(ports[1], sdp_target(invite.body), 2, 96)]
        talk(1.0, *voices)
        yield
    finally:
        for line in ask(home.world.siproxd, "calls"):
            ask(home.world.siproxd, "drop", line["id"])
        for one in (caller, callee, *ports):
            one.close()


def test_a_call_comes_as_text_through_the_daemon(home: Home, luci: Watched, hostile_call: None) -> None:
    (line,) = ask(home.world.siproxd, "calls")
    assert "onerror" in line["caller"]["uri"] and "onload" in line["callee"]["uri"], line
    page = luci.open("overview")
    card = page.get_by_role("article")
    expect(card).to_contain_text("<img src=x onerror=alert('from')>")
    expect(card).to_contain_text("\"><svg onload=alert('to')>")
    expect(card).to_contain_text(line["media"][0]["caller"]["codec"])
    _assert_harmless(luci)
    ask(home.world.siproxd, "drop", line["id"])
    page = luci.open("calls")
    expect(page.get_by_role("row").nth(1)).to_contain_text("<img src=x onerror=alert('from')>")
    _assert_harmless(luci)


def test_a_daemon_that_hangs_is_told_and_shown_again(home: Home, luci: Watched) -> None:
    (line,) = ask(home.world.siproxd, "status")
    page = luci.open("overview")
    expect(page.locator(".siproxd-headline")).to_have_text("All is well.")
    os.kill(line["pid"], signal.SIGSTOP)
    try:
        expect(page.locator(".siproxd-headline")).to_contain_text("did not answer in time", timeout=30_000)
        expect(page.get_by_role("table")).to_contain_text("alice")
    finally:
        os.kill(line["pid"], signal.SIGCONT)
    expect(page.locator(".siproxd-headline")).to_have_text("All is well.", timeout=30_000)
