"""Packages, as `make packages` makes them."""

import os
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACK = REPOSITORY / "openwrt/pack/pack.py"
TIME = 1_750_000_000
VERSION = re.search(r'(?m)^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text())[1] + "-r1"


def make(directory: pathlib.Path, architecture: str, *options: str | pathlib.Path, **settings) -> dict[str, bytes]:
    """Those of an architecture, by their names."""
    command = [sys.executable, "-B", PACK, "--only", architecture, *options, directory]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(TIME)} | settings.pop("variables", {})
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, **settings)
    return {file.name: file.read_bytes() for file in sorted((directory / architecture).iterdir())}
