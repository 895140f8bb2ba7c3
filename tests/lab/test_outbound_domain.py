"""`outbound_domain_name`: the phones of one domain send to a proxy of their own."""

from __future__ import annotations

from lab.baresip import Account
from lab.callcheck import assert_contact_is_router
from lab.kamailio import DOMAIN
from lab.world import OUTBOUND, World

# A domain that the DNS does not know.
PROXIED = "proxied.example"


def test_a_domain_without_dns_is_served_by_its_proxy() -> None:
    """The phone registers through the proxy that the DNS names, and calls go both ways."""
    with World("remote", outbound_domain_name=PROXIED, outbound_domain_host=DOMAIN) as world:
        phone = world.phone("phone1", [Account("alice", domain=PROXIED, outbound=OUTBOUND)])
        phone.registered()
        assert_contact_is_router(world.provider.contacts("alice"), world.wan)
        world.call(phone, world["remote"])
        world.call(world["remote"], phone)


def test_without_a_proxy_the_domain_is_not_found() -> None:
    """The control: nobody knows the domain, and the phone is told so."""
    with World() as world:
        phone = world.phone("phone1", [Account("alice", domain=PROXIED, outbound=OUTBOUND)])
        phone.process.wait_line(r"502 Bad Gateway", 10)
