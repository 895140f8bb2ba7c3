'use strict';
'require view';
'require poll';
'require siproxd.daemon as daemon';
'require siproxd.log.bar as logbar';
'require siproxd.log.debug as logdebug';
'require siproxd.log.pane as logpane';
'require siproxd.log.netcat as netcat';

/* Seconds between two questions for new lines, and for how the daemon is. */
const LINES = 2;
const STATE = 10;

/* Bytes of a line that the daemon hands on; of a longer one it cannot be said where it began. */
const LONGEST = 2048;

/*
 * The log of one instance, followed from its last lines on.
 *
 * `after` is the place in the log of a daemon with the process number `pid` that was started at `started` at the latest (seconds of this page's
 * clock); another daemon counts from zero again. In a jail all daemons have the number 1.
 */
class Follower {
	constructor(pane) {
		this.pane = pane;
		this.follow(null);
	}

	follow(instance) {
		this.instance = instance;
		this.after = 0;
		this.pid = null;
		this.started = NaN;
		this.pane.clear();
	}

	/* Asks for what is new. */
	poll() {
		const instance = this.instance;
		const asked = performance.now() / 1000;

		return daemon.log(instance, this.after).then((answer) => {
			/* Another one was chosen meanwhile. */
			if (instance != this.instance)
				return null;

			/* Whole seconds, of some moment between question and answer. */
			const isLater = asked - answer.uptime - 1 > this.started;

			if (this.pid != null && (answer.pid != this.pid || isLater))
				return this.#restarted();

			this.pid = answer.pid;
			this.started = performance.now() / 1000 - answer.uptime;
			this.#take(answer.lines);

			return null;
		});
	}

	/* The place in the old daemon's log is none in the new one's. */
	#restarted() {
		this.pid = null;
		this.after = 0;
		this.pane.mark(_('siproxd was started anew here.'));

		return this.poll();
	}

	#take(lines) {
		const fresh = lines.filter((line) => typeof(line.line) == 'string' && Number.isSafeInteger(line.at) && line.at > this.after);

		if (fresh.length == 0)
			return;

		const bytes = new TextEncoder().encode(fresh[0].line).length;
		const begins = fresh[0].at - bytes - 1;

		if (this.after > 0 && bytes < LONGEST && begins > this.after)
			this.pane.mark(_('Some lines are missing here: they came faster than this page could fetch them.'));

		this.after = fresh[fresh.length - 1].at;
		this.pane.add(fresh.map((line) => line.line));
	}
}

function choice(instances, changed) {
	const select = E('select', { 'class': 'cbi-input-select', 'change': () => changed(select.value) },
		instances.map((instance) => E('option', { 'value': instance.name }, [ instance.name ])));

	return logbar.field('instance', _('Instance'), select);
}

return view.extend({
	load() {
		return daemon.status().catch((error) => error);
	},

	render(found) {
		const instances = Array.isArray(found) ? found : [];

		daemon.style();
		daemon.style('log');

		this.pane = logpane.create();
		this.follower = new Follower(this.pane);
		this.debug = logdebug.create();
		this.netcat = netcat.create();
		this.alert = E('div', { 'class': 'alert-message warning', 'role': 'alert', 'hidden': '' });

		if (instances.length == 0)
			return E('div', { 'class': 'siproxd' }, [
				E('h2', {}, [ _('Log') ]),
				E('div', { 'class': 'alert-message warning', 'role': 'alert' }, [
					Array.isArray(found) ? _('There is no siproxd in the configuration yet.') : daemon.words(found), ' ',
					E('a', { 'href': L.url('admin/services/siproxd/overview') }, [ _('Overview') ])
				])
			]);

		const first = instances.find((instance) => instance.state == 'running') || instances[0];
		const chosen = instances.length > 1 ? choice(instances, (name) => this.choose(name)) : '';

		if (chosen)
			chosen.querySelector('select').value = first.name;

		this.bar = logbar.create(this.pane, () => this.follower.instance, chosen);
		this.follower.follow(first.name);
		this.takeState(instances);
		poll.add(() => this.pollLines(), LINES);
		poll.add(() => this.pollState(), STATE);

		return E('div', { 'class': 'siproxd' }, [
			E('h2', {}, [ _('Log') ]),
			E('p', {}, [ _('What siproxd does, the latest at the end. Times are those of this computer.') ]),
			this.alert,
			this.bar.node,
			this.pane.node,
			this.bar.foot,
			this.debug.node,
			this.netcat.node
		]);
	},

	/* Shows the log of another instance, from its last lines on. */
	choose(name) {
		this.follower.follow(name);
		this.bar.update();
		this.fail(null);

		return Promise.all([ this.pollLines(), this.pollState() ]);
	},

	pollLines() {
		if (document.hidden)
			return Promise.resolve();

		return this.follower.poll().then(() => this.fail(null), (error) => this.fail(error)).then(() => {
			this.bar.update();
			this.debug.show();
		});
	},

	pollState() {
		if (document.hidden)
			return Promise.resolve();

		/* What goes wrong here goes wrong with the lines too, and is said there. */
		return daemon.status().then((instances) => this.takeState(instances)).catch(() => null);
	},

	takeState(instances) {
		const shown = instances.find((instance) => instance.name == this.follower.instance);

		if (shown == null)
			return;

		this.debug.take(shown.name, shown.status.debug);
		this.netcat.update(shown.status);
	},

	/* Says an error above the lines until there is none any more. */
	fail(error) {
		const text = error == null ? '' : '%s %s'.format(daemon.words(error), error.kind == 'not-running' ? _('Its log goes on here when it is started.') : '').trim();

		if (this.alert.textContent != text)
			this.alert.textContent = text;

		this.alert.hidden = text == '';
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
