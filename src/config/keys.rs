//! Every directive of `siproxd.conf`, in one table: name, type, default, meaning, and what it sets.
//!
//! A directive without a setter is known and checked, but has no effect in this version. To add one: an entry in one of the
//! files of this folder, and a field in [`Config`]. `UPDATE=1 cargo test --lib documents` then writes it into
//! `config/siproxd.conf`, `docs/siproxd.conf.5` and what LuCI's settings are made from; the same test fails as long as one of them says
//! something else.

mod access;
mod media;
mod network;
mod plugin;
mod process;
mod sip;
mod tcp;

use super::Config;
use super::kind::{Kind, Value, int};
use crate::control::socket;
use crate::engine::settings::HostPort;
use crate::limits::{MAX_BINDINGS, MAX_CALLS, MAX_UA_STRING};
use crate::rtp::latch::Latching;
use crate::sip::via::Transport;

/// Puts a value into the configuration.
pub type Set = fn(&mut Config, &Value<'_>);

/// One directive.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, exact in every letter.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value where the file does not set it, as it would be written; empty where there is none.
    pub default: &'static str,
    /// What it means, with units.
    pub doc: &'static str,
    /// When a new value of it acts.
    pub when: When,
    /// What it sets; `None` where it has no effect in this version.
    pub set: Option<Set>,
    /// What only the documents say of it: the program need not carry it.
    #[cfg(test)]
    pub told: Told,
}

impl Key {
    /// Whether its value is nobody's business.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.name.ends_with("passwd")
    }
}

/// When a new value acts that the file is given while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With a reload.
    Reload,
    /// After a restart: a reload keeps the old value, and says so.
    Restart,
}

/// What the documents say of a directive besides what its users are told when they set it wrongly.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The heading it stands under.
    pub group: &'static str,
    /// What follows on its meaning.
    pub more: &'static str,
    /// A value to show where there is no default.
    pub example: &'static str,
    /// Whether the shipped file sets it to that.
    pub is_shipped: bool,
    /// Its tab in LuCI.
    pub tab: Tab,
    /// Its title there, for a householder; of a column of a table, `table: column`.
    pub title: &'static str,
    /// What a householder is told of it there; empty where that is its meaning as everywhere.
    pub says: &'static str,
    /// Who is shown it there.
    pub audience: Audience,
}

/// A tab of LuCI's settings.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Interfaces, ports, addresses.
    Network,
    /// Where calls go out, and who may come in by them.
    Providers,
    /// Registrations and passwords.
    Phones,
    /// Media.
    Audio,
    /// Numbers and codecs, and the plugins.
    Numbers,
    /// Who may do what, and what others see.
    Security,
    /// Logs and figures.
    Log,
}

/// Whom LuCI shows a directive.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Each householder.
    Everybody,
    /// Who asks for "Advanced".
    Experts,
    /// Who has set it already: it means nothing on a router, for procd sees to it or this program has nothing of the kind.
    Nobody,
}

/// Off or on.
const SWITCH: Kind = int(0, 1);
const PORT: Kind = int(1, 65_535);
/// A port, or 0 for none.
const PORT_OR_OFF: Kind = int(0, 65_535);
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// Microseconds that media may wait for its turn: what a call adds to the way of a voice goes unheard (ITU-T G.114 has 150 ms).
const MAX_COALESCE: i64 = 1000;
/// A bit mask that may be written with a sign: -1 is all bits.
const MASK: Kind = int(i32::MIN as i64, u32::MAX as i64);

