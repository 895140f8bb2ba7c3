"""A PJSUA2 phone without sound card: takes commands on standard input, one a line, and prints what happens.

Runs in the host's network namespace; `lab.pjsua` starts it. Arguments: directory, address, user, domain, password, outbound
proxy or `-`. It plays `tone.wav` into every call and records what it hears of each into `heard-NUMBER.wav`.

    call URI | answer CALL | hangup CALL | transfer CALL URI | attended CALL OTHER | end | watch URI | lamp busy | lamp idle |
    quit
"""

from __future__ import annotations

import os
import select
import sys

import pjsua2 as pj  # type: ignore[import-not-found]

# The milliseconds that the library works between two looks at standard input.
TURN = 20


def say(*words: object) -> None:
    """Prints one event."""
    print("EVENT", *words, flush=True)


class Call(pj.Call):  # type: ignore[misc]
    """One call with its tone and its recording."""

    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, call_id)
        self.phone = phone
        self.recorder: pj.AudioMediaRecorder | None = None
        self.number = phone.take(self)

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802
        info = self.getInfo()
        say("state", self.number, info.stateText, info.lastStatusCode)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        # Kept while its parts are looked at: they lie in it.
        info = self.getInfo()
        if not any(media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE
                   for media in info.media):
            return
        audio = self.getAudioMedia(-1)
        if self.recorder is None:
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(f"heard-{self.number}.wav")
        self.phone.player.startTransmit(audio)
        audio.startTransmit(self.recorder)

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802
        call = Call(self.phone)
        prm.newCall = call
        say("transferred", self.number, call.number, prm.dstUri)

    def onCallReplaceRequest(self, prm: pj.OnCallReplaceRequestParam) -> None:  # noqa: N802
        call = Call(self.phone)
        prm.newCall = call
        say("replacing", self.number, call.number)

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:  # noqa: N802
        say("progress", self.number, prm.statusCode, int(prm.finalNotify))
        if prm.finalNotify and prm.statusCode // 100 == 2:
            self.hangup(pj.CallOpParam(True))


class Phone(pj.Account):  # type: ignore[misc]
    """The account, and all its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer("tone.wav")

    def take(self, call: Call) -> int:
        """Keeps a call alive, and gives it its number."""
        self.calls.append(call)
        return len(self.calls) - 1

    def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
        say("registered", prm.code)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        call = Call(self, prm.callId)
        say("incoming", call.number, call.getInfo().remoteUri)


class Watched(pj.Buddy):  # type: ignore[misc]
    """Somebody whose presence is watched."""

    def onBuddyState(self) -> None:  # noqa: N802
        info = self.getInfo()
        state = "dark"
        if info.presStatus.status == pj.PJSUA_BUDDY_STATUS_ONLINE:
            state = "busy" if info.presStatus.activity == pj.PJRPID_ACTIVITY_BUSY else "idle"
        say("presence", info.uri, state, info.subStateName)


def obey(library: pj.Endpoint, phone: Phone, buddies: list[Watched], words: list[str]) -> None:
    """Runs one command."""
    name, *rest = words
    if name == "call":
        Call(phone).makeCall(rest[0], pj.CallOpParam(True))
    elif name == "watch":
        config = pj.BuddyConfig()
        config.uri, config.subscribe = rest[0], True
        buddies.append(Watched())
        buddies[-1].create(phone, config)
    elif name == "lamp":
        status = pj.PresenceStatus()
        status.status = pj.PJSUA_BUDDY_STATUS_ONLINE
        status.activity = pj.PJRPID_ACTIVITY_BUSY if rest[0] == "busy" else pj.PJRPID_ACTIVITY_UNKNOWN
        status.note = rest[0]
        phone.setOnlineStatus(status)
    elif name == "end":
        library.hangupAllCalls()
        say("ended")
    else:
        call = phone.calls[int(rest[0])]
        how = pj.CallOpParam(True)
        if name == "answer":
            how.statusCode = 200
            call.answer(how)
        elif name == "hangup":
            call.hangup(how)
        elif name == "transfer":
            call.xfer(rest[1], how)
        elif name == "attended":
            call.xferReplaces(phone.calls[int(rest[1])], how)


def endpoint(address: str) -> pj.Endpoint:
    """The library, started: PCMU only, and no sound card."""
    library = pj.Endpoint()
    library.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    config.uaConfig.userAgent = "pjsua2"
    # In a file of its own: no line of it shall stand in the middle of an event.
    config.logConfig.level, config.logConfig.consoleLevel, config.logConfig.filename = 5, 0, "library.log"
    media = config.medConfig
    media.clockRate = media.sndClockRate = 8000
    media.ecTailLen, media.noVad = 0, True
    library.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = 5060, address
    library.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    library.libStart()
    library.audDevManager().setNullDev()
    for codec in library.codecEnum2():
        library.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU/") else 0)
    return library


def account(user: str, domain: str, password: str, outbound: str) -> pj.AccountConfig:
    """The account's configuration."""
    config = pj.AccountConfig()
    config.idUri = f"sip:{user}@{domain}"
    config.regConfig.registrarUri = f"sip:{domain}"
    config.regConfig.timeoutSec = 60
    config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    if outbound != "-":
        config.sipConfig.proxies.append(f"sip:{outbound};lr")
    config.mediaConfig.transportConfig.port = 4000
    return config


def main() -> None:
    """Starts the phone and obeys until `quit` or the end of standard input."""
    directory, address, user, domain, password, outbound = sys.argv[1:]
    os.chdir(directory)
    library = endpoint(address)
    phone = Phone()
    phone.create(account(user, domain, password, outbound))
    buddies: list[Watched] = []
    say("ready")
    while True:
        library.libHandleEvents(TURN)
        if not select.select([sys.stdin], [], [], 0)[0]:
            continue
        words = sys.stdin.readline().split()
        if not words or words[0] == "quit":
            break
        try:
            obey(library, phone, buddies, words)
        except pj.Error as error:
            say("error", *words, error.info(False))
    library.libDestroy()
    # The library is gone: what Python would free now is freed already.
    os._exit(0)


if __name__ == "__main__":
    main()
