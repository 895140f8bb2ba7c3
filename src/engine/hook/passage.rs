//! A message's way through the hooks that are on: stage by stage, in their order, and each is shown what the one before has made of it.

use super::{At, Did, HOOKS, Unknown};
use crate::engine::Engine;
use crate::engine::cause::Cause;
use crate::engine::forward::write_content_length;
use crate::engine::guard::Origin;
use crate::engine::io::{Side, Sink};
use crate::engine::message::{Head, Received};
use crate::limits::MAX_DATAGRAM;
use crate::log_class::{self as class, log};
use crate::sip::edit::Edits;
use crate::sip::{Message, Method, StartLine};
use crate::time::Instant;

/// A message that a hook has changed.
type Copy = heapless::Vec<u8, MAX_DATAGRAM>;

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
    /// Whether a message is one for hooks: those of strangers are not, but for responses to what was sent to one.
    pub(in crate::engine) fn has_hooks_for(&self, received: &Received<'_>, now: Instant) -> bool {
        !self.hooks.settings.loaded.is_empty()
            && !crate::engine::hang_up::is_nowhere(received.on)
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
    pub(in crate::engine) fn through_hooks(
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
            let is_target = *place < count;
            let called = self.hook_at(*place % count);
            *place += 1;
            let Some((number, hook)) = called else { continue };
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
                self.count_hook_at(number, [hit, rewrite, refusal]);
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
    pub(in crate::engine) fn ask_of_unknown(
        &mut self,
        received: &Received<'_>,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        for place in 0..self.hooks.settings.loaded.len() {
            let Some((number, hook)) = self.hook_at(place) else { continue };
            let at = At { engine: self, received, now };
            let phone = match hook.unknown(&at) {
                Unknown::Pass => continue,
                Unknown::Phone(phone) => Some(phone),
                Unknown::Redirect(target) => {
                    self.answer_moved(received, &[target], out);
                    None
                }
            };
            self.count_hook_at(number, [1, 0, u32::from(phone.is_none())]);
            if let Some(phone) = phone {
                self.send_as_it_is(received, phone, now, out);
            }
            return true;
        }
        false
    }

    /// The name of the hook that was called last before `place`, and that has redirected a call.
    fn redirected_by(&mut self, place: Place) -> &'static str {
        let Some((number, _)) = self.hook_at(place.saturating_sub(1)) else { return "" };
        self.count_hook_at(number, [0, 0, 1]);
        let name = HOOKS[number].0;
        name.strip_prefix("plugin_").unwrap_or(name)
    }
}
