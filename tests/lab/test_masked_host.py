"""`mask_host` and `masked_host`: a phone that is registered at the router is known outside by the router's public name."""

from __future__ import annotations

import re

from lab.baresip import Account
from lab.netns import ROUTER_LAN, ROUTER_WAN, SIP_PORT, STRANGER
from lab.world import HOME_DOMAIN, OUTBOUND, World

HANS = f"sip:hans@{HOME_DOMAIN}"
SOMEONE = f"sip:someone@{STRANGER}"


def test_a_phone_of_the_router_is_known_by_its_public_name() -> None:
    """It is called by that name and calls with it: Contact, From and To name it, and requests in the dialog find the phone."""
    with World(mask_host=ROUTER_LAN, masked_host=HOME_DOMAIN, wan_allow=f"{STRANGER}/32", allow_domains=STRANGER) as world:
        phone = world.phone("phone1", [Account("hans", domain=ROUTER_LAN, outbound=OUTBOUND, regint=120)])
        phone.registered()
        far, router = world.endpoint("stranger", SIP_PORT), (ROUTER_WAN, SIP_PORT)

        call_id = far.call_id()
        far.send(far.request("INVITE", HANS, sender=SOMEONE, call_id=call_id, body=far.offer()), router)
        phone.event("CALL_INCOMING")
        phone.accept()
        answer = far.wait_response(call_id, method="INVITE")
        assert answer.status == 200
        assert answer.first("to").startswith(f"<{HANS}>;tag=")
        found = re.fullmatch(rf"<(sip:[^@]+@{re.escape(HOME_DOMAIN)}:{SIP_PORT};[^>]*)>.*", answer.first("contact"))
        assert found, answer.first("contact")
        tag = answer.first("to").partition(";tag=")[2]
        for cseq, method in ((1, "ACK"), (2, "BYE")):
            far.send(far.request(method, found[1], sender=SOMEONE, to=HANS, to_tag=tag, call_id=call_id, cseq=cseq), router)
        assert far.wait_response(call_id, method="BYE").status == 200

        phone.dial(SOMEONE)
        call = far.wait_request("INVITE")
        assert f"<{HANS}>;tag=" in call.first("from")
        assert f"@{HOME_DOMAIN}:{SIP_PORT};" in call.first("contact")
        far.send(far.answer(call, 486, "Busy Here"), (call.packet.src, call.packet.sport))
        phone.event("CALL_CLOSED")
        far.close()
