//! `plugin_blacklist`: a phone that fails to register too often is not heard for a while, so that its provider does not lock out the whole house.
//!
//! ```text
//!   REGISTER with a password ──401, 403, 404, 407──▶ one failure more ──▶ too many: 403 to what it asks for,
//!                            └─2xx──▶ forgotten                            until some time after the last failure
//! ```
//! A phone is an address on the LAN with the address-of-record in From. Nothing from the WAN is counted or refused, and nothing within
//! a dialog: a call that runs goes on, and ends.

use super::{Answered, Did, Hook, Validity};
use crate::engine::Engine;
use crate::engine::binding::aor_text;
use crate::engine::cause::Cause;
use crate::engine::guard::Origin;
use crate::engine::message::Received;
use crate::host::Host;
use crate::limits::MAX_BLACKLIST;
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::{Method, StartLine};
use crate::time::Instant;
use core::fmt;
use core::net::IpAddr;

pub(super) struct Blacklist;

/// Bytes of the longest address-of-record that is listed.
const MAX_AOR: usize = 96;

/// What a line has in place of failures for a phone that is never heard.
const ALWAYS: &str = "always";

type Aor = heapless::String<MAX_AOR>;

/// A phone that has failed to register.
#[derive(Debug)]
struct Listed {
    ip: IpAddr,
    aor: Aor,
    /// Since the last success; [`u32::MAX`] for one that is never heard.
    failures: u32,
    /// When the last one was, in the wall clock's seconds.
    failed_at: u64,
}

impl Listed {
    const fn is_always(&self) -> bool {
        self.failures == u32::MAX
    }
}

/// The phones that have failed to register. Starts as all zero bytes.
#[derive(Debug)]
pub(in crate::engine) struct Failures {
    listed: heapless::Vec<Listed, MAX_BLACKLIST>,
    /// Changes with what [`Engine::save_blacklist`] writes.
    version: u32,
    /// Whether it has been logged that there are too many.
    is_full: bool,
}

impl Failures {
    pub(super) const fn new() -> Self {
        Self { listed: heapless::Vec::new(), version: 0, is_full: false }
    }

    fn find(&self, ip: IpAddr, aor: &str) -> Option<usize> {
        self.listed.iter().position(|listed| listed.ip == ip && listed.aor == aor)
    }

    fn forget(&mut self, place: usize) {
        self.listed.swap_remove(place);
        self.version = self.version.wrapping_add(1);
        self.is_full = false;
    }

    /// A place for a phone that has failed, with what it had failed before. One that may be heard makes room: of the accounts of the same
    /// phone, so that none can make us forget what others have failed, or else of all, the one whose last failure is longest ago.
    fn place_for(&mut self, ip: IpAddr, aor: Aor, most: u32) -> Option<&mut Listed> {
        let found = self.find(ip, &aor).or_else(|| {
            if self.listed.is_full() {
                let heard = self.listed.iter().enumerate().filter(|(_, listed)| listed.failures <= most);
                let (oldest, _) = heard.min_by_key(|(_, listed)| (listed.ip != ip, listed.failed_at))?;
                self.listed.swap_remove(oldest);
            }
            self.listed.push(Listed { ip, aor, failures: 0, failed_at: 0 }).ok()?;
            Some(self.listed.len().saturating_sub(1))
        })?;
        self.version = self.version.wrapping_add(1);
        self.listed.get_mut(found)
    }
}

impl Hook for Blacklist {
    fn validate(&self, engine: &mut Engine, received: &Received<'_>, now: Instant) -> Validity {
        let head = &received.head;
        let is_request = matches!(received.msg.start(), StartLine::Request { .. });
        // There are phones that put the tag of a 401 into To of the next REGISTER, which is in no dialog all the same.
        let is_in_dialog = !head.to_tag.is_empty() && head.method != Method::Register;
        if !is_request
            || received.origin != Origin::Phone
            || is_in_dialog
            || matches!(head.method, Method::Ack | Method::Cancel)
        {
            return Validity::Unasked;
        }
        let ip = received.from.host();
        let is_listed =
            aor(received.msg.bytes(), head.from.uri).is_some_and(|aor| engine.is_blacklisted(ip, &aor, now));
        match (is_listed, engine.hooks.settings.blacklist.simulate) {
            (false, _) => Validity::Unasked,
            (true, false) => Validity::Refused(Cause::Blacklisted),
            (true, true) => {
                let (method, from) = (received.method_name(), received.from);
                log::info!(target: class::ACL, "blacklist: {method} from {from} would be refused");
                Validity::Valid
            }
        }
    }

