#!/usr/bin/python3
"""The texts of the LuCI app: its template, and what of it each language has.

    translations.py          writes po/templates/siproxd.pot from the sources, and brings each po/LANGUAGE/siproxd.po up to date
    translations.py todo     prints what is still to be translated

LuCI looks texts up by themselves, with runs of blanks as one, and a context before them where there is one: `_('text')`,
`_('text', 'context')`, `N_(n, 'one', 'many')`, `N_(n, 'one', 'many', 'context')`. Titles of the menu and descriptions of rights are
translated, too. Everything must be a literal, for it is looked for in the source.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "openwrt/luci-app-siproxd"
NAME = "siproxd"
TEMPLATE = APP / f"po/templates/{NAME}.pot"
KEYWORDS = ("_:1", "_:1,2c", "N_:2,3", "N_:2,3,4c")
# What of a JSON file is shown: titles of menu.d, descriptions of acl.d.
SHOWN = ("title", "description")
WRITE = "/usr/bin/python3 tests/luci/translations.py"


def sources() -> list[Path]:
    """The files with texts, in an order of their own."""
    share = APP / "root/usr/share"
    return sorted([*APP.glob("htdocs/**/*.js"), *share.glob("luci/menu.d/*.json"), *share.glob("rpcd/acl.d/*.json")])


def languages() -> list[Path]:
    """What there is in other languages."""
    return sorted(APP.glob(f"po/*/{NAME}.po"))


def shown(node: object) -> Iterator[str]:
    """The texts of a JSON file."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SHOWN and isinstance(value, str):
                yield value
            yield from shown(value)


def run(*command: str, given: str | None = None) -> str:
    """What a program of gettext prints; its complaints are ours."""
    done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} …: {done.stderr.strip()}")
    return done.stdout


def extract(path: Path) -> str:
    """The texts of a file, as a catalogue without a header."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        text = "\n".join(f"_({json.dumps(one, ensure_ascii=False)});" for one in shown(json.loads(text)))
    made = run("xgettext", "--from-code=UTF-8", "--language=JavaScript", "--no-wrap", "--force-po", "--keyword",
               *(f"--keyword={keyword}" for keyword in KEYWORDS), "--output=-", "-", given=text)
    # Without line numbers, which every edit moves; and what a format is, test_po.py checks by itself: it is LuCI's, and no language's.
    made = re.sub(r"^#: .*$", f"#: {path.relative_to(APP)}", made, flags=re.MULTILINE)
    return re.sub(r"^#, .*\n", "", made, flags=re.MULTILINE)


def collapsed(entry: Entry) -> Entry:
    """Blanks as LuCI has them when it looks a text up."""
    def one(text: str | None) -> str | None:
        return None if text is None else re.sub(r"[ \t\n]+", " ", text).strip()
    return Entry(one(entry.context), one(entry.text) or "", one(entry.many), entry.said, entry.files, entry.flags)


def template() -> str:
    """The template, made from the sources."""
    known: dict[tuple[str | None, str], Entry] = {}
    for path in sources():
        for entry in map(collapsed, parse(extract(path))):
            before = known.setdefault(entry.key, entry)
            before.many = before.many or entry.many
            before.said = [""] * (2 if before.many else 1)
            before.files.extend(one for one in entry.files if one not in before.files)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
    return "\n".join([head, *(entry.written() for entry in known.values())])


@dataclass
class Entry:
    """An entry of a catalogue."""

    context: str | None = None
    text: str = ""
    many: str | None = None
    said: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    is_old: bool = False

    @property
    def key(self) -> tuple[str | None, str]:
        """What it is found by."""
        return self.context, self.text

    def written(self) -> str:
        """As lines of a catalogue."""
        def quoted(text: str) -> str:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
        lines = [f"#: {one}" for one in self.files]
        if self.context is not None:
            lines.append(f"msgctxt {quoted(self.context)}")
        lines.append(f"msgid {quoted(self.text)}")
        if self.many is None:
            lines.append(f"msgstr {quoted(self.said[0])}")
        else:
            lines.append(f"msgid_plural {quoted(self.many)}")
            lines.extend(f"msgstr[{form}] {quoted(said)}" for form, said in enumerate(self.said))
        return "\n".join(lines) + "\n"


def parse(catalogue: str) -> list[Entry]:
    """The entries of a catalogue, without its header."""
    entries = []
    for block in re.split(r"\n[ \t]*\n", catalogue):
        entry, place = Entry(), ""
        parts: dict[str, str] = {}
        for line in block.splitlines():
            if line.startswith("#~"):
                entry.is_old = True
            elif line.startswith("#: "):
                entry.files.append(line[3:])
            elif line.startswith("#, "):
                entry.flags.extend(line[3:].split(", "))
            elif found := re.fullmatch(r'(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) )?(".*")', line):
                place = found[1] or place
                parts[place] = parts.get(place, "") + json.loads(found[2])
        entry.context, entry.text, entry.many = parts.get("msgctxt"), parts.get("msgid", ""), parts.get("msgid_plural")
        entry.said = [said for name, said in parts.items() if name.startswith("msgstr")]
        if entry.text or entry.is_old:
            entries.append(entry)
    return entries


def update() -> None:
    """Writes the template, and merges it into each language: what is like an old text is marked as fuzzy, and what is gone goes."""
    TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
    TEMPLATE.write_text(template(), encoding="utf-8")
    for path in languages():
        merged = run("msgmerge", "--quiet", "--no-wrap", "--previous", str(path), str(TEMPLATE))
        path.write_text(run("msgattrib", "--no-obsolete", "--no-wrap", given=merged), encoding="utf-8")


def todo() -> int:
    """Prints what is not translated, and says how much that is."""
    count = 0
    for path in languages():
        for entry in parse(path.read_text(encoding="utf-8")):
            if "fuzzy" in entry.flags or not all(entry.said):
                print(f"{path.parent.name}: {', '.join(entry.files)}: {entry.text!r} {'(fuzzy) ' if entry.flags else ''}{entry.said}")
                count += 1
    return count


if __name__ == "__main__":
    if sys.argv[1:] == ["todo"]:
        print(f"{todo()} to be translated")
    else:
        update()
