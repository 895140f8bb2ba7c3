//! Where the configuration comes from, at start and with each reload.

use super::{Config, Report, find_file, parse};
use std::path::{Path, PathBuf};

/// The file, and what the command line has that goes before it. A relative name counts from the directory that the daemon was started in.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was given, for people.
    given: PathBuf,
    file: PathBuf,
    directory: PathBuf,
    debug_level: Option<u32>,
    pid_file: Option<PathBuf>,
}

impl Source {
    /// `file`, or where there is none the first of the known places that has one; `debug_level` and `pid_file` go before what it says.
    ///
    /// # Errors
    /// Every place that was tried, where there is no file.
    pub fn new(
        file: Option<&Path>,
        home: Option<&Path>,
        debug_level: Option<u32>,
        pid_file: Option<&Path>,
    ) -> Result<Self, Vec<PathBuf>> {
        let directory = std::env::current_dir().unwrap_or_default();
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let given = file.map_or_else(|| find_file(home), |file| Ok(file.to_owned()))?;
        Ok(Self {
            file: absolute(&given),
            given,
            directory,
            debug_level: debug_level.filter(|mask| *mask != 0),
            pid_file: pid_file.map(absolute),
        })
    }

    /// The file, as it was given.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.given
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(&self) -> Result<(Config, Report), Report> {
        let bytes = parse::read(&self.file).map_err(|report| Report { file: self.given.clone(), ..report })?;
        let (mut config, report) = parse::parse(&self.given, &self.directory, &bytes)?;
        if let Some(mask) = self.debug_level {
            config.overrule("debug_level", &mask.to_string());
        }
        if let Some(path) = &self.pid_file {
            config.overrule("pid_file", &path.to_string_lossy());
        }
        Ok((config, report))
    }
}
