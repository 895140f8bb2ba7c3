"""One party's sound, packet by packet, and its reports on the other's: for calls in which each packet is known."""

from __future__ import annotations

import socket
import struct
import time

# Seconds that one packet stands for, and units of its clock (G.711, RFC 3551 §4.5).
PACKET_TIME = 0.02
PACKET_UNITS = 160

# µ-law, silence.
PAYLOAD = b"\xff" * PACKET_UNITS

# RTCP packet types (RFC 3550 §12.1).
SENDER_REPORT = 200
RECEIVER_REPORT = 201


class Voice:
    """RTP in sequence from one socket to one port; both its counters are about to begin again from zero."""

    def __init__(self, sender: socket.socket, target: tuple[str, int], ssrc: int, payload_type: int = 0) -> None:
        self.sender = sender
        self.target = target
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.sequence = 65_500
        self.timestamp = (1 << 32) - 40 * PACKET_UNITS
        self.packets = 0
        self.bytes = 0

    def packet(self, marker: bool = False) -> bytes:
        """The next packet; whether it is sent, and when, is the caller's affair."""
        packet = self.header(marker) + PAYLOAD
        self.lose(1)
        return packet

    def header(self, marker: bool = False) -> bytes:
        """The header of the next packet."""
        kind = self.payload_type | (0x80 if marker else 0)
        return struct.pack("!BBHII", 0x80, kind, self.sequence, self.timestamp, self.ssrc)

    def send(self, packet: bytes) -> None:
        """Sends a packet."""
        self.sender.sendto(packet, self.target)
        self.packets += 1
        self.bytes += len(packet)

    def say(self, marker: bool = False) -> None:
        """Sends the next packet."""
        self.send(self.packet(marker))

    def lose(self, packets: int) -> None:
        """So many packets get lost before they come near the router."""
        self.sequence = (self.sequence + packets) & 0xFFFF
        self.pause(packets)

    def pause(self, packets: int) -> None:
        """Nobody speaks for the time of so many packets; the sequence goes on where it stopped."""
        self.timestamp = (self.timestamp + packets * PACKET_UNITS) & 0xFFFFFFFF


def talk(seconds: float, *voices: Voice) -> None:
    """All of them speak, in the time that it takes."""
    start = time.monotonic()
    for number in range(round(seconds / PACKET_TIME)):
        wait_until(start + number * PACKET_TIME)
        for voice in voices:
            voice.say()
    wait_until(start + seconds)


def wait_until(moment: float) -> None:
    """Waits until a moment of `time.monotonic`."""
    time.sleep(max(0.0, moment - time.monotonic()))


def sender_report(ssrc: int, ntp_middle: int = 0, packets: int = 0) -> bytes:
    """An SR: the middle of its time stamp, which comes back as LSR, and how many packets were sent."""
    return struct.pack("!BBHIQIII", 0x80, SENDER_REPORT, 6, ssrc, ntp_middle << 16, 0, packets, 0)


def receiver_report(ssrc: int, source: int, lost: int = 0, jitter: int = 0, last_sr: int = 0, delay: float = 0.0) -> bytes:
    """An RR on one source; the delay since its last SR in seconds."""
    return struct.pack("!BBHIIIIIII", 0x81, RECEIVER_REPORT, 7, ssrc, source, lost & 0xFFFFFF, 0, jitter, last_sr,
                       round(delay * 65536))
