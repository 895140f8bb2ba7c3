use super::*;
use crate::span::Span;
use proptest::prelude::*;

/// All matches.
fn every(all: &Expressions, expression: Expression, text: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    let took: Result<(), ()> = all.every(expression, text, &mut |span| {
        spans.push(span);
        Ok(())
    });
    took.expect("all are taken");
    spans
}

fn found(pattern: &str, text: &str) -> Option<Vec<String>> {
    let mut all = Expressions::new();
    let expression = all.compile(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
    let found = all.find(expression, text.as_bytes())?;
    let groups = found.groups.iter().take(usize::from(expression.groups.min(9)) + 1);
    Some(groups.map(|span| String::from_utf8_lossy(span.of(text.as_bytes())).into_owned()).collect())
}

#[test]
fn what_matches_and_what_its_groups_hold() {
    for (pattern, text, groups) in [
        ("^(sips?:)00", "sip:0041@h", Some(&["sip:00", "sip:"][..])),
        ("^(sips?:)00", "SIPS:0041@h", Some(&["SIPS:00", "SIPS:"])),
        ("00", "sip:0100@h", Some(&["00"])),
        ("a|ab|abc", "xabcd", Some(&["abc"])),
        ("(a|ab)(c|bcd)", "abcd", Some(&["abcd", "a", "bcd"])),
        ("x*", "aaa", Some(&[""])),
        ("a{2}", "aaaa", Some(&["aa"])),
        ("a{2,}", "aaaa", Some(&["aaaa"])),
        ("a{2,3}", "aaaa", Some(&["aaa"])),
        ("a{0,2}b", "aaab", Some(&["aab"])),
        ("a{1,3}b", "b aab", Some(&["aab"])),
        ("(ab){0,1}c", "abc", Some(&["abc", "ab"])),
        ("xa{0}y", "xy", Some(&["xy"])),
        ("a{0,}b", "aab", Some(&["aab"])),
        ("(a*)*b", "aab", Some(&["aab", "aa"])),
        ("()", "x", Some(&["", ""])),
        ("[^0-9]+$", "12ab", Some(&["ab"])),
        ("[[:digit:]x-]+", "ab12-X3", Some(&["12-X3"])),
        ("[]a]+", "x]a]", Some(&["]a]"])),
        ("[[.a.][=b=]]+", "xABx", Some(&["AB"])),
        ("[[.number-sign.]]2[^[.number-sign.]]", "2#2#21", Some(&["#21"])),
        ("\\.\\*\\\\", "a.*\\", Some(&[".*\\"])),
        ("a.c", "a\nc", Some(&["a\nc"])),
        ("^b", "ab", None),
        ("a$", "ab", None),
        ("[[:upper:]]", "1a", Some(&["a"])),
        ("(a)|(b)", "b", Some(&["b", "", "b"])),
    ] {
        let want = groups.map(|groups| groups.iter().map(|&group| group.to_owned()).collect::<Vec<_>>());
        assert_eq!(found(pattern, text), want, "{pattern} in {text}");
    }
}

#[test]
fn what_is_refused() {
    for (pattern, fault) in [
        ("(a)\\1", Fault::BackReference),
        ("(a", Fault::Parenthesis),
        ("a)", Fault::Parenthesis),
        ("[a", Fault::Bracket),
        ("[z-a]", Fault::Bracket),
        ("[[:word:]]", Fault::Bracket),
        ("[[.ch.]]", Fault::Bracket),
        ("*a", Fault::Repetition),
        ("a|+", Fault::Repetition),
        ("a{x}", Fault::Braces),
        ("a{3,2}", Fault::Braces),
        ("a{256}", Fault::Braces),
        ("a{1,256}", Fault::Braces),
        ("a{1,x}", Fault::Braces),
        ("\\d", Fault::Escape),
        ("a\\", Fault::Escape),
        ("(a{255}){255}", Fault::TooLarge),
    ] {
        assert_eq!(Expressions::new().compile(pattern), Err(fault), "{pattern}");
        assert!(!fault.text().is_empty());
    }
    let deep = format!("{}a{}", "(".repeat(30), ")".repeat(30));
    assert_eq!(Expressions::new().compile(&deep), Err(Fault::TooLarge));
}

#[test]
fn one_that_does_not_fit_leaves_the_others() {
    let mut all = Expressions::new();
    let first = all.compile("[a-c]+d").expect("it fits");
    let steps = all.steps.len();
    assert!(all.compile("[x-z](y{255}){9}").is_err());
    assert_eq!((all.steps.len(), all.sets.len()), (steps, 1));
    let second = all.compile("[a-c]x").expect("it fits");
    assert_eq!(all.sets.len(), 1, "a set that is there is used again");
    assert!(all.find(first, b"abd").is_some() && all.find(second, b"abd").is_none());
    assert!(all.find(second, b"ax").is_some());
}

#[test]
fn time_is_linear_whatever_the_expression() {
    let mut all = Expressions::new();
    let expression = all.compile("(a*)*(a|aa)+(a?){20}b").expect("it fits");
    let text = vec![b'a'; 20_000];
    // One that tries all ways in turn would never end.
    assert_eq!(all.find(expression, &text), None);
}

/// Each has matches that cannot be told apart from longer ones but at the end of the text.
#[test]
fn all_matches_take_linear_time_whatever_the_expression() {
    for pattern in ["a*", "[ab]*c|a", "(a|b)*c", "a|a{100}b", "a*$|a", "(a|aa)*b|a?", "((a*)*b)*c|aa", "x"] {
        let mut all = Expressions::new();
        let expression = all.compile(pattern).expect("it fits");
        // That takes a longer time than it may is an assertion in there.
        let matches = every(&all, expression, &vec![b'a'; MAX_TEXT]).len();
        let want = match pattern {
            // The whole text, and nothing at its end.
            "a*" | "a*$|a" => 2,
            "(a|b)*c" | "x" => 0,
            "((a*)*b)*c|aa" => MAX_TEXT / 2,
            "(a|aa)*b|a?" => MAX_TEXT + 1,
            _ => MAX_TEXT,
        };
        assert_eq!(matches, want, "{pattern}");
    }
    let mut all = Expressions::new();
    let expression = all.compile("a").expect("it fits");
    assert!(every(&all, expression, &[b'a'; MAX_TEXT + 1]).is_empty(), "a text that is too long");
}

/// Expressions that both engines take, of a few letters.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[abc.]",
        Just("[ab]".to_owned()),
        Just("[^a]".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned())
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join("|"))),
            (inner.clone(), prop::sample::select(vec!["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}"]))
                .prop_map(|(part, often)| format!("({part}){often}")),
        ]
    })
}