/// Entries of the table: a heading, and below it directives as
/// `name: kind, "default"`, then `when Restart` where a reload does not do, `eg "example"` or `shipped "value"`, its place in LuCI as `luci Tab "title"`
/// (`luci Tab advanced "title"` for experts', `luci Tab ignored "title"` for what means nothing on a router) with `says "text"` where its meaning needs other
/// words there, `more "text for the documents"`, `=> setter`.
macro_rules! keys {
    ($($group:literal; $(
        $(#[doc = $doc:literal])+
        $name:ident: $kind:expr, $default:literal
        $(when $when:ident)? $(eg $example:literal)? $(shipped $shipped:literal)?
        luci $tab:ident $($audience:ident)? $title:literal $(says $says:literal)?
        $(more $more:literal)? $(=> $set:expr)?;
    )+)+) => {
        /// The directives of this file, in the order of the shipped file.
        pub(super) const KEYS: &[Key] = &[$($(Key {
            name: stringify!($name),
            kind: $kind,
            default: $default,
            doc: concat!($($doc),+),
            when: keys!(@when $($when)?),
            set: keys!(@set $($set)?),
            #[cfg(test)]
            told: Told {
                group: $group,
                more: concat!("" $(, $more)?),
                example: concat!("" $(, $example)? $(, $shipped)?),
                is_shipped: keys!(@shipped $($shipped)?),
                tab: Tab::$tab,
                title: $title,
                says: concat!("" $(, $says)?),
                audience: keys!(@audience $($audience)?),
            },
        }),+),+];
    };
    (@when $when:ident) => { When::$when };
    (@when) => { When::Reload };
    (@set $set:expr) => { Some($set) };
    (@set) => { None };
    (@shipped $value:literal) => { true };
    (@shipped) => { false };
    (@audience advanced) => { Audience::Experts };
    (@audience ignored) => { Audience::Nobody };
    (@audience) => { Audience::Everybody };
}
use keys;

const FILES: [&[Key]; 7] =
    [network::KEYS, process::KEYS, media::KEYS, sip::KEYS, access::KEYS, tcp::KEYS, plugin::KEYS];

const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < FILES.len() {
        count += FILES[file].len();
        file += 1;
    }
    count
};

/// All directives, in the order of the shipped file.
pub static KEYS: [Key; COUNT] = {
    let mut all = [FILES[0][0]; COUNT];
    let (mut count, mut file) = (0, 0);
    while file < FILES.len() {
        let mut place = 0;
        while place < FILES[file].len() {
            all[count] = FILES[file][place];
            count += 1;
            place += 1;
        }
        file += 1;
    }
    all
};

/// The directive of this name, with its place in [`KEYS`].
#[must_use]
pub fn find(name: &str) -> Option<(usize, &'static Key)> {
    KEYS.iter().enumerate().find(|(_, key)| key.name == name)
}

impl Config {
    pub(super) fn outbound_proxy_mut(&mut self) -> &mut HostPort {
        self.outbound_proxy.get_or_insert_with(|| HostPort { host: heapless::String::new(), port: 0 })
    }

    pub(super) fn set_outbound_proxy_host(&mut self, host: &str) {
        // The parser has measured it: it fits.
        self.outbound_proxy_mut().host = heapless::String::try_from(host).unwrap_or_default();
    }

    pub(super) fn set_control_socket(&mut self, value: &Value<'_>) {
        let is_off = *value == Value::Text(socket::OFF);
        self.control_socket = if is_off { Some(socket::OFF.into()) } else { value.path() };
    }

    pub(super) fn set_host_outbound(&mut self, host: &str) {
        self.host_outbound = host.parse().ok();
        self.host_outbound_name = if self.host_outbound.is_some() { String::new() } else { host.to_owned() };
    }

    pub(super) fn set_rtp_latching(&mut self, name: &str) {
        self.rtp_latching = if name == "off" { Latching::Off } else { Latching::Restricted };
    }

    pub(super) fn set_outbound_proxy_transport(&mut self, name: &str) {
        self.outbound_proxy_transport = Some(if name == "tcp" { Transport::Tcp } else { Transport::Udp });
    }

    pub(super) fn set_outbound_proxy_port(&mut self, port: u16) {
        self.outbound_proxy_mut().port = port;
    }
}
