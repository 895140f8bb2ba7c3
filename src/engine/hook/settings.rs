//! What the configuration tells hooks.

use crate::engine::settings::Prefixes;
use crate::limits::{MAX_HOOK_LIST, MAX_HOOK_TEXT};

pub use super::rules::{RuleError, Rules};

/// A text of a directive.
pub type HookText = heapless::String<MAX_HOOK_TEXT>;
/// Texts of a directive that may be there several times, a line each.
pub type HookList = heapless::String<MAX_HOOK_LIST>;

/// What `plugin_blacklist` is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlacklistSettings {
    /// `plugin_blacklist_hitcount`: one failure more puts a phone on the list.
    pub most: u32,
    /// `plugin_blacklist_duration`, seconds since the last failure; 0 is for good.
    pub duration: u32,
    /// `plugin_blacklist_register_window`, seconds.
    pub window: u32,
    /// `plugin_blacklist_simulate`
    pub simulate: bool,
}

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
    /// `plugin_regex_body_pattern` and `plugin_regex_body_replace`
    pub regex_body: Rules,
    /// `plugin_siptrunk_numbers_regex` and `plugin_siptrunk_account`: a text is an address-of-record, its host in lower case.
    pub trunks: Rules,
    /// `plugin_stripheader_remove`: `name` or `name:value`.
    pub stripped: HookList,
    /// `plugin_codecfilter_blacklist`
    pub codecs: HookList,
    /// `plugin_defaulttarget_target`
    pub default_target: HookText,
    /// `plugin_defaulttarget_log`
    pub default_target_log: bool,
    /// `plugin_stun_server`
    pub stun_servers: HookList,
    /// `plugin_stun_port`
    pub stun_port: u16,
    /// `plugin_stun_period`, seconds.
    pub stun_period: u32,
    /// What `plugin_blacklist` is told.
    pub blacklist: BlacklistSettings,
    /// `plugin_fix_bogus_via_networks`
    pub bogus_vias: Prefixes,
    /// `plugin_fix_DTAG_networks`
    pub dtag: Prefixes,
    /// `plugin_fix_fbox_anoncall_networks`
    pub fbox: Prefixes,
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
            regex_body: Rules::new(),
            trunks: Rules::new(),
            stripped: HookList::new(),
            codecs: HookList::new(),
            default_target: HookText::new(),
            default_target_log: false,
            stun_servers: HookList::new(),
            stun_port: 0,
            stun_period: 0,
            blacklist: BlacklistSettings { most: 0, duration: 0, window: 0, simulate: false },
            bogus_vias: Prefixes::new(),
            dtag: Prefixes::new(),
            fbox: Prefixes::new(),
        }
    }
}
