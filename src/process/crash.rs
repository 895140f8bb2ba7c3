//! What a panic leaves behind.

use core::fmt::Display;

/// Sends what a panic has to say to the log instead of stderr alone.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place: &dyn Display = match panic.location() {
            Some(location) => location,
            None => &"an unknown place",
        };
        crate::log::emergency(format_args!("siproxd: bug at {place}: {message}"));
    }));
}
