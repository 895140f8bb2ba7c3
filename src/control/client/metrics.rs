//! The answer to `stats` as OpenMetrics text, version 1.0.0, for Prometheus.

use super::object::Object;
use std::io::{self, Write};

/// The lines of one line of an answer.
pub(super) fn line(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    match answer.text("type").as_str() {
        "stats" => stats(out, answer),
        "end" => writeln!(out, "# EOF"),
        _ => Ok(()),
    }
}

/// Names are ours and have nothing in them that would have to be escaped.
fn stats(out: &mut dyn Write, answer: &Object<'_>) -> io::Result<()> {
    let mut text = String::new();
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    add("# TYPE siproxd info".to_owned());
    add(format!("siproxd_info{{version=\"{}\"}} 1", answer.text("version")));
    add("# TYPE siproxd_uptime_seconds gauge".to_owned());
    add("# UNIT siproxd_uptime_seconds seconds".to_owned());
    add(format!("siproxd_uptime_seconds {}", answer.text("uptime")));
    answer.object("counters").each(&mut |name, value| {
        add(format!("# TYPE siproxd_{name} counter"));
        add(format!("siproxd_{name}_total {}", value.number().unwrap_or(0)));
    });
    add("# TYPE siproxd_refused counter".to_owned());
    answer.object("refused").each(&mut |name, value| {
        add(format!("siproxd_refused_total{{cause=\"{name}\"}} {}", value.number().unwrap_or(0)));
    });
    for what in ["hits", "rewrites", "refusals"] {
        let mut is_first = true;
        answer.object("hooks").each(&mut |name, hook| {
            if core::mem::take(&mut is_first) {
                add(format!("# TYPE siproxd_hook_{what} counter"));
            }
            add(format!("siproxd_hook_{what}_total{{hook=\"{name}\"}} {}", Object::from(hook).text(what)));
        });
    }
    for (member, metric) in [("used", "siproxd_table_used"), ("limit", "siproxd_table_limit")] {
        add(format!("# TYPE {metric} gauge"));
        answer.object("tables").each(&mut |name, table| {
            add(format!("{metric}{{table=\"{name}\"}} {}", Object::from(table).text(member)));
        });
    }
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_told_once_and_the_end_is_marked() {
        let mut out = Vec::new();
        for answer in [
            "{\"type\":\"stats\",\"version\":\"0.9.0\",\"uptime\":7,\"counters\":{\"requests\":3,\"calls\":1},\
             \"refused\":{\"calls-full\":2},\"hooks\":{\"plugin_demo\":{\"hits\":5,\"rewrites\":0,\"refusals\":1}},\"tables\":{\"calls\":{\"used\":1,\"limit\":512}}}",
            "{\"type\":\"end\"}",
        ] {
            line(&mut out, &Object::parse(answer).expect("JSON")).expect("written");
        }
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "# TYPE siproxd info\nsiproxd_info{version=\"0.9.0\"} 1\n\
             # TYPE siproxd_uptime_seconds gauge\n# UNIT siproxd_uptime_seconds seconds\nsiproxd_uptime_seconds 7\n\
             # TYPE siproxd_requests counter\nsiproxd_requests_total 3\n\
             # TYPE siproxd_calls counter\nsiproxd_calls_total 1\n\
             # TYPE siproxd_refused counter\nsiproxd_refused_total{cause=\"calls-full\"} 2\n\
             # TYPE siproxd_hook_hits counter\nsiproxd_hook_hits_total{hook=\"plugin_demo\"} 5\n\
             # TYPE siproxd_hook_rewrites counter\nsiproxd_hook_rewrites_total{hook=\"plugin_demo\"} 0\n\
             # TYPE siproxd_hook_refusals counter\nsiproxd_hook_refusals_total{hook=\"plugin_demo\"} 1\n\
             # TYPE siproxd_table_used gauge\nsiproxd_table_used{table=\"calls\"} 1\n\
             # TYPE siproxd_table_limit gauge\nsiproxd_table_limit{table=\"calls\"} 512\n# EOF\n"
        );
    }
}
