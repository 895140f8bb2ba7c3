'use strict';
'require baseclass';
'require dom';
'require validation';

/* Part of the stand-in for LuCI's ui module: the simple widgets of forms. */

/* Checks a field whenever one of the events comes; an empty type is none. */
function addValidator(field, type, optional, vfunc, ...events) {
	if (type == null)
		return null;
	const validator = validation.create(field, type, optional, vfunc);
	const check = () => validator.validate();
	for (const name of events.length ? events : [ 'blur', 'keyup' ])
		field.addEventListener(name, check);
	return check;
}

const AbstractElement = baseclass.extend({
	__name__: 'LuCI.ui.AbstractElement',

	__init__(value, options) {
		this.value = value;
		this.options = { ...options };
	},

	getValue() {
		return this.node.value ?? null;
	},

	setValue(value) {
		this.node.value = value;
	},

	isValid() {
		return this.validState !== false;
	},

	getValidationError() {
		return this.validationError ?? '';
	},

	isChanged() {
		return this.node?.getAttribute('data-changed') === 'true';
	},

	triggerValidation() {
		if (typeof this.check !== 'function')
			return true;
		const before = this.isValid();
		this.check();
		return before !== this.isValid();
	},

	registerEvents(target, made, events) {
		for (const name of events)
			target.addEventListener(name, () => this.node.dispatchEvent(new CustomEvent(made, { bubbles: true })));
	},

	setUpdateEvents(target, ...events) {
		this.registerEvents(target, 'widget-update', events);
		const { datatype, validate, optional } = this.options;
		if (!datatype && !validate)
			return;
		this.check = addValidator(target, datatype ?? 'string', optional, validate, ...events);
		this.node.addEventListener('validation-success', () => {
			this.validState = true;
			this.validationError = '';
		});
		this.node.addEventListener('validation-failure', ev => {
			this.validState = false;
			this.validationError = ev.detail.message;
		});
	},

	setChangeEvents(target, ...events) {
		for (const name of events)
			target.addEventListener(name, () => this.node.setAttribute('data-changed', true));
		this.registerEvents(target, 'widget-change', events);
	},

	/* What each widget's render() ends with. */
	bound(node) {
		this.node = node;
		dom.bindClassInstance(node, this);
		return node;
	},

	widgetId() {
		return this.options.id ? `widget.${this.options.id}` : null;
	},

	off() {
		return this.options.disabled ? '' : null;
	}
});

const Textfield = AbstractElement.extend({
	__name__: 'LuCI.ui.Textfield',

	render() {
		const { id, name, password, readonly, maxlength, placeholder } = this.options;
		const input = E('input', {
			'id': this.widgetId(), 'name': name, 'type': password ? 'password' : 'text', 'class': password ? 'cbi-input-password' : 'cbi-input-text',
			'readonly': readonly ? '' : null, 'disabled': this.off(), 'maxlength': maxlength, 'placeholder': placeholder,
			'autocomplete': password ? 'new-password' : null, 'value': this.value
		});
		const frame = E('div', { 'id': id }, [ input ]);
		if (password)
			dom.content(frame, E('div', { 'class': 'control-group' }, [
				input,
				E('button', {
					'class': 'cbi-button cbi-button-neutral', 'title': _('Reveal/hide password'), 'aria-label': _('Reveal/hide password'),
					'click': ev => {
						ev.preventDefault();
						input.type = input.type === 'password' ? 'text' : 'password';
					}
				}, [ '∗' ])
			]));
		this.bound(frame);
		this.setUpdateEvents(input, 'keyup', 'blur');
		this.setChangeEvents(input, 'change');
		return frame;
	},

	getValue() {
		return this.node.querySelector('input').value;
	},

	setValue(value) {
		this.node.querySelector('input').value = value;
	}
});

const Textarea = AbstractElement.extend({
	__name__: 'LuCI.ui.Textarea',

	render() {
		const { id, name, rows, cols, wrap, monospace, readonly, placeholder } = this.options;
		const area = E('textarea', {
			'id': this.widgetId(), 'name': name, 'class': 'cbi-input-textarea', 'rows': rows, 'cols': cols, 'placeholder': placeholder,
			'readonly': readonly ? '' : null, 'disabled': this.off(), 'wrap': wrap ? '' : null,
			'style': monospace ? 'font-family:monospace' : null
		}, [ this.value ?? '' ]);
		const frame = this.bound(E('div', { 'id': id }, [ area ]));
		this.setUpdateEvents(area, 'keyup', 'blur');
		this.setChangeEvents(area, 'change');
		return frame;
	},

	getValue() {
		return this.node.firstElementChild.value;
	},

	setValue(value) {
		this.node.firstElementChild.value = value;
	}
});

