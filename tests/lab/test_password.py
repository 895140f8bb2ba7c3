"""Phones that register at siproxd itself with a password."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.baresip import Account
from lab.world import HOME_DOMAIN, OUTBOUND, World


def _account(user: str, secret: str) -> list[Account]:
    return [Account(user, domain=HOME_DOMAIN, secret=secret, outbound=OUTBOUND, regint=120)]


def test_one_password_for_all() -> None:
    """With it a phone is bound and can be called; with another it is refused."""
    with World(proxy_auth_realm="Home", proxy_auth_passwd="rosebud") as world:
        stranger = world.phone("phone2", _account("grete", "xanadu"))
        stranger.process.wait_line(rf"grete@{HOME_DOMAIN}.* 403", 10)
        stranger.stop()
        one, two = world.phone("phone1", _account("hans", "rosebud")), world.phone("phone2", _account("grete", "rosebud"))
        one.registered()
        two.registered()
        world.call(one, two, uri=f"sip:grete@{HOME_DOMAIN}")
        assert "rosebud" not in world.siproxd.text()


def test_password_file(tmp_path: Path) -> None:
    """A password in clear, and a hash in place of one."""
    ha1 = hashlib.md5(b"grete:Home:xanadu").hexdigest()
    accounts = tmp_path / "accounts"
    accounts.write_text(f"# the family\nhans rosebud\ngrete $ha1-md5${ha1}\n")
    accounts.chmod(0o600)
    with World(proxy_auth_realm="Home", proxy_auth_pwfile=accounts) as world:
        for host, user, secret in (("phone1", "hans", "rosebud"), ("phone2", "grete", "xanadu")):
            world.phone(host, _account(user, secret)).registered()
