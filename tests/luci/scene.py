"""A home on an ordinary day: calls that have ended, one of them without sound one way, and one that goes on; on a worse day a phone that cannot
register. For the pictures, and for what must hold of every page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.audio import write_tone
from lab.baresip import Account, Phone
from lab.callcheck import talk
from lab.control import ask
from lab.kamailio import aor
from lab.process import run
from lab.wait import until
from lab.world import OUTBOUND, World

# Seconds within which all of it is there, on a loaded machine.
PATIENCE = 20.0

# Packets of the call that goes on, from each party, before it is looked at: enough for figures of its sound.
PACKETS = 150


# Seconds of tone that a phone has to say; it hangs up at its end.
LONGEST = 900


@contextmanager
def busy(world: World) -> Iterator[None]:
    """The day of a home with `phone1`, `phone2` and `remote`; the call that goes on ends with the block."""
    alice, bob, carol = world["phone1"], world["phone2"], world["remote"]
    talk(alice, carol, aor(carol.user), 3)
    with _muffled(world, "phone2"):
        talk(bob, carol, aor(carol.user), 5)
    _missed(bob, carol)
    for phone in (alice, carol):
        write_tone(phone.dir / "tone.wav", phone.tone, LONGEST)
    at_caller, at_callee = carol.mark(), alice.mark()
    carol.dial(aor(alice.user))
    alice.event("CALL_INCOMING", at_callee)
    alice.accept()
    carol.event("CALL_ESTABLISHED", at_caller)
    until(lambda: _heard(world), PATIENCE, "sound both ways")
    try:
        yield
    finally:
        carol.hangup()
        alice.event("CALL_CLOSED", at_callee)


@contextmanager
def refused(world: World) -> Iterator[None]:
    """A phone with a wrong password."""
    chris = world.phone("phone3", [Account("chris", secret="wrong", outbound=OUTBOUND)])
    try:
        until(lambda: ask(world.siproxd, "refusals"), PATIENCE, "the refusal of chris", [world.siproxd.log])
        yield
    finally:
        world.phones.pop("phone3")
        chris.stop()


@contextmanager
def _muffled(world: World, host: str) -> Iterator[None]:
    """A firewall in the phone lets none of its sound out."""
    low, high = world.network.rtp_range
    ns = world.network.ns(host)
    run(ns, ["nft", f"add table inet muffle; add chain inet muffle out {{ type filter hook output priority 0; }}; "
                    f"add rule inet muffle out udp dport {low}-{high} drop"])
    try:
        yield
    finally:
        run(ns, ["nft", "delete table inet muffle"])


def _missed(caller: Phone, callee: Phone) -> None:
    """A call that nobody takes."""
    at_caller, at_callee = caller.mark(), callee.mark()
    caller.dial(aor(callee.user))
    callee.event("CALL_INCOMING", at_callee)
    callee.hangup()
    caller.event("CALL_CLOSED", at_caller)


def _heard(world: World) -> bool:
    """Whether either party of the one call has sent enough."""
    calls = ask(world.siproxd, "calls")
    return len(calls) == 1 and all(
        section[party]["packets"] >= PACKETS for section in calls[0]["media"] for party in ("caller", "callee"))
