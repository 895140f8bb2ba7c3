'use strict';
'require baseclass';
'require siproxd.settings.fields as fields';
'require siproxd.settings.frame as frame';
'require siproxd.settings.plugins as plugins';

/*
 * What `siproxd --check` finds, next to the fields it is about, and all of it on top with a way to each field.
 */

const WORDS = {
	'error': _('Error'),
	'warning': _('Warning'),
	'note': _('Note')
};

function severityOf(problem) {
	return Object.hasOwn(WORDS, problem.severity) ? problem.severity : 'error';
}

/* The worst first. */
function sorted(problems) {
	const order = Object.keys(WORDS);

	return problems.slice().sort((a, b) => order.indexOf(severityOf(a)) - order.indexOf(severityOf(b)));
}

/* The field that a problem is about: that of its option, or the switch of the plugin that it speaks of. */
function placeOf(problem, places) {
	const plugin = problem.option == 'load_plugin' || !problem.option ? plugins.inText(problem.text || '') : null;

	return (plugin && places.get('plugin_' + plugin.name)) || places.get(problem.option) || null;
}

/* Makes a field seen: its tab is chosen, and experts' ones are shown. */
function show(place) {
	const pane = place.node.closest('[data-tab]');
	const group = pane && pane.parentNode;
	const link = group && Array.from(group.parentNode.querySelectorAll('.cbi-tabmenu [data-tab]'))
		.find(item => item.getAttribute('data-tab') == pane.getAttribute('data-tab'));

	if (link)
		(link.querySelector('a') || link).click();

	place.node.classList.remove('siproxd-advanced');

	const control = frame.controlsOf(place.node)[0];

	if (control)
		control.focus();

	place.node.scrollIntoView({ block: 'center' });
}

return baseclass.extend({
	show,

	/* Takes away what was found before. */
	clear(places) {
		places.forEach(place => {
			place.node.querySelectorAll('.siproxd-finding').forEach(finding => frame.remove(place.node, finding.id));
		});
	},

	/* Puts what is wrong with a section next to its fields; it goes when the field is changed. */
	place(problems, places) {
		problems.forEach((problem, number) => {
			const place = placeOf(problem, places);
			const id = 'siproxd-finding-%d'.format(number);

			if (!place)
				return;

			const severity = severityOf(problem);

			frame.add(place.node, id, 'siproxd-finding siproxd-' + severity, WORDS[severity] + ': ' + fields.words(problem, problem.section));
			place.node.classList.remove('siproxd-advanced');
			place.node.addEventListener('widget-change', () => frame.remove(place.node, id), { once: true });
		});
	},

	/* All of it in a list. `choose` shows another section. */
	summary(problems, section_id, places, choose) {
		if (!problems.length)
			return E('p', { 'class': 'siproxd-fine' }, [ _('Nothing is wrong with these settings. They take effect with “Save & Apply”.') ]);

		const errors = problems.filter(problem => severityOf(problem) == 'error').length;

		return E('div', [
			E('p', [ errors
				? _('With these settings siproxd would not start, or would go on with the old ones:')
				: _('siproxd takes these settings, but:') ]),
			E('ul', { 'class': 'siproxd-problems' }, sorted(problems).map(problem => {
				const severity = severityOf(problem);
				const place = problem.section == section_id ? placeOf(problem, places) : null;
				const line = [ E('b', { 'class': 'siproxd-' + severity }, [ WORDS[severity] ]), ' ' ];

				if (place)
					line.push(E('a', {
						'href': '#',
						'click': ev => {
							ev.preventDefault();
							show(place);
						}
					}, [ place.title ]), ': ');
				else if (problem.section && problem.section != section_id)
					line.push(E('a', {
						'href': '#',
						'click': ev => {
							ev.preventDefault();
							choose(problem.section);
						}
					}, [ problem.section ]), ': ');

				return E('li', line.concat([ fields.words(problem, problem.section) ]));
			}))
		]);
	}
});
