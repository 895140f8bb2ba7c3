"""A daemon of a router whose log a test writes line by line."""

from __future__ import annotations

import json
from typing import Any

from router import Router

# Answers by the last word of the command line: `log`, `debug`, or how all is. What it was asked is kept.
PROGRAM = """\
echo "$*" >>{root}/asked
case "$*" in
*" debug "*) cat {root}/said-debug ;;
*" log") cat {root}/said-status {root}/said-log ;;
*) cat {root}/said-status ;;
esac
"""


class FakeLog:
    """Stands in for siproxd from now on."""

    def __init__(self, router: Router, pid: int = 100, **status: Any) -> None:
        self._router = router
        self._status = {"lan": {"interface": "br-lan", "addresses": ["192.168.1.1/24"]}, **status}
        self.restart(pid)
        (router.root / "asked").write_text("")
        self._say("debug", [{"type": "debug", "classes": 0, "remaining": 0}])
        router.started()
        router.hook(PROGRAM.format(root=router.root))

    def restart(self, pid: int, **status: Any) -> None:
        """Another process, which has logged nothing yet."""
        self.pid = pid
        self.at = 0
        self.lines: list[dict[str, Any]] = []
        self._say("log", [])
        self.status(**status)

    def status(self, **changes: Any) -> None:
        """What its status has besides."""
        self._status.update(changes)
        self._say("status", [{"type": "status", "version": "0.9.0", "pid": self.pid, **self._status}])

    def log(self, *lines: str) -> None:
        """Logs lines, at places as the daemon counts them."""
        for line in lines:
            self.at += len(line.encode()) + 1
            self.lines.append({"type": "log", "line": line, "at": self.at})
        self._say("log", self.lines)

    def lose(self, count: int) -> None:
        """Forgets the oldest lines, as the ring does."""
        del self.lines[:count]
        self._say("log", self.lines)

    def answers_debug(self, classes: int, remaining: int) -> None:
        """What it says to `debug`."""
        self._say("debug", [{"type": "debug", "classes": classes, "remaining": remaining}])

    def asked(self) -> list[str]:
        """The command lines so far."""
        return (self._router.root / "asked").read_text().splitlines()

    def _say(self, what: str, lines: list[dict[str, Any]]) -> None:
        path = self._router.root / f"said-{what}"
        new = path.with_suffix(".new")
        new.write_text("".join(json.dumps({"v": 1, **line}) + "\n" for line in lines))
        new.rename(path)
