'use strict';
'require view';
'require siproxd.bits as bits';
'require siproxd.daemon as daemon';
'require siproxd.graph as graph';
'require siproxd.patch as patch';
'require siproxd.watch as watch';
'require siproxd.words as words';

/*
 * The last calls of an instance: when, who with whom, for how long, why they ended, and what was wrong with their sound. The daemon keeps 32 of
 * them; a restart forgets them.
 */

const el = bits.el;

/* Seconds between two questions. */
const EVERY = 15;

/* Milliseconds by which the end of one call may seem to differ from answer to answer: ages are whole seconds. */
const SAME = 3000;

/* Seconds since a call that can be told: the daemon counts so far. */
const LONGEST = 4294967295;

/* What tells a call from others, but for the time. */
function nameOf(line) {
	return JSON.stringify([ line.caller, line.callee, line.lasted, line.talked, line.reason ]).slice(0, 512);
}

/*
 * Gives each call the moment of its end, once and for all: from one answer to the next it is the same call if it is the same but for a moment.
 */
class Moments {
	constructor() {
		this.known = [];
	}

	/* [ { line, ended } ] of an answer that came at `at` (ms). */
	of(lines, at) {
		const left = this.known.slice();

		this.known = lines.map(line => {
			const name = nameOf(line);
			const ended = at - Math.min(words.number(line.ago) || 0, LONGEST) * 1000;
			const found = left.findIndex(one => one.name === name && Math.abs(one.ended - ended) <= SAME);

			return found < 0 ? { name: name, ended: ended, line: line } : Object.assign(left.splice(found, 1)[0], { line: line });
		});

		return this.known;
	}
}

function whenOf(ms) {
	const date = new Date(ms);
	const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

	return date.toDateString() === new Date().toDateString() ? time : date.toLocaleDateString() + ' ' + time;
}

/* The same with all there is, for a tooltip and for machines. */
function momentOf(ms) {
	return el('time', { 'datetime': new Date(ms).toISOString(), 'title': new Date(ms).toLocaleString() }, [ whenOf(ms) ]);
}

function soundOf(line) {
	const verdict = words.verdict(line);

	if (verdict)
		return [
			el('span', { 'class': 'siproxd-state siproxd-state-bad' }, [ graph.sign('bad'), ' ', verdict.title ]),
			verdict.detail || verdict.advice ? el('details', { 'class': 'siproxd-why' }, [
				el('summary', {}, [ _('Why?') ]),
				verdict.advice ? el('p', {}, [ verdict.advice ]) : null,
				verdict.detail ? el('p', { 'class': 'siproxd-detail' }, [ bits.foreign(verdict.detail, 240) ]) : null
			]) : ''
		];

	if (words.number(line.talked) == null)
		return '–';

	return el('span', { 'class': 'siproxd-state siproxd-state-good' }, [ graph.sign('good'), ' ' + _('nothing wrong') ]);
}

function partyOf(line, leg) {
	return bits.party(line[leg] && typeof(line[leg]) === 'object' ? line[leg].uri : null);
}

return view.extend({
	handleSaveApply: null,
	handleSave: null,
	handleReset: null,

	render: function() {
		daemon.style();

		this.instance = null;
		this.names = [];
		this.moments = new Map();

		this.choice = el('div', { 'class': 'siproxd-choice' }, []);
		this.message = el('div', { 'class': 'siproxd-message', 'role': 'status' }, []);
		this.body = el('div', { 'class': 'siproxd-body', 'tabindex': '-1' }, [ el('p', { 'class': 'spinning' }, [ _('Asking siproxd …') ]) ]);

		const root = el('div', { 'class': 'siproxd' }, [
			el('h2', {}, [ _('Calls') ]),
			el('div', { 'class': 'cbi-map-descr' }, [ _('The last calls, the latest first. A restart of siproxd forgets them.') ]),
			this.choice, this.message, this.body
		]);

		this.watch = watch.start(EVERY, L.bind(this.ask, this), L.bind(this.show, this));

		return root;
	},

	/* The instances are asked for once; after that the one that was chosen. */
	ask: function() {
		const names = this.names.length
			? Promise.resolve(this.names)
			: daemon.status().then(instances => instances.map(instance => instance.name));

		return names.then(all => {
			this.names = all;

			if (this.instance == null || all.indexOf(this.instance) < 0)
				this.instance = all.length ? all[0] : null;

			const instance = this.instance;

			return instance == null ? { instance: null, ended: [] } : daemon.history(instance).then(ended => ({ instance: instance, ended: ended }));
		});
	},

	choose: function(name) {
		this.instance = name;
		/* One question may be under way, of the instance before. */
		this.watch.now().then(() => this.watch.state.data && this.watch.state.data.instance === name ? null : this.watch.now());
	},

	show: function(state) {
		const data = state.data;

		this.showChoice();
		patch.into(this.message, el('div', { 'class': 'siproxd-message', 'role': 'status' }, watch.notes(state)));

		if (!data) {
			if (state.error)
				patch.into(this.body, el('div', { 'class': 'siproxd-body', 'tabindex': '-1' }, []));

			return;
		}

		if (!this.moments.has(data.instance))
			this.moments.set(data.instance, new Moments());

		patch.into(this.body, el('div', { 'class': 'siproxd-body' + (state.isOld ? ' siproxd-old' : ''), 'tabindex': '-1' }, [
			data.ended.length ? this.table(data, state.at) : this.empty(data)
		]));
	},

	showChoice: function() {
		if (this.names.length < 2 || this.choice.firstChild)
			return;

		const select = el('select', { 'class': 'cbi-input-select', 'id': 'siproxd-instance', 'change': ev => this.choose(ev.target.value) },
			this.names.map(name => el('option', { 'value': name }, [ name ])));

		select.value = this.instance;
		this.choice.appendChild(el('label', { 'for': 'siproxd-instance' }, [ _('Instance') + ' ' ]));
		this.choice.appendChild(select);
	},

	empty: function(data) {
		return el('div', { 'class': 'cbi-section', 'data-key': 'empty' }, [
			bits.note('idle', data.instance == null ? [
				el('p', { 'class': 'siproxd-headline' }, [ _('siproxd is not configured.') ]),
				el('p', {}, [ _('The configuration has no instance of it. Add one in the settings.') ])
			] : [
				el('p', { 'class': 'siproxd-headline' }, [ _('There has been no call yet.') ]),
				el('p', {}, [ _('As soon as a call has ended, it is listed here: also one that nobody answered.') ])
			])
		]);
	},

	table: function(data, at) {
		return el('div', { 'class': 'cbi-section', 'data-key': 'calls ' + data.instance }, [
			bits.table(_('Calls that have ended'),
				[ _('When'), _('Direction'), _('From'), _('To'), _('Talked'), _('How it ended'), _('Sound') ],
				this.moments.get(data.instance).of(data.ended, at).map(one => {
					const direction = words.direction(one.line);
					const talked = words.number(one.line.talked);

					return {
						key: one.ended + ' ' + one.name,
						cells: [
							momentOf(one.ended),
							el('span', { 'class': 'siproxd-direction' }, [ graph.sign(direction), ' ' + words.directionWord(direction) ]),
							partyOf(one.line, 'caller'),
							partyOf(one.line, 'callee'),
							talked == null ? '–' : words.clock(talked),
							bits.foreign(words.reason(one.line.reason) || '–'),
							soundOf(one.line)
						]
					};
				}))
		]);
	}
});
