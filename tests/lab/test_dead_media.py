"""When media is dead the call ends, and both parties hear of it; who is alive is left alone."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.callcheck import assert_no_leak, assert_ports_closed, observed, relay_ports
from lab.kamailio import aor
from lab.netns import PHONES, PROVIDER, REMOTES
from lab.pjsua import PjPhone
from lab.rawcall import BURST, RawCall
from lab.wait import until
from lab.world import OUTBOUND, World

# Seconds without media; the daemon looks every two seconds.
TIMEOUT = 3
SWEEP = 2

# Of a call in which nothing is said: time-out, two sweeps, and a loaded machine.
DEAD_AFTER = TIMEOUT + 2 * SWEEP + 3

RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 0x01020304)


@contextmanager
def _swallowed(world: World) -> Iterator[None]:
    """A packet filter in the router swallows all media."""
    low, high = world.network.rtp_range
    world.network.nft("router", "table inet swallow { chain in { type filter hook input priority -300;"
                                f" udp dport {low}-{high + 1} drop; }}; }}")
    try:
        yield
    finally:
        world.network.nft("router", "delete table inet swallow")


def test_both_phones_are_hung_up() -> None:
    """A packet filter swallows the media of two real phones: both show the end of the call, each answers its one BYE."""
    with World("phone1", "remote", rtp_timeout=TIMEOUT, rtp_timeout_bye=1) as world:
        phone, remote = world["phone1"], world["remote"]
        for caller, callee in ((phone, remote), (remote, phone)):
            with observed(world.network) as seen:
                at_caller, at_callee = caller.mark(), callee.mark()
                caller.dial(aor(callee.user))
                callee.event("CALL_INCOMING", at_callee)
                callee.accept()
                caller.event("CALL_ESTABLISHED", at_caller)
                callee.event("CALL_ESTABLISHED", at_callee)
                with _swallowed(world):
                    until(lambda: caller.events("CALL_CLOSED", at_caller) and callee.events("CALL_CLOSED", at_callee),
                          DEAD_AFTER, "both phones to hang up", [caller.log, callee.log, world.siproxd.log])
                assert_ports_closed(world.network)
            assert_no_leak(seen, world.network)
            for messages, receiver in ((seen.lan_sip(), PHONES["phone1"]), (seen.wan_sip(), PROVIDER)):
                byes = [one for one in messages if one.start.startswith("BYE ") and one.packet.dst == receiver]
                answers = [one for one in messages if one.status == 200 and one.first("cseq").endswith(" BYE")
                           and one.packet.src == receiver]
                assert byes and answers, f"{receiver}: {len(byes)} BYE, {len(answers)} answers"
                assert len({one.first("via") for one in byes}) == 1, "one BYE, sent again at most"
        world.call(phone, remote)


def test_other_phones_are_hung_up() -> None:
    """The same with PJSUA2."""
    with World(rtp_timeout=TIMEOUT, rtp_timeout_bye=1) as world:
        phone = PjPhone(world.network, "phone1", PHONES["phone1"], "alice", 500, OUTBOUND)
        remote = PjPhone(world.network, "remote", REMOTES["remote"], "carol", 1100)
        for one in (phone, remote):
            one.registered()
        for caller, callee in ((phone, remote), (remote, phone)):
            marks = caller.mark(), callee.mark()
            numbers = caller.call(callee, aor(callee.user))
            with _swallowed(world):
                for one, number, mark in zip((caller, callee), numbers, marks):
                    one.event(f"state {number} DISCONN", mark, timeout=DEAD_AFTER)
            assert_ports_closed(world.network)
            assert not re.search("no BYE to", world.siproxd.text())
        for one in (phone, remote):
            one.stop()


def test_rtcp_is_life() -> None:
    """Reports alone keep a call; without them it ends, and late media reaches nobody."""
    with World(rtp_timeout=TIMEOUT, rtp_timeout_bye=1) as world:
        call = RawCall(world)
        call.establish()
        assert call.to_a and call.to_b
        until_then = time.monotonic() + 3 * TIMEOUT
        while time.monotonic() < until_then:
            call.rtp_a.sendto(RECEIVER_REPORT, (call.to_b[0], call.to_b[1] + 1))
            time.sleep(0.5)
        assert relay_ports(world.network), f"the call is gone\n{world.siproxd.tail()}"
        assert call.media() == (BURST, BURST)
        byes = [one.wait_request("BYE", timeout=DEAD_AFTER) for one in (call.b, call.a)]
        for one, bye in zip((call.b, call.a), byes):
            assert bye.first("call-id") and "cause=102" in bye.first("reason"), bye
            one.send(one.answer(bye, 200, "OK"), (bye.packet.src, bye.packet.sport))
        assert_ports_closed(world.network)
        assert call.media() == (0, 0)
        for one in (call.a, call.b):
            one.nothing_for(1.5)
        call.close()


def test_media_after_bye_reaches_nobody() -> None:
    """Late packets of both parties find closed ports, and open nothing."""
    with World() as world:
        call = RawCall(world)
        call.establish()
        call.hang_up()
        assert call.media() == (0, 0)
        assert not relay_ports(world.network)
        call.close()


def test_a_stopped_daemon_loses_packets_but_no_call() -> None:
    """It gets no processor for longer than the time-out: who talked on meanwhile is not dead."""
    with World(rtp_timeout=TIMEOUT, rtp_timeout_bye=1) as world:
        call = RawCall(world)
        call.establish()
        for _ in range(3):
            with world.siproxd.frozen():
                stopped = time.monotonic()
                while time.monotonic() < stopped + TIMEOUT + SWEEP:
                    call.media()
            call.media()
            assert call.media() == (BURST, BURST), world.siproxd.tail()
        call.hang_up()
        call.close()
