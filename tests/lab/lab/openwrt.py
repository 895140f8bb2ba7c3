"""The init script of the OpenWrt package, as rc.common runs it, with the stand-ins of tests/openwrt for what the router has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.netns import LAN_INTERFACE, Network
from lab.process import run
from lab.siproxd import binary

ROOT = Path(__file__).parents[3]
STAND_INS = ROOT / "tests/openwrt"
FILES = ROOT / "openwrt/siproxd/files"

# Runs what follows as procd's jail does.
JAIL = Path(__file__).parent / "jail.sh"

# A section of an account that every machine has.
SECTION = "config siproxd general\n\toption interface_inbound lan\n\toption interface_outbound wan\n\toption user nobody\n"

# Seconds that the init script may take: it starts siproxd several times.
PATIENCE = 60.0


class OpenWrt:
    """A router's files, in a directory of their own. procd's part is told in the record, not carried out."""

    def __init__(self, network: Network) -> None:
        network.dir.chmod(0o755)
        self.network = network
        self.root = network.dir / "openwrt"
        shutil.copytree(STAND_INS / "root", self.root)
        for directory in ("etc/config", "usr/lib/siproxd"):
            (self.root / directory).mkdir(parents=True)
        shutil.copy(FILES / "translate.sh", self.root / "usr/lib/siproxd")
        (self.root / "record").touch()

    @property
    def configuration(self) -> Path:
        """The siproxd.conf of the section `general`."""
        return self.root / "var/etc/siproxd/siproxd-general.conf"

    @property
    def instance(self) -> Path:
        """What procd is told of it."""
        return self.configuration.with_suffix(".instance")

    @property
    def state(self) -> Path:
        """The directory with its registrations."""
        return self.root / "var/lib/siproxd/nobody"

    def init(self, action: str, *options: str) -> str:
        """Writes the section with these options besides, runs the init script, and returns what it told procd and the log."""
        (self.root / "etc/config/siproxd").write_text(SECTION + "".join(f"\toption {option}\n" for option in options))
        record = self.root / "record"
        before = len(record.read_text())
        environment = {"IPKG_INSTROOT": self.root, "SIPROXD": binary(), "NETWORKS": f"lan={LAN_INTERFACE} wan=wan", "REALLY": "1",
                       "STAND_IN_UCI": STAND_INS / "uci.py", "STAND_IN_PROCD": STAND_INS / "procd.py", "PATH": os.environ["PATH"]}
        run(self.network.ns("router"), ["env", *(f"{name}={value}" for name, value in environment.items()), "sh", "-c", 'exec "$@" 3>>"$0"',
                                        str(record), "busybox", "ash", str(self.root / "etc/rc.common"), str(FILES / "siproxd.init"), action], PATIENCE)
        return record.read_text()[before:]

    def command(self) -> tuple[str, ...]:
        """What procd runs siproxd with: the words behind the program."""
        for line in self.instance.read_text().splitlines():
            if line.startswith("param command "):
                return tuple(line.split()[3:])
        raise AssertionError("procd was told no command")
