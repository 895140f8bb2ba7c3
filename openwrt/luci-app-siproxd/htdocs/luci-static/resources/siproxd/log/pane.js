'use strict';
'require baseclass';
'require siproxd.log.line as logline';

/* Lines that are kept, so that a page which stays open for a week does not grow. */
const MAX_LINES = 2000;

/* Lines of one message; a longer one goes on in an entry of its own. */
const MAX_MESSAGE = 400;

/* Pixels from the end within which the pane follows new lines. */
const NEAR_END = 16;

const LEVEL_WORDS = {
	ERROR: _('error'),
	WARN: _('warning'),
	INFO: _('info'),
	DEBUG: _('debug'),
	TRACE: _('debug')
};

/*
 * The lines of a log on the page: the last ones of it, as far as they pass the filter.
 *
 * An entry is one line, or a message with all of its lines. While the pane is paused entries are kept and not drawn.
 */
class Pane {
	constructor() {
		this.entries = [];
		this.lines = 0;
		this.paused = false;
		/* Nodes of entries that were dropped while paused. */
		this.stale = [];
		this.filter = { text: '', rank: 4, cls: '' };
		this.node = E('div', { 'class': 'siproxd-log', 'role': 'log', 'aria-live': 'off', 'tabindex': '0', 'aria-label': _('Log lines') });
	}

	/* Appends lines as they came from the daemon. A screen reader is told of those that come, and not of all that were there. */
	add(lines) {
		if (this.entries.length > 0 && !this.paused)
			this.node.setAttribute('aria-live', 'polite');

		for (const line of lines) {
			const last = this.entries[this.entries.length - 1];

			if (logline.isContinuation(line) && last != null && !last.mark && last.lines.length < MAX_MESSAGE)
				last.lines.push(line);
			else
				this.entries.push(Object.assign(logline.parse(line), { lines: [ line ] }));

			this.lines++;
		}

		this.#forget();
		this.#draw();
	}

	/* Puts a remark of the page's own between the lines. It passes each filter. */
	mark(text) {
		this.entries.push({ mark: true, text: text, lines: [ text ] });
		this.lines++;
		this.#forget();
		this.#draw();
	}

	clear() {
		this.entries = [];
		this.lines = 0;
		this.stale = [];
		this.node.setAttribute('aria-live', 'off');
		this.node.replaceChildren();
	}

	setFilter(filter) {
		this.filter = Object.assign({}, filter, { text: filter.text.toLowerCase() });

		for (const entry of this.entries)
			if (entry.node != null)
				entry.node.hidden = !this.#passes(entry);

		this.#toEnd();
	}

	setPaused(paused) {
		this.paused = paused;
		/* What has waited is drawn at once, and not read out. */
		this.node.setAttribute('aria-live', 'off');
		this.#draw();
	}

	/* How many entries there are, pass the filter, and wait for the end of the pause. */
	count() {
		const lines = this.entries.filter((entry) => !entry.mark);
		const passing = lines.filter((entry) => this.#passes(entry));

		return { all: lines.length, passing: passing.length, waiting: passing.filter((entry) => entry.node == null).length };
	}

	/* What passes the filter, as the text of a file. */
	text() {
		const lines = [];

		for (const entry of this.entries.filter((candidate) => this.#passes(candidate)))
			for (const line of entry.lines)
				lines.push(logline.isContinuation(line) ? `\t${logline.visible(line.slice(1))}` : logline.visible(line));

		return lines.map((line) => `${line}\n`).join('');
	}

	#passes(entry) {
		if (entry.mark)
			return true;

		if (entry.rank > this.filter.rank || (this.filter.cls != '' && entry.cls != this.filter.cls))
			return false;

		return this.filter.text == '' || entry.lines.some((line) => line.toLowerCase().includes(this.filter.text));
	}

	/* Drops the oldest entries beyond what is kept. */
	#forget() {
		while (this.lines > MAX_LINES && this.entries.length > 1) {
			const oldest = this.entries.shift();

			this.lines -= oldest.lines.length;
			if (oldest.node != null)
				this.stale.push(oldest.node);
		}
	}

	#draw() {
		if (this.paused)
			return;

		const isAtEnd = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < NEAR_END;
		const fresh = document.createDocumentFragment();

		this.stale.forEach((node) => node.remove());
		this.stale = [];

		for (const entry of this.entries) {
			if (entry.node == null) {
				entry.node = entry.mark ? drawnMark(entry) : drawnEntry(entry);
				fresh.appendChild(entry.node);
			}
			else if (entry.drawn == entry.lines.length) {
				continue;
			}

			if (!entry.mark)
				entry.body.textContent = bodyText(entry);

			entry.drawn = entry.lines.length;
			entry.node.hidden = !this.#passes(entry);
		}

		this.node.appendChild(fresh);
		if (isAtEnd)
			this.#toEnd();
	}

	#toEnd() {
		this.node.scrollTop = this.node.scrollHeight;
	}
}

function drawnMark(entry) {
	return E('div', { 'class': 'siproxd-log-mark' }, [ entry.text ]);
}

function drawnEntry(entry) {
	/* Isolated: text that runs from right to left stays within, and does not turn what is beside it. */
	entry.body = E('bdi', { 'class': 'siproxd-log-text', 'dir': 'ltr' });

	return E('div', { 'class': 'siproxd-log-entry siproxd-log-%s'.format(entry.level.toLowerCase()) }, [
		E('span', { 'class': 'siproxd-log-time', 'title': entry.utc || null }, [ entry.time ]), ' ',
		E('span', { 'class': 'siproxd-log-level' }, [ LEVEL_WORDS[entry.level] ]), ' ',
		E('span', { 'class': 'siproxd-log-class' }, [ logline.visible(entry.name) ]), ' ',
		entry.body
	]);
}

function bodyText(entry) {
	return [ entry.text ].concat(entry.lines.slice(1).map((line) => line.slice(1))).map(logline.visible).join('\n');
}

return baseclass.extend({
	MAX_LINES: MAX_LINES,

	create() {
		return new Pane();
	}
});
