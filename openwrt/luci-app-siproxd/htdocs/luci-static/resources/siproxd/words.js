'use strict';
'require baseclass';

/*
 * What the daemon says, for people: times, parties, states, SIP status codes and verdicts in plain words.
 *
 * Names, numbers and sentences of the daemon's can hold what a stranger on the Internet has written. `text()` makes of any value a short text
 * without control characters; everything here goes through it. It is still to be put into the page as text, in an element of its own that
 * isolates its direction (`bdi`).
 */

/* Characters of a text that came from outside; what is longer is cut. */
const LONGEST = 160;

/* Control characters, those that change the direction of what is around them, lone halves of surrogate pairs, and line separators. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(^|[^\ud800-\udbff])[\udc00-\udfff]/g;

/* Marks that are piled up on a letter; a few are what languages have. */
const PILE = /(\p{M}{4})\p{M}+/gu;

const MINUTE = 60, HOUR = 3600, DAY = 86400;

function text(value, limit) {
	if (typeof(value) === 'number')
		value = String(value);

	if (typeof(value) !== 'string')
		return '';

	const most = limit || LONGEST;
	/* What is far beyond what is shown need not be looked at. */
	const clean = value.slice(0, most * 4)
		.replace(INVISIBLE, '\ufffd')
		.replace(LONE, '$1\ufffd')
		.replace(PILE, '$1');
	const letters = Array.from(clean);

	return (letters.length > most || value.length > most * 4) ? letters.slice(0, most).join('') + '…' : clean;
}

/* A number that can be one of the daemon's, or null. */
function number(value) {
	return (typeof(value) === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) ? value : null;
}

/* A number with so many places, as it is written in the language of the page. */
function decimal(value, places) {
	const style = { minimumFractionDigits: places, maximumFractionDigits: places };

	try { return value.toLocaleString(document.documentElement.lang || undefined, style) }
	catch (e) { return value.toFixed(places) }
}

function two(value) {
	return (value < 10 ? '0' : '') + value;
}

/* Why a registration or a call was refused, by its SIP status. */
function ofStatus(code) {
	switch (code) {
	case 400: return _('the message was not understood');
	case 401:
	case 407: return _('the password is wrong, or the account is not known there');
	case 402: return _('payment is required');
	case 403: return _('it is forbidden; often the account or the password is wrong');
	case 404: return _('the number is not known there');
	case 405:
	case 501: return _('the other side does not offer this');
	case 406:
	case 415:
	case 488:
	case 606: return _('no common way to talk was found (codec or encryption)');
	case 408: return _('nobody answered');
	case 410: return _('the number is no longer in use');
	case 413:
	case 513: return _('the message was too large');
	case 416: return _('this kind of address cannot be called');
	case 420:
	case 421: return _('the other side wants an extension that is not there');
	case 423: return _('the time asked for is too short');
	case 480: return _('cannot be reached now');
	case 481: return _('the call was no longer known');
	case 482:
	case 483: return _('the message went round in circles');
	case 484: return _('the number is incomplete');
	case 485: return _('the number is ambiguous');
	case 486:
	case 600: return _('busy');
	case 487: return _('the caller gave up');
	case 491: return _('both sides spoke at the same time');
	case 494: return _('the other side demands encryption');
	case 500: return _('a fault of the server');
	case 502: return _('the provider\'s domain does not exist, or a server behind it failed');
	case 503: return _('the server is overloaded or cannot be reached');
	case 504: return _('a server behind it did not answer, or no name server did');
	case 505: return _('the other side speaks another version of SIP');
	case 580: return _('there was no room for the call on the line');
	case 603:
	case 607:
	case 608: return _('declined');
	case 604: return _('the number does not exist');
	}

	return null;
}

/*
 * What the daemon says of a registration that was refused: here so that it is translated, word for word as it is said. A test compares the two
 * lists.
 */
const REFUSALS = [
	_('the password is wrong, or the account is not known here'),
	_('the registrar does not answer: check its name in the phone, and the Internet connection'),
	_('the registrar cannot be reached: check its name in the phone, and the Internet connection'),
	_('the router has no Internet address now'),
	_('it sends the phone to another server, which is to be set in the phone'),
	_('the password is wrong, or the account is not known there'),
	_('the account may not register there: a wrong password, a locked account, or too many phones'),
	_('the account is not known there: check the user name and the domain in the phone'),
	_('it takes no registrations: check the registrar in the phone'),
	_('it has no answer itself from what is behind it; try again later'),
	_('the phone asks for too short a registration: raise its time to register'),
	_('the request goes round in circles: check outbound proxy and registrar in the phone'),
	_('it is overloaded, or under repair; try again later'),
	_('it has a fault of its own; try again later'),
	_('it does not take what the phone asks for'),
	_('hosts_allow_reg does not name the phone'),
	_('the phone is on the blacklist for failing to register: check its password'),
	_('the name does not exist in the DNS: check the phone\'s domain'),
	_('no nameserver answers: check the servers in resolv.conf'),
	_('the table of registrations is full: raise max_bindings')
];

