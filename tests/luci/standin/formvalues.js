'use strict';
'require baseclass';
'require dom';
'require formelement as base';
'require ui';

/* Part of the stand-in for LuCI's form module: options. */

const AbstractValue = base.AbstractElement.extend({
	__name__: 'CBI.AbstractValue',

	__init__(map, section, option, ...args) {
		base.AbstractElement.prototype.__init__.call(this, ...args);
		Object.assign(this, {
			section, option, map, config: map.config, deps: [], initial: {}, rmempty: true, default: null, size: null, optional: false, retain: false
		});
	},

	/* Where in UCI it stands. */
	place(section_id) {
		return [ this.uciconfig ?? this.section.uciconfig ?? this.map.config, this.ucisection ?? section_id, this.ucioption ?? this.option ];
	},

	depends(field, value) {
		this.deps.push(typeof field === 'string' ? { [field]: value } : field);
	},

	transformDepList(section_id) {
		const [ config, section ] = this.place(section_id);
		const name = key => key.startsWith('!') ? key : key.includes('.') ? `cbid.${key}` : `cbid.${config}.${section}.${key}`;
		return this.deps.map(one => Object.fromEntries(Object.entries(one).map(([ key, value ]) => [ name(key), value ])));
	},

	transformChoices() {
		if (!this.keylist?.length)
			return null;
		return Object.fromEntries(this.keylist.map((key, place) => [ key, this.vallist[place] ]));
	},

	checkDepends(section_id) {
		return this.map.isDependencySatisfied(this.deps, this.place(section_id)[0], section_id);
	},

	cbid(section_id) {
		if (section_id == null)
			L.error('TypeError', 'Section ID required');
		return `cbid.${this.place(section_id)[0]}.${section_id}.${this.option}`;
	},

	load(section_id) {
		return this.map.data.get(...this.place(section_id));
	},

	getUIElement(section_id) {
		const node = this.map.findElement('id', this.cbid(section_id));
		const found = node && dom.findClassInstance(node);
		return found instanceof ui.AbstractElement ? found : null;
	},

	cfgvalue(section_id, ...given) {
		if (section_id == null)
			L.error('TypeError', 'Section ID required');
		this.data ??= {};
		if (given.length)
			this.data[section_id] = given[0];
		return this.data[section_id] ?? null;
	},

	formvalue(section_id) {
		return this.getUIElement(section_id)?.getValue() ?? null;
	},

	textvalue(section_id) {
		const value = this.cfgvalue(section_id) ?? this.default;
		return value == null ? null : '%h'.format(Array.isArray(value) ? value.join(' ') : value);
	},

	validate() {
		return true;
	},

	isValid(section_id) {
		return this.getUIElement(section_id)?.isValid() ?? true;
	},

	getValidationError(section_id) {
		return this.getUIElement(section_id)?.getValidationError() ?? '';
	},

	isActive(section_id) {
		const field = this.map.findElement('data-field', this.cbid(section_id));
		return field !== null && !field.classList.contains('hidden');
	},

	setActive(section_id, active) {
		const field = this.map.findElement('data-field', this.cbid(section_id));
		if (!field || field.classList.contains('hidden') !== active)
			return false;
		field.classList.toggle('hidden', !active);
		if (field.parentNode.matches('.td.cbi-value-field'))
			field.parentNode.classList.toggle('inactive', !active);
		return true;
	},

	triggerValidation(section_id) {
		return this.getUIElement(section_id)?.triggerValidation() ?? true;
	},

	refused(section_id) {
		const title = this.stripTags(this.title).trim() || this.option;
		return Promise.reject(new TypeError(
			`${_('Option "%s" contains an invalid input value.').format(title)} ${this.getValidationError(section_id)}`));
	},

	parse(section_id) {
		if (!this.isActive(section_id))
			return Promise.resolve(this.retain ? null : this.remove(section_id));
		if (!this.isValid(section_id))
			return this.refused(section_id);
		const value = this.formvalue(section_id);
		if (value == null || value == '') {
			if (this.rmempty || this.optional)
				return Promise.resolve(this.remove(section_id));
			return Promise.reject(new TypeError(_('Option "%s" must not be empty.').format(this.stripTags(this.title).trim() || this.option)));
		}
		if (this.forcewrite || !base.isEqual(this.cfgvalue(section_id), value))
			return Promise.resolve(this.write(section_id, value));
		return Promise.resolve();
	},

	write(section_id, value) {
		return this.map.data.set(...this.place(section_id), value);
	},

	/* Not where another option that is shown stands for the same. */
	remove(section_id) {
		const place = this.place(section_id).join();
		const other = this.section.children.find(one => one !== this && one.ucioption != null && one.place(section_id).join() === place &&
			one.isActive(section_id));
		if (!other)
			this.map.data.unset(...this.place(section_id));
	}
});

