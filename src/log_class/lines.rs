//! The macros of the crate `log`, in its place: `use crate::log_class::log`.
//!
//! Lines that are always written say nothing of their place in the source, which nobody reads: there are 130 of them, and 80 bytes each are
//! 10 KB.

use core::fmt;

pub(crate) mod log {
    pub(crate) use super::{error_line as error, info_line as info, warn_line as warn};
    pub(crate) use ::log::{Level, debug, log};
}

macro_rules! error_line {
    (target: $class:expr, $($text:tt)+) => { $crate::log_class::note(::log::Level::Error, $class, ::core::format_args!($($text)+)) };
}
macro_rules! warn_line {
    (target: $class:expr, $($text:tt)+) => { $crate::log_class::note(::log::Level::Warn, $class, ::core::format_args!($($text)+)) };
}
macro_rules! info_line {
    (target: $class:expr, $($text:tt)+) => { $crate::log_class::note(::log::Level::Info, $class, ::core::format_args!($($text)+)) };
}
pub(crate) use {error_line, info_line, warn_line};

/// Hands one line to the logger.
#[cold]
#[inline(never)]
pub(crate) fn note(level: ::log::Level, class: &'static str, text: fmt::Arguments<'_>) {
    if level <= ::log::max_level() {
        ::log::logger().log(&::log::Record::builder().level(level).target(class).args(text).build());
    }
}