/* For what is no literal here, and one above. */
const translate = _;

/* Ends of calls that are no status, in the daemon's words; with a number of seconds behind some of them. */
function ofReason(reason) {
	switch (reason) {
	case 'hung up': return _('hung up');
	case 'no answer': return _('no answer from the other side');
	case 'dropped from the control socket': return _('ended here, at the router');
	case 'its only offer was refused': return _('no common way to talk was found (codec or encryption)');
	}

	if (/^no media for rtp_timeout seconds/.test(reason))
		return _('nobody was heard any more');

	if (/^no free RTP port/.test(reason))
		return _('no free port for its sound');

	if (/^as many calls as max_calls/.test(reason))
		return _('too many calls at once');

	return null;
}

/*
 * Verdicts by the daemon's word for them: what a person hears of it, and what to try first; `ofPhone` where it is about what a phone at home sends.
 * docs/verdict.md has all causes and remedies.
 */
function ofFault(fault, ofPhone) {
	switch (fault) {
	case 'nothing-at-all':
		return [ _('Nobody is heard'),
			_('Something on this router takes the sound before siproxd: a firewall that drops its ports on both sides, or the SIP helper of Linux.') ];

	case 'nothing-at-all-but-rtcp':
		return [ _('Nobody sends sound'),
			_('No firewall is in the way. Both are muted, or found no common codec: look for one that both have, and compare the encryption settings.') ];

	case 'stranger':
		return [ _('The sound comes from an address that nobody announced'),
			_('siproxd does not let it in: anybody could talk into your calls. If the address is your provider\'s, ask the provider.') ];

	case 'stranger-later':
		return [ _('The sound broke off, and comes from an address that nobody announced'),
			_('The call was handed to another machine, or the phone changed its network, and nobody was told. If the address is your provider\'s, ask the provider.') ];

	case 'not-one-stream':
		return [ _('The sound comes from changing ports'),
			_('A phone that changed its port in mid-call, or two programs at once. A new call or a newer version of the phone\'s software may help.') ];

	case 'nothing':
		return [ _('One side is not heard'), ofPhone
			? _('The phone is muted, or sends around siproxd: switch off STUN, ICE and "NAT traversal" in it.')
			: _('A firewall lets nothing in, or there is a second router or modem before this one: put that one into bridge mode, or open the sound ports there.') ];

	case 'nothing-but-rtcp':
		return [ _('One side sends no sound'),
			_('No firewall is in the way. It is muted, its microphone is in use by another program, or its codec or encryption does not work.') ];

	case 'no-sound':
		return [ _('The parties found no way to send sound'),
			_('Switch off ICE in the phone, which siproxd makes needless, and compare the encryption settings of both sides.') ];

	case 'blocked':
		return [ _('The sound was cut off after the first moments'),
			_('A firewall that lets the first packets through and then closes. Look for "SIP protection" or "flood protection" in it.') ];

	case 'both-silent':
		return [ _('Both sides fell silent'),
			_('The line or the power was gone, or something on the router closed both ways at that moment.') ];

	case 'one-way':
		return [ _('Sound in one direction only'),
			_('If it happens after the same time in each call, a NAT or firewall has a timer: raise its UDP timeout to 180 seconds.') ];

	case 'foreign-codec':
		return [ _('One side speaks a codec that the other does not know'),
			_('Leave one codec and "telephone-event" in the phone\'s list: PCMA in Europe, PCMU in America.') ];

	case 'lost':
		return [ _('Much of the sound is lost on the way here'), ofPhone
			? _('If the phone is on Wi-Fi: try a cable, or another channel.')
			: _('The line is full: limit what downloads take (SQM). If it is the same every evening, it is the provider\'s network.') ];

	case 'lost-beyond':
		return [ _('Much of the sound is lost on the way from here'), ofPhone
			? _('The line is full: limit what uploads take (SQM).')
			: _('If the phone that listens is on Wi-Fi: try a cable, or another channel.') ];

	case 'gap':
		return [ _('The sound was interrupted'),
			_('The Wi-Fi or the line was gone for a moment, or the router was busy.') ];

	case 'jitter':
		return [ _('The sound comes unevenly'), ofPhone
			? _('Switch off power saving in the phone\'s Wi-Fi.')
			: _('The line is full: limit what downloads and uploads take (SQM).') ];
	}

	return [ _('Something is wrong with the sound'), null ];
}

