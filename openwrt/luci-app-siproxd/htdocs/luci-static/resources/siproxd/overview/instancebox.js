'use strict';
'require baseclass';
'require siproxd.bits as bits';
'require siproxd.overview.callcard as callcard';
'require siproxd.daemon as daemon';
'require siproxd.overview.firstphone as firstphone';
'require siproxd.overview.gauges as gauges';
'require siproxd.overview.phonelist as phonelist';
'require siproxd.words as words';

/* One instance of the daemon: how it is in one sentence, what is wrong and the button that helps, its calls, its phones, and the facts. */

const el = bits.el;

const PLENTY = 5;

/* Lines of what the program says of why it does not run. */
const MOST_LINES = 8;

/* The sentence at the top: [ grade, sentence, more ]. */
function headline(instance) {
	const problems = problemsOf(instance.status);
	const registered = instance.bindings.filter(binding => binding.state === 'valid' || binding.state === 'silent').length;
	const calls = instance.calls.length;
	const phones = registered === 1 ? _('One phone is registered.') : _('%d phones are registered.').format(registered);
	const busy = calls === 0 ? '' : calls === 1 ? _('One call.') : _('%d calls.').format(calls);

	if (problems.length)
		return [ 'bad', _('Something keeps siproxd from its work.'), '' ];

	if (instance.refusals.length)
		return [ 'bad', instance.refusals.length === 1 ? _('A phone could not register.') : _('%d phones could not register.').format(instance.refusals.length),
			registered ? phones : '' ];

	if (!instance.bindings.length)
		return [ 'idle', _('siproxd is running. No phone is registered yet.'), busy ];

	if (instance.calls.some(call => words.verdict(call)))
		return [ 'warn', _('The sound of a call is not right.'), phones ];

	if (!registered)
		return [ 'idle', _('A phone is registering.'), busy ];

	return [ 'good', _('All is well.'), phones + (busy ? ' ' + busy : '') ];
}

function problemsOf(status) {
	return (Array.isArray(status.problems) ? status.problems : []).map(words.problem).filter(sentence => sentence);
}

/* What is wrong with an instance of which there is nothing to show: [ grade, sentence, what helps ]. */
function trouble(instance) {
	switch (instance.state) {
	case 'stopped':
		return [ 'bad', _('siproxd is not running. The phones cannot call.'), 'start' ];

	case 'disabled':
		return [ 'idle', _('siproxd is switched off in the settings.'), 'settings' ];

	case 'old':
		return [ 'warn', _('The siproxd that runs is older than this page. After a restart it can be shown here. If it is still so then, update the package siproxd-rs.'), 'restart' ];
	}

	return [ 'bad', instance.error ? daemon.words(instance.error) : _('How siproxd is could not be found out.'), 'restart' ];
}

/* What the program or the init script says, a paragraph a line. */
function said(text) {
	return text.split('\n').slice(0, MOST_LINES).filter(line => line.trim()).map(line => el('p', { 'class': 'siproxd-detail' }, [ bits.foreign(line, 600) ]));
}

function actions(instance, helps, mayWrite, isBusy) {
	const name = instance.name;
	const button = (action, label, style) => bits.button(action, { 'instance': name }, label, style, isBusy(action, name));
	const all = [];

	if (mayWrite && helps === 'start')
		all.push(button('start', _('Start'), 'cbi-button-action important'));

	if (mayWrite && helps === 'restart')
		all.push(button('restart', _('Restart'), 'cbi-button-action important'));
	else if (mayWrite && !helps)
		all.push(button('restart', _('Restart'), 'cbi-button-neutral'));

	if (helps === 'settings')
		all.push(bits.link('settings', mayWrite ? _('Switch on in the settings') : _('Settings'), 'cbi-button-action important'));

	if (helps && helps !== 'settings')
		all.push(bits.link('log', _('Log'), 'cbi-button-neutral'));

	return el('div', { 'class': 'siproxd-actions', 'data-key': 'actions' }, all);
}

function fact(label, values) {
	return values.length ? el('div', { 'class': 'siproxd-fact' }, [ el('dt', {}, [ label ]), el('dd', {}, values) ]) : null;
}

