//! A password file: each line is an account, none, or told by its number; what is taken the engine takes.

use siproxd::accounts::{account, lines};
use siproxd::engine::Engine;
use siproxd::limits::MAX_ACCOUNTS;
use std::sync::Mutex;

static ENGINE: Mutex<Engine> = Mutex::new(Engine::new());

pub fn accounts(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let count = text.lines().count();
    let mut wrong = 0;
    let users = lines(text, &mut |line, column, reason| {
        assert!(line <= count && !reason.is_empty());
        let length = line.checked_sub(1).map_or(0, |at| text.lines().nth(at).unwrap().chars().count());
        assert!(column <= length, "column {column} of {length}");
        wrong += 1;
    });
    if wrong > 0 {
        return;
    }
    assert!(users <= MAX_ACCOUNTS);
    let mut all = text.lines().filter_map(|line| account(line).unwrap());
    let mut engine = ENGINE.lock().unwrap();
    assert_eq!(engine.set_accounts("realm", &mut all), Ok(users));
}
