"""`check` of the ubus object: what is wrong with the configuration as it is edited in a session, by the real init script and the real program."""

from __future__ import annotations

import json
from typing import Any

import pytest

import initscript
from plugin import Plugin
from router import Router

SESSION = "0123456789abcdef0123456789abcdef"

# Bytes that are taken.
LARGEST = 0x40000


@pytest.fixture
def init(router: Router) -> None:
    """The real init script, under busybox with the stand-ins of tests/openwrt."""
    initscript.put(router)


def edit(router: Router, session: str, lines: str) -> None:
    """What has been saved in a session: a file of delta."""
    directory = router.root / f"var/run/rpcd/uci-{session}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "siproxd").write_text(lines)


def problems(plugin: Plugin, session: str = SESSION) -> list[tuple[str, str, str]]:
    """Section, severity and option of what there is to say, but for networks of the test's."""
    found = plugin("check", ubus_rpc_session=session)["problems"]
    assert all(set(one) == {"section", "severity", "option", "text"} and one["text"] for one in found), found
    return [(one["section"], one["severity"], one["option"]) for one in found if not one["option"].startswith("interface_")]


@pytest.mark.parametrize("trick", ["", "../../../etc", f"$(true)\n{SESSION}", f"{SESSION}\n$(true)", f"{SESSION}\0", SESSION[1:], SESSION.upper(), 7],
                         ids=repr)
def test_nothing_but_a_session_is_one(plugin: Plugin, trick: Any) -> None:
    assert plugin.error("check", ubus_rpc_session=trick) == "failed"
    assert plugin.commands == []


@pytest.mark.usefixtures("init")
def test_the_session_s_view_is_checked(plugin: Plugin) -> None:
    """What is saved in the session, not what is applied, and not what another session has."""
    router = plugin.router
    edit(router, SESSION, "siproxd.general.sip_listen_port='fifty'\nsiproxd.office='siproxd'\nsiproxd.office.rtp_dscp='EF'\n")
    assert problems(plugin) == [("general", "error", "sip_listen_port"), ("office", "error", "rtp_dscp")]
    assert plugin.commands == [f"UCI_CONFIG_DIR=/var/run/siproxd-check-{SESSION} /etc/init.d/siproxd check 2>&1"]
    assert problems(plugin, "f" * 32) == []
    edit(router, SESSION, "-siproxd.general\n")
    assert problems(plugin) == []


@pytest.mark.usefixtures("init")
def test_check_leaves_nothing_behind(plugin: Plugin) -> None:
    """Also where there was something, of one that was ended."""
    router = plugin.router

    def there() -> list[str]:
        return sorted(str(path) for path in router.root.rglob("*") if "record" not in path.name)

    before = there()
    problems(plugin)
    assert there() == before
    left = router.root / f"var/run/siproxd-check-{SESSION}"
    left.mkdir()
    (left / "siproxd").write_text("config siproxd 'of_before'\n\toption sip_listen_port 'x'\n")
    assert problems(plugin) == []
    assert there() == before


@pytest.mark.usefixtures("init")
def test_values_are_checked_as_they_are(plugin: Plugin) -> None:
    """Quotes, lines, backslashes and lists come through UCI's file; secrets are in no finding."""
    secret = "it's \\a \"secret\" # here"
    escaped = secret.replace("'", "'\\''")
    edit(plugin.router, SESSION, f"siproxd.general.proxy_auth_realm='Home'\nsiproxd.general.proxy_auth_passwd='{escaped}'\n"
         "siproxd.general.ua_string='it'\\''s #1'\n|siproxd.general.outbound_domain_name='a.example'\n|siproxd.general.outbound_domain_name='b.example'\n"
         "|siproxd.general.outbound_domain_host='192.0.2.1'\n")
    found = plugin("check", ubus_rpc_session=SESSION)["problems"]
    assert "secret" not in json.dumps(found)
    told = [(one["option"], one["severity"]) for one in found if not one["option"].startswith("interface_")]
    assert told == [("proxy_auth_passwd", "warning"), ("ua_string", "warning"), ("outbound_domain_host", "error")], found


@pytest.mark.parametrize("session", ["", "x", "../" * 10 + "ab", SESSION.upper(), SESSION + "0", SESSION + "\n", SESSION[:-1] + ";", "$(true)" * 4, 7, ["a"]],
                         ids=repr)
def test_a_session_is_32_digits(plugin: Plugin, session: Any) -> None:
    assert plugin.error("check", ubus_rpc_session=session) == "failed"
    assert plugin.commands == []


@pytest.mark.usefixtures("init")
def test_without_a_session_what_uci_would_commit_is_checked(plugin: Plugin) -> None:
    delta = plugin.router.root / "tmp/.uci"
    delta.mkdir()
    (delta / "siproxd").write_text("siproxd.general.sip_listen_port='fifty'\n")
    found = plugin("check")["problems"]
    assert ("sip_listen_port", "error") in [(one["option"], one["severity"]) for one in found], found


def test_a_check_that_fails_is_told(plugin: Plugin) -> None:
    plugin.router.init("echo out of order; exit 7")
    assert plugin("check", ubus_rpc_session=SESSION)["error"] == {"kind": "failed", "text": "out of order\n"}
    plugin.router.init(f"head -c {LARGEST + 1} /dev/zero")
    assert plugin.error("check", ubus_rpc_session=SESSION) == "too-large"
    # Lines that are none of the check's.
    plugin.router.init(r"printf 'a\tb\tc\nx\n\na\terror\tua_string\ttext\n'; exit 1")
    assert plugin("check", ubus_rpc_session=SESSION)["problems"] == [{"section": "a", "severity": "error", "option": "ua_string", "text": "text"}]


def test_no_configuration_is_told(plugin: Plugin) -> None:
    (plugin.router.root / "etc/config/siproxd").unlink()
    assert plugin.error("check", ubus_rpc_session=SESSION) == "failed"
