"""The packages of the pages for LuCI: everything that is in them, what they do to a router, and the catalogue of a translation."""

import gzip
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import adb
from made import PACK, REPOSITORY, TIME, VERSION, make
from root import Root, unpack

APP = REPOSITORY / "openwrt/luci-app-siproxd"
LANGUAGES = sorted(path.name for path in (APP / "po").glob("*") if path.name != "templates")
DESCRIPTION = "Shows in the browser whether the phones work and why not, with their calls, and has all settings of siproxd-rs."

# What has to be in it, so that a folder that got lost is missed.
LEAST = [
    "usr/share/luci/menu.d/luci-app-siproxd.json",
    "usr/share/rpcd/acl.d/luci-app-siproxd.json",
    "usr/share/rpcd/ucode/siproxd.uc",
    "www/luci-static/resources/siproxd/daemon.js",
    "www/luci-static/resources/view/siproxd/overview.js",
    "www/luci-static/resources/view/siproxd/settings.js",
]

PO = r'''
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=n != 1;\n"

#: a.js:1
msgid "Calls"
msgstr "Gespräche"

msgid "Log"
msgstr "Log"

msgid "not translated"
msgstr ""

#, fuzzy
msgid "Save"
msgstr "Ungefähr"

msgctxt "of a phone"
msgid "Calls"
msgstr ""
"ruft "
"\"an\""

msgid "%d phone"
msgid_plural "%d phones"
msgstr[0] "%d Telefon"
msgstr[1] "%d Telefone"

#~ msgid "gone"
#~ msgstr "fort"
'''


def installed() -> dict[str, tuple[int, bytes | None]]:
    """Every file and directory of the app, with its mode, from the folders that LuCI installs."""
    found: dict[str, tuple[int, bytes | None]] = {}
    for folder, place in (("htdocs", "www"), ("root", "")):
        for path in (APP / folder).rglob("*"):
            name = pathlib.PurePath(place, path.relative_to(APP / folder))
            found |= {str(parent): (0o755, None) for parent in name.parents if parent.name}
            found[str(name)] = (0o755, None) if path.is_dir() else (0o644, path.read_bytes())
    return found


