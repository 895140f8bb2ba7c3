"""The rig itself: a call on the Internet passes its check; one through plain NAT, without siproxd, must fail it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab.callcheck import (CallFailed, assert_contact_is_router, assert_hears, assert_no_leak, flows, observed, talk)
from lab.kamailio import aor
from lab.pcap import sip_messages
from lab.wait import Timeout
from lab.world import TALK, World


@pytest.fixture(scope="module")
def plain() -> Iterator[World]:
    """A home behind NAT alone."""
    with World("phone1", "remote", "remote2", proxy=False) as made:
        yield made


def test_phones_on_the_internet_hear_each_other(plain: World) -> None:
    """What the check measures is there where no NAT is in the way."""
    talk(plain["remote"], plain["remote2"], aor("dave"), TALK)
    assert_hears(plain["remote"], plain["remote2"].tone, TALK)
    assert_hears(plain["remote2"], plain["remote"].tone, TALK)


def test_outgoing_call_through_plain_nat_fails_the_check(plain: World) -> None:
    """The router masquerades, the call is answered, and each part of the check sees what is wrong with it."""
    phone, remote = plain["phone1"], plain["remote"]
    with observed(plain.network) as seen:
        talk(phone, remote, aor("carol"), TALK)
    assert {message.packet.src for message in sip_messages(seen.wan)} == {plain.wan, "203.0.113.10"}
    with pytest.raises(CallFailed, match="heard 1100 Hz with 0%"):
        assert_hears(phone, remote.tone, TALK)
    with pytest.raises(CallFailed, match="private addresses left"):
        assert_no_leak(seen, plain.network)
    with pytest.raises(CallFailed, match="not to the router"):
        flows(seen, phone.address, remote.address, plain.wan, 100)
    with pytest.raises(CallFailed, match="Contacts are"):
        assert_contact_is_router(plain.provider.contacts("alice"), plain.wan)


def test_incoming_call_through_plain_nat_never_rings(plain: World) -> None:
    """The provider has a private Contact, which the Internet cannot reach."""
    remote = plain["remote"]
    before = plain["phone1"].mark()
    remote.dial(aor("alice"))
    with pytest.raises(Timeout):
        plain["phone1"].event("CALL_INCOMING", before, timeout=3)
    remote.hangup()
