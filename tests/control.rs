//! The control socket and its commands, against a daemon that runs.

mod home;

use core::time::Duration;
use home::Home;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};

impl Home {
    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// A configuration whose LAN is the loopback, and whose WAN is not there.
    fn configure(&self, name: &str, more: &str) -> PathBuf {
        // A port that was free a moment ago.
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = udp.local_addr().expect("its number").port();
        let (path, socket) = (self.0.join(name), self.socket());
        let text = format!(
            "if_inbound = lo\nif_outbound = none0\nsip_listen_port = {port}\ncontrol_socket = {}\n{more}\n",
            socket.display()
        );
        fs::write(&path, text).expect("a file");
        path
    }

    /// Starts a daemon, and waits until it serves its socket.
    fn start(&self, words: &[&str]) -> Daemon {
        let mut child = self.command(words).stderr(Stdio::piped()).spawn().expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut text = String::new();
        while !text.contains("control socket") {
            assert_ne!(log.read_line(&mut text).expect("a line"), 0, "it ended: {text}");
        }
        Daemon { child, log, text }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream
    }
}

/// A running daemon, which does not outlive its test.
struct Daemon {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    text: String,
}

impl Daemon {
    fn stop(&mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("sent");
        let code = self.child.wait().expect("its end").code();
        let _ = self.log.read_to_string(&mut self.text);
        code
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn status_tells_what_the_daemon_is_and_what_is_wrong_with_it() {
    let home = Home::new("status");
    let config = home.configure("a.conf", "max_calls = 7");
    let mut daemon = home.start(&["-c", "a.conf", "--instance", "office"]);
    let (code, out, err) = home.run(&["status", "-c", "a.conf"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with(&format!("siproxd office {}, process {}, up ", env!("CARGO_PKG_VERSION"), daemon.child.id())),
        "{out}"
    );
    for line in [
        "LAN            lo 127.0.0.1/8",
        "WAN            none0 no address",
        "calls          0 of 7",
        "rtp ports      0 of 20",
    ] {
        assert!(out.lines().any(|found| found.starts_with(line)), "{line}\n{out}");
    }
    assert!(out.contains("\nproblem: WAN interface none0 has no address\n"), "{out}");
    assert!(out.lines().all(|line| line.len() <= 80 || line.starts_with("configuration")), "{out}");

    let (code, out, _) = home.run(&["--json", "-ca.conf", "status"]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("{\"v\":1,\"type\":\"status\",\"version\":"), "{out}");
    assert!(lines[0].contains(&format!("\"config\":\"{}\"", config.display())), "{out}");
    assert_eq!(lines[1], "{\"v\":1,\"type\":\"end\",\"command\":\"status\",\"lines\":1}");

    assert_eq!(daemon.stop(Signal::SIGTERM), Some(0));
    assert!(!home.socket().exists());
    let (code, out, err) = home.run(&["-c", "a.conf", "status"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("siproxd: no siproxd runs here: there is no "), "{err}");
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_replaced_and_one_in_use_is_not() {
    let home = Home::new("stale");
    home.configure("a.conf", "");
    home.configure("b.conf", "");
    let mut first = home.start(&["-c", "a.conf"]);
    let mode = fs::metadata(home.socket()).expect("a socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let (code, _, err) = home.run(&["-c", "b.conf"]);
    assert_eq!(code, 1);
    assert!(err.contains("control_socket ") && err.contains("another siproxd listens on it"), "{err}");
    assert_eq!(home.run(&["-c", "a.conf", "status"]).0, 0, "the first one keeps it");

    first.stop(Signal::SIGKILL);
    assert!(home.socket().exists());
    let (code, _, err) = home.run(&["-c", "a.conf", "status"]);
    assert_eq!(code, 1);
    assert!(err.contains("nobody listens on"), "{err}");
    let second = home.start(&["-c", "b.conf"]);
    assert_eq!(home.run(&["-c", "a.conf", "status"]).0, 0);
    drop(second);

    fs::remove_file(home.socket()).expect("removed");
    fs::write(home.socket(), "precious").expect("a file");
    let (code, _, err) = home.run(&["-c", "b.conf"]);
    assert_eq!(code, 1);
    assert!(err.contains("there is something else of that name"), "{err}");
    assert_eq!(fs::read_to_string(home.socket()).expect("a file"), "precious");
}

#[test]
fn no_socket_is_no_socket() {
    let home = Home::new("off");
    let config = home.configure("a.conf", "");
    let text = fs::read_to_string(&config).expect("a file");
    let socket = home.socket().display().to_string();
    fs::write(&config, text.replace(&socket, "off")).expect("a file");
    let (code, _, err) = home.run(&["-c", "a.conf", "status"]);
    assert_eq!(code, 1);
    assert_eq!(err, "siproxd: a.conf: `control_socket = off`: this daemon takes no commands\n");
    assert!(!home.0.join("off").exists());
}

#[test]
fn the_socket_belongs_to_the_account() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let home = Home::new("account");
    home.configure("a.conf", "user = nobody");
    let nobody = nix::unistd::User::from_name("nobody").expect("accounts").expect("nobody");
    // Where the directory is the account's, it is removed at the end.
    std::os::unix::fs::chown(&home.0, Some(nobody.uid.as_raw()), None).expect("given away");
    let mut daemon = home.start(&["-c", "a.conf"]);
    let found = fs::metadata(home.socket()).expect("a socket");
    assert_eq!((found.uid(), found.gid()), (nobody.uid.as_raw(), nobody.gid.as_raw()));
    assert_eq!(home.run(&["-c", "a.conf", "status"]).0, 0);
    assert_eq!(daemon.stop(Signal::SIGTERM), Some(0));
    assert!(!home.socket().exists());
}

#[test]
fn hostile_clients_change_nothing_for_others() {
    let home = Home::new("hostile");
    home.configure("a.conf", "");
    let mut daemon = home.start(&["-c", "a.conf"]);
    // Half open, with half a line, and one that asks and never reads.
    let silent: Vec<UnixStream> = (0..2).map(|_| home.connect()).collect();
    let mut half = home.connect();
    half.write_all(b"{\"v\":1,\"comm").expect("sent");
    let mut deaf = home.connect();
    deaf.set_nonblocking(true).expect("non-blocking");
    while deaf.write(b"{\"v\":1,\"command\":\"status\"}\n").is_ok() {}
    for number in 0..1000u32 {
        let mut stream = home.connect();
        let garbage: Vec<u8> =
            (0..number % 1500).map(|n| (n.wrapping_mul(number).wrapping_add(n >> 3)) as u8).collect();
        // The daemon may have closed it by then.
        let _ = stream.write_all(&garbage);
        let _ = stream.write_all(b"\n");
        let _ = stream.shutdown(Shutdown::Write);
        let mut text = String::new();
        // A connection that is closed with something unread in it is reset.
        if stream.read_to_string(&mut text).is_ok() {
            assert!(text.contains("\"error\"") || text.is_empty(), "{text}");
        }
    }
    assert_eq!(home.run(&["-c", "a.conf", "status"]).0, 0);
    drop((silent, half, deaf));
    assert_eq!(daemon.stop(Signal::SIGTERM), Some(0));
    assert!(!daemon.text.contains("bug at"), "{}", daemon.text);
}

/// A daemon that says `line` to whoever asks.
fn says(home: &Home, line: &'static str) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(home.socket()).expect("a socket");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = String::new();
        BufReader::new(stream.try_clone().expect("a clone")).read_line(&mut request).expect("a request");
        assert!(request.starts_with("{\"v\":1,\"command\":"), "{request}");
        stream.write_all(line.as_bytes()).expect("answered");
    })
}

#[test]
fn another_version_of_the_daemon_is_understood_or_told() {
    for (line, code, told) in [
        ("{\"v\":2,\"type\":\"hello\"}\n", 1, "the daemon speaks version 2 of the control protocol, this program"),
        ("{\"type\":\"status\"}\n", 1, "the daemon speaks version ? of the control protocol, this program"),
        (
            "{\"v\":1,\"type\":\"error\",\"error\":\"unknown-command\",\"text\":\"no such command\",\"version\":\"0.9.0\"}\n",
            1,
            "siproxd: no such command (siproxd 0.9.0)\n",
        ),
        ("not JSON\n", 1, "says what is no JSON"),
        ("{\"v\":1", 1, "has broken off"),
        ("", 1, "has closed the connection"),
        ("{\"v\":1,\"type\":\"later\",\"x\":[]}\n{\"v\":1,\"type\":\"end\",\"more\":{}}\n", 0, ""),
    ] {
        let home = Home::new("version");
        home.configure("a.conf", "");
        let daemon = says(&home, line);
        let (found, _, err) = home.run(&["-c", "a.conf", "status"]);
        assert_eq!(found, code, "{line}{err}");
        assert!(err.contains(told), "{line}{err}");
        daemon.join().expect("it was asked");
    }
}

#[test]
fn a_reload_is_told_as_a_whole() {
    let home = Home::new("reload");
    let config = home.configure("a.conf", "default_expires = 600");
    let daemon = home.start(&["-c", "a.conf"]);
    let text = fs::read_to_string(&config).expect("a file");
    let reload = || home.run(&["-c", "a.conf", "reload"]);

    let (code, out, err) = reload();
    // An interface that is not there is told of each time, and then the one line.
    assert_eq!((code, err.as_str(), out.lines().count()), (0, "", 2), "{out}");
    assert!(out.starts_with("a.conf:2:15: warning: "), "{out}");

    fs::write(&config, text.replace("= 600", "= 700")).expect("a file");
    let (code, out, _) = reload();
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("\ndefault_expires: 600 before, 700 now\n") && out.contains(" is applied, 1 "), "{out}");

    let port = text.split("sip_listen_port = ").nth(1).and_then(|rest| rest.lines().next()).expect("a port");
    fs::write(&config, text.replace(&format!("sip_listen_port = {port}"), "sip_listen_port = 5999")).expect("a file");
    let (code, out, _) = reload();
    assert_eq!(code, 2, "{out}");
    assert!(out.contains(&format!("needs a restart: sip_listen_port: {port} before, 5999 now\n")), "{out}");
    let (_, out, _) = home.run(&["-c", "a.conf", "--json", "reload"]);
    assert!(out.contains("{\"v\":1,\"type\":\"restart\",\"directive\":\"sip_listen_port\",\"old\":\""), "{out}");
    assert!(out.contains("\"applied\":true,\"changed\":0,\"waiting\":1,"), "{out}");

    fs::write(&config, text.replace("default_expires", "default_expirs")).expect("a file");
    let (code, out, _) = reload();
    assert_eq!(code, 1, "{out}");
    let line = text.lines().position(|line| line.starts_with("default_expires")).expect("the line") + 1;
    assert!(out.contains(&format!("a.conf:{line}:1: unknown directive `default_expirs`")), "{out}");
    assert!(out.contains("nothing has changed"), "{out}");
    let (code, out, _) = home.run(&["-c", "a.conf", "status"]);
    assert!(code == 0 && out.contains(&format!("SIP port       {port}\n")), "{out}");
    drop(daemon);
}

#[test]
fn the_log_comes_with_its_last_lines_and_goes_on() {
    let home = Home::new("log");
    home.configure("a.conf", "debug_level = 0");
    let mut daemon = home.start(&["-c", "a.conf"]);
    let mut reader = home.command(&["-c", "a.conf", "log"]).stdout(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(reader.stdout.take().expect("a pipe")).lines();
    let mut wait_for = |words: &str| {
        let found = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(words)));
        assert!(found.is_some(), "{words}");
    };
    // Of before it connected, and of after.
    wait_for(" INFO  process control socket ");
    kill(Pid::from_raw(daemon.child.id() as i32), Signal::SIGUSR1).expect("sent");
    wait_for("status: 0 calls, 0 media sections");

    // There are places for four; the others are left to those who ask something.
    let more: Vec<_> = (0..3)
        .map(|_| {
            let mut child = home.command(&["-c", "a.conf", "log"]).stdout(Stdio::piped()).spawn().expect("the program");
            // The pipe stays open: who has nobody to write to ends.
            let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
            stdout.read_line(&mut String::new()).expect("a line");
            (child, stdout)
        })
        .collect();
    let (code, _, err) = home.run(&["-c", "a.conf", "log"]);
    assert!(code == 1 && err.contains("as many clients read the log as may"), "{err}");
    assert_eq!(home.run(&["-c", "a.conf", "status"]).0, 0);

    assert_eq!(daemon.stop(Signal::SIGTERM), Some(0));
    for mut child in more.into_iter().map(|(child, _)| child).chain([reader]) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn several_commands_are_answered_in_turn_on_one_connection() {
    let home = Home::new("several");
    home.configure("a.conf", "max_calls = 7\ndebug_level = 4\nrtp_port_low = 7070\nrtp_port_high = 7079");
    let daemon = home.start(&["-c", "a.conf"]);
    let (code, out, err) =
        home.run(&["-c", "a.conf", "--json", "--timeout", "5", "status", "bindings", "calls", "status"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let types: Vec<&str> = out.lines().filter_map(|line| line.split('"').nth(5)).collect();
    assert_eq!(types, ["status", "end", "end", "end", "status", "end"], "{out}");
    for member in [
        "\"rtp_ports\":{\"low\":7070,\"high\":7079}",
        "\"debug\":{\"level\":4,\"temporary\":0,\"remaining\":0}",
        "\"memory\":{\"used\":",
    ] {
        assert!(out.contains(member), "{member}\n{out}");
    }
    assert!(!out.contains("\"debug_port\""), "{out}");
    let (code, out, _) = home.run(&["-c", "a.conf", "bindings", "calls"]);
    assert_eq!((code, out.as_str()), (0, "no registrations\n\nno calls\n"));
    // The first that fails is the last.
    let (code, out, err) = home.run(&["-c", "a.conf", "--json", "bindings", "drop", "1.1", "calls"]);
    assert_eq!((code, out.lines().count()), (1, 1), "{out}");
    assert!(err.starts_with("siproxd: there is no such call;"), "{err}");
    drop(daemon);
}

#[test]
fn the_log_is_read_piece_by_piece_and_debugged_for_a_time() {
    let home = Home::new("debug");
    home.configure("a.conf", "daemonize = 0");
    let daemon = home.start(&["-c", "a.conf"]);
    let json = |words: &[&str]| {
        let (code, out, err) = home.run(&[&["-c", "a.conf", "--json"], words].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out
    };
    let last = |out: &str| {
        let places = out.lines().filter_map(|line| line.split("\"at\":").nth(1)?.trim_end_matches('}').parse().ok());
        places.max().unwrap_or(0u64)
    };
    let all = json(&["log", "--after", "0"]);
    let place = last(&all);
    assert!(all.contains("control socket") && place > 0, "{all}");
    assert_eq!(all, json(&["log", "--after", "18446744073709551615"]));
    assert_eq!(
        json(&["log", "--after", &place.to_string()]),
        "{\"v\":1,\"type\":\"end\",\"command\":\"log\",\"lines\":0}\n"
    );

    let on = json(&["debug", "sip,traffic", "status"]);
    assert!(on.starts_with("{\"v\":1,\"type\":\"debug\",\"classes\":132,\"remaining\":600}\n"), "{on}");
    assert!(on.contains("\"debug\":{\"level\":0,\"temporary\":132,\"remaining\":600}"), "{on}");
    home.run(&["-c", "a.conf", "reload"]);
    let (_, shown, _) = home.run(&["-c", "a.conf", "status"]);
    assert!(shown.contains("\ndebug          debug lines of sip,traffic for "), "{shown}");
    // A second one takes its place, and ends by itself.
    assert!(json(&["debug", "babble", "1"]).contains("\"classes\":1,\"remaining\":1}"));
    let mut reader = home.command(&["-c", "a.conf", "log"]).stdout(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(reader.stdout.take().expect("a pipe")).lines();
    let over = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("debug: as debug_level says again")));
    assert!(over.is_some());
    let _ = reader.kill();
    let _ = reader.wait();
    let since = json(&["log", "--after", &place.to_string(), "status"]);
    assert!(since.contains("debug: sip,traffic for 600 s, besides debug_level"), "{since}");
    assert!(since.contains("debug: babble for 1 s") && !since.contains("control socket "), "{since}");
    assert!(since.contains("\"temporary\":0,\"remaining\":0}"), "{since}");
    drop(daemon);
}

/// A daemon that takes a client and says nothing, or a byte now and then.
#[test]
fn who_is_in_a_hurry_does_not_wait() {
    for drips in [false, true] {
        let home = Home::new(if drips { "drips" } else { "silent" });
        home.configure("a.conf", "");
        let listener = UnixListener::bind(home.socket()).expect("a socket");
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut gone = [0; 64];
            if drips {
                // Until the client has gone.
                while stream.write_all(b" ").is_ok() {
                    std::thread::sleep(Duration::from_millis(100));
                }
            } else {
                while stream.read(&mut gone).is_ok_and(|length| length > 0) {}
            }
        });
        let begun = std::time::Instant::now();
        let (code, out, err) = home.run(&["-c", "a.conf", "--timeout", "1", "status"]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert_eq!(err, "siproxd: the daemon does not answer within 1 seconds\n");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        daemon.join().expect("its end");
    }
}
