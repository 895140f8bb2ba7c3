'use strict';
'require baseclass';
'require dom';
'require uiwidgets as widgets';

/* Part of the stand-in for LuCI's ui module: the widgets that open, and lists. */

const Dropdown = widgets.AbstractElement.extend({
	__name__: 'LuCI.ui.Dropdown',

	__init__(value, choices, options) {
		this.values = Array.isArray(value) ? value : value != null && value !== '' ? [ value ] : [];
		this.choices = choices ?? {};
		this.options = { multiple: Array.isArray(value), optional: true, custom_placeholder: _('-- custom --'), ...options };
	},

	keys() {
		const keys = Array.isArray(this.options.sort) ? [ ...this.options.sort ] : Object.keys(this.choices);
		/* Others than are offered stay where others may be made. */
		return this.options.create ? keys.concat(this.values.filter(value => value != null && value !== '' && !keys.includes(value))) : keys;
	},

	item(key, chosen) {
		const label = this.choices[key];
		const shown = dom.elem(label) ? label.cloneNode(true) : label ?? key;
		return E('li', { 'data-value': key, 'selected': chosen ? '' : null, 'role': 'option' }, [ shown ]);
	},

	render() {
		const { id, optional, multiple, create, select_placeholder, placeholder, disabled } = this.options;
		const list = E('ul', {}, this.keys().map(key => this.item(key, this.values.includes(key))));
		if (optional && !multiple && !list.querySelector('li[data-value=""]')) {
			const words = select_placeholder || placeholder || _('-- Please choose --');
			list.prepend(E('li', { 'placeholder': '' }, dom.elem(words) ? words : [ words ]));
		}
		if (create) {
			const input = E('input', { 'type': 'text', 'class': 'create-item-input', 'placeholder': this.options.custom_placeholder });
			list.appendChild(E('li', { 'data-value': '-', 'unselectable': '' }, [ input ]));
			widgets.addValidator(input, this.options.datatype ?? 'string', true, this.options.validate, 'blur', 'keyup');
			input.addEventListener('keydown', ev => {
				if (ev.key !== 'Enter' || input.classList.contains('cbi-input-invalid'))
					return;
				ev.preventDefault();
				this.create(input.value);
				input.value = '';
			});
		}
		const frame = this.bound(E('div', {
			'id': id, 'class': 'cbi-dropdown', 'tabindex': 0, 'multiple': multiple ? '' : null, 'optional': optional ? '' : null,
			'disabled': disabled ? '' : null, 'data-widget-id': this.widgetId()
		}, [ list, E('span', { 'class': 'more', 'tabindex': -1 }), E('span', { 'class': 'open', 'tabindex': -1 }), E('div') ]));
		if (!multiple && !list.querySelector('[selected]'))
			list.firstElementChild?.setAttribute('selected', '');
		frame.addEventListener('click', ev => this.clicked(ev));
		frame.addEventListener('keydown', ev => this.pressed(ev));
		document.addEventListener('click', ev => { if (!frame.contains(ev.target)) this.close(); });
		this.setUpdateEvents(frame, 'cbi-dropdown-open', 'cbi-dropdown-close');
		this.setChangeEvents(frame, 'cbi-dropdown-change', 'cbi-dropdown-close');
		this.keep(false);
		return frame;
	},

	chosen() {
		return [ ...this.node.querySelectorAll(':scope > ul > li[selected]:not([placeholder])') ];
	},

	/* What is chosen is shown, and stands in hidden inputs. */
	keep(told = true) {
		this.node.querySelectorAll(':scope > ul > li').forEach(item => item.toggleAttribute('display', item.hasAttribute('selected')));
		const values = this.chosen().map(item => item.getAttribute('data-value'));
		dom.content(this.node.lastElementChild, values.map(value => E('input', { 'type': 'hidden', 'name': this.options.name, 'value': value })));
		this.node.value = values.join(' ');
		this.node.toggleAttribute('empty', this.options.multiple && !values.length);
		if (told)
			this.node.dispatchEvent(new CustomEvent('cbi-dropdown-change', { bubbles: true, detail: { instance: this, element: this.node,
				value: this.options.multiple ? undefined : values.length ? { value: values[0], element: this.chosen()[0] } : null, values } }));
	},

	open() {
		this.node.setAttribute('open', '');
		this.node.dispatchEvent(new CustomEvent('cbi-dropdown-open', { bubbles: true }));
	},

	close() {
		if (!this.node.hasAttribute('open'))
			return;
		this.node.removeAttribute('open');
		this.node.querySelectorAll('li.focus').forEach(item => item.classList.remove('focus'));
		this.node.dispatchEvent(new CustomEvent('cbi-dropdown-close', { bubbles: true }));
	},

	toggle(item) {
		if (item.hasAttribute('unselectable'))
			return;
		if (this.options.multiple)
			item.toggleAttribute('selected', !item.hasAttribute('selected') || (this.chosen().length === 1 && !this.options.optional));
		else
			this.node.querySelectorAll(':scope > ul > li').forEach(one => one.toggleAttribute('selected', one === item));
		this.keep();
		if (!this.options.multiple)
			this.close();
	},

	create(value) {
		if (!value)
			return;
		const list = this.node.firstElementChild;
		let item = [ ...list.children ].find(one => one.getAttribute('data-value') === value);
		if (!item)
			item = list.insertBefore(this.item(value), list.lastElementChild);
		this.toggle(item);
	},

	clicked(ev) {
		if (this.options.disabled)
			return;
		if (!this.node.hasAttribute('open'))
			return this.open();
		const item = ev.target.closest('li');
		if (item && !ev.target.closest('input[type="text"]'))
			this.toggle(item);
		else if (!item)
			this.close();
	},

	pressed(ev) {
		if (this.options.disabled || ev.target.matches('input'))
			return;
		const items = [ ...this.node.querySelectorAll(':scope > ul > li') ];
		const at = items.findIndex(item => item.classList.contains('focus'));
		const opened = this.node.hasAttribute('open');
		if ([ 'ArrowDown', 'ArrowUp' ].includes(ev.key)) {
			ev.preventDefault();
			if (!opened)
				this.open();
			const next = Math.max(0, Math.min(items.length - 1, at + (ev.key === 'ArrowDown' ? 1 : -1)));
			items.forEach((item, place) => item.classList.toggle('focus', place === next));
		}
		else if ([ 'Enter', ' ' ].includes(ev.key)) {
			ev.preventDefault();
			if (!opened)
				this.open();
			else if (at >= 0)
				this.toggle(items[at]);
		}
		else if (ev.key === 'Escape')
			this.close();
	},

	getValue() {
		const values = this.chosen().map(item => item.getAttribute('data-value'));
		return this.options.multiple ? values : values[0];
	},

	setValue(value) {
		const wanted = (Array.isArray(value) ? value : value == null ? [] : [ value ]).map(String);
		const items = [ ...this.node.querySelectorAll(':scope > ul > li') ];
		items.forEach(item => item.toggleAttribute('selected', wanted.includes(item.getAttribute('data-value'))));
		if (!this.options.multiple && !wanted.length)
			items.find(item => item.hasAttribute('placeholder'))?.setAttribute('selected', '');
		this.keep();
	},

	addChoices(values, labels) {
		for (const value of values) {
			this.choices[value] = labels?.[value] ?? value;
			this.node.firstElementChild.appendChild(this.item(value));
		}
	},

	clearChoices() {
		this.node.querySelectorAll(':scope > ul > li[data-value]:not([selected], [data-value="-"])').forEach(item => item.remove());
	}
});

