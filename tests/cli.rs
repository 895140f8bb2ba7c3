//! The built program from outside: its command line, its complaints, its exit codes.

mod home;

use core::time::Duration;
use home::Home;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use siproxd::limits::{MAX_BINDINGS, MAX_CALLS};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;

const GOOD: &str = "if_inbound = lo\nif_outbound = lo\nhost_outbound = 198.51.100.7\n";

fn shown(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn help_and_version_end_with_0() {
    let home = Home::new("help");
    for word in ["-h", "--help"] {
        let (code, out, _) = home.run(&[word]);
        assert_eq!(code, 0);
        for option in ["--config", "--debug", "--pid-file", "--check", "--version"] {
            assert!(out.contains(option), "{out}");
        }
    }
    let (code, out, err) = home.run(&["--version"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], concat!("siproxd ", env!("CARGO_PKG_VERSION")));
    let machine = std::env::consts::ARCH;
    assert!(lines[1].starts_with(&format!("target {machine}-")) && lines[1].contains(", profile "), "{out}");
    assert!(lines[1].contains(", commit ") && !lines[1].ends_with("commit "), "{out}");
    assert!(lines[2].starts_with(&format!("at most {MAX_BINDINGS} registrations, {MAX_CALLS} calls, ")), "{out}");
    assert_eq!(lines.len(), 3, "{out}");
}

#[test]
fn a_wrong_command_line_ends_with_1() {
    let home = Home::new("usage");
    let said = |words: &[&str]| {
        let (code, out, err) = home.run(words);
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}");
        err
    };
    assert_eq!(said(&["--confg=x"]), "siproxd: unknown option --confg=x; did you mean --config?\n");
    assert_eq!(said(&["-x"]), "siproxd: unknown option -x; siproxd --help lists them\n");
    assert_eq!(said(&["-c"]), "siproxd: option -c needs a value\n");
    assert!(said(&["-d", "much"]).contains("not a number"));
}

#[test]
fn nobody_has_to_hear_of_a_failure() {
    let home = Home::new("full");
    home.file("wrong.conf", "sip_listen_prot = 5060\n");
    for words in
        [&["--bogus"][..], &["-c", "wrong.conf"], &["--check", "-c", "wrong.conf"], &["-c", "nowhere.conf", "status"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let status = home.command(words).stdout(Stdio::null()).stderr(full).status().expect("the program");
        assert_eq!(status.code(), Some(1), "{words:?}");
    }
}

#[test]
fn the_file_is_found_by_each_spelling() {
    let home = Home::new("spelling");
    let path = home.file("a.conf", GOOD);
    let path = shown(&path);
    for words in [
        vec!["-c", path],
        vec![&format!("-c{path}")],
        vec!["--config", path],
        vec![&format!("--config={path}")],
        vec!["-c", "a.conf"],
    ] {
        let words = [&words[..], &["--check", "-d", "-1", "-d-1", "--debug=-1", "--debug", "0xff", "-p", "x"]].concat();
        let (code, out, err) = home.run(&words);
        assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
        assert!(out.contains(": OK\n"), "{out}");
    }
}

#[test]
fn without_c_the_home_is_looked_at_first() {
    let home = Home::new("home");
    home.file(".siproxdrc", GOOD);
    let (code, out, _) = home.run(&["--check"]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("{}/.siproxdrc: OK\n", home.0.display())), "{out}");
}

