//! Hooks: optional features, one file and one line of [`HOOKS`] each. They are what siproxd 0.8 had as plugins: `load_plugin` switches
//! one on, and those that are on are called in its order, stage by stage. `docs/hooks.md` tells what each does.
//!
//! ```text
//!   datagram ──▶ raw ──▶ validate ──▶ target ──▶ before ──▶ the proxy ──▶ out ──▶ after
//!                                                             └─▶ unknown, where a call is for nobody who is registered
//! ```
//! and ended, where a call is over. A hook changes a message as its sender might have written it, before the proxy acts on it: whatever the proxy does then (who is meant,
//! what is relayed, which addresses are hidden, Content-Length) it does with what the hook made of it. What identifies the request
//! (Via, Call-ID, tags, CSeq) no hook changes but the two that mend a Via, so that copies, CANCEL and ACK still find it. Messages of strangers
//! reach no hook, but for answers to what was sent to one. Besides, a hook may have a timer. `stats` alone has no stage: it is told at the edge.
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
use super::cause::Cause;
use super::forward::write_content_length;
use super::guard::Origin;
use super::io::{Side, Sink};
use super::message::{Head, Received};
use crate::limits::MAX_DATAGRAM;
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::{Message, Method, StartLine};
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

/// A message that a hook has changed.
type Copy = heapless::Vec<u8, MAX_DATAGRAM>;

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

/// How far a message is on its way through the hooks: in each stage all that are on have their turn.
type Place = usize;
/// The stages in which a hook may change a message.
const STAGES: usize = 2;

/// Where a message stands when its hooks have had it.
enum Passed {
    /// Through all of them.
    Through,
    /// The hook that is on in this place has changed it: the edits are to be applied, and then it goes on with the next one.
    Changed,
    /// It is changed as the first stage is over, and a 302 is to tell its sender.
    Redirected,
    /// It does not fit any more.
    TooLarge,
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

    /// Whether a message is one for hooks: those of strangers are not, but for responses to what was sent to one.
    pub(super) fn has_hooks_for(&self, received: &Received<'_>, now: Instant) -> bool {
        !self.hooks.settings.loaded.is_empty()
            && !super::hang_up::is_nowhere(received.on)
            && match (received.origin, received.msg.start()) {
                (Origin::Stranger, StartLine::Request { .. }) => false,
                (Origin::Stranger, StartLine::Response { .. }) => {
                    self.way_by_transaction(received).is_some()
                        || self.open_via(received, now).is_some()
                        || self.is_awaited_stray(received)
                }
                _ => true,
            }
    }

    /// Leads a message through the hooks that are on. `false` where none of them has changed it: then it is to be handled as it came.
    // What it has on the stack nobody pays for who has no hooks.
    #[inline(never)]
    pub(super) fn through_hooks(
        &mut self,
        received: &Received<'_>,
        interface: Side,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        if let Some(cause) = self.is_invalid(received, now) {
            self.answer(received, cause, out);
            return true;
        }
        let (mut place, mut edits) = (0, Edits::new());
        let mut passed = self.pass_hooks(received, &mut place, &mut edits, now);
        if matches!(passed, Passed::Through) {
            return false;
        }
        let mut copy = Copy::new();
        // A datagram is no longer than that.
        let _ = copy.extend_from_slice(received.msg.bytes());
        loop {
            let last = place;
            let is_applied = matches!(passed, Passed::Changed) && edits.apply(&mut copy);
            edits.clear();
            let parsed = if is_applied { Message::parse(&mut copy).ok() } else { None };
            let changed =
                parsed.as_ref().and_then(|msg| Some(Received { msg, head: Head::read(msg).ok()?, ..*received }));
            let Some(changed) = changed else {
                log::warn!(target: class::SIP, "a hook makes too much of a message from {}", received.from);
                // A response must arrive all the same, and so must what ends a call or completes it.
                let is_needed = matches!(received.head.method, Method::Ack | Method::Bye | Method::Cancel);
                match received.msg.start() {
                    StartLine::Request { .. } if !is_needed => self.answer(received, Cause::TooLarge, out),
                    _ => self.dispatch(received, interface, now, out),
                }
                return true;
            };
            passed = self.pass_hooks(&changed, &mut place, &mut edits, now);
            match passed {
                Passed::Through => self.dispatch(&changed, interface, now, out),
                Passed::Redirected => {
                    let name = self.redirected_by(last);
                    self.redirect(received, changed.msg.get(changed.request_uri()), name, out);
                }
                Passed::Changed | Passed::TooLarge => continue,
            }
            return true;
        }
    }

    /// Calls the hooks from `place` on until one has changed the message.
    fn pass_hooks(&mut self, received: &Received<'_>, place: &mut Place, edits: &mut Edits, now: Instant) -> Passed {
        let count = self.hooks.settings.loaded.len();
        while *place < STAGES * count {
            if *place == count {
                // All have had their say of whom it is for.
                if self.is_to_be_redirected(received) {
                    return Passed::Redirected;
                }
                if self.drop_redirected(received, edits) {
                    return Passed::Changed;
                }
            }
            let number = self.hook_in(*place);
            let is_target = *place < count;
            *place += 1;
            let Some((_, hook)) = HOOKS.get(number) else { continue };
            let at = At { engine: self, received, now };
            let did = if is_target { hook.target(&at, edits) } else { hook.before(&at, edits) };
            let did = did.and_then(|did| {
                if did == Did::Changed {
                    write_content_length(received.msg, received.on, edits)?;
                }
                Ok(did)
            });
            let [hit, rewrite, refusal] = match did {
                Ok(Did::Nothing) => continue,
                Ok(Did::Looked) => [1, 0, 0],
                Ok(Did::Changed) => [1, 1, 0],
                Err(_) => [1, 0, 1],
            };
            if !self.parked.is_resumed {
                self.hooks.counts[number].add([hit, rewrite, refusal]);
            }
            if rewrite > 0 {
                return Passed::Changed;
            }
            if refusal > 0 {
                return Passed::TooLarge;
            }
        }
        Passed::Through
    }

    /// Asks the hooks that are on what becomes of a request for somebody who is not registered; `false` where none of them knows.
    pub(super) fn ask_of_unknown(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) -> bool {
        for place in 0..self.hooks.settings.loaded.len() {
            let number = self.hook_in(place);
            let Some((_, hook)) = HOOKS.get(number) else { continue };
            let at = At { engine: self, received, now };
            let phone = match hook.unknown(&at) {
                Unknown::Pass => continue,
                Unknown::Phone(phone) => Some(phone),
                Unknown::Redirect(target) => {
                    self.answer_moved(received, &[target], out);
                    None
                }
            };
            self.hooks.counts[number].add([1, 0, u32::from(phone.is_none())]);
            if let Some(phone) = phone {
                self.send_as_it_is(received, phone, now, out);
            }
            return true;
        }
        false
    }

    /// The number of the hook that is called in `place`.
    fn hook_in(&self, place: Place) -> usize {
        let loaded = &self.hooks.settings.loaded;
        let number = place.checked_rem(loaded.len()).and_then(|place| loaded.get(place));
        number.map_or(0, |number| usize::from(*number))
    }

    /// The name of the hook that was called last before `place`, and that has redirected a call.
    fn redirected_by(&mut self, place: Place) -> &'static str {
        let number = self.hook_in(place.saturating_sub(1));
        self.hooks.counts[number].add([0, 0, 1]);
        let name = HOOKS[number].0;
        name.strip_prefix("plugin_").unwrap_or(name)
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
