"""Root is given up for good, step by step; what is opened later is found where it was said to be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.callcheck import observed
from lab.control import ask, command, shown
from lab.netns import PROVIDER, ROUTER_WAN, SIP_PORT
from lab.pcap import TCP, as_rtp
from lab.process import run
from lab.rawcall import TRUNK, RawCall, register
from lab.siproxd import START_TIMEOUT, Siproxd, binary
from lab.wait import until
from lab.world import World

NOBODY = 65534
LOW_PORT = 1000
DSCP = 46
# Bits of capabilities(7).
BIND_SERVICE, NET_ADMIN = 1 << 10, 1 << 12
NEW_WAN = "198.51.100.77"


@pytest.fixture
def home() -> Iterator[World]:
    """A home without phones, whose siproxd is not started yet."""
    with World(proxy=False) as made:
        # The lab's directory is root's alone.
        made.network.dir.chmod(0o755)
        yield made


def _status(pid: int) -> dict[str, str]:
    """What proc(5) says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _assert_is_nobody(pid: int, capabilities: int = 0) -> None:
    """The account has its own rights, `capabilities`, and what connection tracking needs, which is not in effect."""
    until(lambda: _status(pid)["NoNewPrivs"] == "1", START_TIMEOUT, "the end of the start")
    status = _status(pid)
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    assert status["Groups"].split() == [str(NOBODY)]
    assert int(status["CapEff"], 16) == capabilities
    assert int(status["CapPrm"], 16) == capabilities | NET_ADMIN
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0


def _jail(home: World) -> Path:
    jail = home.network.dir / "jail"
    (jail / "state").mkdir(parents=True)
    os.chown(jail / "state", NOBODY, NOBODY)
    return jail


def _register(home: World) -> None:
    phone = home.endpoint("phone1", SIP_PORT)
    register(home, phone)
    phone.close()


def test_nothing_is_left_of_root(home: World) -> None:
    """User, groups and capabilities are those of `user`, and registrations are saved by it."""
    state = home.network.dir / "state"
    siproxd = Siproxd(home.network, user="nobody", registration_file=state / "registrations")
    siproxd.wait_line("running as user 65534, group 65534, in /, keeps CAP_NET_ADMIN for connection tracking, confined by Landlock\n")
    _assert_is_nobody(siproxd.process.pid)
    assert state.stat().st_uid == NOBODY, "the directory that was made is the account's"
    _register(home)
    assert siproxd.stop() == 0
    saved = state / "registrations"
    assert saved.stat().st_uid == NOBODY and TRUNK in saved.read_text()


def test_low_ports_are_bound_again(home: World) -> None:
    """A port below 1024 follows a new WAN address after root was given up, and only that power was kept for it."""
    siproxd = Siproxd(home.network, user="nobody", sip_listen_port=LOW_PORT, sip_dscp=DSCP, wait=False)
    siproxd.wait_line(f"listening for SIP on {ROUTER_WAN}:{LOW_PORT} \\(TCP\\)")
    siproxd.wait_line("running as user .*, and may bind to ports below 1024")
    _assert_is_nobody(siproxd.process.pid, BIND_SERVICE)
    home.network.set_wan(NEW_WAN)
    for kind in ("UDP", "TCP"):
        siproxd.wait_line(f"listening for SIP on {NEW_WAN}:{LOW_PORT} \\({kind}\\)")
    siproxd.assert_alive()


def test_files_are_written_in_their_directory_alone(home: World) -> None:
    """Somebody puts another directory of the account in the place of that of `registration_file`: the kernel lets nothing be written there."""
    state, other = home.network.dir / "state", home.network.dir / "other"
    siproxd = Siproxd(home.network, user="nobody", registration_file=state / "registrations", autosave_registrations=1)
    other.mkdir()
    os.chown(other, NOBODY, NOBODY)
    state.rename(home.network.dir / "moved")
    state.symlink_to(other)
    _register(home)
    siproxd.wait_line("cannot be saved: Permission denied")
    assert not list(other.iterdir())
    siproxd.assert_alive()


def test_media_and_messages_are_marked_without_root() -> None:
    """Sockets that are opened after root was given up carry `rtp_dscp` and `sip_dscp`, those of TCP too."""
    with World(user="nobody", rtp_dscp=DSCP, sip_dscp=DSCP, outbound_proxy_host=PROVIDER,
               outbound_proxy_transport="tcp") as world:
        with observed(world.network) as seen:
            call = RawCall(world)
            call.establish()
            call.hang_up()
        _assert_is_nobody(world.siproxd.process.pid)
    sent = [packet for packet in seen.wan if packet.src == world.wan]
    media, messages = ({packet.raw[1] >> 2 for packet in sent if kind(packet)}
                       for kind in (as_rtp, lambda packet: packet.protocol == TCP))
    assert media == messages == {DSCP}


