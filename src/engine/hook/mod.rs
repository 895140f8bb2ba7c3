//! Hooks: optional features, one file and one line of [`HOOKS`] each. They are what siproxd 0.8 had as plugins: `load_plugin` switches
//! one on, and those that are on are called in its order, stage by stage. `docs/hooks.md` tells what each does.
//!
//! ```text
//!   message ──▶ target ──▶ before ──▶ the proxy ──▶ out
//!                                        └─▶ unknown, where a call is for nobody who is registered
//! ```
//! A hook changes a message as its sender might have written it, before the proxy acts on it: whatever the proxy does then (who is meant,
//! what is relayed, which addresses are hidden, Content-Length) it does with what the hook made of it. What identifies the request
//! (Via, Call-ID, tags, CSeq) no hook changes, so that copies, CANCEL and ACK still find it. Messages of strangers reach no hook.
//!
//! With no hook on, this is one look at an empty list.

mod demo;
mod number;
mod prefix;
mod regex;
mod rules;
pub mod settings;
mod short_dial;

pub use settings::HookSettings;

use super::Engine;
use super::cause::Cause;
use super::forward::write_content_length;
use super::guard::Origin;
use super::io::{Side, Sink};
use super::message::{Head, Received};
use crate::limits::MAX_DATAGRAM;
use crate::log_class::{self as class, log};
use crate::sip::edit::{EditError, Edits};
use crate::sip::{Message, StartLine};
use crate::time::Instant;

/// Every hook, by the name of its plugin.
static HOOKS: [(&str, &dyn Hook); 4] = [
    ("plugin_demo", &demo::Demo),
    ("plugin_prefix", &prefix::Prefix),
    ("plugin_regex", &regex::Regex),
    ("plugin_shortdial", &short_dial::ShortDial),
];

/// Bytes of the text that a hook changes at once.
const MAX_TEXT: usize = 4096;
/// A text on its way through a hook.
type Text = heapless::Vec<u8, MAX_TEXT>;

/// A message that a hook has changed.
type Copy = heapless::Vec<u8, MAX_DATAGRAM>;

/// One hook: it writes the stages that it has work in.
trait Hook: Sync {
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

/// What the engine keeps of hooks. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Hooks {
    settings: HookSettings,
    counts: [HookCounts; HOOKS.len()],
}

impl Hooks {
    pub(super) const fn new() -> Self {
        const NONE: HookCounts = HookCounts { hits: 0, rewrites: 0, refusals: 0 };
        Self { settings: HookSettings::new(), counts: [NONE; HOOKS.len()] }
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
        self.hooks.settings.clone_from(settings);
    }

    /// The hooks that are on, in their order, with what each has done.
    pub fn hook_counts(&self) -> impl Iterator<Item = (&'static str, HookCounts)> {
        self.hooks.settings.loaded.iter().filter_map(|number| {
            let counts = self.hooks.counts.get(usize::from(*number))?;
            Some((HOOKS.get(usize::from(*number))?.0, *counts))
        })
    }

    /// Whether a message is one for hooks.
    pub(super) fn has_hooks_for(&self, received: &Received<'_>) -> bool {
        !self.hooks.settings.loaded.is_empty()
            && received.origin != Origin::Stranger
            && !super::hang_up::is_nowhere(received.on)
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
                if matches!(received.msg.start(), StartLine::Request { .. }) {
                    self.answer(received, Cause::TooLarge, out);
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
            let counts = &mut self.hooks.counts[number];
            counts.hits = counts.hits.wrapping_add(hit);
            counts.rewrites = counts.rewrites.wrapping_add(rewrite);
            counts.refusals = counts.refusals.wrapping_add(refusal);
            if rewrite > 0 {
                return Passed::Changed;
            }
            if refusal > 0 {
                return Passed::TooLarge;
            }
        }
        Passed::Through
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
        let counts = &mut self.hooks.counts[number];
        counts.refusals = counts.refusals.wrapping_add(1);
        let name = HOOKS[number].0;
        name.strip_prefix("plugin_").unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plugins::PLUGINS;

    #[test]
    fn what_is_built_in_is_what_is_here() {
        for plugin in &PLUGINS {
            assert_eq!(find(plugin.name).is_some(), plugin.is_built_in, "{}", plugin.name);
        }
        assert_eq!(PLUGINS.iter().filter(|plugin| plugin.is_built_in).count(), HOOKS.len());
        assert!(HOOKS.is_sorted_by_key(|(name, _)| *name));
    }
}
