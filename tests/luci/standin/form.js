'use strict';
'require baseclass';
'require dom';
'require formelement as base';
'require formsections as sections';
'require formtables as tables';
'require formvalues as values';
'require rpc';
'require uci';
'require ui';

/* Stand-in for LuCI's form module: the form itself; its parts are in the other files that begin with `form`. */

const callAccess = rpc.declare({ object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: false } });

const Map = base.AbstractElement.extend({
	__name__: 'CBI.Map',

	__init__(config, ...args) {
		base.AbstractElement.prototype.__init__.call(this, ...args);
		this.config = config;
		this.parsechain = [ config ];
		this.data = uci;
	},

	findElements(selector, value) {
		return this.root.querySelectorAll(value === undefined ? selector : `[${selector}="${CSS.escape(value)}"]`);
	},

	findElement(...args) {
		return this.findElements(...args)[0] ?? null;
	},

	chain(config) {
		if (!this.parsechain.includes(config))
			this.parsechain.push(config);
	},

	section(cbiClass, ...args) {
		const made = new cbiClass(this, ...args);
		this.append(made);
		return made;
	},

	load() {
		const access = this.data === uci && this.readonly == null ? callAccess('uci', this.config, 'write') : true;
		const loads = this.parsechain.map((config, place) => place ? L.resolveDefault(this.data.load(config)) : this.data.load(config));
		return Promise.all([ access, ...loads ]).then(([ may ]) => {
			if (may === false)
				this.readonly = true;
			return this.loadChildren();
		});
	},

	save(callback, silent) {
		this.checkDepends();
		return this.parse()
			.then(callback)
			.then(() => this.data.save())
			.then(() => this.load())
			.catch(error => {
				if (!silent)
					ui.showModal(_('Save error'), [
						E('p', {}, [ _('An error occurred while saving the form:') ]),
						E('p', {}, [ E('em', { 'style': 'white-space:pre-wrap' }, [ error.message ]) ]),
						E('div', { 'class': 'right' }, [ E('button', { 'class': 'cbi-button', 'click': ui.hideModal }, [ _('Dismiss') ]) ])
					]);
				return Promise.reject(error);
			})
			.then(() => ui.changes.init())
			.then(() => this.renderContents());
	},

	reset() {
		return this.renderContents();
	},

	render() {
		return this.load().then(() => this.renderContents());
	},

	renderContents() {
		this.root ??= E('div', { 'id': `cbi-${this.config}`, 'class': 'cbi-map' });
		dom.bindClassInstance(this.root, this);
		return this.renderChildren(null).then(nodes => {
			dom.content(this.root, null);
			/* Titles and descriptions are markup in LuCI. */
			if (this.title)
				this.root.appendChild(E('h2', { 'name': 'content' }, this.title));
			if (this.description)
				this.root.appendChild(E('div', { 'class': 'cbi-map-descr' }, this.description));
			dom.append(this.root, this.tabbed ? E('div', { 'class': 'cbi-map-tabbed' }, nodes) : nodes);
			this.checkDepends();
			this.findElements('.cbi-map-tabbed, .cbi-section-node-tabbed').forEach(group =>
				ui.tabs.initTabGroup([ ...group.childNodes ].filter(node => node.hasAttribute?.('data-tab'))));
			return this.root;
		});
	},

	/* The option of that name, and its section. */
	lookupOption(name, section_id, config) {
		const id = name.includes('.') ? (name.startsWith('cbid.') ? name : `cbid.${name}`) : `cbid.${config ?? this.config}.${section_id}.${name}`;
		const node = this.findElement('data-field', id);
		const found = node && dom.findClassInstance(node);
		return found instanceof values.AbstractValue ? [ found, id.split('.')[2] ] : null;
	},

	checkDepends(ev, depth = 0) {
		if (!this.root)
			return;
		const changed = this.children.map(section => section.checkDepends(ev, depth)).includes(true);
		if (changed && depth < 10)
			this.checkDepends(ev, depth + 1);
		ui.tabs.updateTabs(ev, this.root);
	},

	isDependencySatisfied(depends, config, section_id) {
		if (!depends?.length)
			return true;
		const holds = one => {
			const same = one['!contains'] ? base.isContained : (value, wanted) => wanted instanceof RegExp ? wanted.test(value ?? '') : base.isEqual(value, wanted);
			const names = Object.keys(one).filter(name => !name.startsWith('!'));
			const all = names.every(name => {
				const found = this.lookupOption(name, section_id, config);
				return same(found?.[0].isActive(found[1]) ? found[0].formvalue(found[1]) : null, one[name]);
			});
			return !('!default' in one) && all !== Boolean(one['!reverse']);
		};
		return depends.some(holds) || depends.some(one => '!default' in one);
	}
});

/* An object in place of a configuration: of sections by type, or of lists of them. */
const JSONConfig = baseclass.extend({
	__init__(data) {
		this.all = {};
		for (const [ type, given ] of Object.entries(data))
			L.toArray(given).forEach((section, place) => {
				const name = Array.isArray(given) ? `${type}${place}` : type;
				this.all[name] = Object.assign(section, { '.type': type, '.name': name, '.anonymous': Array.isArray(given), '.index': place });
			});
	},

	load(config) { return Promise.resolve(config); },
	save() { return Promise.resolve(); },
	get(config, id, option) { return (option == null ? this.all[id] : this.all[id]?.[option]) ?? null; },
	set(config, id, option, value) { this.all[id][option] = value; },
	unset(config, id, option) { delete this.all[id][option]; },
	sections(config, type) { return Object.values(this.all).filter(one => type == null || one['.type'] === type); },
	remove(config, id) { delete this.all[id]; },
	move() { return false; },
	add(config, type, name) {
		const id = name ?? `${type}${Object.keys(this.all).length}`;
		this.all[id] = { '.type': type, '.name': id, '.anonymous': name == null };
		return id;
	}
});

const JSONMap = Map.extend({
	__name__: 'CBI.JSONMap',

	__init__(data, ...args) {
		Map.prototype.__init__.call(this, 'json', ...args);
		this.data = new JSONConfig(data);
	}
});

return baseclass.extend({
	Map, JSONMap,
	AbstractSection: sections.AbstractSection, TypedSection: sections.TypedSection, NamedSection: sections.NamedSection,
	TableSection: tables.TableSection, GridSection: tables.GridSection,
	AbstractValue: values.AbstractValue, Value: values.Value, DynamicList: values.DynamicList, ListValue: values.ListValue, Flag: values.Flag,
	MultiValue: values.MultiValue, TextValue: values.TextValue, DummyValue: values.DummyValue, Button: values.Button,
	HiddenValue: values.HiddenValue, SectionValue: values.SectionValue
});
