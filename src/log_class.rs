//! Classes of log lines: the `target` of each record, so that debugging can be switched on by subject.
//!
//! Errors, warnings and information are always written; a debug line only where `debug_level` has the bit of its class.

mod lines;

use core::fmt;

pub(crate) use lines::{log, note};

/// The text and headers of SIP messages as they are handled.
pub const SIP: &str = "sip";
/// Registrations and bindings.
pub const REG: &str = "reg";
/// The relay of media.
pub const RTP: &str = "rtp";
/// Each packet of media; a flood.
pub const RTP_BABBLE: &str = "rtpbabble";
/// Names and the resolver.
pub const DNS: &str = "dns";
/// Sockets, interfaces, addresses.
pub const NET: &str = "net";
/// The decisions of the proxy: direction, route, why a message was dropped.
pub const PROXY: &str = "proxy";
/// Who may send what.
pub const ACL: &str = "acl";
/// Digest authentication.
pub const AUTH: &str = "auth";
/// The configuration.
pub const CONFIG: &str = "config";
/// The whole text of each message that comes or goes. Never goes to syslog.
pub const TRAFFIC: &str = "traffic";
/// Start, end, signals, files.
pub const PROCESS: &str = "process";
/// Optional features.
pub const PLUGIN: &str = "plugin";
/// The way through the program.
pub const BABBLE: &str = "babble";

/// Every class with its bit in `debug_level`, as siproxd 0.8 numbers them.
const BITS: [(&str, u32); 14] = [
    (SIP, 0x4),
    (REG, 0x8),
    (RTP, 0x200),
    (RTP_BABBLE, 0x2000),
    (DNS, 0x40),
    (NET, 0x2),
    (PROXY, 0x20),
    (ACL, 0x400),
    (AUTH, 0x800),
    (CONFIG, 0x100),
    (TRAFFIC, 0x80),
    (PROCESS, OTHER),
    (PLUGIN, 0x1000),
    (BABBLE, 0x1),
];

/// The bit of what has no class of its own.
const OTHER: u32 = 0x10;

/// The bit of a class in `debug_level`.
#[must_use]
pub fn bit(class: &str) -> u32 {
    BITS.iter().find(|(name, _)| *name == class).map_or(OTHER, |(_, bit)| *bit)
}

/// The bits of classes that are named, with commas between; `None` where there is no class of a name.
#[must_use]
pub fn bits(names: &str) -> Option<u32> {
    if names == ALL {
        return Some(u32::MAX);
    }
    names.split(',').try_fold(0, |bits, name| {
        let (_, bit) = BITS.iter().find(|(known, _)| *known == name.trim())?;
        Some(bits | bit)
    })
}

/// What stands for all classes.
const ALL: &str = "all";

/// The classes of a `debug_level`, by name.
#[derive(Clone, Copy, Debug)]
pub struct Names(pub u32);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_all = BITS.iter().fold(0, |all, (_, bit)| all | bit);
        if self.0 & in_all == in_all {
            return f.write_str(ALL);
        }
        let mut mark = "";
        for (name, _) in BITS.iter().filter(|(_, bit)| self.0 & bit != 0) {
            write!(f, "{mark}{name}")?;
            mark = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_names() {
        assert_eq!(bits("sip,reg"), Some(0xc));
        assert_eq!(bits("traffic, sip"), Some(0x84));
        assert_eq!((bits("all"), bits(""), bits("sip,all"), bits("SIP")), (Some(u32::MAX), None, None, None));
        assert_eq!(Names(0x84).to_string(), "sip,traffic");
        assert_eq!(
            (Names(u32::MAX).to_string(), Names(0x3fff).to_string(), Names(0).to_string()),
            ("all".into(), "all".into(), "".into())
        );
        assert_eq!(bits(&Names(0x20c8).to_string()), Some(0x20c8));
    }

    #[test]
    fn each_class_has_the_bit_of_the_reference() {
        assert_eq!(bit(SIP), 0x4);
        assert_eq!(bit(TRAFFIC), 0x80);
        assert_eq!(bit(RTP_BABBLE), 0x2000);
        assert_eq!(bit("siproxd::somewhere"), 0x10);
    }
}
