//! Bindings and calls as lines of an answer. Times are seconds unless a name says otherwise; what is not known is left out.

use super::begin;
use super::json::Line;
use crate::config::{Change, Problem, Report};
use crate::engine::binding_stats::{BindingState, BindingStats};
use crate::engine::history::EndedCall;
use crate::engine::io::{Leg, Side};
use crate::engine::refusals::RefusedRegister;
use crate::engine::stats::{CallStats, SectionStats};
use crate::engine::verdict::Fault;
use crate::reload::Reload;
use crate::rtp::format::Media;
use crate::sip::via::Transport;
use crate::time::Instant;
use core::fmt::Display;

/// The member names of the two parties.
const PARTIES: [(&str, Leg); 2] = [("caller", Leg::Caller), ("callee", Leg::Callee)];

const fn side(side: Side) -> &'static str {
    match side {
        Side::Lan => "lan",
        Side::Wan => "wan",
    }
}

const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        _ => "udp",
    }
}

/// A binding.
pub fn binding(line: &mut Line<'_>, binding: &BindingStats<'_>, now: Instant) {
    begin(line, "binding");
    line.bytes("aor", binding.aor);
    line.bytes("contact", binding.contact);
    let state = match binding.state {
        BindingState::Pending => "pending",
        BindingState::Valid => "valid",
        BindingState::Silent => "silent",
    };
    line.text("state", &state);
    line.text("phone", &binding.phone);
    line.text("phone_transport", &transport(binding.phone_by));
    match binding.registrar {
        Some(registrar) => {
            line.text("registrar", &registrar);
            line.text("registrar_transport", &transport(binding.registrar_by));
        }
        None if binding.state != BindingState::Pending => line.text("registrar", &"own"),
        None => {}
    }
    line.value("expires_in", binding.expires.since(now).as_secs());
    line.value("refreshed_ago", now.since(binding.refreshed).as_secs());
}

/// A call.
pub fn call(line: &mut Line<'_>, call: &CallStats<'_>, now: Instant) {
    begin(line, "call");
    line.text("id", &call.id);
    let is_held = call.sections.iter().any(|section| section.held.contains(&true));
    let state = match (call.answered, call.ended) {
        (_, Some(_)) => "ending",
        (None, None) => "ringing",
        (Some(_), None) if is_held => "held",
        (Some(_), None) => "answered",
    };
    line.text("state", &state);
    line.value("age", now.since(call.started).as_secs());
    if let Some(answered) = call.answered {
        line.value("answered_ago", now.since(answered).as_secs());
    }
    for (name, leg) in PARTIES {
        line.object(name);
        line.bytes("uri", call.names[leg as usize]);
        line.text("side", &side(call.sides[leg as usize]));
        line.text("address", &call.parties[leg as usize]);
        line.end_object();
    }
    line.array("media");
    call.sections.iter().for_each(|one| section(line, one));
    line.end_array();
    verdict(line, call.fault);
}

/// What is wrong with a call, if anything is.
fn verdict(line: &mut Line<'_>, fault: Option<Fault>) {
    let Some(fault) = fault else { return };
    line.text("fault", &fault.what.name());
    if let Some((party, _)) = PARTIES.iter().find(|(_, leg)| *leg == fault.leg) {
        line.text("fault_party", party);
    }
    line.text("verdict", &fault);
}

/// A call that has ended.
pub fn ended(line: &mut Line<'_>, call: &EndedCall, now: Instant) {
    begin(line, "ended");
    line.value("ago", now.since(call.ended).as_secs());
    line.value("lasted", call.lasted.as_secs());
    if let Some(talked) = call.talked {
        line.value("talked", talked.as_secs());
    }
    line.text("reason", &call.reason);
    for (name, leg) in PARTIES {
        line.object(name);
        line.bytes("uri", &call.names[leg as usize]);
        line.text("side", &side(call.sides[leg as usize]));
        line.value("packets", call.packets[leg as usize]);
        line.end_object();
    }
    verdict(line, call.fault);
}

/// A registration that has failed.
pub fn refusal(line: &mut Line<'_>, refused: &RefusedRegister, now: Instant) {
    begin(line, "refusal");
    line.bytes("aor", &refused.aor);
    line.text("phone", &refused.phone);
    match refused.registrar {
        Some(registrar) => line.text("registrar", &registrar),
        None => line.text("registrar", &"own"),
    }
    line.value("code", refused.status);
    line.text("text", &refused.reason());
    line.value("ago", now.since(refused.refused).as_secs());
    line.value("times", refused.times);
}

/// Something that is wrong with a configuration.
pub fn problem(line: &mut Line<'_>, report: &Report, problem: &Problem) {
    begin(line, "problem");
    line.text("severity", &problem.severity.name());
    line.text("file", &problem.file.as_ref().unwrap_or(&report.file).display());
    for (name, number) in [("line", problem.line), ("column", problem.column)] {
        if number > 0 {
            line.value(name, number);
        }
    }
    if let Some(directive) = report.directive(problem) {
        line.text("directive", &directive);
    }
    line.text("text", &problem.text);
}

