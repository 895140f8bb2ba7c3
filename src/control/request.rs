//! Requests: one JSON object a line, `{"v":1,"command":"status"}`.

use super::PROTOCOL;
use super::json::{self, Value};
use crate::table::Handle;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// How the daemon is.
    Status,
    /// The registrations.
    Bindings,
    /// The calls that there are.
    Calls,
    /// The calls that ended last.
    History,
    /// The registrations that have failed lately.
    Refusals,
    /// What has happened since the start.
    Stats,
    /// The log from now on, and the last lines before; or what is kept of it behind this place.
    Log(Option<u64>),
    /// Debug lines of these classes for so many seconds, or no more.
    Debug {
        /// Bits as those of `debug_level`.
        classes: u32,
        /// At most [`MAX_DEBUG`].
        seconds: u32,
    },
    /// Read the configuration again.
    Reload,
    /// End this call.
    Drop(Handle),
}

/// Seconds for which debug lines are switched on at most.
pub const MAX_DEBUG: u32 = 3600;

/// Each command with its name.
pub const COMMANDS: [(&str, Command); 10] = [
    ("status", Command::Status),
    ("bindings", Command::Bindings),
    ("calls", Command::Calls),
    ("history", Command::History),
    ("refusals", Command::Refusals),
    ("stats", Command::Stats),
    ("log", Command::Log(None)),
    ("debug", Command::Debug { classes: 0, seconds: 0 }),
    ("reload", Command::Reload),
    ("drop", Command::Drop(Handle::from_parts(0, 0))),
];

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON object, or has no `v` or `command`, or lacks what belongs to that.
    Malformed,
    /// It is longer than [`super::MAX_REQUEST`].
    TooLong,
    /// It is of another version of the protocol.
    Version,
    /// There is no such command.
    UnknownCommand,
    /// As many read the log as may.
    Busy,
    /// There is no such call, or `call` names none.
    NoSuchCall,
}

impl Refusal {
    /// The word for programs, and the sentence for people.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "a request is one line like {\"v\":1,\"command\":\"status\"}"),
            Self::TooLong => ("too-long", "a request has at most 1024 bytes"),
            Self::Version => ("version", "the daemon speaks another version of the control protocol"),
            Self::UnknownCommand => ("unknown-command", "the daemon knows no such command"),
            Self::Busy => ("busy", "as many clients read the log as may"),
            Self::NoSuchCall => {
                ("no-such-call", "there is no such call; `siproxd calls` has the numbers of those that there are")
            }
        }
    }

    /// Whether nothing that follows can be understood either.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::UnknownCommand | Self::Busy | Self::NoSuchCall)
    }
}

impl Command {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let same = |command: &Self| core::mem::discriminant(command) == core::mem::discriminant(&self);
        COMMANDS.iter().find(|(_, command)| same(command)).map_or("", |(name, _)| name)
    }

    /// Takes one line without its end. Members that are not known are ignored.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let text = core::str::from_utf8(line).map_err(|_| Refusal::Malformed)?;
        let (mut version, mut name, mut call) = (None, None, None);
        let (mut after, mut classes, mut seconds) = (None, None, None);
        let read = json::members(text, &mut |(member, value)| match (member, value) {
            ("v", value) => version = value.number(),
            ("command", Value::Text(text)) => name = Some(text),
            ("call", Value::Text(text)) => call = Some(text),
            ("after", value) => after = value.number(),
            ("classes", value) => classes = value.number(),
            ("seconds", value) => seconds = value.number(),
            _ => {}
        });
        read.map_err(|_| Refusal::Malformed)?;
        if version.ok_or(Refusal::Malformed)? != PROTOCOL {
            return Err(Refusal::Version);
        }
        let name = name.ok_or(Refusal::Malformed)?;
        let known = COMMANDS.iter().find(|(known, _)| *known == name);
        match known.ok_or(Refusal::UnknownCommand)?.1 {
            Self::Drop(_) => call.and_then(handle).map(Self::Drop).ok_or(Refusal::NoSuchCall),
            Self::Log(_) => Ok(Self::Log(after)),
            Self::Debug { .. } => {
                let seconds = seconds.ok_or(Refusal::Malformed)?.min(MAX_DEBUG.into()) as u32;
                // To end it none need be named.
                let classes = classes.or((seconds == 0).then_some(0)).ok_or(Refusal::Malformed)?;
                Ok(Self::Debug { classes: u32::try_from(classes).unwrap_or(u32::MAX), seconds })
            }
            command => Ok(command),
        }
    }
}

/// The handle that its number in an answer stands for.
pub(crate) fn handle(text: &str) -> Option<Handle> {
    let (index, generation) = text.split_once('.')?;
    Some(Handle::from_parts(index.parse().ok()?, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_known_by_its_name() {
        for (name, command) in COMMANDS {
            let line = format!("{{\"v\":1,\"command\":\"{name}\",\"call\":\"0.0\",\"seconds\":0}}");
            assert_eq!(Command::parse(line.as_bytes()), Ok(command));
            assert_eq!(command.name(), name);
        }
    }

    #[test]
    fn what_is_added_later_is_ignored() {
        let line = br#"{"later":[{"x":null}],"command":"status","v":1,"also":"y"} "#;
        assert_eq!(Command::parse(line), Ok(Command::Status));
    }

    #[test]
    fn numbers_of_a_request_are_kept_in_bounds() {
        for (members, command) in [
            ("\"command\":\"log\",\"after\":18446744073709551615", Command::Log(Some(u64::MAX))),
            ("\"command\":\"log\",\"after\":-1", Command::Log(None)),
            ("\"command\":\"debug\",\"classes\":132,\"seconds\":600", Command::Debug { classes: 132, seconds: 600 }),
            (
                "\"command\":\"debug\",\"classes\":18446744073709551615,\"seconds\":18446744073709551615",
                Command::Debug { classes: u32::MAX, seconds: MAX_DEBUG },
            ),
        ] {
            assert_eq!(Command::parse(format!("{{\"v\":1,{members}}}").as_bytes()), Ok(command), "{members}");
        }
    }

    #[test]
    fn a_request_that_is_none_is_told_why() {
        for (line, refusal) in [
            (&b""[..], Refusal::Malformed),
            (b"status", Refusal::Malformed),
            (b"{\"command\":\"status\"}", Refusal::Malformed),
            (b"{\"v\":\"1\",\"command\":\"status\"}", Refusal::Malformed),
            (b"{\"v\":1}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":1}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":\"\xff\"}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":\"debug\",\"classes\":4}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":\"debug\",\"seconds\":4}", Refusal::Malformed),
            (b"{\"v\":2,\"command\":\"status\"}", Refusal::Version),
            (b"{\"v\":2}", Refusal::Version),
            (b"{\"v\":1,\"command\":\"Status\"}", Refusal::UnknownCommand),
            (b"{\"v\":1,\"command\":\"drop\"}", Refusal::NoSuchCall),
            (b"{\"v\":1,\"command\":\"drop\",\"call\":1.1}", Refusal::NoSuchCall),
            (b"{\"v\":1,\"command\":\"drop\",\"call\":\"1\"}", Refusal::NoSuchCall),
            (b"{\"v\":1,\"command\":\"drop\",\"call\":\"65536.1\"}", Refusal::NoSuchCall),
        ] {
            assert_eq!(Command::parse(line), Err(refusal), "{}", line.escape_ascii());
        }
    }
}
