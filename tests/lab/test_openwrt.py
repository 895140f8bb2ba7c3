"""siproxd as the init script of the OpenWrt package has it started, with what it makes of /etc/config/siproxd."""

from __future__ import annotations

import re

from lab.baresip import Account
from lab.callcheck import assert_hears, assert_ports_closed, flows, observed
from lab.netns import ROUTER_LAN
from lab.openwrt import JAIL, OpenWrt
from lab.process import Process, run
from lab.rawcall import register
from lab.siproxd import Siproxd
from lab.syslog import drain, line, syslogd
from lab.wait import until
from lab.world import OUTBOUND, USERS, World

DEBUG_PORT = 5050
TAKEN_PORT = 5051
DEBUG = (f"debug_port {DEBUG_PORT}", "debug_level 0x80")

# What procd does with `user` and `group`.
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def _options(router: OpenWrt) -> tuple[str, ...]:
    """What siproxd is started with besides its configuration."""
    return tuple(word for word in router.command() if word != "-c" and word != str(router.configuration))


def test_uci_is_edited_in_mid_call() -> None:
    """A call goes on while the configuration is edited: a good edit is reloaded, and the log can be read with netcat from then on; a wrong one
    changes nothing, nor does one that siproxd refuses; and what needs a new start is said to procd."""
    with World("remote", proxy=False) as world:
        router = OpenWrt(world.network)
        told = router.init("start")
        assert "procd starts general" in told and "\nlog " not in told, told
        siproxd = Siproxd(world.network, config=router.configuration, options=_options(router), prefix=AS_NOBODY)
        phone = world.phone("phone1", [Account(USERS["phone1"], outbound=OUTBOUND)])
        phone.registered()
        remote = world["remote"]
        since, at_remote = phone.mark(), remote.mark()
        with observed(world.network) as seen:
            phone.dial("sip:carol@provider.example")
            remote.event("CALL_INCOMING", at_remote)
            remote.accept()
            phone.event("CALL_ESTABLISHED", since)

            told = router.init("reload", *DEBUG, "rtp_timeout 400")
            assert "procd leaves alone general" in told and "\nlog " not in told, told
            siproxd.wait_line(r"reload: rtp_timeout: 300 before, 400 now")
            log = world.network.dir / "debug.log"
            reader = Process(world.network.ns("phone2"), ["sh", "-c", f'exec netcat {ROUTER_LAN} {DEBUG_PORT} > "{log}"'],
                             world.network.dir / "reader.log")
            until(lambda: log.exists() and "rtp_timeout: 300 before" in log.read_text(errors="replace"), 10, "the log from before", [log, reader.log])

            told = router.init("reload", *DEBUG, "rtp_timeout soon")
            assert "log err: general: option rtp_timeout 'soon': not a number" in told, told
            assert "log err: general: nothing of that is applied; it goes on as it was" in told, told
            assert "procd leaves alone general" in told, told

            # What is good as such, and cannot be had: another program has the port.
            before = router.configuration.read_text()
            other = Process(world.network.ns("router"), ["netcat", "-l", "-k", ROUTER_LAN, str(TAKEN_PORT)], world.network.dir / "other.log")
            until(lambda: f":{TAKEN_PORT} " in run(world.network.ns("router"), ["ss", "-Htln"]).stdout, 10, "the other program to listen")
            told = router.init("reload", f"debug_port {TAKEN_PORT}")
            assert re.search(rf"log err: general: .*:{TAKEN_PORT}\b.*in use", told), told
            assert "procd leaves alone general" in told, told
            assert router.configuration.read_text() == before
            other.stop()

            told = router.init("reload", *DEBUG, "sip_listen_port 5070")
            assert "log notice: general: started anew: needs a restart: sip_listen_port: 5060 before, 5070 now" in told, told
            assert "procd starts anew general" in told, told

            phone.hangup()
            remote.event("CALL_CLOSED", at_remote)
            assert_ports_closed(world.network)
        seconds = max(flow.sent for flow in flows(seen, phone.address, remote.address, world.wan, 50)) / 50
        assert_hears(phone, remote.tone, seconds)
        assert_hears(remote, phone.tone, seconds)
        until(lambda: "BYE sip:" in log.read_text(errors="replace"), 10, "the BYE in the log of netcat", [log])
        reader.stop()
        assert siproxd.stop() == 0


def test_the_jail_has_what_siproxd_needs() -> None:
    """In a root directory with what procd is told to mount and nothing else, siproxd serves phones, logs to syslog, keeps registrations, and
    reads a configuration that was put in the place of the one before."""
    with World(proxy=False) as world:
        router = OpenWrt(world.network)
        assert "procd starts general" in router.init("start")
        log = syslogd(world.network.dir / "syslog")
        root = world.network.dir / "jail"
        root.mkdir()
        # Without the `env` that the lab puts before the program.
        prefix = ("sh", "-c", 'jail=$1 instance=$2 root=$3 log=$4; shift 6; exec "$jail" "$instance" "$root" "$log" 65534:65534 "$@"', "sh",
                  str(JAIL), str(router.instance), str(root), str(world.network.dir / "syslog"))
        siproxd = Siproxd(world.network, config=router.configuration, options=_options(router), prefix=prefix)
        assert line(log, " starts").startswith("<30>")
        phone = world.endpoint("phone1", 5060)
        register(world, phone)
        file = router.state / "siproxd-general.reg"
        until(lambda: file.exists() and "trunk" in file.read_text(), 20, "the registration in its file")
        assert file.stat().st_uid == router.state.stat().st_uid != 0

        drain(log)
        told = router.init("reload", "default_expires 700")
        assert "procd leaves alone general" in told and "\nlog " not in told, told
        line(log, "reload: default_expires: 600 before, 700 now")
        phone.close()
        siproxd.process.stop()
