"""What `registration_file` has to bear: a kill at once, a full disk, one that is read-only, another's directory, a file of siproxd 0.8."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.callcheck import delays, observed
from lab.netns import PHONES, PROVIDER, REMOTES, ROUTER_LAN, ROUTER_WAN, SIP_PORT
from lab.process import run
from lab.rawcall import OUTBOUND
from lab.siproxd import Siproxd
from lab.voice import talk
from lab.voicecall import VoiceCall
from lab.wait import until
from lab.world import World

# Seconds within which a new phone is on the disk: seven, and what a loaded machine takes.
SOON = 20.0

# Milliseconds that a slow disk takes to say that it has everything, and those that media may wait for siproxd at most.
SLOW, MOST_DELAY = 400, 200

# Phones that register while somebody talks, and bindings there are already: all that there may be.
MORE, BINDINGS = 5, 500

# Bytes of a disk that two registrations fit on, and nothing else.
SMALL = "16k"


def test_a_phone_is_reached_after_a_kill_right_after_its_registration() -> None:
    """With the usual `autosave_registrations` of five minutes: the phone does nothing, siproxd is killed, and the next call arrives."""
    with World("remote", "phone1") as world:
        file = Path(str(world.siproxd.directives["registration_file"]) + ".new")
        until(lambda: file.exists() and "alice" in file.read_text(), SOON, "the phone in the file", [world.siproxd.log])
        world.siproxd.kill()
        world.siproxd.start()
        world.siproxd.wait_line("1 registrations taken back")
        world.call(world["remote"], world["phone1"], 1.0)


@pytest.fixture
def home() -> Iterator[World]:
    """A home without phones, whose siproxd is not started yet."""
    with World(proxy=False) as made:
        made.network.dir.chmod(0o755)
        yield made


def _with_disk(home: World, **directives: object) -> tuple[Siproxd, Path]:
    """A siproxd whose registrations are on a small disk of its own; its path from outside."""
    disk = home.network.dir / "disk"
    disk.mkdir()
    prefix = ("sh", "-c", f'mount -t tmpfs -o size={SMALL} tmpfs "{disk}" && exec "$@"', "sh")
    siproxd = Siproxd(home.network, prefix=prefix, registration_file=disk / "registrations", autosave_registrations=1, **directives)
    return siproxd, Path(f"/proc/{siproxd.process.pid}/root{disk}")


def _register(home: World, user: str) -> None:
    """Registers a user at siproxd itself."""
    phone = home.endpoint("phone1")
    call_id = phone.call_id()
    sender = f"sip:{user}@{ROUTER_LAN}"
    phone.send(phone.request("REGISTER", f"sip:{ROUTER_LAN}", sender=sender, to=sender, call_id=call_id,
                             headers=("Expires: 600",)), OUTBOUND)
    assert phone.wait_response(call_id).status == 200
    phone.close()


def test_a_full_disk(home: World) -> None:
    """What was saved stays, the log says it once, and once there is room all is saved."""
    siproxd, disk = _with_disk(home)
    saved = disk / "registrations"
    _register(home, "trunk")
    until(lambda: saved.exists() and "trunk@" in saved.read_text(), SOON, "the first phone", [siproxd.log])
    before = saved.read_text()
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1024):
                pass
        except OSError:
            pass
    _register(home, "second")
    siproxd.wait_line("cannot be saved: No space left on device .*; make room on that disk")
    _register(home, "third")
    assert saved.read_text() == before and sorted(path.name for path in disk.iterdir()) == [
        "ballast", "registrations", "registrations.key"]
    ballast.unlink()
    siproxd.wait_line("registrations and calls are saved again")
    until(lambda: all(f"aor={user}@" in saved.read_text() for user in ("trunk", "second", "third")), SOON, "all phones",
          [siproxd.log])
    assert siproxd.text().count("cannot be saved") == 1
    siproxd.assert_alive()


def test_a_read_only_disk(home: World) -> None:
    """The same where the file system is read-only, as a router's may become."""
    siproxd, disk = _with_disk(home)
    saved = disk / "registrations"
    _register(home, "trunk")
    until(lambda: saved.exists() and "trunk@" in saved.read_text(), SOON, "the first phone", [siproxd.log])
    mount = ["nsenter", "-t", str(siproxd.process.pid), "-m", "mount", "-o"]
    place = str(home.network.dir / "disk")
    run(home.network.ns("router"), [*mount, "remount,ro", place])
    _register(home, "second")
    siproxd.wait_line("cannot be saved: Read-only file system .*; let it be written to")
    run(home.network.ns("router"), [*mount, "remount,rw", place])
    siproxd.wait_line("registrations and calls are saved again")
    until(lambda: "second@" in saved.read_text(), SOON, "both phones", [siproxd.log])
    assert siproxd.text().count("cannot be saved") == 1


