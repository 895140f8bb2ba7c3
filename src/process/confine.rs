//! Landlock (landlock(7), Linux 5.13): where the kernel has it, files are written beside those that were named, and no program is started.
//!
//! What is read stays with the rights of `user` and with `chrootjail`: a configuration, a list of nameservers and what they link to may lie
//! anywhere, and move.

use crate::config::Config;
use crate::log_class::{PROCESS, log};
use landlock::{ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError};
use landlock::{RulesetCreated, RulesetStatus};
use std::path::{Path, PathBuf};

/// The rights that are asked for: of Linux 6.2, the first that includes cutting a file short. An older kernel takes those it knows.
const RIGHTS: ABI = ABI::V3;

/// Confines the process for good; whether the kernel does it. What goes wrong is said and leaves it as it was: the rights of the account
/// hold in any case.
pub(super) fn confine(config: &Config) -> bool {
    let places = || {
        let files = [&config.registration_file, &config.pid_file, &config.control_socket];
        let of_hooks = config.files_of_hooks().map(|(_, file)| file);
        files.into_iter().flatten().map(PathBuf::as_path).chain(of_hooks).filter_map(Path::parent)
    };
    // One that is made later would be out of reach then.
    if let Some(missing) = config.registration_file.as_deref().and_then(Path::parent).filter(|it| !it.is_dir()) {
        log::debug!(target: PROCESS, "no Landlock: {} is not there yet", missing.display());
        return false;
    }
    match restrict(&mut places()) {
        Ok(is_on) => is_on,
        Err(error) => {
            log::warn!(target: PROCESS, "no Landlock: {error}");
            false
        }
    }
}

fn restrict(places: &mut dyn Iterator<Item = &Path>) -> Result<bool, RulesetError> {
    let rights = AccessFs::from_write(RIGHTS);
    let mut rules: RulesetCreated = Ruleset::default().handle_access(rights | AccessFs::Execute)?.create()?;
    for place in places {
        // Of a jail, the process number file may be outside: it is open already.
        if let Ok(place) = PathFd::new(place) {
            rules = rules.add_rule(PathBeneath::new(place, rights))?;
        }
    }
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}