    fn after(&self, engine: &mut Engine, answered: &Answered, now: Instant) -> Did {
        let Some(t) = engine.transactions.get(answered.transaction) else { return Did::Nothing };
        let settings = &engine.hooks.settings.blacklist;
        let is_timely = now.since(t.tried_at).as_secs() <= settings.window.into();
        if !t.from_phone || !t.registers.has_credentials || !is_timely {
            return Did::Nothing;
        }
        let (ip, most) = (t.upstream.host(), settings.most);
        let from = NameAddr::parse(&t.stored.text, t.stored.from).ok();
        let Some(aor) = from.and_then(|from| aor(&t.stored.text, from.uri)) else { return Did::Nothing };
        match answered.status {
            200..300 => {
                if let Some(place) =
                    engine.hooks.failures.find(ip, &aor).filter(|_| !engine.is_blacklisted_always(ip, &aor))
                {
                    engine.hooks.failures.forget(place);
                }
            }
            401 | 403 | 404 | 407 => engine.note_failed_register(ip, aor, most, now),
            _ => return Did::Nothing,
        }
        Did::Looked
    }
}

/// The address-of-record that a phone is listed by; one that is too long, or of other bytes than a line may have, is none.
fn aor(bytes: &[u8], uri: crate::span::Span) -> Option<Aor> {
    let text = aor_text(bytes, uri)?;
    let is_plain = text.iter().all(u8::is_ascii_graphic);
    Aor::try_from(str::from_utf8(&text).ok().filter(|_| is_plain)?).ok()
}

/// What is wrong with a line of the blacklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListError {
    /// It is no line of it.
    Syntax,
    /// There is no place for it.
    Full,
}

impl Engine {
    /// The wall clock's seconds.
    fn unix(&self, now: Instant) -> u64 {
        self.clock_origin.saturating_add(now.as_millis() / 1000)
    }

    fn is_over(&self, listed: &Listed, now: Instant) -> bool {
        let duration = u64::from(self.hooks.settings.blacklist.duration);
        duration > 0 && !listed.is_always() && listed.failed_at.saturating_add(duration) <= self.unix(now)
    }

    fn is_blacklisted(&self, ip: IpAddr, aor: &str, now: Instant) -> bool {
        let failures = &self.hooks.failures;
        let listed = failures.find(ip, aor).and_then(|place| failures.listed.get(place));
        listed.is_some_and(|listed| listed.failures > self.hooks.settings.blacklist.most && !self.is_over(listed, now))
    }

    fn is_blacklisted_always(&self, ip: IpAddr, aor: &str) -> bool {
        let failures = &self.hooks.failures;
        failures.find(ip, aor).and_then(|place| failures.listed.get(place)).is_some_and(Listed::is_always)
    }

    fn note_failed_register(&mut self, ip: IpAddr, aor: Aor, most: u32, now: Instant) {
        // What was too long ago is no part of it, and takes no place.
        while let Some(place) = self.hooks.failures.listed.iter().position(|listed| self.is_over(listed, now)) {
            self.hooks.failures.forget(place);
        }
        let (unix, settings) = (self.unix(now), self.hooks.settings.blacklist);
        let failures = &mut self.hooks.failures;
        let Some(listed) = failures.place_for(ip, aor, most) else {
            if !core::mem::replace(&mut failures.is_full, true) {
                log::warn!(target: class::ACL, "blacklist: {MAX_BLACKLIST} phones are on it: failures of others are not counted");
            }
            return;
        };
        listed.failures = listed.failures.saturating_add(u32::from(!listed.is_always()));
        listed.failed_at = unix;
        if listed.failures == most.saturating_add(1) {
            let Listed { aor, failures, .. } = listed;
            let is = if settings.simulate { "would be" } else { "is" };
            match settings.duration {
                0 => log::warn!(
                    target: class::ACL,
                    "blacklist: {aor} at {ip} has failed to register {failures} times: check its password; it {is} refused for good"
                ),
                duration => log::warn!(
                    target: class::ACL,
                    "blacklist: {aor} at {ip} has failed to register {failures} times: check its password; it {is} refused for {duration} s"
                ),
            }
        }
    }

    /// Changes with what [`Self::save_blacklist`] writes.
    #[must_use]
    pub const fn blacklist_version(&self) -> u32 {
        self.hooks.failures.version
    }

