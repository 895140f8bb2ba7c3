/* Stand-in for LuCI's request module: XMLHttpRequest with promises. */
'use strict';

(function() {
	class Response {
		constructor(xhr) {
			this.status = xhr.status;
			this.statusText = xhr.statusText;
			this.ok = xhr.status >= 200 && xhr.status <= 299;
			this.url = xhr.responseURL;
			this.body = xhr.responseText;
			this.headers = { get: name => xhr.getResponseHeader(name), has: name => xhr.getResponseHeader(name) !== null };
		}

		json() {
			return JSON.parse(this.body);
		}

		text() {
			return this.body;
		}
	}

	const request = window.LuCIBuiltins.baseclass.singleton({
		__name__: 'LuCI.request',

		expandURL(url) {
			return /^(?:[^/]+:)?\/\//.test(url) ? url : location.origin + url;
		},

		request(url, options = {}) {
			return new Promise((resolve, reject) => {
				const xhr = new XMLHttpRequest();
				let target = this.expandURL(url);
				if (options.query) {
					const query = Object.entries(options.query).map(([ key, value ]) => encodeURIComponent(key) + '=' +
						encodeURIComponent(typeof value === 'object' ? JSON.stringify(value) : value)).join('&');
					target += (target.includes('?') ? '&' : '?') + query;
				}
				xhr.open(String(options.method || 'GET').toUpperCase(), target);
				if (options.timeout)
					xhr.timeout = options.timeout;
				let content = options.content ?? null;
				if (content !== null && typeof content === 'object') {
					content = JSON.stringify(content);
					xhr.setRequestHeader('Content-Type', 'application/json');
				}
				for (const [ name, value ] of Object.entries(options.headers ?? {}))
					xhr.setRequestHeader(name, value);
				xhr.onload = () => resolve(new Response(xhr));
				xhr.onerror = xhr.onabort = () => reject(new Error('XHR request aborted by browser'));
				xhr.ontimeout = () => reject(new Error('XHR request timed out'));
				xhr.send(content);
			});
		},

		get(url, options) {
			return this.request(url, { ...options, method: 'GET' });
		},

		post(url, content, options) {
			return this.request(url, { ...options, method: 'POST', content });
		}
	});

	window.LuCIBuiltins.request = request;
})();
