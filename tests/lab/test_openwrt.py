"""siproxd as the init script of the OpenWrt package has it started, with what it makes of /etc/config/siproxd."""

from __future__ import annotations

from lab.baresip import Account
from lab.callcheck import assert_hears, assert_ports_closed, flows, observed
from lab.netns import ROUTER_LAN
from lab.openwrt import OpenWrt
from lab.process import Process
from lab.siproxd import Siproxd
from lab.wait import until
from lab.world import OUTBOUND, USERS, World

DEBUG_PORT = 5050
DEBUG = (f"debug_port {DEBUG_PORT}", "debug_level 0x80")

# What procd does with `user` and `group`.
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def test_uci_is_edited_in_mid_call() -> None:
    """A call goes on while the configuration is edited: a good edit is reloaded, and the log can be read with netcat from then on; a wrong one
    changes nothing; and what needs a new start is said to procd."""
    with World("remote", proxy=False) as world:
        router = OpenWrt(world.network)
        told = router.init("start")
        assert "procd starts general" in told and "\nlog " not in told, told
        options = [word for word in router.command() if word != "-c" and word != str(router.configuration)]
        siproxd = Siproxd(world.network, config=router.configuration, options=tuple(options), prefix=AS_NOBODY)
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
