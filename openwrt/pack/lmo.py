#!/usr/bin/python3
"""lmo.py FILE.po FILE.lmo: a catalogue of gettext in the form that LuCI reads.

The translations, each filled up with zeros to a multiple of 4, then an index, sorted by the first word, and last a word with the place of the
index. An entry of the index is four words: a hash of the original, how many forms it has, and place and length of the translation; the rule
for plural forms is there with the hash 0. All words are big-endian. The original of a message with a context is the context, a byte 1
and the message; of a plural form the message, a byte 2 and its number. The hash is Paul Hsieh's, of 2004, which begins with the length.
"""

import ast
import re
import struct
import sys
from pathlib import Path

MASK = 0xFFFF_FFFF

# What a line begins with: a keyword, for the fields of a message, and a text in quotes. A `#~` is a message that there is no more.
LINE = re.compile(r'(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) )?(".*")')


def hash_of(text: str) -> int:
    """The hash of the text's UTF-8."""
    data = text.encode()
    value = len(data)
    whole = len(data) // 4 * 4
    for low, high in struct.iter_unpack("<HH", data[:whole]):
        value = (value + low) & MASK
        value = (value << 16 ^ high << 11 ^ value) & MASK
        value = (value + (value >> 11)) & MASK
    rest = data[whole:]
    # The last byte of an odd number has a sign.
    last = struct.unpack("b", rest[-1:])[0] if len(rest) % 2 else 0
    if len(rest) == 3:
        value = (value + struct.unpack("<H", rest[:2])[0]) & MASK
        value = (value ^ value << 16 ^ last << 18) & MASK
        value = (value + (value >> 11)) & MASK
    elif len(rest) == 2:
        value = (value + struct.unpack("<H", rest)[0]) & MASK
        value = (value ^ value << 11) & MASK
        value = (value + (value >> 17)) & MASK
    elif len(rest) == 1:
        value = (value + last) & MASK
        value = (value ^ value << 10) & MASK
        value = (value + (value >> 1)) & MASK
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ value << left) & MASK
        value = (value + (value >> right)) & MASK
    return value


def messages(text: str) -> list[dict[str, str]]:
    """The fields of each message, in the order of the file; the head is the one with an empty `msgid`."""
    found: list[dict[str, str]] = []
    field, is_fuzzy = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#,"):
            is_fuzzy = "fuzzy" in line
        if not line.strip() or line.startswith("#"):
            continue
        parts = LINE.fullmatch(line.strip())
        if not parts:
            raise ValueError(f"line {number}: neither a comment nor a text in quotes")
        if parts[1]:
            field = parts[1]
            if field == "msgctxt" or field == "msgid" and (not found or "msgid" in found[-1]):
                found.append({"fuzzy": "1"} if is_fuzzy else {})
                is_fuzzy = False
        found[-1][field] = found[-1].get(field, "") + ast.literal_eval(parts[2])
    return [message for message in found if "fuzzy" not in message]


def plain(text: str) -> str:
    """The text, if LuCI's pages find it: they make one space of any white space, and none at the ends."""
    if " ".join(text.split()) != text:
        raise ValueError(f"white space at an end, or more than one in a row: {text!r}")
    return text


def entries(message: dict[str, str]) -> list[tuple[int, int, str]]:
    """Hash, number of forms and text of each form; none of what is not translated, or in the same words."""
    if not message["msgid"]:
        rule = re.search(r"(?m)^Plural-Forms: (.*)$", message.get("msgstr", ""))
        return [(0, 0, rule[1])] if rule else []
    original = plain(message["msgid"])
    if "msgctxt" in message:
        original = f"{message['msgctxt']}\1{original}"
    forms = {name: text for name, text in message.items() if name.startswith("msgstr") and text}
    found = []
    count = max((int(name[7:-1]) + 1 for name in forms if name != "msgstr"), default=1)
    for name, text in forms.items():
        number = int(name[7:-1]) if name != "msgstr" else 0
        key = f"{original}\2{number}" if "msgid_plural" in message else original
        if hash_of(key) != hash_of(text):
            found.append((hash_of(key), count, plain(text)))
    return found


def build(text: str) -> bytes:
    """The catalogue's bytes."""
    all_entries = [entry for message in messages(text) for entry in entries(message)]
    by_hash = {key: (number, translation) for key, number, translation in all_entries}
    if len(by_hash) != len(all_entries):
        raise ValueError("two messages have one hash")
    texts, index = bytearray(), []
    for key, number, translation in all_entries:
        data = translation.encode()
        index.append(struct.pack(">IIII", key, number, len(texts), len(data)))
        texts += data + bytes(-len(data) % 4)
    return bytes(texts) + b"".join(sorted(index)) + struct.pack(">I", len(texts))


if __name__ == "__main__":
    try:
        Path(sys.argv[2]).write_bytes(build(Path(sys.argv[1]).read_text("utf-8")))
    except ValueError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