/// The `number`th line about a reload: what is wrong, what waits for a restart, what acts, and last what it came to. `false` where there is no
/// more.
pub fn reload(line: &mut Line<'_>, reload: &Reload, number: usize) -> bool {
    let Reload { report, applied, restart } = reload;
    let mut change = |kind: &str, change: &Change, text: &dyn Display| {
        begin(line, kind);
        line.text("directive", &change.name);
        line.text("old", &change.old);
        line.text("new", &change.new);
        line.text("text", text);
    };
    let after_problems = number.checked_sub(report.problems.len());
    let after_restart = after_problems.and_then(|number| number.checked_sub(restart.len()));
    if let Some(one) = report.problems.get(number) {
        problem(line, report, one);
    } else if let Some(one) = after_problems.and_then(|number| restart.get(number)) {
        change("restart", one, &format_args!("`{}` needs a restart", one.name));
    } else if let Some(one) = after_restart.and_then(|number| applied.get(number)) {
        change("applied", one, one);
    } else if after_restart == Some(applied.len()) {
        begin(line, "reload");
        line.value("applied", reload.is_applied());
        line.value("changed", applied.len());
        line.value("waiting", restart.len());
        line.text("text", &reload.summary());
    } else {
        return false;
    }
    true
}

fn section(line: &mut Line<'_>, section: &SectionStats) {
    line.object("");
    line.value("section", section.number.saturating_add(1));
    PARTIES.iter().for_each(|(name, leg)| party(line, name, section, *leg));
    line.end_object();
}

/// What one party sent in a section, and how it was.
fn party(line: &mut Line<'_>, name: &str, section: &SectionStats, leg: Leg) {
    let (own, other) = (&section.legs[leg as usize], &section.legs[leg.other() as usize].heard);
    let heard = &own.heard;
    line.object(name);
    let kind = match section.media[leg as usize] {
        Media::Audio => Some("audio"),
        Media::OtherRtp => Some("other-rtp"),
        Media::NoRtp => Some("no-rtp"),
        Media::Unknown => None,
    };
    if let Some(kind) = kind {
        line.text("kind", &kind);
    }
    line.value("port", section.ports[leg as usize]);
    if let Some(announced) = section.announced[leg as usize] {
        line.text("announced", &announced);
    }
    line.value("held", section.held[leg as usize]);
    for (name, value) in [
        ("packets", own.packets),
        ("strangers", own.strangers),
        ("unproven", own.unproven),
        ("rtp", heard.packets),
        ("rtcp", heard.rtcp),
        ("others", heard.others),
    ] {
        line.value(name, value);
    }
    line.value("bytes", own.bytes);
    if heard.packets > 0 {
        line.text("codec", &heard.codec);
        line.value("lost", heard.lost());
        line.hundredths("loss_percent", heard.loss());
        if other.reported.is_some() {
            line.hundredths("loss_beyond_percent", heard.loss_at(other));
        }
        if let Some(micros) = heard.mean_jitter() {
            line.hundredths("jitter_ms", micros / 10);
        }
        line.value("gap_ms", heard.gap / 1000);
        if let Some(micros) = heard.round_trip {
            line.value("round_trip_ms", micros / 1000);
        }
        if let Some(score) = heard.score(other) {
            line.hundredths("mos", score.into());
        }
    }
    line.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::MAX_LINE;
    use crate::engine::io::LegCounters;
    use crate::engine::verdict::What;
    use crate::limits::{MAX_SECTIONS, MAX_URI};
    use crate::table::Handle;
    use core::net::{IpAddr, Ipv6Addr, SocketAddr};

    #[test]
    fn the_longest_call_and_the_longest_binding_fit() {
        let ip = IpAddr::from(Ipv6Addr::from(u128::MAX));
        let (place, most) = (SocketAddr::new(ip, u16::MAX), Instant::from_micros(u64::MAX));
        let mut leg = LegCounters {
            packets: u32::MAX,
            bytes: u64::MAX,
            strangers: u32::MAX,
            unproven: u32::MAX,
            ..LegCounters::default()
        };
        let heard = &mut leg.heard;
        (heard.packets, heard.rtcp, heard.others, heard.gap) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        (heard.round_trip, heard.reported) = (Some(u32::MAX), Some(Default::default()));
        let what = What::Foreign { payload_type: 255, packets: u32::MAX };
        let fault =
            Fault { what, leg: Leg::Caller, sides: [Side::Wan; 2], announced: [Some(place); 2], port: u16::MAX };
        let section = SectionStats {
            number: MAX_SECTIONS,
            media: [Media::OtherRtp; 2],
            ports: [u16::MAX; 2],
            announced: [Some(place); 2],
            held: [false; 2],
            legs: [leg; 2],
            fault: Some(fault),
        };
        // Six bytes each as JSON.
        let name = [0x01; 64];
        let stats = CallStats {
            id: Handle::from_parts(u16::MAX, u16::MAX),
            names: [&name; 2],
            sides: [Side::Wan; 2],
            parties: [ip; 2],
            started: Instant::ZERO,
            answered: Some(Instant::ZERO),
            ended: None,
            sections: [section; MAX_SECTIONS].into_iter().collect(),
            fault: Some(fault),
        };
        let mut buffer = Vec::new();
        let mut line = Line::new(&mut buffer, MAX_LINE);
        call(&mut line, &stats, most);
        // What a quality keeps to itself (lost, jitter, score) has 100 bytes more in each of sixteen directions.
        assert!(line.finish() && buffer.len() + 1600 <= MAX_LINE, "{}", buffer.len());

        let uri = [0x01; MAX_URI];
        let stats = BindingStats {
            aor: &uri,
            contact: &uri,
            phone: place,
            phone_by: Transport::Tcp,
            registrar: Some(place),
            registrar_by: Transport::Tcp,
            state: BindingState::Pending,
            expires: most,
            refreshed: Instant::ZERO,
        };
        buffer.clear();
        let mut line = Line::new(&mut buffer, MAX_LINE);
        binding(&mut line, &stats, Instant::ZERO);
        assert!(line.finish(), "it fits");
    }
}
