#!/usr/bin/python3
"""A stand-in for `uci`: `uci.py DIRECTORY [-S] [-n] export|show FILE`. Compared with the real one by compare.sh."""

import sys
from pathlib import Path


class Wrong(Exception):
    """What uci would not read, with the line."""


def words(text: str) -> list[tuple[int, list[str]]]:
    """The words of each line, with its number; quotes may go over lines."""
    lines: list[tuple[int, list[str]]] = []
    number, at, line, started = 1, 0, [], 1
    while at < len(text):
        char = text[at]
        if char == "\n" or char == "#":
            while at < len(text) and text[at] != "\n":
                at += 1
            if line:
                lines.append((started, line))
            line, number, at = [], number + 1, at + 1
            continue
        if char.isspace():
            at += 1
            continue
        if not line:
            started = number
        word, at, number = one_word(text, at, number)
        line.append(word)
    if line:
        lines.append((started, line))
    return lines


def one_word(text: str, at: int, number: int) -> tuple[str, int, int]:
    """The word that begins here: parts in quotes and without, in a row."""
    word, started = "", number
    while at < len(text) and not text[at].isspace() and text[at] != "#":
        char = text[at]
        if char in "'\"":
            at += 1
            while at < len(text) and text[at] != char:
                if text[at] == "\\" and char == '"' and at + 1 < len(text):
                    at += 1
                if text[at] == "\n":
                    number += 1
                word, at = word + text[at], at + 1
            if at >= len(text):
                raise Wrong(f"unterminated {char} at line {started}")
            at += 1
        elif char == "\\" and at + 1 < len(text):
            word, at = word + text[at + 1], at + 2
        else:
            word, at = word + char, at + 1
    return word, at, number


class Section:
    """A section: its type, its name, and options in order, a list of values where it is a list."""

    def __init__(self, type_: str, name: str | None) -> None:
        self.type, self.name = type_, name
        self.options: dict[str, str | list[str]] = {}


def is_name(text: str) -> bool:
    """Whether uci takes it for the name of a section or an option."""
    return bool(text) and all(char.isascii() and (char.isalnum() or char == "_") for char in text)


def sections(text: str) -> list[Section]:
    """The sections of a file."""
    found: list[Section] = []
    last: Section | None = None
    for number, line in words(text):
        kind = line[0]
        if kind == "package":
            continue
        if kind == "config" and len(line) in (2, 3):
            name = line[2] if len(line) == 3 and line[2] else None
            if name is not None and not is_name(name):
                raise Wrong(f"invalid name at line {number}")
            same = next((one for one in found if name and one.name == name), None)
            if same:
                if same.type != line[1]:
                    raise Wrong(f"section of different type at line {number}")
                last = same
            else:
                last = Section(line[1], name)
                found.append(last)
        elif kind in ("option", "list") and len(line) in (2, 3) and last:
            if not is_name(line[1]):
                raise Wrong(f"invalid name at line {number}")
            if len(line) == 2 or (kind == "option" and not line[2]):
                continue
            options, before = last.options, last.options.get(line[1])
            if kind == "option":
                options[line[1]] = line[2]
            elif before is None:
                options[line[1]] = [line[2]]
            else:
                options[line[1]] = (before if isinstance(before, list) else [before]) + [line[2]]
        else:
            raise Wrong(f"invalid command at line {number}")
    for place, section in enumerate(found, 1):
        if section.name is None:
            # The real one has a hash of the section behind.
            section.name = f"cfg{place:02x}0000"
    return found


def quoted(text: str) -> str:
    """As a word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def main() -> int:
    """Prints the file, or says what is wrong with it."""
    directory, *_, command, name = sys.argv[1:]
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    try:
        found = sections((Path(directory) / name).read_text("utf-8", "surrogateescape"))
    except FileNotFoundError:
        print("uci: Entry not found", file=sys.stderr)
        return 1
    except Wrong as error:
        print(f"uci: Parse error ({error})", file=sys.stderr)
        return 1
    if command == "export":
        print(f"package {name}\n")
    for section in found:
        if command == "export":
            print(f"config {section.type} {quoted(section.name or '')}")
        for key, value in section.options.items():
            for one in value if isinstance(value, list) else [value]:
                kind = "list" if isinstance(value, list) else "option"
                print(f"\t{kind} {key} {quoted(one)}" if command == "export" else f"{name}.{section.name}.{key}={quoted(one)}")
        if command == "export":
            print()
    return 0


sys.exit(main())
