"""Packages of apk (.apk, format 3): OpenWrt from 25.12.

The file is `ADBd` and then, deflated: `ADB.`, the schema `pckg`, a block with a database that describes the package and its files,
and a block with each file's bytes. A block is a word with its kind (2 bits) and its size with that word (30 bits), its content, and zeros
up to a multiple of 8.

The database is values in 32 bits: 4 bits of kind, and 28 of a number or of a place in it. Objects and arrays are a count and as
many values less one; a field that is absent is zero, and those at the end are left out. All numbers are little-endian.

There is no signature: `apk add --allow-untrusted`.
"""

import hashlib
import struct
import zlib

from recipe import Entry, Package

INT, INT32 = 0x1000_0000, 0x2000_0000
BLOB8, BLOB16, BLOB32 = 0x8000_0000, 0x9000_0000, 0xA000_0000
ARRAY, OBJECT = 0xD000_0000, 0xE000_0000
NULL = 0

BLOCK_DATABASE, BLOCK_DATA = 0, 2

# The unique id of a package: as many bytes of the digest of its database, with zeros in the id's own place.
ID_LENGTH = 20


class Database:
    """Values that are written one behind the other; the same bytes once."""

    def __init__(self) -> None:
        # Versions of the format, and the place of the root, which comes last.
        self.bytes = bytearray(8)
        self._places: dict[tuple[bytes, int], int] = {}

    def _write(self, data: bytes, alignment: int, is_shared: bool = True) -> int:
        place = self._places.get((data, alignment)) if is_shared else None
        if place is None:
            self.bytes += bytes(-len(self.bytes) % alignment)
            place = len(self.bytes)
            self.bytes += data
            if is_shared:
                self._places[data, alignment] = place
        return place

    def number(self, number: int) -> int:
        """A whole number of up to 32 bits."""
        if number < 0x1000_0000:
            return INT | number
        return INT32 | self._write(struct.pack("<I", number), 4)

    def blob(self, data: bytes | str, is_shared: bool = True) -> int:
        """Text or bytes; nothing is no value."""
        data = data.encode() if isinstance(data, str) else data
        if not data:
            return NULL
        if len(data) <= 0xFF:
            return BLOB8 | self._write(struct.pack("<B", len(data)) + data, 1, is_shared)
        if len(data) <= 0xFFFF:
            return BLOB16 | self._write(struct.pack("<H", len(data)) + data, 2, is_shared)
        return BLOB32 | self._write(struct.pack("<I", len(data)) + data, 4, is_shared)

    def object(self, *fields: int) -> int:
        """The fields in the order of the schema."""
        return self._slots(OBJECT, list(fields))

    def array(self, items: list[int]) -> int:
        """The items in their order; those that have names must be sorted by them."""
        return self._slots(ARRAY, items)

    def _slots(self, kind: int, values: list[int]) -> int:
        while values and values[-1] == NULL:
            values.pop()
        if not values:
            return NULL
        return kind | self._write(struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4)

    def finish(self, root: int) -> None:
        """Says where it begins."""
        self.bytes[4:8] = struct.pack("<I", root)


def file_name(package: Package) -> str:
    """As OpenWrt's build names it."""
    return f"{package.name}-{package.version}.apk"


def scripts(package: Package) -> dict[str, str]:
    """By the moment at which apk runs them."""
    head = '[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0\n. ${IPKG_INSTROOT}/lib/functions.sh\n'
    head += f'export root="${{IPKG_INSTROOT}}"\nexport pkgname="{package.name}"\n'
    install = '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n' + head + "add_group_and_user\ndefault_postinst\n"
    install += package.postinst + "\n" if package.postinst else ""
    return {
        "post-install": "#!/bin/sh\n" + install,
        "post-upgrade": "#!/bin/sh\nexport PKG_UPGRADE=1\n" + install,
        "pre-deinstall": "#!/bin/sh\n" + head + "default_prerm\n",
    }


