"""`siproxd history`: the calls that have ended, for who was not looking."""

from __future__ import annotations

from lab.callcheck import talk
from lab.control import ask, shown
from lab.kamailio import aor
from lab.wait import until
from lab.world import World

# Seconds within which the end of a call is known.
PATIENCE = 10.0


def test_calls_that_ended_are_remembered() -> None:
    """One that was talked, and one that nobody took: the latest first, and none for the challenge that each begins with."""
    with World("phone1", "remote") as world:
        phone, remote = world["phone1"], world["remote"]
        assert shown(world.siproxd, "history") == "no call has ended yet\n"
        talk(phone, remote, aor(remote.user), 1.5)
        since, at_phone = remote.mark(), phone.mark()
        phone.dial(aor(remote.user))
        remote.event("CALL_INCOMING", since)
        remote.hangup()
        phone.event("CALL_CLOSED", at_phone)
        missed, talked = until(lambda: lines if len(lines := ask(world.siproxd, "history")) == 2 else None, PATIENCE, "both calls")
        assert (missed["type"], missed["reason"]) == ("ended", "not answered (486)") and "talked" not in missed
        assert (talked["reason"], talked["talked"]) in (("hung up", 1), ("hung up", 2))
        for line in (missed, talked):
            assert line["caller"]["uri"] == aor("alice") and line["callee"]["uri"] == aor("carol")
            assert (line["caller"]["side"], line["callee"]["side"]) == ("lan", "wan")
            assert line["ago"] <= line["lasted"] + 30 and "verdict" not in line
        assert talked["caller"]["packets"] > 50 and talked["callee"]["packets"] > 50
        text = shown(world.siproxd, "history")
        assert "REASON" in text and "> carol@" in text and "hung up" in text
