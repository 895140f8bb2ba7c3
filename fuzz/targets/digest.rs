//! Digest: credentials that are read, that a phone writes and that an engine judges, and the lines of a password file.

use super::rig::{Output, Rig, open_settings, sent};
use siproxd::accounts::account;
use siproxd::engine::Side;
use siproxd::engine::auth::Secret;
use siproxd::sip::digest::{Algorithm, Credentials, Hash, unescaped};

const PASSWORD: &str = "Circle Of Life";
const METHOD: &[u8] = b"REGISTER";
const PHONE: &str = "10.0.0.2:5060";
/// Lines of one input that are read as a password file.
const MOST_LINES: usize = 20;

/// Whatever stands in a header proves nothing; what a phone writes with the right password is read as it was meant and
/// proves it, however it is spelled; and what a line of a password file gives is a user with one secret.
pub fn digest(data: &[u8]) {
    super::quiet();
    read(data);
    write(data);
    judge(data);
    let text = String::from_utf8_lossy(data);
    text.lines().take(MOST_LINES).for_each(line);
}

/// Arbitrary credentials: what is read lies in them, and nobody's password made them.
fn read(data: &[u8]) {
    let Ok(credentials) = Credentials::parse(data) else { return };
    for part in [credentials.user, credentials.realm, credentials.nonce] {
        assert!(data.windows(part.len().max(1)).any(|w| w == part) || part.is_empty());
        assert!(unescaped(part).count() <= part.len());
    }
    let ha1 = Hash::of_password(credentials.algorithm, credentials.user, credentials.realm, PASSWORD.as_bytes());
    let response = credentials.expected(&ha1, METHOD).to_hex();
    let is_written = data.to_ascii_lowercase().windows(response.len()).any(|w| w == response.as_bytes());
    assert!(is_written || !credentials.prove(&ha1, METHOD), "proven without the response");
}

/// Credentials of these values, written in one of many ways.
fn spelled(values: &[&[u8]; 6], choice: u8, response: &str) -> Vec<u8> {
    let [user, realm, nonce, uri, client_nonce, more] = values;
    let algorithm = Algorithm::ALL[usize::from(choice & 3) % Algorithm::ALL.len()].name();
    let all_escaped = choice & 4 != 0;
    let quoted = |text: &[u8]| {
        let mut value = b"\"".to_vec();
        for byte in text {
            if all_escaped || matches!(byte, b'"' | b'\\') {
                value.push(b'\\');
            }
            value.push(*byte);
        }
        value.push(b'"');
        value
    };
    let mut list: Vec<(&str, Vec<u8>)> = vec![
        ("username", quoted(user)),
        ("Realm", quoted(realm)),
        ("nonce", quoted(nonce)),
        ("uri", quoted(uri)),
        ("RESPONSE", format!("\"{response}\"").into()),
        ("algorithm", if all_escaped { format!("\"{algorithm}\"").into() } else { algorithm.into() }),
        ("opaque", quoted(more)),
    ];
    if choice & 8 != 0 {
        list.extend([("cnonce", quoted(client_nonce)), ("nc", b"0000001f".to_vec()), ("qop", b"auth".to_vec())]);
    }
    if choice & 16 != 0 {
        list.reverse();
    }
    let separator: &[u8] = if choice & 32 != 0 { b"\r\n\t,  " } else { b"," };
    let list: Vec<Vec<u8>> = list.into_iter().map(|(name, value)| [name.as_bytes(), b"=", &value].concat()).collect();
    [b"dIGEST ", list.join(separator).as_slice()].concat()
}

/// Values that a phone writes into its credentials, taken from the lines of `data`; the first byte says how.
fn write(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let mut lines = data.split(|byte| *byte == b'\n');
    let values: [&[u8]; 6] = core::array::from_fn(|_| lines.next().unwrap_or_default());
    let [user, realm, nonce, uri, client_nonce, _] = values;
    let has_qop = choice & 8 != 0;
    let is_whole = [user, nonce, uri].iter().all(|value| !value.is_empty()) && !(has_qop && client_nonce.is_empty());
    if !is_whole {
        return;
    }
    let algorithm = Algorithm::ALL[usize::from(choice & 3) % Algorithm::ALL.len()];
    let zeros = "0".repeat(if algorithm == Algorithm::Md5 { 32 } else { 64 });
    let blank = spelled(&values, *choice, &zeros);
    // Escapes make two bytes of one; no header is longer than a datagram.
    if blank.len() > usize::from(u16::MAX) {
        return;
    }
    let credentials = Credentials::parse(&blank).unwrap_or_else(|e| panic!("{e:?} in {}", blank.escape_ascii()));
    assert_eq!(credentials.algorithm, algorithm);
    assert_eq!(credentials.nonce_count, has_qop.then_some(0x1f));
    for (read, written) in [(credentials.user, user), (credentials.realm, realm), (credentials.nonce, nonce)] {
        assert!(unescaped(read).eq(written.iter().copied()), "{}", blank.escape_ascii());
    }
    let ha1 = Hash::of_password(algorithm, user, realm, PASSWORD.as_bytes());
    let response = credentials.expected(&ha1, METHOD).to_hex().to_uppercase();
    // The other way round, with other separators and escapes, it is the same.
    let whole = spelled(&values, choice ^ 52, &response);
    if whole.len() > usize::from(u16::MAX) {
        return;
    }
    let credentials = Credentials::parse(&whole).unwrap();
    assert!(credentials.prove(&ha1, METHOD), "{}", whole.escape_ascii());
    assert!(!credentials.prove(&ha1, b"INVITE"));
    assert!(!credentials.prove(&Hash::of_password(algorithm, user, realm, b"Circle of Life"), METHOD));
}