function side(label, side, more) {
	const addresses = (side && Array.isArray(side.addresses) ? side.addresses : []).slice(0, PLENTY);
	const shown = addresses.map(address => el('div', {}, [ bits.foreign(words.text(address, 64).replace(/\/\d+$/, ''), 64) ]));

	return fact(label, (shown.length ? shown : [ el('div', { 'class': 'siproxd-bad' }, [ _('no address') ]) ])
		.concat(more, side && side.interface ? [ el('small', {}, [ bits.foreign(side.interface, 32) ]) ] : []));
}

function facts(status, passed) {
	const uptime = words.number(status.uptime);

	return el('section', { 'class': 'siproxd-part', 'data-key': 'facts' }, [
		el('h4', {}, [ _('Network') ]),
		el('dl', { 'class': 'siproxd-facts' }, [
			side(_('Internet side'), status.wan, status.host_outbound == null ? [] : [
				el('div', {}, [ _('told to others:') + ' ', bits.foreign(status.host_outbound) ])
			]),
			side(_('Home side'), status.lan, []),
			fact(_('SIP port'), words.number(status.sip_port) ? [ String(status.sip_port) ] : []),
			fact(_('Version'), words.text(status.version) ? [ bits.foreign(status.version, 40) ] : []),
			fact(_('Running for'), uptime == null ? [] : [ words.span(uptime + passed) ])
		])
	]);
}

function callList(instance, page, passed) {
	return el('section', { 'class': 'siproxd-part', 'data-key': 'calls' }, [
		el('h4', {}, [ _('Calls now') ])
	].concat(instance.calls.length
		? instance.calls.map(call => callcard.draw(instance.name, call, page.tracksOf(instance.name, call), passed, page.mayWrite,
			page.isBusy('end', instance.name, words.text(call.id, 32))))
		: [ el('p', { 'class': 'siproxd-empty', 'data-key': 'none' }, [ _('Nobody is on the phone.') ]) ]));
}

return baseclass.extend({
	/*
	 * `shown` is the instance, or as it was when it could last be asked, `passed` seconds ago. `page` has `mayWrite`, `isBusy(action, instance,
	 * call)`, `tracksOf(instance, call)` and `isAlone`.
	 */
	draw: (instance, shown, passed, page) => {
		const isRunning = instance.state === 'running';
		const [ grade, sentence, helps ] = isRunning ? headline(instance).slice(0, 2).concat(null) : trouble(instance);
		const more = isRunning ? headline(instance)[2] : '';
		const title = 'siproxd-title-' + instance.name;
		const needsFirst = isRunning && !instance.bindings.length && !instance.refusals.length;

		return el('section', {
			'class': 'cbi-section siproxd-instance' + (isRunning || !shown ? '' : ' siproxd-old'), 'data-key': instance.name, 'tabindex': '-1', 'aria-labelledby': title
		}, [
			el('div', { 'class': 'siproxd-head siproxd-' + grade, 'data-key': 'head' }, [
				bits.note(grade, [
					el('h3', { 'id': title, 'class': page.isAlone ? 'siproxd-unseen' : '' }, [ bits.foreign(instance.name, 64) ]),
					el('p', { 'class': 'siproxd-headline' }, [ sentence ]),
					more ? el('p', { 'class': 'siproxd-more' }, [ more ]) : null,
					...(isRunning ? [] : said(instance.text)),
					isRunning ? null : page.stamp(instance.name)
				]),
				actions(instance, helps, page.mayWrite, page.isBusy)
			])
		].concat(!shown ? [] : [
			el('div', { 'class': 'siproxd-problems', 'data-key': 'problems' }, problemsOf(shown.status).map(sentence => bits.note('bad', bits.foreign(sentence, 240), sentence))),
			shown.calls.length ? callList(shown, page, passed) : null,
			needsFirst ? firstphone.draw(shown.status) : phonelist.draw(shown, passed),
			shown.calls.length || needsFirst ? null : callList(shown, page, passed),
			facts(shown.status, passed),
			gauges.draw(shown.status)
		]));
	}
});
