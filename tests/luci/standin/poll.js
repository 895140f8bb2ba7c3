/* Stand-in for LuCI's poll module: functions that run every so many seconds, and wait for themselves. */
'use strict';

(function() {
	const poll = window.LuCIBuiltins.baseclass.singleton({
		__name__: 'LuCI.poll',

		queue: [],

		add(fn, interval) {
			if (interval == null || interval <= 0)
				interval = window.L?.env.pollinterval;
			if (isNaN(interval) || typeof fn !== 'function')
				throw new TypeError('Invalid argument to LuCI.poll.add()');
			if (this.queue.some(entry => entry.fn === fn))
				return false;
			this.queue.push({ ready: true, interval: interval >>> 0, fn });
			if (this.tick != null && !this.active())
				this.start();
			return true;
		},

		remove(fn) {
			if (typeof fn !== 'function')
				throw new TypeError('Invalid argument to LuCI.poll.remove()');
			const before = this.queue.length;
			this.queue = this.queue.filter(entry => entry.fn !== fn);
			if (!this.queue.length && this.stop())
				this.tick = 0;
			return this.queue.length !== before;
		},

		start() {
			if (this.active())
				return false;
			this.tick = 0;
			if (this.queue.length) {
				this.timer = window.setInterval(() => this.step(), 1000);
				this.step();
				document.dispatchEvent(new CustomEvent('poll-start'));
			}
			return true;
		},

		stop() {
			if (!this.active())
				return false;
			document.dispatchEvent(new CustomEvent('poll-stop'));
			window.clearInterval(this.timer);
			delete this.timer;
			delete this.tick;
			return true;
		},

		step() {
			for (const entry of [ ...this.queue ]) {
				if (this.tick % entry.interval !== 0 || !entry.ready)
					continue;
				entry.ready = false;
				Promise.resolve(entry.fn()).finally(() => { entry.ready = true; });
			}
			this.tick = (this.tick + 1) % 2 ** 32;
		},

		active() {
			return this.timer != null;
		}
	});

	window.LuCIBuiltins.poll = poll;
})();
