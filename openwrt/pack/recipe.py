"""What the feed's Makefiles say of their packages, and the files that they install: one recipe for the feed and for the packages made here."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FEED = HERE.parent


@dataclasses.dataclass(frozen=True)
class Entry:
    """A directory or a file of the package. Everything is root's."""

    path: str  # from the root, without a slash before or behind
    mode: int
    content: bytes | None  # None is a directory


@dataclasses.dataclass(frozen=True)
class Package:
    """A package for one architecture, or `all`, before it gets a format."""

    name: str
    version: str
    architecture: str
    section: str
    title: str
    description: str
    depends: list[str]
    provides: list[str]
    conflicts: list[str]
    license: str
    license_files: str
    url: str
    maintainer: str
    users: str
    postinst: str  # what the package itself does once it is installed
    conffiles: list[str]  # as the Makefile lists them: absolute, may be directories or files that are not installed
    entries: list[Entry]  # directories before what is in them
    time: int  # seconds since 1970, of every file

    def installed_conffiles(self) -> list[str]:
        """Those conffiles that are files of the package."""
        files = {"/" + entry.path for entry in self.entries if entry.content is not None}
        return sorted(path for path in self.conffiles if path in files)


def run(folder: str, goal: str, variables: dict[str, pathlib.Path]) -> str:
    """What the Makefile in this folder of the feed prints for a goal."""
    command = ["make", "--silent", "--no-print-directory", "-C", FEED / folder, goal]
    command += [f"{name}={value}" for name, value in ({"TOPDIR": HERE / "buildroot"} | variables).items()]
    # Not the flags and variables of a make that this runs in.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES")}
    return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout


def names(folder: str) -> list[str]:
    """The packages of the Makefile in this folder of the feed."""
    return run(folder, "packages", {}).split()


def read(folder: str, name: str, architecture: str, time: int, program: pathlib.Path | None = None) -> Package:
    """A package of those, with this program in it."""
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as scratch:
        root, facts, built = (pathlib.Path(scratch, name) for name in ("root", "facts", "built"))
        for directory in (root, facts, built / "bin"):
            directory.mkdir(parents=True)
        if program:
            shutil.copyfile(program, built / "bin" / "siproxd")
        run(folder, name, {"PKG_INSTALL_DIR": built, "ROOT": root, "FACTS": facts})
        fact = {file.name: file.read_text().strip() for file in facts.iterdir()}
        conffiles = fact["conffiles"].split()
        keep_over_upgrades(root, fact["NAME"], conffiles)
        return Package(
            name=fact["NAME"],
            version=fact["VERSION"],
            architecture=fact["PKGARCH"] or architecture,
            section=fact["SECTION"],
            title=fact["TITLE"],
            description=" ".join(fact["description"].split()),
            depends=["libc"] + dependencies(fact["DEPENDS"]),
            provides=fact["PROVIDES"].split(),
            conflicts=fact["CONFLICTS"].split(),
            license=fact["LICENSE"],
            license_files=fact["LICENSE_FILES"],
            url=fact["URL"],
            maintainer=fact["MAINTAINER"],
            users=fact["USERID"],
            postinst=fact["postinst"],
            conffiles=conffiles,
            entries=tree(root),
            time=time,
        )


def dependencies(words: str) -> list[str]:
    """Names of packages: those words that are conditions on what is built (`@`) are met where a program is there."""
    return [word.lstrip("+") for word in words.split() if not word.startswith("@")]


def keep_over_upgrades(root: pathlib.Path, name: str, conffiles: list[str]) -> None:
    """Lists conffiles that are no files of the package where sysupgrade looks for them, as OpenWrt's build does."""
    others = [path for path in conffiles if not (root / path.lstrip("/")).is_file()]
    if others:
        directory = root / "lib/upgrade/keep.d"
        directory.mkdir(parents=True, mode=0o755)
        (directory / name).write_text("".join(path + "\n" for path in others))
        (directory / name).chmod(0o644)


def tree(root: pathlib.Path) -> list[Entry]:
    """Everything below this directory, sorted as `tar --sort=name` does, a directory before what is in it."""
    entries = []
    for path in sorted(root.iterdir(), key=lambda path: os.fsencode(path.name)):
        name, mode = str(path.relative_to(root)), path.lstat().st_mode & 0o7777
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ValueError(f"{name}: neither a directory nor a file")
        if path.is_dir():
            entries.append(Entry(name, mode, None))
            entries += [dataclasses.replace(entry, path=f"{name}/{entry.path}") for entry in tree(path)]
        else:
            entries.append(Entry(name, mode, path.read_bytes()))
    return entries
