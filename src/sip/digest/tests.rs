use super::*;
use proptest::prelude::*;

fn proven(value: &str, user: &str, realm: &str, password: &str, method: &str) -> bool {
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    let ha1 = Hash::of_password(credentials.algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes());
    credentials.prove(&ha1, method.as_bytes())
}

#[test]
fn rfc_2617_section_3_5() {
    let value = r#"Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b",
        response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    assert!(proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET"));
    assert!(!proven(value, "Mufasa", "testrealm@host.com", "Circle of Life", "GET"));
    assert!(!proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "PUT"));
    assert!(!proven(value, "Simba", "testrealm@host.com", "Circle Of Life", "GET"));
}

#[test]
fn without_qop_as_in_rfc_2069() {
    let value = r#"Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri="/dir/index.html", response="670FD8C2DF070C60B045671B8B24FF02""#;
    assert!(proven(value, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET"));
    assert_eq!(Credentials::parse(value.as_bytes()).unwrap().nonce_count, None);
}

#[test]
fn rfc_7616_section_3_9_1() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let value = format!(
            r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm},
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}",
            opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
        );
        assert!(proven(&value, "Mufasa", "http-auth@example.org", "Circle of Life", "GET"), "{algorithm}");
    }
}

/// RFC 7616 §3.9.2 as corrected by erratum 4897: the published numbers were of another hash.
#[test]
fn rfc_7616_section_3_9_2() {
    let value = r#"digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, username="Jäsøn Doe", realm="api@example.org",
        uri="/doe.json", algorithm="SHA-512-256", nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001,
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop="auth",
        response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5""#;
    assert!(proven(value, "Jäsøn Doe", "api@example.org", "Secret, or not?", "GET"));
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!((credentials.algorithm, credentials.nonce_count), (Algorithm::Sha512T256, Some(1)));
}

#[test]
fn quoted_pairs_stand_for_what_they_hide() {
    let ha1 = Hash::of_password(Algorithm::Md5, br#"a"b\c"#, b"r", b"p");
    let plain = Hash::of_password(Algorithm::Md5, br#"a"b\c"#, b"r", b"p");
    assert!(ha1.is(&plain));
    let value = format!(r#"Digest username="a\"b\\c",realm="r",nonce="n",uri="sip:r",response="{}""#, "0".repeat(32));
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    assert!(unescaped(credentials.user).eq(br#"a"b\c"#.iter().copied()));
    assert!(unescaped(b"a\\").eq(*b"a"));
}

#[test]
fn refuses_what_is_missing_twice_or_foreign() {
    let zero = "0".repeat(32);
    let all = [
        ("username", "\"u\""),
        ("realm", "\"r\""),
        ("nonce", "\"n\""),
        ("uri", "\"sip:r\""),
        ("response", &zero),
        ("qop", "auth"),
        ("nc", "0000000a"),
        ("cnonce", "\"c\""),
    ];
    let written = |parameters: &[(&str, &str)]| {
        let list: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Digest {}", list.join(", "))
    };
    assert_eq!(Credentials::parse(written(&all).as_bytes()).unwrap().nonce_count, Some(10));
    for (at, (name, value)) in all.iter().enumerate().filter(|(_, (name, _))| *name != "qop") {
        let mut less = all.to_vec();
        less.remove(at);
        assert_eq!(Credentials::parse(written(&less).as_bytes()).unwrap_err(), DigestError::Missing(name));
        let mut more = all.to_vec();
        more.push((name, value));
        assert_eq!(Credentials::parse(written(&more).as_bytes()).unwrap_err(), DigestError::Twice, "{name}");
    }
    let with = |name: &str, value: &str| {
        let mut changed = all.to_vec();
        changed.retain(|(known, _)| *known != name);
        changed.push((name, value));
        Credentials::parse(written(&changed).as_bytes()).unwrap_err()
    };
    assert_eq!(with("algorithm", "MD5-sess"), DigestError::Algorithm);
    assert_eq!(with("algorithm", "\"\""), DigestError::Algorithm);
    assert_eq!(with("qop", "auth-int"), DigestError::Qop);
    assert_eq!(with("nc", "1"), DigestError::Missing("nc"));
    assert_eq!(with("response", "\"00\""), DigestError::Missing("response"));
    assert_eq!(with("username", "\"\""), DigestError::Missing("username"));
    assert_eq!(with("x", "\"open"), DigestError::Syntax);
}

#[test]
fn refuses_what_is_no_list() {
    for value in ["Digest", "Digest ", "Digest a", "Digest =b", "Digest a=b,", "Digest a=b c=d", "Digest ,a=b"] {
        assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err(), DigestError::Syntax, "{value}");
    }
    for value in ["", "Basic YTpi", "Digestive a=b", "\"Digest\" a=b"] {
        assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err(), DigestError::Scheme, "{value}");
    }
}

#[test]
fn hexadecimal_both_ways() {
    let text = "00ff".repeat(8);
    let hash = Hash::from_hex(Algorithm::Md5, text.to_uppercase().as_bytes()).unwrap();
    assert_eq!(hash.to_hex(), text.as_str());
    assert!(Hash::from_hex(Algorithm::Sha256, text.as_bytes()).is_none());
    assert!(Hash::from_hex(Algorithm::Md5, b"0").is_none());
    assert!(Hash::from_hex(Algorithm::Md5, "+g".repeat(16).as_bytes()).is_none());
    assert_eq!(format!("{hash:?}"), "Hash(..)");
}

proptest! {
    #[test]
    fn never_panics(value in "(Digest )?([a-z]{0,5}|username|nc|uri|qop|response)?[ =,\"\\\\a-z0-9\r\n\t\u{e4}]{0,60}") {
        let _ = Credentials::parse(value.as_bytes()).map(|c| c.prove(&Hash::of_password(c.algorithm, b"", b"", b""), b"X"));
    }

    #[test]
    fn never_panics_on_bytes(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Credentials::parse(&value);
        unescaped(&value).for_each(drop);
    }
}

#[test]
fn a_challenge_may_be_stale() {
    for (challenge, expected) in [
        (&br#"Digest realm="p", nonce="n", stale=true"#[..], true),
        (br#"digest realm="p", stale="TRUE", nonce="n""#, true),
        (br#"Digest realm="p", nonce="n", stale=false"#, false),
        (br#"Digest realm="stale=true", nonce="n""#, false),
        (b"Basic stale=true", false),
        (b"", false),
    ] {
        assert_eq!(is_stale(challenge), expected, "{}", challenge.escape_ascii());
    }
}
