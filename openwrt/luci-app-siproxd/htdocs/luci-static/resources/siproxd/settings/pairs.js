'use strict';
'require baseclass';
'require form';
'require uci';
'require siproxd.settings.values as values';

/*
 * Lists that belong together by position, as a table: a row has an entry of each list.
 *
 * Whatever is done to the rows, the lists stay in step: each row is written to all of them, in order, or to none. Where nothing has been
 * changed nothing is written, so that what stands in UCI stays, even if it is not in step.
 */

/*
 * A column that may be left empty has a `filler`, which stands for nothing where other rows have something; `unsaid` is what is shown as
 * nothing.
 */
const TABLES = {
	'outbound_domain_name': {
		title: _('Servers of domains'),
		text: _('Phones of such a domain (the part of their address behind the @) send to this server, in place of the proxy server for all phones. Without a port the DNS names the servers.'),
		columns: [
			{ option: 'outbound_domain_name', title: _('Domain') },
			{ option: 'outbound_domain_host', title: _('Server') },
			{ option: 'outbound_domain_port', title: _('Port'), filler: () => '0', unsaid: '0', placeholder: _('by the DNS') }
		]
	},
	'mask_host': {
		title: _('Masked hosts'),
		text: _('For phones that register with the router itself: what the Internet is told in place of the host in their address. Calls from outside for the same user there reach the phone.'),
		columns: [
			{ option: 'mask_host', title: _('Host of the phones') },
			{ option: 'masked_host', title: _('Told to the Internet') }
		]
	},
	'plugin_shortdial_entry': {
		title: _('What they stand for'),
		text: _('Short numbers are counted from the top: who moves a row gives it another. number@host calls elsewhere.'),
		number: true,
		columns: [
			{ option: 'plugin_shortdial_entry', title: _('Number that is called') }
		]
	},
	'plugin_regex_desc': {
		title: _('Rules for numbers'),
		text: _('The first rule that matches counts. It is looked for in the whole address called, such as sip:0041791234567@provider.example; \\1 to \\9 are what its groups, in parentheses, hold.'),
		columns: [
			{ option: 'plugin_regex_desc', title: _('Name'), filler: row => 'rule %d'.format(row), placeholder: _('optional') },
			{ option: 'plugin_regex_pattern', title: _('Looked for'), code: true },
			{ option: 'plugin_regex_replace', title: _('Replaced by'), code: true }
		]
	},
	'plugin_regex_body_desc': {
		title: _('Rules for bodies'),
		text: _('Each rule in turn acts on what the ones before have made of the body; \\1 to \\9 are what its groups, in parentheses, hold.'),
		columns: [
			{ option: 'plugin_regex_body_desc', title: _('Name'), filler: row => 'rule %d'.format(row), placeholder: _('optional') },
			{ option: 'plugin_regex_body_pattern', title: _('Looked for'), code: true },
			{ option: 'plugin_regex_body_replace', title: _('Replaced by'), code: true }
		]
	},
	'plugin_siptrunk_name': {
		title: _('Blocks of numbers'),
		text: _('The first expression that matches the number called names the account, as user@domain, whose phone gets the call.'),
		columns: [
			{ option: 'plugin_siptrunk_name', title: _('Name'), filler: row => 'trunk %d'.format(row), placeholder: _('optional') },
			{ option: 'plugin_siptrunk_account', title: _('Account') },
			{ option: 'plugin_siptrunk_numbers_regex', title: _('Its numbers (expression)'), code: true }
		]
	}
};

/* The rows of lists that stand in UCI: as many as the longest has. */
function zip(lists) {
	const count = Math.max.apply(null, lists.map(list => list.length));
	const rows = [];

	for (let i = 0; i < count; i++)
		rows.push(lists.map(list => list[i] == null ? '' : list[i]));

	return rows;
}

/* The short number of a row, counted from 1: the first character of the key, and as many digits as follow it; '' where there is none. */
function shortNumber(key, row) {
	const digits = key.length - 1;
	const text = String(row);

	return digits > 0 && text.length <= digits ? key.charAt(0) + '0'.repeat(digits - text.length) + text : '';
}

