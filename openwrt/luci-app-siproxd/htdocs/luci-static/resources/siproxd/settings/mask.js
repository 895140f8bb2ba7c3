'use strict';
'require baseclass';
'require form';
'require siproxd.log.line as logline';
'require siproxd.settings.values as values';

/*
 * A sum of bits as check boxes: what `debug_level` has debugged.
 *
 * Bits that have no box stay as they are, and so does the way the number is written as long as no box is changed.
 */

const CLASSES = logline.CLASSES;

const ALL = 0xffffffff;

/* The bits of a number, without a sign. */
function bits(text) {
	const value = values.number(text || '0');

	return value == null ? 0 : value >>> 0;
}

const Mask = form.Value.extend({
	__name__: 'siproxd.Mask',

	renderWidget(section_id, option_index, cfgvalue) {
		const text = Array.isArray(cfgvalue) ? cfgvalue[cfgvalue.length - 1] : cfgvalue;
		const state = { text: text || '', before: bits(text), boxes: [] };

		this.state = this.state || {};
		this.state[section_id] = state;

		return E('div', { 'class': 'siproxd-mask', 'role': 'group', 'aria-label': this.title }, CLASSES.map(one => {
			const box = E('input', {
				'type': 'checkbox',
				'name': one.bit,
				'checked': (state.before & one.bit) ? '' : null,
				'disabled': this.map.readonly ? '' : null,
				'change': ev => ev.target.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }))
			});

			state.boxes.push(box);

			return E('label', [ box, ' ', one.text ]);
		}));
	},

	/* As it stood, where the boxes say the same; else in hexadecimal, and -1 for all. */
	formvalue(section_id) {
		const state = this.state && this.state[section_id];

		if (!state)
			return null;

		let value = state.before;

		state.boxes.forEach((box, i) => {
			value = (box.checked ? value | CLASSES[i].bit : value & ~CLASSES[i].bit) >>> 0;
		});

		if (value == state.before)
			return state.text;

		if (value == 0)
			return '';

		return value == ALL ? '-1' : '0x' + value.toString(16);
	},

	isChanged(section_id) {
		return this.state != null && this.state[section_id] != null && this.formvalue(section_id) !== this.state[section_id].text;
	},

	isValid() {
		return true;
	},

	triggerValidation() {
		return true;
	},

	parse(section_id) {
		if (!this.isActive(section_id) || !this.isChanged(section_id))
			return Promise.resolve();

		const value = this.formvalue(section_id);

		return Promise.resolve(value === '' ? this.remove(section_id) : this.write(section_id, value));
	}
});

return baseclass.extend({ Mask });
