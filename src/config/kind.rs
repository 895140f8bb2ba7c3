//! What directives take: kinds, and the values that the parser makes of them.

use super::plugins::Plugin;
use crate::engine::settings::{AccessList, Domains, Prefixes};
use core::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer by the rules of C's `%i`: decimal, `0x` hexadecimal, or octal after a leading 0.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Any text.
    Text,
    /// Text for a header of a message: of at most so many bytes, without control characters.
    Line(usize),
    /// The name of a network interface.
    Interface,
    /// A host name or an address.
    Host,
    /// An IP address.
    Address,
    /// A file; a relative name counts from the directory the daemon is started in.
    Path,
    /// Networks as `address/length`, separated by commas or blanks; each further line adds to them.
    Networks,
    /// Networks as `address/length` and hosts as `name/length`, separated by commas or blanks; each further line adds to them. A length is
    /// one of IPv4 for a name; without it, it is the host alone.
    AccessList,
    /// Domains, separated by commas or blanks; each further line adds to them.
    Domains,
    /// Any text; each further line adds an entry.
    List,
    /// The file of a plugin of the original, with or without its directory; each further line adds one.
    Plugin,
    /// One value of this kind on each line; each further line adds an entry.
    Each(&'static Self),
    /// A differentiated services code point, 0 to 63 (RFC 2474 §3).
    Dscp,
    /// One of these words, in lower case.
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// Whether a directive of this kind may stand on several lines.
    #[must_use]
    pub const fn repeats(self) -> bool {
        matches!(self, Self::Networks | Self::AccessList | Self::Domains | Self::List | Self::Plugin | Self::Each(_))
    }
}

/// Numbers from the first to the last.
pub(super) const fn int(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

/// A value of the type that its directive takes, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line of the file")]
pub enum Value<'a> {
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of every kind that is text.
    Text(&'a str),
    /// Of [`Kind::Address`].
    Address(IpAddr),
    /// Of [`Kind::Networks`].
    Networks(Prefixes),
    /// Of [`Kind::AccessList`].
    AccessList(AccessList),
    /// Of [`Kind::Domains`].
    Domains(Domains),
    /// Of [`Kind::Plugin`].
    Plugin(&'static Plugin),
}

impl Value<'_> {
    /// The number; the range in the table makes it fit.
    pub(super) fn int<T: TryFrom<i64> + Default>(&self) -> T {
        match self {
            Self::Int(n) => T::try_from(*n).unwrap_or_default(),
            _ => T::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        *self == Self::Int(1)
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            _ => String::new(),
        }
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        let Self::Text(text) = self else { return None };
        // A daemon changes to the root directory: what is relative now must not move with it.
        Some(std::path::absolute(text).unwrap_or_else(|_| Path::new(text).to_owned()))
    }

    pub(super) const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }

    pub(super) const fn plugin(&self) -> Option<&'static Plugin> {
        match self {
            Self::Plugin(plugin) => Some(plugin),
            _ => None,
        }
    }

    pub(super) fn add_domains(&self, domains: &mut Domains) {
        if let Self::Domains(more) = self {
            // The parser has counted: they fit.
            let _ = domains.extend_from_slice(more);
        }
    }

    pub(super) fn add_to_list(&self, list: &mut AccessList) {
        if let Self::AccessList(more) = self {
            // The parser has counted: they fit.
            let _ = list.add(more);
        }
    }

    pub(super) fn add_to(&self, networks: &mut Prefixes) {
        if let Self::Networks(more) = self {
            // The parser has counted: they fit.
            let _ = networks.extend_from_slice(more);
        }
    }
}
