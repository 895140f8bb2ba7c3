"""The texts of the LuCI app in other languages: all there, and none that LuCI would not find or not fill in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import translations
from translations import Entry

# What LuCI's String.format() replaces. It takes arguments in their order alone, so that a translation has the same ones in the same order.
DIRECTIVE = re.compile(r"%(?:'.|0| )?-?\d*(?:\.\d+)?[%bcduofxXsqhjtmP]")
# A line that LuCI's po2lmo reads is at most so long, in bytes; the rest would be lost.
LONGEST_LINE = 4095
# Who reads it is a stranger.
TOO_FAMILIAR = re.compile(r"\b(du|dich|dir|dein(?:e[mnrs]?)?)\b", re.IGNORECASE)
CALL = re.compile(r"(?<![\w$.])(_|N_)\(")
LITERAL = re.compile(r"""\s*('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")\s*[,)]""")

by_language = pytest.mark.parametrize("path", translations.languages(), ids=lambda path: path.parent.name)


def faults(entry: Entry) -> list[str]:
    """What is wrong with a translation."""
    found = []
    if entry.is_old:
        found.append("of a text that is gone")
    if "fuzzy" in entry.flags:
        found.append("a guess")
    if not entry.said or not all(entry.said):
        found.append("missing")
        return found
    if len(entry.said) != (1 if entry.many is None else 2):
        found.append("not one for each number")
    originals = [entry.text] if entry.many is None else [entry.text, entry.many]
    for text, said in zip(originals, entry.said, strict=False):
        if DIRECTIVE.findall(text) != DIRECTIVE.findall(said):
            found.append("other places to fill in, or in another order")
        if sorted(re.findall("`[^`]*`", text)) != sorted(re.findall("`[^`]*`", said)):
            found.append("other names between back quotes")
        if re.search(r"[\n\t]|  |^ | $", said):
            found.append("blanks that LuCI does not look for")
        if said[-1] != text[-1] and (said[-1] in ".:?!…" or text[-1] in ".:?!…"):
            found.append("another end")
    return found


def test_the_template_is_that_of_the_sources() -> None:
    """So that translators see each text."""
    assert translations.TEMPLATE.read_text(encoding="utf-8") == translations.template(), f"write it with {translations.WRITE}"


def test_each_text_is_a_literal_in_the_template() -> None:
    """xgettext passes over what it does not understand."""
    known = {entry.text for entry in translations.parse(translations.TEMPLATE.read_text(encoding="utf-8"))}
    calls = 0
    for path in translations.sources():
        if path.suffix != ".js":
            continue
        source = path.read_text(encoding="utf-8")
        for call in CALL.finditer(source):
            where = f"{path.name}:{source.count(chr(10), 0, call.start()) + 1}"
            rest = source[call.end():]
            if call[1] == "N_":
                # The number may be an expression, with commas only between parentheses.
                rest = re.match(r"(?:[^,()]|\([^()]*\))*,(.*)", rest, re.DOTALL)[1]
            literal = LITERAL.match(rest)
            assert literal, f"{where}: not a literal, in which no translation finds it"
            text = re.sub(r"\\(.)", r"\1", literal[1][1:-1]).strip()
            assert text in known, f"{where}: {text!r} is not in the template"
            calls += 1
    assert calls >= len(known) / 2


@by_language
def test_gettext_takes_it(path: Path) -> None:
    """Also what it says of itself."""
    done = subprocess.run(["msgfmt", "--check", "--output-file=/dev/null", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f'"Language: {path.parent.name}\\n"' in head
    assert '"Content-Type: text/plain; charset=UTF-8\\n"' in head
    assert '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"' in head


@by_language
def test_everything_is_translated(path: Path) -> None:
    """Every text, no guess, and nothing left from before."""
    wanted = {entry.key for entry in translations.parse(translations.TEMPLATE.read_text(encoding="utf-8"))}
    text = path.read_text(encoding="utf-8")
    there = translations.parse(text)
    assert {entry.key for entry in there} == wanted, f"bring it up to date with {translations.WRITE}, and translate what is empty"
    wrong = [(entry.text, faults(entry)) for entry in there if faults(entry)]
    assert not wrong, f"`translations.py todo` lists what is missing; of {len(wrong)} wrong ones these: {wrong[:5]}"
    assert all(len(line.encode()) <= LONGEST_LINE for line in text.splitlines())


def test_german_keeps_its_distance() -> None:
    """A householder is no old friend."""
    german = translations.APP / "po/de/siproxd.po"
    familiar = [said for entry in translations.parse(german.read_text(encoding="utf-8")) for said in entry.said if TOO_FAMILIAR.search(said)]
    assert not familiar


@pytest.mark.parametrize(("entry", "fault"), [
    (Entry(text="%s of %d", said=["%d von %s"]), "other places to fill in, or in another order"),
    (Entry(text="%d line", many="%d lines", said=["%d Zeile"]), "not one for each number"),
    (Entry(text="See `user`.", said=["Siehe `Konto`."]), "other names between back quotes"),
    (Entry(text="Two words", said=["Zwei  Worte"]), "blanks that LuCI does not look for"),
    (Entry(text="An end.", said=["Ein Ende"]), "another end"),
    (Entry(text="One", said=[""]), "missing"),
    (Entry(text="One", said=["Eins"], flags=["fuzzy"]), "a guess"),
    (Entry(text="One", said=["Eins"], is_old=True), "of a text that is gone"),
])
def test_faults_are_seen(entry: Entry, fault: str) -> None:
    """Each check fails where it should."""
    assert fault in faults(entry)


def test_contexts_numbers_and_json_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As LuCI reads them."""
    (tmp_path / "htdocs").mkdir()
    (tmp_path / "root/usr/share/luci/menu.d").mkdir(parents=True)
    (tmp_path / "htdocs/a.js").write_text("_('It\\'s  “one”'); _('Up', 'of a phone'); N_(n, '%d line', '%d lines');\n", encoding="utf-8")
    (tmp_path / "root/usr/share/luci/menu.d/a.json").write_text('{ "admin/a": { "title": "A \\"menu\\"", "order": 1 } }', encoding="utf-8")
    monkeypatch.setattr(translations, "APP", tmp_path)
    assert translations.template() == """msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

#: htdocs/a.js
msgid "It's “one”"
msgstr ""

#: htdocs/a.js
msgctxt "of a phone"
msgid "Up"
msgstr ""

#: htdocs/a.js
msgid "%d line"
msgid_plural "%d lines"
msgstr[0] ""
msgstr[1] ""

#: root/usr/share/luci/menu.d/a.json
msgid "A \\"menu\\""
msgstr ""
"""
