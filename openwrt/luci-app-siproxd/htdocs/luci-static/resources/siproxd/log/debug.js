'use strict';
'require baseclass';
'require siproxd.daemon as daemon';
'require siproxd.log.line as logline';

/* How long the classes stay on, in seconds. */
const SECONDS = 600;

/* Ticked at first: what tells most of why a phone or a call does not work. */
const USUAL = [ 'reg', 'sip', 'proxy', 'auth', 'traffic' ];

/* Says how long it is still on, in minutes: a count of seconds would not let a reader rest. */
function timeLeft(seconds) {
	const minutes = Math.ceil(seconds / 60);

	return minutes > 1 ? _('Still on for %d minutes:').format(minutes) : _('Still on for less than a minute:');
}

function namesOf(mask) {
	return logline.CLASSES.filter((cls) => mask & cls.bit).map((cls) => cls.text).join('; ');
}

/*
 * The part of the page that has the daemon write more into its log for ten minutes, class by class. It ends by itself, also where the
 * page is closed.
 */
class Debug {
	constructor() {
		this.instance = null;
		this.mask = 0;
		this.until = 0;
		this.isBusy = false;
		this.boxes = logline.CLASSES.map((cls) => ({ cls: cls, input: this.#box(cls) }));
		this.state = E('p', { 'class': 'siproxd-debug-state', 'hidden': '' });
		this.alert = E('div', { 'class': 'alert-message warning', 'role': 'alert', 'hidden': '' });
		this.on = E('button', { 'class': 'btn cbi-button cbi-button-action', 'type': 'button', 'click': () => this.#set(this.#ticked(), SECONDS) },
			[ _('Write more for ten minutes') ]);
		this.off = E('button', { 'class': 'btn cbi-button cbi-button-neutral', 'type': 'button', 'click': () => this.#set(0, 0) },
			[ _('Stop it now') ]);
		this.node = this.#section();
		this.#changed();
	}

	/* Takes the state of the instance that is looked at, as `status` has it. */
	take(instance, debug) {
		const known = debug != null && typeof(debug) == 'object' ? debug : {};

		this.instance = instance;
		this.mask = typeof(known.temporary) == 'number' ? known.temporary : 0;
		this.until = Date.now() + 1000 * (typeof(known.remaining) == 'number' ? known.remaining : 0);
		this.show();
	}

	/* Says what is on, and for how long still. */
	show() {
		const seconds = Math.max(0, (this.until - Date.now()) / 1000);
		const isOn = this.mask != 0 && seconds > 0;

		this.state.hidden = !isOn;
		this.state.textContent = isOn ? '%s %s'.format(timeLeft(seconds), namesOf(this.mask)) : '';
		this.off.hidden = !isOn;
	}

	#section() {
		const may = daemon.mayWrite();
		const box = (known) => E('label', { 'class': 'siproxd-debug-class' }, [
			known.input,
			E('span', {}, [ known.cls.text, ' ', E('code', {}, [ known.cls.name ]) ])
		]);

		return E('section', { 'class': 'siproxd-debug' }, [
			E('h3', {}, [ _('Look closer') ]),
			E('p', {}, [ may
				? _('Where the lines above do not tell why something fails, siproxd can write more of them. Choose what about, try what fails, and look above. It ends by itself.')
				: _('siproxd can write more of what it does for a while. You may only look: somebody with the right to change siproxd can switch it on.') ]),
			this.state,
			this.alert,
			may ? E('fieldset', {}, [
				E('legend', {}, [ _('Write more about') ]),
				E('div', { 'class': 'siproxd-debug-classes' }, this.boxes.map(box))
			]) : '',
			may ? this.#warning() : '',
			may ? E('div', { 'class': 'siproxd-buttons' }, [ this.on, ' ', this.off ]) : ''
		]);
	}

	/* Says an error, and in the daemon's own words what it is. */
	#fail(error) {
		this.alert.hidden = error == null;
		this.alert.textContent = error == null ? '' : '%s %s'.format(daemon.words(error), logline.visible(error.text || '')).trim();
	}

	#warning() {
		this.warning = E('p', { 'class': 'siproxd-debug-warning', 'role': 'status' });

		return this.warning;
	}

	#box(cls) {
		return E('input', {
			'type': 'checkbox',
			'checked': USUAL.includes(cls.name) ? '' : null,
			'change': () => this.#changed()
		});
	}

	#ticked() {
		return this.boxes.reduce((mask, known) => known.input.checked ? mask | known.cls.bit : mask, 0);
	}

	#changed() {
		const ticked = this.boxes.filter((known) => known.input.checked).map((known) => known.cls);
		const warnings = [];

		if (ticked.some((cls) => cls.isPrivate))
			warnings.push(_('The text of the messages shows who calls whom, and when. Passwords are starred out; numbers, names and keys that are pressed during a call are not. Think of that before you give the log to somebody.'));

		if (ticked.some((cls) => cls.isFlood))
			warnings.push(_('A flood drives out older lines within seconds, and costs the router some of its speed.'));

		if (this.warning != null)
			this.warning.textContent = warnings.join(' ');

		this.on.disabled = ticked.length == 0;
	}

	#set(mask, seconds) {
		const instance = this.instance;

		/* No button is disabled meanwhile: it would lose the focus. */
		if (instance == null || this.isBusy)
			return Promise.resolve();

		this.isBusy = true;

		return daemon.debug(instance, mask, seconds).then((answer) => {
			const debug = answer.debug != null ? answer.debug : {};

			this.take(instance, { temporary: seconds ? debug.classes : 0, remaining: debug.remaining });
			this.#fail(null);
			/* The button that was pressed may be gone, and the focus with it. */
			if (!seconds)
				this.on.focus();
		}).catch((error) => this.#fail(error)).then(() => {
			this.isBusy = false;
		});
	}
}

return baseclass.extend({
	create() {
		return new Debug();
	}
});
