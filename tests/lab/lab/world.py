"""A whole lab: the network, the provider with its DNS server, siproxd in the router, phones."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from lab.baresip import Account, Phone
from lab.callcheck import (Flow, Observation, assert_contact_is_router, assert_hears, assert_no_leak,
                           assert_ports_closed, flows, flows_inside, observed, relay_ports, talk)
from lab.dns import DnsServer
from lab.kamailio import DOMAIN, Kamailio, aor
from lab.netns import (PHONES, PROVIDER, REMOTES, ROUTER_LAN, ROUTER_WAN, RTP_HIGH, RTP_LOW, SIP_PORT,
                       STRANGER, Network)
from lab.rawsip import Endpoint
from lab.siproxd import Siproxd

# Who sits where, and the tone that he speaks (Hz): no tone is a multiple of another.
USERS = {"phone1": "alice", "phone2": "bob", "phone3": "chris", "remote": "carol", "remote2": "dave"}
TONES = {"phone1": 500, "phone2": 700, "phone3": 900, "remote": 1100, "remote2": 1300}

# The router's public name, whose addresses-of-record siproxd serves itself.
HOME_DOMAIN = "home.example"

# Where LAN phones send everything.
OUTBOUND = f"{ROUTER_LAN}:{SIP_PORT}"

# Seconds that a checked call lasts: 150 packets each way.
TALK = 3.0

# RTP packets that a talk of a second has at least, each way, of the 50 that are sent.
LEAST_PER_SECOND = 35


class World:
    """A context manager: everything runs inside it, nothing is left after it."""

    def __init__(self, *phones: str, proxy: bool = True, rtp_range: tuple[int, int] = (RTP_LOW, RTP_HIGH),
                 options: tuple[str, ...] = ("-d", "-1"), presence: bool = False, network: Network | None = None,
                 config: Path | None = None, **directives: object) -> None:
        """Starts with these phones registered; `proxy=False` leaves siproxd out; with `presence` the provider takes
        subscriptions to calls; `network` is another than the usual; `config` is siproxd's configuration, as it is; else the rest is."""
        self.network = network or Network(rtp_range)
        self.wan = ROUTER_WAN
        self.phones: dict[str, Phone] = {}
        self._start = phones
        self._proxy = proxy
        self._presence = presence
        self._options = options
        self._config = config
        self._directives = directives
        self._siproxd: Siproxd | None = None

    def __enter__(self) -> World:
        self.network.__enter__()
        try:
            self.dns = DnsServer(self.network.ns("provider"), PROVIDER, {DOMAIN: PROVIDER, HOME_DOMAIN: ROUTER_WAN})
            self.provider = Kamailio(self.network, presence=self._presence)
            if self._proxy:
                self.start_siproxd()
            for host in self._start:
                self.phone(host)
            for host in self._start:
                self.phones[host].registered()
        except BaseException:
            self.network.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if self._siproxd:
                self._siproxd.assert_no_panic()
        finally:
            self.dns.stop()
            self.network.close()

    @property
    def siproxd(self) -> Siproxd:
        """The daemon under test."""
        assert self._siproxd, "this lab runs without siproxd"
        return self._siproxd

    def start_siproxd(self, config: Path | None = None, file: bool = True) -> Siproxd:
        """Starts the daemon, in a lab that was made without it, with the lab's configuration, a file as it is, or with none; LAN phones
        started from now on use it."""
        self._siproxd = Siproxd(self.network, options=self._options, config=config or self._config, file=file,
                                **self._directives)
        return self._siproxd

    def use(self, siproxd: Siproxd) -> None:
        """Takes a daemon that was started otherwise."""
        self._siproxd = siproxd

    def phone(self, host: str, accounts: list[Account] | None = None, *, account: str = "", extra: str = "") -> Phone:
        """Starts the phone of a host; a LAN phone has siproxd as its outbound proxy. `account` are parameters of its account,
        `extra` lines of its configuration."""
        lan = host in PHONES
        outbound = OUTBOUND if lan and self._siproxd else None
        made = Phone(self.network, host, PHONES[host] if lan else REMOTES[host],
                     accounts or [Account(USERS[host], outbound=outbound, extra=account)], TONES[host], extra=extra)
        self.phones[host] = made
        return made

    def __getitem__(self, host: str) -> Phone:
        return self.phones[host]

    def endpoint(self, host: str, port: int = 0) -> Endpoint:
        """A SIP endpoint in a host, for messages that no phone sends."""
        return Endpoint(self.network.ns(host), {**PHONES, **REMOTES, "stranger": STRANGER}[host], port)

    def call(self, caller: Phone, callee: Phone, seconds: float = TALK, uri: str | None = None) -> Observation:
        """One call with everything of the call check."""
        open_before = relay_ports(self.network)
        with observed(self.network) as seen:
            talk(caller, callee, uri or aor(callee.user), seconds)
            assert_ports_closed(self.network, open_before)
        self.check(seen, caller, callee, seconds)
        return seen

    def check(self, seen: Observation, caller: Phone, callee: Phone, seconds: float) -> list[Flow]:
        """What a call's recordings and captures must show; returns its RTP flows."""
        least = int(LEAST_PER_SECOND * seconds)
        assert_hears(caller, callee.tone, seconds)
        assert_hears(callee, caller.tone, seconds)
        inside = [phone for phone in (caller, callee) if phone.host in PHONES]
        for phone in inside:
            if phone.accounts[0].domain == DOMAIN:
                assert_contact_is_router(self.provider.contacts(phone.user), self.wan)
        assert_no_leak(seen, self.network)
        if len(inside) == 2:
            return flows_inside(seen, caller.address, callee.address, least)
        outside = callee if inside[0] is caller else caller
        return flows(seen, inside[0].address, outside.address, self.wan, least)
