'use strict';
'require baseclass';
'require siproxd.log.line as logline';

/* How long typing may pause before the filter acts, in milliseconds. */
const TYPING = 150;

/* By how grave the least of them is. */
const RANKS = [
	[ '4', _('All lines') ],
	[ '3', _('Without debug lines') ],
	[ '2', _('Warnings and errors') ],
	[ '1', _('Errors alone') ]
];

/* An input with its label above; `name` is part of its id. */
function field(name, label, input) {
	input.id = 'siproxd-log-%s'.format(name);

	return E('div', { 'class': 'siproxd-log-field' }, [ E('label', { 'for': input.id }, [ label ]), input ]);
}

function select(options, changed) {
	return E('select', { 'class': 'cbi-input-select', 'change': changed },
		options.map(([ value, text ]) => E('option', { 'value': value }, [ text ])));
}

/* Two digits each, as in the name of a file. */
function stamp(now) {
	const parts = [ now.getFullYear(), now.getMonth() + 1, now.getDate(), now.getHours(), now.getMinutes(), now.getSeconds() ];

	return parts.map((part) => String(part).padStart(2, '0')).join('');
}

/* Has the browser save text as a file. */
function save(name, text) {
	const url = URL.createObjectURL(new Blob([ text ], { type: 'text/plain;charset=utf-8' }));
	const link = E('a', { 'href': url, 'download': name, 'hidden': '' });

	document.body.appendChild(link);
	link.click();
	link.remove();
	URL.revokeObjectURL(url);
}

/* Puts text into the clipboard. A page without TLS, as a router's is, has the old way alone. */
function copy(text) {
	if (navigator.clipboard != null && window.isSecureContext)
		return navigator.clipboard.writeText(text);

	const focused = document.activeElement;
	const area = E('textarea', { 'class': 'siproxd-offscreen', 'readonly': '', 'aria-hidden': 'true', 'tabindex': '-1' });

	document.body.appendChild(area);
	area.value = text;
	area.select();

	const done = document.execCommand('copy');

	area.remove();
	if (focused != null)
		focused.focus();

	return done ? Promise.resolve() : Promise.reject(new Error('copy'));
}

/* What acts on the pane: filter, pause, copy, download, and a line that counts. */
class Bar {
	/* `instance()` is the name of the one that is shown; `chosen` the field where it is chosen, or ''. */
	constructor(pane, instance, chosen) {
		this.pane = pane;
		this.instance = instance;
		this.timer = null;
		this.text = E('input', { 'class': 'cbi-input-text', 'type': 'search', 'input': () => this.#soon() });
		this.rank = select(RANKS, () => this.#filter());
		this.cls = select([ [ '', _('Everything') ] ].concat(logline.CLASSES.map((cls) => [ cls.name, cls.text ])), () => this.#filter());
		this.pause = this.#button('', () => this.#setPaused(!this.pane.paused));
		this.said = E('span', { 'role': 'status' });
		this.counted = E('span', { 'class': 'siproxd-log-count' });
		this.node = E('div', { 'class': 'siproxd-log-bar' }, [
			E('div', { 'class': 'siproxd-log-fields' }, [
				chosen, field('text', _('Search'), this.text), field('rank', _('How grave'), this.rank), field('class', _('What about'), this.cls)
			]),
			E('div', { 'class': 'siproxd-buttons' }, [
				this.pause, ' ',
				this.#button(_('Copy'), () => this.#copy()), ' ',
				this.#button(_('Download'), () => this.#download())
			])
		]);
		this.foot = E('p', { 'class': 'siproxd-log-foot' }, [ this.counted, ' ', this.said ]);
		this.update();
	}

	/* After lines have come. */
	update() {
		const count = this.pane.count();

		this.pause.textContent = !this.pane.paused ? _('Pause') : count.waiting == 0 ? _('Go on')
			: N_(count.waiting, 'Go on (%d new line)', 'Go on (%d new lines)').format(count.waiting);
		this.counted.textContent = count.passing == count.all
			? N_(count.all, '%d line.', '%d lines.').format(count.all)
			: _('%d of %d lines.').format(count.passing, count.all);
	}

	#button(text, pressed) {
		return E('button', { 'class': 'btn cbi-button cbi-button-neutral', 'type': 'button', 'click': pressed }, [ text ]);
	}

	#soon() {
		window.clearTimeout(this.timer);
		this.timer = window.setTimeout(() => this.#filter(), TYPING);
	}

	#filter() {
		this.pane.setFilter({ text: this.text.value, rank: Number(this.rank.value), cls: this.cls.value });
		this.update();
	}

	#setPaused(paused) {
		this.pane.setPaused(paused);
		this.said.textContent = paused ? _('Paused. Lines are still collected.') : '';
		this.update();
	}

	#copy() {
		copy(this.pane.text()).then(() => {
			this.said.textContent = _('Copied.');
		}, () => {
			this.said.textContent = _('The browser does not allow it. Download the log, or select the lines and copy them.');
		});
	}

	#download() {
		save('siproxd-%s-%s.txt'.format(this.instance(), stamp(new Date())), this.pane.text());
	}
}

return baseclass.extend({
	field: field,

	create(pane, instance, chosen) {
		return new Bar(pane, instance, chosen);
	}
});
