'use strict';
'require baseclass';
'require dom';
'require formelement as base';
'require ui';

/* Part of the stand-in for LuCI's form module: sections, one below the other. */

const AbstractSection = base.AbstractElement.extend({
	__name__: 'CBI.AbstractSection',

	__init__(map, type, ...args) {
		base.AbstractElement.prototype.__init__.call(this, ...args);
		Object.assign(this, { sectiontype: type, map, config: map.config, optional: true, addremove: false, dynamic: false });
	},

	filter() {
		return true;
	},

	configName() {
		return this.uciconfig ?? this.map.config;
	},

	load() {
		return Promise.all(this.cfgsections().map(section_id => this.loadChildren(section_id)
			.then(values => values.forEach((value, place) => this.children[place].cfgvalue(section_id, value)))));
	},

	parse() {
		return Promise.all(this.cfgsections().flatMap(section_id => this.children.map(child => child.parse(section_id))));
	},

	tab(name, title, description) {
		this.tabs ??= [];
		if (this.tabs[name])
			throw new Error('Tab already declared');
		const tab = { name, title, description, children: [] };
		this.tabs.push(tab);
		this.tabs[name] = tab;
	},

	option(cbiClass, ...args) {
		const made = new cbiClass(this.map, this, ...args);
		this.append(made);
		return made;
	},

	taboption(name, ...args) {
		if (!this.tabs?.[name])
			L.error('ReferenceError', 'Associated tab not declared');
		const made = this.option(...args);
		made.tab = name;
		this.tabs[name].children.push(made);
		return made;
	},

	getOption(name) {
		return name === undefined ? Object.fromEntries(this.children.map(one => [ one.option, one ]))
			: this.children.find(one => one.option === name) ?? null;
	},

	/* Of all options of a section, or of one. */
	each(method, section_id, option) {
		if (option === undefined)
			return Object.fromEntries(this.children.map(one => [ one.option, one[method](section_id) ]));
		return this.getOption(option)?.[method](section_id) ?? null;
	},

	cfgvalue(section_id, option) { return this.each('cfgvalue', section_id, option); },
	formvalue(section_id, option) { return this.each('formvalue', section_id, option); },
	getUIElement(section_id, option) { return this.each('getUIElement', section_id, option); },

	renderOptions(tab, section_id) {
		return this.renderChildren(tab, section_id, this.isTable === true).then(nodes => E([], nodes.filter(Boolean)));
	},

	renderUCISection(section_id) {
		if (!this.tabs)
			return this.renderOptions(null, section_id);
		return Promise.all(this.tabs.map(tab => this.renderOptions(tab.name, section_id)))
			.then(nodes => E([], nodes.map((node, place) => this.renderTab(section_id, this.tabs[place], node))));
	},

	renderTab(section_id, tab, node) {
		const pane = E('div', {
			'id': `container.${this.configName()}.${section_id}.${tab.name}`, 'data-tab': tab.name, 'data-tab-title': tab.title,
			'data-tab-active': tab.name === this.selected_tab
		});
		if (tab.description)
			pane.appendChild(E('div', { 'class': 'cbi-tab-descr' }, tab.description));
		pane.appendChild(node);
		return pane;
	},

	/* What all sections begin with; titles and descriptions are markup in LuCI. */
	renderHead(id, look) {
		const tabbed = this.map.tabbed && !this.parentoption;
		const node = E('div', {
			'id': id, 'class': `cbi-section ${look ?? ''}`.trim(), 'data-tab': tabbed ? this.sectiontype : null,
			'data-tab-title': tabbed ? this.title || this.sectiontype : null
		});
		if (this.title)
			node.appendChild(E('h3', {}, this.title));
		if (this.description)
			node.appendChild(E('div', { 'class': 'cbi-section-descr' }, this.description));
		dom.bindClassInstance(node, this);
		return node;
	},

	renderNode(section_id, nodes) {
		return E('div', {
			'id': `cbi-${this.configName()}-${section_id}`, 'class': this.tabs ? 'cbi-section-node cbi-section-node-tabbed' : 'cbi-section-node',
			'data-section-id': section_id
		}, nodes);
	},

	checkDepends(ev, depth) {
		let changed = false;
		for (const section_id of this.cfgsections())
			for (const option of this.children) {
				const active = option.isActive(section_id);
				const wanted = option.checkDepends(section_id);
				if (active !== wanted)
					changed = option.setActive(section_id, wanted) || changed;
				if (!depth && active)
					option.triggerValidation(section_id);
			}
		return changed;
	}
});

