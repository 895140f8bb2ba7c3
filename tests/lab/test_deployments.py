"""Each way to use siproxd that `config/examples` has a file for: with that file as it is, real calls both ways, and nothing of the
home on the Internet."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from lab.baresip import Account, Phone
from lab.callcheck import assert_contact_is_router, assert_hears, assert_no_leak, observed, talk
from lab.kamailio import DOMAIN, aor
from lab.leaks import PRIVATE, find_leaks
from lab.netns import LAN_INTERFACE, LAN_NET, PHONES, PROVIDER, ROUTER_LAN, ROUTER_WAN, RTP_HIGH, RTP_LOW, SIP_PORT, Network
from lab.pjsua import PjPhone
from lab.siproxd import ROOT, Siproxd
from lab.world import HOME_DOMAIN, OUTBOUND, TALK, TONES, USERS, World

EXAMPLES = ROOT / "config/examples"

# Where a PBX takes messages that shares its host with siproxd.
PBX_PORT = 5061

# The network within the home.
INNER = {"router": "192.168.7.1", "phone": "192.168.7.11"}


def test_each_example_is_used_here() -> None:
    """A file that nobody has tried is no example."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    unused = [path.name for path in EXAMPLES.glob("*.conf") if f'EXAMPLES / "{path.name}"' not in text]
    assert not unused, unused


def _forward_ports(world: World, to: str) -> None:
    """The router only does NAT, and forwards the SIP port and the RTP range to a host behind it."""
    world.network.nft("router", f"""
        table inet lab
        delete table inet lab
        table inet lab {{
            chain in {{
                type nat hook prerouting priority dstnat;
                iifname "wan" udp dport {{ {SIP_PORT}, {RTP_LOW}-{RTP_HIGH + 1} }} dnat ip to {to}
            }}
            chain out {{
                type nat hook postrouting priority srcnat;
                oifname "wan" ip saddr {LAN_NET} masquerade
            }}
            chain forward {{
                type filter hook forward priority filter; policy accept;
                iifname "wan" ct state established,related accept
                iifname "wan" ct status dnat accept
                iifname "wan" counter drop
            }}
        }}
    """)


def _check_calls(world: World, inside: Phone, outside: Phone) -> None:
    """Calls in both directions that are heard, with no private address on the Internet."""
    with observed(world.network) as seen:
        for caller, callee in ((inside, outside), (outside, inside)):
            talk(caller, callee, aor(callee.user), TALK)
            assert_hears(inside, outside.tone, TALK)
            assert_hears(outside, inside.tone, TALK)
    leaks = find_leaks(seen.wan, world.network.rtp_range, (*PRIVATE, *INNER.values()))
    assert not leaks, leaks[:3]
    assert_contact_is_router(world.provider.contacts(inside.user), ROUTER_WAN)


class InnerNetwork(Network):
    """The home has a network of its own within: phone3 is the router to it, with `eth1` towards it and `eth0` towards the home."""

    def _build(self) -> None:
        super()._build()
        self._hosts.append("inner")
        subprocess.run(["ip", "netns", "add", self.ns("inner")], check=True)
        self.set_resolver("inner", PROVIDER)
        self.ip("phone3", "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", self.ns("inner"))
        self.sysctl("phone3", "net.ipv4.ip_forward", 1)
        for host, device, address in (("phone3", "eth1", INNER["router"]), ("inner", "eth0", INNER["phone"])):
            self.ip(host, "link", "set", device, "up")
            self.ip(host, "addr", "add", f"{address}/24", "dev", device)
        self.ip("inner", "link", "set", "lo", "up")
        self.ip("inner", "route", "add", "default", "via", INNER["router"])
        self.nft("phone3", """
            table inet lab {
                chain out {
                    type nat hook postrouting priority srcnat;
                    oifname "eth0" ip saddr 192.168.7.0/24 masquerade
                }
                chain forward {
                    type filter hook forward priority filter; policy accept;
                    iifname "eth0" ct state established,related accept
                    iifname "eth0" counter drop
                }
            }
        """)


def _inner_phone(world: World) -> Phone:
    """A phone in the inner network, registered by way of the siproxd there."""
    made = Phone(world.network, "inner", INNER["phone"],
                 [Account(USERS["phone1"], outbound=f"{INNER['router']}:{SIP_PORT}")], TONES["phone1"])
    made.registered()
    return made


def _redirect(world: World, match: str = "") -> None:
    """The router takes for itself what the home sends to providers."""
    world.network.nft("router", f"""
        table inet taken {{
            chain sip {{
                type nat hook prerouting priority dstnat;
                iifname "{LAN_INTERFACE}" {match} udp dport {SIP_PORT} redirect to :{SIP_PORT}
            }}
        }}
    """)


def test_on_the_router() -> None:
    """Two phones, calls out, in, and between them by way of the provider."""
    with World("remote", proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "on-the-router.conf")
        for host in ("phone1", "phone2"):
            world.phone(host).registered()
        world.call(world["phone1"], world["remote"])
        world.call(world["remote"], world["phone1"])
        world.call(world["phone1"], world["phone2"])
        world.siproxd.assert_alive()


