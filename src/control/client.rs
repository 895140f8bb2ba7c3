//! The commands: asks a daemon that runs, and shows its answer.

mod metrics;
mod object;
mod patience;
mod show;

use super::request::Command;
use super::{PROTOCOL, json, socket};
use crate::args::Args;
use crate::config;
use core::time::Duration;
use object::Object;
use patience::{Patience, Patient};
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Time between two looks of `--watch`.
const PERIOD: Duration = Duration::from_secs(1);

/// After `reload`: nothing has changed.
const EXIT_FAILURE: u8 = 1;

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

/// Carries out the commands of a command line, in their order; the first that fails is the last.
#[must_use]
pub fn run(args: &Args, commands: &[Command]) -> ExitCode {
    let patience = Patience::new(args.timeout);
    let done = find(args).and_then(|path| Connection::open(&path, patience)).map_err(Failure::Told);
    let done = done.and_then(|mut connection| match args.watch {
        true => connection.watch(commands, args),
        false => connection.tell_all(commands, args),
    });
    match done {
        Ok(code) => ExitCode::from(code),
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
    stream: BufReader<Patient>,
}

impl Connection {
    fn open(path: &Path, patience: Patience) -> Result<Self, String> {
        let stream = Patient::connect(path, patience).map_err(|error| {
            let path = path.display();
            match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("no siproxd runs here: there is no {path}; another is named by -c or --instance")
                }
                io::ErrorKind::ConnectionRefused => format!("no siproxd runs here: nobody listens on {path}"),
                io::ErrorKind::PermissionDenied => {
                    format!("{path}: only root, and the daemon's user and group, may talk to it")
                }
                io::ErrorKind::WouldBlock => patience.to_string(),
                _ => format!("{path}: {error}"),
            }
        })?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks again each second, until we are ended or nobody reads.
    fn watch(&mut self, commands: &[Command], args: &Args) -> Result<u8, Failure> {
        let mut stdout = io::stdout().lock();
        let start = if stdout.is_terminal() && !args.json { CLEAR } else { "" };
        loop {
            let mut shown = start.as_bytes().to_vec();
            self.stream.get_mut().begin();
            self.ask_all(commands, args, &mut shown)?;
            stdout.write_all(&shown).and_then(|()| stdout.flush()).map_err(|_| Failure::NobodyReads)?;
            std::thread::sleep(PERIOD);
        }
    }

    /// Asks once. What is said is written in few pieces, so that a program that reads it wakes as rarely, or by the line where it has no end.
    fn tell_all(&mut self, commands: &[Command], args: &Args) -> Result<u8, Failure> {
        let stdout = io::stdout().lock();
        if commands.contains(&Command::Log(None)) {
            return self.ask_all(commands, args, &mut { stdout });
        }
        let mut out = io::BufWriter::new(stdout);
        let done = self.ask_all(commands, args, &mut out);
        out.flush().map_err(|_| Failure::NobodyReads)?;
        done
    }

    /// Sends one request after the other, and shows each answer before the next.
    fn ask_all(&mut self, commands: &[Command], args: &Args, out: &mut dyn Write) -> Result<u8, Failure> {
        let mut code = 0;
        for (number, command) in commands.iter().enumerate() {
            if number > 0 && !args.json {
                writeln!(out).map_err(|_| Failure::NobodyReads)?;
            }
            code = code.max(self.ask(*command, args, out)?);
        }
        Ok(code)
    }

    /// Sends a request, and shows the answer.
    fn ask(&mut self, command: Command, args: &Args, out: &mut dyn Write) -> Result<u8, Failure> {
        let mut request = Vec::new();
        let mut line = json::Line::new(&mut request, super::MAX_REQUEST);
        line.value("v", PROTOCOL);
        line.text("command", &command.name());
        match command {
            Command::Drop(call) => line.text("call", &call),
            Command::Log(Some(after)) => line.value("after", after),
            Command::Debug { classes, seconds } => {
                line.value("classes", classes);
                line.value("seconds", seconds);
            }
            _ => {}
        }
        line.finish();
        // A daemon that has no place for us says why, and may be gone by now.
        let sent = self.stream.get_mut().send(&request);
        if command == Command::Log(None) {
            // It may be silent for as long as nothing happens.
            self.stream.get_mut().wait_for_ever().map_err(|error| error.to_string())?;
        }
        let (mut number, mut code) = (0, 0);
        loop {
            let Some(line) = self.line()? else {
                let why = sent.err().map_or_else(String::new, |error| format!(": {error}"));
                return Err(format!("the daemon has closed the connection{why}").into());
            };
            let (answer, [version, kind]) = Object::parse_with(&line, ["v", "type"])
                .ok_or_else(|| format!("the daemon says what is no JSON: {line}"))?;
            check_version(version.and_then(json::Value::number))?;
            let kind = kind.map_or_else(String::new, object::plain);
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
                    (false, _) => EXIT_FAILURE,
                    (true, Some(0)) => 0,
                    (true, _) => EXIT_RESTART,
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
                Err(self.stream.get_ref().patience().to_string())
            }
            Err(error) => Err(format!("the daemon cannot be heard: {error}")),
        }
    }
}

fn check_version(version: Option<u64>) -> Result<(), String> {
    match version {
        Some(PROTOCOL) => Ok(()),
        other => Err(format!(
            "the daemon speaks version {} of the control protocol, this program (siproxd {}) version {PROTOCOL}: use the program \
             that the daemon was started from",
            other.map_or_else(|| "?".to_owned(), |version| version.to_string()),
            env!("CARGO_PKG_VERSION"),
        )),
    }
}
