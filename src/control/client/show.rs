//! Answers for people. Every line fits into 80 columns, as far as names let it.

use super::object::{Object, plain};
use crate::log_class::Names;
use std::io::{self, Write};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Shows one line of an answer, the `number`th from zero.
pub(super) fn line(out: &mut dyn Write, number: u64, answer: &Object<'_>) -> io::Result<()> {
    let is_first = number == 0;
    match answer.text("type").as_str() {
        "status" => status(out, answer),
        "binding" => binding(out, is_first, answer),
        "call" => call(out, is_first, answer),
        "ended" => ended(out, is_first, answer),
        "refusal" => refusal(out, is_first, answer),
        "stats" => stats(out, answer),
        "dropped" => dropped(out, answer),
        "log" => writeln!(out, "{}", answer.text("line")),
        "debug" => {
            writeln!(out, "{}", debugging(answer).unwrap_or_else(|| "debug lines as debug_level says".to_owned()))
        }
        "problem" => problem(out, answer),
        "restart" => change(out, "needs a restart: ", answer),
        "applied" => change(out, "", answer),
        "reload" => writeln!(out, "{}", answer.text("text")),
        "end" if is_first => match answer.text("command").as_str() {
            "bindings" => writeln!(out, "no registrations"),
            "calls" => writeln!(out, "no calls"),
            "history" => writeln!(out, "no call has ended yet"),
            "refusals" => writeln!(out, "no registration has failed lately"),
            _ => Ok(()),
        },
        // Of a later daemon.
        _ => Ok(()),
    }
}

/// A name cut to what there is room for.
fn cut(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let mut text: String = name.chars().take(room - 1).collect();
    text.push('~');
    text
}

/// A URI without its scheme and parameters.
fn bare(uri: &str) -> &str {
    let rest = uri.strip_prefix("sip:").unwrap_or(uri);
    rest.split(';').next().unwrap_or(rest)
}

fn binding(out: &mut dyn Write, is_first: bool, answer: &Object<'_>) -> io::Result<()> {
    if is_first {
        writeln!(out, "{:<26} {:<21} {:>8} REGISTRAR", "ADDRESS-OF-RECORD", "PHONE", "EXPIRES")?;
    }
    let state = match answer.text("state") {
        valid if valid == "valid" => duration(answer.number("expires_in").unwrap_or(0)),
        other => other,
    };
    let (aor, phone) = (cut(&answer.text("aor"), 26), answer.text("phone"));
    writeln!(out, "{aor:<26} {phone:<21} {state:>8} {}", answer.text("registrar"))
}

fn call(out: &mut dyn Write, is_first: bool, answer: &Object<'_>) -> io::Result<()> {
    if is_first {
        heading(out)?;
    }
    let time = answer.number("answered_ago").or_else(|| answer.number("age")).unwrap_or(0);
    let (id, state, time) = (answer.text("id"), answer.text("state"), duration(time));
    let media: Vec<Object<'_>> = answer.items("media").into_iter().map(Object::from).collect();
    for (name, [id, state, time], mark) in [("caller", [&*id, &*state, &*time], ""), ("callee", [""; 3], "> ")] {
        let sent: Vec<Object<'_>> = media.iter().map(|section| section.object(name)).collect();
        let packets: u64 = sent.iter().filter_map(|sent| sent.number("packets")).sum();
        // The section whose quality is told is the first with RTP, as at the end of a call.
        let quality = sent.iter().find(|sent| sent.number("rtp").is_some_and(|rtp| rtp > 0));
        let figure = |name: &str| quality.map_or_else(String::new, |sent| sent.text(name));
        let party = cut(&format!("{mark}{}", bare(&answer.object(name).text("uri"))), 25);
        let (loss, jitter, mos) = (figure("loss_percent"), figure("jitter_ms"), figure("mos"));
        writeln!(out, "{id:<7} {state:<8} {time:>8}  {party:<25} {packets:>7} {loss:>6} {jitter:>6} {mos:>4}")?;
    }
    let verdict = answer.text("verdict");
    if verdict.is_empty() { Ok(()) } else { wrapped(out, &verdict) }
}

