//! When the file of `plugin_blacklist` is read, and when it is written.

use super::EventLoop;
use crate::config::Config;
use crate::engine::Engine;
use crate::log_class::{PROCESS, log};
use crate::state;
use crate::time::{Duration, Instant};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// How long a change waits for others: a flash memory is not worn out by a phone that keeps failing.
const REST: Duration = Duration::from_secs(60);

/// What the file holds.
#[derive(Debug, Default)]
pub(super) struct Blacklist {
    /// [`Engine::blacklist_version`] of that; `None` where the file is not to be written.
    saved: Option<u32>,
    /// When there is something to be written.
    due: Option<Instant>,
    /// When it was written last, by us or by somebody else.
    written: Option<SystemTime>,
    is_failing: bool,
}

impl Blacklist {
    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        self.due
    }
}

/// The file, where the plugin is on.
fn path_in(config: &Config) -> Option<&Path> {
    config.plugin_blacklist_dbpath.as_deref().filter(|_| config.has_plugin("plugin_blacklist"))
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

impl EventLoop {
    /// Reads the file: at the start, and with a reload where somebody else has changed it.
    pub(super) fn load_blacklist(&mut self, engine: &mut Engine) {
        let Some(path) = path_in(&self.config) else {
            self.blacklist = Blacklist::default();
            return engine.clear_blacklist();
        };
        let written = written(path);
        if self.blacklist.saved.is_some() && self.blacklist.written == written {
            return;
        }
        let may_write = state::load_blacklist(engine, path, self.out.now);
        let saved = may_write.then_some(engine.blacklist_version());
        self.blacklist = Blacklist { saved, written, ..Blacklist::default() };
    }

    /// Writes the file where it is time, or at the end, and where there is news. What somebody else has written meanwhile is not
    /// overwritten, but read.
    pub(super) fn save_blacklist(&mut self, engine: &mut Engine, at_end: bool) {
        let (now, version) = (self.out.now, engine.blacklist_version());
        let Some(path) = path_in(&self.config) else { return };
        if self.blacklist.saved.is_none_or(|saved| saved == version) {
            return;
        }
        let due = *self.blacklist.due.get_or_insert_with(|| now.after(REST));
        if !at_end && due > now {
            return;
        }
        self.blacklist.due = None;
        if written(path) != self.blacklist.written {
            log::info!(target: PROCESS, "{}: the blacklist was changed by somebody else, and is read again", path.display());
            return self.load_blacklist(engine);
        }
        match state::save_blacklist(engine, path) {
            Ok(()) => {
                let written = written(path);
                self.blacklist = Blacklist { saved: Some(version), written, ..Blacklist::default() };
            }
            Err(error) => {
                self.blacklist.due = Some(now.after(REST));
                self.blacklist.written = written(path);
                if !core::mem::replace(&mut self.blacklist.is_failing, true) {
                    let remedy = state::remedy(&error);
                    log::error!(target: PROCESS, "{}: the blacklist cannot be saved: {error}{remedy}", path.display());
                }
            }
        }
    }
}