const Table = form.Value.extend({
	__name__: 'siproxd.Table',

	load(section_id) {
		return zip(this.columns.map(column => values.entries(uci.get(this.map.config, section_id, column.option))));
	},

	renderWidget(section_id, option_index, cfgvalue) {
		const rows = (cfgvalue || []).map(row => row.slice());

		this.state = this.state || {};
		this.state[section_id] = { rows, before: JSON.stringify(rows), body: E('tbody') };

		const head = this.columns.map(column => E('th', { 'class': 'th', 'scope': 'col' }, [ column.title ]));

		if (this.number)
			head.unshift(E('th', { 'class': 'th', 'scope': 'col' }, [ _('Short number') ]));

		head.push(E('th', { 'class': 'th' }, [ E('span', { 'class': 'siproxd-unseen' }, [ _('Move or remove') ]) ]));
		this.fill(section_id);

		return E('div', { 'class': 'siproxd-pairs', 'role': 'group', 'aria-label': this.title }, [
			E('table', { 'class': 'table siproxd-table' }, [
				E('thead', [ E('tr', { 'class': 'tr table-titles' }, head) ]),
				this.state[section_id].body
			]),
			E('button', {
				'type': 'button',
				'class': 'btn cbi-button cbi-button-add',
				'disabled': this.map.readonly ? '' : null,
				'click': () => this.add(section_id)
			}, [ _('Add a row') ])
		]);
	},

	/* Shows the rows anew. */
	fill(section_id) {
		const state = this.state[section_id];

		state.body.replaceChildren.apply(state.body, state.rows.map((row, place) => this.renderRow(section_id, row, place)));

		if (!state.rows.length)
			state.body.appendChild(E('tr', { 'class': 'tr placeholder' }, [
				E('td', { 'class': 'td', 'colspan': this.columns.length + (this.number ? 2 : 1) }, [ E('em', [ _('None yet.') ]) ])
			]));

		this.refresh(section_id);
	},

	renderRow(section_id, row, place) {
		const last = this.state[section_id].rows.length - 1;
		const cells = this.columns.map((column, i) => E('td', { 'class': 'td', 'data-title': column.title }, [
			E('input', {
				'type': 'text',
				'class': column.code ? 'cbi-input-text siproxd-code' : 'cbi-input-text',
				'value': row[i] === column.unsaid ? '' : row[i],
				'placeholder': column.placeholder,
				'aria-label': _('%s, row %d').format(column.title, place + 1),
				'autocomplete': 'off',
				'spellcheck': 'false',
				'disabled': this.map.readonly ? '' : null,
				'input': ev => {
					row[i] = ev.target.value;
					this.changed(section_id);
				}
			}),
			E('div', { 'class': 'siproxd-wrong', 'role': 'status' })
		]));

		if (this.number)
			cells.unshift(E('td', { 'class': 'td siproxd-number', 'data-title': _('Short number') }));

		const button = (text, label, className, off, act) => E('button', {
			'type': 'button',
			'class': 'btn cbi-button ' + className,
			'title': label,
			'aria-label': _('%s: row %d').format(label, place + 1),
			'disabled': (off || this.map.readonly) ? '' : null,
			'click': act
		}, [ text ]);

		cells.push(E('td', { 'class': 'td siproxd-actions' }, [
			button('↑', _('Move up'), 'cbi-button-up', place == 0, () => this.move(section_id, place, place - 1, 0)),
			button('↓', _('Move down'), 'cbi-button-down', place == last, () => this.move(section_id, place, place + 1, 1)),
			button('×', _('Remove'), 'cbi-button-remove', false, () => this.drop(section_id, place))
		]));

		return E('tr', { 'class': 'tr' }, cells);
	},

	add(section_id) {
		const state = this.state[section_id];

		state.rows.push(this.columns.map(() => ''));
		this.fill(section_id);
		this.changed(section_id);
		state.body.lastElementChild.querySelector('input').focus();
	},

	/* Moves a row, and keeps the focus on its button, or on the other where that is off now. */
	move(section_id, from, to, which) {
		const state = this.state[section_id];

		state.rows.splice(to, 0, state.rows.splice(from, 1)[0]);
		this.fill(section_id);
		this.changed(section_id);

		const buttons = state.body.children[to].querySelectorAll('.siproxd-actions button');

		(buttons[which].disabled ? buttons[1 - which] : buttons[which]).focus();
	},

	drop(section_id, place) {
		const state = this.state[section_id];

		state.rows.splice(place, 1);
		this.fill(section_id);
		this.changed(section_id);

		const next = state.body.children[Math.min(place, state.rows.length - 1)];
		const focus = (next && next.querySelector('.cbi-button-remove')) || state.body.closest('.siproxd-pairs').lastElementChild;

		focus.focus();
	},

	changed(section_id) {
		this.refresh(section_id);
		this.state[section_id].body.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
	},

	/* What is wrong with a cell: '' where nothing is. A row that is empty is none. */
	fault(row, i) {
		const column = this.columns[i];

		if (row.every(text => text === ''))
			return '';

		if (row[i] === '')
			return column.filler ? '' : _('Fill this in, or remove the row.');

		const answer = values.check(column.directive, row[i]);

		return answer === true ? '' : answer;
	},

	/* Says what is wrong beside each cell, and counts short numbers. */
	refresh(section_id) {
		const state = this.state && this.state[section_id];

		if (!state)
			return true;

		state.faults = [];
		state.rows.forEach((row, place) => {
			const line = state.body.children[place];

			line.querySelectorAll('input').forEach((input, i) => {
				const fault = this.fault(row, i);

				if (fault)
					state.faults.push(_('%s, row %d').format(this.columns[i].title, place + 1) + ': ' + fault);

				input.classList.toggle('cbi-input-invalid', fault != '');
				input.setAttribute('aria-invalid', fault ? 'true' : 'false');

				if (input.nextElementSibling.textContent != fault)
					input.nextElementSibling.textContent = fault;
			});

			if (this.number)
				line.querySelector('.siproxd-number').textContent = shortNumber(this.key(section_id), place + 1) || _('none left');
		});

		return state.faults.length == 0;
	},

	/* What short numbers look like, as the page has it at the moment. */
	key(section_id) {
		const found = this.map.lookupOption('plugin_shortdial_akey', section_id);
		const typed = found && found[0].formvalue(section_id);

		return typed != null ? typed : (values.entries(uci.get(this.map.config, section_id, 'plugin_shortdial_akey')).pop() || '');
	},

	formvalue(section_id) {
		const state = this.state && this.state[section_id];

		return state ? state.rows.filter(row => row.some(text => text !== '')) : [];
	},

	isChanged(section_id) {
		const state = this.state && this.state[section_id];

		return state != null && JSON.stringify(state.rows) != state.before;
	},

	isValid(section_id) {
		return !this.isChanged(section_id) || this.refresh(section_id);
	},

	getValidationError(section_id) {
		return this.refresh(section_id) ? '' : this.state[section_id].faults.join(' ');
	},

	triggerValidation(section_id) {
		this.refresh(section_id);

		return this.isValid(section_id);
	},

	parse(section_id) {
		if (!this.isActive(section_id) || !this.isChanged(section_id))
			return Promise.resolve();

		if (!this.isValid(section_id))
			return Promise.reject(new TypeError('%s: %s'.format(this.title, this.getValidationError(section_id))));

		return Promise.resolve(this.write(section_id, this.formvalue(section_id)));
	},

	write(section_id, rows) {
		this.columns.forEach((column, i) => {
			const isFilled = rows.some(row => row[i] !== '');
			const list = rows.map((row, place) => row[i] === '' ? column.filler(place + 1) : row[i]);

			if (rows.length && isFilled)
				uci.set(this.map.config, section_id, column.option, list);
			else
				uci.unset(this.map.config, section_id, column.option);
		});
	},

	remove() {}
});

return baseclass.extend({
	Table,
	shortNumber,

	/* The table that begins with this directive. */
	tableOf(name) {
		return TABLES[name] || null;
	},

	/* Whether the directive is a column of a table. */
	isColumn(name) {
		return Object.values(TABLES).some(table => table.columns.some(column => column.option == name));
	}
});
