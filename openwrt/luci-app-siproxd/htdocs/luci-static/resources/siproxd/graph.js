'use strict';
'require baseclass';
'require siproxd.words as words';

/*
 * Small pictures: how one party of a call was heard in the last two minutes, how full something is, and signs. All are SVG with classes of
 * siproxd.css and no style of their own; who cannot see them has their title and description, or the text beside them.
 */

const SVG = 'http://www.w3.org/2000/svg';

/* Milliseconds that the graph shows. */
const SPAN = 120000;

/* Between two samples there is a line if they are no further apart. */
const APART = 15000;

/* Sooner after the last one there is no new sample: nothing is told by what did not come in so short a time. */
const SOON = 2000;

const WIDTH = 240, HEIGHT = 48;

/* The scale of MOS. */
const WORST = 1, BEST = 4.5;

/* Percent of loss that fill the graph's height. */
const FULL_LOSS = 20;

function svg(name, attributes, children) {
	const node = document.createElementNS(SVG, name);

	Object.keys(attributes || {}).forEach(key => {
		if (attributes[key] != null)
			node.setAttribute(key, attributes[key]);
	});

	(children || []).forEach(child => {
		if (child != null)
			node.appendChild(typeof(child) === 'object' ? child : document.createTextNode(String(child)));
	});

	return node;
}

const round = value => Math.round(value * 10) / 10;

const PATHS = {
	/* Arrows out of and into a house, between two, and through. */
	'outgoing': 'M4 12 12 4M6 4h6v6',
	'incoming': 'M12 4 4 12M4 6v6h6',
	'inside': 'M2 6h11l-3-3M14 10H3l3 3',
	'through': 'M2 8h12l-4-4M14 8l-4 4',
	'good': 'M3 8.5 6.5 12 13 4.5',
	'warn': 'M8 3v6.5M8 12v1',
	'bad': 'M4 4l8 8M12 4l-8 8',
	'idle': 'M4 8h8'
};

return baseclass.extend({
	/*
	 * Takes a sample into `track`, a list that begins empty: `rtp` and `lost`, packets so far, and `mos`, at `at` (ms). A sample has the `loss`
	 * in percent since the one before, null where that cannot be told, and whether nothing came since then.
	 */
	sample: (track, rtp, lost, mos, at) => {
		const last = track[track.length - 1];

		if (last && at - last.at < SOON)
			return;

		const came = last ? rtp - last.rtp : null, missed = last ? lost - last.lost : null;
		/* A stream that begins anew counts from zero. Packets that were late are no longer lost. */
		const isKnown = came != null && came >= 0;

		track.push({
			at: at, rtp: rtp, lost: lost, mos: mos,
			loss: isKnown && came + missed > 0 ? Math.max(0, 100 * missed / (came + Math.max(0, missed))) : null,
			isSilent: isKnown && came === 0
		});

		while (track.length && at - track[0].at > SPAN)
			track.shift();
	},

	/* The picture of a track; `name` says whose. The line is the MOS, with nothing where nothing came; bars are loss. */
	draw: (track, name) => {
		const end = track.length ? track[track.length - 1].at : 0;
		const x = at => round(WIDTH - (end - at) / SPAN * WIDTH);
		const y = mos => round(HEIGHT - 2 - (Math.min(BEST, Math.max(WORST, mos)) - WORST) / (BEST - WORST) * (HEIGHT - 4));
		const shapes = [];
		let path = '', before = null;

		track.forEach((one, i) => {
			const width = i ? Math.min(APART, one.at - track[i - 1].at) / SPAN * WIDTH : 0;

			if (one.isSilent)
				shapes.push(svg('rect', { 'class': 'siproxd-silent', 'x': round(x(one.at) - width), 'y': 0, 'width': round(width), 'height': HEIGHT }));
			else if (one.loss)
				shapes.push(svg('rect', {
					'class': 'siproxd-loss', 'x': round(x(one.at) - width + 1), 'width': Math.max(1, round(width - 2)),
					'y': round(HEIGHT - Math.max(2, Math.min(1, one.loss / FULL_LOSS) * HEIGHT)),
					'height': round(Math.max(2, Math.min(1, one.loss / FULL_LOSS) * HEIGHT))
				}));

			if (one.mos != null && !one.isSilent) {
				const place = x(one.at) + ' ' + y(one.mos);

				/* What stands alone is a dot. */
				path += before && one.at - before.at <= APART ? 'L' + place : 'M' + place + 'h0';
			}

			before = one.mos != null && !one.isSilent ? one : null;
		});

		const known = track.filter(one => one.mos != null).map(one => one.mos);
		const losses = track.filter(one => one.loss != null).map(one => one.loss);
		const said = [
			known.length ? _('Quality (MOS) between %s and %s').format(words.decimal(Math.min.apply(null, known), 2), words.decimal(Math.max.apply(null, known), 2)) : _('Quality not known'),
			losses.length ? _('loss up to %s %%').format(words.decimal(Math.max.apply(null, losses), 1)) : null,
			track.some(one => one.isSilent) ? _('with silence') : null
		];

		return svg('svg', {
			'class': 'siproxd-graph', 'viewBox': '0 0 ' + WIDTH + ' ' + HEIGHT, 'preserveAspectRatio': 'none', 'role': 'img',
			'aria-label': _('%s, the last two minutes').format(name) + ': ' + said.filter(s => s).join(', ')
		}, [
			svg('title', {}, [ _('%s, the last two minutes').format(name) ]),
			svg('desc', {}, [ said.filter(s => s).join(', ') ]),
			/* Good from here up. */
			svg('line', { 'class': 'siproxd-grid', 'x1': 0, 'x2': WIDTH, 'y1': y(4), 'y2': y(4) }),
			svg('line', { 'class': 'siproxd-grid', 'x1': 0, 'x2': WIDTH, 'y1': y(3.1), 'y2': y(3.1) })
		].concat(shapes, [
			svg('path', { 'class': 'siproxd-line', 'd': path || null })
		]));
	},

	/* A bar that is `share` (0 to 1) full, for the eye alone: the text beside it says the same. */
	bar: (share, grade) => svg('svg', {
		'class': 'siproxd-bar siproxd-' + grade, 'viewBox': '0 0 100 6', 'preserveAspectRatio': 'none', 'aria-hidden': 'true'
	}, [
		svg('rect', { 'class': 'siproxd-groove', 'width': 100, 'height': 6 }),
		svg('rect', { 'class': 'siproxd-fill', 'width': share > 0 ? Math.max(1, round(Math.min(1, share) * 100)) : 0, 'height': 6 })
	]),

	/* A sign: `outgoing`, `incoming`, `inside`, `through`, `good`, `warn`, `bad`, `idle`. For the eye alone, too. */
	sign: name => svg('svg', { 'class': 'siproxd-sign siproxd-sign-' + name, 'viewBox': '0 0 16 16', 'aria-hidden': 'true' }, [
		svg('path', { 'd': PATHS[name] || PATHS.idle })
	])
});
