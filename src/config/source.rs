//! Where the configuration comes from, at start and with each reload.

use super::{Config, Report, find_file, parse};
use std::path::{Path, PathBuf};

/// The file, and what the command line has that goes before it. A relative name counts from the directory that the daemon was started in.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was given, for people; empty where there is none.
    given: PathBuf,
    home: Option<PathBuf>,
    directory: PathBuf,
    debug_level: Option<u32>,
    pid_file: Option<PathBuf>,
}

impl Source {
    /// `file`, or where there is none the first of the known places that has one, or none at all; `debug_level` and `pid_file` go before
    /// what it says.
    #[must_use]
    pub fn new(file: Option<&Path>, home: Option<&Path>, debug_level: Option<u32>, pid_file: Option<&Path>) -> Self {
        let mut this = Self {
            given: file.map(Path::to_owned).unwrap_or_default(),
            home: home.map(Path::to_owned),
            directory: std::env::current_dir().unwrap_or_default(),
            debug_level: debug_level.filter(|mask| *mask != 0),
            pid_file: pid_file.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
        };
        this.look_for_file();
        this
    }

    /// The file, as it was given; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.given
    }

    /// Reads the configuration; where there is no file, and none has come since, all has its default.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(&mut self) -> Result<(Config, Report), Report> {
        self.look_for_file();
        let (mut config, report) = if self.given.as_os_str().is_empty() {
            (Config::default(), Report::default())
        } else {
            let bytes = parse::read(&self.directory.join(&self.given));
            let bytes = bytes.map_err(|report| Report { file: self.given.clone(), ..report })?;
            parse::parse(&self.given, &self.directory, &bytes)?
        };
        if let Some(mask) = self.debug_level {
            config.overrule("debug_level", &mask.to_string());
        }
        if let Some(path) = &self.pid_file {
            config.overrule("pid_file", &path.to_string_lossy());
        }
        Ok((config, report))
    }

    fn look_for_file(&mut self) {
        if self.given.as_os_str().is_empty()
            && let Ok(found) = find_file(self.home.as_deref())
        {
            self.given = found;
        }
    }
}
