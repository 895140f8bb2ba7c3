//! A reload in the running event loop: applied whole or not at all, and what it touches.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use siproxd::accounts::Accounts;
use siproxd::config::Source;
use siproxd::engine::Engine;
use siproxd::net::event_loop::EventLoop;
use siproxd::reload::Reload;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;

/// An event loop on the loopback, with its configuration in a directory of its own.
struct Rig {
    directory: PathBuf,
    engine: Box<Engine>,
    event_loop: EventLoop,
    head: String,
}

impl Rig {
    fn new(name: &str, text: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("siproxd-reload-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let head = format!("if_inbound = lo\nif_outbound = none0\nsip_listen_port = {sip}\n");
        let file = directory.join("siproxd.conf");
        fs::write(&file, format!("{head}{text}")).unwrap();
        let mut source = Source::new(Some(&file), None, None, None);
        let (config, _) = source.read().unwrap();
        let mut engine = Box::new(Engine::new());
        Accounts::read(&config).unwrap().give_to(&mut engine);
        engine.configure(&config.engine_settings());
        let event_loop = EventLoop::open(config.into(), source).unwrap();
        Self { directory, engine, event_loop, head }
    }

    /// Writes the file anew, and reloads.
    fn reload(&mut self, text: &str) -> Reload {
        fs::write(self.directory.join("siproxd.conf"), format!("{}{text}", self.head)).unwrap();
        self.event_loop.reload(&mut self.engine)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The names of what was applied, and of what waits.
fn names(reload: &Reload) -> [Vec<&'static str>; 2] {
    [&reload.applied, &reload.restart].map(|list| list.iter().map(|change| change.name).collect())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_can_be_is_applied_and_the_rest_is_named() {
    let mut rig = Rig::new("applied", "");
    let reload = rig.reload("rtp_timeout = 60\nuser = nobody\nmax_calls = 0\nrtp_input_dejitter = 40000\n");
    assert_eq!(names(&reload), [vec!["rtp_timeout", "rtp_input_dejitter", "max_calls"], vec!["user"]]);
    assert!(reload.is_applied());
    let text = reload.to_string();
    assert!(text.contains("reload: `user` needs a restart: nothing stays until then, nobody waits\n"), "{text}");
    assert!(text.ends_with("is applied, 3 directives changed, 1 wait for a restart\n"), "{text}");
    // What waits is told of each time, what is applied once.
    let reload = rig.reload("rtp_timeout = 60\nuser = nobody\nmax_calls = 0\nrtp_input_dejitter = 40000\n");
    assert_eq!(names(&reload), [vec![], vec!["user"]]);
    assert_eq!(names(&rig.reload("")), [vec!["rtp_timeout", "rtp_input_dejitter", "max_calls"], vec![]]);
}

#[test]
fn an_interface_that_is_not_there_is_named_as_at_start() {
    let mut rig = Rig::new("interface", "");
    rig.head = rig.head.replace("none0", "lo0");
    let reload = rig.reload("");
    assert!(reload.is_applied());
    let text = reload.to_string();
    assert!(
        text.contains("siproxd.conf:2:15: warning: `if_outbound`: there is no interface lo0 now; did you mean `lo`?"),
        "{text}"
    );
    assert!(text.contains("reload: `if_outbound` needs a restart: none0 stays until then, lo0 waits\n"), "{text}");
}

#[test]
fn an_error_leaves_all_as_it_was() {
    let mut rig = Rig::new("error", "rtp_timeout = 50\n");
    let reload = rig.reload("rtp_timeout = 60\nrtp_dscp = 99\n");
    assert!(!reload.is_applied());
    let text = reload.to_string();
    assert!(text.contains("siproxd.conf:5:12: rtp_dscp = 99: not from 0 to 63"), "{text}");
    assert!(text.ends_with("reload: nothing has changed, the old configuration stays\n"), "{text}");

    // A password file that is not there, or is wrong in one line.
    let passwords = rig.directory.join("passwords");
    let text = format!("rtp_timeout = 60\nproxy_auth_realm = r\nproxy_auth_pwfile = {}\n", passwords.display());
    let reload = rig.reload(&text);
    assert!(!reload.is_applied() && reload.to_string().contains("No such file"), "{reload}");
    fs::write(&passwords, "alice secret\nbob\n").unwrap();
    let reload = rig.reload(&text);
    assert!(reload.to_string().contains("passwords:2:1: no `user password`"), "{reload}");
    assert!(!reload.to_string().contains("secret"), "{reload}");

    // The debug port is another's.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let reload = rig.reload(&format!("rtp_timeout = 60\ndebug_port = {port}\n"));
    assert!(!reload.is_applied() && reload.to_string().contains("cannot open debug_port"), "{reload}");

    // No file at all.
    fs::remove_file(rig.directory.join("siproxd.conf")).unwrap();
    let reload = rig.event_loop.reload(&mut rig.engine);
    assert!(!reload.is_applied() && reload.to_string().contains("No such file"), "{reload}");

    // Nothing of all that was applied: the change is still one.
    assert_eq!(names(&rig.reload("rtp_timeout = 60\n")), [vec!["rtp_timeout"], vec![]]);
}

#[test]
fn the_debug_port_moves_with_its_directives() {
    let (first, second) = (free_port(), free_port());
    let mut rig = Rig::new("debug", &format!("debug_port = {first}\n"));
    let connects = |address: &str, port: u16| TcpStream::connect((address, port)).is_ok();
    assert!(connects("127.0.0.1", first));
    assert!(rig.reload(&format!("debug_port = {second}\n")).is_applied());
    assert!(connects("127.0.0.1", second) && !connects("127.0.0.1", first));
    // The same port on all addresses, and back: it is ours that is in the way.
    assert!(rig.reload(&format!("debug_port = {second}\ndebug_bind = 0.0.0.0\n")).is_applied());
    assert!(connects("127.0.0.2", second));
    assert!(rig.reload(&format!("debug_port = {second}\n")).is_applied());
    assert!(connects("127.0.0.1", second) && !connects("127.0.0.2", second));
    // Another has the port on that address: it stays where it was.
    let _taken = TcpListener::bind(("127.0.0.3", second)).unwrap();
    assert!(!rig.reload(&format!("debug_port = {second}\ndebug_bind = 0.0.0.0\n")).is_applied());
    assert!(connects("127.0.0.1", second));
    assert!(rig.reload("").is_applied());
    assert!(!connects("127.0.0.1", second));
}
