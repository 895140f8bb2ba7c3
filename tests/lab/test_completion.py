"""Completion as somebody has it who types: bash and zsh on a terminal, with the files that are shipped."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab.siproxd import ROOT

COMPLETION = ROOT / "config/completion"

# Seconds that a shell may take to answer, also on a loaded machine.
PATIENCE = 30.0

# What each shell reads first; the prompt tells that it is ready, and the program need not be installed.
SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"PS1='ready> '; source {COMPLETION}/siproxd.bash; bind 'set bell-style none'\n"),
    "zsh": (["zsh", "-f", "-i"], f"PS1='ready> '; unsetopt zle_bracketed_paste; fpath=({COMPLETION} $fpath); autoload -U compinit; "
                                 "compinit -D -u; setopt no_list_beep\n"),
}


class Shell:
    """A shell on a terminal of its own."""

    def __init__(self, name: str, directory: Path) -> None:
        command, setup = SETUP[name]
        self._terminal, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "HOME": str(directory), "HISTFILE": "/dev/null"}
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=directory, env=environment,
                                         start_new_session=True)
        os.close(theirs)
        self.seen = ""
        self.type(setup)
        self.type("echo set''up\n")
        self.wait("\nsetup")
        self.wait("ready> ")

    def type(self, text: str) -> None:
        """Types, a tab where there is one."""
        self.seen = ""
        os.write(self._terminal, text.encode())

    def wait(self, text: str) -> None:
        """Waits until the terminal shows it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen.replace("\r", ""):
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            if select.select([self._terminal], [], [], 1.0)[0]:
                self.seen += os.read(self._terminal, 4096).decode(errors="replace")

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@contextmanager
def shell(name: str, directory: Path) -> Iterator[Shell]:
    """A shell that has the completion."""
    made = Shell(name, directory)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_what_is_typed_is_completed(name: str, tmp_path: Path) -> None:
    """An option, a command, a file behind `-c`, a command behind an option; and all commands are listed where several fit."""
    (tmp_path / "office.conf").write_text("")
    with shell(name, tmp_path) as it:
        for typed, completed in (("--che", "--check "), ("bindi", "bindings "), ("-c off", "-c office.conf "),
                                 ("--json rel", "--json reload "), ("calls --wa", "calls --watch ")):
            it.type(f"siproxd {typed}\t")
            it.wait(f"siproxd {completed}")
            # Ctrl-U forgets the line.
            it.type("\x15echo do''ne\n")
            it.wait("\ndone")
            it.wait("ready> ")
        it.type("siproxd stat\t\t")
        for command in ("status", "stats"):
            it.wait(command)
