//! The commands: asks a daemon that runs, and shows its answer.

mod metrics;
mod object;
mod show;

use super::request::Command;
use super::{PROTOCOL, json, socket};
use crate::args::Args;
use crate::config;
use core::time::Duration;
use object::Object;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How long the daemon may take for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between two looks of `--watch`.
const PERIOD: Duration = Duration::from_secs(1);

/// After `reload`: it is applied, but something waits for a restart.
const EXIT_RESTART: u8 = 2;

/// Puts the cursor of a terminal to the top and clears it (ECMA-48 CUP, ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Bytes of the longest line that is taken, also from a later daemon that has more to say.
const MAX_LINE: u64 = 1 << 20;

/// Why a command failed.
enum Failure {
    /// What to tell.
    Told(String),
    /// Who reads our output has gone.
    NobodyReads,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Told(text)
    }
}

/// Carries out the command of a command line.
#[must_use]
pub fn run(args: &Args, command: Command) -> ExitCode {
    let done = find(args).and_then(|path| Connection::open(&path)).map_err(Failure::Told);
    let done = done.and_then(|mut connection| {
        if args.watch {
            connection.watch(command, args)
        } else {
            connection.ask(command, args, &mut io::stdout().lock())
        }
    });
    match done {
        Ok(code) => code,
        Err(Failure::Told(text)) => {
            // It may be full or closed.
            let _ = writeln!(io::stderr(), "siproxd: {text}");
            ExitCode::FAILURE
        }
        Err(Failure::NobodyReads) => ExitCode::SUCCESS,
    }
}

/// The socket of the daemon that is meant: by the same rule as the daemon's own.
fn find(args: &Args) -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let file = args.config.clone().or_else(|| config::find_file(home.as_deref()).ok());
    let text = match &file {
        Some(file) => match config::text(file) {
            Ok(text) => text,
            // Whoever may talk to the daemon need not be allowed to read its passwords.
            Err(_) if args.config.is_none() => String::new(),
            Err(error) => return Err(format!("{}: {error}", file.display())),
        },
        None => String::new(),
    };
    let directive = config::last_value(&text, "control_socket").map(Path::new);
    socket::path(directive, args.instance.as_deref()).ok_or_else(|| {
        let file = file.unwrap_or_default();
        format!("{}: `control_socket = off`: this daemon takes no commands", file.display())
    })
}

struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    fn open(path: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let path = path.display();
            match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("no siproxd runs here: there is no {path}; another is named by -c or --instance")
                }
                io::ErrorKind::ConnectionRefused => format!("no siproxd runs here: nobody listens on {path}"),
                io::ErrorKind::PermissionDenied => {
                    format!("{path}: only root, and the daemon's user and group, may talk to it")
                }
                _ => format!("{path}: {error}"),
            }
        })?;
        let limits = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        limits.map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks again each second, until we are ended or nobody reads.
    fn watch(&mut self, command: Command, args: &Args) -> Result<ExitCode, Failure> {
        let mut stdout = io::stdout().lock();
        let start = if stdout.is_terminal() && !args.json { CLEAR } else { "" };
        loop {
            let mut shown = start.as_bytes().to_vec();
            self.ask(command, args, &mut shown)?;
            stdout.write_all(&shown).and_then(|()| stdout.flush()).map_err(|_| Failure::NobodyReads)?;
            std::thread::sleep(PERIOD);
        }
    }

    /// Sends a request, and shows the answer.
    fn ask(&mut self, command: Command, args: &Args, out: &mut dyn Write) -> Result<ExitCode, Failure> {
        let mut request = Vec::new();
        let mut line = json::Line::new(&mut request, super::MAX_REQUEST);
        line.value("v", PROTOCOL);
        line.text("command", &command.name());
        if let Some(call) = args.call() {
            line.text("call", &call);
        }
        line.finish();
        // A daemon that has no place for us says why, and may be gone by now.
        let sent = self.stream.get_mut().write_all(&request);
        if command == Command::Log {
            // It may be silent for as long as nothing happens.
            self.stream.get_ref().set_read_timeout(None).map_err(|error| error.to_string())?;
        }
        let (mut number, mut code) = (0, ExitCode::SUCCESS);
        loop {
            let Some(line) = self.line()? else {
                let why = sent.err().map_or_else(String::new, |error| format!(": {error}"));
                return Err(format!("the daemon has closed the connection{why}").into());
            };
            let answer = Object::parse(&line).ok_or_else(|| format!("the daemon says what is no JSON: {line}"))?;
            check_version(&answer)?;
            let kind = answer.text("type");
            if kind == "error" {
                return Err(format!("{} (siproxd {})", answer.text("text"), answer.text("version")).into());
            }
            if args.json {
                writeln!(out, "{line}").map_err(|_| Failure::NobodyReads)?;
            }
            if !args.json {
                let shown =
                    if args.openmetrics { metrics::line(out, &answer) } else { show::line(out, number, &answer) };
                shown.map_err(|_| Failure::NobodyReads)?;
            }
            if kind == "end" {
                return Ok(code);
            }
            if kind == "reload" {
                code = match (answer.is_true("applied"), answer.number("waiting")) {
                    (false, _) => ExitCode::FAILURE,
                    (true, Some(0)) => ExitCode::SUCCESS,
                    (true, _) => ExitCode::from(EXIT_RESTART),
                };
            }
            number += 1;
        }
    }

    /// One line without its end; `None` at the end of all.
    fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = String::new();
        match (&mut self.stream).take(MAX_LINE).read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) if line.ends_with('\n') => Ok(Some(line.trim_end().to_owned())),
            Ok(_) => Err("the daemon has broken off".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(format!("the daemon does not answer within {} seconds", PATIENCE.as_secs()))
            }
            Err(error) => Err(format!("the daemon cannot be heard: {error}")),
        }
    }
}

fn check_version(answer: &Object<'_>) -> Result<(), String> {
    match answer.number("v") {
        Some(PROTOCOL) => Ok(()),
        other => Err(format!(
            "the daemon speaks version {} of the control protocol, this program (siproxd {}) version {PROTOCOL}: use the program \
             that the daemon was started from",
            other.map_or_else(|| "?".to_owned(), |version| version.to_string()),
            env!("CARGO_PKG_VERSION"),
        )),
    }
}