#[test]
fn check_tells_what_the_configuration_comes_to() {
    let home = Home::new("check");
    home.file("a.conf", GOOD);
    let (code, out, _) = home.run(&["--check", "-ca.conf"]);
    assert_eq!(code, 0);
    assert!(out.contains("media on UDP ports 7070 to 7089: room for 5 calls"), "{out}");
    let tables = |out: &str| -> u32 {
        let line = out
            .lines()
            .find_map(|line| line.strip_prefix("at most ")?.split_once(" kB of tables").map(|(number, _)| number));
        line.and_then(|number| number.parse().ok()).expect("a number")
    };
    home.file("b.conf", &format!("{GOOD}rtp_input_dejitter = 60000\n"));
    let (_, with_dejitter, _) = home.run(&["--check", "-cb.conf"]);
    let told = "media held back 60 ms towards the phones, 0 ms towards the Internet; room for 120 packets";
    assert!(with_dejitter.contains(told), "{with_dejitter}");
    // 120 packets of Ethernet's size.
    assert!(tables(&with_dejitter) > tables(&out) + 120 * 1472 / 1024, "{out}{with_dejitter}");

    home.file("b.conf", &format!("{GOOD}load_plugin = plugin_stats.la\n"));
    let (code, out, err) = home.run(&["--check", "-cb.conf"]);
    assert_eq!(code, 2);
    assert!(out.contains("OK"));
    assert!(
        err.starts_with("b.conf:4:15: warning: `plugin_stats` does nothing without `plugin_stats_to_syslog`"),
        "{err}"
    );

    home.file("b.conf", &format!("{GOOD}thread_stack_size = 16\nplugin_demo_string = a\n"));
    let (code, _, err) = home.run(&["--check", "-cb.conf"]);
    assert_eq!((code, err.matches(": note: ").count()), (0, 2), "{err}");
}

#[test]
fn a_bad_file_is_told_by_line_and_ends_with_1() {
    let home = Home::new("bad");
    home.file("bad.conf", "if_inbound = lo\n\nif_outbund = wan0\nrtp_timeout = soon # yes\nsip_listen_port 5060\n");
    let expected = "bad.conf:3:1: unknown directive `if_outbund`; did you mean `if_outbound`?\n\
        bad.conf:4:15: rtp_timeout = soon: not a number; Seconds without media after which a stream is closed, but while it rings. Default: 300.\n\
        bad.conf:5:1: `sip_listen_port 5060` has no `=`; a line is `name = value`; did you mean `sip_listen_port = 5060`?\n";
    for words in [&["-c", "bad.conf"][..], &["-c", "bad.conf", "--check"]] {
        assert_eq!(home.run(words), (1, String::new(), expected.to_owned()));
    }
}

