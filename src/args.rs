//! The command line: the original's options in all of getopt's spellings, some of our own, and commands for a daemon that runs.

mod commands;

use crate::config::{int, nearest};
use crate::control::request::Command;
use crate::control::socket::is_instance_name;
use argh::FromArgs;
use std::path::PathBuf;

/// A masquerading SIP proxy for NAT routers.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromArgs)]
#[argh(
    help_triggers("-h", "--help"),
    note = "Commands for a daemon that runs, several if need be:\n\
            \x20 status            how it is\n\
            \x20 bindings          registrations\n\
            \x20 calls [--watch]   calls, and how each party is heard\n\
            \x20 history           calls that have ended, and why\n\
            \x20 refusals          registrations that failed lately, and why\n\
            \x20 stats             what has happened since the start\n\
            \x20 log               the log, from its last lines on\n\
            \x20 debug CLASSES [SECONDS]\n\
            \x20                   debug lines of these classes, as sip,reg, for ten minutes\n\
            \x20 drop CALL         end a call for both parties\n\
            \x20 reload            read the configuration again\n\n\
            Without -c, the first of these is read: $HOME/.siproxdrc, /etc/siproxd.conf,\n\
            /etc/siproxd/siproxd.conf, /usr/etc/siproxd.conf, /usr/local/etc/siproxd.conf.\n\
            Without any, LAN and WAN are found by their addresses and the default route.",
    error_code(0, "ended cleanly; with --check: nothing is wrong; the command is carried out"),
    error_code(1, "the configuration is wrong, or a port is taken; the command failed"),
    error_code(2, "with --check: it would start, with warnings; with reload: something waits for a restart")
)]
pub struct Args {
    /// configuration file
    #[argh(option, short = 'c', arg_name = "file")]
    pub config: Option<PathBuf>,

    /// what to debug, as `debug_level`, which it replaces unless it is 0; -1 is all
    #[argh(option, short = 'd', arg_name = "mask", from_str_fn(mask))]
    pub debug: Option<u32>,

    /// file for the process number, in place of `pid_file`
    #[argh(option, short = 'p', arg_name = "file")]
    pub pid_file: Option<PathBuf>,

    /// name of this daemon, where there are several: its control socket has it
    #[argh(option, arg_name = "name")]
    pub instance: Option<String>,

    /// answers of commands as the daemon gives them, and what --check finds, in JSON, one object a line
    #[argh(switch)]
    pub json: bool,

    /// how long a daemon may take to answer all that it is asked; else ten seconds for each line
    #[argh(option, arg_name = "seconds", from_str_fn(seconds))]
    pub timeout: Option<u64>,

    /// with `log`: what is kept behind this place in it, and no more
    #[argh(option, arg_name = "place")]
    pub after: Option<u64>,

    /// with `calls`: again each second
    #[argh(switch)]
    pub watch: bool,

    /// with `stats`: as OpenMetrics text, for Prometheus
    #[argh(switch)]
    pub openmetrics: bool,

    /// tell what is wrong with the configuration, and end
    #[argh(switch)]
    pub check: bool,

    /// print the version, what it was built for and has room for, and end
    #[argh(switch)]
    pub version: bool,

    /// what to ask or tell a daemon that runs; without it, one is started
    #[argh(positional)]
    pub command: Vec<String>,
}

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Help was asked for: this is it.
    Help(String),
    /// The command line is wrong: this is what to say.
    Usage(String),
}

impl Args {
    /// Takes the words behind the program's name.
    ///
    /// # Errors
    /// See [`Exit`].
    pub fn parse(words: &[String]) -> Result<Self, Exit> {
        let words = normalise(words).map_err(Exit::Usage)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let args = Self::from_args(&["siproxd"], &words).map_err(|exit| match exit.status {
            Ok(()) => Exit::Help(exit.output),
            Err(()) => Exit::Usage(exit.output.trim_end().to_owned()),
        })?;
        args.check()
    }

    /// The commands, in their order.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        // What is wrong with them was told by `parse`.
        commands::parse(&self.command, self.after).unwrap_or_default()
    }

    /// What does not go together.
    fn check(self) -> Result<Self, Exit> {
        if let Some(name) = self.instance.as_ref().filter(|name| !is_instance_name(name)) {
            return Err(Exit::Usage(format!("--instance {name}: a name has letters, digits, _ and -")));
        }
        let commands = commands::parse(&self.command, self.after).map_err(Exit::Usage)?;
        let with = |option: &str, what: &str| Err(Exit::Usage(format!("{option} goes with {what}")));
        if commands.is_empty() {
            if self.json && !self.check {
                return with("--json", "a command, or --check");
            }
            let options = [
                (self.timeout.is_some(), "--timeout"),
                (self.after.is_some(), "--after"),
                (self.watch, "--watch"),
                (self.openmetrics, "--openmetrics"),
            ];
            let option = options.into_iter().find(|(is_set, _)| *is_set);
            return option.map_or(Ok(self), |(_, name)| with(name, "a command"));
        }
        if self.watch && commands != [Command::Calls] {
            return with("--watch", "`calls` alone");
        }
        if self.openmetrics && commands != [Command::Stats] {
            return with("--openmetrics", "`stats` alone");
        }
        if self.after.is_some() && !commands.contains(&Command::Log(self.after)) {
            return with("--after", "`log`");
        }
        let endless = commands.iter().position(|command| *command == Command::Log(None));
        if endless.is_some_and(|at| at + 1 < commands.len() || self.timeout.is_some()) {
            return Err(Exit::Usage(
                "`log` has no end without --after: it comes last, and not with --timeout".to_owned(),
            ));
        }
        Ok(self)
    }
}

