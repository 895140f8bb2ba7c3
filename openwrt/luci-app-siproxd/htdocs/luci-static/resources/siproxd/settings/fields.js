'use strict';
'require baseclass';
'require form';
'require uci';
'require tools.widgets as widgets';
'require siproxd.settings.directives as directives';
'require siproxd.settings.frame as frame';
'require siproxd.settings.kept as kept';
'require siproxd.settings.mask as mask';
'require siproxd.settings.pairs as pairs';
'require siproxd.settings.plugins as plugins';
'require siproxd.settings.values as values';

/*
 * From a directive's kind to an option of the form.
 */

const CONFIG = 'siproxd';

/* Defaults that the init script makes for each section. */
const PLACED = {
	'user': 'siproxd',
	'registration_file': '/var/lib/siproxd/siproxd-%s.reg',
	'plugin_blacklist_dbpath': '/var/lib/siproxd/siproxd-%s.blacklist',
	'control_socket': '/var/run/siproxd/%s.sock'
};

/* Numbers that stand for something else. */
const CHOICES = {
	'silence_log': {
		'0': _('everything, with debugging'),
		'1': _('information, warnings and errors'),
		'2': _('warnings and errors'),
		'3': _('errors'),
		'4': _('nothing')
	},
	'use_rport': {
		'0': _('of nobody'),
		'1': _('of phones'),
		'2': _('of the Internet'),
		'3': _('of phones and the Internet')
	}
};

/* Those that a plugin of several has to be on for. */
const NEEDS_ONE_OF = { 'redirect_numbers': [ 'shortdial', 'prefix', 'regex' ] };

/* Options that are the router's, and in no siproxd.conf. */
const OWN = [
	{ name: 'enabled', kind: 'bit', default: '1', title: _('Enabled'),
	  text: _('Starts with the router.') },
	{ name: 'interface_inbound', kind: 'network', restart: true, title: _('Network of the phones'),
	  text: _('Usually lan. Without it siproxd finds one that has a private network.') },
	{ name: 'interface_outbound', kind: 'network', restart: true, title: _('Network towards the Internet'),
	  text: _('Usually wan. Without it siproxd takes the one that the default route leads to.') },
	{ name: 'firewall_open', kind: 'bit', default: '0', title: _('Open the firewall'),
	  text: _('Lets calls from the Internet in that come from others than the providers phones are registered with. Not needed for phones that register with a provider.') },
	{ name: 'jail', kind: 'bit', default: '1', advanced: true, restart: true, title: _('Run in a jail'),
	  text: _('siproxd sees its own files and nothing else. Switch this off only where it does not start otherwise.') },
	{ name: 'conntrack', kind: 'bit', default: '0', advanced: true, restart: true, title: _('Clean up connection tracking'),
	  text: _('Deletes what the kernel remembers of an old public address. Without it that ends by itself within three minutes.') }
];

function titleOf(name) {
	const found = directives.list.concat(OWN).find(one => one.name == name)
		|| plugins.list.find(plugin => 'plugin_' + plugin.name == name);

	return found ? _('“%s”').format(found.title) : name;
}

