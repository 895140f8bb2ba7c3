'use strict';
'require baseclass';
'require uci';

/*
 * The plugins that `load_plugin` switches on, a switch for each, and which options are whose.
 */

const PREFIX = 'plugin_';

const PLUGINS = [
	{ name: 'shortdial', tab: 'numbers', title: _('Short numbers'),
	  text: _('Short numbers, such as *01, stand for long ones.') },
	{ name: 'prefix', tab: 'numbers', title: _('A prefix for each number'),
	  text: _('Each number called gets digits put before it.') },
	{ name: 'regex', tab: 'numbers', title: _('Rewrite numbers'), advanced: true,
	  text: _('Numbers called are rewritten by rules (regular expressions).') },
	{ name: 'siptrunk', tab: 'providers', title: _('A block of numbers for one account'), advanced: true,
	  text: _('Calls for all numbers of a block go to the phone, or PBX, of one account.') },
	{ name: 'defaulttarget', tab: 'numbers', title: _('Send calls for nobody elsewhere'),
	  text: _('A call for somebody who is not registered is sent to another address.') },
	{ name: 'codecfilter', tab: 'numbers', title: _('Take codecs out'),
	  text: _('Codecs that make trouble are not offered, in either direction.') },
	{ name: 'stripheader', tab: 'security', title: _('Take headers out'), advanced: true,
	  text: _('Headers of SIP are taken out of all messages from and to the phones.') },
	{ name: 'regex_body', tab: 'numbers', title: _('Rewrite bodies'), advanced: true,
	  text: _('What messages carry is rewritten by rules (regular expressions).') },
	{ name: 'stun', tab: 'network', title: _('Ask a STUN server for the public address'), advanced: true,
	  text: _('For a router behind another router: a server on the Internet tells the address that calls come to.') },
	{ name: 'fix_DTAG', tab: 'providers', title: _('Deutsche Telekom'), advanced: true,
	  text: _('Answers of a provider that do not name this router as they should are taken.') },
	{ name: 'fix_bogus_via', tab: 'providers', title: _('Servers that name addresses nobody reaches'), advanced: true,
	  text: _('A wrong address in requests of such a server (Via) is corrected.') },
	{ name: 'fix_fbox_anoncall', tab: 'phones', title: _('FRITZ!Box that hides its number'), advanced: true,
	  text: _('Anonymous calls of a FRITZ!Box get the contact of its account, for which the provider looks.') },
	{ name: 'blacklist', tab: 'security', title: _('Stop phones with a wrong password'),
	  text: _('A phone that fails to register too often is not heard for a while, so that the provider does not lock the house out.') },
	{ name: 'logcall', tab: 'log', title: _('Calls in the log'),
	  text: _('A line in the log for each call: who calls whom, how long, and why it ended.') },
	{ name: 'stats', tab: 'log', title: _('Figures in the log'), advanced: true,
	  text: _('How many calls and phones there are, now and then, in the log or in a file.') },
	{ name: 'demo', tab: 'log', title: _('An example'), advanced: true,
	  text: _('A text in the log for each call that begins; for those who write a plugin.') }
];

/* The one that has what another leaves over comes behind it: they act in the order of the list. */
const BEHIND = { 'siptrunk': 'defaulttarget' };

/* The name of a plugin, of how `load_plugin` may say it: a directory before it, .la or .so behind it. */
function nameOf(entry) {
	const base = entry.replace(/^.*\//, '').replace(/\.(la|so)$/, '');

	return base.startsWith(PREFIX) ? base.substring(PREFIX.length) : base;
}

function listOf(value) {
	return (Array.isArray(value) ? value : (value == null ? [] : [ value ])).filter(entry => entry != '');
}

return baseclass.extend({
	list: PLUGINS,

	/* The option of the form that is its switch. */
	optionOf(plugin) {
		return '_' + PREFIX + plugin.name;
	},

	/* The plugin that a directive belongs to, if any. */
	ofDirective(directive) {
		return PLUGINS.find(plugin => PREFIX + plugin.name == directive.plugin) || null;
	},

	/* The plugin that a text speaks of, if any. */
	inText(text) {
		return PLUGINS.filter(plugin => new RegExp('\\b' + PREFIX + plugin.name + '(?![A-Za-z])').test(text))
			.sort((a, b) => b.name.length - a.name.length)[0] || null;
	},

	isOn(plugin, section_id) {
		return listOf(uci.get('siproxd', section_id, 'load_plugin')).some(entry => nameOf(entry) == plugin.name);
	},

	/* Switches it on or off. The others stay as they are, in their order. */
	set(plugin, section_id, on) {
		const list = listOf(uci.get('siproxd', section_id, 'load_plugin'));
		const rest = list.filter(entry => nameOf(entry) != plugin.name);

		if (on == this.isOn(plugin, section_id))
			return;

		if (on) {
			const behind = rest.findIndex(entry => nameOf(entry) == BEHIND[plugin.name]);

			rest.splice(behind < 0 ? rest.length : behind, 0, PREFIX + plugin.name + '.so');
		}

		if (rest.length)
			uci.set('siproxd', section_id, 'load_plugin', rest);
		else
			uci.unset('siproxd', section_id, 'load_plugin');
	},

	/* Those that are to be loaded and that there are not. */
	unknown(section_id) {
		return listOf(uci.get('siproxd', section_id, 'load_plugin'))
			.filter(entry => !PLUGINS.some(plugin => plugin.name == nameOf(entry)));
	}
});
