"""The pictures of docs/img can be made at any time, and show what they are named after."""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.sync_api import Browser

from conftest import Home
from router import ROOT
from scene import busy
from screenshots import KINDS, LARGEST, PAGES, take

IMAGES = ROOT / "docs/img"


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height, of its IHDR (PNG, RFC 2083 §4.1.1)."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", picture
    return struct.unpack(">II", head[16:24])


def test_all_pictures_are_taken(home: Home, browser: Browser, tmp_path: Path) -> None:
    with busy(home.world):
        made = take(home, browser, tmp_path, samples=2)
    assert {picture.name for picture in made} == {picture.name for picture in IMAGES.glob("*.png")}
    for picture in made:
        name, _, kind = picture.stem.partition("-")
        width, height = size_of(picture)
        # The one of a phone that is refused is a part of the page.
        assert (width, height) == KINDS[kind][:2] or (name == "refused" and 600 < width <= 1100 and 100 < height < 500), (picture, width, height)
    assert len({picture.read_bytes() for picture in made}) == len(made), "two pictures are the same"


def test_the_pictures_that_are_kept_are_small_and_shown() -> None:
    kept = sorted(IMAGES.glob("*.png"))
    assert len(kept) == len(PAGES) * len(KINDS) + 1
    assert [picture.name for picture in kept if picture.stat().st_size > LARGEST] == []
    text = (ROOT / "README.md").read_text() + (ROOT / "openwrt/README.md").read_text()
    assert [picture.name for picture in kept if f"docs/img/{picture.name}" not in text] == []