return baseclass.extend({
	text: text,
	number: number,
	decimal: decimal,

	/* A time as a person says it: "9 minutes". */
	span: seconds => {
		const s = Math.round(number(seconds) || 0);
		const [ count, one, many ] =
			s < 90 ? [ s, _('%d second'), _('%d seconds') ] :
			s < 90 * MINUTE ? [ Math.round(s / MINUTE), _('%d minute'), _('%d minutes') ] :
			s < 36 * HOUR ? [ Math.round(s / HOUR), _('%d hour'), _('%d hours') ] :
			[ Math.round(s / DAY), _('%d day'), _('%d days') ];

		return (count === 1 ? one : many).format(count);
	},

	/* A duration that counts: "3:07", "1:02:09". */
	clock: seconds => {
		const s = Math.floor(number(seconds) || 0);
		const minutes = Math.floor(s / MINUTE) % 60, hours = Math.floor(s / HOUR);

		return hours ? hours + ':' + two(minutes) + ':' + two(s % 60) : minutes + ':' + two(s % 60);
	},

	/* A party by its URI: `name`, the number or user, and `host`; `hidden` where it does not say who it is. */
	party: uri => {
		const parts = /^\s*<?(?:sips?|tel):(?:([^@]*)@)?([^;>?]*)/i.exec(typeof(uri) === 'string' ? uri.slice(0, 4 * LONGEST) : '');

		if (!parts)
			return { name: text(uri, 64) || _('unknown'), host: '', hidden: false };

		let user = (parts[1] || '').split(/[:;]/)[0];

		try { user = decodeURIComponent(user) }
		catch (e) { /* as it is */ }

		if (/^(?:anonymous|restricted|unavailable)?$/i.test(user) && /^anonymous\.invalid$|^$/i.test(parts[2]) || /^anonymous$/i.test(user))
			return { name: _('number withheld'), host: '', hidden: true };

		return { name: text(user || parts[2], 64), host: user ? text(parts[2], 64) : '', hidden: false };
	},

	/* Of a call, by the sides of its parties: `incoming`, `outgoing`, `inside` or `through`. */
	direction: call => {
		const side = party => (party && party.side === 'lan') ? 'lan' : 'wan';

		switch (side(call.caller) + side(call.callee)) {
		case 'lanwan': return 'outgoing';
		case 'wanlan': return 'incoming';
		case 'lanlan': return 'inside';
		default: return 'through';
		}
	},

	directionWord: direction => ({
		'outgoing': _('Outgoing'),
		'incoming': _('Incoming'),
		'inside': _('In the house'),
		'through': _('Passing through')
	})[direction],

	callState: state => ({
		'ringing': _('ringing'),
		'answered': _('talking'),
		'held': _('on hold'),
		'ending': _('ending')
	})[state] || text(state, 24),

	bindingState: binding => ({
		'valid': _('registered'),
		'pending': _('asking the provider …'),
		'silent': _('registered, but the phone is silent')
	})[binding.state] || text(binding.state, 24),

	/* Where a phone is registered. */
	registrar: registrar => registrar === 'own' ? _('this router') : text(registrar, 64),

	/* Why a registration was refused: in the daemon's words, translated where they are known ones; without any, by its code. */
	refusal: refusal => {
		const said = text(refusal.text, 240);

		const translated = said && translate(said);

		if (said)
			return REFUSALS.includes(translated) ? translated : said;

		return ofStatus(refusal.code) || _('refused with code %s').format(text(refusal.code, 8) || '?');
	},

	/* Why a call ended. */
	reason: reason => {
		const said = text(reason, 80);
		const code = /^not answered \((\d{3})\)$/.exec(said);

		if (!code)
			return ofReason(said) || said;

		const word = ofStatus(+code[1]);

		return word ? '%s (%s)'.format(word, code[1]) : _('not answered (%s)').format(code[1]);
	},

	/* A verdict: `title` for people, `detail` as the daemon says it, `advice` what to try first, or null. Null where nothing is wrong. */
	verdict: line => {
		if (line.verdict == null && line.fault == null)
			return null;

		const party = line.fault_party === 'caller' ? line.caller : line.fault_party === 'callee' ? line.callee : null;
		const [ title, advice ] = ofFault(line.fault, party != null && party.side === 'lan');

		return { title: title, advice: advice, detail: text(line.verdict, 240) };
	},

	/* What keeps the daemon from its work, as `status` has it. */
	problem: sentence => {
		const said = text(sentence, 240);
		const dead = /^(LAN|WAN) interface (\S+) has no address$/i.exec(said);
		const names = /^no nameserver answers for (\d+) names$/.exec(said);

		if (dead)
			return /lan/i.test(dead[1])
				? _('The home network (%s) has no address: phones cannot reach siproxd.').format(dead[2])
				: _('The Internet connection (%s) has no address: no provider can be reached. Is the line up?').format(dead[2]);

		if (said === 'there is no nameserver in /etc/resolv.conf')
			return _('The router knows no name server, so providers cannot be found by name. Is the line up?');

		if (names)
			return _('No name server answers for %d names. Is the line up?').format(+names[1]);

		return said;
	},

	/* A MOS from 1 to 4.5: a word and its grade. The limits are those of ITU-T G.107 Annex B: most are satisfied, many are not. */
	mos: value => {
		const mos = number(value);

		if (mos == null)
			return null;

		if (mos >= 4)
			return { word: _('good'), grade: 'good' };

		return mos >= 3.1 ? { word: _('fair'), grade: 'fair' } : { word: _('bad'), grade: 'bad' };
	}
});