def test_behind_a_router() -> None:
    """One interface is both sides, and the NAT router forwards ports to us."""
    with World("remote", proxy=False) as world:
        _forward_ports(world, PHONES["phone3"])
        siproxd = Siproxd(world.network, host="phone3", config=EXAMPLES / "behind-a-router.conf")
        phone = world.phone("phone1", [Account(USERS["phone1"], outbound=f"{PHONES['phone3']}:{SIP_PORT}")])
        phone.registered()
        _check_calls(world, phone, world["remote"])
        siproxd.assert_alive()


def test_between_two_nats() -> None:
    """The router with siproxd is behind another one, which forwards ports to it."""
    with World("remote", proxy=False, network=InnerNetwork()) as world:
        _forward_ports(world, PHONES["phone3"])
        siproxd = Siproxd(world.network, host="phone3", config=EXAMPLES / "between-two-nats.conf")
        _check_calls(world, _inner_phone(world), world["remote"])
        siproxd.assert_alive()


def test_chained() -> None:
    """The siproxd of the inner network goes out by that of the router, which has phones of its own."""
    with World("phone1", "remote", network=InnerNetwork()) as world:
        siproxd = Siproxd(world.network, name="inner", host="phone3", config=EXAMPLES / "chained.conf")
        phone = Phone(world.network, "inner", INNER["phone"],
                      [Account(USERS["phone2"], outbound=f"{INNER['router']}:{SIP_PORT}")], TONES["phone2"])
        phone.registered()
        _check_calls(world, phone, world["remote"])
        for caller, callee in ((phone, world["phone1"]), (world["phone1"], phone)):
            talk(caller, callee, aor(callee.user), TALK)
            assert_hears(caller, callee.tone, TALK)
            assert_hears(callee, caller.tone, TALK)
        siproxd.assert_alive()
        world.siproxd.assert_alive()


def test_local_phones(tmp_path: Path) -> None:
    """siproxd is the registrar; each phone needs its own password."""
    passwords = tmp_path / "siproxd.passwd"
    passwords.write_text("grete grete-pw\nhans hans-pw\n")
    passwords.chmod(0o600)
    # /etc is this machine's: the one file that is not where the example has it.
    config = tmp_path / "siproxd.conf"
    config.write_text((EXAMPLES / "local-phones.conf").read_text().replace("/etc/siproxd.passwd", str(passwords)))
    with World(proxy=False) as world:
        world.start_siproxd(config=config)
        one, two = (world.phone(host, [Account(user, domain=HOME_DOMAIN, secret=f"{user}-pw", outbound=OUTBOUND)])
                    for host, user in (("phone1", "grete"), ("phone2", "hans")))
        for phone in (one, two):
            phone.registered()
        world.call(one, two, uri=f"sip:hans@{HOME_DOMAIN}")
        world.siproxd.assert_alive()


def test_hooks(tmp_path: Path) -> None:
    """Calls both ways with all hooks of the example at work; a short number and one with zeros leave as the provider wants them."""
    # /var/lib is this machine's.
    config = tmp_path / "siproxd.conf"
    config.write_text((EXAMPLES / "hooks.conf").read_text().replace("/var/lib/siproxd", str(tmp_path)))
    with World("remote", proxy=False) as world:
        world.start_siproxd(config=config)
        phone = world.phone("phone1")
        phone.registered()
        for caller, callee in ((phone, world["remote"]), (world["remote"], phone)):
            seen = world.call(caller, callee)
            passed = [sip for sip in seen.wan_sip() if sip.packet.src == world.wan]
            assert passed and not any("100rel" in sip.first("supported") for sip in passed if sip.all("supported"))
        for dialled, heard in ((f"*01@{DOMAIN}", f"+49301234567@{DOMAIN}"), (f"0041441234567@{DOMAIN}", f"+41441234567@{DOMAIN}"),
                               (f"0@{DOMAIN}", f"0@{DOMAIN}")):
            with observed(world.network) as seen:
                since = phone.mark()
                phone.dial(f"sip:{dialled}")
                phone.event("CALL_CLOSED", since)
            invites = [sip for sip in seen.wan_sip() if sip.is_request and sip.method == "INVITE" and sip.packet.src == world.wan]
            assert invites and all(sip.start.startswith(f"INVITE sip:{heard}") for sip in invites), invites
        world.siproxd.wait_line("Outgoing call: alice@")
        world.siproxd.wait_line("demo: Hello: INVITE from ")
        world.siproxd.assert_alive()


def test_redirect() -> None:
    """A phone without an outbound proxy, whose messages the router redirects."""
    with World("remote", proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "redirect.conf")
        _redirect(world)
        phone = world.phone("phone1", [Account(USERS["phone1"])])
        phone.registered()
        world.call(phone, world["remote"])
        world.call(world["remote"], phone)
        world.siproxd.assert_alive()


