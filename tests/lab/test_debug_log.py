"""The two ways to a debug log that the manual describes work word for word."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab.kamailio import aor
from lab.netns import ROUTER_LAN
from lab.process import Process, run
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import register
from lab.siproxd import binary
from lab.wait import until
from lab.world import World

DEBUG_PORT = 5050

CONFIG = """\
if_inbound = br-lan
if_outbound = wan
rtp_port_low = 7070
rtp_port_high = 7089
"""


def _home(world: World, name: str, extra: str = "") -> Path:
    """A home directory with a .siproxdrc, and `siproxd` to be found by name."""
    home = world.network.dir / name
    home.mkdir()
    (home / ".siproxdrc").write_text(CONFIG + extra)
    (home / "siproxd").symlink_to(binary().resolve())
    return home


def _listening(world: World, port: int, kind: str = "-Huln") -> bool:
    return f":{port} " in run(world.network.ns("router"), ["ss", kind]).stdout


def test_foreground_log_on_stderr() -> None:
    """`siproxd -d -1 2>debug.log`"""
    with World(proxy=False) as world:
        home = _home(world, "home")
        shell = Process(world.network.ns("router"), [
            "sh", "-c", f'cd "{home}" && HOME="{home}" PATH="{home}:$PATH"; export HOME; exec siproxd -d -1 2>debug.log'],
            home / "shell.log")
        log = home / "debug.log"
        until(lambda: _listening(world, 5060), 10, "siproxd to listen", [shell.log, log])
        phone = world.endpoint("phone1", 5060)
        register(world, phone)
        until(lambda: "REGISTER" in log.read_text(errors="replace"), 3, "the REGISTER in the log", [log])
        assert shell.stop() == 0
        phone.close()


def test_debug_port_of_the_daemon() -> None:
    """`daemonize = 1`, `silence_log = 1`, `debug_level = -1`, `debug_port = 5050`, read with
    `netcat ADDRESS 5050 > debug.log`."""
    with World(proxy=False) as world:
        extra = f"daemonize = 1\nsilence_log = 1\ndebug_level = -1\ndebug_port = {DEBUG_PORT}\npid_file = pid\n"
        home = _home(world, "daemon", extra.replace("= pid\n", f"= {world.network.dir}/daemon/pid\n"))
        shell = Process(world.network.ns("router"), ["sh", "-c", f'HOME="{home}" exec "{home}/siproxd"'],
                        home / "shell.log")
        assert shell.wait_end(10) == 0
        until(lambda: _listening(world, 5060) and _listening(world, DEBUG_PORT, "-Htln"), 10, "siproxd to listen",
              [shell.log])
        log = home / "debug.log"
        reader = Process(world.network.ns("phone2"), [
            "sh", "-c", f'exec netcat {ROUTER_LAN} {DEBUG_PORT} > "{log}"'], home / "reader.log")
        until(lambda: log.exists() and log.read_text(errors="replace"), 10, "the first line", [log, reader.log])
        phone = world.endpoint("phone1", 5060)
        register(world, phone)
        until(lambda: "REGISTER" in log.read_text(errors="replace"), 3, "the REGISTER in the log", [log])

        # On the WAN the port is not to be had.
        probe = run(world.network.ns("remote"), ["netcat", "-z", "-w", "1", world.wan, str(DEBUG_PORT)], check=False)
        assert probe.returncode != 0

        # A reader that stalls is not waited for.
        os.kill(reader.pid, signal.SIGSTOP)
        for _ in range(3000):
            call_id = phone.call_id()
            phone.send(phone.request("OPTIONS", "sip:10.0.0.1", sender=aor("alice"), call_id=call_id), PROXY)
            phone.wait_response(call_id, 3)
        os.kill(reader.pid, signal.SIGCONT)
        reader.stop()
        pid_file = home / "pid"
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the daemon to end")
        assert not pid_file.exists(), "the pid file goes with the daemon"
        phone.close()
