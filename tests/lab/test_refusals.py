"""`siproxd refusals`: why a phone cannot register, for who sets it up."""

from __future__ import annotations

from lab.baresip import Account
from lab.control import ask, shown
from lab.netns import PHONES, PROVIDER, SIP_PORT
from lab.wait import until
from lab.world import OUTBOUND, World

# Seconds within which a phone has tried.
PATIENCE = 15.0

WRONG = "the password is wrong, or the account is not known there"


def test_a_wrong_password_is_told_until_the_right_one_is_there(bare: World) -> None:
    """The challenge that each registration begins with is none."""
    assert shown(bare.siproxd, "refusals") == "no registration has failed lately\n"
    bare.phone("phone2").registered()
    assert ask(bare.siproxd, "refusals") == []
    phone = bare.phone("phone1", [Account("alice", secret="wrong", outbound=OUTBOUND)])
    line, = until(lambda: ask(bare.siproxd, "refusals"), PATIENCE, "the refusal", [phone.log])
    assert (line["type"], line["aor"], line["code"], line["text"]) == ("refusal", "alice@provider.example", 401, WRONG)
    assert line["phone"].rpartition(":")[0] == PHONES["phone1"] and line["registrar"] == f"{PROVIDER}:{SIP_PORT}"
    assert line["times"] >= 1 and line["ago"] <= PATIENCE
    text = " ".join(shown(bare.siproxd, "refusals").split())
    assert "alice@provider.example" in text and f"401 from {PROVIDER}:{SIP_PORT}: {WRONG}" in text
    phone.stop()
    bare.phone("phone1").registered()
    assert ask(bare.siproxd, "refusals") == []


def test_a_domain_that_does_not_exist_is_told(bare: World) -> None:
    """siproxd itself refuses: nothing leaves the house."""
    phone = bare.phone("phone1", [Account("alice", domain="nowhere.example", outbound=OUTBOUND)])
    line, = until(lambda: ask(bare.siproxd, "refusals"), PATIENCE, "the refusal", [phone.log])
    assert (line["aor"], line["registrar"], line["code"]) == ("alice@nowhere.example", "own", 502)
    assert line["text"] == "the name does not exist in the DNS: check the phone's domain"
    assert "502 from siproxd itself" in shown(bare.siproxd, "refusals")
