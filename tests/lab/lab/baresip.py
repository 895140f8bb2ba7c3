"""A real phone: baresip without screen or sound card, driven over its control socket."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from lab.audio import write_tone
from lab.kamailio import DOMAIN, password
from lab.netns import Network
from lab.process import Process
from lab.sockets import socket_in
from lab.wait import until

CONTROL_PORT = 4444
MODULES = "/usr/lib/baresip/modules"

# Seconds a register or a call set-up may take on a loaded machine.
PATIENCE = 15.0

CONFIG = """\
{extra}poll_method epoll
call_local_timeout 120
call_max_calls 8
sip_listen {address}:{port}
audio_path /nonexistent
audio_player aubridge,sink
audio_source aufile,{tone}
audio_alert aubridge,alert
audio_txmode thread
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_ports 10000-20000
rtp_stats yes
jitter_buffer_delay 1-10
rtcp_mux no
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {directory}
"""


@dataclass(frozen=True)
class Account:
    """One line of baresip's `accounts`."""

    user: str
    domain: str = DOMAIN
    secret: str | None = None
    outbound: str | None = None
    regint: int = 60
    extra: str = ""

    def line(self) -> str:
        """The line, with digest name and password of the lab's provider unless others are given."""
        secret = self.secret if self.secret is not None else password(self.user)
        outbound = f';outbound="sip:{self.outbound}"' if self.outbound else ""
        return (f"<sip:{self.user}@{self.domain}>;auth_user={self.user};auth_pass={secret}{outbound}"
                f";regint={self.regint};answermode=manual;audio_codecs=pcmu;ptime=20{self.extra}\n")


class Phone:
    """One running baresip in one host."""

    def __init__(self, network: Network, host: str, address: str, accounts: list[Account], tone: int,
                 port: int = 5060, extra: str = "") -> None:
        """Starts it; `extra` are lines of configuration, which come before the lab's: the first of a name counts."""
        self.host = host
        self.address = address
        self.tone = tone
        self.accounts = accounts
        self.port = port
        self._events: list[dict[str, object]] = []
        self._replies: dict[str, dict[str, object]] = {}
        self._tokens = itertools.count(1)
        self.dir = network.dir / f"{host}-{port}"
        for number in itertools.count(2):
            if not self.dir.exists():
                break
            self.dir = network.dir / f"{host}-{port}.{number}"
        self.dir.mkdir()
        write_tone(self.dir / "tone.wav", tone)
        (self.dir / "accounts").write_text("".join(account.line() for account in accounts))
        (self.dir / "contacts").write_text("")
        control = CONTROL_PORT + port - 5060
        (self.dir / "config").write_text(CONFIG.format(
            address=address, port=port, tone=self.dir / "tone.wav", modules=MODULES, control=control,
            directory=self.dir, extra=extra))
        self.log = self.dir / "baresip.log"
        self.process = Process(network.ns(host), ["baresip", "-f", str(self.dir), "-v"], self.log, cwd=self.dir)
        self.process.wait_line(r"baresip is ready", PATIENCE)
        self._control = socket_in(network.ns(host), socket.SOCK_STREAM)
        self._control.connect(("127.0.0.1", control))
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def user(self) -> str:
        """The user of the first account."""
        return self.accounts[0].user

    def stop(self) -> None:
        """Un-registers and ends."""
        self.process.stop()
        self._control.close()

    def command(self, name: str, parameters: str = "") -> str:
        """Runs one of baresip's commands and returns what it says."""
        token = str(next(self._tokens))
        body = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._control.sendall(b"%d:%s," % (len(body), body))
        reply = until(lambda: self._replies.pop(token, None), 5, f"{self.host}'s answer to {name}", [self.log])
        return str(reply.get("data", ""))

    def registered(self, timeout: float = PATIENCE) -> None:
        """Waits until every account is registered; the log has what the control socket misses."""
        for account in self.accounts:
            self.process.wait_line(rf"{re.escape(account.user)}@{re.escape(account.domain)}.* 200 OK", timeout)

    def mark(self) -> int:
        """A point in the stream of events; later waits look after it."""
        return len(self._events)

    def event(self, kind: str, since: int = 0, timeout: float = PATIENCE) -> dict[str, object]:
        """Waits for an event of a kind, e.g. `CALL_ESTABLISHED`."""
        def look() -> dict[str, object] | None:
            return next((event for event in self._events[since:] if event.get("type") == kind), None)

        return until(look, timeout, f"{kind} at {self.host}", [self.log])

    def events(self, kind: str, since: int = 0) -> list[dict[str, object]]:
        """All events of a kind so far."""
        return [event for event in self._events[since:] if event.get("type") == kind]

    def dial(self, uri: str) -> None:
        """Starts a call."""
        self.command("dial", uri)

    def accept(self) -> None:
        """Answers the call that rings."""
        self.command("accept")

    def hangup(self) -> None:
        """Ends the current call."""
        self.command("hangup")

    def hold(self) -> None:
        """Puts the current call on hold."""
        self.command("hold")

    def resume(self) -> None:
        """Takes the call off hold."""
        self.command("resume")

    def dtmf(self, digits: str) -> None:
        """Presses keys: RFC 4733 events."""
        for digit in digits:
            self.command("sndcode", digit)

    def recordings(self) -> list[Path]:
        """What was heard, one file per stream, oldest first."""
        return sorted(self.dir.glob("dump-*-dec.wav"))

    def said(self, pattern: str) -> bool:
        """Whether its log has a line like this."""
        return re.search(pattern, self.process.text(), re.MULTILINE) is not None

    def _read(self) -> None:
        """Takes netstrings from the control socket until it closes."""
        buffer = b""
        while True:
            try:
                data = self._control.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b":" in buffer:
                size, _, rest = buffer.partition(b":")
                length = int(size)
                if len(rest) < length + 1:
                    break
                # What a peer sent may stand in it as it came.
                self._take(json.loads(rest[:length].decode(errors="replace")))
                buffer = rest[length + 1:]

    def _take(self, message: dict[str, object]) -> None:
        if "event" in message:
            self._events.append(message)
        elif "response" in message:
            self._replies[str(message.get("token"))] = message