const Combobox = Dropdown.extend({
	__name__: 'LuCI.ui.Combobox',

	__init__(value, choices, options) {
		Dropdown.prototype.__init__.call(this, value, choices, { ...options, multiple: false, create: true, optional: true });
	}
});

const DynamicList = widgets.AbstractElement.extend({
	__name__: 'LuCI.ui.DynamicList',

	__init__(values, choices, options) {
		this.values = Array.isArray(values) ? values : values != null && values !== '' ? [ values ] : [];
		this.choices = choices !== null && typeof choices === 'object' ? choices : null;
		this.options = { ...options, multiple: false, optional: true };
	},

	render() {
		const { id, placeholder, datatype, validate } = this.options;
		const add = E('div', { 'class': 'add-item control-group' });
		const frame = this.bound(E('div', { 'id': id, 'class': 'cbi-dynlist', 'disabled': this.off() }, [ add ]));
		if (this.choices) {
			add.appendChild(new Combobox(null, this.choices, { ...this.options, id: null, select_placeholder: placeholder }).render());
		}
		else {
			const input = E('input', { 'id': this.widgetId(), 'type': 'text', 'class': 'cbi-input-text', 'placeholder': placeholder, 'disabled': this.off() });
			dom.append(add, [ input, E('div', { 'class': 'btn cbi-button cbi-button-add' }, [ '+' ]) ]);
			if (datatype || validate)
				widgets.addValidator(input, datatype ?? 'string', true, validate, 'blur', 'keyup');
		}
		this.values.forEach(value => this.addItem(value, this.choices?.[value]));
		frame.addEventListener('click', ev => this.clicked(ev));
		frame.addEventListener('keydown', ev => this.pressed(ev));
		frame.addEventListener('cbi-dropdown-change', ev => {
			if (!ev.detail.value)
				return;
			this.addItem(ev.detail.value.value, this.choices?.[ev.detail.value.value]);
			ev.detail.instance.setValue(null);
		});
		this.setUpdateEvents(frame, 'cbi-dynlist-change');
		this.setChangeEvents(frame, 'cbi-dynlist-change');
		return frame;
	},

	items() {
		return [ ...this.node.querySelectorAll(':scope > .item') ];
	},

	addItem(value, label) {
		const values = this.items().map(item => item.querySelector('input').value);
		if (this.options.allowduplicates || !values.includes(value)) {
			const text = dom.elem(label) ? label.cloneNode(true) : label || value;
			const item = E('div', { 'class': 'item', 'tabindex': 0, 'draggable': !this.options.disabled }, [
				E('span', {}, [ text ]),
				E('input', { 'type': 'hidden', 'name': this.options.name, 'value': value })
			]);
			this.node.insertBefore(item, this.node.querySelector(':scope > .add-item'));
		}
		this.told(value, true);
	},

	removeItem(item) {
		item.remove();
		this.told(item.querySelector('input').value, false);
	},

	told(value, add) {
		this.node.dispatchEvent(new CustomEvent('cbi-dynlist-change', { bubbles: true,
			detail: { instance: this, element: this.node, value, add: add || undefined, remove: !add || undefined } }));
	},

	take(input) {
		if (!input.value.length || input.classList.contains('cbi-input-invalid'))
			return;
		this.addItem(input.value);
		input.value = '';
	},

	clicked(ev) {
		const item = ev.target.closest('.item');
		if (this.options.disabled)
			return;
		if (item)
			this.removeItem(item);
		else if (ev.target.matches('.cbi-button-add'))
			this.take(ev.target.previousElementSibling);
	},

	pressed(ev) {
		const item = ev.target.closest('.item');
		if (this.options.disabled)
			return;
		if (item && [ 'Backspace', 'Delete' ].includes(ev.key)) {
			(item.nextElementSibling ?? item.previousElementSibling)?.focus();
			this.removeItem(item);
		}
		else if (ev.key === 'Enter' && ev.target.matches('.cbi-input-text')) {
			ev.preventDefault();
			this.take(ev.target);
		}
	},

	/* What is typed and not added yet is one of them, too. */
	getValue() {
		const values = this.items().map(item => item.querySelector('input').value);
		const input = this.node.querySelector(':scope > .add-item > input[type="text"]');
		if (input && /\S/.test(input.value) && !input.classList.contains('cbi-input-invalid') && !values.includes(input.value))
			values.push(input.value);
		return values;
	},

	setValue(values) {
		this.items().forEach(item => this.removeItem(item));
		(Array.isArray(values) ? values : values != null && values !== '' ? [ values ] : []).forEach(value => this.addItem(value, this.choices?.[value]));
	}
});

return baseclass.extend({ Dropdown, Combobox, DynamicList });