def test_a_directory_of_another(home: World) -> None:
    """A daemon without root writes over its own file there; where it has none it says whose directory it needs, and serves its phones."""
    directory = home.network.dir / "roots"
    directory.mkdir(mode=0o755)
    siproxd = Siproxd(home.network, user="nobody", registration_file=directory / "registrations", autosave_registrations=1)
    warning = f"nobody cannot replace files in {directory}: registrations are written over the old ones"
    assert warning in siproxd.text()
    saved = directory / "registrations"
    _register(home, "trunk")
    until(lambda: "trunk@" in saved.read_text(), SOON, "the phone in the file", [siproxd.log])
    saved.unlink()
    _register(home, "second")
    siproxd.wait_line("cannot be saved: Permission denied .*; give its directory to the account that siproxd runs as")
    siproxd.assert_alive()


def test_phones_of_siproxd_08_are_reached(home: World) -> None:
    """The file of the original gives the phone, the DNS its provider; a call comes in before the phone has registered again."""
    state = home.network.dir / "siproxd"
    state.mkdir()
    file = state / "registrations"
    expires = int(time.time()) + 600
    free = "****:0:0\n" * 511
    file.write_text(f"****:1:{expires}\nsip:trunk@{PHONES['phone1']}:5080\nsip:trunk@{ROUTER_WAN}:5060\n"
                    f"sip:trunk@provider.example\n{free}")
    siproxd = Siproxd(home.network, registration_file=file)
    siproxd.wait_line("1 registrations taken back, 0 calls, 0 expired")
    assert (state / "registrations.orig").read_text().startswith("****:1:")
    phone = home.endpoint("phone1", 5080)
    provider = home.endpoint("provider", 5070)
    until(lambda: file.exists() and f"registrar={PROVIDER}:{SIP_PORT}" in file.read_text(), SOON, "its registrar in the file",
          [siproxd.log])
    provider.send(provider.request("OPTIONS", f"sip:trunk@{ROUTER_WAN}:{SIP_PORT}", sender="sip:server@provider.example",
                                   to="sip:trunk@provider.example"), (ROUTER_WAN, SIP_PORT))
    assert phone.wait_request("OPTIONS").first("to").startswith("<sip:trunk@provider.example>")
    phone.close()
    provider.close()


def test_a_slow_disk_does_not_hold_up_media(home: World) -> None:
    """While two parties talk, phones register; the disk takes long to be sure of what is written, and is waited for after the call."""
    waits = home.network.dir / "waits"
    prefix = ("strace", "-D", "-f", "--seccomp-bpf", "-o", str(waits), "-e", "trace=fsync,fdatasync", "-e",
              f"inject=fsync,fdatasync:delay_enter={SLOW}ms")
    siproxd = Siproxd(home.network, prefix=prefix, autosave_registrations=1)
    for number in range(BINDINGS):
        _register(home, f"phone{number}")
    until(lambda: (siproxd.dir / "registrations").exists(), SOON, "the file", [siproxd.log])
    home.use(siproxd)
    call = VoiceCall(home)
    before = waits.read_text().count("sync(")
    with observed(home.network) as seen:
        for number in range(MORE):
            _register(home, f"new{number}")
            talk(2.0, call.caller, call.callee)
    assert waits.read_text().count("sync(") == before
    late = delays(seen, PHONES["phone3"], REMOTES["remote2"], ROUTER_WAN)
    assert len(late) > MORE * 100 and max(late) * 1000 < MOST_DELAY, max(late)
    assert f"new{MORE - 1}" in (siproxd.dir / "registrations.new").read_text()
    call.end()
    until(lambda: waits.read_text().count("sync(") > before, SOON, "the disk", [siproxd.log])
    until(lambda: f"new{MORE - 1}" in (siproxd.dir / "registrations").read_text(), SOON, "the file", [siproxd.log])
    siproxd.assert_alive()
