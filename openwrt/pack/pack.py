#!/usr/bin/python3
"""pack.py [--only ARCHITECTURE] [--program FILE] DIRECTORY: writes an .ipk and an .apk for each architecture below DIRECTORY, and in `all` those
of the pages for LuCI, which are the same for all of them.

The programs are those that `make cross` has built, or FILE. What is in a package comes from the feed's Makefiles (recipe.py). The time
of everything in it is SOURCE_DATE_EPOCH, or else that of the commit: the same source makes the same bytes.
"""

import argparse
import os
import pathlib
import subprocess

import apk
import ipk
import recipe

ROOT = recipe.HERE.parents[1]

# What opkg calls a package for every architecture.
ALL = "all"


def architectures() -> dict[str, str]:
    """Of the file of that name: each with the target that it is built for."""
    lines = (recipe.HERE / "architectures").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def source_time() -> int:
    """Seconds since 1970."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    command = ["git", "-C", ROOT, "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def write(package: recipe.Package, directory: pathlib.Path) -> None:
    """In both formats; says how large they are."""
    directory.mkdir(parents=True, exist_ok=True)
    for form in (ipk, apk):
        file = directory / form.file_name(package)
        file.write_bytes(form.build(package))
        print(f"{directory.name:<26} {file.stat().st_size:>9} bytes  {file}")


def main() -> None:
    """Writes the packages, and says how large they are."""
    parser = argparse.ArgumentParser(description="Makes packages for OpenWrt.")
    parser.add_argument("--only", metavar="ARCHITECTURE", choices=[*architectures(), ALL], help="for this architecture alone")
    parser.add_argument("--program", type=pathlib.Path, metavar="FILE", help="this program, in place of what make cross built")
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    built = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    for architecture, target in architectures().items():
        if arguments.only not in (None, architecture):
            continue
        program = arguments.program or built / target / "release" / "siproxd"
        for name in recipe.names("siproxd"):
            write(recipe.read("siproxd", name, architecture, source_time(), program), arguments.directory / architecture)
    if arguments.only in (None, ALL):
        for name in recipe.names("luci-app-siproxd"):
            write(recipe.read("luci-app-siproxd", name, ALL, source_time()), arguments.directory / ALL)


if __name__ == "__main__":
    main()
