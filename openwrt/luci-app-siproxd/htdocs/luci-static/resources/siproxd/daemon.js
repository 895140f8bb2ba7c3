'use strict';
'require baseclass';
'require rpc';

/*
 * The daemon as the pages see it: the methods of the ubus object `luci.siproxd`, and what goes wrong with them in words.
 *
 * Each method gives a promise. It is rejected with an Error whose `kind` is one of the plugin's (`unknown-instance`, `not-running`, `old`,
 * `slow`, `too-large`, `malformed`, `failed`) or one of the way there (`denied`, `missing`, `unreachable`), and whose `text` is what the
 * program said itself, or ''. `words()` makes a sentence of it. What an answer has inside is whatever a daemon sent: who shows it checks it.
 */

const OBJECT = 'luci.siproxd';

/* Not in one request with others: a slow daemon would hold them up. */
const declare = (method, params) => rpc.declare({
	object: OBJECT,
	method: method,
	params: params,
	nobatch: true,
	reject: true
});

const methods = {
	getStatus: declare('getStatus'),
	getHistory: declare('getHistory', [ 'instance' ]),
	getLog: declare('getLog', [ 'instance', 'after' ]),
	check: declare('check'),
	dropCall: declare('dropCall', [ 'instance', 'call' ]),
	setDebug: declare('setDebug', [ 'instance', 'classes', 'seconds' ]),
	act: declare('act', [ 'instance', 'action' ])
};

function failure(kind, text) {
	const error = new Error(text || kind);

	error.kind = kind;
	error.text = text || '';

	return error;
}

/* The codes of ubus, and those of JSON-RPC that the web server answers with. */
const KINDS = {
	'2': 'missing', '3': 'missing', '4': 'missing', '6': 'denied', '7': 'slow',
	'-32000': 'missing', '-32001': 'missing', '-32002': 'denied', '-32003': 'slow', '-32601': 'missing'
};

/* What LuCI's rpc rejects with says the code in its message alone. */
function kindOf(error) {
	if (error && error.kind)
		return error.kind;

	/* LuCI's own, when the login has run out. */
	if (error && error.name === 'SessionError')
		return 'denied';

	const message = String((error && error.message) || '');
	const code = /failed with (?:ubus code|error) (-?\d+)/.exec(message);

	if (code)
		return KINDS[code[1]] || 'failed';

	if (/timed? ?out/i.test(message))
		return 'slow';

	if (/aborted|HTTP error|related RPC reply|network/i.test(message))
		return 'unreachable';

	return (error instanceof SyntaxError || /message frame/.test(message)) ? 'malformed' : 'failed';
}

/* A text, or what stands in for one that is none. */
function textOf(value, other) {
	return typeof(value) === 'string' ? value : other;
}

function numberOf(value, other) {
	return typeof(value) === 'number' ? value : other;
}

function isObject(value) {
	return value != null && typeof(value) === 'object' && !Array.isArray(value);
}

/* Calls a method, and takes care that what comes back is an object and no error. */
function call(method) {
	const args = Array.prototype.slice.call(arguments, 1);

	return methods[method].apply(null, args).then(answer => {
		if (!isObject(answer))
			throw failure('malformed');

		if (isObject(answer.error))
			throw failure(textOf(answer.error.kind, 'failed'), textOf(answer.error.text, ''));

		return answer;
	}, error => {
		throw failure(kindOf(error), error && error.kind ? error.text : '');
	});
}

function listOf(answer, member) {
	if (!Array.isArray(answer[member]))
		throw failure('malformed');

	return answer[member].filter(isObject);
}

return baseclass.extend({
	/* How all instances are: [ { name, enabled, state, text, error, status, bindings, refusals, calls } ]. */
	status: () => call('getStatus').then(answer => listOf(answer, 'instances').map(instance => ({
		name: textOf(instance.name, '?'),
		enabled: instance.enabled !== false,
		state: textOf(instance.state, 'failed'),
		text: textOf(instance.text, ''),
		error: isObject(instance.error) ? failure(textOf(instance.error.kind, 'failed'), textOf(instance.error.text, '')) : null,
		status: isObject(instance.status) ? instance.status : {},
		bindings: Array.isArray(instance.bindings) ? instance.bindings.filter(isObject) : [],
		refusals: Array.isArray(instance.refusals) ? instance.refusals.filter(isObject) : [],
		calls: Array.isArray(instance.calls) ? instance.calls.filter(isObject) : []
	}))),

	/* The calls that have ended, the latest first: lines of type `ended`. */
	history: instance => call('getHistory', instance).then(answer => listOf(answer, 'ended')),

	/* The log behind position `after`: { lines: [ { line, at } ], pid, uptime }. As a text: in ubus a large number is of another type. */
	log: (instance, after) => call('getLog', instance, String(after)).then(answer => ({
		lines: listOf(answer, 'lines'),
		pid: numberOf(answer.pid, 0),
		uptime: numberOf(answer.uptime, NaN)
	})),

	/* What is wrong with the configuration as it is edited and saved, not yet applied: [ { section, option, severity, text } ]. */
	check: () => call('check').then(answer => listOf(answer, 'problems').map(problem => ({
		section: textOf(problem.section, ''),
		option: textOf(problem.option, ''),
		severity: textOf(problem.severity, 'error'),
		text: textOf(problem.text, '')
	}))),

	/* Ends a call for both parties. */
	drop: (instance, id) => call('dropCall', instance, id),

	/* Adds these debug classes for so many seconds; 0 ends it. */
	debug: (instance, classes, seconds) => call('setDebug', instance, classes, seconds),

	/* `start`, `stop`, `restart` or `reload`; rejected where the init script fails. */
	act: (instance, action) => call('act', instance, action).then(answer => {
		if (answer.code)
			throw failure('failed', textOf(answer.text, ''));

		return answer;
	}),

	/* Whether the user may change and do things, or only look. */
	mayWrite: () => L.hasViewPermission() === true,

	/* What has gone wrong, in a sentence of ours. The program's own words are `error.text`. */
	words: error => {
		switch (kindOf(error)) {
		case 'unknown-instance':
			return _('There is no such instance in the configuration any more. Load the page anew.');

		case 'not-running':
			return _('siproxd is not running.');

		case 'old':
			return _('The siproxd that runs is older than this page. Restart it.');

		case 'slow':
			return _('siproxd did not answer in time. The router may be busy.');

		case 'too-large':
			return _('The answer of siproxd was larger than this page takes.');

		case 'malformed':
			return _('The answer of siproxd could not be read.');

		case 'denied':
			return _('You are not allowed to do this. Your session may have ended: log in again.');

		case 'missing':
			return _('The router does not know this request. If the package was installed just now, restart rpcd or the router.');

		case 'unreachable':
			return _('The router did not answer. The connection to it may be down.');

		default:
			return _('siproxd could not carry out the request.');
		}
	},

	/* Has the browser load the pages' style sheet, or that of one page, once. */
	style: name => {
		const href = L.resource('siproxd/%s.css'.format(name || 'siproxd'));

		if (!document.querySelector('link[href^="%s"]'.format(href)))
			document.head.appendChild(E('link', {
				'rel': 'stylesheet',
				'href': href + (L.env.resource_version ? '?v=' + L.env.resource_version : '')
			}));
	}
});
