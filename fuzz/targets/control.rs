//! Requests on the control socket, and JSON read and written.

use siproxd::control::MAX_LINE;
use siproxd::control::json::{Line, Value, items, members};
use siproxd::control::request::{COMMANDS, Command};

/// What is accepted can be taken apart; a command that is understood has the name it was called by; and what is written can be read again.
pub fn control(data: &[u8]) {
    let command = Command::parse(data);
    if let Ok(text) = core::str::from_utf8(data) {
        let mut name = String::new();
        let is_object = members(text, &mut |(member, value)| {
            visit(value, 0);
            if let ("command", Value::Text(text)) = (member, value) {
                name = text.to_owned();
            }
        });
        if let Ok(command) = command {
            assert!(is_object.is_ok() && command.name() == name, "{name}");
            assert!(COMMANDS.iter().any(|(known, _)| *known == name));
        }
    } else {
        assert!(command.is_err());
    }
    let mut buffer = b"before".to_vec();
    let mut line = Line::new(&mut buffer, MAX_LINE);
    line.bytes("text", data);
    line.array("more");
    line.text("", &String::from_utf8_lossy(data));
    line.end_array();
    if !line.finish() {
        assert_eq!(buffer, b"before");
        return;
    }
    let line = core::str::from_utf8(&buffer).unwrap().strip_prefix("before").unwrap().strip_suffix('\n').unwrap();
    assert!(!line.contains(char::is_control), "one line, and nothing that a terminal obeys");
    let mut read = Vec::new();
    members(line, &mut |(_, value)| match value {
        Value::Array(inner) => items(inner, &mut |value| read.push(value.text().unwrap().to_string())).unwrap(),
        value => read.push(value.text().unwrap().to_string()),
    })
    .unwrap();
    assert_eq!(read, [String::from_utf8_lossy(data), String::from_utf8_lossy(data)]);
}

/// Takes a value apart: what was accepted as a whole is accepted in its parts.
fn visit(value: Value<'_>, depth: usize) {
    assert!(depth < 20);
    match value {
        Value::Text(_) => drop(value.text().unwrap().to_string()),
        Value::Object(text) => members(text, &mut |(_, value)| visit(value, depth + 1)).unwrap(),
        Value::Array(text) => items(text, &mut |value| visit(value, depth + 1)).unwrap(),
        Value::Number(digits) => assert!(digits.parse::<f64>().is_ok()),
        Value::Bool(_) | Value::Null => {}
    }
}
