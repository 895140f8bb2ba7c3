'use strict';
'require baseclass';
'require request';

/* Stand-in for LuCI's rpc module: ubus calls over JSON-RPC; those of one animation frame go in one request. */

const url = L.env.ubuspath;
const session = L.env.sessionid || '0'.repeat(32);
const states = [
	'Command OK', 'Invalid command', 'Invalid argument', 'Method not found', 'Resource not found', 'No data received',
	'Permission denied', 'Request timeout', 'Not supported', 'Unspecified error', 'Connection lost'
];

let lastId = 0;
let waiting = [];

function flush() {
	const batch = waiting;
	waiting = [];
	const fail = error => batch.forEach(one => one.reject(error));
	request.post(url, batch.map(one => one.message), { timeout: (L.env.rpctimeout || 20) * 1000 }).then(answer => {
		if (!answer.ok)
			return batch.forEach(({ message, reject }) => reject(rpcError('RPC call to %s/%s failed with HTTP error %d: %s',
				message.params[1], message.params[2], answer.status, answer.statusText || '?')));
		const answers = answer.json();
		batch.forEach((one, place) => answers[place] ? one.resolve(answers[place]) : one.reject(new Error('No related RPC reply')));
	}).catch(fail);
}

function send(message) {
	return new Promise((resolve, reject) => {
		waiting.push({ message, resolve, reject });
		if (waiting.length === 1)
			requestAnimationFrame(flush);
	});
}

function rpcError(text, ...values) {
	const error = new Error(text.format(...values));
	error.name = 'RPCError';
	return error;
}

/* Denied is also who has no login any more: whether that is it, LuCI asks, and has him log in. */
async function checkSession(answer, options) {
	if (answer.error?.code !== -32002 || (options.object === 'session' && options.method === 'access'))
		return;
	const params = [ session, 'session', 'access', { scope: 'uci', object: 'luci', function: 'read' } ];
	const asked = await send({ jsonrpc: '2.0', id: ++lastId, method: 'call', params });
	if (asked?.error)
		L.notifySessionExpiry();
}

/* The one member that is expected of an answer, or its default where its type is another. */
function expected(value, expect) {
	if (!expect)
		return value;
	const [ key ] = Object.keys(expect);
	const kind = one => Object.prototype.toString.call(one);
	const found = value != null && key !== '' ? value[key] : value;
	return found == null || kind(found) !== kind(expect[key]) ? expect[key] : found;
}

return baseclass.extend({
	declare(options) {
		const names = options.params ?? [];

		return async (...given) => {
			const params = {};
			names.forEach((name, place) => { params[name] = given[place]; });
			const message = {
				jsonrpc: '2.0', id: ++lastId, method: 'call', params: [ session, options.object, options.method, params ]
			};
			const answer = await send(message);
			if (!L.isObject(answer) || answer.jsonrpc !== '2.0')
				throw rpcError('RPC call to %s/%s returned invalid message frame', options.object, options.method);
			await checkSession(answer, options);
			if (answer.error?.code && answer.error.message)
				throw rpcError('RPC call to %s/%s failed with error %d: %s',
					options.object, options.method, answer.error.code, answer.error.message);
			const [ code, body ] = answer.result ?? [];
			if (options.reject && code !== 0)
				throw rpcError('RPC call to %s/%s failed with ubus code %d: %s',
					options.object, options.method, code, this.getStatusText(code));
			const value = expected(answer.result?.length > 1 ? body : code, options.expect);
			return typeof options.filter === 'function'
				? options.filter.call(this, value, params, ...given.slice(names.length)) : value;
		};
	},

	list(...objects) {
		return send({ jsonrpc: '2.0', id: ++lastId, method: 'list', params: objects.length ? objects : undefined })
			.then(answer => answer.result);
	},

	getStatusText(code) {
		return states[code] ? _(states[code]) : _('Unknown error code');
	},

	getSessionID() { return session; },
	getBaseURL() { return url; }
});