proptest! {
    /// Another engine finds a match in the same texts, at the same place, and never a longer one.
    #[test]
    fn another_engine_agrees(pattern in expression(), text in "[abcAB]{0,12}") {
        let mut all = Expressions::new();
        if let Ok(compiled) = all.compile(&pattern) {
            let other = regex_lite::Regex::new(&format!("(?i){pattern}")).expect("it takes it");
            let ours = all.find(compiled, text.as_bytes()).map(|found| found.groups[0]);
            let theirs = other.find(&text).map(|found| Span::from_usize(found.start(), found.end()));
            prop_assert_eq!(ours.map(|span| span.start), theirs.map(|span| span.start));
            prop_assert!(ours.map(|span| span.end) >= theirs.map(|span| span.end));
            // It is a match, and no longer one begins there: the same expression between anchors says so.
            let whole = regex_lite::Regex::new(&format!("(?i)^(?:{pattern})$")).expect("it takes it");
            if let Some(span) = ours && !pattern.contains(['^', '$']) {
                let fits = |end: u16| whole.is_match(&text[usize::from(span.start)..usize::from(end)]);
                prop_assert!(fits(span.end));
                prop_assert!((span.end + 1..=text.len() as u16).all(|end| !fits(end)));
            }
        }
    }

    /// Each of all matches is the first one in what is left.
    #[test]
    fn all_matches_are_what_one_after_another_is(pattern in expression(), text in "[abc]{0,300}") {
        let mut all = Expressions::new();
        if let Ok(compiled) = all.compile(&pattern) && !pattern.contains('^') {
            let (mut from, mut one_by_one) = (0, Vec::new());
            while let Some(found) = text.get(from..).and_then(|rest| all.find(compiled, rest.as_bytes())) {
                let [start, end] = [found.groups[0].start, found.groups[0].end].map(|at| from + usize::from(at));
                one_by_one.push(Span::from_usize(start, end));
                from = end + usize::from(start == end);
            }
            prop_assert_eq!(every(&all, compiled, text.as_bytes()), one_by_one);
        }
    }

    /// No text makes it panic.
    #[test]
    fn anything_may_be_an_expression(pattern in "[a-c\\\\^$.|()*+?{},0-9\\[\\]:=-]{0,30}", text in prop::collection::vec(any::<u8>(), 0..30)) {
        let mut all = Expressions::new();
        if let Ok(compiled) = all.compile(&pattern) {
            let _ = all.find(compiled, &text);
            every(&all, compiled, &text);
        }
    }
}
