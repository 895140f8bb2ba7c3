/* Stand-in for LuCI's luci.js: the object L, and the loader of modules with their 'require' directives. */
'use strict';

(function() {
	const builtins = window.LuCIBuiltins;
	const Class = builtins.baseclass;

	/* Modules by name: the instance, or a promise of it. */
	const loaded = {};

	/* The string literals that a source begins with: [ 'use strict', 'require view', … ]. */
	function directives(source) {
		const found = [];
		const token = /\s*(?:\/\/[^\n]*|\/\*[^]*?\*\/|(?:'([^'\n]*)'|"([^"\n]*)")\s*;?)/y;
		for (let match; (match = token.exec(source)) !== null;)
			if (match[1] !== undefined || match[2] !== undefined)
				found.push(match[1] ?? match[2]);
		return found;
	}

	function dependencies(source) {
		const wanted = [];
		for (const text of directives(source)) {
			const match = /^require[ \t]+(\S+)(?:[ \t]+as[ \t]+([a-zA-Z_]\S*))?$/.exec(text);
			if (match)
				wanted.push({ name: match[1], as: match[2] ?? match[1].replace(/[^a-zA-Z0-9_]/g, '_') });
		}
		return wanted;
	}

	function plain(value) {
		return value !== null && typeof value === 'object';
	}

	const LuCI = Class.extend({
		__name__: 'LuCI',

		__init__(env) {
			Object.assign(this.env, env);
			window.addEventListener('DOMContentLoaded', () => this.begin().catch(error => this.error(error)));
		},

		env: {},

		/* Draws the page around the view, and the view. */
		async begin() {
			await Promise.all([ 'ui', 'rpc', 'form', 'uci' ].map(name => this.require(name)));
			await this.ui.begin();
			builtins.poll.start();
			if (this.env.view)
				await this.require(`view.${this.env.view}`, []);
		},

		async require(name, from = []) {
			if (from.includes(name))
				this.raise('DependencyError', 'Circular dependency while loading "%s"', name);
			if (builtins[name])
				return builtins[name];
			return loaded[name] ??= this.load(name, from);
		},

		async load(name, from) {
			const url = `${this.env.base_url}/${name.replace(/\./g, '/')}.js`;
			const answer = await builtins.request.get(url);
			if (!answer.ok)
				this.raise('NetworkError', 'HTTP error %d while loading class file "%s"', answer.status, url);
			const source = answer.text();
			const wanted = dependencies(source);
			const got = await Promise.all(wanted.map(one => this.require(one.name, [ ...from, name ])));

			/* Indirect eval: the module sees the globals, and what it has asked for. */
			const names = [ 'window', 'document', 'L', ...wanted.map(one => one.as) ].join(', ');
			const factory = (0, window.eval)(`(function(${names}) { ${source}\n\n})\n\n//# sourceURL=${url}\n`);
			const made = factory.apply(factory, [ window, document, this, ...got ]);
			if (!Class.isSubclass(made))
				this.raise('TypeError', '"%s" factory yields invalid constructor', name);

			const instance = new made();
			let place = this;
			const path = name.split('.');
			for (const part of path.slice(0, -1))
				place = place[part] ??= {};
			place[path.at(-1)] = instance;
			return instance;
		},

		raise(type, text, ...values) {
			const message = text ? String(text).format(...values) : null;
			if (type instanceof Error) {
				if (message)
					type.message = `${message}: ${type.message}`;
				throw type;
			}
			const error = new (window[type] ?? Error)(message ?? 'Unspecified error');
			error.name = type || 'Error';
			throw error;
		},

		/* A message on the page in its place; the console has the trace, which a test takes for a failure. */
		error(type, text, ...values) {
			try {
				this.raise(type, text, ...values);
			}
			catch (error) {
				if (!error.reported) {
					this.ui?.addNotification(error.name || _('Runtime error'),
						E('pre', {}, [ `${error.message}\n${error.stack ?? ''}` ]), 'danger');
					error.reported = true;
					console.error(error.stack ?? String(error));
				}
				throw error;
			}
		},

		notifySessionExpiry() {
			builtins.poll.stop();
			this.ui.showModal(_('Session expired'), [
				E('div', { 'class': 'alert-message warning' }, [ _('A new login is required since the authentication session expired.') ]),
				E('div', { 'class': 'right' }, [ E('div', { 'class': 'btn primary', 'click': () => window.location.reload() }, [ _('Log in…') ]) ])
			]);
			this.raise('SessionError', 'Login session is expired');
		},

		bind: (fn, self, ...args) => Function.prototype.bind.call(fn, self, ...args),

		path(prefix, parts) {
			const url = [ prefix || '' ];
			for (const part of parts)
				if (/^(?:[a-zA-Z0-9_.%,;-]+\/)*[a-zA-Z0-9_.%,;-]+$/.test(part) || /^\?/.test(part))
					url.push(/^\?/.test(part) ? part : `/${part}`);
			if (url.length === 1)
				url.push('/');
			return url.join('');
		},

		url(...parts) { return this.path(this.env.scriptname, parts); },
		resource(...parts) { return this.path(this.env.resource, parts); },
		media(...parts) { return this.path(this.env.media, parts); },
		location() { return this.path(this.env.scriptname, this.env.requestpath); },
		fspath(path) { return String(path ?? '').replace(/^\/*/, '/'); },

		isObject: plain,

		isArguments(value) {
			return Object.prototype.toString.call(value) === '[object Arguments]';
		},

		toArray(value) {
			if (value == null)
				return [];
			if (Array.isArray(value))
				return value;
			if (typeof value === 'object')
				return [ value ];
			const text = String(value).trim();
			return text === '' ? [] : text.split(/\s+/);
		},

		naturalCompare(a, b) {
			return new Intl.Collator(undefined, { numeric: true }).compare(a, b);
		},

		sortedKeys(object, key, mode) {
			if (!plain(object))
				return [];
			const value = name => key ? object[name]?.[key] : name;
			const compare = mode === 'num' ? (a, b) => Number(value(a)) - Number(value(b))
				: (a, b) => this.naturalCompare(String(value(a) ?? ''), String(value(b) ?? ''));
			return Object.keys(object).sort(compare);
		},

		sortedArray(values) {
			return this.toArray(values).sort(this.naturalCompare);
		},

		resolveDefault(value, fallback) {
			return Promise.resolve(value).catch(() => fallback);
		},

		hasSystemFeature(feature, sub) {
			const found = this.env.features?.[feature];
			return sub == null ? Boolean(found) : Boolean(found?.[sub]);
		},

		/* null: not allowed at all; otherwise whether it may be changed. */
		hasViewPermission() {
			if (!plain(this.env.nodespec) || !this.env.nodespec.satisfied)
				return null;
			return !this.env.nodespec.readonly;
		},

		get(url, args, callback) { return builtins.request.get(url, { query: args }).then(answer => callback?.(answer)); },

		dom: builtins.dom,
		view: builtins.view,
		Poll: builtins.poll,
		Request: builtins.request,
		Class
	});

	window.LuCI = LuCI;
})();
