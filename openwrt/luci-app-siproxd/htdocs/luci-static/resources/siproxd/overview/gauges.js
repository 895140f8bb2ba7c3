'use strict';
'require baseclass';
'require siproxd.bits as bits';
'require siproxd.graph as graph';
'require siproxd.words as words';

/* How much of the daemon's room is in use: all its memory is in tables with a ceiling each. */

const el = bits.el;

/* A table that is so full is worth a word. */
const NEARLY_FULL = 0.8;

const MEBIBYTE = 0x100000;

function gauge(key, label, table) {
	const used = words.number(table && table.used), limit = words.number(table && table.limit);

	if (used == null || !limit)
		return null;

	const share = used / limit;
	const grade = share >= 1 ? 'bad' : share >= NEARLY_FULL ? 'warn' : 'good';
	const word = share >= 1 ? _('full') : share >= NEARLY_FULL ? _('nearly full') : null;

	return el('div', { 'class': 'siproxd-gauge', 'data-key': key }, [
		el('dt', {}, [ label ]),
		el('dd', {}, [
			_('%d of %d').format(used, limit),
			word ? el('strong', { 'class': 'siproxd-' + grade }, [ ' ' + word ]) : null,
			graph.bar(share, grade)
		])
	]);
}

/* Of bytes. What the program itself takes is in the former and not in the latter, so that a full one would mean nothing. */
function memory(bytes) {
	const used = words.number(bytes && bytes.used), limit = words.number(bytes && bytes.limit);

	if (used == null || !limit)
		return null;

	return el('div', { 'class': 'siproxd-gauge', 'data-key': 'memory' }, [
		el('dt', {}, [ _('Memory') ]),
		el('dd', {}, [
			_('%s of %s MB').format(words.decimal(used / MEBIBYTE, 1), words.decimal(limit / MEBIBYTE, 1)),
			graph.bar(Math.min(used / limit, 1), 'good')
		])
	]);
}

return baseclass.extend({
	draw: status => {
		const tables = (status.tables && typeof(status.tables) === 'object') ? status.tables : {};
		const range = status.rtp_ports || {};
		const isKnown = words.number(range.low) && words.number(range.high);

		return el('section', { 'class': 'siproxd-part', 'data-key': 'gauges' }, [
			el('h4', {}, [ _('Room in use') ]),
			el('dl', { 'class': 'siproxd-gauges' }, [
				gauge('rtp_ports', isKnown ? _('Sound ports (%d to %d on both sides)').format(range.low, range.high) : _('Sound ports'), tables.rtp_ports),
				gauge('calls', _('Calls'), tables.calls),
				gauge('bindings', _('Registrations'), tables.bindings),
				gauge('media', _('Streams of sound and picture'), tables.media),
				gauge('transactions', _('Requests under way'), tables.transactions),
				gauge('connections', _('TCP connections'), tables.connections),
				memory(status.memory)
			])
		]);
	}
});
