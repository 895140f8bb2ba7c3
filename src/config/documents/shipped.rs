//! `config/siproxd.conf`.

use super::*;
use core::fmt::Write as _;

/// What the shipped file begins with.
const HEAD: &str = "\
# siproxd.conf: a masquerading SIP proxy for NAT routers
#
# One \"name = value\" a line. \"#\" starts a comment anywhere. Numbers may be
# written in hexadecimal (0x80). What a line that is switched off shows is the
# default, or where there is none, an example. Directives marked with (*) are
# known, but have no effect in this version.
#
# \"siproxd --check -c FILE\" tells what is wrong with a file; \"man
# siproxd.conf\" tells more.
#
# Most routers need the two interfaces and nothing else. In the phones, enter
# the router's LAN address as outbound proxy, and switch STUN and ICE off.
";

fn shipped_file() -> String {
    let mut text = HEAD.to_owned();
    for (heading, key) in with_headings() {
        if let Some(heading) = heading {
            write!(text, "\n\n# {heading}\n").unwrap();
        }
        let mark = if key.set.is_none() { "(*) " } else { "" };
        text.push('\n');
        for paragraph in [format!("{mark}{}", meaning(key)), type_and_default(key)] {
            for line in wrapped(&paragraph, WIDTH - 2) {
                writeln!(text, "# {line}").unwrap();
            }
        }
        let off = if key.told.is_shipped { "" } else { "#" };
        let value = if key.told.example.is_empty() { key.default } else { key.told.example };
        writeln!(text, "{off}{} = {value}", key.name).unwrap();
    }
    text
}

#[test]
fn the_shipped_file_says_what_the_table_does() {
    agrees("config/siproxd.conf", &shipped_file());
}
