//! What differs between a router and the computer of who writes this: order of bytes, size of numbers, alignment, time, atomics.
//! `make cross-test` runs it for each router under emulation; here it shows that the expectations hold at all.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use core::time::Duration;
use nix::sys::time::TimeVal;
use siproxd::rtp::rtcp::{Report, SenderReport, reports};
use siproxd::sip::framing::{Frame, Framer, FramingError};
use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

/// A sender report of RTCP (RFC 3550 §6.4.1), whose numbers are others if they are read in another order, or from another place.
const SENDER_REPORT: [u8; 28] = [
    0x80, 200, 0, 6, 1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0, 0, 0, 0, 0x21, 0x22, 0x23, 0x24, 0,
    0, 0, 0,
];

/// `cross/test.sh` says in `SIPROXD_PLATFORM` what it means to run: the rest would prove nothing of MIPS else.
#[test]
fn the_machine_is_the_one_that_is_meant() {
    let order = if u16::from_ne_bytes([1, 0]) == 0x100 { "big" } else { "little" };
    let found = format!("{} {order} {}", std::env::consts::ARCH, usize::BITS);
    assert_eq!(std::env::var("SIPROXD_PLATFORM").unwrap_or_else(|_| found.clone()), found);
}

#[test]
fn numbers_are_read_in_network_byte_order() {
    let expected = SenderReport { ssrc: 0x0102_0304, ntp_middle: 0x1314_1516, packets: 0x2122_2324 };
    assert_eq!(reports(&SENDER_REPORT).unwrap().next(), Some(Report::Sender(expected)));
}

/// A processor without unaligned access traps, or reads something else; a debug build panics on any.
#[test]
fn a_packet_may_lie_anywhere_in_memory() {
    let aligned: Vec<Report> = reports(&SENDER_REPORT).unwrap().collect();
    for offset in 0..size_of::<u64>() {
        let mut memory = vec![0xff; offset];
        memory.extend(SENDER_REPORT);
        let there: Vec<Report> = reports(&memory[offset..]).unwrap().collect();
        assert_eq!(there, aligned, "at offset {offset}");
    }
}

/// 2^32 and a little more is a small number in a `usize` of 32 bits.
#[test]
fn a_length_beyond_32_bits_is_refused_and_not_cut() {
    let head = |length: u64| {
        format!("OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nCall-ID: 1\r\nContent-Length: {length}\r\n\r\nbody").into_bytes()
    };
    assert!(matches!(Framer::new().next(&head(4)), Ok(Frame::Message(_))));
    for length in [(1 << 32) + 4, u64::from(u32::MAX), u64::MAX] {
        let error = Framer::new().next(&head(length)).unwrap_err();
        assert!(matches!(error, FramingError::ContentLength | FramingError::TooLarge), "{length}");
    }
}

/// Through the C library and the kernel: with 32 bits the year 2100 would be 1963.
#[test]
fn time_goes_on_after_2038() {
    assert_eq!(size_of_val(&TimeVal::new(0, 0).tv_sec()), 8);
    let year_2100 = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let path = std::env::temp_dir().join(format!("siproxd-platform-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    file.set_modified(year_2100).unwrap();
    let got = fs::metadata(&path).and_then(|file| file.modified());
    fs::remove_file(&path).unwrap();
    assert_eq!(got.unwrap(), year_2100);
}

/// MIPS and ARMv5 have none, so that it would not build there; elsewhere nobody would notice.
#[test]
fn no_atomic_of_64_bits_is_used() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("AtomicU64") && !text.contains("AtomicI64"), "{}", path.display());
            }
        }
    }
    assert!(files > 50, "only {files} files were found");
}
