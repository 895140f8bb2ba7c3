'use strict';
'require baseclass';

/* Stand-in for LuCI's validation module: datatypes such as `and(port,range(1,99))`, and validators that mark a field. */

function ipv4(text) {
	const parts = text.split('.');
	return parts.length === 4 && parts.every(part => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
}

function ipv6(text) {
	if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text))
		return false;
	try {
		return Boolean(new URL(`http://[${text}]/`));
	}
	catch {
		return false;
	}
}

const integer = text => /^-?[0-9]+$/.test(text);
const between = (text, low, high) => integer(text) && Number(text) >= Number(low) && Number(text) <= Number(high);

function hostname(text) {
	return text.length <= 253 && /^(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?\.?$/.test(text) &&
		/[a-zA-Z_-]/.test(text);
}

function cidr(text, address, longest) {
	const [ host, length, more ] = text.split('/');
	return more === undefined && length !== undefined && address(host) && between(length, 0, longest);
}

/* Each: [ the test of a text and arguments, what is expected ]. */
const TYPES = {
	integer: [ integer, () => _('valid integer value') ],
	uinteger: [ text => integer(text) && Number(text) >= 0, () => _('positive integer value') ],
	float: [ text => /^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text), () => _('valid decimal value') ],
	ufloat: [ text => /^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text), () => _('positive decimal value') ],
	bool: [ text => [ '0', '1' ].includes(text), () => _('valid boolean') ],
	string: [ () => true, () => '' ],
	ipaddr: [ text => ipv4(text) || ipv6(text), () => _('valid IP address') ],
	ip4addr: [ text => ipv4(text), () => _('valid IPv4 address') ],
	ip6addr: [ text => ipv6(text), () => _('valid IPv6 address') ],
	cidr4: [ text => cidr(text, ipv4, 32), () => _('valid IPv4 CIDR') ],
	cidr6: [ text => cidr(text, ipv6, 128), () => _('valid IPv6 CIDR') ],
	cidr: [ text => cidr(text, ipv4, 32) || cidr(text, ipv6, 128), () => _('valid IPv4 or IPv6 CIDR') ],
	port: [ text => between(text, 0, 65535), () => _('valid port value') ],
	portrange: [ text => {
		const [ low, high ] = text.split('-');
		return text.split('-').length <= 2 && between(low, 0, 65535) && (high === undefined || (between(high, 0, 65535) && Number(high) >= Number(low)));
	}, () => _('valid port or port range (port1-port2)') ],
	hostname: [ hostname, () => _('valid hostname') ],
	host: [ text => hostname(text) || ipv4(text) || ipv6(text), () => _('valid hostname or IP address') ],
	network: [ text => hostname(text) || ipv4(text) || ipv6(text) || cidr(text, ipv4, 32) || cidr(text, ipv6, 128),
		() => _('valid hostname, IP address or CIDR') ],
	hostport: [ text => {
		const match = /^(?:\[(.+)\]|([^:]+)):([0-9]+)$/.exec(text);
		return match !== null && between(match[3], 0, 65535) && (match[1] ? ipv6(match[1]) : hostname(match[2]) || ipv4(match[2]));
	}, () => _('valid host:port') ],
	macaddr: [ text => /^(?:[a-fA-F0-9]{1,2}:){5}[a-fA-F0-9]{1,2}$/.test(text), () => _('valid MAC address') ],
	uciname: [ text => /^[a-zA-Z0-9_]+$/.test(text), () => _('valid UCI identifier') ],
	range: [ (text, low, high) => between(text, low, high), (low, high) => _('value between %s and %s').format(low, high) ],
	min: [ (text, low) => integer(text) && Number(text) >= Number(low), low => _('value greater or equal to %s').format(low) ],
	max: [ (text, high) => integer(text) && Number(text) <= Number(high), high => _('value smaller or equal to %s').format(high) ],
	length: [ (text, size) => text.length === Number(size), size => _('value with %s characters').format(size) ],
	minlength: [ (text, low) => text.length >= Number(low), low => _('value with at least %s characters').format(low) ],
	maxlength: [ (text, high) => text.length <= Number(high), high => _('value with at most %s characters').format(high) ],
	rangelength: [ (text, low, high) => text.length >= Number(low) && text.length <= Number(high),
		(low, high) => _('value between %s and %s characters').format(low, high) ],
	hexstring: [ text => /^(?:[a-fA-F0-9]{2})+$/.test(text), () => _('hexadecimal encoded value') ],
	device: [ text => /^[^\s/]{1,15}$/.test(text), () => _('valid network device name between 1 and 15 characters not containing ":", "/", "%" or spaces') ],
	file: [ () => true, () => '' ],
	directory: [ () => true, () => '' ]
};