const Value = AbstractValue.extend({
	__name__: 'CBI.Value',

	value(key, label) {
		this.keylist ??= [];
		this.vallist ??= [];
		this.keylist.push(String(key));
		this.vallist.push(dom.elem(label) ? label : String(label ?? key));
	},

	render(option_index, section_id, in_table) {
		return Promise.resolve(this.cfgvalue(section_id))
			.then(value => this.renderWidget(section_id, option_index, value))
			.then(nodes => this.renderFrame(section_id, in_table, option_index, nodes));
	},

	handleValueChange(section_id, state, ev) {
		if (typeof this.onchange !== 'function')
			return;
		const value = this.formvalue(section_id);
		if (base.isEqual(value, state.before))
			return;
		state.before = value;
		this.onchange.call(this, ev, section_id, value);
	},

	renderFrame(section_id, in_table, option_index, nodes) {
		const [ config ] = this.place(section_id);
		const depends = this.transformDepList(section_id);
		const attributes = {
			'id': `cbi-${config}-${section_id}-${this.option}`, 'data-index': option_index, 'data-depends': depends, 'data-field': this.cbid(section_id)
		};
		const about = { 'data-name': this.option, 'data-widget': this.typename ?? this.__name__ };
		const title = this.stripTags(this.title).trim();
		let frame, field, outer;
		if (in_table) {
			field = frame = E('div', attributes);
			outer = E('td', { 'class': 'td cbi-value-field', 'data-title': title || null, 'data-description': this.stripTags(this.description).trim(), ...about }, frame);
		}
		else {
			outer = frame = E('div', { 'class': 'cbi-value', ...attributes, ...about });
			frame.classList.toggle('cbi-value-last', Boolean(this.last_child));
			field = frame;
			if (typeof this.title === 'string' && this.title !== '') {
				const id = `widget.cbid.${config}.${section_id}.${this.option}`;
				/* A bare string: titles are markup in LuCI. */
				frame.appendChild(E('label', { 'class': 'cbi-value-title', 'for': id, 'click': ev => this.focusWidget(ev, id) }, this.title));
				field = frame.appendChild(E('div', { 'class': 'cbi-value-field' }));
			}
		}
		dom.append(field, nodes);
		if (!in_table && typeof this.description === 'string' && this.description !== '')
			dom.append(field, E('div', { 'class': 'cbi-value-description' }, this.description.trim()));
		if (depends.length)
			frame.classList.add('hidden');
		const state = { before: this.cfgvalue(section_id) };
		outer.addEventListener('widget-change', ev => this.map.checkDepends(ev));
		outer.addEventListener('widget-change', ev => this.handleValueChange(section_id, state, ev));
		dom.bindClassInstance(outer, this);
		return outer;
	},

	/* A widget whose control has another id than the label names. */
	focusWidget(ev, id) {
		const field = ev.currentTarget.nextElementSibling;
		const control = field.querySelector(`[id="${id}"]`) ?? field.querySelector(`[data-widget-id="${id}"]`);
		control?.click();
		control?.focus();
	},

	/* Of all widgets. */
	widgetOptions(section_id) {
		return {
			id: this.cbid(section_id), sort: this.keylist, optional: this.optional || this.rmempty, datatype: this.datatype,
			placeholder: this.placeholder, validate: this.validate.bind(this, section_id), disabled: this.readonly ?? this.map.readonly
		};
	},

	renderWidget(section_id, option_index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const text = Array.isArray(value) ? value.join(' ') : value;
		const choices = this.transformChoices();
		const options = this.widgetOptions(section_id);
		if (choices)
			return new ui.Combobox(text, choices, { ...options, select_placeholder: this.placeholder ?? (options.optional ? E('em', [ _('unspecified') ]) : _('-- Please choose --')) }).render();
		return new ui.Textfield(text, { ...options, password: this.password, maxlength: this.maxlength }).render();
	}
});

const DynamicList = Value.extend({
	__name__: 'CBI.DynamicList',

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.DynamicList(L.toArray(cfgvalue ?? this.default), this.transformChoices(),
			{ ...this.widgetOptions(section_id), allowduplicates: this.allowduplicates }).render();
	}
});

