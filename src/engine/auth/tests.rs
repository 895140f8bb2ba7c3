use super::*;

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
