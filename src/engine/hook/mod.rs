//! Hooks: optional features, one file and one line of [`HOOKS`] each. They are what siproxd 0.8 had as plugins: `load_plugin` switches
//! one on, and those that are on are called in its order, stage by stage. `docs/hooks.md` tells what each does.
//!
//! ```text
//!   datagram ──▶ raw ──▶ validate ──▶ target ──▶ before ──▶ the proxy ──▶ out ──▶ after
//!                                                             └─▶ unknown, where a call is for nobody who is registered
//! ```
//! A hook changes a message as its sender might have written it, before the proxy acts on it: whatever the proxy does then (who is meant,
//! what is relayed, which addresses are hidden, Content-Length) it does with what the hook made of it. What identifies the request
//! (Via, Call-ID, tags, CSeq) no hook changes but the two that mend a Via, so that copies, CANCEL and ACK still find it. Messages of strangers
//! reach no hook, but for answers to what was sent to one. Besides, a hook learns of a call that has ended, and may have a timer. `stats`
//! alone has no stage: its figures are told at the edge.
//!
//! With no hook on, this is one look at an empty list.

mod blacklist;
mod codec_filter;
mod default_target;
mod demo;
mod fix_bogus_via;
mod fix_dtag;
mod fix_fbox_anoncall;
mod log_call;
mod number;
mod passage;
mod prefix;
mod regex;
mod regex_body;
mod rules;
pub mod settings;
mod short_dial;
mod sip_trunk;
mod stages;
mod stats;
mod strip_header;
pub(super) mod stun;

pub use blacklist::ListError;
pub use settings::HookSettings;
pub use strip_header::may_be_stripped;

use stages::{Answered, Raw, Validity};

use super::Engine;
use super::call::Call;
use super::io::Sink;
use super::message::Received;
use crate::sip::edit::{EditError, Edits};
use crate::table::Handle;
use crate::time::Instant;
use core::fmt;

/// Every hook, by the name of its plugin.
static HOOKS: [(&str, &dyn Hook); 16] = [
    ("plugin_blacklist", &blacklist::Blacklist),
    ("plugin_codecfilter", &codec_filter::CodecFilter),
    ("plugin_defaulttarget", &default_target::DefaultTarget),
    ("plugin_demo", &demo::Demo),
    ("plugin_fix_DTAG", &fix_dtag::FixDtag),
    ("plugin_fix_bogus_via", &fix_bogus_via::FixBogusVia),
    ("plugin_fix_fbox_anoncall", &fix_fbox_anoncall::FixFboxAnoncall),
    ("plugin_logcall", &log_call::LogCall),
    ("plugin_prefix", &prefix::Prefix),
    ("plugin_regex", &regex::Regex),
    ("plugin_regex_body", &regex_body::RegexBody),
    ("plugin_shortdial", &short_dial::ShortDial),
    ("plugin_siptrunk", &sip_trunk::SipTrunk),
    ("plugin_stats", &stats::Stats),
    ("plugin_stripheader", &strip_header::StripHeader),
    ("plugin_stun", &stun::Stun),
];

/// Bytes of the text that a hook changes at once.
const MAX_TEXT: usize = crate::ere::MAX_TEXT;
/// A text on its way through a hook.
type Text = heapless::Vec<u8, MAX_TEXT>;

/// One hook: it writes the stages that it has work in.
trait Hook: Sync {
    /// May take a datagram that it has been waiting for, before anybody looks whether it is a message; `true` where it was one.
    fn raw(&self, _: &mut Engine, _: &Raw<'_>, _: Instant) -> bool {
        false
    }

    /// May stop a message as it came, before anything else is done with it.
    fn validate(&self, _: &mut Engine, _: &Received<'_>, _: Instant) -> Validity {
        Validity::Unasked
    }

    /// May change whom a request is for: every message, before anything is decided.
    ///
    /// # Errors
    /// The edits do not fit. They are forgotten, and a request is refused.
    fn target(&self, _: &At<'_>, _: &mut Edits) -> Result<Did, EditError> {
        Ok(Did::Nothing)
    }

    /// May change anything else: every message, whoever it is for by now.
    ///
    /// # Errors
    /// As those of [`Self::target`].
    fn before(&self, _: &At<'_>, _: &mut Edits) -> Result<Did, EditError> {
        Ok(Did::Nothing)
    }