const TypedSection = AbstractSection.extend({
	__name__: 'CBI.TypedSection',

	cfgsections() {
		return this.map.data.sections(this.configName(), this.sectiontype).map(one => one['.name']).filter(name => this.filter(name));
	},

	handleAdd(ev, name) {
		this.map.data.add(this.configName(), this.sectiontype, name);
		return this.map.save(null, true);
	},

	handleRemove(section_id) {
		this.map.data.remove(this.configName(), section_id);
		return this.map.save(null, true);
	},

	renderSectionAdd(look) {
		if (!this.addremove)
			return E([]);
		const title = this.titleFn('addbtntitle') ?? _('Add');
		const button = E('button', { 'class': 'cbi-button cbi-button-add', 'title': title, 'disabled': this.map.readonly || !this.anonymous || null }, [ title ]);
		const place = E('div', { 'class': `cbi-section-create ${look ?? ''}`.trim() });
		if (this.anonymous) {
			button.addEventListener('click', ui.createHandlerFn(this, 'handleAdd'));
			place.appendChild(button);
			return place;
		}
		const input = E('input', { 'type': 'text', 'class': 'cbi-section-create-name', 'disabled': this.map.readonly || null });
		button.addEventListener('click', ui.createHandlerFn(this, ev => input.classList.contains('cbi-input-invalid') ? null : this.handleAdd(ev, input.value)));
		if (!this.map.readonly) {
			ui.addValidator(input, 'uciname', true, value => {
				button.disabled = value === '';
				return value === '' ? _('Expecting: %s').format(_('non-empty value')) : true;
			}, 'blur', 'keyup');
		}
		dom.append(place, [ E('div', {}, [ input ]), button ]);
		return place;
	},

	renderSectionPlaceholder() {
		return E('em', [ _('This section contains no values yet') ]);
	},

	renderContents(section_ids, nodes) {
		const node = this.renderHead(`cbi-${this.configName()}-${this.sectiontype}`);
		section_ids.forEach((section_id, place) => {
			if (this.addremove)
				node.appendChild(E('div', { 'class': 'cbi-section-remove right' }, [
					E('button', {
						'class': 'cbi-button', 'name': `cbi.rts.${this.configName()}.${section_id}`, 'data-section-id': section_id,
						'click': ui.createHandlerFn(this, 'handleRemove', section_id), 'disabled': this.map.readonly || null
					}, [ _('Delete') ])
				]));
			if (!this.anonymous)
				node.appendChild(E('h3', [ section_id.toUpperCase() ]));
			node.appendChild(this.renderNode(section_id, nodes[place]));
		});
		if (!nodes.length)
			node.appendChild(this.renderSectionPlaceholder());
		node.appendChild(this.renderSectionAdd());
		return node;
	},

	render() {
		const section_ids = this.cfgsections();
		return Promise.all(section_ids.map(section_id => this.renderUCISection(section_id)))
			.then(nodes => this.renderContents(section_ids, nodes));
	}
});

const NamedSection = AbstractSection.extend({
	__name__: 'CBI.NamedSection',

	__init__(map, section_id, ...args) {
		AbstractSection.prototype.__init__.call(this, map, ...args);
		this.section = section_id;
	},

	cfgsections() {
		return [ this.section ];
	},

	handleAdd() {
		this.map.data.add(this.configName(), this.sectiontype, this.section);
		return this.map.save(null, true);
	},

	handleRemove() {
		this.map.data.remove(this.configName(), this.section);
		return this.map.save(null, true);
	},

	renderButton(handler, look, title) {
		return E('button', {
			'class': `cbi-button ${look}`.trim(), 'click': ui.createHandlerFn(this, handler), 'disabled': this.map.readonly || null
		}, [ title ]);
	},

	render() {
		const there = this.map.data.get(this.configName(), this.section) !== null;
		return Promise.resolve(there ? this.renderUCISection(this.section) : null).then(nodes => {
			const node = this.renderHead(there ? null : `cbi-${this.configName()}-${this.section}`);
			if (there && this.addremove)
				node.appendChild(E('div', { 'class': 'cbi-section-remove right' }, [ this.renderButton('handleRemove', '', _('Delete')) ]));
			if (there)
				node.appendChild(this.renderNode(this.section, nodes));
			else if (this.addremove)
				node.appendChild(this.renderButton('handleAdd', 'cbi-button-add', _('Add')));
			return node;
		});
	}
});

return baseclass.extend({ AbstractSection, TypedSection, NamedSection });
