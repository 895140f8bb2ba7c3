"""A reload (SIGHUP) acts at once, or changes nothing; calls and registrations do not notice it."""

from __future__ import annotations

import re
import signal
import time

from lab.callcheck import (assert_contact_is_router, assert_hears, assert_no_leak, assert_ports_closed, delays,
                           flows, media_end, observed, relay_sockets)
from lab.rawcall import OUTBOUND as PROXY
from lab.wait import until
from lab.world import World

# Reloads in mid-call.
RELOADS = 100

# Seconds between two of them.
PAUSE = 0.05

# Reloads that must cost no memory, and those before, after which everything has been used once.
MANY, WARM_UP = 1000, 50

# KiB of memory that the system may count differently between two looks.
NOISE = 64

# Seconds that the relay may keep a packet: what a phone's jitter buffer evens out (three packets).
MOST_DELAY = 0.06

# Seconds until a line that is due is in the log.
SOON = 5.0

DONE = re.compile(r"^.*reload: .*(?:is applied|says what it said before|nothing has changed).*$", re.MULTILINE)


def _reload(world: World, **directives: object) -> str:
    """Writes the file with these directives besides the others, and reloads; returns what the log says of it."""
    world.siproxd.directives.update(directives)
    world.siproxd.write_config()
    return _hang_up(world)


def _hang_up(world: World) -> str:
    start = len(world.siproxd.text())
    world.siproxd.process.popen.send_signal(signal.SIGHUP)
    until(lambda: DONE.search(world.siproxd.text(), start), SOON, "the reload", [world.siproxd.log], interval=0.002)
    return world.siproxd.text()[start:]


def test_a_hundred_reloads_in_mid_call() -> None:
    """Two phones talk while the configuration changes a hundred times, each time in many directives; no packet is lost or kept, the call
    keeps its ports, the next one has others, and nobody registers anew."""
    with World("phone1", "remote") as world:
        phone, remote = world["phone1"], world["remote"]
        since, at_remote = phone.mark(), remote.mark()
        with observed(world.network) as seen:
            phone.dial("sip:carol@provider.example")
            remote.event("CALL_INCOMING", at_remote)
            remote.accept()
            phone.event("CALL_ESTABLISHED", since)
            begun = time.monotonic()
            ports = until(lambda: relay_sockets(world.network), SOON, "the relay's ports")
            for number in range(RELOADS):
                odd = number % 2
                told = _reload(world, rtp_port_low=7070 + 10 * odd, rtp_port_high=7079 + 10 * odd, rtp_dscp=46 * odd,
                               sip_dscp=24 * odd, max_calls=odd, rtp_input_dejitter=20000 * odd, rtp_timeout=300 + odd,
                               ua_string="a phone" if odd else None, hosts_allow_reg="10.0.0.0/24" if odd else None,
                               default_expires=600 + odd, rtp_coalesce=500 * odd)
                assert "is applied" in told, told
                assert relay_sockets(world.network) == ports
                time.sleep(PAUSE)
            talked = time.monotonic() - begun
            phone.hangup()
            remote.event("CALL_CLOSED", at_remote)
            assert_ports_closed(world.network)
        assert_hears(phone, remote.tone, talked)
        assert_hears(remote, phone.tone, talked)
        assert_no_leak(seen, world.network)
        both = flows(seen, phone.address, remote.address, world.wan, int(35 * talked))
        assert [flow.lost for flow in both] == [0, 0], both
        late = [delay for delay in delays(seen, phone.address, remote.address, world.wan) if delay > MOST_DELAY]
        assert not late, late
        registers = [sip for sip in seen.lan_sip() if sip.start.startswith("REGISTER ") and sip.packet.time < media_end(seen)]
        assert len(registers) <= 1, "the phone had nothing to do anew"
        assert_contact_is_router(world.provider.contacts("alice"), world.wan)

        # The last one acts: the port range is the upper half, and one call is taken.
        low = {port for _, port in ports}
        with observed(world.network) as seen:
            remote_mark, phone_mark = remote.mark(), phone.mark()
            remote.dial("sip:alice@provider.example")
            phone.event("CALL_INCOMING", phone_mark)
            phone.accept()
            remote.event("CALL_ESTABLISHED", remote_mark)
            now = {port for _, port in relay_sockets(world.network)}
            assert now and min(now) >= 7080 and max(low | now) <= 7089, (low, now)
            remote.hangup()
            phone.event("CALL_CLOSED", phone_mark)
        assert "max_calls: 0 before, 1 now" in world.siproxd.text()


def test_what_is_wrong_changes_nothing_and_what_needs_a_restart_is_named() -> None:
    """A broken file, a missing one, and one with a new SIP port."""
    with World("phone1", "remote") as world:
        told = _reload(world, max_calls=0, rtp_dscp="much")
        assert re.search(r"ERROR.*siproxd\.conf:\d+.*rtp_dscp = much: not a number", told), told
        assert "nothing has changed, the old configuration stays" in told
        world.call(world["phone1"], world["remote"])

        file = world.siproxd.config.read_text()
        world.siproxd.config.unlink()
        told = _hang_up(world)
        assert "siproxd.conf: cannot be read: No such file" in told and "nothing has changed" in told, told
        world.siproxd.config.write_text(file)
        world.call(world["phone1"], world["remote"])

        told = _reload(world, max_calls=None, rtp_dscp=None, sip_listen_port=5080, user="nobody")
        assert "`sip_listen_port` needs a restart: 5060 stays until then, 5080 waits" in told, told
        assert "`user` needs a restart: nothing stays until then, nobody waits" in told, told
        world.call(world["remote"], world["phone1"])

        # What changes acts with the next message.
        assert "is applied" in _reload(world, hosts_deny_sip="10.0.0.13", sip_listen_port=5060, user=None)
        neighbour = world.endpoint("phone3")
        call_id = neighbour.call_id()
        neighbour.send(neighbour.request("OPTIONS", "sip:10.0.0.1", sender="sip:a@provider.example", call_id=call_id), PROXY)
        world.siproxd.wait_line(r"all from 10\.0\.0\.13 dropped: hosts_deny_sip names it")
        assert "is applied" in _reload(world, hosts_deny_sip=None)
        neighbour.send(neighbour.request("OPTIONS", "sip:10.0.0.1", sender="sip:a@provider.example", call_id=call_id), PROXY)
        assert neighbour.wait_response(call_id, SOON)
        neighbour.close()


def test_a_thousand_reloads_take_no_memory() -> None:
    """Each with other directives than the one before, and each second one with an error."""
    with World("phone1") as world:
        sizes: list[int] = []
        for number in range(WARM_UP + MANY):
            if number == WARM_UP:
                sizes.append(world.siproxd.resident_kib())
            _reload(world, rtp_input_dejitter=20000 * (number % 3), rtp_port_high=7089 + 10 * (number % 5),
                    wan_allow="192.0.2.1, 192.0.2.2" if number % 2 else None, rtp_dscp="much" if number % 2 else 46)
        sizes.append(world.siproxd.resident_kib())
        files = world.siproxd.open_files()
        assert sizes[1] - sizes[0] <= NOISE, sizes
        _hang_up(world)
        assert world.siproxd.open_files() == files
        print("KiB before and after", sizes)
