//! The file that holds the process number.

use super::in_words;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that holds the process number; removed when this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Makes the file, empty, while its directory is in reach; one that is there already is replaced.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        let gone = match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        // Never through a link that somebody put there meanwhile: this may run as root.
        let made = gone.and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o644).open(path));
        let file = made.map_err(|error| in_words(format_args!("pid_file {}", path.display()), error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the number of this process; call once it is the one that stays.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&mut self) -> io::Result<()> {
        writeln!(self.file, "{}", std::process::id())
            .map_err(|error| in_words(format_args!("pid_file {}", self.path.display()), error))
    }

    /// Whether the file at the path is still ours and not that of another siproxd that was given the same.
    fn is_ours(&self) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Without root the directory may be out of reach; an empty file misleads nobody either.
        if !self.is_ours() || fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_comes_and_goes() {
        let path = std::env::temp_dir().join(format!("siproxd-pid-{}", std::process::id()));
        fs::write(&path, "stale").expect("a file");
        let mut pid_file = PidFile::create(&path).expect("a pid file");
        pid_file.write().expect("a number");
        assert_eq!(fs::read_to_string(&path).expect("its content"), format!("{}\n", std::process::id()));
        let other = PidFile::create(&path).expect("another's");
        drop(pid_file);
        assert!(path.exists(), "what another has put there stays");
        drop(other);
        assert!(!path.exists());
    }
}
