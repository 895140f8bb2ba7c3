//! What must be so: while calls run, after each, and at the end.
//!
//! Where nothing goes wrong the parties must see exactly what was planned. Where packets are lost or something breaks, they may
//! see less of it, but all ends, nothing stays, and nothing leaks.

use super::dialog::{Call, State};
use super::draw::{Callee, Chore, Draw, Fault, Plan};
use super::media::PACKET_TIME;
use super::party::{Owner, Party};
use super::world::World;
use siproxd::engine::Usage;

/// After so long without any change both parties of a call must think the same of it, in milliseconds.
const QUIET: u64 = 1500;

impl Fault {
    /// Whether a phone must hear something from the router all the same, whatever it asks.
    pub const fn spares_phones(self) -> bool {
        matches!(self, Self::WanDark(_) | Self::NewWan(_) | Self::Refuse(_) | Self::DnsSilent(_) | Self::Break(1))
    }
}

impl Draw {
    /// Whether the router may have forgotten a call that goes on: its descriptions are passed on as they are.
    pub fn forgets_calls(&self) -> bool {
        self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Restart | Fault::Leap(_)))
    }
}

/// A party's end of a call.
#[derive(Clone, Copy)]
struct EndOf<'a> {
    party: &'a Party,
    call: &'a Call,
    at: usize,
}

impl EndOf<'_> {
    fn is_quiet(&self, now: u64) -> bool {
        let Self { party, call, at } = *self;
        let waits = party.clients.iter().any(|c| c.owner == Owner::Call(at) && !c.is_final);
        let serves = party.servers.iter().any(|s| s.call == Some(at) && (!s.is_answered() || s.resend_at.is_some()));
        let since = call.changed_at.max(call.media.settled_at).as_millis();
        !waits && !serves && now > since + QUIET
    }
}

/// The caller's and the callee's end of a call: of several attempts, the last.
fn ends(world: &World, number: usize) -> Option<[EndOf<'_>; 2]> {
    let end = |is_caller: bool| {
        let all = world
            .parties()
            .flat_map(|party| party.calls.iter().enumerate().map(move |(at, call)| EndOf { party, call, at }));
        all.filter(|end| end.call.number == number && end.call.is_caller == is_caller).last()
    };
    Some([end(true)?, end(false)?])
}

/// Both parties think the same of a call, and hear each other, whenever nothing has changed for a while.
pub fn agreement(world: &mut World) {
    if !world.draw.is_clean() {
        return;
    }
    let now = world.now.as_millis();
    let mut wrong = Vec::new();
    for number in 0..world.draw.plans.len() {
        let Some(ends) = ends(world, number).filter(|ends| ends.iter().all(|end| end.is_quiet(now))) else { continue };
        let is_talking = ends.map(|end| end.call.state == State::Established);
        if is_talking[0] != is_talking[1] {
            wrong
                .push(format!("at {now}: the parties of call {number} disagree: {:?}", ends.map(|end| end.call.state)));
        }
        if is_talking != [true, true] {
            continue;
        }
        for [one, other] in [ends, [ends[1], ends[0]]] {
            let (media, peer) = (&one.call.media, &other.call.media);
            if media.peer_holds != peer.holds {
                wrong.push(format!("at {now}: {} does not know who holds call {number}", one.party.user));
            }
            let heard = media.heard_at.map_or(0, siproxd::time::Instant::as_millis);
            if !media.holds && !media.peer_holds && !peer.peer_holds && now > heard + 3 * PACKET_TIME + 500 {
                wrong.push(format!("at {now}: {} hears nothing in call {number} since {heard}", one.party.user));
            }
        }
    }
    world.violations.extend(wrong);
}

