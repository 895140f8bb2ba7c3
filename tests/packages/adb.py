"""Reads an .apk of format 3: apart from openwrt/pack/apk.py, which writes them, so that one finds the other's mistakes."""

import hashlib
import struct
import zlib

INFO = ("name version hashes description arch license origin maintainer url repo-commit build-time installed-size file-size "
        "provider-priority depends provides replaces").split()
SCRIPTS = "trigger pre-install post-install pre-deinstall post-deinstall pre-upgrade post-upgrade".split()


class Adb:
    """The database of a package."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def value(self, word: int):
        """Of any kind: None, a number, bytes, or a list of words."""
        kind, place = word >> 28, word & 0x0FFF_FFFF
        if kind == 0:
            return None
        if kind == 1:
            return place
        if kind == 2:
            return self.unpack("<I", place)
        if kind in (8, 9, 10):
            form = {8: "<B", 9: "<H", 10: "<I"}[kind]
            assert place % {8: 1, 9: 2, 10: 4}[kind] == 0, "not aligned"
            start, length = place + struct.calcsize(form), self.unpack(form, place)
            assert start + length <= len(self.data), "it ends outside"
            return self.data[start : start + length]
        assert kind in (13, 14) and place % 4 == 0, f"value {word:x}"
        return list(struct.unpack_from(f"<{self.unpack('<I', place) - 1}I", self.data, place + 4))

    def unpack(self, form: str, place: int) -> int:
        return struct.unpack_from(form, self.data, place)[0]

    def fields(self, word: int, names: list[str]) -> dict:
        """Of an object, those that are there."""
        values = [self.value(word) for word in self.value(word)]
        assert len(values) <= len(names), f"more than {names}"
        return {name: value for name, value in zip(names, values) if value is not None}


def read(file: bytes) -> dict:
    """`info`, `scripts`, and `paths`: by path, mode, owner, time, and the content of files. Checks all lengths, sums and orders."""
    assert file[:4] == b"ADBd"
    inflate = zlib.decompressobj(-15)
    stream = inflate.decompress(file[4:])
    assert inflate.eof and not inflate.unused_data
    assert stream[:8] == b"ADB.pckg"
    blocks, place = [], 8
    while place < len(stream):
        (head,) = struct.unpack_from("<I", stream, place)
        size = head & 0x3FFF_FFFF
        assert size >= 4, "an empty block"
        blocks.append((head >> 30, stream[place + 4 : place + size]))
        padding = stream[place + size : place + size + -size % 8]
        assert padding == bytes(-size % 8), "padding"
        place += size + len(padding)
    assert place == len(stream)
    assert [kind for kind, _ in blocks] == [0] + [2] * (len(blocks) - 1)
    contents = {struct.unpack_from("<II", data): data[8:] for _, data in blocks[1:]}
    assert list(contents) == sorted(contents)

    adb = Adb(blocks[0][1])
    assert adb.data[:4] == bytes(4), "versions"
    package = adb.value(adb.unpack("<I", 4))
    info = adb.fields(package[0], INFO)
    check_id(adb, info["hashes"])
    for name in ("depends", "provides", "replaces"):
        # Those at the end that are absent are left out.
        absent = [0] * len(INFO)
        items = [adb.fields(word, ["name", "version"]) for word in adb.value((adb.value(package[0]) + absent)[INFO.index(name)]) or []]
        # By name: as text with its version, "siproxd-mod-regex=1" would be before "siproxd=1".
        assert [item["name"] for item in items] == sorted(item["name"] for item in items)
        info[name] = [b"=".join(item.values()).decode() for item in items]
    paths = {}
    for number, word in enumerate(adb.value(package[1]), 1):
        name, access, files = (adb.value(word) + [0, 0])[:3]
        directory = (adb.value(name) or b"").decode()
        paths[directory] = acl(adb, access) | {"content": None}
        names = []
        for file_number, file_word in enumerate(adb.value(files) or [], 1):
            fields = adb.fields(file_word, ["name", "acl", "size", "mtime", "hash", "target"])
            names.append(fields["name"])
            content = contents.pop((number, file_number), b"")
            assert len(content) == fields["size"] and hashlib.sha256(content).digest() == fields["hash"], fields["name"]
            path = "/".join(filter(None, (directory, fields["name"].decode())))
            paths[path] = acl(adb, adb.value(file_word)[1]) | {"content": content, "mtime": fields["mtime"]}
        assert names == sorted(names)
    assert not contents, "content of no file"
    directories = [path for path, entry in paths.items() if entry["content"] is None]
    assert directories == sorted(directories)
    texts = adb.fields(package[2], SCRIPTS)
    return {"info": decoded(info), "paths": paths, "scripts": {name: text.decode() for name, text in texts.items()}}


def acl(adb: Adb, word: int) -> dict:
    fields = adb.fields(word, ["mode", "user", "group", "xattrs"])
    return {"mode": fields["mode"], "owner": f"{fields['user'].decode()}:{fields['group'].decode()}"}


def check_id(adb: Adb, id_: bytes) -> None:
    """It is the digest of the database without it, and is in there once."""
    assert adb.data.count(id_) == 1
    assert hashlib.sha256(adb.data.replace(id_, bytes(len(id_)))).digest()[: len(id_)] == id_


def decoded(info: dict) -> dict:
    return {name: value.decode() if isinstance(value, bytes) and name != "hashes" else value for name, value in info.items()}
