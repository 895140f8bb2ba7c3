'use strict';
'require baseclass';
'require siproxd.bits as bits';
'require siproxd.graph as graph';
'require siproxd.words as words';

/* A call that runs: who with whom, for how long, and how each hears the other. */

const el = bits.el;

const LEGS = [ 'caller', 'callee' ];

function isObject(value) {
	return value != null && typeof(value) === 'object' && !Array.isArray(value);
}

/* The section that is heard: the first with sound of it, else the first. */
function soundOf(call) {
	const media = (Array.isArray(call.media) ? call.media : []).filter(isObject);
	const has = section => LEGS.some(leg => isObject(section[leg]) && section[leg].kind === 'audio');

	return media.filter(has)[0] || media[0] || {};
}

/* What came from a party; an empty object where nothing is known. */
function heardOf(call, leg) {
	const sound = soundOf(call)[leg];

	return isObject(sound) ? sound : {};
}

/* Whose ear it is that `leg` speaks to. */
function earOf(call, leg) {
	const ear = leg === 'caller' ? 'callee' : 'caller';
	const direction = words.direction(call);

	if (direction === 'inside' || direction === 'through')
		return _('%s hears').format(words.party((call[ear] || {}).uri).name);

	return (call[ear] || {}).side === 'lan' ? _('Your phone hears') : _('The other side hears');
}

function figure(label, value, more) {
	return el('div', { 'class': 'siproxd-figure' }, [ el('dt', {}, [ label ]), el('dd', {}, [ value ].concat(more || [])) ]);
}

function percent(value) {
	return words.number(value) == null ? '–' : words.decimal(value, value < 10 ? 1 : 0) + ' %';
}

/* How one party is heard by the other. */
function way(call, leg, track) {
	const heard = heardOf(call, leg);
	const grade = words.mos(heard.mos);
	const name = earOf(call, leg);
	const beyond = words.number(heard.loss_beyond_percent);

	return el('section', { 'class': 'siproxd-way', 'data-key': leg, 'aria-label': name }, [
		el('div', { 'class': 'siproxd-way-head' }, [
			el('h5', {}, [ name ]),
			el('span', { 'class': 'siproxd-quiet' }, [ heard.held ? _('on hold') : words.number(heard.rtp) ? _('last 2 minutes') : _('nothing so far') ])
		]),
		graph.draw(track, name),
		el('dl', { 'class': 'siproxd-figures' }, [
			figure(_('Quality'), grade ? words.decimal(heard.mos, 2) + ' ' : '–', grade ? [
				el('span', { 'class': 'siproxd-grade siproxd-' + grade.grade }, [ grade.word ])
			] : []),
			figure(_('Loss'), percent(heard.loss_percent), beyond ? [ el('small', {}, [ ' ' + _('(%s beyond here)').format(percent(beyond)) ]) ] : []),
			figure(_('Jitter'), words.number(heard.jitter_ms) == null ? '–' : words.decimal(heard.jitter_ms, 1) + ' ms'),
			figure(_('Codec'), words.text(heard.codec, 32) ? bits.foreign(heard.codec, 32) : '–')
		])
	]);
}

function verdictBox(call) {
	const verdict = words.verdict(call);

	return verdict ? bits.note('bad', [
		el('strong', {}, [ verdict.title ]),
		verdict.advice ? el('p', {}, [ verdict.advice ]) : null,
		verdict.detail ? el('p', { 'class': 'siproxd-detail' }, [ bits.foreign(verdict.detail, 240) ]) : null
	], 'verdict') : null;
}

return baseclass.extend({
	/* Takes what came into the tracks of a call: { caller: [], callee: [] }. */
	sample: (tracks, call, at) => LEGS.forEach(leg => {
		const heard = heardOf(call, leg);

		if (words.number(heard.rtp) != null)
			graph.sample(tracks[leg], heard.rtp, words.number(heard.lost) || 0, words.number(heard.mos), at);
	}),

	/* `passed`: seconds since the daemon was asked. `mayEnd`: whether there is a button for it. */
	draw: (instance, call, tracks, passed, mayEnd, isBusy) => {
		const id = words.text(call.id, 32);
		const direction = words.direction(call);
		const since = words.number(call.answered_ago) == null ? words.number(call.age) : call.answered_ago;
		/* What is heard in the house stands first. */
		const legs = direction === 'incoming' ? LEGS : LEGS.slice().reverse();
		const uri = leg => (isObject(call[leg]) ? call[leg].uri : null);
		const state = words.callState(call.state);
		/* While it rings there is nothing to hear as a rule. */
		const isHeard = call.state !== 'ringing' || LEGS.some(leg => words.number(heardOf(call, leg).rtp));

		return el('article', { 'class': 'siproxd-call', 'data-key': id, 'tabindex': '-1' }, [
			el('div', { 'class': 'siproxd-call-head' }, [
				el('span', { 'class': 'siproxd-direction' }, [ graph.sign(direction), ' ' + words.directionWord(direction) ]),
				el('h4', { 'class': 'siproxd-who' }, [
					bits.party(uri('caller')), el('span', { 'class': 'siproxd-to' }, [ ' ' + _('calls') + ' ' ]), bits.party(uri('callee'))
				]),
				el('span', { 'class': 'siproxd-call-state' }, [
					el('span', { 'class': 'siproxd-badge siproxd-state-' + (call.state === 'answered' ? 'good' : 'idle') }, [ state ]),
					' ',
					since == null ? null : el('span', { 'class': 'siproxd-clock', 'role': 'timer', 'aria-live': 'off' }, [ words.clock(since + passed) ])
				]),
				mayEnd ? bits.button('end', { 'instance': instance, 'call': id }, _('End call'), 'cbi-button-negative', isBusy) : null
			]),
			verdictBox(call),
			isHeard ? el('div', { 'class': 'siproxd-ways', 'data-key': 'ways' }, legs.map(leg => way(call, leg, tracks[leg]))) : null
		]);
	}
});
