'use strict';
'require baseclass';
'require poll';
'require siproxd.bits as bits';
'require siproxd.daemon as daemon';

/*
 * Asks again and again, and keeps what was answered last.
 *
 * One question is under way at a time. Nothing is asked while the page cannot be seen; when it is seen again, at once. After a failure what was
 * there stays, and the next answer puts all right.
 */

/* Milliseconds after which what is shown is old, though nothing has failed: an answer that takes long. */
const OLD_AFTER = 15000;

const el = bits.el;

return baseclass.extend({
	/*
	 * Asks with `ask()` all `seconds`, half as often while `isCalm(data)`, and tells `show(state)` of each outcome, and each second while
	 * `ticks(data)` is true. `state` has `data`, the last answer, and `at`, when it came (ms), both null before the first; `error`, if the last
	 * question failed; `isOld`; `isPaused`, if the user has stopped LuCI's polls. Gives `{ state, now() }`: `now()` asks at once.
	 */
	start: (seconds, ask, show, ticks, isCalm) => {
		const state = { data: null, at: null, error: null, isOld: false, isPaused: false };
		let asked = null, isSkipped = false;

		const isOld = () => state.at != null && (state.error != null || Date.now() - state.at > Math.max(OLD_AFTER, 2400 * seconds));

		const tell = () => {
			state.isOld = isOld();
			state.isPaused = !poll.active();

			try {
				show(state);
			}
			catch (error) {
				/* An answer that cannot be shown is as good as none; the next one may be. */
				console.error(error);
				state.data = null;
				state.at = null;
				state.error = error;
				show(state);
			}
		};

		const now = () => {
			if (!asked)
				asked = ask().then(data => {
					state.data = data;
					state.at = Date.now();
					state.error = null;
				}).catch(error => {
					state.error = error;
				}).then(() => {
					asked = null;
					tell();
				});

			return asked;
		};

		/* Before the poll, which may begin at once, or in some seconds: it waits for the same answer then. */
		now();
		poll.add(() => {
			isSkipped = !isSkipped && state.data != null && !isOld() && isCalm != null && isCalm(state.data);

			return document.hidden || isSkipped ? Promise.resolve() : now();
		}, seconds);

		document.addEventListener('visibilitychange', () => {
			if (!document.hidden && poll.active())
				now();
		});

		window.setInterval(() => {
			if (!document.hidden && (isOld() !== state.isOld || poll.active() === state.isPaused || (state.data && ticks && ticks(state.data))))
				tell();
		}, 1000);

		return { state: state, now: now };
	},

	/* What there is to say of the questions themselves: a note, or none. */
	notes: state => {
		const shown = state.at == null ? '' : _('Shown is how it was at %s.').format(new Date(state.at).toLocaleTimeString()) + ' ';

		if (state.error)
			return [ bits.note('warn', [
				el('strong', {}, [ daemon.words(state.error) ]),
				state.error.text ? el('p', { 'class': 'siproxd-detail' }, [ bits.foreign(state.error.text, 240) ]) : null,
				el('p', {}, [ shown + _('It is asked again every few seconds.') ])
			], 'failed') ];

		if (state.isOld && state.isPaused)
			return [ bits.note('idle', [ el('strong', {}, [ _('Refreshing is paused.') ]), el('p', {}, [ shown ]) ], 'paused') ];

		if (state.isOld)
			return [ bits.note('warn', [
				el('strong', {}, [ _('siproxd takes long to answer.') ]),
				el('p', {}, [ shown + _('It is asked again every few seconds.') ])
			], 'failed') ];

		return [];
	}
});