/* A text of siproxd's for the page: names between back quotes are titles here. */
function plain(text) {
	return text.replace(/`([^`]*)`/g, (all, name) => titleOf(name));
}

function isSet(names, section_id) {
	return names.some(name => values.entries(uci.get(CONFIG, section_id, name)).length > 0);
}

function last(value) {
	return Array.isArray(value) ? value[value.length - 1] : value;
}

function defaultOf(directive, section_id) {
	const placed = PLACED[directive.name];

	return placed == null ? directive.default : placed.format(section_id);
}

/* A value to show where nothing is set: the default, or how one looks. */
function placeholderOf(directive, section_id) {
	const example = values.entries(directive.example || null, directive)[0];

	return defaultOf(directive, section_id) || (example ? _('e.g. %s').format(example) : null);
}

/* What is typed is checked; what stands in UCI and is not changed does not stand in the way of the rest. */
function checked(option, directive) {
	option.validate = function(section_id, value) {
		return values.entries(this.cfgvalue(section_id)).includes(value) || values.check(directive, value);
	};
}

function bit(section, tab, one) {
	const option = section.taboption(tab, form.Flag, one.name, one.title);

	option.default = one.default == '1' ? '1' : '0';
	option.rmempty = false;
	kept.keep(option, values.bit);

	return option;
}

/* One of several words; a value that is none of them stays to be chosen. */
function choice(section, tab, directive, words) {
	const option = section.taboption(tab, form.ListValue, directive.name, directive.title);
	const standard = defaultOf(directive, '');

	option.value('', standard ? _('Default: %s').format(words[standard] || standard) : _('Default'));
	Object.keys(words).forEach(word => option.value(word, words[word]));

	kept.keep(option, function(value) {
		const text = last(value);
		const number = directive.kind == 'int' && text != null ? values.number(text) : null;
		const word = number == null ? text : String(number);

		if (word == null || word === '')
			return '';

		if (!(word in words) && !this.keylist.includes(word))
			this.value(word, word);

		return word;
	});

	return option;
}

/* A network or a device: one that is not there stays, and is told of. */
function select(section, tab, one, widget) {
	const option = section.taboption(tab, widget, one.name, one.title);

	option.optional = true;
	option.rmempty = true;
	kept.keep(option, last);

	const render = option.render;

	option.render = function(option_index, section_id, in_table) {
		return Promise.resolve(render.call(this, option_index, section_id, in_table)).then(node => {
			const stands = this.cfgvalue(section_id);

			if (stands && !node.textContent.includes(stands))
				frame.add(node, frame.id(this, section_id, 'stands'), 'siproxd-now', _('Now: %s, which is not there.').format(stands));

			return node;
		});
	};

	return option;
}

function list(section, tab, directive) {
	const option = section.taboption(tab, form.DynamicList, directive.name, directive.title);

	option.allowduplicates = true;
	option.placeholder = placeholderOf(directive, '');
	checked(option, directive);

	return kept.keep(option, value => values.entries(value, directive));
}

function field(section, tab, directive, section_id) {
	const option = section.taboption(tab, form.Value, directive.name, directive.title);

	option.placeholder = placeholderOf(directive, section_id);
	option.password = directive.secret === true;
	checked(option, directive);

	return kept.keep(option, last);
}

function table(section, tab, name, found) {
	const option = section.taboption(tab, pairs.Table, '_' + name, found.title);

	option.number = found.number;
	option.columns = found.columns.map(column => {
		const directive = directives.list.find(one => one.name == column.option);

		return Object.assign({ directive, placeholder: placeholderOf(directive, '') }, column);
	});

	return option;
}

/* The option for a directive: of its kind, and with what belongs to it. */
function make(section, tab, directive, section_id) {
	if (directive.list)
		return list(section, tab, directive);

	if (CHOICES[directive.name])
		return choice(section, tab, directive, CHOICES[directive.name]);

	switch (directive.kind) {
	case 'switch':
		return bit(section, tab, Object.assign({}, directive, { default: defaultOf(directive, section_id) }));

	case 'mask':
		return section.taboption(tab, mask.Mask, directive.name, directive.title);

	case 'interface':
		return select(section, tab, directive, widgets.DeviceSelect);

	case 'oneof':
		return choice(section, tab, directive, Object.fromEntries(directive.values.map(value => [ value, value ])));

	default:
		return field(section, tab, directive, section_id);
	}
}

/* Has an option wait for a plugin to be switched on, where it is a plugin's. */
function wait(option, directive) {
	const plugin = plugins.ofDirective(directive);
	const needed = plugin ? [ plugin ] : plugins.list.filter(one => (NEEDS_ONE_OF[directive.name] || []).includes(one.name));

	needed.forEach(one => option.depends(plugins.optionOf(one), '1'));
}

function notes(directive) {
	const text = plain(directive.text);

	return directive.without_effect ? text + ' ' + _('It has no effect here.') : text;
}

return baseclass.extend({
	OWN,

	/*
	 * What siproxd finds wrong, in words for the page: in the user's language where the value shows it, else siproxd's own.
	 */
	words(problem, section_id) {
		const directive = directives.list.find(one => one.name == problem.option);
		const wrong = directive && problem.severity == 'error'
			? values.entries(uci.get(CONFIG, section_id, directive.name), directive).map(entry => values.check(directive, entry)).find(answer => answer !== true)
			: null;

		return wrong || plain(String(problem.text));
	},

	/* Whether an option of UCI is one of ours: a directive, or the router's. */
	isKnown(name) {
		return directives.list.some(one => one.name == name) || OWN.some(one => one.name == name);
	},

	/* Adds one of the router's own options. */
	addOwn(section, tab, one, shown) {
		const option = one.kind == 'network' ? select(section, tab, one, widgets.NetworkSelect) : bit(section, tab, one);

		frame.around(option, {
			text: one.text, names: [ one.name ], restart: one.restart, advanced: one.advanced,
			isSet: section_id => isSet([ one.name ], section_id)
		}, shown);
	},

	/* Adds a directive, or the table that begins with it. */
	addDirective(section, tab, directive, section_id, shown) {
		const found = pairs.tableOf(directive.name);

		if (!found && pairs.isColumn(directive.name))
			return;

		const names = found ? found.columns.map(column => column.option) : [ directive.name ];
		const option = found ? table(section, tab, directive.name, found) : make(section, tab, directive, section_id);

		wait(option, directive);
		frame.around(option, {
			text: found ? found.text : notes(directive), names, restart: directive.restart, advanced: directive.advanced,
			isSet: id => isSet(names, id)
		}, shown);
	},

	/* Adds the switch of a plugin. */
	addPlugin(section, tab, plugin, shown) {
		const option = section.taboption(tab, form.Flag, plugins.optionOf(plugin), plugin.title);

		option.default = '0';
		option.rmempty = false;
		option.load = section_id => plugins.isOn(plugin, section_id) ? '1' : '0';
		option.write = (section_id, value) => plugins.set(plugin, section_id, value == '1');
		option.remove = () => {};
		kept.keep(option);
		frame.around(option, {
			text: plugin.text, names: [ 'plugin_' + plugin.name ], advanced: plugin.advanced,
			isSet: section_id => plugins.isOn(plugin, section_id)
		}, shown);
	}
});
