"""Keys pressed in a call (RFC 4733) arrive, from either side."""

from __future__ import annotations

from lab.callcheck import observed
from lab.kamailio import aor
from lab.pcap import as_rtp
from lab.wait import until
from lab.world import World

DIGITS = "159#"


def test_keys_arrive_both_ways(world: World) -> None:
    """Every digit, in order, as telephone-event packets on the wire."""
    phone, remote = world["phone1"], world["remote"]
    with observed(world.network) as seen:
        since, at_remote = phone.mark(), remote.mark()
        phone.dial(aor("carol"))
        remote.event("CALL_INCOMING", at_remote)
        remote.accept()
        phone.event("CALL_RTPESTAB", since)
        remote.event("CALL_RTPESTAB", at_remote)
        for sender, receiver, mark in ((phone, remote, at_remote), (remote, phone, since)):
            for count, digit in enumerate(DIGITS, 1):
                sender.dtmf(digit)
                until(lambda: len(receiver.events("CALL_DTMF_START", mark)) >= count, 5,
                      f"{digit} at {receiver.host}", [sender.log, receiver.log])
            heard = "".join(str(event["param"]) for event in receiver.events("CALL_DTMF_START", mark))
            assert heard == DIGITS, heard
        phone.hangup()
        remote.event("CALL_CLOSED", at_remote)
    for sender in (world.wan, remote.address):
        kinds = {rtp.payload_type for packet in seen.wan if packet.src == sender and (rtp := as_rtp(packet))}
        assert kinds == {0, 101}, kinds
