'use strict';
'require baseclass';

/*
 * The values of directives: how siproxd reads them, and what is wrong with one. The daemon's own check has the last word; what is said
 * here is said while somebody types.
 *
 * A check answers true, or what is wrong, as LuCI's `validate` does.
 */

/* Linux: IFNAMSIZ without its final zero. */
const MAX_INTERFACE = 15;

/* RFC 1035 §2.3.4. */
const MAX_NAME = 255;

/* DSCP by name: EF (RFC 3246), CS0 to CS7 (RFC 2474 §4.2.2), AF11 to AF43 (RFC 2597 §6). */
function codePoint(name) {
	const found = /^(?:(EF)|CS([0-7])|AF([1-4])([1-3]))$/.exec(name.toUpperCase());

	if (!found)
		return null;

	if (found[1])
		return 46;

	return found[2] != null ? 8 * +found[2] : 8 * +found[3] + 2 * +found[4];
}

/* A number as C's %i has it: decimal, hexadecimal behind 0x, octal behind 0; null where it is none. */
function number(text) {
	const found = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]+)|([0-9]+))$/.exec(text);

	if (!found)
		return null;

	let value;

	if (found[2] != null)
		value = parseInt(found[2], 16);
	else if (found[3] != null)
		value = parseInt(found[3], 8);
	else if (found[4].length > 1 && found[4].charAt(0) == '0')
		return null;
	else
		value = parseInt(found[4], 10);

	return found[1] == '-' ? -value : value;
}

function isIPv4(text) {
	const parts = text.split('.');

	return parts.length == 4 && parts.every(part => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && +part < 256);
}

function isIPv6(text) {
	if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text))
		return false;

	try {
		return new URL('http://[' + text + ']/').hostname != '';
	}
	catch (e) {
		return false;
	}
}

function isName(text) {
	return /^[A-Za-z0-9._-]+$/.test(text) && /[A-Za-z]/.test(text) && text.length <= MAX_NAME;
}

function inRange(text, min, max) {
	const value = number(text);

	if (value == null)
		return /^0[0-9]+$/.test(text) ? _('A number with a 0 before it is octal.') : _('A number is needed here.');

	return (value >= min && value <= max) || _('A number from %d to %d is needed here.').format(min, max);
}

function dscp(text) {
	const value = codePoint(text);

	return value == null ? inRange(text, 0, 63) : _('A number is needed here; %s is %d.').format(text.toUpperCase(), value);
}

/* Whether it is ADDRESS or ADDRESS/LENGTH; where names may stand, also those. */
function network(text, withNames) {
	const found = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(text);

	if (!found)
		return _('This is no network, such as 192.168.1.0/24.');

	const longest = isIPv6(found[1]) ? 128 : 32;

	if (longest == 32 && !isIPv4(found[1]) && !(withNames && isName(found[1])))
		return withNames ? _('This is neither an address, nor a network, nor a host name.') : _('This is no network, such as 192.168.1.0/24.');

	return found[2] == null || +found[2] <= longest || _('The number behind the slash is from 0 to %d.').format(longest);
}

function domain(text) {
	if (text == '*' || isIPv6(text))
		return true;

	return (!/[*/@:]/.test(text) && text.length <= MAX_NAME) || _('This is no domain, such as example.org.');
}

function host(text) {
	if (text.length > MAX_NAME || /[/,\s]/.test(text))
		return _('This is neither a host name nor an address.');

	/* What looks like an address is one, mistyped: the DNS would be asked for it in vain. */
	return !/^[0-9.]+$/.test(text) || isIPv4(text) || _('This is neither a host name nor an address.');
}

function networkInterface(text) {
	return (text.length <= MAX_INTERFACE && !/[/\s]/.test(text)) || _('This is no name of a device, such as br-lan.');
}

const CHECKS = {
	'switch': (directive, text) => inRange(text, 0, 1),
	'int': (directive, text) => inRange(text, directive.min, directive.max),
	'dscp': (directive, text) => dscp(text),
	'mask': (directive, text) => inRange(text, -0x80000000, 0xffffffff),
	'interface': (directive, text) => networkInterface(text),
	'host': (directive, text) => host(text),
	'address': (directive, text) => isIPv4(text) || isIPv6(text) || _('This is no address, such as 192.168.1.1.'),
	'path': (directive, text) => /^\/./.test(text) || (directive.name == 'control_socket' && text == 'off') || _('This is no file with its whole path, which begins with /.'),
	'networks': (directive, text) => network(text, false),
	'accesslist': (directive, text) => network(text, true),
	'domains': (directive, text) => domain(text),
	'line': (directive, text) => new TextEncoder().encode(text).length <= directive.maxlength || _('This is longer than %d bytes.').format(directive.maxlength),
	'oneof': (directive, text) => directive.values.includes(text) || _('One of these is needed here: %s').format(directive.values.join(', '))
};

/* Kinds whose value holds several, separated by commas or blanks, on one line or more. */
const SEPARATED = [ 'networks', 'accesslist', 'domains' ];

return baseclass.extend({
	number,

	isSeparated(directive) {
		return SEPARATED.includes(directive.kind);
	},

	/* The entries of a list as it stands in UCI: an option may stand for a list of one. Empty ones siproxd is not told of. */
	entries(value, directive) {
		const all = Array.isArray(value) ? value : (value == null ? [] : [ value ]);
		const separated = directive && this.isSeparated(directive);

		return all.flatMap(entry => separated ? entry.split(/[,\s]+/) : [ entry ]).filter(entry => entry != '');
	},

	/* What is wrong with one value of a directive, or one entry of its list. */
	check(directive, text) {
		if (text == null || text === '')
			return true;

		if (/[\u0000-\u001f\u007f]/.test(text))
			return _('A character in this cannot be written down.');

		if (text.includes('#'))
			return _('A # begins a comment: it and what follows it would be lost.');

		const check = CHECKS[directive.kind];

		return check ? check(directive, text) : true;
	},

	/* '1' or '0' of what OpenWrt takes for a switch, or siproxd; null where it is not set. */
	bit(value) {
		const text = Array.isArray(value) ? value[value.length - 1] : value;

		if (text == null || text === '')
			return null;

		if ([ 'on', 'yes', 'true', 'enabled' ].includes(text))
			return '1';

		return number(text) ? '1' : '0';
	}
});