/* `or(port,and(range(1,2),uinteger))` as { name, args }; what is no type is a text. */
function parseType(text) {
	let at = 0;
	function one() {
		const start = at;
		while (at < text.length && !'(),'.includes(text[at]))
			at++;
		const name = text.slice(start, at).trim().replace(/^(["'])(.*)\1$/, '$2');
		if (text[at] !== '(')
			return { name, args: null };
		const args = [];
		do {
			at++;
			args.push(one());
		} while (text[at] === ',');
		at++;
		return { name, args };
	}
	return one();
}

/* What is expected where a value is not of a type; null where it is. */
function fault(type, value) {
	const args = type.args ?? [];
	switch (type.name) {
	case 'or': {
		const faults = args.map(one => one.args === null && !TYPES[one.name] ? (one.name === value ? null : `"${one.name}"`) : fault(one, value));
		return faults.includes(null) ? null : `${_('one of:')}\n - ${faults.join('\n - ')}`;
	}
	case 'and':
		return args.map(one => fault(one, value)).find(one => one !== null) ?? null;
	case 'neg':
		return fault(args[0], value.replace(/^!\s*/, ''));
	case 'list':
		return value.trim().split(/\s+/).map(one => fault(args[0], one)).find(one => one !== null) ?? null;
	}
	const [ test, words ] = TYPES[type.name] ?? L.raise('SyntaxError', 'Unhandled token "%s"', type.name);
	const given = args.map(one => one.name);
	return test(value, ...given) ? null : words(...given);
}

const Validator = baseclass.extend({
	__name__: 'LuCI.validation.Validator',

	__init__(field, type, optional, vfunc) {
		this.field = field;
		this.type = parseType(type || 'string');
		this.optional = optional;
		this.vfunc = vfunc;
	},

	/* What is wrong now, in words. */
	problem(value) {
		if (value.length === 0 ? !this.optional : false)
			return _('Expecting: %s').format(_('non-empty value'));
		const wrong = value.length ? fault(this.type, value) : null;
		if (wrong !== null)
			return _('Expecting: %s').format(wrong);
		const said = typeof this.vfunc === 'function' ? this.vfunc(value) : true;
		return said === true ? null : String(said);
	},

	validate() {
		/* One that is not on the page is not looked at. */
		if (!this.field.closest('form, [data-page]'))
			return true;
		this.field.classList.remove('cbi-input-invalid');
		this.value = this.field.value ?? '';
		this.error = this.problem(String(this.value));
		if (this.error === null) {
			this.field.removeAttribute('data-tooltip');
			this.field.removeAttribute('data-tooltip-style');
			this.field.dispatchEvent(new CustomEvent('validation-success', { bubbles: true }));
			return true;
		}
		this.field.classList.add('cbi-input-invalid');
		this.field.setAttribute('data-tooltip', this.error);
		this.field.setAttribute('data-tooltip-style', 'error');
		this.field.dispatchEvent(new CustomEvent('validation-failure', { bubbles: true, detail: { message: this.error } }));
		return false;
	}
});

return baseclass.extend({
	create(field, type, optional, vfunc) {
		return new Validator(field, type, optional, vfunc);
	},

	/* Whether a text is of a type, for tests of the rig. */
	fault: (type, value) => fault(parseType(type), value)
});