const Checkbox = AbstractElement.extend({
	__name__: 'LuCI.ui.Checkbox',

	__init__(value, options) {
		this.value = value;
		this.options = { value_enabled: '1', value_disabled: '0', ...options };
	},

	/* As in LuCI, the box's own id is made up: a label reaches it by `data-widget-id`. */
	render() {
		const id = `cb${Math.floor(Math.random() * 0xffffffff).toString(16).padStart(8, '0')}`;
		const box = E('input', {
			'id': id, 'name': this.options.name, 'type': 'checkbox', 'value': this.options.value_enabled,
			'checked': this.value == this.options.value_enabled ? '' : null, 'disabled': this.off(), 'data-widget-id': this.widgetId()
		});
		const frame = this.bound(E('div', { 'id': this.options.id, 'class': 'cbi-checkbox' }, [ box, E('label', { 'for': id }) ]));
		this.setUpdateEvents(box, 'click', 'blur');
		this.setChangeEvents(box, 'change');
		return frame;
	},

	isChecked() {
		return this.node.querySelector('input[type="checkbox"]').checked;
	},

	getValue() {
		return this.isChecked() ? this.options.value_enabled : this.options.value_disabled;
	},

	setValue(value) {
		this.node.querySelector('input[type="checkbox"]').checked = value == this.options.value_enabled;
	}
});

const Select = AbstractElement.extend({
	__name__: 'LuCI.ui.Select',

	__init__(value, choices, options) {
		this.values = Array.isArray(value) ? value : value != null && value !== '' ? [ value ] : [];
		this.choices = choices ?? {};
		this.options = { widget: 'select', orientation: 'horizontal', ...options };
		if (Object.hasOwn(this.choices, ''))
			this.options.optional = true;
	},

	single() {
		return this.options.widget !== 'radio' && this.options.widget !== 'checkbox';
	},

	keys() {
		return Array.isArray(this.options.sort) ? this.options.sort : Object.keys(this.choices);
	},

	render() {
		const { id, name, size, optional, placeholder } = this.options;
		const has = key => this.values.map(String).includes(String(key));
		if (!this.single()) {
			const boxes = this.keys().map((key, place) => E('span', { 'class': 'cbi-radio' }, [
				E('input', { 'id': `widget.${id}.${place}`, 'name': id || name, 'type': 'radio', 'class': 'cbi-input-radio', 'value': key,
					'checked': has(key) ? '' : null, 'disabled': this.off() }),
				E('label', { 'for': `widget.${id}.${place}` }),
				E('span', { 'click': ev => ev.currentTarget.parentNode.querySelector('input').click() }, [ this.choices[key] || key ])
			]));
			const frame = this.bound(E('div', { 'id': id }, boxes));
			frame.querySelectorAll('input').forEach(box => {
				this.setUpdateEvents(box, 'change', 'click', 'blur');
				this.setChangeEvents(box, 'change');
			});
			return frame;
		}
		const options = this.keys().filter(key => key != null && key !== '').map(key =>
			E('option', { 'value': key, 'selected': has(key) ? '' : null }, [ this.choices[key] || key ]));
		if (optional)
			options.unshift(E('option', { 'value': '', 'selected': this.values.length === 0 || this.values[0] === '' ? '' : null },
				[ this.choices[''] || placeholder || _('-- Please choose --') ]));
		const select = E('select', { 'id': this.widgetId(), 'name': name, 'size': size, 'class': 'cbi-input-select', 'disabled': this.off() }, options);
		const frame = this.bound(E('div', { 'id': id }, [ select ]));
		this.setUpdateEvents(select, 'change', 'click', 'blur');
		this.setChangeEvents(select, 'change');
		return frame;
	},

	getValue() {
		return this.single() ? this.node.firstElementChild.value : this.node.querySelector('input:checked')?.value ?? null;
	},

	setValue(value) {
		if (this.single())
			this.node.firstElementChild.value = value ?? '';
		else
			this.node.querySelectorAll('input').forEach(box => { box.checked = box.value === value; });
	}
});

const Hiddenfield = AbstractElement.extend({
	__name__: 'LuCI.ui.Hiddenfield',

	render() {
		return this.bound(E('input', { 'id': this.options.id, 'type': 'hidden', 'value': this.value }));
	}
});

return baseclass.extend({
	addValidator,
	AbstractElement, Textfield, Textarea, Checkbox, Select, Hiddenfield
});