const HELP: &str = "--help";

/// Each option: its letter, its name, and whether a value follows.
const OPTIONS: [(Option<char>, &str, bool); 12] = [
    (Some('c'), "--config", true),
    (Some('d'), "--debug", true),
    (Some('p'), "--pid-file", true),
    (Some('h'), HELP, false),
    (None, "--instance", true),
    (None, "--json", false),
    (None, "--timeout", true),
    (None, "--after", true),
    (None, "--watch", false),
    (None, "--openmetrics", false),
    (None, "--check", false),
    (None, "--version", false),
];

/// The options, by letter and by name, as shells complete them.
pub fn option_names() -> impl Iterator<Item = String> {
    OPTIONS.iter().flat_map(|(letter, name, _)| letter.map(|c| format!("-{c}")).into_iter().chain([(*name).to_owned()]))
}

/// Takes getopt's spellings apart: `-cFILE`, `--config=FILE`, and names cut short where that is unambiguous. Of an option
/// that is given twice the last one counts; help is help whatever follows.
fn normalise(words: &[String]) -> Result<Vec<String>, String> {
    let mut options: Vec<(&'static str, Option<String>)> = Vec::new();
    let mut others = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            others.push(word.clone());
            continue;
        }
        let (name, takes_value, value) = split(word)?;
        if name == HELP {
            return Ok(vec![HELP.to_owned()]);
        }
        let value = match (takes_value, value) {
            (true, Some(value)) => Some(value.to_owned()),
            (true, None) => Some(words.next().ok_or_else(|| format!("option {word} needs a value"))?.clone()),
            (false, None) => None,
            (false, Some(_)) => return Err(format!("{word}: option {name} takes no value")),
        };
        options.retain(|(earlier, _)| *earlier != name);
        options.push((name, value));
    }
    let options = options.into_iter().flat_map(|(name, value)| core::iter::once(name.to_owned()).chain(value));
    Ok(options.chain(others).collect())
}

/// An option's full name, whether it takes a value, and the value where it is part of the word.
fn split(word: &str) -> Result<(&'static str, bool, Option<&str>), String> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let named = |(_, full, _): &&(_, &str, _)| full.strip_prefix("--") == Some(name);
        let cut_short =
            |(_, full, _): &&(_, &str, _)| full.strip_prefix("--").is_some_and(|full| full.starts_with(name));
        let mut candidates = OPTIONS.iter().filter(cut_short);
        let found = match (OPTIONS.iter().find(named), candidates.next(), candidates.next()) {
            (Some(exact), ..) => Some(exact),
            (None, Some(only), None) if !name.is_empty() => Some(only),
            _ => None,
        };
        return match found {
            Some((_, full, takes_value)) => Ok((full, *takes_value, value)),
            None => Err(unknown(word, &format!("--{name}"))),
        };
    }
    let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
    let Some(letter) = letters.next() else {
        return Err(format!("unexpected `{word}`; a configuration file is given as -c {word}"));
    };
    match OPTIONS.iter().find(|(short, ..)| *short == Some(letter)) {
        Some((_, full, takes_value)) => {
            Ok((full, *takes_value, Some(letters.as_str()).filter(|value| !value.is_empty())))
        }
        None => Err(unknown(word, &format!("-{word}"))),
    }
}

fn unknown(word: &str, long: &str) -> String {
    match nearest(long, OPTIONS.iter().map(|(_, full, _)| *full)) {
        Some(meant) => format!("unknown option {word}; did you mean {meant}?"),
        None => format!("unknown option {word}; siproxd --help lists them"),
    }
}

/// Seconds, at least one.
fn seconds(text: &str) -> Result<u64, String> {
    match int(text)? {
        number @ 1..=3600 => Ok(number.unsigned_abs()),
        _ => Err("1 to 3600 seconds".to_owned()),
    }
}