fn heading(out: &mut dyn Write) -> io::Result<()> {
    let [id, state, time, party] = ["CALL", "STATE", "TIME", "CALLER, > CALLEE"];
    writeln!(out, "{id:<7} {state:<8} {time:>8}  {party:<25} PACKETS  LOSS% JIT/ms  MOS")
}

fn ended(out: &mut dyn Write, is_first: bool, answer: &Object<'_>) -> io::Result<()> {
    if is_first {
        let [ago, talked, party] = ["AGO", "TALKED", "CALLER, > CALLEE"];
        writeln!(out, "{ago:>9} {talked:>9}  {party:<25} PACKETS  REASON")?;
    }
    let ago = duration(answer.number("ago").unwrap_or(0));
    let talked = answer.number("talked").map_or_else(|| "-".to_owned(), duration);
    let reason = answer.text("reason");
    for (name, [ago, talked, reason], mark) in [("caller", [&*ago, &*talked, &*reason], ""), ("callee", [""; 3], "> ")]
    {
        let party = answer.object(name);
        let (uri, packets) = (cut(&format!("{mark}{}", bare(&party.text("uri"))), 25), party.text("packets"));
        writeln!(out, "{ago:>9} {talked:>9}  {uri:<25} {packets:>7}  {}", cut(reason, 23))?;
    }
    let verdict = answer.text("verdict");
    if verdict.is_empty() { Ok(()) } else { wrapped(out, &verdict) }
}

fn refusal(out: &mut dyn Write, is_first: bool, answer: &Object<'_>) -> io::Result<()> {
    if is_first {
        writeln!(out, "{:>9} {:>6}  {:<30} PHONE", "AGO", "TIMES", "ADDRESS-OF-RECORD")?;
    }
    let (ago, times) = (duration(answer.number("ago").unwrap_or(0)), answer.text("times"));
    let (aor, phone) = (cut(&answer.text("aor"), 30), answer.text("phone"));
    writeln!(out, "{ago:>9} {times:>6}  {aor:<30} {phone}")?;
    let by = match answer.text("registrar") {
        own if own == "own" => "siproxd itself".to_owned(),
        server => server,
    };
    wrapped(out, &format!("{} from {by}: {}", answer.text("code"), answer.text("text")))
}

/// A sentence in lines, indented.
fn wrapped(out: &mut dyn Write, text: &str) -> io::Result<()> {
    const INDENT: usize = 8;
    let mut column = INDENT;
    write!(out, "{:INDENT$}", "")?;
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            write!(out, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if number > 0 {
            out.write_all(b" ")?;
            column += 1;
        }
        out.write_all(word.as_bytes())?;
        column += length;
    }
    writeln!(out)
}

/// Hours, minutes and seconds, with days where there are any.
pub(super) fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes:02}:{rest:02}"),
        1..48 => format!("{hours}:{minutes:02}:{rest:02}"),
        _ => format!("{} d {}:{minutes:02}", hours / 24, hours % 24),
    }
}

fn row(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<15}{value}")
}

fn stats(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    let mut rows = Vec::new();
    for (group, mark) in [("counters", ""), ("refused", "refused: ")] {
        answer.object(group).each(&mut |name, value| {
            rows.push((format!("{mark}{}", name.replace('_', " ")), value.number().unwrap_or(0)));
        });
    }
    answer.object("hooks").each(&mut |name, hook| {
        Object::from(hook).each(&mut |what, value| {
            rows.push((format!("{}: {what}", name.trim_start_matches("plugin_")), value.number().unwrap_or(0)));
        });
    });
    writeln!(out, "since the start {} ago", duration(answer.number("uptime").unwrap_or(0)))?;
    rows.iter().try_for_each(|(name, count)| writeln!(out, "{name:<30}{count:>10}"))
}

/// As the daemon's own complaint about its configuration: `FILE:LINE:COLUMN: what`.
fn problem(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    write!(out, "{}", answer.text("file"))?;
    for number in ["line", "column"].into_iter().filter_map(|name| answer.number(name)) {
        write!(out, ":{number}")?;
    }
    match answer.text("severity") {
        severity if severity == "error" => writeln!(out, ": {}", answer.text("text")),
        severity => writeln!(out, ": {severity}: {}", answer.text("text")),
    }
}

