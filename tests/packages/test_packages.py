"""The packages for OpenWrt: everything that is in them, and what they do to a router.

They have the program of this machine in them (PROGRAM, or what `cargo build --release` made): what differs on others is the program alone.
"""

import gzip
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import adb
from made import PACK, REPOSITORY, TIME, VERSION, make
from root import Root, unpack

FILES = REPOSITORY / "openwrt/siproxd/files"
PROGRAM = pathlib.Path(os.environ.get("PROGRAM", REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release/siproxd"))
ARCHITECTURE = "mips_24kc"

class Text:
    """The content of a file that is in no folder of ours."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read_bytes(self) -> bytes:
        """As of a path."""
        return self.content


# Every file, with its mode and where its content comes from.
INSTALLED = {
    "etc": (0o755, None),
    "etc/config": (0o755, None),
    "etc/config/siproxd": (0o600, FILES / "siproxd.config"),
    "etc/init.d": (0o755, None),
    "etc/init.d/siproxd": (0o755, FILES / "siproxd.init"),
    "lib": (0o755, None),
    "lib/upgrade": (0o755, None),
    "lib/upgrade/keep.d": (0o755, None),
    "lib/upgrade/keep.d/siproxd-rs": (0o644, Text(b"/etc/siproxd/\n")),
    "usr": (0o755, None),
    "usr/lib": (0o755, None),
    "usr/lib/siproxd": (0o755, None),
    "usr/lib/siproxd/check.sh": (0o644, FILES / "check.sh"),
    "usr/lib/siproxd/translate.sh": (0o644, FILES / "translate.sh"),
    "usr/sbin": (0o755, None),
    "usr/sbin/siproxd": (0o755, PROGRAM),
}
DESCRIPTION = (
    "Lets SIP phones behind a NAT router register with providers and make calls: rewrites SIP and SDP, relays the media. "
    "Takes the configuration of the siproxd package."
)

# The C package's configuration, after its owner has changed it.
CHANGED = b"config siproxd general\n\toption interface_inbound lan\n\toption interface_outbound wan2\n"


def pack(directory: pathlib.Path, **settings) -> dict[str, bytes]:
    """The packages' bytes, by the ends of their names."""
    files = make(directory, ARCHITECTURE, "--program", PROGRAM, **settings)
    return {"names": list(files)} | {name.rpartition(".")[2]: content for name, content in files.items()}


def plugins() -> list[str]:
    """Those that the feed's Makefile says are built in."""
    return re.search(r"(?m)^SIPROXD_PLUGINS:=(.*)", (REPOSITORY / "openwrt/siproxd/Makefile").read_text())[1].split()


class Packages(unittest.TestCase):
    """Of one build."""

    @classmethod
    def setUpClass(cls) -> None:
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.built = pack(cls.scratch / "built")
        cls.ipk, cls.apk = unpack(cls.built["ipk"]), adb.read(cls.built["apk"])
        cls.provides = ["siproxd"] + [f"siproxd-mod-{plugin}" for plugin in plugins()]

    def root(self) -> Root:
        """A new one."""
        return Root(pathlib.Path(tempfile.mkdtemp(dir=self.scratch)))

    def test_names(self) -> None:
        self.assertEqual(self.built["names"], [f"siproxd-rs-{VERSION}.apk", f"siproxd-rs_{VERSION}_{ARCHITECTURE}.ipk"])

    def test_ipk_has_its_parts_in_order(self) -> None:
        self.assertEqual(self.ipk["names"], ["./debian-binary", "./data.tar.gz", "./control.tar.gz"])
        self.assertEqual(list(self.ipk["control"]), [".", "./conffiles", "./control", "./postinst", "./postrm", "./prerm"])

    def test_ipk_is_root_s_and_of_one_time(self) -> None:
        for part in ("outer", "data", "control"):
            for name, member in self.ipk[part].items():
                info = member.info
                self.assertEqual((info.uid, info.gid, info.uname, info.gname, info.mtime), (0, 0, "", "", TIME), name)

    def test_ipk_has_every_file(self) -> None:
        got = {name: (member.info.mode, member.content) for name, member in self.ipk["data"].items()}
        self.assertEqual(got.pop("."), (0o755, None))
        self.assertEqual(got, {f"./{name}": (mode, file and file.read_bytes()) for name, (mode, file) in INSTALLED.items()})
        self.assertEqual(list(self.ipk["data"]), [".", *(f"./{name}" for name in INSTALLED)])

    def test_ipk_s_fields(self) -> None:
        lines = self.ipk["control"]["./control"].content.decode().splitlines()
        size = len(gzip.decompress(self.ipk["outer"]["./data.tar.gz"].content))
        expected = {
            "Package": "siproxd-rs",
            "Version": VERSION,
            "Depends": "libc",
            "Conflicts": "siproxd",
            "Replaces": "siproxd",
            "Provides": ", ".join(self.provides),
            "SourceName": "siproxd-rs",
            "License": "MIT OR Apache-2.0",
            "LicenseFiles": "LICENSE-MIT LICENSE-APACHE",
            "Section": "net",
            "Require-User": "siproxd:siproxd",
            "SourceDateEpoch": str(TIME),
            "Architecture": ARCHITECTURE,
            "Installed-Size": str(size),
            "Description": DESCRIPTION,
        }
        self.assertEqual(lines, [f"{name}: {value}" for name, value in expected.items()])

    def test_ipk_s_conffiles_and_modes_of_scripts(self) -> None:
        control = self.ipk["control"]
        self.assertEqual(control["./conffiles"].content, b"/etc/config/siproxd\n")
        modes = {name: member.info.mode for name, member in control.items()}
        scripts = dict.fromkeys(("./postinst", "./postrm", "./prerm"), 0o755)
        self.assertEqual(modes, {".": 0o755, "./conffiles": 0o644, "./control": 0o644} | scripts)

    def test_apk_s_fields(self) -> None:
        info = dict(self.apk["info"])
        self.assertEqual(len(info.pop("hashes")), 20)
        self.assertEqual(
            info,
            {
                "name": "siproxd-rs",
                "version": VERSION,
                "description": DESCRIPTION,
                "arch": ARCHITECTURE,
                "license": "MIT OR Apache-2.0",
                "origin": "siproxd-rs",
                "installed-size": sum(len(entry["content"] or b"") for entry in self.apk["paths"].values()),
                "depends": ["libc"],
                "provides": [f"{name}={VERSION}" for name in sorted(self.provides)],
                "replaces": ["siproxd"],
            },
        )

    def test_apk_has_every_file(self) -> None:
        config = hashlib.sha256((FILES / "siproxd.config").read_bytes()).hexdigest()
        files = sorted(name for name, (_, file) in INSTALLED.items() if file) + ["lib/apk/packages/siproxd-rs.rusers"]
        notes = {
            "conffiles": "/etc/config/siproxd\n/etc/siproxd/\n",
            "conffiles_static": f"/etc/config/siproxd {config}\n",
            "list": "".join(f"/{name}\n" for name in sorted(files)),
            "rusers": "siproxd:siproxd\n",
        }
        expected = {name: (mode, file and file.read_bytes()) for name, (mode, file) in INSTALLED.items()}
        expected |= {name: (0o755, None) for name in ("", "lib", "lib/apk", "lib/apk/packages")}
        expected |= {f"lib/apk/packages/siproxd-rs.{kind}": (0o644, text.encode()) for kind, text in notes.items()}
        self.assertEqual({path: (entry["mode"], entry["content"]) for path, entry in self.apk["paths"].items()}, expected)

    def test_apk_is_root_s_and_of_one_time(self) -> None:
        for path, entry in self.apk["paths"].items():
            self.assertEqual((entry["owner"], entry.get("mtime", TIME)), ("root:root", TIME), path)

    def test_apk_has_scripts_for_three_moments(self) -> None:
        self.assertEqual(sorted(self.apk["scripts"]), ["post-install", "post-upgrade", "pre-deinstall"])

    def test_same_source_makes_same_bytes(self) -> None:
        again = pack(self.scratch / "again", umask=0o077, cwd="/", variables={"TZ": "Pacific/Auckland", "LC_ALL": "C", "MAKEFLAGS": "-k"})
        self.assertEqual(again, self.built)
        later = pack(self.scratch / "later", variables={"SOURCE_DATE_EPOCH": str(TIME + 1)})
        self.assertNotEqual(later["ipk"], self.built["ipk"])
        self.assertNotEqual(later["apk"], self.built["apk"])

    def test_new_installation(self) -> None:
        for form in ("ipk", "apk"):
            with self.subTest(form):
                root = self.root()
                if form == "ipk":
                    root.opkg_install("siproxd-rs", self.built["ipk"])
                else:
                    root.apk_install(self.built["apk"], "post-install")
                self.assertEqual(root.calls(), ["enable /etc/init.d/siproxd", "start /etc/init.d/siproxd"])
                self.assertIn("siproxd:x:", (root.path / "etc/passwd").read_text())
                version = subprocess.run([root.path / "usr/sbin/siproxd", "--version"], check=True, capture_output=True, text=True)
                self.assertEqual(version.stdout.splitlines()[0], f"siproxd {VERSION.partition('-')[0]}")

    def test_the_c_package_s_changed_configuration_survives(self) -> None:
        for form in ("ipk", "apk"):
            with self.subTest(form):
                root = self.root()
                config = root.path / "etc/config/siproxd"
                config.parent.mkdir()
                config.write_bytes(CHANGED)
                if form == "ipk":
                    root.opkg_install("siproxd-rs", self.built["ipk"], replaced=("/etc/init.d/siproxd", "/usr/sbin/siproxd"))
                else:
                    root.apk_install(self.built["apk"], "post-install")
                self.assertEqual(config.read_bytes(), CHANGED)
                new = config.with_name({"ipk": "siproxd-opkg", "apk": "siproxd.apk-new"}[form])
                self.assertEqual(new.read_bytes(), (FILES / "siproxd.config").read_bytes())
                self.assertEqual(root.calls(), ["enable /etc/init.d/siproxd", "start /etc/init.d/siproxd"])

    def test_an_upgrade_starts_and_does_not_enable(self) -> None:
        root = self.root()
        root.opkg_install("siproxd-rs", self.built["ipk"], PKG_UPGRADE="1")
        self.assertEqual(root.calls(), ["start /etc/init.d/siproxd"])
        root = self.root()
        root.apk_install(self.built["apk"], "post-upgrade")
        self.assertEqual(root.calls(), ["start /etc/init.d/siproxd"])

    def test_opkg_removes_everything_even_what_it_forgot(self) -> None:
        for replaced in ((), ("/etc/init.d/siproxd", "/usr/sbin/siproxd")):
            with self.subTest(replaced=replaced):
                root = self.root()
                root.opkg_install("siproxd-rs", self.built["ipk"])
                # After the installation opkg writes its list once more.
                kept = [f"/{name}" for name, (_, file) in INSTALLED.items() if file and f"/{name}" not in replaced]
                (root.path / "usr/lib/opkg/info/siproxd-rs.list").write_text("".join(f"{name}\n" for name in kept))
                root.calls()
                root.opkg_remove("siproxd-rs")
                self.assertEqual(root.calls(), ["disable /etc/init.d/siproxd", "stop /etc/init.d/siproxd"])
                left = sorted(str(path.relative_to(root.path)) for path in root.path.rglob("*") if "siproxd" in path.name and path.is_file())
                self.assertEqual(left, ["etc/config/siproxd"])

    def test_an_image_without_openwrt_s_functions_is_left_alone(self) -> None:
        root = self.root()
        (root.path / "lib/functions.sh").unlink()
        root.opkg_install("siproxd-rs", self.built["ipk"])
        self.assertEqual(root.calls(), [])


class Recipe(unittest.TestCase):
    """What the packages are made from."""

    def setUp(self) -> None:
        sys.path.insert(0, str(PACK.parent))
        self.addCleanup(sys.path.remove, str(PACK.parent))

    def test_what_is_no_file_of_the_package_is_kept_over_upgrades_of_the_system(self) -> None:
        import recipe

        with tempfile.TemporaryDirectory() as scratch:
            root = pathlib.Path(scratch)
            (root / "etc/config").mkdir(parents=True)
            (root / "etc/config/siproxd").touch()
            recipe.keep_over_upgrades(root, "siproxd-rs", ["/etc/config/siproxd", "/etc/siproxd/"])
            self.assertEqual([entry.path for entry in recipe.tree(root) if entry.content], ["lib/upgrade/keep.d/siproxd-rs"])
            self.assertEqual((root / "lib/upgrade/keep.d/siproxd-rs").read_text(), "/etc/siproxd/\n")

    def test_every_target_of_an_architecture_is_built(self) -> None:
        import pack as command

        targets = re.findall(r"(?m)^([^# ]+) ", (REPOSITORY / "cross/targets").read_text())
        self.assertEqual(set(command.architectures().values()), set(targets))
        readme = (REPOSITORY / "openwrt/README.md").read_text()
        for architecture, target in command.architectures().items():
            self.assertRegex(readme, rf"(?m)^\|.*`{architecture}`.*`{target}`", "openwrt/README.md has it")

    def test_a_hook_that_would_be_lost_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            makefile = pathlib.Path(scratch, "Makefile")
            text = (REPOSITORY / "openwrt/siproxd/Makefile").read_text()
            makefile.write_text("define Package/siproxd-rs/prerm\necho\nendef\n" + text)
            command = ["make", "-s", "-C", scratch, f"TOPDIR={PACK.parent}/buildroot", "packages"]
            result = subprocess.run(command, capture_output=True, text=True)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn("does not know of prerm", result.stderr)


if __name__ == "__main__":
    unittest.main()
