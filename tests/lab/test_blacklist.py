"""`plugin_blacklist`: a phone with a wrong password is not heard for a while, so that its provider does not lock out the house."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from lab.baresip import Account
from lab.callcheck import observed
from lab.control import ask
from lab.kamailio import DOMAIN
from lab.netns import PHONES, PROVIDER, ROUTER_WAN
from lab.wait import until
from lab.world import OUTBOUND, World

# Seconds within which a phone has its answer.
PATIENCE = 20.0


def _try(world: World, secret: str | None, status: int) -> None:
    """A baresip on phone1 registers alice with a password, hears this status in the end, and is gone again."""
    phone = world.phone("phone1", [Account("alice", secret=secret, outbound=OUTBOUND)])
    phone.process.wait_line(rf"alice@{DOMAIN}.* {status}", PATIENCE)
    phone.stop()


def _refusals(world: World) -> int:
    refusals: int = ask(world.siproxd, "stats")[0]["hooks"]["plugin_blacklist"]["refusals"]
    return refusals


def test_a_wrong_password_is_tried_twice(tmp_path: Path) -> None:
    """A phone tries it again and again. The third time nothing of it gets to the provider, also after a restart; another phone speaks on; a
    corrected password is let in once the line is taken out of the file."""
    file = tmp_path / "blacklist"
    with World("phone2", "remote", load_plugin="plugin_blacklist.la", plugin_blacklist_hitcount=1, plugin_blacklist_dbpath=file) as world:
        with observed(world.network) as seen:
            _try(world, "wrong", 403)
        tried = {sip.first("cseq") for sip in seen.wan_sip() if sip.packet.src == ROUTER_WAN and sip.all("authorization")}
        assert len(tried) == 2, tried
        world.siproxd.wait_line(rf"blacklist: alice@{DOMAIN} at {PHONES['phone1']} has failed to register 2 times")
        with observed(world.network) as seen:
            _try(world, "wrong", 403)
            world.call(world["phone2"], world["remote"], 1.0)
        sent = [sip for sip in seen.wan_sip() if sip.packet.src == ROUTER_WAN and "alice@" in sip.first("from")]
        assert not sent, sent
        assert _refusals(world) >= 1

        world.siproxd.stop()
        assert f"{PHONES['phone1']} alice@{DOMAIN} 2 " in file.read_text()
        world.siproxd.start()
        _try(world, None, 403)
        # It is not written while it says what there is, and what somebody else wrote is not overwritten at the end.
        by_hand = f"# by hand\n{PHONES['phone1']} alice@{DOMAIN} 9 1\n"
        file.write_text(by_hand)
        file.chmod(0o644)
        world.siproxd.stop()
        assert file.read_text() == by_hand
        world.siproxd.start()
        for _ in range(2):
            _try(world, "wrong", 403)
        file.write_text(by_hand)
        world.siproxd.stop()
        assert "the blacklist was changed by somebody else, and is read again" in world.siproxd.text()
        assert file.read_text() == by_hand
        world.siproxd.start()
        for _ in range(2):
            _try(world, "wrong", 403)
        world.siproxd.stop()
        assert f"{PHONES['phone1']} alice@{DOMAIN} 2 " in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o644
        world.siproxd.start()
        _try(world, None, 403)
        file.write_text("".join(line for line in file.read_text().splitlines(True) if "alice@" not in line))
        os.kill(world.siproxd.process.pid, signal.SIGHUP)
        world.siproxd.wait_line("reload: .* says what it said before")
        _try(world, None, 200)


@pytest.mark.parametrize("simulate", [0, 1])
def test_a_list_of_siproxd_0_8_and_one_by_hand(tmp_path: Path, simulate: int) -> None:
    """A database is left as it is. A line of the user's refuses a phone from the start, or with `simulate` says that it would."""
    database = tmp_path / "blacklist.sqlite"
    database.write_bytes(b"SQLite format 3\0" + bytes(4080))
    file = tmp_path / "blacklist"
    file.write_text(f"# by hand\n{PHONES['phone1']} alice@{DOMAIN} always\n")
    with World(load_plugin="plugin_blacklist.la", plugin_blacklist_dbpath=database, plugin_blacklist_simulate=simulate) as world:
        world.siproxd.wait_line("is a database of siproxd 0.8, and is left alone")
        _try(world, None, 200)
        assert world.siproxd.stop() == 0
        assert database.read_bytes() == b"SQLite format 3\0" + bytes(4080)
        world.siproxd.directives["plugin_blacklist_dbpath"] = file
        world.siproxd.write_config()
        world.siproxd.start()
        _try(world, None, 200 if simulate else 403)
        if simulate:
            world.siproxd.wait_line(rf"blacklist: REGISTER from {PHONES['phone1']}:\d+ would be refused")
        assert _refusals(world) == 0 if simulate else _refusals(world) > 0


def test_what_a_provider_in_trouble_says_is_no_failure(tmp_path: Path) -> None:
    """While it does not answer, and siproxd says 408 in its place, nobody is put on the list."""
    with World(load_plugin="plugin_blacklist.la", plugin_blacklist_hitcount=1, plugin_blacklist_dbpath=tmp_path / "list") as world:
        far = world.endpoint("phone1")
        for cseq in range(1, 5):
            call_id = far.call_id()
            far.send(far.request("REGISTER", f"sip:{PROVIDER}:5999", sender=f"sip:alice@{PROVIDER}", to=f"sip:alice@{PROVIDER}",
                                 call_id=call_id, cseq=cseq, headers=("Authorization: Digest username=\"alice\"",)), tuple_of(OUTBOUND))
            assert far.wait_response(call_id, timeout=40).status in (408, 503)
        assert until(lambda: _refusals(world) == 0, 1, "no refusal", [world.siproxd.log])
        far.close()


def tuple_of(address: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host, int(port)
