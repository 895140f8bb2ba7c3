"""The ubus object of the app, as rpcd would run it, and something that takes the daemon's place."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from router import APP, HERE, NODE, Router

PLUGIN = APP / "root/usr/share/rpcd/ucode/siproxd.uc"

# What a daemon says.
STATUS = {"v": 1, "type": "status", "version": "0.9.0", "pid": 1}
END = {"v": 1, "type": "end", "lines": 1}


class Plugin:
    """The plugin on a router."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.commands: list[str] = []
        environment = {"PATH": os.environ["PATH"], "HOME": str(router.root)}
        options = {"plugin": str(PLUGIN), "root": str(router.root), "environment": environment}
        self._process = subprocess.Popen([NODE, HERE / "plugin.mjs", json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self) -> None:
        """Ends it; it must have gone well."""
        try:
            self._process.communicate(timeout=30)
        finally:
            self._process.kill()
        assert self._process.wait() == 0

    def __call__(self, method: str, **args: Any) -> dict[str, Any]:
        """Calls a method; the command lines that it ran are in `commands`."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"method": method, "args": args}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "an exception in the plugin, see stderr"
        said = json.loads(line)
        self.commands = said["commands"]
        answer = said["answer"]
        assert isinstance(answer, dict)
        return answer

    def error(self, method: str, **args: Any) -> str:
        """The kind of error that a method answers with; it has words, too."""
        error = self(method, **args)["error"]
        assert set(error) == {"kind", "text"} and error["text"], error
        return error["kind"]

    def general(self) -> dict[str, Any]:
        """The status of the one instance."""
        (shown,) = self("getStatus")["instances"]
        return shown


@contextmanager
def daemon(router: Router, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """In place of siproxd: takes one client after the other, and serves each."""
    path = router.root / "fake.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        router.started().write_text(f"control_socket = {path}\n")

        def loop() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    try:
                        serve(client)
                    except (BrokenPipeError, ConnectionResetError):
                        pass

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def requests(client: socket.socket) -> Iterator[str]:
    """The commands of a client, until it has gone."""
    for line in client.makefile("r"):
        yield json.loads(line)["command"]


def say(client: socket.socket, *lines: dict[str, Any]) -> None:
    """Sends lines of an answer."""
    client.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