def entries_of(package: Package) -> list[Entry]:
    """The files, and those in /lib/apk/packages in which OpenWrt keeps what opkg has fields for."""
    directory = "lib/apk/packages"
    entries = {entry.path: entry for entry in package.entries}
    contents = {entry.path: entry.content for entry in package.entries if entry.content is not None}
    notes = {"rusers": package.users + "\n"} if package.users else {}
    # Before the list itself and the conffiles are there, as OpenWrt's build does it.
    names = sorted(contents) + [f"{directory}/{package.name}.{kind}" for kind in notes]
    notes["list"] = "".join(f"/{name}\n" for name in sorted(names))
    if package.conffiles:
        notes["conffiles"] = "".join(path + "\n" for path in package.conffiles)
        sums = {path: hashlib.sha256(contents[path[1:]]).hexdigest() for path in package.installed_conffiles()}
        notes["conffiles_static"] = "".join(f"{path} {sum_}\n" for path, sum_ in sums.items())
    for name in ("lib", "lib/apk", directory):
        entries.setdefault(name, Entry(name, 0o755, None))
    for kind, text in notes.items():
        name = f"{directory}/{package.name}.{kind}"
        entries[name] = Entry(name, 0o644, text.encode())
    return list(entries.values())


def build(package: Package) -> bytes:
    """The package's bytes: the same for the same package."""
    database = Database()
    entries = entries_of(package)
    directories = [""] + sorted(entry.path for entry in entries if entry.content is None)
    modes = {entry.path: entry.mode for entry in entries} | {"": 0o755}
    files = {name: files_in(name, entries) for name in directories}

    info = information(database, package, sum(len(entry.content or b"") for entry in entries))
    paths = [
        database.object(
            database.blob(name),
            access(database, modes[name]),
            database.array([description(database, entry, package.time) for entry in files[name]]),
        )
        for name in directories
    ]
    texts = scripts(package)
    kinds = ("trigger", "pre-install", "post-install", "pre-deinstall", "post-deinstall", "pre-upgrade", "post-upgrade")
    database.finish(
        database.object(
            info.value,
            database.array(paths),
            database.object(*(database.blob(texts.get(kind, "")) for kind in kinds)),
        )
    )
    database.bytes[info.id_place : info.id_place + ID_LENGTH] = hashlib.sha256(database.bytes).digest()[:ID_LENGTH]

    stream = b"ADB." + b"pckg" + block(BLOCK_DATABASE, bytes(database.bytes))
    for path_number, name in enumerate(directories, 1):
        for file_number, entry in enumerate(files[name], 1):
            if entry.content:
                stream += block(BLOCK_DATA, struct.pack("<II", path_number, file_number) + entry.content)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + deflate.compress(stream) + deflate.flush()


class Information:
    """The object of general facts, and where in it the unique id is."""

    def __init__(self, value: int, id_place: int) -> None:
        self.value, self.id_place = value, id_place


def information(database: Database, package: Package, size: int) -> Information:
    """Name, version and what else `apk info` tells."""
    id_ = database.blob(bytes(ID_LENGTH), is_shared=False)
    provides = [(name, package.version) for name in package.provides]
    value = database.object(
        database.blob(package.name),
        database.blob(package.version),
        id_,
        database.blob(package.description),
        database.blob("noarch" if package.architecture == "all" else package.architecture),
        database.blob(package.license),
        database.blob(package.name),  # origin
        database.blob(package.maintainer),
        database.blob(package.url),
        NULL,  # commit of the repository
        NULL,  # time of the build
        database.number(size),
        NULL,  # size of the file
        NULL,  # priority as a provider
        dependencies(database, [(name, "") for name in package.depends]),
        dependencies(database, provides),
        dependencies(database, [(name, "") for name in package.conflicts]),  # replaces: their files may be taken over
    )
    # Behind the byte with its length.
    return Information(value, (id_ & 0x0FFF_FFFF) + 1)


def dependencies(database: Database, names: list[tuple[str, str]]) -> int:
    """Names with the version that they are equal to, if one is said."""
    return database.array([database.object(database.blob(name), database.blob(version)) for name, version in sorted(names)])


def access(database: Database, mode: int) -> int:
    """Mode and owner, which is root."""
    return database.object(database.number(mode), database.blob("root"), database.blob("root"))


def description(database: Database, entry: Entry, time: int) -> int:
    """Of a file: its name in its directory, and what it must be."""
    content = entry.content or b""
    return database.object(
        database.blob(entry.path.rpartition("/")[2]),
        access(database, entry.mode),
        database.number(len(content)),
        database.number(time),
        database.blob(hashlib.sha256(content).digest()),
    )


def files_in(directory: str, entries: list[Entry]) -> list[Entry]:
    """Sorted by name."""
    files = [entry for entry in entries if entry.content is not None and entry.path.rpartition("/")[0] == directory]
    return sorted(files, key=lambda entry: entry.path)


def block(kind: int, content: bytes) -> bytes:
    """With its head, and zeros behind."""
    size = 4 + len(content)
    return struct.pack("<I", kind << 30 | size) + content + bytes(-size % 8)
