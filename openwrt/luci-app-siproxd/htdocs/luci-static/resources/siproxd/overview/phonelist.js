'use strict';
'require baseclass';
'require siproxd.bits as bits';
'require siproxd.graph as graph';
'require siproxd.words as words';

/* The phones: those that are registered, in a table, and before them those that could not. */

const el = bits.el;

/* An address without the port that everybody has. */
function place(address) {
	return words.text(address, 64).replace(/:5060$/, '');
}

function stateOf(binding) {
	const grade = binding.state === 'valid' ? 'good' : binding.state === 'silent' ? 'warn' : 'idle';

	return el('span', { 'class': 'siproxd-state siproxd-state-' + grade }, [ graph.sign(grade), ' ' + words.bindingState(binding) ]);
}

function refusal(line, passed) {
	const times = words.number(line.times), ago = words.number(line.ago);
	const key = 'refusal ' + words.text(line.aor) + ' ' + words.text(line.phone);

	return bits.note('bad', [
		el('strong', {}, [ bits.party('sip:' + words.text(line.aor)), ' ', _('could not register') ]),
		el('p', {}, [ line.registrar && line.registrar !== 'own' ? bits.foreign(place(line.registrar) + ': ', 64) : '', bits.foreign(words.refusal(line), 240) ]),
		el('p', { 'class': 'siproxd-detail' }, [
			_('Phone'), ' ', bits.foreign(place(line.phone), 64),
			ago == null ? '' : ' · ' + _('%s ago').format(words.span(ago + passed)),
			times > 1 ? ' · ' + _('%d times').format(times) : '',
			words.number(line.code) ? ' · ' + _('code %s').format(line.code) : ''
		])
	], key);
}

return baseclass.extend({
	/* `passed`: seconds since the daemon was asked. */
	draw: (instance, passed) => el('section', { 'class': 'siproxd-part', 'data-key': 'phones' }, [
		el('h4', {}, [ _('Phones') ]),
		el('div', { 'class': 'siproxd-refusals', 'data-key': 'refusals' }, instance.refusals.map(line => refusal(line, passed))),
		instance.bindings.length ? bits.table(_('Registered phones'),
			[ _('Name or number'), _('Registered with'), _('Valid for'), _('Phone\'s address'), _('State') ],
			instance.bindings.map(binding => ({
				key: words.text(binding.aor) + ' ' + words.text(binding.contact) + ' ' + words.text(binding.phone),
				cells: [
					bits.party('sip:' + words.text(binding.aor)),
					bits.foreign(words.registrar(place(binding.registrar)) || '–', 64),
					words.number(binding.expires_in) == null ? '–' : words.span(Math.max(0, binding.expires_in - passed)),
					[ bits.foreign(place(binding.phone), 64), binding.phone_transport === 'tcp' ? el('small', {}, [ ' TCP' ]) : '' ],
					stateOf(binding)
				]
			}))) : null
	])
});
