"""RTCP goes both ways, one port above its RTP."""

from __future__ import annotations

from lab.baresip import Phone
from lab.callcheck import observed
from lab.kamailio import aor
from lab.netns import ROUTER_LAN
from lab.pcap import UDP, as_rtp, is_rtcp
from lab.wait import until
from lab.world import World

# baresip reports every 5 s (RFC 3550 §6.2).
REPORT_TIMEOUT = 12


def _reported(phone: Phone, since: int) -> bool:
    """Whether the phone has had a report that says how many packets its peer sent."""
    return any(event["rtcp_stats"]["rx"]["sent"] > 0 for event in phone.events("CALL_RTCP", since))  # type: ignore


def test_reports_arrive_both_ways(world: World) -> None:
    """Each phone gets the other's sender reports."""
    phone, remote = world["phone1"], world["remote"]
    with observed(world.network) as seen:
        since, at_remote = phone.mark(), remote.mark()
        phone.dial(aor("carol"))
        remote.event("CALL_INCOMING", at_remote)
        remote.accept()
        phone.event("CALL_RTPESTAB", since)
        until(lambda: _reported(phone, since) and _reported(remote, at_remote), REPORT_TIMEOUT,
              "both phones to have a report", [phone.log, remote.log])
        phone.hangup()
        remote.event("CALL_CLOSED", at_remote)
    for packets, router in ((seen.wan, world.wan), (seen.lan, ROUTER_LAN)):
        media = {packet.dport for packet in packets if packet.dst == router and as_rtp(packet)}
        control = {packet.dport for packet in packets if packet.dst == router and is_rtcp(packet)}
        assert len(media) == 1 and control == {port + 1 for port in media}, (media, control)
        assert all(port % 2 == 0 for port in media)
        sent = {packet.sport for packet in packets
                if packet.src == router and packet.protocol == UDP and is_rtcp(packet)}
        assert sent == control, "RTCP leaves from the port it is received on"
