use super::*;
use crate::time::Duration;

const KEY: Key = Key::new([7; 32]);

/// Nonces with a source of random numbers.
struct Bench {
    nonces: Nonces,
    random: Random,
    now: Instant,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut random = Random::new();
        random.seed(seed);
        Self { nonces: Nonces::new(), random, now: Instant::from_millis(1_000_000) }
    }

    fn issue(&mut self) -> Nonce {
        let text = self.nonces.issue(&KEY, &mut self.random, self.now);
        Nonce::open(&KEY, text.as_bytes()).unwrap()
    }

    fn accepts(&mut self, nonce: Nonce, count: Option<u32>, request: u8) -> bool {
        self.nonces.accept(nonce, count, [request; 16], self.now)
    }
}

#[test]
fn counts_must_rise() {
    let mut bench = Bench::new(1);
    let nonce = bench.issue();
    assert!(bench.accepts(nonce, Some(1), 1));
    assert!(bench.accepts(nonce, Some(1), 1), "a retransmission");
    assert!(!bench.accepts(nonce, Some(1), 2));
    assert!(bench.accepts(nonce, Some(3), 3));
    assert!(!bench.accepts(nonce, Some(2), 2), "it was skipped");
    assert!(!bench.accepts(nonce, Some(1), 1), "a replay");
}

#[test]
fn without_a_count_a_nonce_is_good_once() {
    let mut bench = Bench::new(1);
    let nonce = bench.issue();
    assert!(bench.accepts(nonce, None, 1));
    assert!(bench.accepts(nonce, None, 1), "a retransmission");
    assert!(!bench.accepts(nonce, None, 2));
    assert!(!bench.accepts(nonce, Some(2), 2));
}

#[test]
fn old_and_foreign_ones_are_stale() {
    let mut bench = Bench::new(1);
    let nonce = bench.issue();
    bench.now = bench.now.after(FRESH);
    assert!(bench.accepts(nonce, Some(1), 1));
    bench.now = bench.now.after(Duration::from_millis(1));
    assert!(!bench.accepts(nonce, Some(2), 2));
    let mut after_restart = Bench::new(2);
    let before = bench.issue();
    let after = after_restart.issue();
    assert!(!after_restart.accepts(before, Some(1), 1));
    assert!(after_restart.accepts(after, Some(1), 1));
    assert!(Nonce::open(&Key::new([8; 32]), after.seal(&KEY).as_bytes()).is_none());
    assert!(Nonce::open(&KEY, KEY.seal("binding", &[0; 16]).as_bytes()).is_none());
    assert!(Nonce::open(&KEY, KEY.seal(LABEL, &[0; 15]).as_bytes()).is_none());
}

#[test]
fn what_leaves_a_full_table_cannot_come_back() {
    let mut bench = Bench::new(1);
    let all: Vec<Nonce> = (0..=MAX_NONCES).map(|_| bench.issue()).collect();
    assert!(all.iter().all(|nonce| bench.accepts(*nonce, Some(1), 1)));
    assert!(!bench.accepts(all[0], Some(2), 2), "it had to make room");
    assert!(all[1..].iter().all(|nonce| bench.accepts(*nonce, Some(2), 2)));
}

#[test]
fn accounts_and_their_secrets() {
    let mut auth = Auth::new();
    auth.realm = heapless::String::try_from("Home").unwrap();
    let ha1 = |algorithm| Secret::Ha1(algorithm, Hash::of_password(algorithm, b"101", b"Home", b"secret"));
    auth.add(Account { user: Some("100"), secret: Secret::Password("secret") }).unwrap();
    auth.add(Account { user: Some("101"), secret: ha1(Algorithm::Md5) }).unwrap();
    assert!(Algorithm::ALL.iter().all(|algorithm| auth.takes(*algorithm, b"100") && auth.takes(*algorithm, b"102")));
    assert_eq!(Algorithm::ALL.map(|algorithm| auth.offers(algorithm, b"100")), [false, false, true]);
    assert_eq!(Algorithm::ALL.map(|algorithm| auth.offers(algorithm, b"101")), [false, false, true]);
    auth.add(Account { user: Some("101"), secret: ha1(Algorithm::Sha512T256) }).unwrap();
    assert_eq!(Algorithm::ALL.map(|algorithm| auth.offers(algorithm, b"101")), [false, true, true]);
    auth.add(Account { user: Some("101"), secret: ha1(Algorithm::Sha256) }).unwrap();
    assert_eq!(Algorithm::ALL.map(|algorithm| auth.offers(algorithm, b"101")), [true, false, true]);
    assert_eq!(auth.users.len(), 2);
    assert!(auth.ha1(Algorithm::Md5, b"102").is_none());
    auth.add(Account { user: None, secret: Secret::Password("all") }).unwrap();
    assert!(auth.ha1(Algorithm::Md5, b"102").is_some());
    assert_eq!(format!("{auth:?} {:?}", ha1(Algorithm::Md5)), r#"Auth { realm: "Home", users: 2, .. } Secret(..)"#);
}

#[test]
fn what_is_no_account() {
    let mut auth = Auth::new();
    let mut add = |user: Option<&str>, secret: Secret<'_>| auth.add(Account { user, secret });
    let long = "x".repeat(MAX_PASSWORD + 1);
    assert_eq!(add(Some(""), Secret::Password("a")), Err(AccountError::Name));
    assert_eq!(add(Some(&long), Secret::Password("a")), Err(AccountError::Name));
    assert_eq!(add(None, Secret::Password("")), Err(AccountError::Secret));
    assert_eq!(add(None, Secret::Password(&long)), Err(AccountError::Secret));
    let ha1 = Hash::of_password(Algorithm::Md5, b"", b"", b"");
    assert_eq!(add(None, Secret::Ha1(Algorithm::Md5, ha1)), Err(AccountError::Secret));
    for number in 0..MAX_ACCOUNTS {
        assert_eq!(add(Some(&number.to_string()), Secret::Password("a")), Ok(()));
    }
    assert_eq!(add(Some("one more"), Secret::Password("a")), Err(AccountError::Full));
    assert_eq!(add(Some("0"), Secret::Password("b")), Ok(()));
}
