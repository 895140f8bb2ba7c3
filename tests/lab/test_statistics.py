"""`plugin_stats`: figures of the calls that run, in the log and in a file."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from lab.baresip import Phone
from lab.kamailio import DOMAIN, aor
from lab.netns import PHONES, REMOTES, ROUTER_LAN, ROUTER_WAN
from lab.wait import until
from lab.world import World

# Seconds within which a file is written whose time has come.
PATIENCE = 10.0


def _figures(text: str) -> list[int]:
    """Streams, calls, clients, registered clients."""
    return [int(re.search(rf"^{name}: +(\d+)$", text, re.MULTILINE).group(1))  # type: ignore[union-attr]
            for name in ("active streams", "active calls", "active clients", "registered clients")]


def _begin(caller: Phone, callee: Phone) -> None:
    since = callee.mark()
    caller.dial(aor(callee.user))
    callee.event("CALL_INCOMING", since)
    callee.accept()
    callee.event("CALL_ESTABLISHED", since)


def test_figures_of_calls_that_run(tmp_path: Path) -> None:
    """One call out, and a second one in: who, which way, from which address of ours to whom; none of it once they are over."""
    file = tmp_path / "statistics"
    with World("phone1", "phone2", "remote", "remote2", load_plugin=["plugin_stats.la", "plugin_logcall.la"], plugin_stats_to_syslog=1,
               plugin_stats_to_file=-1, plugin_stats_filename=file) as world:
        siproxd = world.siproxd

        def asked(figures: list[int]) -> str:
            file.unlink(missing_ok=True)
            os.kill(siproxd.process.pid, signal.SIGUSR1)
            text: str = until(lambda: file.exists() and file.read_text(), PATIENCE, "the file", [siproxd.log])
            assert _figures(text) == figures, text
            return text

        siproxd.wait_line("stats: 0 active streams, 0 active calls, 0 active clients, 2 registered clients")
        assert "Data;" not in asked([0, 0, 0, 2])
        _begin(world["phone1"], world["remote"])
        siproxd.wait_line("stats: 2 active streams, 1 active calls, 1 active clients, 2 registered clients")
        text = asked([2, 1, 1, 2])
        assert re.search(rf"^Date: \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nPID: {siproxd.process.pid}$", text, re.MULTILINE), text
        lines = [line.split("; ") for line in text.splitlines() if line.startswith("Data; ")]
        call_id = lines[0][2]
        assert len(call_id) > 8, lines
        assert lines == [
            ["Data", f"sip:alice@{DOMAIN}", call_id, "outgoing", "outgoing", ROUTER_WAN, REMOTES["remote"]],
            ["Data", f"sip:alice@{DOMAIN}", call_id, "outgoing", "incoming", ROUTER_LAN, PHONES["phone1"]],
        ]
        _begin(world["remote2"], world["phone2"])
        lines = [line.split("; ") for line in asked([4, 2, 2, 2]).splitlines() if line.startswith("Data; ")]
        assert [line[1] + line[3] + line[4] for line in lines if "bob" in line[1]] == [
            f"sip:bob@{DOMAIN}incomingincoming", f"sip:bob@{DOMAIN}incomingoutgoing"]
        world["phone1"].hangup()
        siproxd.wait_line(rf"Call ended: alice@{DOMAIN} -> carol@{DOMAIN} \[\d+ s\] \[hung up\] .*\[CID: {re.escape(call_id)}")
        world["remote2"].hangup()
        siproxd.wait_line(rf"Call ended: dave@{DOMAIN} -> bob@{DOMAIN} \[\d+ s\] \[hung up\]")
        assert "Data;" not in asked([0, 0, 0, 2])


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """Each second anew, and one line; calls go on."""
    with World("phone1", "remote", load_plugin="plugin_stats.la", plugin_stats_to_file=1,
               plugin_stats_filename=tmp_path / "missing/deeper/statistics") as world:
        world.siproxd.wait_line("statistics: statistics cannot be written: .*; make its directory")
        world.call(world["phone1"], world["remote"])
        assert world.siproxd.text().count("statistics cannot be written") == 1
