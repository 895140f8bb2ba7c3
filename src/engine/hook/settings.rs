//! What the configuration tells hooks.

use crate::limits::{MAX_HOOK_LIST, MAX_HOOK_TEXT};

pub use super::rules::{RuleError, Rules};

/// A text of a directive.
pub type HookText = heapless::String<MAX_HOOK_TEXT>;
/// Texts of a directive that may be there several times, a line each.
pub type HookList = heapless::String<MAX_HOOK_LIST>;

/// The directives of hooks. Starts as all zero bytes.
#[derive(Clone, Debug, Default)]
pub struct HookSettings {
    /// The hooks that are on, by [`super::find`], in the order of `load_plugin`.
    pub loaded: heapless::Vec<u8, { super::HOOKS.len() }>,
    /// `redirect_numbers`
    pub redirect: bool,
    /// `plugin_demo_string`
    pub demo: HookText,
    /// `plugin_shortdial_akey`
    pub short_dial_key: HookText,
    /// `plugin_shortdial_entry`
    pub short_dial: HookList,
    /// `plugin_prefix_akey`
    pub prefix: HookText,
    /// `plugin_regex_pattern` and `plugin_regex_replace`
    pub regex: Rules,
}

impl HookSettings {
    /// No hook.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            loaded: heapless::Vec::new(),
            redirect: false,
            demo: HookText::new(),
            short_dial_key: HookText::new(),
            short_dial: HookList::new(),
            prefix: HookText::new(),
            regex: Rules::new(),
        }
    }
}