    /// Writes a line for each phone that has failed to register.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save_blacklist(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for Listed { ip, aor, failures, failed_at } in &self.hooks.failures.listed {
            match *failures {
                u32::MAX => writeln!(out, "{ip} {aor} {ALWAYS}")?,
                failures => writeln!(out, "{ip} {aor} {failures} {failed_at}")?,
            }
        }
        Ok(())
    }

    /// Forgets all phones that have failed to register.
    pub fn clear_blacklist(&mut self) {
        self.hooks.failures = Failures::new();
    }

    /// Takes back a line that [`Self::save_blacklist`] has written, or its user: `ADDRESS USER@DOMAIN always`. Of two for one phone the
    /// later one holds: a user adds his at the end.
    ///
    /// # Errors
    /// It is none, or there is no place for it.
    pub fn restore_blacklisted(&mut self, line: &str, now: Instant) -> Result<(), ListError> {
        let mut words = line.split_ascii_whitespace();
        let mut word = || words.next().ok_or(ListError::Syntax);
        let ip = word()?.parse::<IpAddr>().map_err(|_| ListError::Syntax)?.to_canonical();
        let mut aor = Aor::try_from(word()?).map_err(|_| ListError::Syntax)?;
        let at = aor.find('@').ok_or(ListError::Syntax)?;
        if let Some(domain) = aor.get_mut(at..) {
            domain.make_ascii_lowercase();
        }
        let (failures, failed_at) = match word()? {
            ALWAYS => (u32::MAX, 0),
            count => {
                let count = count.parse().ok().filter(|count| *count < u32::MAX).ok_or(ListError::Syntax)?;
                // By a clock that was ahead it would be on the list for longer than it may.
                (count, word()?.parse::<u64>().map_err(|_| ListError::Syntax)?.min(self.unix(now)))
            }
        };
        if words.next().is_some() {
            return Err(ListError::Syntax);
        }
        let (found, known) = (self.hooks.failures.find(ip, &aor), &mut self.hooks.failures.listed);
        let listed = Listed { ip, aor, failures, failed_at };
        match found.and_then(|place| known.get_mut(place)) {
            Some(place) => *place = listed,
            None => known.push(listed).map_err(|_| ListError::Full)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::HookSettings;

    const PHONE: &str = "10.0.0.7";

    fn at(secs: u32) -> Instant {
        Instant::ZERO.after_secs(secs)
    }

    fn engine(most: u32, duration: u32) -> Box<Engine> {
        let mut engine = Box::new(Engine::new());
        let mut settings = HookSettings::new();
        (settings.blacklist.most, settings.blacklist.duration) = (most, duration);
        engine.set_hooks(&settings);
        engine.set_wall_clock(1_000_000, Instant::ZERO);
        engine
    }

    fn fail(engine: &mut Engine, ip: &str, user: &str, now: Instant) {
        let aor = Aor::try_from(format!("{user}@example.org").as_str()).expect("short");
        let most = engine.hooks.settings.blacklist.most;
        engine.note_failed_register(ip.parse().expect("an address"), aor, most, now);
    }

    fn is_listed(engine: &Engine, user: &str, now: Instant) -> bool {
        engine.is_blacklisted(PHONE.parse().expect("an address"), &format!("{user}@example.org"), now)
    }

    fn saved(engine: &Engine) -> String {
        let mut text = String::new();
        engine.save_blacklist(&mut text).expect("written");
        text
    }

    #[test]
    fn it_is_listed_for_as_long_as_it_should() {
        let mut engine = engine(2, 100);
        for second in 0..2 {
            fail(&mut engine, PHONE, "alice", at(second));
            assert!(!is_listed(&engine, "alice", at(second)));
        }
        fail(&mut engine, PHONE, "alice", at(10));
        assert!(is_listed(&engine, "alice", at(109)) && !is_listed(&engine, "alice", at(110)));
        assert!(!is_listed(&engine, "bob", at(11)));
        // After that it is as before the first one.
        fail(&mut engine, PHONE, "alice", at(110));
        assert!(!is_listed(&engine, "alice", at(111)));
        assert_eq!(saved(&engine), "10.0.0.7 alice@example.org 1 1000110\n");
    }

    #[test]
    fn with_0_it_is_listed_for_good() {
        let mut engine = engine(1, 0);
        fail(&mut engine, PHONE, "alice", at(0));
        fail(&mut engine, PHONE, "alice", at(0));
        assert!(is_listed(&engine, "alice", at(u32::MAX)));
    }

    #[test]
    fn a_full_table_keeps_who_is_not_heard() {
        let mut engine = engine(1, 100);
        fail(&mut engine, PHONE, "alice", at(0));
        fail(&mut engine, PHONE, "alice", at(0));
        for number in 0..2 * MAX_BLACKLIST {
            fail(&mut engine, "10.0.0.8", &format!("u{number}"), at(1));
        }
        assert!(is_listed(&engine, "alice", at(2)));
        assert_eq!(saved(&engine).lines().count(), MAX_BLACKLIST);
        for number in 0..2 * MAX_BLACKLIST {
            fail(&mut engine, "10.0.0.9", &format!("u{}", number / 2), at(3));
        }
        let before = saved(&engine);
        assert!(is_listed(&engine, "alice", at(4)) && before.lines().all(|line| line.contains(" 2 ")));
        fail(&mut engine, "10.0.0.10", "late", at(4));
        assert_eq!(saved(&engine), before);
    }

    #[test]
    fn those_whose_time_is_over_make_room() {
        let mut engine = engine(1, 100);
        for number in 0..2 * MAX_BLACKLIST {
            fail(&mut engine, "10.0.0.8", &format!("u{}", number / 2), at(0));
        }
        fail(&mut engine, PHONE, "alice", at(99));
        assert!(!saved(&engine).contains("alice"));
        for second in [100, 101] {
            fail(&mut engine, PHONE, "alice", at(second));
        }
        assert!(is_listed(&engine, "alice", at(102)));
        assert_eq!(saved(&engine), "10.0.0.7 alice@example.org 2 1000101\n");
    }

    #[test]
    fn a_phone_makes_room_among_its_own_accounts() {
        let mut engine = engine(1, 100);
        fail(&mut engine, PHONE, "alice", at(0));
        for number in 0..2 * MAX_BLACKLIST {
            fail(&mut engine, "10.0.0.8", &format!("u{number}"), at(1));
        }
        fail(&mut engine, PHONE, "alice", at(2));
        assert!(is_listed(&engine, "alice", at(3)));
    }

    #[test]
    fn the_later_line_of_a_phone_holds() {
        let mut engine = engine(1, 100);
        for line in ["10.0.0.7 alice@example.org 1 1000000", "::ffff:10.0.0.7 alice@Example.ORG always"] {
            assert_eq!(engine.restore_blacklisted(line, at(0)), Ok(()));
        }
        assert!(is_listed(&engine, "alice", at(1000)));
        assert_eq!(saved(&engine), "10.0.0.7 alice@example.org always\n");
    }

    #[test]
    fn an_account_that_makes_no_line_is_none() {
        let of = |uri: &str| aor(uri.as_bytes(), crate::span::Span::from_usize(0, uri.len()));
        assert_eq!(of("sip:alice@Example.org").as_deref(), Some("alice@example.org"));
        assert_eq!(of(&format!("sip:{}@example.org", "a".repeat(MAX_AOR))), None);
        assert_eq!(of("sip:example.org"), None);
    }

    #[test]
    fn lines_are_taken_back() {
        let mut engine = engine(1, 100);
        let lines = [
            "10.0.0.7 alice@example.org 2 1000050",
            "fd00::7 bob@example.org always",
            "10.0.0.7 carl@example.org 1 2000000",
        ];
        for line in lines {
            assert_eq!(engine.restore_blacklisted(line, at(60)), Ok(()));
        }
        assert!(is_listed(&engine, "alice", at(60)) && !is_listed(&engine, "alice", at(150)));
        assert!(engine.is_blacklisted_always("fd00::7".parse().expect("an address"), "bob@example.org"));
        // Of the future by then.
        assert!(saved(&engine).ends_with("carl@example.org 1 1000060\n"));
        for line in [
            "",
            "x alice@example.org always",
            "10.0.0.7 alice always",
            "10.0.0.7 a@b 4294967295 1",
            "10.0.0.7 a@b 1",
            "10.0.0.7 a@b always 1",
        ] {
            assert_eq!(engine.restore_blacklisted(line, at(0)), Err(ListError::Syntax), "{line}");
        }
        for number in 0..MAX_BLACKLIST {
            let result = engine.restore_blacklisted(&format!("10.0.0.8 u{number}@example.org always"), at(0));
            assert_eq!(result.is_ok(), number < MAX_BLACKLIST - 3);
        }
    }
}
