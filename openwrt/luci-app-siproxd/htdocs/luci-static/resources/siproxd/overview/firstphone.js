'use strict';
'require baseclass';
'require siproxd.bits as bits';
'require siproxd.words as words';

/* How the first phone is set up, with the router's own address filled in. */

const el = bits.el;

const SIP_PORT = 5060;

/* The router's address at home, as a phone is told it; IPv4 where there is one. */
function hostOf(status) {
	const addresses = (status.lan && Array.isArray(status.lan.addresses) ? status.lan.addresses : [])
		.map(address => words.text(address, 64).split('/')[0]);
	const v4 = addresses.filter(address => /^[0-9.]+$/.test(address))[0];

	if (v4)
		return v4;

	return addresses.length ? '[%s]'.format(addresses.filter(address => !/^fe80:/i.test(address))[0] || addresses[0]) : null;
}

function row(field, value, isCode) {
	return el('tr', { 'class': 'tr' }, [
		el('th', { 'class': 'td', 'scope': 'row' }, [ field ]),
		el('td', { 'class': 'td' }, [ isCode ? el('code', {}, [ value ]) : value ])
	]);
}

function kind(key, title, where, rows, isOpen) {
	return el('details', { 'class': 'siproxd-kind', 'data-key': key, 'open': isOpen ? '' : null }, [
		el('summary', {}, [ title ]),
		el('p', {}, [ where ]),
		el('table', { 'class': 'table siproxd-fields' }, [ el('caption', { 'class': 'siproxd-unseen' }, [ title ]) ].concat(rows))
	]);
}

return baseclass.extend({
	draw: status => {
		const host = hostOf(status) || _('(the router\'s address at home)');
		const port = words.number(status.sip_port) || SIP_PORT;
		const proxy = host + ':' + port;
		const asGiven = _('as your provider gave it');
		const account = rows => [ row(_('User name, password'), asGiven) ].concat(rows);

		return el('section', { 'class': 'siproxd-part siproxd-first', 'data-key': 'first' }, [
			el('h4', {}, [ _('Set up the first phone') ]),
			el('p', {}, [
				_('Enter the account in the phone as your provider gave it, and as "outbound proxy" this router:'), ' ',
				el('code', {}, [ proxy ])
			]),
			kind('soft', _('App on a smartphone or computer'), _('For example Linphone: Settings → account → Advanced.'), account([
				row(_('Domain, registrar'), _('your provider\'s')),
				row(_('Outbound proxy, SIP proxy'), 'sip:' + proxy + ';transport=udp', true),
				row(_('Transport'), 'UDP'),
				row(_('STUN, ICE, TURN, "NAT traversal"'), _('off'))
			]), true),
			kind('desk', _('Desk phone'), _('Open the phone\'s own web page: its address is in its menu. Look for "Account", "Line" or "Identity".'), account([
				row(_('Registrar, SIP server'), _('your provider\'s')),
				row(_('Outbound proxy'), proxy, true),
				row(_('Transport'), 'UDP'),
				row(_('STUN, ICE, "NAT traversal"'), _('off'))
			])),
			kind('fritz', _('FRITZ!Box behind this router'), _('Telephony → own numbers → new number → "other provider".'), account([
				row(_('Registrar'), _('your provider\'s')),
				row(_('Proxy server'), port === SIP_PORT ? host : proxy, true),
				row(_('STUN server'), _('leave empty')),
				row(_('Register via the Internet connection'), _('on'))
			])),
			el('p', {}, [
				_('No provider? Give two phones this router as domain and registrar, each a user name of its own, and they can call each other:'), ' ',
				el('code', {}, [ 'sip:alice@' + (port === SIP_PORT ? host : proxy) ])
			]),
			el('p', {}, [ _('As soon as the phone has registered, it appears here by itself.') ])
		]);
	}
});
