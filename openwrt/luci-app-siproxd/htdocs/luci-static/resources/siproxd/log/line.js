'use strict';
'require baseclass';

/*
 * A line of the daemon's log, as src/log/line.rs writes it: `HH:MM:SS.mmm LEVEL class text`, the time in UTC. What follows a line end inside a
 * message is a line of its own that begins with a tab.
 */
const LINE = /^(\d\d):(\d\d):(\d\d)(\.\d{3}) (ERROR|WARN|INFO|DEBUG|TRACE) {1,2}([A-Za-z0-9_:-]+) ([^]*)$/;

/* The gravest first; the number is what the filter compares. */
const LEVELS = { ERROR: 1, WARN: 2, INFO: 3, DEBUG: 4, TRACE: 4 };

/* What has no class of its own, and its bit. */
const OTHER = 'process';

/* Each class with its bit of debug_level (src/log_class.rs), for the householder first, and the floods last. */
const CLASSES = [
	{ name: 'reg', bit: 0x8, text: _('Registrations of the phones') },
	{ name: 'sip', bit: 0x4, text: _('What phones and providers say (SIP), in short') },
	{ name: 'proxy', bit: 0x20, text: _('Where each call goes, and why something is refused') },
	{ name: 'auth', bit: 0x800, text: _('Logins and passwords asked for') },
	{ name: 'rtp', bit: 0x200, text: _('Sound and picture of the calls') },
	{ name: 'dns', bit: 0x40, text: _('Names of providers and their addresses (DNS)') },
	{ name: 'net', bit: 0x2, text: _('Network connections and addresses') },
	{ name: 'acl', bit: 0x400, text: _('Who may call and register') },
	{ name: 'plugin', bit: 0x1000, text: _('Short numbers, prefixes and other extras') },
	{ name: 'config', bit: 0x100, text: _('Settings') },
	{ name: OTHER, bit: 0x10, text: _('Start, end and all else') },
	{ name: 'traffic', bit: 0x80, text: _('The whole text of every message'), isPrivate: true },
	{ name: 'rtpbabble', bit: 0x2000, text: _('Every single packet of sound (a flood)'), isFlood: true },
	{ name: 'babble', bit: 0x1, text: _('Every step of the program (a flood)'), isFlood: true }
];

/* Controls, the line ends of Unicode, and what turns the direction of text: none of them may act on the page. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function symbol(control) {
	const code = control.charCodeAt(0);

	if (code < 0x20)
		return String.fromCharCode(0x2400 + code);

	return code == 0x7f ? '\u2421' : '\\x%s'.format(code.toString(16));
}

function twoDigits(number) {
	return String(number).padStart(2, '0');
}

/* The time of a line as the clock of who looks at it shows it. */
function localTime(hours, minutes, seconds) {
	const time = new Date();

	time.setUTCHours(hours, minutes, seconds, 0);

	return [ time.getHours(), time.getMinutes(), time.getSeconds() ].map(twoDigits).join(':');
}

return baseclass.extend({
	CLASSES: CLASSES,

	/* Text from the network with its control characters as symbols. */
	visible(text) {
		return String(text).replace(CONTROL, symbol);
	},

	/* Whether a line belongs to the message that the line before it began. */
	isContinuation(line) {
		return line.charAt(0) == '\t';
	},

	/* Takes a line apart. One that is not of the log's form is shown as it is. */
	parse(line) {
		const found = LINE.exec(line);

		if (found == null)
			return { time: '', utc: '', level: 'INFO', rank: LEVELS.INFO, cls: OTHER, name: '', text: line };

		const name = found[6];

		return {
			time: localTime(+found[1], +found[2], +found[3]),
			utc: '%s:%s:%s%s UTC'.format(found[1], found[2], found[3], found[4]),
			level: found[5],
			rank: LEVELS[found[5]],
			cls: CLASSES.some((known) => known.name == name) ? name : OTHER,
			name: name,
			text: found[7]
		};
	}
});
