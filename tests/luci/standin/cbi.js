/* Stand-in for LuCI's cbi.js: translations, and String.prototype.format with LuCI's own conversions. */
'use strict';

(function() {
	/* The page's translations come before, as window.TR: by message, with its context before a 0x01. */
	function translated(key) {
		return window.TR?.messages?.[key];
	}

	function keyed(text, context) {
		return context == null ? text : context + '\u0001' + text;
	}

	/* Spaces of a message are folded, as in LuCI's catalogues. */
	function folded(text) {
		return String(text).replace(/[ \t\n]+/g, ' ').trim();
	}

	window._ = function(text, context) {
		return translated(keyed(folded(text), context))?.[0] ?? text;
	};

	window.N_ = function(number, singular, plural, context) {
		const found = translated(keyed(folded(singular), context));
		if (found)
			return found[window.TR.plural(number)] ?? plural;
		return number === 1 ? singular : plural;
	};

	const escapes = { '&': '&#38;', '<': '&#60;', '>': '&#62;', '"': '&#34;', "'": '&#39;' };

	function escapeHtml(value) {
		return String(value).replace(/[&<>"']/g, found => escapes[found]);
	}

	function lasting(seconds) {
		const whole = Math.floor(seconds);
		const days = Math.floor(whole / 86400);
		const parts = [ `${Math.floor(whole / 3600) % 24}h`, `${Math.floor(whole / 60) % 60}m`, `${whole % 60}s` ];
		return (days ? `${days}d ` : '') + parts.join(' ');
	}

	function metric(value, width, precision) {
		const step = width || 1000;
		const units = [ '', 'K', 'M', 'G', 'T', 'P', 'E' ];
		let place = 0;
		for (value = Number(value); value > step && place < units.length - 1; place++)
			value /= step;
		return `${value.toFixed(precision ?? 0)} ${units[place]}${place && step === 1024 ? 'i' : ''}`;
	}

	function convert(kind, value, width, precision) {
		switch (kind) {
		case 'b': return (Number(value) >>> 0).toString(2);
		case 'c': return String.fromCharCode(Number(value));
		case 'd': return String(parseInt(value, 10) || 0);
		case 'u': return String(Math.floor(Math.abs(Number(value) || 0)));
		case 'f': return precision == null ? String(parseFloat(value)) : parseFloat(value).toFixed(precision);
		case 'o': return (Number(value) >>> 0).toString(8);
		case 's': return String(value ?? '');
		case 'x': return (Number(value) >>> 0).toString(16);
		case 'X': return (Number(value) >>> 0).toString(16).toUpperCase();
		case 'h': case 'q': return escapeHtml(value ?? '');
		case 'j': return JSON.stringify(value);
		case 't': return lasting(Number(value) || 0);
		case 'm': return metric(value, width, precision);
		}
	}

	String.prototype.format = function(...values) {
		let next = 0;
		return this.replace(/%('.|0| )?(-)?(\d+)?(?:\.(\d+))?([%bcdufosxXhqjtm])/g,
			(whole, pad, left, width, precision, kind) => {
				if (kind === '%')
					return '%';
				const text = convert(kind, values[next++], width ? Number(width) : null, precision == null ? null : Number(precision));
				if (!width || kind === 'm')
					return text;
				const fill = pad ? pad.slice(-1) : ' ';
				return left ? text.padEnd(Number(width), fill) : text.padStart(Number(width), fill);
			});
	};

	String.format = (text, ...values) => String(text).format(...values);
	String.nobr = text => String(text).replace(/ /g, '\u00a0');
})();