#[test]
fn a_missing_file_ends_with_1() {
    let home = Home::new("missing");
    let (code, _, err) = home.run(&["-c", "none.conf"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("none.conf: cannot be read: No such file or directory"), "{err}");
    let (code, _, err) = home.run(&["-c", "."]);
    assert_eq!(code, 1);
    assert!(err.contains("it is a directory"), "{err}");
}

/// A configuration whose LAN is the loopback, and which disturbs no other test.
fn loopback(home: &Home, more: &str) -> (u16, u16) {
    // Two ports that were free a moment ago.
    let (udp, tcp) =
        (UdpSocket::bind("127.0.0.1:0").expect("a port"), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let (sip, debug) = (udp.local_addr().expect("its number").port(), tcp.local_addr().expect("its number").port());
    let pid_file = home.0.join("pid");
    let pid_file = pid_file.display();
    home.file(
        ".siproxdrc",
        &format!(
            "if_inbound = lo\nif_outbound = none0\nsip_listen_port = {sip}\npid_file = {pid_file}\ncontrol_socket = {}\n{more}\n",
            home.0.join("control.sock").display()
        )
        .replace("DEBUG_PORT", &debug.to_string()),
    );
    (sip, debug)
}

/// Waits for something that takes a moment.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..250 {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("waited for {what}");
}

/// A running daemon, which does not outlive its test.
struct Daemon(Pid);

impl Daemon {
    fn of(home: &Home) -> Self {
        let number = || fs::read_to_string(home.0.join("pid")).ok().filter(|text| text.ends_with('\n'));
        let text = wait_for("the process number", number);
        Self(Pid::from_raw(text.trim().parse().expect("a number")))
    }

    fn send(&self, signal: Signal) {
        kill(self.0, signal).expect("sent");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

fn ask(sip: u16) {
    let request = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\nMax-Forwards: 0\r\n\
        From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: cli\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(request, ("127.0.0.1", sip)).expect("sent");
}

#[test]
fn a_debug_log_of_the_foreground() {
    let home = Home::new("foreground");
    let (sip, _) = loopback(&home, "");
    let recipe = format!("exec {} -d -1 2>debug.log", env!("CARGO_BIN_EXE_siproxd"));
    let mut child =
        Command::new("sh").args(["-c", &recipe]).env("HOME", &home.0).current_dir(&home.0).spawn().expect("sh");
    let daemon = Daemon::of(&home);
    for survived in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        daemon.send(survived);
    }
    ask(sip);
    let log = || fs::read_to_string(home.0.join("debug.log")).unwrap_or_default();
    wait_for("a debug line", || log().contains(" DEBUG ").then_some(()));
    wait_for("how things are", || log().contains("status: 0 calls, 0 media sections on 0 RTP ports").then_some(()));
    wait_for("the signals", || log().contains("SIGUSR2 ignored").then_some(()));
    daemon.send(Signal::SIGTERM);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    assert!(!home.0.join("pid").exists());
}

#[test]
fn lines_that_take_turns_do_not_fill_the_log() {
    let home = Home::new("turns");
    loopback(&home, "");
    let recipe = format!("exec {} 2>log", env!("CARGO_BIN_EXE_siproxd"));
    let mut child =
        Command::new("sh").args(["-c", &recipe]).env("HOME", &home.0).current_dir(&home.0).spawn().expect("sh");
    let daemon = Daemon::of(&home);
    let log = || fs::read_to_string(home.0.join("log")).unwrap_or_default();
    let file = home.0.join(".siproxdrc");
    let text = fs::read_to_string(&file).expect("a configuration");
    let since = std::time::Instant::now();
    for turn in 0..100 {
        fs::write(&file, format!("{text}rtp_timeout = {}\n", 60 + turn % 2)).expect("written");
        let (code, out, _) = home.run(&["reload"]);
        assert!(code == 0 && out.contains("1 directives changed"), "{out}");
    }
    daemon.send(Signal::SIGTERM);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    // Two lines for each reload, and one of the interface that is not there.
    let log = log();
    let (told, written): (Vec<&str>, Vec<&str>) = log
        .lines()
        .skip_while(|line| !line.contains(" before, "))
        .filter(|line| line.contains("reload: ") || line.contains("times more") || line.contains("if_outbound"))
        .partition(|line| line.contains(" times more"));
    let count = |line: &&str| -> usize {
        let (before, _) = line.split_once(" times more").expect("a count");
        before.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    };
    let counted: usize = told.iter().map(count).sum();
    // Of each of the four, eight in half a minute.
    let most = 4 * 8 * (1 + since.elapsed().as_secs() as usize / 30) + 1;
    assert!(written.len() <= most, "{log}");
    assert_eq!(written.len() + counted, 299, "{log}");
}

#[test]
fn a_debug_log_of_the_background_goes_to_netcat() {
    let home = Home::new("background");
    let (sip, debug) =
        loopback(&home, "daemonize = 1\nsilence_log = 1\ndebug_level = -1\ndebug_port = DEBUG_PORT\nuser = nobody");
    let (code, out, _) = home.run(&[]);
    assert_eq!((code, out.as_str()), (0, ""));
    let daemon = Daemon::of(&home);
    let mut reader = BufReader::new(TcpStream::connect(("127.0.0.1", debug)).expect("the debug port"));
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    assert_eq!(line, "Welcome to the log of siproxd\n");
    while !line.contains(" DEBUG ") {
        ask(sip);
        line.clear();
        assert_ne!(reader.read_line(&mut line).expect("a line"), 0);
    }
    daemon.send(Signal::SIGTERM);
    wait_for("its end", || kill(daemon.0, None).err());
}

#[test]
fn a_taken_port_ends_with_1_in_the_background_too() {
    let home = Home::new("taken");
    let (sip, _) = loopback(&home, "daemonize = 1");
    let _taken = UdpSocket::bind(("127.0.0.1", sip)).expect("the port");
    let (code, _, err) = home.run(&[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains(&sip.to_string()), "{err}");
}

/// A pipe on stderr that nobody reads fills up; the daemon goes on, and ends when it is told to.
#[test]
fn a_reader_of_stderr_that_stalls_is_not_waited_for() {
    let home = Home::new("stalled");
    let (port, _) = loopback(&home, "debug_level = -1");
    let mut child = home.command(&[]).stderr(Stdio::piped()).spawn().expect("the program");
    let daemon = Daemon::of(&home);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let request = format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKs;rport\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: stalled\r\nCSeq: 1 OPTIONS\r\nX-Padding: {}\r\n\r\n",
        "x".repeat(1000)
    );
    socket.connect(("127.0.0.1", port)).expect("connected");
    let mut buffer = [0; 4096];
    let mut ask = || -> std::io::Result<bool> {
        socket.send(request.as_bytes())?;
        let length = socket.recv(&mut buffer)?;
        Ok(buffer[..length].starts_with(b"SIP/2.0 200"))
    };
    // Each exchange logs some 3 kB: the 64 KiB of a pipe are full after about twenty.
    for number in 0..100 {
        assert!(ask().expect("an answer"), "answer {number}");
    }
    daemon.send(Signal::SIGTERM);
    let status = child.wait().expect("ended");
    assert!(status.success(), "{status}");
}

#[test]
fn a_second_one_is_told_whose_port_it_wants() {
    let home = Home::new("second");
    let (sip, _) = loopback(&home, "");
    let mut child = home.command(&[]).stderr(Stdio::null()).spawn().expect("the program");
    let daemon = Daemon::of(&home);
    let (code, _, err) = home.run(&[]);
    assert_eq!(code, 1);
    let last = err.lines().last().expect("a line");
    assert!(last.contains(&format!("127.0.0.1:{sip} (UDP)")) && last.contains("in use"), "{err}");
    // And the first one's file is still its own.
    assert_eq!(fs::read_to_string(home.0.join("pid")).expect("the file").trim(), daemon.0.to_string());
    daemon.send(Signal::SIGTERM);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    assert!(!home.0.join("pid").exists());
}

/// What `--check` says of a file, by exit code, without what it says of the machine.
fn checked(home: &Home, text: &str) -> (i32, String) {
    home.file("c.conf", text);
    let (code, _, err) = home.run(&["--check", "-c", "c.conf"]);
    (code, err)
}

#[test]
fn check_looks_at_what_the_system_has() {
    let home = Home::new("system");
    let (code, err) = checked(&home, "if_inbound = lo\nif_outbound = lo0\n");
    assert_eq!(code, 2);
    assert!(
        err.starts_with("c.conf:2:15: warning: `if_outbound`: there is no interface lo0 now; did you mean `lo`?"),
        "{err}"
    );
    let (code, err) = checked(&home, &format!("{GOOD}pid_file = none/pid\n"));
    assert_eq!(code, 1);
    assert!(err.contains("c.conf:4:12: `pid_file`: there is no directory"), "{err}");
    let (code, err) =
        checked(&home, &format!("{GOOD}hosts_allow_reg = 10.0.0.0/8\nhosts_deny_sip = 127.0.0.0/8, ::1\n"));
    assert_eq!(code, 2);
    assert!(err.contains("c.conf:4:19: warning: `hosts_allow_reg` has nothing of the LAN (127.0.0.1/8"), "{err}");
    assert!(err.contains("c.conf:5:18: warning: `hosts_deny_sip` has all of the LAN"), "{err}");
    let target = "load_plugin = plugin_defaulttarget\nplugin_defaulttarget_target = sip:o@127.0.0.1\n";
    let (_, err) = checked(&home, &format!("{GOOD}{target}"));
    assert!(
        err.contains("c.conf:5:31: warning: `plugin_defaulttarget_target` = sip:o@127.0.0.1 is siproxd itself"),
        "{err}"
    );
    for (text, place) in [
        ("user = no-such-account\n", "c.conf:4:8: user = no-such-account: there is no such account"),
        (
            "user = nobody\nchrootjail =  /nonexistent\n",
            "c.conf:5:15: chrootjail = /nonexistent: there is no such directory",
        ),
        ("user = nobody\nregistration_file = /x\n", "c.conf:5:21: warning: nobody cannot replace files in"),
    ] {
        let (_, err) = checked(&home, &format!("{GOOD}{text}"));
        assert!(err.contains(place), "{err}");
    }
}

#[test]
fn check_reads_the_password_file() {
    let home = Home::new("passwords");
    let text = format!("{GOOD}proxy_auth_realm = r\nproxy_auth_pwfile = passwords\n");
    let (code, err) = checked(&home, &text);
    assert_eq!(code, 1);
    assert!(err.contains("c.conf:5:21: proxy_auth_pwfile = ") && err.contains("No such file"), "{err}");
    let path = home.file("passwords", "alice secret\n  bob\n\u{e9} $ha1-md5$12\n");
    let (code, err) = checked(&home, &text);
    assert_eq!(code, 1);
    for place in ["/passwords:2:3: no `user password`", "/passwords:3:1: no `user password`"] {
        assert!(err.contains(place), "{err}");
    }
    assert!(err.contains("can be read by everybody: chmod o-r") && !err.contains("secret"), "{err}");
    let mode = |mode| fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("its mode");
    fs::write(&path, "alice secret\n").expect("written");
    mode(0o600);
    assert_eq!(checked(&home, &text), (0, String::new()));
    fs::write(&path, "# nobody\n").expect("written");
    let (code, err) = checked(&home, &text);
    assert_eq!(code, 2);
    assert!(err.contains("has no account: no phone can register"), "{err}");
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let home = Home::new("nofile");
    let fifo = home.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    for (path, said) in
        [("fifo", "it is no regular file"), ("/dev/zero", "it is no regular file"), (".", "it is a directory")]
    {
        let (code, _, err) = home.run(&["--check", "-c", path]);
        assert_eq!(code, 1);
        assert!(err.contains(said), "{err}");
        let (_, err) = checked(&home, &format!("{GOOD}proxy_auth_realm = r\nproxy_auth_pwfile = {path}\n"));
        assert!(err.contains(said), "{err}");
    }
    home.file("large", &"#\n".repeat(600_000));
    let (code, _, err) = home.run(&["--check", "-c", "large"]);
    assert!(code == 1 && err.contains("larger than 1048576 bytes"), "{err}");
}

#[test]
fn check_tells_programs_what_is_wrong_and_with_which_directive() {
    let home = Home::new("json");
    let json = |text: &str| {
        home.file("c.conf", text);
        let (code, out, err) = home.run(&["--check", "--json", "-c", "c.conf"]);
        assert_eq!(err, "");
        (code, out)
    };
    let end = |lines| format!("{{\"v\":1,\"type\":\"end\",\"command\":\"check\",\"lines\":{lines}}}\n");
    assert_eq!(json(GOOD), (0, end(0)));
    let (code, out) = json("if_inbound = lo\nif_outbound = lo0\n");
    assert_eq!(code, 2);
    assert!(
        out.starts_with(
            "{\"v\":1,\"type\":\"problem\",\"severity\":\"warning\",\"file\":\"c.conf\",\"line\":2,\"column\":15,\
             \"directive\":\"if_outbound\",\"text\":\"`if_outbound`: there is no interface lo0 now;"
        ) && out.ends_with(&end(1)),
        "{out}"
    );
    let (code, out) = json(&format!("{GOOD}rtp_port_low = \"x\nnonsense = 1\n"));
    assert_eq!(code, 1);
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].contains("\"line\":4,\"column\":16,\"directive\":\"rtp_port_low\",\"text\":\"rtp_port_low = \\\"x: "),
        "{out}"
    );
    assert!(lines[1].contains("\"line\":5,\"column\":1,\"text\":\"unknown directive"), "{out}");
    // One that the command line sets is in no line.
    let (code, out, _) = home.run(&["--check", "--json", "-c", "c.conf", "-p", "none/pid"]);
    assert_eq!(code, 1);
    assert!(!out.contains("pid_file"), "the file comes first: {out}");
    home.file("c.conf", GOOD);
    let (_, out, _) = home.run(&["--check", "--json", "-c", "c.conf", "-p", "none/pid"]);
    assert!(out.contains("\"file\":\"c.conf\",\"directive\":\"pid_file\",\"text\":\"`pid_file`: "), "{out}");
    let (code, out, _) = home.run(&["--check", "--json", "-c", "none.conf"]);
    assert!(
        code == 1 && out.contains("\"file\":\"none.conf\",\"text\":\"cannot be read: ") && out.ends_with(&end(1)),
        "{out}"
    );
}