class App(unittest.TestCase):
    """Of one build."""

    @classmethod
    def setUpClass(cls) -> None:
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.built = make(cls.scratch / "built", "all")
        cls.ipk = unpack(cls.built[f"luci-app-siproxd_{VERSION}_all.ipk"])
        cls.apk = adb.read(cls.built[f"luci-app-siproxd-{VERSION}.apk"])

    def test_names(self) -> None:
        names = ["luci-app-siproxd", *(f"luci-i18n-siproxd-{language}" for language in LANGUAGES)]
        self.assertEqual(list(self.built), sorted(f"{name}{end}" for name in names for end in (f"-{VERSION}.apk", f"_{VERSION}_all.ipk")))

    def test_ipk_has_every_file(self) -> None:
        got = {name: (member.info.mode, member.content) for name, member in self.ipk["data"].items()}
        self.assertEqual(got.pop("."), (0o755, None))
        self.assertEqual(got, {f"./{name}": what for name, what in installed().items()})
        for name in LEAST:
            self.assertTrue(got[f"./{name}"][1], name)

    def test_ipk_s_fields(self) -> None:
        lines = self.ipk["control"]["./control"].content.decode().splitlines()
        expected = {
            "Package": "luci-app-siproxd",
            "Version": VERSION,
            "Depends": "libc, luci-base, siproxd-rs",
            "SourceName": "luci-app-siproxd",
            "License": "MIT OR Apache-2.0",
            "Section": "luci",
            "SourceDateEpoch": str(TIME),
            "Architecture": "all",
            "Installed-Size": str(len(gzip.decompress(self.ipk["outer"]["./data.tar.gz"].content))),
            "Description": DESCRIPTION,
        }
        self.assertEqual(lines, [f"{name}: {value}" for name, value in expected.items()])

    def test_ipk_s_parts(self) -> None:
        self.assertEqual(self.ipk["names"], ["./debian-binary", "./data.tar.gz", "./control.tar.gz"])
        modes = {name: member.info.mode for name, member in self.ipk["control"].items()}
        self.assertEqual(modes, {".": 0o755, "./control": 0o644} | dict.fromkeys(("./postinst", "./postinst-pkg", "./prerm"), 0o755))
        for part in ("outer", "data", "control"):
            for name, member in self.ipk[part].items():
                info = member.info
                self.assertEqual((info.uid, info.gid, info.uname, info.gname, info.mtime), (0, 0, "", "", TIME), name)

    def test_apk_s_fields(self) -> None:
        info = dict(self.apk["info"])
        self.assertEqual(len(info.pop("hashes")), 20)
        self.assertEqual(
            info,
            {
                "name": "luci-app-siproxd",
                "version": VERSION,
                "description": DESCRIPTION,
                "arch": "noarch",
                "license": "MIT OR Apache-2.0",
                "origin": "luci-app-siproxd",
                "installed-size": sum(len(entry["content"] or b"") for entry in self.apk["paths"].values()),
                "depends": ["libc", "luci-base", "siproxd-rs"],
                "provides": [],
                "replaces": [],
            },
        )

    def test_apk_has_every_file(self) -> None:
        expected = installed()
        files = sorted(name for name, (_, content) in expected.items() if content is not None)
        expected |= {name: (0o755, None) for name in ("", "lib", "lib/apk", "lib/apk/packages")}
        expected["lib/apk/packages/luci-app-siproxd.list"] = (0o644, "".join(f"/{name}\n" for name in files).encode())
        self.assertEqual({path: (entry["mode"], entry["content"]) for path, entry in self.apk["paths"].items()}, expected)
        for path, entry in self.apk["paths"].items():
            self.assertEqual((entry["owner"], entry.get("mtime", TIME)), ("root:root", TIME), path)

    def test_caches_go_and_rpcd_reads_its_plugins_again(self) -> None:
        own = self.ipk["control"]["./postinst-pkg"].content.decode()
        for form, script in (("ipk", own), *self.apk["scripts"].items()):
            if form == "pre-deinstall":
                continue
            with self.subTest(form), tempfile.TemporaryDirectory() as scratch:
                self.assertTrue(script.endswith(own))
                root = pathlib.Path(scratch)
                for name in ("rm", "rpcd"):
                    (root / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{root}/done\n')
                    (root / name).chmod(0o755)
                # What is there of a router's own is none of this machine's.
                script = script[script.index("[ -n \"${IPKG_INSTROOT}\" ]") :].replace("/etc/init.d/rpcd", f"{root}/rpcd")
                (root / "script").write_text("set -f\n" + script)
                subprocess.run(["sh", root / "script"], check=True, env={"PATH": f"{root}:/bin:/usr/bin"})
                done = ["rm -f /tmp/luci-indexcache.*", "rm -rf /tmp/luci-modulecache/", "rpcd reload"]
                self.assertEqual((root / "done").read_text().splitlines(), done)

    def test_it_is_installed_on_a_router(self) -> None:
        for form in ("ipk", "apk"):
            with self.subTest(form):
                root = Root(pathlib.Path(tempfile.mkdtemp(dir=self.scratch)))
                if form == "ipk":
                    root.opkg_install("luci-app-siproxd", self.built[f"luci-app-siproxd_{VERSION}_all.ipk"])
                else:
                    root.apk_install(self.built[f"luci-app-siproxd-{VERSION}.apk"], "post-install")
                for name, (_, content) in installed().items():
                    self.assertTrue(content is None or (root.path / name).read_bytes() == content, name)
                self.assertEqual(root.calls(), [], "it has no service")

    def test_same_source_makes_same_bytes(self) -> None:
        again = make(self.scratch / "again", "all", umask=0o077, cwd="/", variables={"TZ": "Pacific/Auckland", "LC_ALL": "C", "MAKEFLAGS": "-k"})
        self.assertEqual(again, self.built)

    def test_a_translation_has_its_catalogue_and_its_language(self) -> None:
        for language in LANGUAGES:
            with self.subTest(language):
                name = f"luci-i18n-siproxd-{language}"
                package = unpack(self.built[f"{name}_{VERSION}_all.ipk"])
                files = {path: member.content for path, member in package["data"].items() if member.content is not None}
                self.assertEqual(list(files), [f"./etc/uci-defaults/{name}", f"./usr/lib/lua/luci/i18n/siproxd.{language}.lmo"])
                self.assertIn(f"uci set luci.languages.{language}=", files[f"./etc/uci-defaults/{name}"].decode())
                self.assertGreater(len(Catalogue(files[f"./usr/lib/lua/luci/i18n/siproxd.{language}.lmo"]).texts), 100)
                self.assertIn("Depends: libc, luci-app-siproxd\n", package["control"]["./control"].content.decode())
                contents = {path: entry["content"] for path, entry in adb.read(self.built[f"{name}-{VERSION}.apk"])["paths"].items()}
                self.assertEqual([contents[path[2:]] for path in files], list(files.values()))


class Catalogue:
    """A catalogue, read apart from openwrt/pack/lmo.py, which writes them."""

    def __init__(self, data: bytes) -> None:
        place = int.from_bytes(data[-4:], "big")
        index = list(struct.iter_unpack(">IIII", data[place:-4]))
        assert [entry[0] for entry in index] == sorted(entry[0] for entry in index), "LuCI halves it to find one"
        assert all(start % 4 == 0 and start + length <= place for _, _, start, length in index)
        self.texts = {key: data[start : start + length].decode() for key, _, start, length in index}
        self.forms = {key: form for key, form, _, _ in index}


class Translation(unittest.TestCase):
    """The writer of catalogues."""

    def setUp(self) -> None:
        sys.path.insert(0, str(PACK.parent))
        self.addCleanup(sys.path.remove, str(PACK.parent))

    def test_a_hash_is_luci_s(self) -> None:
        import lmo

        # As LuCI's own function has them.
        known = {"Calls": 0x6246C49F, "Log": 0xEECC73FD, "x": 0x0F827B9F, "Gespräche": 0x8957C808, "é": 0xC4FBA554}
        self.assertEqual({text: lmo.hash_of(text) for text in known}, known)

    def test_a_catalogue_has_what_is_translated(self) -> None:
        import lmo

        made = Catalogue(lmo.build(PO))
        texts = {
            "Calls": "Gespräche",
            "of a phone\1Calls": 'ruft "an"',
            "%d phone\0020": "%d Telefon",
            "%d phone\0021": "%d Telefone",
        }
        expected = {lmo.hash_of(key): text for key, text in texts.items()}
        self.assertEqual(made.texts, expected | {0: "nplurals=2; plural=n != 1;"})
        self.assertEqual([made.forms[lmo.hash_of(f"%d phone\2{number}")] for number in (0, 1)], [2, 2])
        self.assertEqual(made.forms[lmo.hash_of("Calls")], 1)

    def test_what_luci_would_not_find_is_refused(self) -> None:
        import lmo

        for text in ('msgid "two  blanks"\nmsgstr "x"', 'msgid "a line\\n"\nmsgstr "x"', 'msgid "x"\nmsgstr " blank before"', "msgid x"):
            with self.subTest(text), self.assertRaises(ValueError):
                lmo.build(text)

    def test_a_wrong_file_stops_the_build(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            po = pathlib.Path(scratch, "x.po")
            po.write_text("msgid x\n")
            command = [sys.executable, "-B", PACK.with_name("lmo.py"), po, po.with_suffix(".lmo")]
            result = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (1, f"{po}: line 1: neither a comment nor a text in quotes\n"))


if __name__ == "__main__":
    unittest.main()
