//! Random call flows: from one seed a whole flow is drawn, and played.
//!
//! [`draw`] decides who calls whom over what, how the links are and what goes wrong; [`script`] plays it in a [`world`] of
//! [`party`]s; [`check`] says what must be so, in the middle of it and at the end.

mod account;
mod check;
mod dialog;
mod draw;
mod media;
mod midcall;
mod nat;
mod party;
mod provider;
mod script;
mod stranger;
mod world;

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering};
use draw::Draw;
use std::panic::catch_unwind;
use std::sync::Mutex;

/// Flows in `make test`.
pub const FLOWS: u64 = 1000;
/// The engine is made on the stack.
const STACK_BYTES: usize = 32 << 20;
/// Violations of one seed that are shown, and seeds.
const SHOWN: usize = 6;
const SHOWN_SEEDS: usize = 4;

/// Plays the flow of a seed and gives all that was wrong.
fn play(seed: u64) -> Vec<String> {
    let result = catch_unwind(AssertUnwindSafe(|| script::play(Draw::new(seed))));
    result.unwrap_or_else(|_| vec!["panicked".to_owned()])
}

/// Plays the flows of all seeds, some at a time, and fails with those that went wrong.
pub fn play_all(seeds: core::ops::Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let violations = play(seed);
            if !violations.is_empty() {
                failed.lock().unwrap().push((seed, violations));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.clone().count());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap();
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    for (seed, violations) in failed.iter().take(SHOWN_SEEDS) {
        println!("SIM_SEED={seed}\n{:?}", Draw::new(*seed));
        violations.iter().take(SHOWN).for_each(|violation| println!("* {violation}\n"));
        println!("{} in all", violations.len());
    }
    let all: Vec<_> =
        failed.iter().map(|(seed, violations)| (*seed, violations[0].lines().next().unwrap_or(""))).collect();
    all.iter().for_each(|(seed, what)| println!("SIM_SEED={seed}: {what}"));
    assert!(failed.is_empty(), "{} of {} flows went wrong", failed.len(), seeds.end - seeds.start);
}
