//! Requests: one JSON object a line, `{"v":1,"command":"status"}`.

use super::PROTOCOL;
use super::json::{self, Value};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// How the daemon is.
    Status,
    /// The registrations.
    Bindings,
    /// The calls that there are.
    Calls,
}

/// Each command with its name.
pub const COMMANDS: [(&str, Command); 3] =
    [("status", Command::Status), ("bindings", Command::Bindings), ("calls", Command::Calls)];

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON object, or has no `v` or `command`.
    Malformed,
    /// It is longer than [`super::MAX_REQUEST`].
    TooLong,
    /// It is of another version of the protocol.
    Version,
    /// There is no such command.
    UnknownCommand,
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
        }
    }

    /// Whether nothing that follows can be understood either.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::UnknownCommand)
    }
}

impl Command {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        COMMANDS.iter().find(|(_, command)| *command == self).map_or("drop", |(name, _)| name)
    }

    /// Takes one line without its end. Members that are not known are ignored.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let text = core::str::from_utf8(line).map_err(|_| Refusal::Malformed)?;
        let (mut version, mut name) = (None, None);
        let read = json::members(text, &mut |(member, value)| match (member, value) {
            ("v", value) => version = value.number(),
            ("command", Value::Text(text)) => name = Some(text),
            _ => {}
        });
        read.map_err(|_| Refusal::Malformed)?;
        if version.ok_or(Refusal::Malformed)? != PROTOCOL {
            return Err(Refusal::Version);
        }
        let name = name.ok_or(Refusal::Malformed)?;
        let known = COMMANDS.iter().find(|(known, _)| *known == name);
        known.map(|(_, command)| *command).ok_or(Refusal::UnknownCommand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_known_by_its_name() {
        for (name, command) in COMMANDS {
            let line = format!("{{\"v\":1,\"command\":\"{name}\"}}");
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
    fn a_request_that_is_none_is_told_why() {
        for (line, refusal) in [
            (&b""[..], Refusal::Malformed),
            (b"status", Refusal::Malformed),
            (b"{\"command\":\"status\"}", Refusal::Malformed),
            (b"{\"v\":\"1\",\"command\":\"status\"}", Refusal::Malformed),
            (b"{\"v\":1}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":1}", Refusal::Malformed),
            (b"{\"v\":1,\"command\":\"\xff\"}", Refusal::Malformed),
            (b"{\"v\":2,\"command\":\"status\"}", Refusal::Version),
            (b"{\"v\":2}", Refusal::Version),
            (b"{\"v\":1,\"command\":\"Status\"}", Refusal::UnknownCommand),
        ] {
            assert_eq!(Command::parse(line), Err(refusal), "{}", line.escape_ascii());
        }
    }
}
