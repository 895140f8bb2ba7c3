//! Simulation: the engine on a router between phones and a provider, over smoltcp, with a virtual clock and a seed.
//!
//! Links lose, double, delay and reorder. Every run must end with each call established at both parties and media both ways,
//! nothing left in any table, no relay open, and no address of the LAN in what left on the WAN. Five scenarios are written down;
//! [`flow`] draws as many others as there are seeds.
//!
//! `SIM_RUNS=n` gives every scenario n seeds. A failing run prints its seed; `SIM_SEED=n cargo test --test sim NAME -- --nocapture` runs it alone and shows every message.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "one test binary of several modules")]

mod agent;
mod call;
mod flow;
mod nameserver;
mod net;
mod registration;
#[path = "../rig/mod.rs"]
mod rig;
mod router;
mod streams;
mod world;

use call::{End, Plan};
use core::net::Ipv4Addr;
use net::Random;
use world::{Dial, World};

/// Runs `scenario` with `runs` seeds, with `SIM_RUNS` of them, or with that of `SIM_SEED` alone.
fn each_seed(runs: u64, scenario: impl Fn(u64) -> Vec<String>) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let runs = number("SIM_RUNS").unwrap_or(runs);
    for seed in number("SIM_SEED").map_or(0..runs, |seed| seed..seed + 1) {
        let violations = scenario(seed);
        assert!(violations.is_empty(), "SIM_SEED={seed}: {}\n{}", violations.len(), violations.join("\n"));
    }
}

/// What `count` calls do.
fn plans(seed: u64, count: usize) -> Vec<Plan> {
    let mut random = Random::new(seed ^ 0x5eed);
    let plan = |number: usize| Plan {
        // The first two calls are talked in, whatever the seed.
        end: match if number < 2 { random.between(0, 2) } else { random.between(0, 6) } {
            0 | 4 => End::CallerHangsUp,
            1 | 5 => End::CalleeHangsUp,
            2 => End::CallerCancels,
            _ => End::CalleeRefuses,
        },
        ring: random.between(500, 2500),
        talk: random.between(2500, 4500),
        moves: random.chance(50),
        symmetric: random.chance(30),
        early: random.chance(30),
    };
    (0..count).map(plan).collect()
}

/// Dials the calls from `first` on, by turns out and in, from and to both phones.
fn dials(first: usize, count: usize) -> Vec<Dial> {
    (first..first + count).map(|number| Dial { number, phone: number / 2 % 2, is_outgoing: number % 2 == 0 }).collect()
}

fn calls_with_loss(seed: u64, loss: u64) -> Vec<String> {
    let mut world = World::new(seed, loss, &plans(seed, 4));
    world.register();
    let dials = dials(0, 4);
    world.call(&dials[..2]);
    world.call(&dials[2..]);
    for dial in dials {
        world.check_call(dial, loss == 0);
    }
    world.finish(loss == 0)
}

#[test]
fn calls_on_a_good_network() {
    each_seed(12, |seed| calls_with_loss(seed, 0));
}

#[test]
fn calls_with_a_tenth_lost() {
    each_seed(20, |seed| calls_with_loss(seed, 10));
}

#[test]
fn calls_with_a_quarter_lost() {
    each_seed(20, |seed| calls_with_loss(seed, 25));
}

#[test]
fn calls_while_no_nameserver_answers() {
    each_seed(6, |seed| {
        let mut world = World::new(seed, 0, &plans(seed, 2));
        world.set_nameserver_silent(true);
        world.wait(60);
        let failures = world.phones.iter().map(|p| p.registration.as_ref().unwrap().failures).min();
        assert!(failures > Some(0), "a phone hears that there is no nameserver");
        world.set_nameserver_silent(false);
        world.register();
        let dials = dials(0, 2);
        world.call(&dials[..1]);
        // The last good answer is used while there is none.
        world.set_nameserver_silent(true);
        world.wait(300);
        world.call(&dials[1..]);
        for dial in dials {
            world.check_call(dial, true);
        }
        world.finish(true)
    });
}

#[test]
fn calls_after_the_wan_address_has_changed() {
    each_seed(10, |seed| {
        let loss = seed % 2 * 10;
        let mut world = World::new(seed, loss, &plans(seed, 4));
        world.register();
        let dials = dials(0, 4);
        world.call(&dials[..2]);
        world.router.set_wan(None);
        world.wait(5);
        world.router.set_wan(Some(Ipv4Addr::new(198, 51, 100, 77)));
        world.wait(registration::EXPIRES);
        world.register();
        world.call(&dials[2..]);
        for dial in dials {
            world.check_call(dial, loss == 0);
        }
        world.finish(loss == 0)
    });
}

/// [`flow::FLOWS`] random flows, or `SIM_RUNS` of them, or that of `SIM_SEED` alone.
#[test]
fn random_flows() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let runs = number("SIM_RUNS").unwrap_or(flow::FLOWS);
    flow::play_all(number("SIM_SEED").map_or(0..runs, |seed| seed..seed + 1));
}
