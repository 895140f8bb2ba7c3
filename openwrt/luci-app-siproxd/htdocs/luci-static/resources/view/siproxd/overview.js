'use strict';
'require view';
'require ui';
'require siproxd.bits as bits';
'require siproxd.overview.callcard as callcard';
'require siproxd.daemon as daemon';
'require siproxd.overview.instancebox as instancebox';
'require siproxd.patch as patch';
'require siproxd.watch as watch';
'require siproxd.words as words';

/*
 * Whether the phones work, and why not: all instances, each with its phones, calls and what it has in use.
 *
 * The daemon is asked every eight seconds, and every sixteen while nothing is going on. What is shown is a function of what was answered; only what differs is changed in the page.
 */

const el = bits.el;

/* Seconds between two questions while something is going on: each costs the router a process for each instance. */
const EVERY = 8;

/* Whether there is nothing to wait for: all phones are registered, and nobody is on the phone. */
function isCalm(instance) {
	return instance.state === 'running' && !instance.calls.length && !instance.refusals.length && instance.bindings.length > 0 &&
		instance.bindings.every(binding => binding.state === 'valid');
}

/* Whether an instance could not be asked: it goes on, or not. */
function isUnknown(instances, name) {
	return instances.some(instance => instance.name === name && instance.state === 'failed');
}

/* What is kept from one answer to the next. */
class Memory {
	constructor() {
		this.tracks = new Map();
		this.seen = new Map();
		this.said = null;
	}

	/* Takes an answer that came at `at` (ms). */
	take(instances, at) {
		const calls = new Set();

		instances.filter(instance => instance.state === 'running').forEach(instance => {
			this.seen.set(instance.name, { instance: instance, at: at });

			instance.calls.forEach(call => {
				const key = this.#keyOf(instance.name, call);

				calls.add(key);

				if (!this.tracks.has(key))
					this.tracks.set(key, { caller: [], callee: [] });

				callcard.sample(this.tracks.get(key), call, at);
			});
		});

		Array.from(this.tracks.keys()).filter(key => !calls.has(key) && !isUnknown(instances, key.split(' ')[0])).forEach(key => this.tracks.delete(key));
	}

	tracksOf(name, call) {
		return this.tracks.get(this.#keyOf(name, call)) || { caller: [], callee: [] };
	}

	/* What has changed since the answer before, in a sentence for who cannot see it; '' where nothing has, or it is the first. */
	news(instances) {
		const before = this.said;
		const now = new Map();

		instances.forEach(instance => {
			/* Of what could not be asked there is no news. */
			if (instance.state === 'failed') {
				(before || []).forEach((sentence, key) => key.split(' ')[1] === instance.name && now.set(key, sentence));

				return;
			}

			now.set('state ' + instance.name, instance.state === 'running'
				? _('%s is running.').format(instance.name) : _('%s is not running.').format(instance.name));

			instance.calls.forEach(call => now.set('call ' + this.#keyOf(instance.name, call), _('Call from %s to %s: %s.').format(
				words.party((call.caller || {}).uri).name, words.party((call.callee || {}).uri).name, words.callState(call.state))));
			instance.refusals.forEach(line => now.set('refusal ' + instance.name + ' ' + words.text(line.aor),
				_('%s could not register.').format(words.text(line.aor))));
			instance.bindings.forEach(line => now.set('phone ' + instance.name + ' ' + words.text(line.aor),
				_('%s: %s.').format(words.text(line.aor), words.bindingState(line))));
		});

		const news = [];

		this.said = now;

		if (!before)
			return '';

		now.forEach((sentence, key) => {
			if (before.get(key) !== sentence)
				news.push(sentence);
		});

		before.forEach((sentence, key) => {
			if (!now.has(key) && key.startsWith('call '))
				news.push(_('A call has ended.'));
			else if (!now.has(key) && key.startsWith('phone '))
				news.push(_('A phone is no longer registered.'));
		});

		return news.slice(0, 4).join(' ');
	}

	#keyOf(name, call) {
		return name + ' ' + words.text(call.id, 32);
	}
}

function timeOf(ms) {
	return new Date(ms).toLocaleTimeString();
}