@pytest.mark.parametrize("has_resolv_conf", [True, False])
def test_jail(home: World, has_resolv_conf: bool) -> None:
    """In a jail names are resolved from the first message on; nameservers change where the jail has the file, else a warning says so."""
    jail = _jail(home)
    inside = jail / "etc/resolv.conf"
    if has_resolv_conf:
        inside.parent.mkdir()
        inside.write_text(f"nameserver {PROVIDER}\n")
    siproxd = Siproxd(home.network, user="nobody", chrootjail=jail, registration_file="/state/registrations")
    _assert_is_nobody(siproxd.process.pid)
    assert os.readlink(f"/proc/{siproxd.process.pid}/root") == str(jail)
    warning = f"nameservers stay those of the start: there is no {inside} for the jail"
    assert (warning in siproxd.text()) != has_resolv_conf
    siproxd.wait_line(f"nameservers: {PROVIDER}:53")
    _register(home)
    if has_resolv_conf:
        inside.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
        siproxd.wait_line("nameservers: 192.0.2.1:53, 192.0.2.2:53")
    assert siproxd.stop() == 0
    assert TRUNK in (jail / "state/registrations").read_text()
    siproxd.start()
    siproxd.wait_line("/state/registrations: 1 registrations taken back")


def test_commands_and_reload_in_a_jail(home: World) -> None:
    """The control socket is where it was said to be, seen from outside; a reload reads the copy of the configuration in the jail."""
    jail = _jail(home)
    siproxd = Siproxd(home.network, user="nobody", chrootjail=jail, registration_file="/state/registrations", wait=False)
    siproxd.wait_line("running as user 65534")
    siproxd.wait_line("a reload will not find ")
    done = command(siproxd, "reload")
    assert done.returncode == 1 and "nothing has changed, the old configuration stays" in done.stdout + done.stderr, done
    inside = jail / siproxd.config.relative_to("/")
    inside.parent.mkdir(parents=True)
    inside.write_text(siproxd.config.read_text() + "rtp_timeout = 77\n")
    assert command(siproxd, "reload").returncode == 0
    siproxd.wait_line("reload: rtp_timeout: 300 before, 77 now")
    _register(home)
    assert ask(siproxd, "status")[0]["tables"]["bindings"]["used"] == 1
    assert TRUNK in shown(siproxd, "bindings")
    assert siproxd.stop() == 0


def test_the_group_may_give_commands(home: World) -> None:
    """Who has the daemon's group, be it as one of several, may connect, another may not."""
    siproxd = Siproxd(home.network, user="nobody")
    siproxd.dir.chmod(0o755)
    status = ["siproxd", "-c", str(siproxd.config), "status"]
    for groups, status_code in ((["--regid=1", f"--groups={NOBODY}"], 0), ([f"--regid={NOBODY}", "--clear-groups"], 0),
                                (["--regid=1", "--clear-groups"], 1)):
        done = subprocess.run(["setpriv", "--reuid=1", *groups, *status], executable="setpriv", env={
            "PATH": f"{binary().parent}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False)
        assert done.returncode == status_code, (groups, done.stdout, done.stderr)
    assert "only root, and the daemon's user and group, may talk to it" in done.stderr


@pytest.mark.parametrize(("power", "step"), [("setgid", "user = nobody: setgroups: "), ("setuid", "user = nobody: setuid: "),
                                             ("sys_chroot", "chrootjail = ")])
@pytest.mark.parametrize("daemonize", [0, 1])
def test_a_step_that_fails_ends_it(home: World, power: str, step: str, daemonize: int) -> None:
    """A root that may not do one of the steps does not run on as root, and whoever started it sees why."""
    jail = _jail(home)
    config = home.network.dir / "conf"
    config.write_text(f"if_inbound = br-lan\nif_outbound = wan\nuser = nobody\nchrootjail = {jail}\ndaemonize = {daemonize}\n")
    prefix = ["setpriv", f"--bounding-set=-{power}"]
    done = run(home.network.ns("router"), [*prefix, str(binary()), "-c", str(config)], check=False)
    assert done.returncode == 1
    assert f"{step}" in done.stderr.splitlines()[-1] and "Operation not permitted" in done.stderr, done.stderr