/// The statuses that a caller may see where nothing goes wrong.
fn expected(plan: &Plan) -> Vec<u16> {
    let of_callee = match plan.callee {
        Callee::Answers | Callee::Redirects => 200,
        // RFC 3261 §16.7: the router does not pass a 503 on.
        Callee::Refuses(503) => 500,
        Callee::Refuses(status) => status,
        Callee::Rings | Callee::Mute => 408,
    };
    // The router cancels what rings for too long.
    if plan.cancel.is_some() && plan.callee == Callee::Redirects {
        return vec![487, 200, 302];
    }
    if plan.cancel.is_some() || plan.callee == Callee::Rings { vec![487, of_callee] } else { vec![of_callee] }
}

/// What each call came to.
pub fn calls(world: &mut World) {
    let draw = world.draw.clone();
    let is_away = draw.chores.iter().any(|(_, chore)| matches!(chore, Chore::Away(..)));
    let mut wrong = Vec::new();
    for (number, plan) in draw.plans.iter().enumerate() {
        let caller = world.parties().flat_map(|p| &p.calls).find(|c| c.number == number && c.is_caller);
        let Some(caller) = caller else {
            if draw.is_clean() && draw.is_roomy() && !is_away {
                wrong.push(format!("call {number} could not be made"));
            }
            continue;
        };
        let ends = ends(world, number).map(|ends| ends.map(|end| end.call));
        // What a caller takes for answered, the callee has answered.
        if caller.was_established && ends.is_none_or(|ends| ends[1].status != 200) {
            wrong.push(format!("call {number} was answered by nobody"));
        }
        if let Some([caller, callee]) = ends
            && callee.was_established
            && !caller.has_acknowledged
        {
            wrong.push(format!("call {number}: an ACK that the caller has not sent"));
        }
        if !draw.is_clean() {
            continue;
        }
        let mut expected = expected(plan);
        if !draw.is_roomy() {
            expected.extend([403, 404, 480, 503]);
        }
        if is_away {
            expected.extend([480, 403]);
        }
        if !expected.contains(&caller.status) {
            wrong.push(format!("call {number} ended with {}, not {expected:?}: {plan:?}", caller.status));
        }
        let Some([caller, callee]) = ends.filter(|_| caller.status == 200) else { continue };
        // A caller that has cancelled hangs up at once, with or without its ACK before.
        if !(caller.was_established && (callee.was_established || plan.cancel.is_some())) {
            wrong.push(format!("call {number} was not established at both parties"));
        }
        let is_talk = plan.cancel.is_none() && plan.talk >= QUIET && !(plan.symmetric && plan.actions > 0);
        if is_talk && (caller.media.packets == 0 || callee.media.packets == 0) {
            wrong.push(format!("call {number} had no media: {} and {}", caller.media.packets, callee.media.packets));
        }
        let is_early = plan.early && !plan.is_late && plan.ring > QUIET && !plan.symmetric;
        if is_early && caller.media.early_packets == 0 {
            wrong.push(format!("call {number} had no early media"));
        }
    }
    world.violations.extend(wrong);
}

/// Some time after the last call.
pub fn after_calls(world: &mut World) {
    if !world.draw.is_clean() {
        return;
    }
    let usage = world.router.engine.usage();
    if usage.relays > 0 || usage.calls > 0 {
        world.violations.push(format!("after the last call there is {usage:?}"));
    }
    if world.router.edge.idle_reports > 0 {
        world.violations.push("a relay was left open".to_owned());
    }
}

/// Whether nothing is left anywhere.
pub fn is_empty(world: &World) -> bool {
    world.router.engine.usage() == Usage::default()
        && world.parties().all(|p| p.clients.is_empty() && p.servers.is_empty())
        && world.router.is_quiet()
}

/// What must be so when all has expired.
pub fn end(mut world: World) -> Vec<String> {
    world.router.check_is_empty();
    let mut violations = core::mem::take(&mut world.violations);
    for party in world.parties_mut() {
        let (clients, servers) = (party.clients.len(), party.servers.len());
        if clients + servers > 0 {
            party.violation(&format!("{clients} client and {servers} server transactions did not end"), "");
        }
        violations.append(&mut party.violations);
    }
    violations.append(&mut world.router.edge.violations);
    violations
}
