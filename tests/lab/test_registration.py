"""Registrations: through siproxd to a provider, and at siproxd itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab.baresip import Account
from lab.callcheck import assert_contact_is_router
from lab.kamailio import DOMAIN, TRUNK, aor
from lab.rawcall import OUTBOUND as PROXY
from lab.rawcall import register
from lab.wait import Timeout, until
from lab.world import HOME_DOMAIN, OUTBOUND, World

# Seconds that a short registration lasts.
LIFETIME = 3


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home whose LAN phones each test starts itself."""
    with World("remote") as made:
        yield made


def test_phone_registers_through_and_unregisters(world: World) -> None:
    """The provider's Contact is the router's WAN address; it is gone when the phone leaves."""
    phone = world.phone("phone1")
    phone.registered()
    assert_contact_is_router(world.provider.contacts("alice"), world.wan)
    phone.stop()
    until(lambda: not world.provider.contacts("alice"), 5, "the binding to go", [world.siproxd.log, phone.log])


def test_wrong_password_makes_no_binding(world: World) -> None:
    """The phone is refused, and the provider knows nobody."""
    phone = world.phone("phone1", [Account("alice", secret="wrong", outbound=OUTBOUND)])
    phone.process.wait_line(r"alice@provider\.example.* 40[13]", 10)
    assert world.provider.contacts("alice") == []
    phone.stop()


def test_several_accounts_on_one_phone(world: World) -> None:
    """A call to each account rings at that account."""
    accounts = [Account(user, outbound=OUTBOUND) for user in ("alice", "anna", "arthur")]
    phone, remote = world.phone("phone1", accounts), world["remote"]
    phone.registered()
    for account in accounts:
        since = phone.mark()
        remote.dial(aor(account.user))
        event = phone.event("CALL_INCOMING", since)
        assert event["accountaor"] == aor(account.user)
        remote.hangup()
        phone.event("CALL_CLOSED", since)
    phone.stop()


def test_two_phones_on_one_account(world: World) -> None:
    """Both ring; the one that is not answered stops; the call is good."""
    account = [Account("alice", outbound=OUTBOUND)]
    one, two, remote = world.phone("phone1", account), world.phone("phone2", account), world["remote"]
    one.registered()
    two.registered()
    contacts = world.provider.contacts("alice")
    assert len(set(contacts)) == 2, contacts
    assert_contact_is_router(contacts, world.wan)
    marks = one.mark(), two.mark()
    remote.dial(aor("alice"))
    one.event("CALL_INCOMING", marks[0])
    two.event("CALL_INCOMING", marks[1])
    two.accept()
    two.event("CALL_ESTABLISHED", marks[1])
    one.event("CALL_CLOSED", marks[0])
    remote.hangup()
    two.event("CALL_CLOSED", marks[1])
    world.call(one, remote)
    one.stop()
    two.stop()


def test_own_registrar_serves_a_call_inside(world: World) -> None:
    """The address-of-record's host is the router's public name: siproxd is the registrar, the provider hears nothing."""
    one, two = (world.phone(host, [Account(user, domain=HOME_DOMAIN, secret="", outbound=OUTBOUND, regint=120)])
                for host, user in (("phone1", "hans"), ("phone2", "grete")))
    one.registered()
    two.registered()
    assert world.provider.contacts("hans") == [] and world.provider.contacts("grete") == []
    world.call(one, two, uri=f"sip:grete@{HOME_DOMAIN}")
    two.stop()
    # Unregistered: the caller is told that nobody is there.
    since = one.mark()
    one.dial(f"sip:grete@{HOME_DOMAIN}")
    closed = one.event("CALL_CLOSED", since)
    assert "404" in str(closed.get("param")) or "480" in str(closed.get("param")), closed
    one.stop()


def test_star_removes_every_binding_at_the_own_registrar(world: World) -> None:
    """`Contact: *` with Expires 0 (RFC 3261 §10.2.2)."""
    phone = world.endpoint("phone3")
    user = f"sip:ida@{HOME_DOMAIN}"

    def send(cseq: int, contact: str, expires: int) -> list[str]:
        headers = (*((f"Contact: {contact}",) if contact else ()), *((f"Expires: {expires}",) if contact else ()))
        phone.send(phone.request("REGISTER", f"sip:{HOME_DOMAIN}", sender=user, to=user, call_id="star", cseq=cseq,
                                 headers=headers, contact=False), PROXY)
        response = phone.wait_response("star")
        assert response.status == 200, response.start
        return response.all("contact")

    assert any(phone.address in value for value in send(1, f"<sip:ida@{phone.address}:{phone.port}>", 300))
    assert send(2, "", 0), "a query lists the binding"
    assert send(3, "*", 0) == []
    assert send(4, "", 0) == []
    phone.close()


def test_star_passes_through_to_the_provider(world: World) -> None:
    """The provider forgets all of the phone's bindings."""
    phone = world.endpoint("phone3")
    register(world, phone)
    assert_contact_is_router(world.provider.contacts(TRUNK), world.wan)
    phone.send(phone.request("REGISTER", f"sip:{DOMAIN}", sender=aor(TRUNK), to=aor(TRUNK), call_id="away", cseq=9,
                             headers=("Contact: *", "Expires: 0"), contact=False), PROXY)
    response = phone.wait_response("away")
    # A provider keeps the right to refuse; whatever it says must come back, and be acted on.
    assert response.status == 200, response.start
    assert world.provider.contacts(TRUNK) == []
    phone.close()


def test_registrar_sees_the_phones_own_expiry_back(world: World) -> None:
    """The phone gets its own Contact back with the registrar's expiry, never the router's."""
    phone = world.endpoint("phone3")
    response = register(world, phone, expires=120)
    contacts = response.all("contact")
    assert any(f"{phone.address}:{phone.port}" in value for value in contacts), contacts
    assert all(world.wan not in value for value in contacts), contacts
    phone.close()


def test_binding_lives_as_long_as_the_registrar_says(world: World) -> None:
    """While it lives a request of the provider reaches the phone; after it has expired none does."""
    phone, provider = world.endpoint("phone3"), world.endpoint("provider")
    world.provider.forget(TRUNK)
    register(world, phone, expires=LIFETIME)
    registered = time.monotonic()
    (contact,) = world.provider.contacts(TRUNK)

    def ask() -> None:
        provider.send(provider.request("OPTIONS", contact, sender=aor("someone"), to=aor(TRUNK)), (world.wan, 5060))

    ask()
    assert phone.address in phone.wait_request("OPTIONS").start
    until(lambda: time.monotonic() > registered + LIFETIME + 1, LIFETIME + 2, "the binding to expire")
    ask()
    with pytest.raises(Timeout):
        phone.wait_request("OPTIONS", timeout=1)
    phone.close()
    provider.close()
