'use strict';
'require baseclass';
'require poll';

/*
 * Asks again and again, and keeps what was answered last.
 *
 * One question is under way at a time. Nothing is asked while the page cannot be seen; when it is seen again, at once. After a failure what was
 * there stays, and the next answer puts all right.
 */

/* Milliseconds after which what is shown is old, though nothing has failed: an answer that takes long. */
const OLD_AFTER = 15000;

return baseclass.extend({
	/*
	 * Asks with `ask()` all `seconds`, half as often while `isCalm(data)`, and tells `show(state)` of each outcome, and each second while
	 * `ticks(data)` is true. `state` has `data`, the last answer, and `at`, when it came (ms), both null before the first; `error`, if the last
	 * question failed; `isOld`. Gives `{ state, now() }`: `now()` asks at once.
	 */
	start: (seconds, ask, show, ticks, isCalm) => {
		const state = { data: null, at: null, error: null, isOld: false };
		let asked = null, isSkipped = false;

		const isOld = () => state.at != null && (state.error != null || Date.now() - state.at > Math.max(OLD_AFTER, 2400 * seconds));

		const tell = () => {
			state.isOld = isOld();

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
			isSkipped = !isSkipped && state.data != null && state.error == null && isCalm != null && isCalm(state.data);

			return document.hidden || isSkipped ? Promise.resolve() : now();
		}, seconds);

		document.addEventListener('visibilitychange', () => {
			if (!document.hidden && poll.active())
				now();
		});

		window.setInterval(() => {
			if (!document.hidden && (isOld() !== state.isOld || (state.data && ticks && ticks(state.data))))
				tell();
		}, 1000);

		return { state: state, now: now };
	}
});
