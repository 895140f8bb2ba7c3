"""Answers of the ubus object `luci.siproxd`, for what a real daemon does not do at will."""

from __future__ import annotations

from typing import Any

Answer = dict[str, Any]


def status(**changes: Any) -> Answer:
    """A line of type `status`."""
    return {
        "v": 1, "type": "status", "version": "0.9.0", "pid": 1234, "uptime": 7200, "sip_port": 5060,
        "lan": {"interface": "br-lan", "addresses": ["192.168.1.1/24", "fd00::1/64"]},
        "wan": {"interface": "pppoe-wan", "addresses": ["203.0.113.10/32"]},
        "tables": {name: {"used": 1, "limit": limit} for name, limit in (
            ("calls", 16), ("bindings", 32), ("transactions", 128), ("connections", 32), ("media", 32), ("rtp_ports", 40))},
        "rtp_ports": {"low": 7070, "high": 7089}, "memory": {"used": 1_887_437, "limit": 5_452_595},
        "dns": {"servers": ["203.0.113.1"], "names": 1, "silent": 0}, "problems": [], **changes}


def binding(user: str = "alice", **changes: Any) -> Answer:
    """A line of type `binding`."""
    return {
        "v": 1, "type": "binding", "aor": f"{user}@provider.example", "contact": f"sip:{user}@192.168.1.20:5060", "state": "valid",
        "phone": "192.168.1.20:5060", "phone_transport": "udp", "registrar": "203.0.113.1:5060", "registrar_transport": "udp",
        "expires_in": 540, "refreshed_ago": 60, **changes}


def refusal(**changes: Any) -> Answer:
    """A line of type `refusal`."""
    return {"v": 1, "type": "refusal", "aor": "carol@provider.example", "phone": "192.168.1.23:5060", "registrar": "203.0.113.1:5060",
            "code": 403, "text": "the daemon's own words", "ago": 20, "times": 3, **changes}


def heard(packets: int = 5000, lost: int = 0, **changes: Any) -> Answer:
    """What came from a party in a section."""
    return {"kind": "audio", "port": 7070, "held": False, "packets": packets, "bytes": 172 * packets, "strangers": 0, "unproven": 0,
            "rtp": packets, "rtcp": 3, "others": 0, "codec": "G.711", "lost": lost, "loss_percent": 100 * lost / (packets + lost),
            "jitter_ms": 1.24, "gap_ms": 41, "mos": 4.38, **changes}


def call(caller: Answer | None = None, callee: Answer | None = None, **changes: Any) -> Answer:
    """A line of type `call`: alice on the LAN has called, and been answered."""
    return {
        "v": 1, "type": "call", "id": "3.1", "state": "answered", "age": 200, "answered_ago": 187,
        "caller": {"uri": "sip:alice@provider.example", "side": "lan", "address": "192.168.1.20"},
        "callee": {"uri": "sip:+498912345@provider.example", "side": "wan", "address": "203.0.113.1"},
        "media": [{"section": 1, "caller": caller or heard(), "callee": callee or heard()}], **changes}


def ended(**changes: Any) -> Answer:
    """A line of type `ended`: a call from the Internet that was answered."""
    return {
        "v": 1, "type": "ended", "ago": 60, "lasted": 75, "talked": 63, "reason": "hung up",
        "caller": {"uri": "sip:+491701234567@provider.example", "side": "wan", "packets": 3000},
        "callee": {"uri": "sip:alice@provider.example", "side": "lan", "packets": 3000}, **changes}


def instance(name: str = "general", **changes: Any) -> Answer:
    """An instance that runs, with one phone."""
    return {"name": name, "enabled": True, "state": "running", "text": "", "status": status(), "bindings": [binding()], "refusals": [],
            "calls": [], **changes}


def shown(*instances: Answer) -> dict[str, list[Any]]:
    """What the bridge is to answer to `getStatus`."""
    return {"luci.siproxd.getStatus": [0, {"instances": list(instances)}]}


def history(*lines: Answer, name: str = "general") -> dict[str, list[Any]]:
    """The same, with what it is to answer to `getHistory`."""
    return {**shown(instance(name)), "luci.siproxd.getHistory": [0, {"ended": list(lines)}]}
