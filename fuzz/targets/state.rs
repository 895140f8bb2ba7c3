//! Registration files that others wrote, ours and those of siproxd 0.8.

use super::rig::{Rig, open_settings};
use siproxd::state::read;

const UNIX_NOW: u64 = 1_700_000_000;

/// A file may hold anything: what is taken from it can be saved, and then gives the same again; as many relays are open as
/// the engine counts.
pub fn state(data: &[u8]) {
    super::quiet();
    let taken = |text: &[u8]| {
        let mut rig = Rig::new(&open_settings());
        let mut reader = text;
        let clocks = (rig.now, UNIX_NOW);
        read(&mut rig.engine, &mut reader, false, clocks, &mut rig.recorder).unwrap();
        assert_eq!(rig.engine.usage().relays, rig.recorder.open);
        let mut saved = String::new();
        rig.engine.save(rig.now, UNIX_NOW, &mut saved).unwrap();
        saved
    };
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let saved = taken(data);
    assert_eq!(lines(&taken(saved.as_bytes())), lines(&saved));
}