fn change(out: &mut dyn Write, mark: &str, answer: &Object<'_>) -> io::Result<()> {
    let value = |name| match answer.text(name) {
        none if none.is_empty() => "nothing".to_owned(),
        some => some,
    };
    writeln!(out, "{mark}{}: {} before, {} now", answer.text("directive"), value("old"), value("new"))
}

/// What is debugged for a time; `None` where nothing is.
fn debugging(answer: &Object<'_>) -> Option<String> {
    let number = |name| answer.number(name).filter(|number| *number > 0);
    let classes = number("classes").or_else(|| number("temporary"))?;
    let left = duration(number("remaining")?);
    Some(format!("debug lines of {} for {left}", Names(u32::try_from(classes).unwrap_or(u32::MAX))))
}

fn dropped(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    let call = answer.text("call");
    match (answer.number("byes"), answer.number("cancelled")) {
        (_, Some(1..)) => writeln!(out, "call {call}: cancelled, it had not been answered"),
        (Some(2), _) => writeln!(out, "call {call}: ended, both parties get a BYE"),
        (Some(1), _) => {
            writeln!(out, "call {call}: its media is closed; one party gets a BYE, too little is known of the other")
        }
        _ => writeln!(out, "call {call}: its media is closed; no party is told, too little is known of the dialog"),
    }
}