/// A REGISTER with `credentials` or none, to an engine that wants a password.
fn register(rig: &mut Rig, number: u32, credentials: &[u8]) -> Vec<Output> {
    let head = format!(
        "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKr{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@10.0.0.1>;tag=r\r\nTo: <sip:alice@10.0.0.1>\r\nCall-ID: reg\r\nCSeq: {number} REGISTER\r\n\
         Contact: <sip:alice@{PHONE}>\r\nExpires: 600\r\n"
    );
    let line: &[u8] = if credentials.is_empty() { b"" } else { b"Authorization: " };
    let end: &[u8] = if credentials.is_empty() { b"" } else { b"\r\n" };
    let message = [head.as_bytes(), line, credentials, end, b"Content-Length: 0\r\n\r\n"].concat();
    rig.datagram(Side::Lan, PHONE.parse().unwrap(), &message)
}

/// Nobody gets in with made-up credentials, whatever the realm is called; and with the right ones the phone does.
fn judge(data: &[u8]) {
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let realm = core::str::from_utf8(line).ok().filter(|line| (1..64).contains(&line.len())).unwrap_or("Home");
    let mut rig = Rig::new(&open_settings());
    let account = format!("alice:{PASSWORD}");
    let mut accounts = [account.as_str()].into_iter().map(|account| {
        let (user, secret) = account.split_once(':').unwrap();
        siproxd::engine::auth::Account { user: Some(user), secret: Secret::parse(secret).unwrap() }
    });
    if rig.engine.set_accounts(realm, &mut accounts).is_err() {
        return;
    }
    let challenge = sent(&register(&mut rig, 1, b"")).concat();
    assert!(
        challenge.starts_with("SIP/2.0 401 ") && challenge.contains(&format!("realm=\"{realm}\", ")),
        "{challenge}"
    );
    let flat: Vec<u8> = data.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !flat.is_empty() {
        let outputs = sent(&register(&mut rig, 2, &flat)).concat();
        assert!(!outputs.starts_with("SIP/2.0 2"), "admitted: {}", flat.escape_ascii());
        assert_eq!(rig.engine.usage().bindings, 0);
    }
    let nonce = challenge.split("\", nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let values = [b"alice", realm.as_bytes(), nonce.as_bytes(), b"sip:10.0.0.1", b"c", b""];
    // MD5 and qop, the rest as it comes.
    let choice = 8 + 2 + (data.len() as u8 & 48);
    let zeros = "0".repeat(32);
    let blank = spelled(&values, choice, &zeros);
    let ha1 = Hash::of_password(Algorithm::Md5, b"alice", realm.as_bytes(), PASSWORD.as_bytes());
    let response = Credentials::parse(&blank).unwrap().expected(&ha1, METHOD).to_hex();
    let whole = spelled(&values, choice, &response);
    let outputs = sent(&register(&mut rig, 3, &whole)).concat();
    assert!(outputs.starts_with("SIP/2.0 200 "), "{outputs} to {}", whole.escape_ascii());
    assert!(!sent(&register(&mut rig, 4, &whole)).concat().starts_with("SIP/2.0 2"), "a count twice");
}

/// A line of a password file: the account that it has, written down, is the same account.
fn line(line: &str) {
    let Ok(Some(read)) = account(line) else { return };
    let user = read.user.unwrap();
    assert!(!user.is_empty() && !user.starts_with('#') && !user.contains(char::is_whitespace));
    let secret = match read.secret {
        Secret::Password(password) => password.to_owned(),
        Secret::Ha1(algorithm, hash) => {
            let name = match algorithm {
                Algorithm::Md5 => "md5",
                Algorithm::Sha256 => "sha256",
                Algorithm::Sha512T256 => "sha512-256",
            };
            format!("$ha1-{name}${}", hash.to_hex())
        }
    };
    let written = format!(" {user}\t{secret}  # again");
    let again = account(&written).ok().flatten().unwrap_or_else(|| panic!("{}", written.escape_debug()));
    assert_eq!(again.user, Some(user));
    match (read.secret, again.secret) {
        (Secret::Password(a), Secret::Password(b)) => assert_eq!(a, b),
        (Secret::Ha1(a, x), Secret::Ha1(b, y)) => assert!(a == b && x.is(&y)),
        _ => panic!("another kind of secret: {}", line.escape_debug()),
    }
}
