"""A router with the package installed: the real init script under busybox's ash, with the stand-ins of tests/openwrt for what it stands on,
and procd's part carried out: what it is told to start runs in the router of a lab."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "lab")]

from initscript import FILES, OPENWRT, run_with  # noqa: E402
from lab.netns import LAN_INTERFACE, Network  # noqa: E402
from lab.siproxd import binary  # noqa: E402
from router import Router  # noqa: E402

# An account that every machine has.
GENERAL = "config siproxd 'general'\n\toption user 'nobody'\n\toption interface_inbound 'lan'\n\toption interface_outbound 'wan'\n"


class InstalledRouter(Router):
    """With `network`, a lab's, siproxd runs in its router; without one, only what touches nothing that runs can be asked of the init script."""

    def __init__(self, network: Network | None = None) -> None:
        super().__init__()
        keep = shutil.ignore_patterns("siproxd")
        shutil.copytree(OPENWRT / "root", self.root, dirs_exist_ok=True, ignore=keep)
        (self.root / "usr/lib/siproxd").mkdir(parents=True)
        for name in FILES.glob("*.sh"):
            shutil.copy(name, self.root / "usr/lib/siproxd")
        self.config("siproxd", GENERAL)
        environment = {
            "IPKG_INSTROOT": self.root, "SIPROXD": self.root / "usr/sbin/siproxd", "NETWORKS": f"lan={LAN_INTERFACE} wan=wan", "REALLY": "1",
            "STAND_IN_UCI": OPENWRT / "uci.py", "STAND_IN_PROCD": Path(__file__), "NAMESPACE": network.ns("router") if network else "",
            "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": self.root / "tmp",
        }
        # procd carries out what it is told before the script goes on.
        run_with(self, environment)

    def act(self, *action: str) -> str:
        """Runs the init script; returns what it told procd and the log."""
        record = self.root / "record"
        before = len(record.read_text()) if record.exists() else 0
        subprocess.run([self.root / "etc/init.d/siproxd", *action], check=True, timeout=60)
        return record.read_text()[before:]

    def pids(self) -> dict[str, int]:
        """What procd runs, by the name of the instance."""
        kept = self.root / "pids"
        running: dict[str, tuple[int, str]] = json.loads(kept.read_text()) if kept.exists() else {}
        return {name: pid for name, (pid, _) in running.items() if Path(f"/proc/{pid}").exists()}

    def remove(self) -> None:
        """Ends what runs, and deletes all of it."""
        for pid in self.pids().values():
            end(pid, signal.SIGKILL)
        super().remove()


def end(pid: int, number: signal.Signals) -> None:
    """Sends a signal to one that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def start(root: Path, namespace: str, name: str, instance: dict[str, object]) -> int:
    """Runs an instance as procd would, as its user, outside of everything that has started this."""
    words = [str(word) for word in instance["command"]]  # type: ignore[attr-defined]
    words[0] = str(binary())
    as_user = ["setpriv", f"--reuid={instance['user']}", f"--regid={instance.get('group', 'nogroup')}", "--clear-groups"] if "user" in instance else []
    with (root / f"log-{name}").open("ab") as log:
        # `ip netns exec` becomes the command: this is the daemon's own process.
        return subprocess.Popen(["ip", "netns", "exec", namespace, *as_user, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True).pid


def carry_out(root: Path, namespace: str) -> None:
    """Starts, ends and starts anew what procd has been told of last."""
    told = root / "procd"
    wanted: dict[str, str] = json.loads(told.read_text())["running"] if told.exists() else {}
    kept = root / "pids"
    running: dict[str, tuple[int, str]] = json.loads(kept.read_text()) if kept.exists() else {}
    for name, (pid, text) in list(running.items()):
        if wanted.get(name) != text:
            end(pid, signal.SIGTERM)
            # Its ports are free for the next one.
            subprocess.run(["tail", f"--pid={pid}", "-s", "0.05", "-f", "/dev/null"], timeout=30, check=False)
            del running[name]
    for name, text in wanted.items():
        if name not in running:
            instance, _ = json.JSONDecoder().raw_decode(text)
            running[name] = (start(root, namespace, name, instance), text)
    new = kept.with_suffix(".new")
    new.write_text(json.dumps(running))
    # Into place at once: the test reads it meanwhile.
    new.rename(kept)


if __name__ == "__main__":
    # In procd's place: the stand-in says what it makes of a message, and this does it.
    subprocess.run([sys.executable, OPENWRT / "procd.py", *sys.argv[1:]], check=True)
    if os.environ["NAMESPACE"]:
        carry_out(Path(sys.argv[1]).parent, os.environ["NAMESPACE"])
