"""A PJSUA2 phone without sound card: takes commands on standard input, one a line, and prints what happens.

Runs in the host's network namespace; `lab.pjsua` starts it. Arguments: directory, address, user, domain, password, outbound
proxy or `-`, and any of `TRAITS`. It plays `tone.wav` into every call and records what it hears of each into `heard-NUMBER.wav`.

    call URI | late URI | progress CALL | answer CALL | hangup CALL | hold CALL | inactive CALL | resume CALL |
    sections CALL COUNT | update CALL COUNT | transfer CALL URI | attended CALL OTHER | end | watch URI | lamp busy |
    lamp idle | quit
"""

from __future__ import annotations

import os
import select
import sys

import pjsua2 as pj  # type: ignore[import-not-found]

# The milliseconds that the library works between two looks at standard input.
TURN = 20


# What a phone may be told besides; one that pauses sends nothing while nobody speaks, and a PBX may share its host with a proxy.
TRAITS = ("ice", "mux", "sdes", "dtls", "prack", "hold2543", "pauses", "pbx")

# Where it takes messages: a PBX leaves the usual port to the proxy.
SIP_PORT, PBX_PORT = 5060, 5061

# What happened to a section of a call, in short.
STATUS = {
    pj.PJSUA_CALL_MEDIA_NONE: "none", pj.PJSUA_CALL_MEDIA_ACTIVE: "active", pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "holding",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "held", pj.PJSUA_CALL_MEDIA_ERROR: "error",
}

# Audio sections that an offer may have so that all are taken.
MOST_SECTIONS = 2


def say(*words: object) -> None:
    """Prints one event."""
    print("EVENT", *words, flush=True)


class Call(pj.Call):  # type: ignore[misc]
    """One call with its tone and its recording."""

    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, call_id)
        self.phone = phone
        self.recorder: pj.AudioMediaRecorder | None = None
        self.recorded = 0
        self.number = phone.take(self)

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802
        info = self.getInfo()
        say("state", self.number, info.stateText, info.lastStatusCode)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        # Kept while its parts are looked at: they lie in it.
        info = self.getInfo()
        for section, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status != pj.PJSUA_CALL_MEDIA_ACTIVE:
                continue
            audio = self.getAudioMedia(section)
            self.phone.player.startTransmit(audio)
            # What is heard of further sections would be mixed into it.
            if self.recorder is None:
                self.recorder = pj.AudioMediaRecorder()
                self.recorder.createRecorder(f"heard-{self.number}.wav")
                self.recorded = section
            if section == self.recorded:
                audio.startTransmit(self.recorder)
        say("media", self.number, *(STATUS[media.status] for media in info.media))

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
    if name in ("call", "late"):
        how = pj.CallOpParam(True)
        how.opt.flag |= pj.PJSUA_CALL_NO_SDP_OFFER if name == "late" else 0
        Call(phone).makeCall(rest[0], how)
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
        if name in ("answer", "progress"):
            how.statusCode = 200 if name == "answer" else 183
            how.opt.audioCount = MOST_SECTIONS
            call.answer(how)
        elif name == "hold":
            call.setHold(how)
        elif name == "inactive":
            how.opt.flag |= pj.PJSUA_CALL_SET_MEDIA_DIR
            how.opt.mediaDir.append(pj.PJMEDIA_DIR_NONE)
            call.reinvite(how)
        elif name == "resume":
            how.opt.flag |= pj.PJSUA_CALL_UNHOLD | pj.PJSUA_CALL_SET_MEDIA_DIR
            how.opt.mediaDir.append(pj.PJMEDIA_DIR_ENCODING_DECODING)
            call.reinvite(how)
        elif name in ("sections", "update"):
            how.opt.audioCount = int(rest[1])
            (call.reinvite if name == "sections" else call.update)(how)
        elif name == "hangup":
            call.hangup(how)
        elif name == "transfer":
            call.xfer(rest[1], how)
        elif name == "attended":
            call.xferReplaces(phone.calls[int(rest[1])], how)


def endpoint(address: str, traits: list[str]) -> pj.Endpoint:
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
    media.ecTailLen, media.noVad = 0, "pauses" not in traits
    library.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = PBX_PORT if "pbx" in traits else SIP_PORT, address
    library.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    library.libStart()
    library.audDevManager().setNullDev()
    for codec in library.codecEnum2():
        library.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU/") else 0)
    return library


def account(user: str, domain: str, password: str, outbound: str, traits: list[str]) -> pj.AccountConfig:
    """The account's configuration."""
    unknown = set(traits) - set(TRAITS)
    assert not unknown, unknown
    config = pj.AccountConfig()
    config.idUri = f"sip:{user}@{domain}"
    config.regConfig.registrarUri = f"sip:{domain}"
    config.regConfig.timeoutSec = 60
    config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    if outbound != "-":
        config.sipConfig.proxies.append(f"sip:{outbound};lr")
    media = config.mediaConfig
    media.transportConfig.port = 4000
    media.rtcpMuxEnabled = "mux" in traits
    config.natConfig.iceEnabled = "ice" in traits
    if "sdes" in traits or "dtls" in traits:
        media.srtpUse, media.srtpSecureSignaling = pj.PJMEDIA_SRTP_MANDATORY, 0
        media.srtpOpt.keyings.append(
            pj.PJMEDIA_SRTP_KEYING_DTLS_SRTP if "dtls" in traits else pj.PJMEDIA_SRTP_KEYING_SDES)
    if "prack" in traits:
        config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
    if "hold2543" in traits:
        config.callConfig.holdType = pj.PJSUA_CALL_HOLD_TYPE_RFC2543
    return config


def main() -> None:
    """Starts the phone and obeys until `quit` or the end of standard input."""
    directory, address, user, domain, password, outbound, *traits = sys.argv[1:]
    os.chdir(directory)
    library = endpoint(address, traits)
    phone = Phone()
    config = account(user, domain, password, outbound, traits)
    if "pbx" in traits:
        # Else it takes the address that the default route has, which is the router's on the Internet.
        config.mediaConfig.transportConfig.boundAddress = address
    phone.create(config)
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
