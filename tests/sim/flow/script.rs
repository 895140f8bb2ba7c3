//! Plays a flow: registrations, calls, chores and faults at their times, and the end of it all.

use super::check;
use super::dialog::State;
use super::draw::{Chore, Draw, Fault, PHONES, USERS, Who};
use super::party::Owner;
use super::world::World;
use core::net::Ipv4Addr;
use siproxd::engine::Side;
use siproxd::time::Instant;

/// The WAN address after a change.
const OTHER_WAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
/// How often the parties are compared, in milliseconds.
const LOOK_EVERY: u64 = 500;
/// The longest call, one that rings for ever, and what a silent end takes.
const LONGEST: u64 = 330_000;

enum Happening {
    Dial(usize),
    Fault(Fault),
    Chore(Chore),
    HasWan,
    Listens,
    DnsAnswers,
    Returns(usize),
}

/// Plays it and gives all that was wrong.
pub fn play(draw: Draw) -> Vec<String> {
    let mut world = World::new(draw);
    let is_registered = |world: &World| world.phones.iter().flat_map(|p| &p.accounts).all(|a| a.is_registered);
    if !world.run(30_000, is_registered) && world.draw.is_clean() && world.draw.is_roomy() {
        world.violations.push("the phones could not register".to_owned());
    }
    let start = world.now.as_millis();
    for (at, happening) in script(&world.draw) {
        let wait = (start + at).saturating_sub(world.now.as_millis());
        run_and_look(&mut world, wait, |_| false);
        happen(&mut world, happening);
    }
    let are_over = |world: &World| world.parties().flat_map(|p| &p.calls).all(|c| c.state == State::Over);
    if !run_and_look(&mut world, LONGEST, are_over) {
        world.violations.push("calls do not end".to_owned());
    }
    check::calls(&mut world);
    finish(world)
}

/// What happens when, in milliseconds from the beginning.
fn script(draw: &Draw) -> Vec<(u64, Happening)> {
    let mut script: Vec<_> = draw.plans.iter().enumerate().map(|(n, plan)| (plan.at, Happening::Dial(n))).collect();
    for &(at, fault) in &draw.faults {
        match fault {
            Fault::NewWan(gap) => script.push((at + gap, Happening::HasWan)),
            Fault::Refuse(time) => script.push((at + time, Happening::Listens)),
            Fault::DnsSilent(time) => script.push((at + time, Happening::DnsAnswers)),
            _ => {}
        }
        script.push((at, Happening::Fault(fault)));
    }
    for &(at, chore) in &draw.chores {
        if let Chore::Away(phone, time) = chore {
            script.push((at + time, Happening::Returns(phone)));
        }
        script.push((at, Happening::Chore(chore)));
    }
    script.sort_by_key(|(at, _)| *at);
    script
}

/// Runs, and compares the parties every now and then.
fn run_and_look(world: &mut World, millis: u64, is_done: impl Fn(&World) -> bool) -> bool {
    let end = world.now.as_millis() + millis;
    while world.now.as_millis() < end {
        let step = LOOK_EVERY.min(end - world.now.as_millis());
        if world.run(step, &is_done) {
            return true;
        }
        check::agreement(world);
    }
    is_done(world)
}

fn happen(world: &mut World, happening: Happening) {
    let now = world.now;
    world.parties_mut().for_each(|party| party.now = now);
    world.router.set_now(now);
    match happening {
        Happening::Dial(number) => dial(world, number),
        Happening::Fault(fault) => break_it(world, fault),
        Happening::Chore(chore) => do_chore(world, chore),
        Happening::HasWan => world.set_wan(Some(OTHER_WAN)),
        Happening::Listens => {
            let is_tcp = world.provider.is_tcp;
            world.provider.set_listening(is_tcp);
        }
        Happening::DnsAnswers => world.nameserver.is_silent = false,
        Happening::Returns(phone) => world.phones[phone].register(0, true),
    }
}

fn dial(world: &mut World, number: usize) {
    let plan = world.draw.plans[number].clone();
    let user = match plan.to {
        Who::Phone(phone) => USERS[phone],
        Who::Provider => "bob",
    };
    let uri = match plan.from {
        Who::Provider => world.provider.contact_of(user).map(str::to_owned),
        Who::Phone(_) if plan.is_own => Some(format!("sip:{user}@10.0.0.1")),
        Who::Phone(phone) => {
            let transport = world.phones[phone].accounts[0].uri.trim_start_matches("sip:provider.example");
            Some(format!("sip:{user}@provider.example{transport}"))
        }
    };
    if let Some(uri) = uri {
        world.party(plan.from).dial(number, user, &uri);
    }
}

fn break_it(world: &mut World, fault: Fault) {
    let until = |millis: u64| Instant::from_millis(world.now.as_millis() + millis);
    match fault {
        Fault::WanDark(time) => world.wan_dark_until = until(time),
        Fault::PhoneDark(phone, time) => world.phones_dark_until[phone] = until(time),
        Fault::NewWan(_) => world.set_wan(None),
        Fault::Leap(secs) => world.router.leap(secs),
        Fault::Restart => world.router.restart(),
        Fault::Break(side) => world.router.break_connections(if side == 0 { Side::Lan } else { Side::Wan }),
        Fault::Refuse(_) => world.provider.set_listening(false),
        Fault::DnsSilent(_) => world.nameserver.is_silent = true,
    }
}

fn do_chore(world: &mut World, chore: Chore) {
    match chore {
        Chore::Refresh(phone) => world.phones[phone].register(0, true),
        Chore::Away(phone, _) => world.phones[phone].register(0, false),
        Chore::Message(from, to) => say(world, "MESSAGE", from, to),
        Chore::Options(from, to) => say(world, "OPTIONS", from, to),
        Chore::Stranger(seed) => world.stranger.attack(seed, world.now),
    }
}

/// A request outside of all calls.
fn say(world: &mut World, method: &str, from: Who, to: Who) {
    let user = if let Who::Phone(phone) = to { USERS[phone] } else { "bob" };
    let uri = match from {
        Who::Provider => world.provider.contact_of(user).map(str::to_owned),
        Who::Phone(phone) => Some(world.phones[phone].accounts[0].uri.replacen("sip:", &format!("sip:{user}@"), 1)),
    };
    let Some(uri) = uri else { return };
    let party = world.party(from);
    let (me, call_id) = (party.user.clone(), party.random.next());
    let lines = format!(
        "From: <sip:{me}@provider.example>;tag={call_id:x}\r\nTo: <sip:{user}@provider.example>\r\nCall-ID: {call_id:x}\r\n"
    );
    party.request(method, 1, &uri, &lines, "", Owner::Nobody);
}

/// Lets everything expire and gives all that was wrong.
fn finish(mut world: World) -> Vec<String> {
    world.wan_dark_until = Instant::ZERO;
    world.phones_dark_until = [Instant::ZERO; PHONES];
    world.run(40_000, |_| false);
    check::after_calls(&mut world);
    // One phone says goodbye, the others are switched off.
    let now = world.now;
    world.phones[0].now = now;
    for account in 0..world.phones[0].accounts.len() {
        world.phones[0].register(account, false);
    }
    world.phones[1..].iter_mut().for_each(super::party::Party::switch_off);
    world.run(40_000, |_| false);
    world.phones[0].switch_off();
    world.run(600_000, check::is_empty);
    // A moment more, for what was sent last.
    world.run(40_000, |_| false);
    check::end(world)
}
