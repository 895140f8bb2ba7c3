//! The plugins of siproxd 0.8. In this program they are built in: `load_plugin` switches them on, in its order.

use super::parse::nearest;

/// A plugin of the original.
#[derive(Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name, which its directives begin with.
    pub name: &'static str,
}

/// All sixteen, in the order of the alphabet.
pub static PLUGINS: [Plugin; 16] = [
    Plugin { name: "plugin_blacklist" },
    Plugin { name: "plugin_codecfilter" },
    Plugin { name: "plugin_defaulttarget" },
    Plugin { name: "plugin_demo" },
    Plugin { name: "plugin_fix_DTAG" },
    Plugin { name: "plugin_fix_bogus_via" },
    Plugin { name: "plugin_fix_fbox_anoncall" },
    Plugin { name: "plugin_logcall" },
    Plugin { name: "plugin_prefix" },
    Plugin { name: "plugin_regex" },
    Plugin { name: "plugin_regex_body" },
    Plugin { name: "plugin_shortdial" },
    Plugin { name: "plugin_siptrunk" },
    Plugin { name: "plugin_stats" },
    Plugin { name: "plugin_stripheader" },
    Plugin { name: "plugin_stun" },
];

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