def test_pbx() -> None:
    """A PBX behind siproxd: the redirection is of its messages alone, and its trunk has several calls at once, out and in; PJSUA2 stands
    for it."""
    with World("remote", "remote2", proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "redirect.conf")
        _redirect(world, f"ip saddr {PHONES['phone3']}")
        pbx = PjPhone(world.network, "phone3", PHONES["phone3"], USERS["phone3"], TONES["phone3"])
        pbx.registered()
        remote, remote2 = world["remote"], world["remote2"]
        with observed(world.network) as seen:
            since, at_pbx = remote.mark(), pbx.mark()
            pbx.command("call", aor(remote.user))
            remote.event("CALL_INCOMING", since)
            remote.accept()
            pbx.event(r"state \d+ CONFIRMED", at_pbx)
            at_pbx, at_remote = pbx.mark(), remote2.mark()
            remote2.dial(aor(pbx.user))
            taken = pbx.event(r"incoming (\d+)", at_pbx)[1]
            pbx.command("answer", taken)
            remote2.event("CALL_ESTABLISHED", at_remote)
            time.sleep(TALK)
            pbx.command("end")
            remote.event("CALL_CLOSED", since)
            remote2.event("CALL_CLOSED", at_remote)
        for other in (remote, remote2):
            assert_hears(other, pbx.tone, TALK)
        assert_no_leak(seen, world.network)
        world.siproxd.assert_alive()


def _on_this_host(world: World) -> None:
    """What the PBX in the router sends to its provider goes to siproxd, as the example says."""
    world.network.nft("router", f"""
        table inet taken {{
            chain sip {{
                type nat hook output priority -100;
                udp sport {PBX_PORT} udp dport {SIP_PORT} fib daddr type != local dnat ip to {OUTBOUND}
            }}
        }}
    """)


def test_pbx_on_this_host() -> None:
    """A PBX in the router itself, on a port of its own: calls out and in, and one with a phone of the home."""
    with World("remote", proxy=False) as world:
        world.start_siproxd(config=EXAMPLES / "pbx-on-this-host.conf")
        _on_this_host(world)
        phone = world.phone("phone1")
        phone.registered()
        pbx = PjPhone(world.network, "router", ROUTER_LAN, USERS["phone3"], TONES["phone3"], traits=("pbx",))
        pbx.registered()
        with observed(world.network) as seen:
            for other in (world["remote"], phone):
                at_pbx, at_other = pbx.mark(), other.mark()
                pbx.command("call", aor(other.user))
                other.event("CALL_INCOMING", at_other)
                other.accept()
                pbx.event(r"state \d+ CONFIRMED", at_pbx)
                time.sleep(TALK)
                pbx.command("end")
                other.event("CALL_CLOSED", at_other)
                assert_hears(other, pbx.tone, TALK)
                at_pbx, at_other = pbx.mark(), other.mark()
                other.dial(aor(pbx.user))
                pbx.command("answer", pbx.event(r"incoming (\d+)", at_pbx)[1])
                other.event("CALL_ESTABLISHED", at_other)
                time.sleep(TALK)
                other.hangup()
                pbx.event(r"state \d+ DISCONNECTED", at_pbx)
                assert_hears(other, pbx.tone, TALK)
        for recording, other in enumerate((world["remote"], world["remote"], phone, phone)):
            assert_hears(pbx, other.tone, TALK, recording)
        assert_no_leak(seen, world.network)
        assert_contact_is_router(world.provider.contacts(pbx.user), ROUTER_WAN)
        world.siproxd.assert_alive()


@pytest.mark.parametrize("obscures", [0, 1])
def test_a_pbx_that_calls_itself(obscures: int) -> None:
    """A call that a PBX sends out comes back to it: with `obscure_loops` it has two Call-IDs there, and both ends are heard and hung up."""
    with World(obscure_loops=obscures) as world:
        pbx = PjPhone(world.network, "phone3", PHONES["phone3"], USERS["phone3"], TONES["phone3"], OUTBOUND)
        pbx.registered()
        with observed(world.network) as seen:
            for ends in (0, 1):
                since = pbx.mark()
                pbx.command("call", aor(pbx.user))
                out = pbx.event(r"state (\d+) CALLING", since)[1]
                back = pbx.event(r"incoming (\d+)", since)[1]
                pbx.command("answer", back)
                for call in (out, back):
                    pbx.event(f"state {call} CONFIRMED", since)
                time.sleep(TALK)
                pbx.command("hangup", (out, back)[ends])
                for call in (out, back):
                    pbx.event(f"state {call} DISCONNECTED", since)
        for recording in range(4):
            assert_hears(pbx, pbx.tone, TALK, recording)
        inside = {sip.first("Call-ID") for sip in seen.lan_sip() if sip.method == "INVITE"}
        assert len(inside) == (4 if obscures else 2), inside
        world.siproxd.assert_alive()
