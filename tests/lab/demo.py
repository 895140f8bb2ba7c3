"""`make demo`: a home, a NAT router with siproxd, a provider and a remote phone; a call each way; what was seen.

    demo.py [--seconds 6] [--config config/siproxd.conf]

Exit status 0 if both calls pass the call check of `lab/callcheck.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from lab.callcheck import (Observation, assert_contact_is_router, assert_hears, assert_no_leak, assert_ports_closed,
                           flows, observed, talk)
from lab.kamailio import aor
from lab.netns import LAN_INTERFACE, PHONES, PROVIDER, REMOTES, ROUTER_LAN, ROUTER_WAN
from lab.pcap import Sip, is_rtcp, sip_messages
from lab.siproxd import ROOT, binary
from lab.baresip import Phone
from lab.world import LEAST_PER_SECOND, TONES, USERS, World

NAMES = {
    ROUTER_LAN: "siproxd (LAN)", ROUTER_WAN: "siproxd (WAN)", PROVIDER: "provider",
    **{address: f"{USERS[host]} ({host})" for host, address in {**PHONES, **REMOTES}.items() if host in USERS},
}


def say(text: str = "") -> None:
    """Prints at once, also into a pipe."""
    print(text, flush=True)


def path_of(seen: Observation) -> list[str]:
    """The call's SIP messages in order, with who sent them to whom; retransmissions once."""
    lines: list[str] = []
    shown: set[tuple[str, str, str, str]] = set()
    messages = sorted(seen.lan_sip() + seen.wan_sip(), key=lambda message: message.packet.time)
    first = messages[0].packet.time if messages else 0.0
    for message in messages:
        what = _short(message)
        hop = (message.packet.src, message.packet.dst, what, message.first("cseq"))
        if message.method == "REGISTER" or hop in shown:
            continue
        shown.add(hop)
        who = f"{NAMES.get(hop[0], hop[0])} -> {NAMES.get(hop[1], hop[1])}"
        lines.append(f"    {message.packet.time - first:7.3f} s  {who:<36} {what}")
    return lines


def _short(message: Sip) -> str:
    if message.is_request:
        return message.method
    return f"{message.start.removeprefix('SIP/2.0 ').partition(' -- ')[0]} ({message.method})"


def show_registrations(world: World) -> None:
    """Who is registered, and what the provider knows of him."""
    say("Registered at the provider (kamailio, digest authentication):")
    for host in ("phone1", "phone2", "remote"):
        phone = world[host]
        for contact in world.provider.contacts(phone.user):
            say(f"  {phone.user:6} at {phone.address:13} is known as {contact}")
        if host in PHONES:
            assert_contact_is_router(world.provider.contacts(phone.user), ROUTER_WAN)
    say()


def show_call(world: World, title: str, caller: Phone, callee: Phone, seconds: float) -> list[Sip]:
    """One call, its check, and its account; returns what the WAN saw of SIP."""
    say(f"{title}: {caller.user} ({caller.address}) calls {callee.user} ({callee.address}), {seconds:g} s of audio ...")
    with observed(world.network) as seen:
        talk(caller, callee, aor(callee.user), seconds)
        assert_ports_closed(world.network)
    say("  the call's path:")
    say("\n".join(path_of(seen)))
    inside, outside = (caller, callee) if caller.host in PHONES else (callee, caller)
    say("  what each heard:")
    for listener, speaker in ((caller, callee), (callee, caller)):
        share = assert_hears(listener, speaker.tone, seconds)
        say(f"    {listener.user}: {speaker.user}'s {speaker.tone} Hz tone, {share:.1%} of the energy")
    say("  RTP through the relay, the same packets (SSRC, sequence, timestamp, payload) on both sides:")
    for flow in flows(seen, inside.address, outside.address, ROUTER_WAN, int(LEAST_PER_SECOND * seconds)):
        say(f"    {flow}")
    say(f"    RTCP: {sum(map(is_rtcp, seen.lan))} packets on the LAN, {sum(map(is_rtcp, seen.wan))} on the WAN")
    assert_no_leak(seen, world.network)
    size = sum(len(packet.raw) for packet in seen.wan)
    say(f"  private addresses (10.0.0.x) in the {len(seen.wan)} packets, {size} bytes, on the WAN: none, as text, hex, "
        "Base64 or in any header")
    say("  relay ports after the BYE: all closed")
    say()
    return sip_messages(seen.wan)


def show_wan_view(messages: list[Sip]) -> None:
    """What the provider sees of the phone: an INVITE as it left."""
    invite = next(message for message in reversed(messages)
                  if message.start.startswith("INVITE ") and message.packet.src == ROUTER_WAN)
    say("What the WAN saw of the first call: the INVITE as it left the router")
    for line in invite.packet.payload.decode("utf-8", "replace").splitlines():
        if not line.lower().startswith(("proxy-authorization", "allow")):
            say(f"    {line}")
    say()


def main() -> int:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description="A call each way through a NAT router with siproxd.")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each call")
    parser.add_argument("--config", type=Path, default=ROOT / "config/siproxd.conf", help="siproxd's configuration")
    options = parser.parse_args()
    if os.geteuid() != 0:
        say("The demo makes network namespaces, and so needs root: run it as root, or with sudo.")
        return 1
    started = time.monotonic()
    try:
        with World(config=options.config) as world:
            run(world, options)
    except KeyboardInterrupt:
        say("\nStopped; everything that was made is gone.")
        return 130
    except AssertionError as error:
        say(f"\nFAILED: {error}")
        return 1
    say(f"Both calls passed. Everything that was made is gone; it took {time.monotonic() - started:.0f} s.")
    return 0


def run(world: World, options: argparse.Namespace) -> None:
    """The demo's course, inside a running lab."""
    say(f"""\
A home: alice at {PHONES['phone1']} and bob at {PHONES['phone2']}, baresip phones with siproxd as outbound proxy.
A router: {LAN_INTERFACE} {ROUTER_LAN}, wan {ROUTER_WAN}; nftables masquerades, and drops all that comes in on the WAN but for
answers, the SIP port and the RTP range. The Internet has no route to 10.0.0.0/8.
On the Internet: the provider at {PROVIDER}, carol's baresip at {REMOTES['remote']}.
siproxd: {os.path.relpath(binary())} -c {os.path.relpath(options.config)}
Each phone speaks a tone: alice {TONES['phone1']} Hz, bob {TONES['phone2']} Hz, carol {TONES['remote']} Hz.
""")
    for host in ("phone1", "phone2", "remote"):
        world.phone(host)
    for phone in world.phones.values():
        phone.registered()
    show_registrations(world)
    seconds = options.seconds
    out = show_call(world, "Out", world["phone1"], world["remote"], seconds)
    show_call(world, "In", world["remote"], world["phone2"], seconds)
    show_wan_view(out)
    world.siproxd.assert_alive()
    say(f"siproxd: {world.siproxd.resident_kib()} KiB resident, {world.siproxd.cpu_seconds():.2f} s of CPU for all this.")


if __name__ == "__main__":
    sys.exit(main())
