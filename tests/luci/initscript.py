"""The init script itself on a router of the tests: its `check` is what the page's button runs."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from lab.siproxd import binary
from router import ROOT, Router

OPENWRT = ROOT / "tests/openwrt"
FILES = ROOT / "openwrt/siproxd/files"


def put(router: Router) -> None:
    """/etc/init.d/siproxd of the router is the real one, under busybox's ash, with the stand-ins of tests/openwrt for what it stands on."""
    place = router.root / "openwrt"
    shutil.copytree(OPENWRT / "root", place)
    for name in ("usr/lib/siproxd", "tmp"):
        (place / name).mkdir(parents=True)
    for name in ("translate.sh", "check.sh"):
        shutil.copy(FILES / name, place / "usr/lib/siproxd")
    (place / "etc/config").symlink_to(router.root / "etc/config")
    environment = {
        "IPKG_INSTROOT": place, "SIPROXD": place / "usr/sbin/siproxd", "PROGRAM": binary(), "NETWORKS": "lan=br-lan wan=wan",
        "STAND_IN_UCI": OPENWRT / "uci.py", "STAND_IN_PROCD": OPENWRT / "procd.py", "TMPDIR": place / "tmp",
    }
    run_with(router, environment)


def run_with(router: Router, environment: dict[str, str | Path]) -> None:
    """Has the router's /etc/init.d/siproxd run the real one in this environment, as rc.common does; what procd and the log are told is in `record`."""
    exports = "\n".join(f"export {name}={shlex.quote(str(value))}" for name, value in environment.items())
    router.init(f'{exports}\nexec busybox ash "$IPKG_INSTROOT/etc/rc.common" {FILES}/siproxd.init "$@" 3>>"$IPKG_INSTROOT/record"')
