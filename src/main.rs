//! The daemon: arguments, configuration, log, sockets, privileges, and then the event loop until it is told to stop.

#![forbid(unsafe_code)]
// They panic where nothing can be written.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use core::fmt;
use siproxd::accounts::Accounts;
use siproxd::args::{Args, Exit};
use siproxd::check::{self, Summary};
use siproxd::config::{Config, Report, Source};
use siproxd::control::socket::ControlSocket;
use siproxd::control::{Identity, client};
use siproxd::engine::Engine;
use siproxd::log_class::PROCESS;
use siproxd::net::event_loop::EventLoop;
use siproxd::process::{self, Background, PidFile, Privileges, Signals};
use siproxd::state;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

/// All of the engine's tables, in zeroed static memory.
static ENGINE: Mutex<Engine> = Mutex::new(Engine::new());

/// With `--check`: it would start, with warnings.
const EXIT_WARNINGS: u8 = 2;

/// What there is to say of a configuration that nobody has written.
const NO_FILE: &str = "no configuration file: all has its default";

fn main() -> ExitCode {
    process::watch_panics();
    process::hold_signals();
    siproxd::log::start();
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let args = match Args::parse(&words) {
        Ok(args) => args,
        Err(Exit::Help(text)) => {
            say(format_args!("{text}"));
            return ExitCode::SUCCESS;
        }
        Err(Exit::Usage(text)) => {
            complain(format_args!("siproxd: {text}\n"));
            return ExitCode::FAILURE;
        }
    };
    if args.version {
        say(format_args!("{}", siproxd::version::Version));
        return ExitCode::SUCCESS;
    }
    let commands = args.commands();
    if !commands.is_empty() {
        return client::run(&args, &commands);
    }
    let found = read(&args);
    if args.check && args.json {
        let report = found.as_ref().map_or_else(|report| report, |(_, _, report)| report);
        let _ = write!(io::stdout(), "{}", check::Json(report));
        return if report.is_fatal() { ExitCode::FAILURE } else { checked(report) };
    }
    let (source, config, report) = match found {
        Ok(found) => found,
        Err(report) => {
            complain(format_args!("{report}"));
            return ExitCode::FAILURE;
        }
    };
    if args.check {
        return summarise(source.name(), &config, &report);
    }
    match run(&args, source, &Rc::new(config), &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!(target: PROCESS, "{error}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, as file and command line give it, and what is wrong with it.
fn read(args: &Args) -> Result<(Source, Config, Report), Report> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut source = Source::new(args.config.as_deref(), home.as_deref(), args.debug, args.pid_file.as_deref());
    let (config, mut report) = source.read()?;
    process::out_of_reach(&config, &mut report, args.check);
    check::surroundings(&config, &mut report);
    report.sort();
    if report.is_fatal() { Err(report) } else { Ok((source, config, report)) }
}

fn summarise(file: &Path, config: &Config, report: &Report) -> ExitCode {
    complain(format_args!("{report}"));
    match file.as_os_str().is_empty() {
        true => say(format_args!("{NO_FILE}\n{}", Summary(config))),
        false => say(format_args!("{}: OK\n{}", file.display(), Summary(config))),
    }
    checked(report)
}

/// With `--check`: whether something should be changed.
fn checked(report: &Report) -> ExitCode {
    if report.has_warnings() { ExitCode::from(EXIT_WARNINGS) } else { ExitCode::SUCCESS }
}

fn run(args: &Args, source: Source, config: &Rc<Config>, report: &Report) -> io::Result<()> {
    siproxd::log::set_debug_level(config.debug_level);
    let is_unread = siproxd::log::is_stderr_unread();
    if (config.daemonize || is_unread)
        && let Err(error) = siproxd::log::start_syslog(config.silence_log)
    {
        complain(format_args!("siproxd: no syslog: {error}\n"));
    }
    if is_unread && !config.daemonize {
        siproxd::log::leave_stderr();
    }
    log::info!(target: PROCESS, "siproxd {} starts", env!("CARGO_PKG_VERSION"));
    if source.name().as_os_str().is_empty() {
        log::info!(target: PROCESS, "{NO_FILE}");
    }
    report.log();
    let privileges = Privileges::plan(config)?;
    let background = config.daemonize.then(Background::prepare).transpose()?;
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    engine.configure(&config.engine_settings());
    engine.set_hooks(&config.hook_settings());
    Accounts::read(config)?.give_to(&mut engine);
    let file = source.name().to_owned();
    let mut event_loop = EventLoop::open(Rc::clone(config), source).map_err(io::Error::other)?;
    let mut pid_file = config.pid_file.as_deref().map(PidFile::create).transpose()?;
    if let Some(socket) = ControlSocket::open(config, args.instance.as_deref(), privileges.ids())? {
        event_loop.serve(socket, Identity::new(args.instance.as_deref(), &file))?;
    }
    privileges.give_up(config)?;
    // From here on files are those that are in reach later, too.
    engine.seed(state::key(config.registration_file.as_deref())?, state::seed()?);
    event_loop.load(&mut engine);

    // What can fail has been done: who starts us in the background sees it fail.
    if let Some(background) = background {
        background.enter()?;
        siproxd::log::leave_stderr();
    }
    // Before the number: whoever has read it may send a signal.
    let mut signals = Signals::new()?;
    if let Some(file) = &mut pid_file {
        file.write()?;
    }
    event_loop.run(&mut engine, &mut signals)
}

/// Writes a line to stdout; whoever reads it may stop at any line.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Writes to stderr, which may be full or closed.
fn complain(text: fmt::Arguments<'_>) {
    let _ = write!(io::stderr(), "{text}");
}
