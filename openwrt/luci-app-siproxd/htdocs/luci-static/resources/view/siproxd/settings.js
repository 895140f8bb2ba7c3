'use strict';
'require view';
'require dom';
'require form';
'require uci';
'require siproxd.daemon as daemon';
'require siproxd.settings.directives as directives';
'require siproxd.settings.fields as fields';
'require siproxd.settings.findings as findings';
'require siproxd.settings.instances as instances';
'require siproxd.settings.plugins as plugins';
'require siproxd.settings.unknown as unknown';

/*
 * The settings: each directive of siproxd.conf and the router's own options, in tabs. What is there for experts is shown when they ask for
 * it, or where it is set.
 */

const CONFIG = 'siproxd';

/* The form for one section; `places` is told where on the page each option is. */
function mapOf(section_id, places) {
	const map = new form.Map(CONFIG);
	const section = map.section(form.NamedSection, section_id, 'siproxd');
	const shown = (option, id, node, names) => names.forEach(name => places.set(name, { option, node, title: option.title }));

	section.addremove = false;

	directives.tabs.forEach(tab => {
		section.tab(tab.name, tab.title);

		const here = directives.list.filter(one => one.tab == tab.name && one.kind != 'plugin');

		/* What everybody may need stands above what is for experts. */
		[ false, true ].forEach(advanced => {
			if (tab.name == 'network')
				fields.OWN.filter(one => (one.advanced === true) == advanced)
					.forEach(one => fields.addOwn(section, tab.name, one, shown));

			here.filter(one => !plugins.ofDirective(one) && (one.advanced === true) == advanced)
				.forEach(one => fields.addDirective(section, tab.name, one, section_id, shown));

			plugins.list.filter(plugin => plugin.tab == tab.name && (plugin.advanced === true) == advanced).forEach(plugin => {
				fields.addPlugin(section, tab.name, plugin, shown);
				directives.list.filter(one => plugins.ofDirective(one) === plugin)
					.forEach(one => fields.addDirective(section, tab.name, one, section_id, shown));
			});
		});
	});

	return map;
}

return view.extend({
	load() {
		return uci.load(CONFIG);
	},

	render() {
		daemon.style();
		this.style();

		this.places = new Map();
		this.body = E('div', { 'class': 'siproxd-body' });
		this.root = E('div', { 'class': 'siproxd-settings', 'id': 'siproxd-settings' }, [
			E('h2', [ _('SIP phones: settings') ]),
			this.body
		]);

		return this.choose(instances.names()[0]).then(() => this.root);
	},

	style() {
		const href = L.resource('siproxd/settings.css');

		if (!document.querySelector('link[href^="%s"]'.format(href)))
			document.head.appendChild(E('link', { 'rel': 'stylesheet', 'href': href }));
	},

	/* Shows the settings of a section; none where there is none. */
	choose(section_id) {
		this.section_id = section_id;
		this.places.clear();
		this.map = section_id ? mapOf(section_id, this.places) : new form.Map(CONFIG);
		this.said = E('div', { 'class': 'siproxd-said', 'role': 'status', 'aria-live': 'polite' });

		return this.map.render().then(node => {
			dom.content(this.body, [
				instances.bar(section_id, !daemon.mayWrite(), {
					choose: name => this.leave().then(() => this.choose(name), () => false),
					add: name => this.leave().then(() => {
						instances.add(name);

						return this.choose(name);
					}, () => false),
					remove: name => {
						instances.remove(name);

						return this.choose(instances.names()[0]);
					}
				}),
				section_id ? this.bar() : '',
				this.said,
				node,
				section_id ? unknown.list(section_id, fields, this.places) : ''
			]);
		});
	},

	bar() {
		return E('div', { 'class': 'siproxd-options-bar' }, [
			E('label', [
				E('input', {
					'type': 'checkbox',
					'id': 'siproxd-show-advanced',
					'aria-controls': 'siproxd-settings',
					'checked': this.root.classList.contains('siproxd-all') ? '' : null,
					'change': ev => this.root.classList.toggle('siproxd-all', ev.target.checked)
				}), ' ', _('Show advanced settings')
			]),
			E('button', {
				'type': 'button', 'class': 'btn cbi-button cbi-button-action', 'id': 'siproxd-check',
				'disabled': daemon.mayWrite() ? null : '',
				'click': () => this.check()
			}, [ _('Check') ])
		]);
	},

	/* Keeps what has been edited, without applying it, before something else is shown. Where that cannot be, it stays, and is told of. */
	leave() {
		return this.section_id && daemon.mayWrite() ? this.map.save(null, true).catch(error => {
			this.say(E('p', { 'class': 'siproxd-error' }, [ _('First mend what is marked: %s').format(error ? error.message : '') ]));

			return Promise.reject(error);
		}) : Promise.resolve();
	},

	say(node) {
		dom.content(this.said, node);
	},

	check() {
		this.say(E('p', [ _('Checking…') ]));
		findings.clear(this.places);

		return this.leave().then(() => daemon.check()).then(problems => {
			findings.place(problems.filter(problem => problem.section == this.section_id), this.places);
			this.say(findings.summary(problems, this.section_id, this.places,
				name => this.leave().then(() => this.choose(name)).then(() => this.check())));
		}, error => {
			if (error && error.kind)
				this.say(E('div', [
					E('p', { 'class': 'siproxd-error' }, [ daemon.words(error) ]),
					error.text ? E('pre', [ error.text ]) : ''
				]));
		});
	}
});
