"""Sockets of this Python process inside another network namespace."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h

# Seconds without a datagram after which none is on its way any more.
SILENCE = 0.1

_libc = ctypes.CDLL(None, use_errno=True)


def _enter(descriptor: int) -> None:
    """Moves the calling thread into the namespace of an open descriptor (setns(2); `os.setns` came with 3.12)."""
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def socket_in(namespace: str, kind: int = socket.SOCK_DGRAM, family: int = socket.AF_INET,
              protocol: int = 0) -> socket.socket:
    """A new socket that lives in `namespace`, whatever this process does later."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    try:
        _enter(there)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


def drain(receiver: socket.socket, silence: float = SILENCE) -> list[bytes]:
    """The datagrams that wait in a socket, and those that follow until nothing comes for `silence` seconds."""
    receiver.settimeout(silence)
    got = []
    while True:
        try:
            got.append(receiver.recv(2048))
        except (BlockingIOError, socket.timeout):
            return got


def udp_in(namespace: str, address: str, port: int = 0) -> socket.socket:
    """A bound UDP socket in `namespace`."""
    made = socket_in(namespace, family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.bind((address, port))
    return made
