//! How much memory the process has.

use std::fs;

/// Bytes of it that are in use; `None` where the system does not tell, as in a jail without `/proc`.
#[must_use]
pub fn resident() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?)?.checked_mul(1024)
}

/// What proc_pid_status(5) says.
fn kilobytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        assert_eq!(kilobytes("Name:\tsiproxd\nVmSize:\t    5120 kB\nVmRSS:\t    1404 kB\n"), Some(1404));
        assert_eq!((kilobytes(""), kilobytes("VmRSS:\tmuch kB\n")), (None, None));
        assert!(resident().is_some_and(|bytes| bytes > 100_000));
    }
}
