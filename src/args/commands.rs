//! The words that are no options: commands for a daemon that runs, each with what belongs to it.

use crate::config::nearest;
use crate::control::request::{COMMANDS, Command, MAX_DEBUG, Refusal, handle};
use crate::log_class;

/// For how many seconds debug lines are switched on where nothing is said.
const DEBUG: u32 = 600;

/// Takes them apart; `after` belongs to `log`.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn parse(words: &[String], after: Option<u64>) -> Result<Vec<Command>, String> {
    let (mut commands, mut words) = (Vec::new(), words.iter().peekable());
    while let Some(word) = words.next() {
        let Some((_, command)) = COMMANDS.iter().find(|(name, _)| name == word) else { return Err(unknown(word)) };
        commands.push(match command {
            Command::Drop(_) => {
                let call = words.next().ok_or("drop which call? `siproxd calls` has their numbers")?;
                Command::Drop(handle(call).ok_or(Refusal::NoSuchCall.words().1)?)
            }
            Command::Log(_) => Command::Log(after),
            Command::Debug { .. } => {
                let classes =
                    words.next().ok_or("debug what? Classes as debug_level has them: a sum, or like sip,reg")?;
                let number = |word: &&String| word.starts_with(|c: char| c.is_ascii_digit());
                let seconds = words.next_if(number).map_or(Ok(DEBUG), |word| seconds(word))?;
                match &**classes {
                    "off" => Command::Debug { classes: 0, seconds: 0 },
                    classes => Command::Debug { classes: bits(classes)?, seconds },
                }
            }
            other => *other,
        });
    }
    Ok(commands)
}

/// Classes as a sum or by their names.
fn bits(classes: &str) -> Result<u32, String> {
    let bits = log_class::bits(classes).or_else(|| super::mask(classes).ok());
    bits.ok_or_else(|| format!("no classes: `{classes}`; a sum as for debug_level, or names like sip,reg"))
}

fn seconds(word: &str) -> Result<u32, String> {
    let seconds = word.parse().ok().filter(|seconds| *seconds <= MAX_DEBUG);
    seconds.ok_or_else(|| format!("debug for `{word}` seconds? At most {MAX_DEBUG}"))
}

fn unknown(word: &str) -> String {
    match nearest(word, COMMANDS.iter().map(|(name, _)| *name)) {
        Some(meant) => format!("unknown command `{word}`; did you mean {meant}?"),
        None => format!("unexpected `{word}`; a configuration file is given as -c {word}"),
    }
}