return view.extend({
	handleSaveApply: null,
	handleSave: null,
	handleReset: null,

	render: function() {
		daemon.style();

		this.memory = new Memory();
		this.busy = new Set();
		this.taken = null;

		this.body = el('div', { 'class': 'siproxd-body', 'tabindex': '-1' }, [ el('p', { 'class': 'spinning' }, [ _('Asking siproxd …') ]) ]);
		this.message = el('div', { 'class': 'siproxd-message', 'role': 'status' }, []);
		this.live = el('p', { 'class': 'siproxd-unseen', 'aria-live': 'polite' }, []);
		this.root = el('div', { 'class': 'siproxd', 'click': L.bind(this.handleClick, this) }, [
			el('h2', {}, [ _('SIP phones') ]),
			this.message, this.live, this.body
		]);

		this.watch = watch.start(EVERY, () => daemon.status(), L.bind(this.show, this),
			instances => instances.some(instance => instance.calls.length > 0), instances => instances.every(isCalm));

		return this.root;
	},

	isBusy: function(action, instance, call) {
		return this.busy.has([ action, instance, call || '' ].join(' '));
	},

	show: function(state) {
		/* The first answer has yet to come. */
		if (!state.data && !state.error)
			return;

		const fresh = el('div', { 'class': 'siproxd-body' + (state.isOld ? ' siproxd-old' : ''), 'tabindex': '-1' }, []);
		const instances = state.data || [];

		if (state.at != null && state.at !== this.taken) {
			const news = this.memory.news(instances);

			this.taken = state.at;
			this.memory.take(instances, state.at);

			if (news)
				this.live.textContent = news;
		}

		patch.into(this.message, el('div', { 'class': 'siproxd-message', 'role': 'status' }, watch.notes(state)));

		if (state.data && !instances.length)
			fresh.appendChild(this.noInstance());

		fresh.appendChild(el('div', { 'class': 'siproxd-instances' + (instances.length > 1 ? ' siproxd-several' : ''), 'data-key': 'instances' },
			instances.map(instance => this.box(instance, instances.length === 1))));

		patch.into(this.body, fresh);
	},

	noInstance: function() {
		return el('div', { 'class': 'cbi-section', 'data-key': 'no-instance' }, [
			bits.note('idle', [
				el('p', { 'class': 'siproxd-headline' }, [ _('siproxd is not configured.') ]),
				el('p', {}, [ _('The configuration has no instance of it. Add one in the settings.') ])
			]),
			el('div', { 'class': 'siproxd-actions' }, [ bits.link('settings', _('Settings'), 'cbi-button-action important') ])
		]);
	},

	box: function(instance, isAlone) {
		const seen = this.memory.seen.get(instance.name);
		/* What cannot be asked now is shown as it was; what does not run has nothing to show. */
		const isKept = instance.state === 'failed' && seen;
		const shown = instance.state === 'running' ? instance : isKept ? seen.instance : null;
		const at = isKept ? seen.at : this.watch.state.at;

		return instancebox.draw(instance, shown, Math.max(0, (Date.now() - at) / 1000), {
			isAlone: isAlone && /^(general|siproxd)$/.test(instance.name),
			mayWrite: daemon.mayWrite(),
			isBusy: L.bind(this.isBusy, this),
			tracksOf: (name, call) => this.memory.tracksOf(name, call),
			stamp: () => isKept ? el('p', { 'class': 'siproxd-more' }, [ _('Shown is how it was at %s.').format(timeOf(seen.at)) ]) : null
		});
	},

	handleClick: function(ev) {
		const button = ev.target.closest('[data-do]');

		if (!button || button.getAttribute('aria-disabled'))
			return;

		const action = button.getAttribute('data-do'), instance = button.getAttribute('data-instance'), call = button.getAttribute('data-call');

		if (action === 'end')
			this.askEnd(instance, call, button);
		else
			this.run(action, instance, '', () => daemon.act(instance, action));
	},

	/* Does something, with its button busy meanwhile, and looks at once what came of it. */
	run: function(action, instance, call, what) {
		const key = [ action, instance, call ].join(' ');

		this.busy.add(key);
		this.show(this.watch.state);

		return what().catch(error => {
			ui.addNotification(null, el('div', {}, [
				el('p', {}, [ daemon.words(error) ]),
				error.text ? el('p', { 'class': 'siproxd-detail' }, [ bits.foreign(error.text, 600) ]) : null
			]), 'error');
		}).then(() => this.watch.now()).then(() => {
			this.busy.delete(key);
			this.show(this.watch.state);
		});
	},

	/* A call is ended only after a second thought. */
	askEnd: function(instance, id, button) {
		const shown = (this.watch.state.data || []).filter(one => one.name === instance)[0];
		const call = shown && shown.calls.filter(one => words.text(one.id, 32) === id)[0];

		if (!call)
			return;

		const close = () => {
			ui.hideModal();

			if (this.root.contains(button))
				button.focus();
		};
		/* The first button of these is what the Escape key does. */
		const cancel = el('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': close }, [ _('Let it go on') ]);

		ui.showModal(_('End this call?'), [
			el('p', {}, [ bits.party((call.caller || {}).uri), ' ', _('calls'), ' ', bits.party((call.callee || {}).uri) ]),
			el('p', {}, [ _('Both parties are cut off, as if the other one had hung up.') ]),
			el('div', { 'class': 'right' }, [
				cancel, ' ',
				el('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-negative important', 'click': () => {
					close();
					this.run('end', instance, id, () => daemon.drop(instance, call.id));
				} }, [ _('End call') ])
			])
		]);
		cancel.focus();
	}
});