    /// Says what becomes of a request for somebody who is not registered.
    fn unknown<'a>(&self, _: &At<'a>) -> Unknown<'a> {
        Unknown::Pass
    }

    /// Learns of a request that has been answered.
    fn after(&self, _: &mut Engine, _: &Answered, _: Instant) -> Did {
        Did::Nothing
    }

    /// Learns of a call that is over, and why.
    fn ended(&self, _: &Call, _: fmt::Arguments<'_>, _: Instant) -> Did {
        Did::Nothing
    }

    /// When [`Self::timer`] is to be called; `None` while there is nothing to do.
    fn next_timeout(&self, _: &Engine) -> Option<Instant> {
        None
    }

    /// Does what it is time for.
    fn timer(&self, _: &mut Engine, _: Instant, _: &mut dyn Sink) {}
}

/// What becomes of a request for somebody who is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown<'a> {
    /// The hook has no use for it.
    Pass,
    /// It is for the phone of this binding, as it is.
    Phone(Handle),
    /// Its sender is told another URI, with a 302.
    Redirect(&'a [u8]),
}

/// What a hook looks at.
struct At<'a> {
    engine: &'a Engine,
    received: &'a Received<'a>,
    now: Instant,
}

impl<'a> At<'a> {
    fn settings(&self) -> &'a HookSettings {
        &self.engine.hooks.settings
    }

    fn bytes(&self) -> &'a [u8] {
        self.received.msg.bytes()
    }

    /// Whether this request has been here before: it is a copy of one that is under way, or has waited for a name, or is a copy of one that does.
    fn is_repeated(&self) -> bool {
        let (received, parked) = (self.received, &self.engine.parked);
        parked.is_resumed || parked.holds(received.from, received.original) || self.engine.is_under_way(received)
    }
}

/// What a hook did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    /// Nothing: it was not meant.
    Nothing,
    /// It was meant, and is as before.
    Looked,
    /// It is changed by the edits.
    Changed,
}

/// How often a hook has done what. They wrap at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// Messages that were meant.
    pub hits: u32,
    /// Of them, those that were changed.
    pub rewrites: u32,
    /// Of them, those that went no further.
    pub refusals: u32,
}

impl HookCounts {
    /// Adds hits, rewrites and refusals.
    const fn add(&mut self, [hits, rewrites, refusals]: [u32; 3]) {
        self.hits = self.hits.wrapping_add(hits);
        self.rewrites = self.rewrites.wrapping_add(rewrites);
        self.refusals = self.refusals.wrapping_add(refusals);
    }
}

/// What the engine keeps of hooks. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Hooks {
    settings: HookSettings,
    counts: [HookCounts; HOOKS.len()],
    pub(super) stun: stun::Inquiry,
    failures: blacklist::Failures,
}

impl Hooks {
    pub(super) const fn new() -> Self {
        const NONE: HookCounts = HookCounts { hits: 0, rewrites: 0, refusals: 0 };
        Self {
            settings: HookSettings::new(),
            counts: [NONE; HOOKS.len()],
            stun: stun::Inquiry::new(),
            failures: blacklist::Failures::new(),
        }
    }
}

/// The place of a hook in the list of all; `None` where there is none of this name.
#[must_use]
pub fn find(plugin: &str) -> Option<u8> {
    u8::try_from(HOOKS.iter().position(|(name, _)| *name == plugin)?).ok()
}

impl Engine {
    /// Sets which hooks are on, in which order, and what they do. None are before the first call.
    pub fn set_hooks(&mut self, settings: &HookSettings) {
        self.stun_changes(settings);
        self.hooks.settings.clone_from(settings);
    }

    /// The hooks that are on, in their order, with what each has done.
    pub fn hook_counts(&self) -> impl Iterator<Item = (&'static str, HookCounts)> {
        self.hooks.settings.loaded.iter().filter_map(|number| {
            let counts = self.hooks.counts.get(usize::from(*number))?;
            Some((HOOKS.get(usize::from(*number))?.0, *counts))
        })
    }

    /// Counts what a hook has done that is no stage of a message.
    fn count_hook(&mut self, plugin: &str, more: [u32; 3]) {
        if let Some(counts) = find(plugin).and_then(|number| self.hooks.counts.get_mut(usize::from(number))) {
            counts.add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plugins::PLUGINS;

    #[test]
    fn every_plugin_is_here() {
        assert!(PLUGINS.iter().map(|plugin| plugin.name).eq(HOOKS.iter().map(|(name, _)| *name)));
        assert!(HOOKS.is_sorted_by_key(|(name, _)| *name));
    }
}
