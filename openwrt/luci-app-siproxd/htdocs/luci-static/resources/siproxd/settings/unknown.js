'use strict';
'require baseclass';
'require uci';
'require siproxd.settings.plugins as plugins';
'require siproxd.settings.values as values';

/*
 * Options of a section that are none of ours, such as those of the C package or of another version: they stay, and are shown as they are.
 */

const CONFIG = 'siproxd';

/* Of those whose value is nobody's business, by their names, which may be misspelt. */
const SECRET = /pas.*w.*d|pass|pwd|secret/i;

return baseclass.extend({
	/* A list of them, or nothing where there are none. `places` is told where they are. */
	list(section_id, fields, places) {
		const section = uci.get(CONFIG, section_id) || {};
		const names = Object.keys(section).filter(name => name.charAt(0) != '.' && !fields.isKnown(name));
		const lost = plugins.unknown(section_id);

		if (!names.length && !lost.length)
			return '';

		const line = (name, text) => {
			const node = E('li', [ E('code', [ name ]), ' ', E('span', [ text ]) ]);

			places.set(name, { node, title: name });

			return node;
		};

		return E('div', { 'class': 'cbi-section siproxd-unknown' }, [
			E('h3', [ _('Not known to this version') ]),
			E('p', [ _('These stay in the configuration, and siproxd leaves them out.') ]),
			E('ul', names.map(name => line(name, SECRET.test(name) ? '•••••' : values.entries(section[name]).join(', ')))
				.concat(lost.map(entry => line('load_plugin', entry))))
		]);
	}
});