const ListValue = Value.extend({
	__name__: 'CBI.ListValue',

	__init__(...args) {
		Value.prototype.__init__.call(this, ...args);
		Object.assign(this, { widget: 'select', orientation: 'horizontal', deplist: [] });
	},

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.Select(cfgvalue ?? this.default, this.transformChoices(), {
			...this.widgetOptions(section_id), datatype: null, optional: this.optional, size: this.size, widget: this.widget, orientation: this.orientation
		}).render();
	}
});

const Flag = Value.extend({
	__name__: 'CBI.FlagValue',

	__init__(...args) {
		Value.prototype.__init__.call(this, ...args);
		Object.assign(this, { enabled: '1', disabled: '0', default: '0' });
	},

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.Checkbox(cfgvalue ?? this.default, {
			...this.widgetOptions(section_id), datatype: null, value_enabled: this.enabled, value_disabled: this.disabled
		}).render();
	},

	formvalue(section_id) {
		return this.getUIElement(section_id)?.isChecked() ? this.enabled : this.disabled;
	},

	textvalue(section_id) {
		return (this.cfgvalue(section_id) ?? this.default) == this.enabled ? _('Yes') : _('No');
	},

	/* The default is not written, unless rmempty is off. */
	parse(section_id) {
		if (!this.isActive(section_id))
			return Promise.resolve(this.retain ? null : this.remove(section_id));
		if (!this.isValid(section_id))
			return this.refused(section_id);
		const value = this.formvalue(section_id);
		return Promise.resolve(value == this.default && (this.optional || this.rmempty) ? this.remove(section_id) : this.write(section_id, value));
	}
});

const MultiValue = DynamicList.extend({
	__name__: 'CBI.MultiValue',

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.Dropdown(L.toArray(cfgvalue ?? this.default), this.transformChoices(), {
			...this.widgetOptions(section_id), multiple: true, select_placeholder: this.placeholder ?? _('-- Please choose --')
		}).render();
	}
});

const TextValue = Value.extend({
	__name__: 'CBI.TextValue',

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.Textarea(cfgvalue ?? this.default, {
			...this.widgetOptions(section_id), rows: this.rows, cols: this.cols, wrap: this.wrap, monospace: this.monospace
		}).render();
	}
});

const DummyValue = Value.extend({
	__name__: 'CBI.DummyValue',

	renderWidget(section_id, option_index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const hidden = new ui.Hiddenfield(value, { id: this.cbid(section_id) });
		const shown = E('div', { 'class': 'cbi-value-dummy' });
		/* `rawhtml` says so: markup. */
		dom.append(shown, this.rawhtml ? value : [ value ?? '' ]);
		return E([], [ shown, hidden.render() ]);
	},

	remove() {},
	write() {}
});

const Button = Value.extend({
	__name__: 'CBI.ButtonValue',

	renderWidget(section_id) {
		const hidden = new ui.Hiddenfield(this.cfgvalue(section_id) ?? this.default, { id: this.cbid(section_id) });
		const title = this.titleFn('inputtitle', section_id) ?? this.title;
		return E([], [
			E('button', {
				'class': `cbi-button cbi-button-${this.inputstyle ?? 'button'}`, 'disabled': (this.readonly ?? this.map.readonly) ? '' : null,
				'click': ui.createHandlerFn(this, ev => this.onclick ? this.onclick(ev, section_id) : this.map.save())
			}, [ title ]),
			hidden.render()
		]);
	}
});

const HiddenValue = Value.extend({
	__name__: 'CBI.HiddenValue',

	renderWidget(section_id, option_index, cfgvalue) {
		return new ui.Hiddenfield(cfgvalue ?? this.default, { id: this.cbid(section_id) }).render();
	}
});

/* A section inside of an option. */
const SectionValue = Value.extend({
	__name__: 'CBI.SectionValue',

	__init__(map, section, option, cbiClass, ...args) {
		Value.prototype.__init__.call(this, map, section, option);
		this.subsection = new cbiClass(map, ...args);
		this.subsection.parentoption = this;
	},

	load() { return this.subsection.load(); },
	parse() { return this.subsection.parse(); },
	renderWidget() { return this.subsection.render(); },
	checkDepends(section_id) {
		this.subsection.checkDepends();
		return Value.prototype.checkDepends.call(this, section_id);
	},
	value() {},
	write() {},
	remove() {},
	cfgvalue() { return null; },
	formvalue() { return null; }
});

return baseclass.extend({
	AbstractValue, Value, DynamicList, ListValue, Flag, MultiValue, TextValue, DummyValue, Button, HiddenValue, SectionValue
});
