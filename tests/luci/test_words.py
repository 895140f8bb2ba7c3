"""What the pages know to translate is what the daemon says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = (ROOT / "openwrt/luci-app-siproxd/htdocs/luci-static/resources/siproxd/words.js").read_text()


def _said(path: str, function: str) -> list[str]:
    """The texts in a function of the daemon's."""
    source = (ROOT / path).read_text()
    found = re.search(rf"fn {function}\b.*?\n    ?\}}\n", source, re.DOTALL)
    assert found, f"{path} has no function {function}"
    return re.findall(r'"([^"]+)"', found.group(0))


def _known() -> set[str]:
    return {text.replace("\\'", "'") for text in re.findall(r"_\('((?:[^'\\]|\\.)*)'\)", WORDS)}


def test_each_refusal_of_a_registrar_is_known() -> None:
    texts = _said("src/engine/refusals.rs", "of_registrar") + _said("src/engine/refusals.rs", "of_ours")
    assert len(texts) > 10
    assert set(texts) <= _known(), set(texts) - _known()


def test_each_word_for_a_verdict_is_known() -> None:
    table = (ROOT / "docs/verdict.md").read_text().partition("## The words")[2]
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))
    assert len(listed) > 10
    assert listed == set(re.findall(r"case '([a-z-]+)':\n\t\treturn \[ _", WORDS))