fn status(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    let instance = match answer.text("instance") {
        name if name.is_empty() => name,
        name => format!(" {name}"),
    };
    let (version, pid) = (answer.text("version"), answer.text("pid"));
    let uptime = duration(answer.number("uptime").unwrap_or(0));
    writeln!(out, "siproxd{instance} {version}, process {pid}, up {uptime}")?;
    row(out, "configuration", &answer.text("config"))?;
    for (name, side) in [("LAN", answer.object("lan")), ("WAN", answer.object("wan"))] {
        let addresses = match side.list("addresses") {
            none if none.is_empty() => "no address".to_owned(),
            some => some,
        };
        row(out, name, &format!("{} {addresses}", side.text("interface")))?;
    }
    match answer.text("host_outbound") {
        none if none.is_empty() => (),
        address => row(out, "public address", &address)?,
    }
    row(out, "SIP port", &answer.text("sip_port"))?;
    let mut tables = Vec::new();
    answer.object("tables").each(&mut |name, table| {
        let table = Object::from(table);
        tables.push((name.replace('_', " "), table.text("used"), table.text("limit")));
    });
    for (name, used, limit) in tables {
        row(out, &name, &format!("{used} of {limit}"))?;
    }
    let ports = answer.object("rtp_ports");
    if let (Some(low), Some(high)) = (ports.number("low"), ports.number("high")) {
        row(out, "media", &format!("UDP ports {low} to {high}"))?;
    }
    let memory = answer.object("memory");
    if let (Some(used), Some(limit)) = (memory.number("used"), memory.number("limit")) {
        row(out, "memory", &format!("{} kB in use, tables take {} kB at most", used / 1024, limit / 1024))?;
    }
    if let Some(debugging) = debugging(&answer.object("debug")) {
        row(out, "debug", &debugging)?;
    }
    let dns = answer.object("dns");
    row(out, "nameservers", &dns.list("servers"))?;
    for problem in answer.items("problems") {
        writeln!(out, "problem: {}", plain(problem))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: u64, answer: &str) -> String {
        let mut out = Vec::new();
        line(&mut out, number, &Object::parse(answer).expect("JSON")).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_call_is_two_lines_and_what_is_wrong_with_it() {
        let party = |packets| {
            format!(
                "{{\"packets\":{packets},\"rtp\":{packets},\"loss_percent\":100.00,\"jitter_ms\":1234.56,\"mos\":4.41}}"
            )
        };
        let answer = format!(
            "{{\"v\":1,\"type\":\"call\",\"id\":\"511.999\",\"state\":\"answered\",\"age\":9,\"answered_ago\":359999,\
             \"caller\":{{\"uri\":\"sip:a\\u001b[2J@example.org;user=phone\"}},\"callee\":{{\"uri\":\"sip:{}@b\"}},\
             \"media\":[{{\"caller\":{{\"packets\":5,\"rtp\":0}},\"callee\":{}}},{{\"caller\":{},\"callee\":{}}}],\
             \"verdict\":\"the far end 198.51.100.7 changed the codec without an offer: 25 packets of payload type 9\"}}",
            "5".repeat(40),
            party(1),
            party(9_999_994),
            party(2)
        );
        let text = shown(0, &answer);
        assert_eq!(
            text,
            "CALL    STATE        TIME  CALLER, > CALLEE          PACKETS  LOSS% JIT/ms  MOS\n\
             511.999 answered 4 d 3:59  a\u{fffd}[2J@example.org         9999999 100.00 1234.56 4.41\n\
             \x20                          > 5555555555555555555555~       3 100.00 1234.56 4.41\n\
             \x20       the far end 198.51.100.7 changed the codec without an offer: 25 packets\n\
             \x20       of payload type 9\n"
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(!shown(1, &answer).contains("STATE"));
        assert_eq!(shown(0, "{\"type\":\"end\",\"command\":\"calls\"}"), "no calls\n");
        assert_eq!(shown(1, "{\"type\":\"end\",\"command\":\"calls\"}"), "");
    }

    #[test]
    fn a_call_that_has_ended_is_two_lines_and_what_was_wrong() {
        let answer = "{\"type\":\"ended\",\"ago\":65,\"lasted\":70,\"talked\":62,\"reason\":\"no media for rtp_timeout seconds\",\
                      \"caller\":{\"uri\":\"sip:alice@example.org\",\"packets\":3100},\"callee\":{\"uri\":\"sip:bob@example.org\",\"packets\":0},\
                      \"verdict\":\"nothing came from the far end\"}";
        let text = shown(0, answer);
        assert_eq!(
            text,
            "      AGO    TALKED  CALLER, > CALLEE          PACKETS  REASON\n\
             \x20   01:05     01:02  alice@example.org            3100  no media for rtp_timeo~\n\
             \x20                    > bob@example.org               0  \n\
             \x20       nothing came from the far end\n"
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        let missed = answer.replace("\"talked\":62,", "");
        assert!(shown(1, &missed).starts_with("    01:05         -  alice@"), "{}", shown(1, &missed));
        assert_eq!(shown(0, "{\"type\":\"end\",\"command\":\"history\"}"), "no call has ended yet\n");
    }

    #[test]
    fn a_refusal_is_a_line_and_its_reason() {
        let answer = "{\"type\":\"refusal\",\"aor\":\"a\\u001b@example.org\",\"phone\":\"192.168.1.20:5060\",\
                      \"registrar\":\"198.51.100.100:5060\",\"code\":401,\"text\":\"the password is wrong, or the account is not known there\",\
                      \"ago\":65,\"times\":1234}";
        let text = shown(0, answer);
        assert_eq!(
            text,
            "      AGO  TIMES  ADDRESS-OF-RECORD              PHONE\n\
             \x20   01:05   1234  a\u{fffd}@example.org                 192.168.1.20:5060\n\
             \x20       401 from 198.51.100.100:5060: the password is wrong, or the account is\n\
             \x20       not known there\n"
        );
        let own = answer.replace("198.51.100.100:5060", "own");
        assert!(shown(1, &own).contains("401 from siproxd itself: the "), "{}", shown(1, &own));
        assert_eq!(shown(0, "{\"type\":\"end\",\"command\":\"refusals\"}"), "no registration has failed lately\n");
    }

    #[test]
    fn a_binding_is_one_line() {
        let answer = "{\"type\":\"binding\",\"aor\":\"a@example.org\",\"state\":\"valid\",\"phone\":\"192.168.1.20:5060\",\
                      \"registrar\":\"198.51.100.100:5060\",\"expires_in\":3599}";
        let text = shown(0, answer);
        assert_eq!(
            text,
            "ADDRESS-OF-RECORD          PHONE                  EXPIRES REGISTRAR\n\
             a@example.org              192.168.1.20:5060        59:59 198.51.100.100:5060\n"
        );
        let pending = answer.replace("valid", "pending").replace("198.51.100.100:5060", "");
        assert_eq!(shown(1, &pending), "a@example.org              192.168.1.20:5060      pending \n");
    }

    #[test]
    fn durations_stay_short() {
        assert_eq!(duration(0), "00:00");
        assert_eq!(duration(3599), "59:59");
        assert_eq!(duration(3600), "1:00:00");
        assert_eq!(duration(3 * 86_400 + 7260), "3 d 2:01");
    }
}
