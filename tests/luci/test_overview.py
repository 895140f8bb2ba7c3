"""The overview: what a householder sees of his phones and calls, and what he can do there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser import Watched
from conftest import Home
from lab.callcheck import assert_ports_closed
from lab.control import ask
from lab.kamailio import aor
from lab.netns import PHONES, PROVIDER, ROUTER_LAN, ROUTER_WAN
from lab.wait import until
from playwright.sync_api import expect
from samples import binding, call, heard, instance, refusal, shown, status

# The daemon's words for verdicts, as docs/verdict.md has them.
FAULTS = {
    "nothing-at-all": "Nobody is heard", "nothing-at-all-but-rtcp": "Nobody sends sound", "stranger": "an address that nobody announced",
    "stranger-later": "broke off, and comes from an address that nobody announced", "not-one-stream": "changing ports",
    "nothing": "One side is not heard", "nothing-but-rtcp": "One side sends no sound", "no-sound": "found no way to send sound",
    "blocked": "cut off after the first moments", "both-silent": "Both sides fell silent", "one-way": "in one direction only",
    "foreign-codec": "a codec that the other does not know", "lost": "lost on the way here", "lost-beyond": "lost on the way from here",
    "gap": "was interrupted", "jitter": "comes unevenly"}


# With a real daemon, and real phones.


def test_the_phones_are_shown_with_their_registrations(home: Home, luci: Watched) -> None:
    page = luci.open("overview")
    expect(page.locator(".siproxd-headline")).to_have_text("All is well.")
    expect(page.locator(".siproxd-more")).to_have_text("2 phones are registered.")
    rows = page.get_by_role("table", name="Registered phones").get_by_role("row")
    expect(rows).to_have_count(3)
    for user, host in (("alice", "phone1"), ("bob", "phone2")):
        row = rows.filter(has_text=user)
        expect(row).to_contain_text(PROVIDER)
        expect(row).to_contain_text(PHONES[host])
        expect(row).to_contain_text("registered")
        expect(row).to_contain_text(re.compile(r"\d+ (minutes|hours?|seconds)"))


def test_addresses_version_and_room_are_shown(home: Home, luci: Watched) -> None:
    page = luci.open("overview")
    (line,) = ask(home.world.siproxd, "status")
    facts = page.locator(".siproxd-facts")
    for text in (ROUTER_WAN, ROUTER_LAN, line["version"], str(line["sip_port"])):
        expect(facts).to_contain_text(text)
    for name, table in (("Registrations", "bindings"), ("Sound ports", "rtp_ports"), ("Calls", "calls")):
        gauge = page.locator(".siproxd-gauge").filter(has_text=name)
        expect(gauge).to_contain_text(f"{line['tables'][table]['used']} of {line['tables'][table]['limit']}")
    expect(page.locator(".siproxd-gauges")).to_contain_text("7070")
    expect(page.locator(".siproxd-gauges")).to_contain_text(re.compile(r"Memory\s*\d\.\d of \d\.\d MB"))


@pytest.fixture
def talk(home: Home) -> Iterator[None]:
    """Alice at home has called carol, and they talk."""
    alice, carol = home.world["phone1"], home.world["remote"]
    at_alice, at_carol = alice.mark(), carol.mark()
    alice.dial(aor(carol.user))
    carol.event("CALL_INCOMING", at_carol)
    carol.accept()
    alice.event("CALL_ESTABLISHED", at_alice)
    carol.event("CALL_ESTABLISHED", at_carol)
    yield
    if ask(home.world.siproxd, "calls"):
        alice.hangup()
        assert_ports_closed(home.world.network)


def test_a_call_is_shown_while_it_lasts(home: Home, luci: Watched, talk: None) -> None:
    page = luci.open("overview")
    card = page.get_by_role("article")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Outgoing")
    expect(card.locator(".siproxd-who")).to_have_text(re.compile("alice.*calls.*carol"))
    expect(card).to_contain_text("talking")
    ways = card.locator(".siproxd-way")
    for name in ("Your phone hears", "The other side hears"):
        way = ways.filter(has_text=name)
        expect(way).to_contain_text("G.711")
        expect(way).to_contain_text(re.compile(r"Quality[1-4]\.\d\d (good|fair|bad)"))
        expect(way).to_contain_text(re.compile(r"Loss\d+\.\d %"))
        expect(way).to_contain_text(re.compile(r"Jitter\d+\.\d ms"))
        expect(way.get_by_role("img")).to_have_attribute("aria-label", re.compile(f"{name}, the last two minutes: Quality"))
    # The graph grows with the polls.
    expect(ways.first.locator(".siproxd-line")).to_have_attribute("d", re.compile("M.*L"), timeout=20_000)
    before = card.get_by_role("timer").inner_text()
    expect(card.get_by_role("timer")).not_to_have_text(before)
    assert re.fullmatch(r"0:\d\d", before), before


def test_a_call_is_ended_after_a_question(home: Home, luci: Watched, talk: None) -> None:
    page = luci.open("overview")
    end = page.get_by_role("article").get_by_role("button", name="End call")
    end.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile("alice.*calls.*carol"))
    expect(dialog.get_by_role("button", name="Let it go on")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(end).to_be_focused()
    assert len(ask(home.world.siproxd, "calls")) == 1
    end.click()
    dialog.get_by_role("button", name="End call").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_text("Nobody is on the phone.")).to_be_visible()
    assert ask(home.world.siproxd, "calls") == []
    assert_ports_closed(home.world.network)


# What must be noticed.


@pytest.mark.parametrize(("code", "text", "said"), [
    (401, "the password is wrong, or the account is not known there", "the password is wrong, or the account is not known there"),
    (499, "the words of a later version", "the words of a later version"), (403, "", "it is forbidden"), (499, "", "refused with code 499")])
def test_a_refused_registration_is_told_in_plain_words(luci: Watched, code: int, text: str, said: str) -> None:
    page = luci.open("overview", answers=shown(instance(bindings=[], refusals=[refusal(code=code, text=text)])))
    expect(page.locator(".siproxd-headline")).to_have_text("A phone could not register.")
    note = page.locator(".siproxd-refusals .siproxd-note")
    expect(note).to_have_count(1)
    for part in ("carol", "could not register", "203.0.113.1: ", said, "192.168.1.23", "3 times", "20 seconds ago", f"code {code}"):
        expect(note).to_contain_text(part)


def test_a_refusal_of_the_routers_own_names_no_server(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(refusals=[refusal(registrar="own", text="the table of registrations is full: raise max_bindings")])))
    expect(page.locator(".siproxd-refusals p").first).to_have_text("the table of registrations is full: raise max_bindings")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_verdict_has_a_headline_the_daemons_sentence_and_what_helps(luci: Watched, fault: str) -> None:
    page = luci.open("overview", answers=shown(instance(calls=[call(fault=fault, verdict="as the daemon says it")])))
    expect(page.locator(".siproxd-headline")).to_have_text("The sound of a call is not right.")
    note = page.get_by_role("article").locator(".siproxd-note")
    expect(note.locator("strong")).to_contain_text(FAULTS[fault])
    expect(note.locator(".siproxd-detail")).to_have_text("as the daemon says it")
    expect(note.locator("p")).to_have_count(2)


@pytest.mark.parametrize(("party", "said"), [("caller", "on Wi-Fi"), ("callee", "The line is full"), (None, "The line is full")])
def test_what_helps_is_for_the_party_at_fault(luci: Watched, party: str | None, said: str) -> None:
    page = luci.open("overview", answers=shown(instance(calls=[call(fault="lost", fault_party=party, verdict="4.00 % lost")])))
    expect(page.get_by_role("article").locator(".siproxd-note")).to_contain_text(said)


def test_a_verdict_of_an_unknown_kind_has_the_daemons_sentence(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(calls=[call(fault="new", verdict="something of a later version")])))
    note = page.get_by_role("article").locator(".siproxd-note")
    expect(note).to_contain_text("Something is wrong with the sound")
    expect(note).to_contain_text("something of a later version")


@pytest.mark.parametrize(("mos", "word"), [(4.38, "good"), (4.0, "good"), (3.99, "fair"), (3.1, "fair"), (3.09, "bad"), (1, "bad")])
def test_quality_is_a_number_and_a_word(luci: Watched, mos: float, word: str) -> None:
    page = luci.open("overview", answers=shown(instance(calls=[call(callee=heard(mos=mos))])))
    expect(page.locator(".siproxd-way").filter(has_text="Your phone hears")).to_contain_text(f"{mos:.2f} {word}")


def test_numbers_are_written_as_the_language_does(luci: Watched) -> None:
    page = luci.open("overview", lang="de", answers=shown(instance(calls=[call(callee=heard(mos=3.5))])))
    expect(page.locator(".siproxd-way").first).to_contain_text("3,50")


@pytest.mark.parametrize(("caller", "callee", "said", "first"), [
    ("lan", "wan", "Outgoing", "Your phone hears"), ("wan", "lan", "Incoming", "Your phone hears"),
    ("lan", "lan", "In the house", "alice hears")])
def test_direction_is_that_of_the_parties(luci: Watched, caller: str, callee: str, said: str, first: str) -> None:
    line = call()
    line["caller"]["side"], line["callee"]["side"] = caller, callee
    page = luci.open("overview", answers=shown(instance(calls=[line])))
    expect(page.get_by_role("article")).to_contain_text(said)
    expect(page.locator(".siproxd-way h5").first).to_have_text(first)


def test_a_caller_without_a_number_is_told(luci: Watched) -> None:
    line = call(state="ringing", media=[])
    line["caller"]["uri"] = "sip:anonymous@anonymous.invalid"
    del line["answered_ago"]
    page = luci.open("overview", answers=shown(instance(calls=[line])))
    expect(page.locator(".siproxd-who")).to_contain_text("number withheld")
    expect(page.get_by_role("article")).to_contain_text("ringing")
    expect(page.locator(".siproxd-way")).to_have_count(0)


@pytest.mark.parametrize(("problem", "said"), [
    ("WAN interface pppoe-wan has no address", "The Internet connection (pppoe-wan) has no address"),
    ("LAN interface br-lan has no address", "The home network (br-lan) has no address"),
    ("there is no nameserver in /etc/resolv.conf", "knows no name server"),
    ("no nameserver answers for 3 names", "No name server answers for 3 names"),
    ("a problem of a later version", "a problem of a later version")])
def test_what_keeps_it_from_its_work_is_told(luci: Watched, problem: str, said: str) -> None:
    page = luci.open("overview", answers=shown(instance(status=status(problems=[problem]))))
    expect(page.locator(".siproxd-headline")).to_have_text("Something keeps siproxd from its work.")
    expect(page.locator(".siproxd-problems")).to_contain_text(said)


@pytest.mark.parametrize(("used", "word"), [(31, ""), (32, "nearly full"), (39, "nearly full"), (40, "full")])
def test_a_table_that_is_nearly_full_is_named(luci: Watched, used: int, word: str) -> None:
    line = status()
    line["tables"]["rtp_ports"]["used"] = used
    page = luci.open("overview", answers=shown(instance(status=line)))
    gauge = page.locator(".siproxd-gauge").filter(has_text="Sound ports (7070 to 7089 on both sides)")
    expect(gauge.locator("dd")).to_have_text(f"{used} of 40 {word}".strip())


def test_memory_is_shown_where_it_is_known(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(status=status())))
    memory = page.locator(".siproxd-gauge").filter(has_text="Memory")
    expect(memory.locator("dd")).to_have_text("1.8 of 5.2 MB")
    page = luci.open("overview", answers=shown(instance(status=status(memory={"limit": 5_452_595}))))
    expect(page.locator(".siproxd-gauge").first).to_be_visible()
    expect(memory).to_have_count(0)


def test_the_public_address_that_is_told_is_shown(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(status=status(host_outbound="home.example (203.0.113.99)"))))
    expect(page.locator(".siproxd-facts")).to_contain_text("told to others: home.example (203.0.113.99)")


# How it is, and the button that helps.


@pytest.mark.parametrize(("state", "sentence", "action"), [
    ("stopped", "siproxd is not running. The phones cannot call.", "start"),
    ("old", "The siproxd that runs is older than this page.", "restart"),
    ("failed", "could not be found out", "restart")])
def test_a_button_helps_where_it_does_not_run(luci: Watched, state: str, sentence: str, action: str) -> None:
    broken = instance(state=state, status=None, bindings=[], text="the program's own words")
    page = luci.open("overview", answers={**shown(broken), "luci.siproxd.act": [0, {"code": 0, "text": ""}]})
    expect(page.locator(".siproxd-headline")).to_contain_text(sentence)
    expect(page.locator(".siproxd-head")).to_contain_text("the program's own words")
    page.get_by_role("button", name=action.capitalize()).click()
    until(lambda: luci.bridge.calls("luci.siproxd.act"), 20, "the action")
    assert luci.bridge.calls("luci.siproxd.act") == [{"instance": "general", "action": action}]
    expect(page.get_by_role("link", name="Log", exact=True).last).to_have_attribute("href", re.compile("/admin/services/siproxd/log$"))


def test_what_is_switched_off_leads_to_the_settings(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(state="disabled", enabled=False, status=None, bindings=[])))
    expect(page.locator(".siproxd-headline")).to_have_text("siproxd is switched off in the settings.")
    link = page.get_by_role("link", name="Switch on in the settings")
    expect(link).to_have_attribute("href", re.compile("/admin/services/siproxd/settings$"))


def test_without_an_instance_the_settings_are_named(luci: Watched) -> None:
    page = luci.open("overview", answers=shown())
    expect(page.locator(".siproxd-headline")).to_have_text("siproxd is not configured.")
    expect(page.locator(".siproxd-actions").get_by_role("link", name="Settings")).to_be_visible()


def test_an_action_that_fails_is_told(luci: Watched) -> None:
    answers = {**shown(instance()), "luci.siproxd.act": [0, {"code": 1, "text": "<b>port 5060 is taken</b>"}]}
    page = luci.open("overview", answers=answers)
    page.get_by_role("button", name="Restart").click()
    expect(page.get_by_role("alert")).to_contain_text("siproxd could not carry out the request.")
    expect(page.get_by_role("alert")).to_contain_text("<b>port 5060 is taken</b>")
    expect(page.get_by_role("button", name="Restart")).not_to_have_attribute("aria-disabled", "true")


def test_who_may_only_look_has_no_button(luci: Watched) -> None:
    page = luci.open("overview", session="reader", answers=shown(instance(calls=[call()]), instance("office", state="stopped", status=None)))
    expect(page.locator(".siproxd-headline")).to_have_count(2)
    expect(page.locator("#view").get_by_role("button")).to_have_count(0)


# The first phone.


def test_the_first_phone_is_explained_with_the_routers_address(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(bindings=[])))
    expect(page.locator(".siproxd-headline")).to_have_text("siproxd is running. No phone is registered yet.")
    guide = page.locator(".siproxd-first")
    expect(guide.locator("p").first).to_contain_text("192.168.1.1:5060")
    for kind, value in (("App on a smartphone", "sip:192.168.1.1:5060;transport=udp"), ("Desk phone", "192.168.1.1:5060"),
                        ("FRITZ!Box", "192.168.1.1")):
        part = guide.locator("details").filter(has_text=kind)
        if part.get_attribute("open") is None:
            part.locator("summary").click()
        expect(part.locator("code")).to_have_text(value)
        expect(part).to_contain_text("User name, password")


def test_the_first_phone_is_told_another_port(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(bindings=[], status=status(sip_port=5070, lan={"interface": "br-lan", "addresses": ["fd00::1/64"]}))))
    expect(page.locator(".siproxd-first p").first).to_contain_text("[fd00::1]:5070")


# Several instances.


def test_instances_stand_side_by_side(luci: Watched) -> None:
    page = luci.open("overview", answers=shown(instance(), instance("office", bindings=[binding("dora"), binding("emil")])))
    boxes = page.locator(".siproxd-instance")
    expect(boxes).to_have_count(2)
    expect(boxes.nth(0).get_by_role("heading", level=3)).to_have_text("general")
    expect(boxes.nth(1).get_by_role("heading", level=3)).to_have_text("office")
    expect(boxes.nth(1)).to_contain_text("2 phones are registered.")
    left, right = boxes.nth(0).bounding_box(), boxes.nth(1).bounding_box()
    assert left and right and left["x"] + left["width"] <= right["x"] and left["y"] == right["y"]
    luci.size("phone")
    left, right = boxes.nth(0).bounding_box(), boxes.nth(1).bounding_box()
    assert left and right and left["y"] + left["height"] <= right["y"]
    luci.assert_fits()


# How it looks, and is read.


@pytest.mark.parametrize("viewport", ["desktop", "phone"])
def test_it_fits_the_window(luci: Watched, viewport: str) -> None:
    luci.size(viewport)
    luci.open("overview", answers=shown(instance(calls=[call(fault="one-way", verdict="one way since second 16")], refusals=[refusal()])))
    expect(luci.page.get_by_role("article")).to_be_visible()
    luci.assert_fits()


def test_rows_are_cards_on_a_phone(luci: Watched) -> None:
    luci.size("phone")
    page = luci.open("overview", answers=shown(instance()))
    cell = page.get_by_role("cell").filter(has_text="9 minutes")
    assert cell.evaluate("node => getComputedStyle(node, '::before').content") == '"Valid for"'
    expect(page.get_by_role("table", name="Registered phones").get_by_role("rowheader")).to_have_count(1)


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_has_contrast(luci: Watched, dark: bool) -> None:
    luci.open("overview", dark=dark, answers=shown(instance(
        bindings=[binding(), binding("bob", state="silent"), binding("emil", state="pending")], refusals=[refusal()],
        calls=[call(callee=heard(mos=2), fault="lost", verdict="3 % lost"), call(id="4.1", callee=heard(mos=3.5))])))
    expect(luci.page.get_by_role("article")).to_have_count(2)
    assert luci.page.evaluate(CONTRAST) == []


# Text with less than 4.5 to 1 (WCAG 2.1, 1.4.3) against what is behind it; what lets its background through counts with it.
CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const over = (colours) => {
        canvas.globalCompositeOperation = 'source-over';
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [ ...canvas.getImageData(0, 0, 1, 1).data ].slice(0, 3);
    };
    const light = rgb => {
        const [ r, g, b ] = rgb.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const bad = [];
    for (const node of document.querySelectorAll('.siproxd *')) {
        const own = [ ...node.childNodes ].some(child => child.nodeType === 3 && child.nodeValue.trim());
        if (!own || node.closest('svg, button, a.btn, .siproxd-unseen') || !node.getClientRects().length)
            continue;
        const behind = [];
        for (let one = node; one; one = one.parentElement)
            behind.unshift(getComputedStyle(one).backgroundColor);
        const ground = [ 'white', ...behind ];
        const [ a, b ] = [ over(ground), over([ ...ground, getComputedStyle(node).color ]) ].map(light);
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5)
            bad.push(`${ratio.toFixed(2)} ${node.className}: ${node.textContent.slice(0, 40)}`);
    }
    return bad;
}"""
