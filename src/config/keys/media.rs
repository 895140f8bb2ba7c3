//! Media.

use super::*;

keys! {
    "Media";

    /// 1 relays media; 0 leaves session descriptions alone.
    rtp_proxy_enable: SWITCH, "1" when Restart
        luci Audio advanced "Pass sound on"
        says "Sound and picture go through this router. Without it they go their own way, which NAT mostly bars."
        => |c, v| c.rtp_proxy_enable = v.is_on();

    /// First UDP port for media; an odd one is rounded up.
    rtp_port_low: PORT, "7070"
        luci Audio "First port for sound"
        says "The first of the UDP ports for sound; an odd one is rounded up."
        => |c, v| c.rtp_port_low = v.int();

    /// Last UDP port for media; a call takes two.
    rtp_port_high: PORT, "7089"
        luci Audio "Last port for sound"
        says "The last of the UDP ports for sound; a call takes two, so that 20 ports are room for 10 calls."
        more "In the firewall, open all of them on the WAN side; 20 ports are room for 10 calls."
        => |c, v| c.rtp_port_high = v.int();

    /// Seconds without media after which a stream is closed, but while it rings.
    rtp_timeout: int(1, DAY), "300"
        luci Audio "Time without sound"
        says "Seconds without sound after which the ports of a call are closed; not while it rings."
        => |c, v| c.rtp_timeout = v.int();

    /// 1 says BYE to both parties of a call that `rtp_timeout` ends.
    rtp_timeout_bye: SWITCH, "0"
        luci Audio "Hang up calls without sound"
        says "Both sides are told that the call is over when that time has passed."
        => |c, v| c.rtp_timeout_bye = v.is_on();

    /// DSCP of relayed media, RTP and RTCP, in both directions; 46 is what RFC 4594 has for voice, 0 is none.
    rtp_dscp: Kind::Dscp, "0"
        luci Audio advanced "Priority of sound (DSCP)"
        says "DSCP that sound and picture are marked with in both directions; 46 is usual for voice, 0 is none."
        => |c, v| c.rtp_dscp = v.int();

    /// DSCP of SIP messages, over UDP and TCP; 24 (CS3) and 40 (CS5) are usual for signalling (RFC 4594 §2.3), 0 is none.
    sip_dscp: Kind::Dscp, "0"
        luci Network advanced "Priority of SIP (DSCP)"
        says "DSCP that SIP messages are marked with; 24 and 40 are usual, 0 is none."
        => |c, v| c.sip_dscp = v.int();

    /// Microseconds by which RTP towards the phones is held back to even it out, for phones that cannot themselves; 0 is
    /// off. Those that can need none: it is delay on top.
    rtp_input_dejitter: int(0, 1_500_000), "0"
        luci Audio advanced "Even out sound to the phones"
        says "Microseconds by which sound to the phones is held back to even it out, for phones that cannot do so themselves. It is delay on top: 60000 are 60 ms; 0 is off."
        more "60 ms are 60000; the highest is 1500000."
        => |c, v| c.rtp_input_dejitter = v.int();

    /// The same for RTP towards the Internet.
    rtp_output_dejitter: int(0, 1_500_000), "0"
        luci Audio advanced "Even out sound to the Internet"
        says "Microseconds by which sound to the Internet is held back to even it out. It is delay on top: 60000 are 60 ms; 0 is off."
        => |c, v| c.rtp_output_dejitter = v.int();

    /// Microseconds for which packets of many calls are collected, so that one wake-up takes several; few calls wait for
    /// nothing. 0 is off.
    rtp_coalesce: int(0, MAX_COALESCE), "100"
        luci Audio advanced "Collect packets of many calls" => |c, v| c.rtp_coalesce = v.int();

    /// Whether the far end's port is learned from its packets, `restricted` to the addresses that signalling knows, or
    /// `off`: then media goes where the session description says.
    rtp_latching: Kind::OneOf(&["restricted", "off"]), "restricted"
        luci Audio advanced "Learn the far end's port"
        says "Where the far end's sound really comes from is learned from its packets, `restricted` to the addresses it has named; `off` sends where its description says."
        => |c, v| c.set_rtp_latching(&v.text());

    /// 1 hands established streams to the kernel.
    rtp_offload: SWITCH, "0"
        luci Audio advanced "Leave sound to the kernel"
        says "Sound that flows is left to the kernel.";
}
