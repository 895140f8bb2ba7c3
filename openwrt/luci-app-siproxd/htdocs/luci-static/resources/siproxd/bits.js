'use strict';
'require baseclass';
'require siproxd.graph as graph';
'require siproxd.words as words';

/* What the pages are made of: text from outside, buttons, tables, notes. All give elements; all text is given as text. */

/* An element. LuCI writes the word "null" for a child that is not there, in releases up to 25.12: here it is left out. */
function el(name, attributes, children) {
	return E(name, attributes, children.filter(child => child != null && child !== ''));
}

/* Text of another origin, in its own direction: cut, without control characters. */
function foreign(value, limit) {
	return el('bdi', { 'dir': 'auto', 'class': 'siproxd-foreign' }, [ words.text(value, limit) ]);
}

/* A cell: what is given, in a list or not. */
function list(content) {
	return Array.isArray(content) ? content : [ content ];
}

return baseclass.extend({
	el: el,

	foreign: foreign,

	/* A party: its name or number, and the host smaller. */
	party: uri => {
		const party = words.party(uri);

		return el('span', { 'class': 'siproxd-party', 'title': words.text(uri) }, [
			el('strong', {}, [ foreign(party.name) ]),
			party.host ? el('small', { 'class': 'siproxd-host' }, [ ' ', foreign(party.host) ]) : null
		]);
	},

	/*
	 * A button that does `action` to an instance (and a call, say): what the page's listener finds in `data-do` and its like. While it is
	 * `isBusy` it stays where it is, and keeps the focus.
	 */
	button: (action, data, label, style, isBusy) => {
		const attributes = {
			'type': 'button', 'class': 'btn cbi-button ' + style + (isBusy ? ' spinning' : ''), 'data-do': action, 'data-key': action,
			'aria-disabled': isBusy ? 'true' : null
		};

		Object.keys(data).forEach(name => { attributes['data-' + name] = data[name] });

		return el('button', attributes, [ label ]);
	},

	/* A page of ours, as a link that looks like a button. */
	link: (page, label, style) => el('a', { 'class': 'btn cbi-button ' + style, 'href': L.url('admin/services/siproxd', page), 'data-key': page }, [ label ]),

	/* A remark with a sign: `good`, `warn`, `bad` or `idle`; the word of the sign is for who cannot see it. */
	note: (grade, content, key) => el('div', { 'class': 'siproxd-note siproxd-' + grade, 'data-key': key }, [
		graph.sign(grade),
		el('div', { 'class': 'siproxd-note-text' }, list(content))
	]),

	/*
	 * A table: `columns` are headings, `rows` have `key` and `cells`. The first cell heads its row. On a narrow screen each row is a card, which the
	 * first cell heads, and the others have their headings before them. The roles say what the card's style takes away.
	 */
	table: (caption, columns, rows) => el('table', { 'class': 'table siproxd-table', 'role': 'table' }, [
		el('caption', { 'class': 'siproxd-unseen' }, [ caption ]),
		el('tr', { 'class': 'tr table-titles', 'role': 'row' },
			columns.map(column => el('th', { 'class': 'th', 'scope': 'col', 'role': 'columnheader' }, [ column ])))
	].concat(rows.map(row => el('tr', { 'class': 'tr', 'role': 'row', 'data-key': row.key },
		row.cells.map((cell, i) => i
			? el('td', { 'class': 'td', 'role': 'cell', 'data-title': columns[i] }, [ el('div', {}, list(cell)) ])
			: el('th', { 'class': 'td', 'role': 'rowheader', 'scope': 'row' }, [ el('div', {}, list(cell)) ]))))))
});
