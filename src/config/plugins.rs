//! The plugins of siproxd 0.8. In this program they are built in: `load_plugin` switches them on, in its order.

use super::parse::nearest;

/// A plugin of the original.
#[derive(Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name, which its directives begin with.
    pub name: &'static str,
    /// What it does, in a phrase.
    pub effect: &'static str,
    /// Whether this version has it.
    pub is_built_in: bool,
}

/// All sixteen, in the order of the alphabet.
pub static PLUGINS: [Plugin; 16] = [
    missing("plugin_blacklist", "sources that fail to register too often are not heard for a while"),
    built_in("plugin_codecfilter", "codecs are taken out of session descriptions"),
    built_in("plugin_defaulttarget", "calls that nobody is registered for are redirected"),
    built_in("plugin_demo", "a text in the log"),
    built_in("plugin_fix_DTAG", "responses with a Via that is not ours are taken from listed networks"),
    built_in("plugin_fix_bogus_via", "a Via with an unreachable address is corrected in requests from listed networks"),
    built_in("plugin_fix_fbox_anoncall", "anonymous calls of a FRITZ!Box get the Contact of its account"),
    built_in("plugin_logcall", "a line in the log for each INVITE, ACK, BYE and CANCEL"),
    built_in("plugin_prefix", "each number called gets a prefix"),
    built_in("plugin_regex", "numbers called are rewritten by regular expressions"),
    built_in("plugin_regex_body", "bodies are rewritten by regular expressions"),
    built_in("plugin_shortdial", "short numbers stand for long ones"),
    built_in("plugin_siptrunk", "calls for a block of numbers go to the account that has it"),
    missing("plugin_stats", "figures of the calls that run, to syslog or a file at intervals"),
    built_in("plugin_stripheader", "headers are taken out of messages"),
    built_in("plugin_stun", "our public address is found out with a STUN server"),
];

const fn missing(name: &'static str, effect: &'static str) -> Plugin {
    Plugin { name, effect, is_built_in: false }
}

const fn built_in(name: &'static str, effect: &'static str) -> Plugin {
    Plugin { name, effect, is_built_in: true }
}

impl Plugin {
    /// The plugin that a directive belongs to, if it is one of a plugin.
    #[must_use]
    pub fn of_directive(name: &str) -> Option<&'static Self> {
        // `plugin_regex_body_desc` begins with two of them, and is one of the longer.
        let is_its = |plugin: &&Self| name.strip_prefix(plugin.name).is_some_and(|rest| rest.starts_with('_'));
        PLUGINS.iter().filter(is_its).max_by_key(|plugin| plugin.name.len())
    }
}

/// The plugin in this file, as `load_plugin` names it: `plugin_stun.la`, `/usr/lib/siproxd/plugin_stun.so`, or `plugin_stun`.
pub(super) fn plugin(file: &str) -> Result<&'static Plugin, String> {
    let base = file.rsplit('/').next().unwrap_or_default();
    let name = base.strip_suffix(".la").or_else(|| base.strip_suffix(".so")).unwrap_or(base);
    PLUGINS.iter().find(|plugin| plugin.name == name).ok_or_else(|| {
        // Without the part that all names have in common, which would make each near to each other.
        let short = |name: &'static str| name.strip_prefix("plugin_").unwrap_or(name);
        let near =
            nearest(name.strip_prefix("plugin_").unwrap_or(name), PLUGINS.iter().map(|plugin| short(plugin.name)));
        let meant = near.and_then(|near| PLUGINS.iter().find(|plugin| short(plugin.name) == near));
        match meant {
            Some(meant) => format!("there is no such plugin; did you mean `{}`?", meant.name),
            None => "there is no such plugin, and none can be added".to_owned(),
        }
    })
}