/// A mask of debug bits, with or without a sign.
fn mask(text: &str) -> Result<u32, String> {
    let number = int(text)?;
    u32::try_from(number).or_else(|_| i32::try_from(number).map(|n| n as u32)).map_err(|_| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Handle;

    fn parse(words: &[&str]) -> Result<Args, Exit> {
        Args::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    fn usage(words: &[&str]) -> String {
        match parse(words) {
            Err(Exit::Usage(text)) => text,
            other => panic!("{words:?} gave {other:?}"),
        }
    }

    #[test]
    fn a_file_in_each_spelling() {
        let wanted = Args { config: Some("a b".into()), ..Args::default() };
        for words in [&["-c", "a b"][..], &["-ca b"], &["--config", "a b"], &["--config=a b"], &["--conf=a b"]] {
            assert_eq!(parse(words), Ok(wanted.clone()), "{words:?}");
        }
    }

    #[test]
    fn a_mask_in_each_spelling() {
        for words in [&["-d", "-1"][..], &["-d-1"], &["--debug", "-1"], &["--debug=-1"], &["-d", "0xffffffff"]] {
            assert_eq!(parse(words).map(|args| args.debug), Ok(Some(u32::MAX)), "{words:?}");
        }
        assert_eq!(
            parse(&["-d", "0x84", "-p", "f"]).map(|args| (args.debug, args.pid_file)),
            Ok((Some(0x84), Some("f".into())))
        );
        assert_eq!(usage(&["-d", "all"]), "Error parsing option '--debug' with value 'all': not a number");
    }

    #[test]
    fn help_and_version() {
        assert!(matches!(parse(&["-h"]), Err(Exit::Help(text)) if text.contains("--pid-file")));
        assert!(matches!(parse(&["--help", "-x"]), Err(Exit::Help(_))));
        assert_eq!(parse(&["--version"]).map(|args| args.version), Ok(true));
        assert_eq!(parse(&["--check"]).map(|args| args.check), Ok(true));
    }

    #[test]
    fn several_commands_each_with_what_belongs_to_it() {
        let commands = |words: &[&str]| parse(words).map(|args| args.commands());
        assert_eq!(commands(&[]), Ok(vec![]));
        let (status, drop) = (Command::Status, Command::Drop(Handle::from_parts(3, 1)));
        assert_eq!(commands(&["--json", "status", "drop", "3.1", "status"]), Ok(vec![status, drop, status]));
        assert_eq!(commands(&["calls", "log"]), Ok(vec![Command::Calls, Command::Log(None)]));
        let log = Command::Log(Some(7));
        assert_eq!(commands(&["log", "--after", "7", "--timeout", "3", "status"]), Ok(vec![log, status]));
        assert_eq!(usage(&["status", "--after=7"]), "--after goes with `log`");
        for (words, classes, seconds) in [
            (&["debug", "sip,reg"][..], 0xc, 600),
            (&["debug", "132", "3600"], 132, 3600),
            (&["debug", "0x84", "0"], 0x84, 0),
            (&["debug", "all"], u32::MAX, 600),
            (&["debug", "off"], 0, 0),
        ] {
            assert_eq!(commands(words), Ok(vec![Command::Debug { classes, seconds }]), "{words:?}");
        }
        assert_eq!(commands(&["debug", "dns", "status"]).map(|commands| commands.len()), Ok(2));
        assert!(usage(&["debug"]).starts_with("debug what?"));
        assert!(usage(&["debug", "spi"]).starts_with("no classes: `spi`"));
        assert_eq!(usage(&["debug", "sip", "3601"]), "debug for `3601` seconds? At most 3600");
        assert_eq!(usage(&["status", "drop"]), "drop which call? `siproxd calls` has their numbers");
        assert!(usage(&["drop", "x"]).starts_with("there is no such call;"));
        assert_eq!(usage(&["status", "cals"]), "unknown command `cals`; did you mean calls?");
        for words in [&["log", "status"][..], &["log", "--timeout", "3"]] {
            assert_eq!(usage(words), "`log` has no end without --after: it comes last, and not with --timeout");
        }
        assert_eq!(usage(&["--watch", "calls", "status"]), "--watch goes with `calls` alone");
        assert_eq!(usage(&["--openmetrics", "status"]), "--openmetrics goes with `stats` alone");
        assert_eq!(usage(&["--timeout", "3"]), "--timeout goes with a command");
        assert!(usage(&["--timeout", "0", "status"]).ends_with("1 to 3600 seconds"));
    }

    #[test]
    fn a_wrong_option_is_told_with_what_was_meant() {
        assert_eq!(usage(&["--confg", "x"]), "unknown option --confg; did you mean --config?");
        assert_eq!(usage(&["-x"]), "unknown option -x; siproxd --help lists them");
        assert_eq!(usage(&["-config", "x"]), "unexpected `x`; a configuration file is given as -c x");
        assert_eq!(usage(&["-c"]), "option -c needs a value");
        assert_eq!(usage(&["--check=1"]), "--check=1: option --check takes no value");
        assert_eq!(usage(&["file"]), "unexpected `file`; a configuration file is given as -c file");
        assert!(usage(&["--"]).starts_with("unknown option --"));
    }
}
